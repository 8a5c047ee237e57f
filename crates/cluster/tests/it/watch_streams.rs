//! Lists as the beginning of a watch, and servers that know nothing of these.

use crate::api::{Api, Seen, Step, Talk, list, refusal, service, until};
use crate::watch::{address, errors, has_address, is_gone, parameter, quick, services, start};
use cluster::watch::{ErrorKind, Server, Settings};
use cluster::{Found, Kind};
use std::time::Duration;

fn settings(api: &Api) -> Settings {
    let server = Server::Endpoint { url: api.url(), tls: None };
    Settings { timing: quick(), ..Settings::new(server) }
}

/// A server that knows the namespace `shop`.
async fn shop() -> Api {
    let api = Api::start().await;
    let (mut talk, watching) = Talk::new();
    talk.event("ADDED", &crate::api::namespace("shop")).await;
    talk.end_list("1").await;
    api.script("namespaces", [watching]);
    api.keep(talk);
    api
}

fn is_stream(seen: &Seen) -> bool {
    parameter(seen, "sendInitialEvents") == Some("true")
}

#[tokio::test]
async fn a_streaming_list_goes_on_as_the_watch() {
    let api = shop().await;
    let ((mut talk, first), (_second, second)) = (Talk::new(), Talk::new());
    api.script("services", [first, second]);
    let watch = start(settings(&api));
    let seen = api.request("services", 0).await;
    assert!(is_stream(&seen));
    assert_eq!(parameter(&seen, "watch"), Some("true"));
    assert_eq!(parameter(&seen, "resourceVersionMatch"), Some("NotOlderThan"));
    assert_eq!(parameter(&seen, "allowWatchBookmarks"), Some("true"));
    assert_eq!((parameter(&seen, "resourceVersion"), parameter(&seen, "limit")), (None, None));

    talk.event("ADDED", &service("a", "10.0.0.1", 5)).await;
    talk.event("ADDED", &service("b", "10.0.0.2", 3)).await;
    // Changes may come before the list is complete.
    talk.event("DELETED", &service("b", "10.0.0.2", 8)).await;
    // A bookmark without the annotation ends nothing.
    talk.event("BOOKMARK", r#"{"metadata":{"resourceVersion":"8"}}"#).await;
    has_address(&watch, "a", "10.0.0.1").await;
    assert_eq!(address(&watch, "b"), Err(Found::NotSynced));
    assert!(!watch.cluster().is_synced());
    talk.end_list("9").await;
    watch.synced().await;
    assert_eq!(address(&watch, "b"), Err(Found::NoSuchName));

    talk.event("ADDED", &service("c", "10.0.0.3", 10)).await;
    has_address(&watch, "c", "10.0.0.3").await;
    let counts = watch.status().counts(Kind::Service);
    assert_eq!((counts.lists, counts.streamed_lists, counts.events), (1, 1, 1));
    talk.cut();
    let seen = api.request("services", 1).await;
    assert_eq!(parameter(&seen, "resourceVersion"), Some("10"));
    assert!(!is_stream(&seen));
}

#[tokio::test]
async fn a_list_and_what_follows_may_come_in_one_piece() {
    let api = shop().await;
    let (mut talk, stream) = Talk::new();
    api.script("services", [stream]);
    let watch = start(settings(&api));
    let bookmark = r#"{"metadata":{"resourceVersion":"5","annotations":{"k8s.io/initial-events-end":"true"}}}"#;
    let (a, b) = (service("a", "10.0.0.1", 1), service("b", "10.0.0.2", 6));
    let event = |kind: &str, object: &str| format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n");
    let deleted = event("DELETED", &service("a", "10.0.0.1", 7));
    let events = [event("ADDED", &a), event("BOOKMARK", bookmark), event("ADDED", &b), deleted];
    assert!(talk.say(&events.concat()).await);
    watch.synced().await;
    has_address(&watch, "b", "10.0.0.2").await;
    is_gone(&watch, "a").await;
    assert_eq!(watch.status().counts(Kind::Service).events, 2);
}

#[tokio::test]
async fn a_streaming_list_that_breaks_begins_anew_and_drops_nothing() {
    let api = shop().await;
    let mut settings = settings(&api);
    settings.timing.silence_max = Duration::from_secs(9);
    let streams = [Talk::new(), Talk::new(), Talk::new(), Talk::new()];
    let [(mut first, one), (mut second, two), (mut third, three), (mut fourth, four)] = streams;
    api.script("services", [one, two, three, four]);
    let watch = start(settings);
    first.event("ADDED", &service("a", "10.0.0.1", 1)).await;
    first.event("ADDED", &service("b", "10.0.0.2", 2)).await;
    first.end_list("3").await;
    watch.synced().await;
    first.event("ERROR", &refusal(410, "too old resource version")).await;

    second.event("ADDED", &service("b", "10.0.0.3", 8)).await;
    has_address(&watch, "b", "10.0.0.3").await;
    second.cut();
    // One that ends in good order, but too soon, is as bad.
    assert!(is_stream(&api.request("services", 2).await));
    third.event("ADDED", &service("c", "10.0.0.4", 9)).await;
    has_address(&watch, "c", "10.0.0.4").await;
    drop(third);
    assert!(is_stream(&api.request("services", 3).await));
    assert_eq!(address(&watch, "a").as_deref(), Ok("10.0.0.1"));
    fourth.event("ADDED", &service("b", "10.0.0.3", 8)).await;
    fourth.end_list("10").await;
    is_gone(&watch, "a").await;
    is_gone(&watch, "c").await;
    assert_eq!(address(&watch, "b").as_deref(), Ok("10.0.0.3"));
    assert_eq!(errors(&watch, Kind::Service, ErrorKind::Gone), 1);
    assert_eq!(errors(&watch, Kind::Service, ErrorKind::Connection), 2);
    assert_eq!(watch.status().counts(Kind::Service).streamed_lists, 2);
}

#[tokio::test]
async fn servers_that_refuse_are_asked_for_pages() {
    for how in ["422", "400", "event", "endless", "old"] {
        let api = shop().await;
        let mut settings = settings(&api);
        settings.kinds = [Kind::Namespace, Kind::Service].into_iter().collect();
        settings.timing.silence_max = Duration::from_millis(200);
        let (mut talk, stream) = Talk::new();
        let items = [service("a", "10.0.0.1", 1)];
        let first = match how {
            "422" => Step::Answer(422, refusal(422, "sendInitialEvents: Forbidden")),
            "400" => Step::Answer(400, refusal(400, "resourceVersionMatch is forbidden")),
            _ => stream,
        };
        api.script("services", [first, services("5", &items)]);
        let watch = start(settings);
        match how {
            "event" => talk.event("ERROR", &refusal(500, "RequestWatchProgress is disabled")).await,
            // It has heard `watch=true` and nothing else.
            "old" => talk.event("ADDED", &service("z", "10.0.0.9", 1)).await,
            _ => {}
        }
        has_address(&watch, "a", "10.0.0.1").await;
        watch.synced().await;
        is_gone(&watch, "z").await;
        let seen = api.request("services", 1).await;
        assert_eq!((parameter(&seen, "limit"), is_stream(&seen)), (Some("500"), false), "{how}");
        assert_eq!(errors(&watch, Kind::Service, ErrorKind::Refused), 1, "{how}");
        let counts = watch.status().counts(Kind::Service);
        assert_eq!((counts.lists, counts.streamed_lists), (1, 0), "{how}");
    }
}

#[tokio::test]
async fn a_refusal_is_remembered_for_a_while() {
    let api = shop().await;
    let mut settings = settings(&api);
    settings.timing.streaming_retry = Duration::from_secs(2);
    let gone = || Step::Answer(410, refusal(410, "too old"));
    let refused = Step::Answer(422, refusal(422, "sendInitialEvents: Forbidden"));
    api.script("services", [refused, services("5", &[]), gone(), services("6", &[]), gone()]);
    let (mut talk, stream) = Talk::new();
    api.script("services", [services("7", &[]), Step::Hang]);
    let watch = start(settings.clone());
    watch.synced().await;
    api.request("services", 6).await;
    let lists = |api: &Api| api.seen("services").iter().filter(|seen| is_stream(seen)).count();
    assert_eq!(lists(&api), 1);
    drop(watch);

    settings.timing.streaming_retry = Duration::ZERO;
    let refused = Step::Answer(422, refusal(422, "sendInitialEvents: Forbidden"));
    api.script("services", [refused, services("5", &[])]);
    let begun = api.seen("services").len();
    let watch = start(settings);
    // Nobody remembers anything: it is asked again and again, and each time with a wait or success.
    api.script("services", [gone(), stream]);
    talk.end_list("8").await;
    watch.synced().await;
    assert!(is_stream(&api.request("services", begun).await));
    until(|| (watch.status().counts(Kind::Service).streamed_lists == 1).then_some(())).await;
}

#[tokio::test]
async fn streaming_lists_that_always_fail_give_way_to_pages() {
    let api = shop().await;
    let failing = |_| Step::Answer(500, refusal(500, "not today"));
    api.script("services", (0..3).map(failing));
    api.script("services", [Step::Answer(200, list("5", "", &[service("a", "10.0.0.1", 1)]))]);
    let watch = start(settings(&api));
    has_address(&watch, "a", "10.0.0.1").await;
    let seen = api.seen("services");
    assert!(seen[..3].iter().all(is_stream));
    assert!(!is_stream(&seen[3]));
    assert_eq!(errors(&watch, Kind::Service, ErrorKind::Server), 3);
}

#[tokio::test]
async fn an_outage_says_nothing_about_streaming_lists() {
    let api = shop().await;
    let (settings, address_of_api) = (settings(&api), api.address);
    drop(api);
    let watch = start(settings);
    let failures = || errors(&watch, Kind::Service, ErrorKind::Connection);
    until(|| (failures() > 4).then_some(())).await;
    let api = Api::start_on(address_of_api).await;
    watch.synced().await;
    assert!(is_stream(&api.seen("services")[0]));
}
