//! What goes wrong between a server and an API server that lists as the beginning of a watch.

use crate::api::{Api, Step, Talk, refusal, service, until};
use crate::watch::{address, errors, folder, is_gone, parameter, quick, start};
use cluster::watch::{ErrorKind, Server, Settings, Watch};
use cluster::{Found, Kind};
use std::time::{Duration, Instant};

/// Services alone; a namespace is not missed then.
fn settings(api: &Api) -> Settings {
    let server = Server::Endpoint { url: api.url(), tls: None };
    let mut settings = Settings { timing: quick(), ..Settings::new(server) };
    settings.kinds = [Kind::Namespace, Kind::Service].into_iter().collect();
    settings
}

/// A server that knows the namespace `shop` and the service `a`, and a watch of it.
async fn known(api: &Api, settings: Settings) -> (Watch, Talk) {
    let (mut namespaces, first) = Talk::new();
    let (mut talk, second) = Talk::new();
    api.script("namespaces", [first]);
    api.script("services", [second]);
    namespaces.event("ADDED", &crate::api::namespace("shop")).await;
    namespaces.end_list("1").await;
    api.keep(namespaces);
    talk.event("ADDED", &service("a", "10.0.0.1", 1)).await;
    talk.end_list("5").await;
    let watch = start(settings);
    watch.synced().await;
    (watch, talk)
}

#[tokio::test]
async fn a_watch_without_event_and_bookmark_is_resumed_and_then_doubted() {
    let api = Api::start().await;
    let mut settings = settings(&api);
    settings.timing.quiet_max = Duration::from_millis(100);
    let quiet: Vec<_> = (0..4).map(|_| Talk::new()).collect();
    let (mut talks, steps): (Vec<_>, Vec<_>) = quiet.into_iter().unzip();
    let (watch, _first) = known(&api, settings).await;
    api.script("services", steps);
    // The first told something before it fell silent, so it is resumed; those that follow tell
    // nothing at all, as of a version that lies in the server's future.
    for index in 1..=2 {
        let seen = api.request("services", index).await;
        assert_eq!(parameter(&seen, "resourceVersion"), Some("5"));
    }
    let seen = api.request("services", 3).await;
    assert_eq!(parameter(&seen, "sendInitialEvents"), Some("true"));
    assert_eq!(address(&watch, "a").as_deref(), Ok("10.0.0.1"));
    talks[2].event("ADDED", &service("b", "10.0.0.2", 2)).await;
    talks[2].end_list("3").await;
    is_gone(&watch, "a").await;
    let seen = api.request("services", 4).await;
    assert_eq!(parameter(&seen, "resourceVersion"), Some("3"));
    assert!(errors(&watch, Kind::Service, ErrorKind::Silence) >= 3);
}

#[tokio::test]
async fn bookmarks_keep_a_watch_alive() {
    let api = Api::start().await;
    let mut settings = settings(&api);
    settings.timing.quiet_max = Duration::from_secs(1);
    let (watch, mut talk) = known(&api, settings).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1500) {
        talk.event("BOOKMARK", r#"{"metadata":{"resourceVersion":"9"}}"#).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(errors(&watch, Kind::Service, ErrorKind::Silence), 0);
    assert_eq!(api.seen("services").len(), 1);
}

#[tokio::test]
async fn a_stream_that_ends_within_an_event_is_resumed() {
    let api = Api::start().await;
    let (watch, mut talk) = known(&api, settings(&api)).await;
    talk.event("ADDED", &service("b", "10.0.0.2", 6)).await;
    assert!(talk.say("{\"type\":\"ADDED\",\"obj").await);
    drop(talk);
    assert_eq!(parameter(&api.request("services", 1).await, "resourceVersion"), Some("6"));
    assert_eq!(errors(&watch, Kind::Service, ErrorKind::Connection), 1);
    assert_eq!(address(&watch, "b").as_deref(), Ok("10.0.0.2"));
}

#[tokio::test]
async fn tokens_in_files_are_read_again_when_they_are_refused() {
    let api = Api::start().await;
    let dir = folder("rotating-token");
    let (token, kubeconfig) = (dir.join("token"), dir.join("kubeconfig"));
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: x\n\
         clusters: [{{name: c, cluster: {{server: \"{}\"}}}}]\n\
         users: [{{name: u, user: {{tokenFile: {}}}}}]\n\
         contexts: [{{name: x, context: {{cluster: c, user: u}}}}]\n",
        api.url(),
        token.display()
    );
    std::fs::write(&kubeconfig, text).unwrap();
    std::fs::write(&token, "first").unwrap();
    let mut settings = settings(&api);
    settings.server = Server::Kubeconfig { file: kubeconfig, context: None };
    let (watch, talk) = known(&api, settings).await;
    assert_eq!(api.seen("services")[0].headers["authorization"], "Bearer first");
    std::fs::write(&token, "second").unwrap();
    api.script("services", [Step::Answer(401, refusal(401, "Unauthorized"))]);
    talk.cut();
    // The old one may be remembered for a minute; a refusal is reason enough to look.
    assert_eq!(api.request("services", 1).await.headers["authorization"], "Bearer first");
    let seen = api.request("services", 2).await;
    assert_eq!(seen.headers["authorization"], "Bearer second");
    assert_eq!(parameter(&seen, "resourceVersion"), Some("5"));
    assert_eq!(errors(&watch, Kind::Service, ErrorKind::Unauthorized), 1);
    assert_eq!(address(&watch, "a").as_deref(), Ok("10.0.0.1"));
    std::fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn a_resource_that_need_not_be_there_is_looked_for() {
    let api = Api::start().await;
    let mut settings = settings(&api);
    settings.kinds = settings.kinds.with(Kind::EndpointSlice);
    settings.optional = settings.optional.with(Kind::EndpointSlice);
    settings.timing.absent_retry = Duration::from_millis(200);
    let absent = || Step::Answer(404, "404 page not found\n".to_owned());
    api.script("endpointslices", [absent(), absent()]);
    let (watch, _talk) = known(&api, settings).await;
    assert!(watch.cluster().is_synced());
    api.request("endpointslices", 2).await;
    let seen = api.seen("endpointslices");
    let waits = seen.windows(2).map(|pair| pair[1].at - pair[0].at);
    assert!(waits.clone().all(|wait| wait >= Duration::from_millis(200)), "{waits:?}");
    assert_eq!(errors(&watch, Kind::EndpointSlice, ErrorKind::Absent), 0);
    // It has appeared.
    until(|| (watch.status().counts(Kind::EndpointSlice).lists == 1).then_some(())).await;
}

#[tokio::test]
async fn a_resource_that_was_there_is_given_time_before_it_counts_as_gone() {
    let api = Api::start().await;
    let mut settings = settings(&api);
    settings.optional = settings.optional.with(Kind::Service);
    settings.timing.absent_retry = Duration::from_millis(300);
    let (watch, talk) = known(&api, settings).await;
    let absent = |_| Step::Answer(404, refusal(404, "could not find the requested resource"));
    api.script("services", (0..100).map(absent));
    talk.cut();
    api.request("services", 2).await;
    assert_eq!(address(&watch, "a").as_deref(), Ok("10.0.0.1"));
    is_gone(&watch, "a").await;
    let (first, last) = (api.seen("services")[1].at, api.seen("services").last().unwrap().at);
    assert!(last - first >= Duration::from_millis(300));
    assert!(errors(&watch, Kind::Service, ErrorKind::Absent) >= 1);
}

#[tokio::test]
async fn a_resource_that_must_be_there_is_an_error() {
    let api = Api::start().await;
    api.script("services", [Step::Answer(404, refusal(404, "could not find it"))]);
    let watch = start(settings(&api));
    until(|| (errors(&watch, Kind::Service, ErrorKind::Absent) == 1).then_some(())).await;
    watch.synced().await;
    assert_eq!(address(&watch, "a"), Err(Found::NoSuchName));
}

/// Services of namespace `shop` as kube-apiserver 1.37 sent them.
const RECORDED: [&[u8]; 2] = [
    include_bytes!("../recorded/services.list.protobuf"),
    include_bytes!("../recorded/services.watch.protobuf"),
];

#[tokio::test]
async fn what_a_real_server_sends_in_protobuf_is_answered() {
    for (streaming, body) in [(false, RECORDED[0]), (true, RECORDED[1])] {
        let api = Api::start().await;
        let mut settings = settings(&api);
        settings.transfer.streaming = streaming;
        let namespaces = match streaming {
            true => include_bytes!("../recorded/namespaces.watch.protobuf").as_slice(),
            false => include_bytes!("../recorded/namespaces.list.protobuf").as_slice(),
        };
        api.script("namespaces", [Step::Protobuf(namespaces)]);
        api.script("services", [Step::Protobuf(body)]);
        let watch = start(settings);
        watch.synced().await;
        let found = address(&watch, "web");
        assert!(found.as_ref().is_ok_and(|address| address.starts_with("10.")), "{found:?}");
        assert_eq!(watch.status().counts(Kind::Service).skipped, 0);
    }
}
