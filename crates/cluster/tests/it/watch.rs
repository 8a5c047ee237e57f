//! Keeping up with an API server, and with one that misbehaves: with lists in pages, as of old.

use crate::api::{Api, Seen, Step, Talk, list, namespace, refusal, service, until};
use crate::common::{ask, options, view};
use cluster::watch::{
    ConnectError, ErrorKind, Server, Settings, Timing, TlsFiles, Transfer, Watch,
};
use cluster::{Found, Kind, Kinds};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

pub(crate) fn quick() -> Timing {
    Timing {
        retry_min: Duration::from_millis(10),
        retry_max: Duration::from_millis(40),
        ..Timing::default()
    }
}

/// Lists in pages.
fn settings(api: &Api) -> Settings {
    let server = Server::Endpoint { url: api.url(), tls: None };
    Settings { timing: quick(), transfer: PAGED, ..Settings::new(server) }
}

const PAGED: Transfer = Transfer { streaming: false, protobuf: true };

pub(crate) fn start(settings: Settings) -> Watch {
    Watch::start(&Handle::current(), settings, |_| {}).unwrap()
}

/// A server that knows the namespace `shop`.
pub(crate) async fn shop() -> Api {
    let api = Api::start().await;
    api.script("namespaces", [Step::Answer(200, list("1", "", &[namespace("shop")]))]);
    api
}

pub(crate) fn services(version: &str, items: &[String]) -> Step {
    Step::Answer(200, list(version, "", items))
}

/// The address of a service of `shop`, or what was found instead.
pub(crate) fn address(watch: &Watch, service: &str) -> Result<String, Found> {
    let question = format!("{service}.shop.svc.cluster.local A");
    match ask(watch.cluster(), &view(options()), &question) {
        (Found::Answer, lines) => Ok(lines[0].rsplit(' ').next().unwrap().to_owned()),
        (found, _) => Err(found),
    }
}

pub(crate) async fn has_address(watch: &Watch, service: &str, expected: &str) {
    until(|| (address(watch, service).as_deref() == Ok(expected)).then_some(())).await;
}

pub(crate) async fn is_gone(watch: &Watch, service: &str) {
    until(|| (address(watch, service) == Err(Found::NoSuchName)).then_some(())).await;
}

pub(crate) fn errors(watch: &Watch, kind: Kind, error: ErrorKind) -> u64 {
    let counts = watch.status().counts(kind);
    counts.errors.iter().find(|(known, _)| *known == error).unwrap().1
}

pub(crate) fn parameter<'a>(seen: &'a Seen, name: &str) -> Option<&'a str> {
    let query = seen.target.split_once('?')?.1;
    query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

#[tokio::test]
async fn a_list_comes_in_pages_and_then_changes_come() {
    let api = shop().await;
    let (mut talk, watching) = Talk::new();
    let pages = [
        Step::Answer(200, list("7", "page 2", &[service("a", "10.0.0.1", 3)])),
        Step::Answer(200, list("7", "", &[service("b", "10.0.0.2", 4)])),
        watching,
    ];
    api.script("services", pages);
    let watch = start(settings(&api));
    watch.synced().await;
    assert_eq!(address(&watch, "a").as_deref(), Ok("10.0.0.1"));
    assert_eq!(address(&watch, "b").as_deref(), Ok("10.0.0.2"));

    let seen = api.request("services", 2).await;
    assert_eq!(parameter(&api.seen("services")[0], "limit"), Some("500"));
    assert_eq!(parameter(&api.seen("services")[1], "continue"), Some("page 2"));
    assert_eq!(parameter(&seen, "resourceVersion"), Some("7"));
    assert_eq!(parameter(&seen, "allowWatchBookmarks"), Some("true"));
    let seconds: u64 = parameter(&seen, "timeoutSeconds").unwrap().parse().unwrap();
    assert!((300..=600).contains(&seconds));
    let accept = "application/vnd.kubernetes.protobuf;stream=watch,application/json";
    assert_eq!(seen.headers["accept"], accept);
    assert!(seen.headers["user-agent"].starts_with("rutter/"));

    talk.event("ADDED", &service("c", "10.0.0.3", 8)).await;
    talk.event("MODIFIED", &service("a", "10.0.0.9", 9)).await;
    talk.event("DELETED", &service("b", "10.0.0.2", 10)).await;
    is_gone(&watch, "b").await;
    assert_eq!(address(&watch, "a").as_deref(), Ok("10.0.0.9"));
    assert_eq!(address(&watch, "c").as_deref(), Ok("10.0.0.3"));
    let counts = watch.status().counts(Kind::Service);
    assert_eq!((counts.events, counts.lists, counts.skipped), (3, 1, 0));
    assert_eq!(watch.status().requests()[&200], api_answers(&api));
    assert!(
        watch.status().heard(Kind::Service).unwrap().elapsed().unwrap() < Duration::from_secs(9)
    );
    assert_eq!(watch.status().heard(Kind::Pod), None);
}

/// Responses that were begun: all lists, and the watch that a test talks into.
fn api_answers(api: &Api) -> u64 {
    ["namespaces", "services", "endpointslices"]
        .iter()
        .flat_map(|resource| api.seen(resource))
        .filter(|seen| !seen.target.contains("watch") || seen.target.contains("/services"))
        .count() as u64
}

#[tokio::test]
async fn only_what_is_needed_is_asked_for() {
    let api = shop().await;
    let mut settings = settings(&api);
    settings.kinds = [Kind::Namespace, Kind::Service].into_iter().collect();
    settings.labels = "app in (a, b)".parse().unwrap();
    settings.namespace_labels = "!hidden".parse().unwrap();
    let watch = start(settings.clone());
    watch.synced().await;
    assert_eq!(parameter(&api.request("services", 1).await, "labelSelector"), Some("app in (a,b)"));
    assert_eq!(parameter(&api.request("namespaces", 1).await, "labelSelector"), Some("!hidden"));
    assert!(api.seen("endpointslices").is_empty() && api.seen("pods").is_empty());
    drop(watch);

    let watch = start(Settings { kinds: Kinds::all(), ..settings });
    watch.synced().await;
    let pods = api.request("pods", 0).await;
    let fields = "status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown";
    assert!(pods.target.contains(&format!("fieldSelector={fields}")), "{pods:?}");
    assert_eq!(parameter(&pods, "labelSelector"), Some("app in (a,b)"));
}

#[tokio::test]
async fn a_watch_resumes_where_it_ended_or_broke() {
    let api = shop().await;
    let ((mut first, one), (mut second, two), (third, three)) =
        (Talk::new(), Talk::new(), Talk::new());
    api.script("services", [services("5", &[]), one, two, three]);
    let watch = start(settings(&api));
    first.event("ADDED", &service("a", "10.0.0.1", 6)).await;
    first.event("BOOKMARK", r#"{"metadata":{"resourceVersion":"20"}}"#).await;
    drop(first);
    let seen = api.request("services", 2).await;
    assert_eq!(parameter(&seen, "resourceVersion"), Some("20"));
    // Not without a look whether the server still knows what it told last.
    let one = "/api/v1/namespaces/shop/services?fieldSelector=metadata.name=a&limit=1";
    assert_eq!(api.checks(), [one]);
    second.event("MODIFIED", &service("a", "10.0.0.2", 21)).await;
    has_address(&watch, "a", "10.0.0.2").await;
    second.cut();
    let seen = api.request("services", 3).await;
    assert_eq!(parameter(&seen, "resourceVersion"), Some("21"));
    assert_eq!(errors(&watch, Kind::Service, ErrorKind::Connection), 1);
    assert_eq!(watch.status().counts(Kind::Service).lists, 1);
    drop(third);
}

#[tokio::test]
async fn a_version_that_is_gone_leads_to_a_list_without_a_gap() {
    for gone in ["response", "event", "future"] {
        let api = shop().await;
        let old = [service("a", "10.0.0.1", 1), service("b", "10.0.0.2", 2)];
        let (mut talk, stream) = Talk::new();
        let (mut relist, relisting) = Talk::new();
        let refuse = match gone {
            "response" => Step::Answer(410, refusal(410, "too old")),
            _ => stream,
        };
        api.script("services", [services("5", &old), refuse, relisting]);
        let watch = start(settings(&api));
        watch.synced().await;
        match gone {
            "event" => talk.event("ERROR", &refusal(410, "too old")).await,
            "future" => talk.event("ERROR", &refusal(504, "Too large resource version")).await,
            _ => {}
        }
        let seen = api.request("services", 2).await;
        assert_eq!((parameter(&seen, "watch"), parameter(&seen, "limit")), (None, Some("500")));
        // The list is on its way, in pieces: what is known stays.
        let page = list("9", "", &[service("b", "10.0.0.3", 8)]);
        assert!(relist.say(&page[..40]).await);
        assert_eq!(address(&watch, "a").as_deref(), Ok("10.0.0.1"));
        assert!(relist.say(&page[40..]).await);
        drop(relist);
        is_gone(&watch, "a").await;
        assert_eq!(address(&watch, "b").as_deref(), Ok("10.0.0.3"));
        assert_eq!(errors(&watch, Kind::Service, ErrorKind::Gone), 1);
    }
}

#[tokio::test]
async fn a_list_whose_continuation_expires_begins_again() {
    let api = shop().await;
    let steps = [
        Step::Answer(200, list("5", "next", &[service("a", "10.0.0.1", 1)])),
        Step::Answer(410, refusal(410, "The provided continue parameter is too old")),
        services("9", &[service("b", "10.0.0.2", 8)]),
    ];
    api.script("services", steps);
    let watch = start(settings(&api));
    watch.synced().await;
    assert_eq!(parameter(&api.seen("services")[2], "continue"), None);
    assert_eq!(address(&watch, "a"), Err(Found::NoSuchName));
    assert_eq!(address(&watch, "b").as_deref(), Ok("10.0.0.2"));
}

#[tokio::test]
async fn a_resource_that_is_forbidden_does_not_stop_the_others() {
    let api = shop().await;
    let text = r"endpointslices is forbidden";
    let forbidden = |_| Step::Answer(403, refusal(403, text));
    api.script("endpointslices", (0..3).map(forbidden));
    api.script("services", [services("5", &[service("a", "10.0.0.1", 1)])]);
    let watch = start(settings(&api));
    has_address(&watch, "a", "10.0.0.1").await;
    api.request("endpointslices", 2).await;
    assert!(!watch.cluster().is_synced());
    watch.synced().await;
    assert_eq!(errors(&watch, Kind::EndpointSlice, ErrorKind::Forbidden), 3);
    assert_eq!(watch.status().requests()[&403], 3);
}

#[tokio::test]
async fn odd_objects_and_lines_are_skipped() {
    let api = shop().await;
    let (mut talk, watching) = Talk::new();
    let odd = r#"{"metadata":{"name":"odd","namespace":"shop","resourceVersion":"3"},"spec":{"ports":"none"}}"#;
    let items = [odd.to_owned(), "7".to_owned(), service("a", "10.0.0.1", 1)];
    api.script("services", [services("5", &items), watching]);
    let watch = start(settings(&api));
    watch.synced().await;
    assert_eq!(address(&watch, "a").as_deref(), Ok("10.0.0.1"));
    assert!(talk.say("this is no JSON\n\n{\"type\":\"NEW\",\"object\":{}}\n").await);
    talk.event("ADDED", odd).await;
    // In pieces that end in the middle of everything.
    let event = format!("{{\"type\":\"ADDED\",\"object\":{}}}\n", service("b", "10.0.0.2", 8));
    for piece in event.as_bytes().chunks(9) {
        assert!(talk.say(std::str::from_utf8(piece).unwrap()).await);
    }
    has_address(&watch, "b", "10.0.0.2").await;
    assert_eq!(watch.status().counts(Kind::Service).skipped, 5);
    drop(talk);
    assert_eq!(parameter(&api.request("services", 2).await, "resourceVersion"), Some("8"));
}

#[tokio::test]
async fn silence_is_a_failure() {
    let api = shop().await;
    let (mut talk, stalled) = Talk::new();
    api.script("services", [Step::Hang, stalled, services("5", &[]), Step::Hang]);
    let mut settings = settings(&api);
    settings.timing.silence_max = Duration::from_millis(100);
    (settings.timing.watch_min, settings.timing.watch_max) = (Duration::ZERO, Duration::ZERO);
    let watch = start(settings);
    api.request("services", 1).await;
    assert!(talk.say("{\"metadata\":").await);
    watch.synced().await;
    // No response, a list that stalls, and a watch that neither tells anything nor ends.
    let seen = api.request("services", 4).await;
    assert_eq!(parameter(&seen, "resourceVersion"), Some("5"));
    assert!(errors(&watch, Kind::Service, ErrorKind::Silence) >= 3);
}

#[tokio::test]
async fn the_server_may_ask_for_patience() {
    let api = shop().await;
    let mut settings = settings(&api);
    settings.timing.retry_max = Duration::from_millis(100);
    api.script("services", [Step::Later(429, 1), Step::Later(503, 3600)]);
    let watch = start(settings);
    watch.synced().await;
    let seen = api.seen("services");
    assert!(seen[1].at - seen[0].at >= Duration::from_secs(1));
    let second = seen[2].at - seen[1].at;
    assert!(
        (Duration::from_secs(1)..Duration::from_secs(3)).contains(&second),
        "bounded: {second:?}"
    );
    assert_eq!(errors(&watch, Kind::Service, ErrorKind::Throttled), 1);
    assert_eq!(errors(&watch, Kind::Service, ErrorKind::Server), 1);
}

#[tokio::test]
async fn credentials_are_read_again_when_they_are_refused() {
    let api = shop().await;
    api.script("services", [Step::Answer(401, refusal(401, "Unauthorized"))]);
    let dir = folder("kubeconfig");
    let file = dir.join("kubeconfig");
    let write = |token: &str| {
        let url = api.url();
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: other\n\
             clusters: [{{name: c, cluster: {{server: \"{url}\"}}}}]\n\
             users: [{{name: u, user: {{token: {token}}}}}]\n\
             contexts: [{{name: here, context: {{cluster: c, user: u}}}}]\n"
        );
        std::fs::write(&file, text).unwrap();
    };
    write("first");
    let server = Server::Kubeconfig { file: file.clone(), context: Some("here".into()) };
    let mut settings =
        Settings { timing: quick(), transfer: PAGED, ..Settings::new(server.clone()) };
    settings.timing.retry_min = Duration::from_millis(40);
    // A context that the file does not have.
    let without = Settings::new(Server::Kubeconfig { file: file.clone(), context: None });
    let refused = Watch::start(&Handle::current(), without, |_| {});
    assert!(matches!(refused, Err(ConnectError::Kubeconfig { .. })));

    let watch = start(settings);
    write("second");
    watch.synced().await;
    let seen = api.seen("services");
    assert_eq!(seen[0].headers["authorization"], "Bearer first");
    assert_eq!(seen[1].headers["authorization"], "Bearer second");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn what_is_known_outlives_the_server() {
    let api = shop().await;
    let address_of_api = api.address;
    let (_talk, watching) = Talk::new();
    api.script("services", [services("5", &[service("a", "10.0.0.1", 1)]), watching]);
    let watch = start(settings(&api));
    watch.synced().await;
    api.request("services", 1).await;
    drop(api);
    until(|| (errors(&watch, Kind::Service, ErrorKind::Connection) > 3).then_some(())).await;
    assert!(watch.cluster().is_synced());
    assert_eq!(address(&watch, "a").as_deref(), Ok("10.0.0.1"));
    assert_eq!(address(&watch, "b"), Err(Found::NoSuchName));

    let api = Api::start_on(address_of_api).await;
    let (mut talk, watching) = Talk::new();
    api.script("services", [watching]);
    assert_eq!(parameter(&api.request("services", 0).await, "resourceVersion"), Some("5"));
    talk.event("ADDED", &service("b", "10.0.0.2", 6)).await;
    has_address(&watch, "b", "10.0.0.2").await;
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_waited_for() {
    let api = shop().await;
    let address_of_api = api.address;
    let settings = settings(&api);
    drop(api);
    let watch = start(settings);
    until(|| (errors(&watch, Kind::Service, ErrorKind::Connection) > 1).then_some(())).await;
    assert_eq!(address(&watch, "a"), Err(Found::NotSynced));
    let _api = Api::start_on(address_of_api).await;
    watch.synced().await;
    assert_eq!(address(&watch, "a"), Err(Found::NoSuchName));
}

#[tokio::test]
async fn a_watch_that_ends_at_once_is_not_asked_for_in_a_circle() {
    let api = shop().await;
    let mut settings = settings(&api);
    (settings.timing.retry_min, settings.timing.retry_max) =
        (Duration::from_millis(100), Duration::from_millis(100));
    api.script(
        "services",
        (0..5).map(
            |index| if index == 0 { services("5", &[]) } else { Step::Answer(200, String::new()) },
        ),
    );
    let _watch = start(settings);
    let begun = Instant::now();
    api.request("services", 4).await;
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn dropping_the_watch_stops_it() {
    let api = shop().await;
    let (mut talk, watching) = Talk::new();
    api.script("services", [services("5", &[service("a", "10.0.0.1", 1)]), watching]);
    let watch = start(settings(&api));
    watch.synced().await;
    talk.event("ADDED", &service("b", "10.0.0.2", 6)).await;
    has_address(&watch, "b", "10.0.0.2").await;
    let cluster = watch.cluster().clone();
    drop(watch);
    let deadline = Instant::now() + Duration::from_secs(10);
    while talk.say("\n").await {
        assert!(Instant::now() < deadline, "still connected");
        tokio::task::yield_now().await;
    }
    let (found, _) = ask(&cluster, &view(options()), "b.shop.svc.cluster.local A");
    assert_eq!(found, Found::Answer);
}

/// The headless service `db`.
const DB: &str = r#"{"metadata":{"name":"db","namespace":"shop","resourceVersion":"1"},"spec":{"clusterIP":"None"}}"#;

/// A slice of `db` whose cause lies so many seconds back.
fn slice(address: &str, since: i64) -> String {
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(since);
    format!(
        r#"{{"metadata":{{"name":"db-x","namespace":"shop","resourceVersion":"2",
            "labels":{{"kubernetes.io/service-name":"db"}},
            "annotations":{{"endpoints.kubernetes.io/last-change-trigger-time":"{at}"}}}},
            "endpoints":[{{"addresses":["{address}"]}}]}}"#
    )
    .replace('\n', "")
}

#[tokio::test]
async fn a_panic_costs_a_new_list() {
    let api = shop().await;
    let (mut talk, watching) = Talk::new();
    api.script("services", [services("5", &[DB.to_owned()])]);
    let lists = ["10.0.0.1", "10.0.0.3"].map(|address| services("5", &[slice(address, 0)]));
    let [first, second] = lists;
    api.script("endpointslices", [first, watching, second]);
    let watch = Watch::start(&Handle::current(), settings(&api), |_| panic!("a bug")).unwrap();
    watch.synced().await;
    talk.event("MODIFIED", &slice("10.0.0.2", 1)).await;
    has_address(&watch, "db", "10.0.0.3").await;
}

#[tokio::test]
async fn the_time_from_cause_to_answer_is_observed() {
    let api = shop().await;
    let (mut talk, watching) = Talk::new();
    api.script("services", [services("5", &[DB.to_owned()])]);
    // What a list tells may have happened long ago.
    api.script("endpointslices", [services("5", &[slice("10.0.0.1", 86_400)]), watching]);
    let (observed, observations) = mpsc::channel();
    let send = move |duration| observed.send(duration).unwrap();
    let watch = Watch::start(&Handle::current(), settings(&api), send).unwrap();
    watch.synced().await;
    talk.event("MODIFIED", &slice("10.0.0.2", 60)).await;
    has_address(&watch, "db", "10.0.0.2").await;
    let duration = observations.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!((59..80).contains(&duration.as_secs()), "{duration:?}");
    assert!(observations.try_recv().is_err());
}

#[tokio::test]
async fn certificates_are_shown_and_asked_for() {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &issuer).unwrap(), key)
    };
    let (server, server_key) = issue("127.0.0.1");
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let clients = WebPkiClientVerifier::builder(roots.into()).build().unwrap();
    let key = PrivateKeyDer::try_from(server_key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![server.der().clone()], key)
        .unwrap();
    let api = Api::start_tls(config).await;

    let dir = folder("certificates");
    let write = |name: &str, text: String| {
        std::fs::write(dir.join(name), text).unwrap();
        dir.join(name)
    };
    let (client, client_key) = issue("rutter");
    let tls = TlsFiles {
        certificate: write("client.crt", client.pem()),
        key: write("client.key", client_key.serialize_pem()),
        ca: write("ca.crt", ca.pem()),
    };
    let url = format!("https://{}", api.address);
    let start = |tls| {
        let server = Server::Endpoint { url: url.clone(), tls };
        start(Settings { timing: quick(), ..Settings::new(server) })
    };
    start(Some(tls.clone())).synced().await;
    // A server that another CA has vouched for is not talked to.
    let other = KeyPair::generate().unwrap();
    let other = CertificateParams::new([]).unwrap().self_signed(&other).unwrap();
    let watch = start(Some(TlsFiles { ca: write("other.crt", other.pem()), ..tls }));
    until(|| (errors(&watch, Kind::Service, ErrorKind::Connection) > 0).then_some(())).await;
    assert!(watch.status().requests().is_empty());
    std::fs::remove_dir_all(&dir).unwrap();
}

/// A folder of this test's own.
pub(crate) fn folder(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("rutter-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

#[test]
fn equal_settings_are_equal() {
    let settings = |labels: &str| {
        let mut settings = Settings::new(Server::InCluster);
        settings.labels = labels.parse().unwrap();
        settings
    };
    assert_eq!(settings("a = b"), settings("a==b"));
    assert_ne!(settings("a"), settings(""));
}
