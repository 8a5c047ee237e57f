//! An API server with a bad day: whatever it does, what is known is answered, and in the end what
//! there is is known.

use crate::api::until;
use crate::watch::{address, errors, has_address, is_gone, quick, start};
use cluster::watch::{ErrorKind, Server, Settings, Watch};
use cluster::{Found, Kind};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::time::{Duration, Instant};
use testkit::FakeApi;
use testkit::kubernetes::{Condition, Streaming};
use tokio::runtime::Runtime;

/// More than a fake server goes back when it is restored.
const VERSIONS: usize = 600;

const SHOP: &str = "{kind: Namespace, metadata: {name: shop}}";

fn service(name: &str, address: &str) -> String {
    format!(
        "{{kind: Service, metadata: {{name: {name}, namespace: shop}}, spec: {{clusterIP: {address}}}}}"
    )
}

/// The number of a service is also the end of its address.
fn numbered(number: u8) -> String {
    service(&format!("s{number}"), &format!("10.0.0.{number}"))
}

fn watched(api: &FakeApi) -> Watch {
    let server = Server::Endpoint { url: api.url(), tls: None };
    let mut settings = Settings { timing: quick(), ..Settings::new(server) };
    settings.timing.streaming_retry = Duration::from_millis(50);
    settings.timing.silence_max = Duration::from_millis(100);
    start(settings)
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Add(u8),
    Delete(u8),
    Set(Condition),
    Stream(Streaming),
    Deny,
    Allow,
    Cut,
    Expire,
    Garbage,
    Pages(usize),
    /// Time for what is under way.
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let conditions = [Condition::Up, Condition::Down, Condition::Failing(500), Condition::Hanging];
    prop_oneof![
        6 => (0..6_u8).prop_map(Act::Add),
        3 => (0..6_u8).prop_map(Act::Delete),
        3 => prop::sample::select(conditions.to_vec()).prop_map(Act::Set),
        2 => prop::sample::select(vec![Streaming::Given, Streaming::Refused, Streaming::Broken]).prop_map(Act::Stream),
        1 => Just(Act::Deny),
        1 => Just(Act::Allow),
        2 => Just(Act::Cut),
        2 => Just(Act::Expire),
        1 => Just(Act::Garbage),
        1 => (1..4_usize).prop_map(Act::Pages),
        6 => (0..40_u64).prop_map(Act::Wait),
    ]
}

async fn play(api: &mut FakeApi, known: &mut [bool; 6], act: Act) {
    match act {
        Act::Add(number) => {
            known[usize::from(number)] = true;
            api.apply(&numbered(number)).unwrap();
        }
        Act::Delete(number) if known[usize::from(number)] => {
            known[usize::from(number)] = false;
            api.delete(&numbered(number)).unwrap();
        }
        Act::Delete(_) => {}
        Act::Set(condition) => api.set(condition).unwrap(),
        Act::Stream(streaming) => api.set_streaming(streaming),
        Act::Deny => api.deny("services").unwrap(),
        Act::Allow => api.allow("services").unwrap(),
        Act::Cut => api.cut_watches(),
        Act::Expire => api.expire(),
        Act::Garbage => api.send_garbage(),
        Act::Pages(objects) => api.limit_pages(objects),
        Act::Wait(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
    }
}

async fn bad_day(acts: Vec<Act>) {
    let mut api = FakeApi::start(0).unwrap();
    api.apply(&format!("{SHOP}\n---\n{}", service("always", "10.0.1.1"))).unwrap();
    let watch = watched(&api);
    watch.synced().await;
    let mut known = [false; 6];
    for act in acts {
        play(&mut api, &mut known, act).await;
        assert_eq!(address(&watch, "always").as_deref(), Ok("10.0.1.1"), "after {act:?}");
        assert_ne!(address(&watch, "never"), Err(Found::NotSynced), "after {act:?}");
    }
    api.set(Condition::Up).unwrap();
    api.allow("services").unwrap();
    for (number, is_there) in known.into_iter().enumerate() {
        let name = format!("s{number}");
        match is_there {
            true => has_address(&watch, &name, &format!("10.0.0.{number}")).await,
            false => is_gone(&watch, &name).await,
        }
    }
}

#[test]
fn whatever_it_does_what_is_known_is_answered() {
    let config = ProptestConfig { cases: 24, max_shrink_iters: 30, ..ProptestConfig::default() };
    let acts = prop::collection::vec(act(), 1..25);
    let runtime = Runtime::new().unwrap();
    let bad_day = |acts| {
        runtime.block_on(bad_day(acts));
        Ok(())
    };
    TestRunner::new(config).run(&acts, bad_day).unwrap();
}

#[tokio::test]
async fn a_restored_backup_is_found_out() {
    let api = FakeApi::start(0).unwrap();
    api.apply(&format!("{SHOP}\n---\n{}", service("old", "10.0.0.1"))).unwrap();
    let server = Server::Endpoint { url: api.url(), tls: None };
    let watch = start(Settings { timing: quick(), ..Settings::new(server) });
    watch.synced().await;
    api.restore_backup();
    api.delete(&service("old", "10.0.0.1")).unwrap();
    api.apply(&service("new", "10.0.0.2")).unwrap();
    has_address(&watch, "new", "10.0.0.2").await;
    is_gone(&watch, "old").await;
    // All lists were made again, and once.
    for kind in [Kind::Namespace, Kind::Service, Kind::EndpointSlice] {
        let lists = || watch.status().counts(kind).lists;
        until(|| (lists() == 2).then_some(())).await;
        assert_eq!(errors(&watch, kind, ErrorKind::Silence), 0);
    }
}

/// Between the restored state and the first request there were more changes than had been lost.
#[tokio::test]
async fn a_restored_backup_is_found_out_whose_versions_have_caught_up() {
    let mut api = FakeApi::start(0).unwrap();
    api.apply(&format!("{SHOP}\n---\n{}", service("old", "10.0.0.1"))).unwrap();
    let server = Server::Endpoint { url: api.url(), tls: None };
    let watch = start(Settings { timing: quick(), ..Settings::new(server) });
    watch.synced().await;
    api.set(Condition::Down).unwrap();
    api.restore_backup();
    api.delete(&service("old", "10.0.0.1")).unwrap();
    api.apply(&service("new", "10.0.0.2")).unwrap();
    for _ in 0..VERSIONS {
        api.apply(&service("other", "10.0.0.3")).unwrap();
    }
    api.set(Condition::Up).unwrap();
    has_address(&watch, "new", "10.0.0.2").await;
    is_gone(&watch, "old").await;
}

/// Who has waited for long goes on soon after the server is back.
#[tokio::test]
async fn long_waits_end_when_the_server_is_back() {
    let mut api = FakeApi::start(0).unwrap();
    api.apply(&format!("{SHOP}\n---\n{}", service("a", "10.0.0.1"))).unwrap();
    let server = Server::Endpoint { url: api.url(), tls: None };
    for condition in [Condition::Down, Condition::Failing(503), Condition::Hanging] {
        let mut settings = Settings::new(server.clone());
        settings.timing.retry_min = Duration::from_secs(3600);
        settings.timing.retry_max = Duration::from_secs(3600);
        settings.timing.silence_max = Duration::from_millis(100);
        settings.timing.probe_every = Duration::from_millis(20);
        settings.timing.probe_max = Duration::from_millis(100);
        settings.timing.return_spread = Duration::from_millis(50);
        let watch = start(settings);
        watch.synced().await;
        // A watch that ends sooner than after a second is a reason to wait by itself.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        api.set(condition).unwrap();
        api.cut_watches();
        let failures = || ErrorKind::ALL.map(|error| errors(&watch, Kind::Service, error));
        until(|| (failures().iter().sum::<u64>() > 0).then_some(())).await;
        let waiting = Instant::now();
        // Several probes find nobody.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(failures().iter().sum::<u64>(), 1, "{condition:?}: nobody goes on meanwhile");
        api.set(Condition::Up).unwrap();
        api.apply(&service("b", "10.0.0.2")).unwrap();
        has_address(&watch, "b", "10.0.0.2").await;
        assert!(waiting.elapsed() < Duration::from_secs(5), "{condition:?}");
        api.delete(&service("b", "10.0.0.2")).unwrap();
    }
}
