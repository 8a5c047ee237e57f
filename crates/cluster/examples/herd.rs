//! How many replicas come back to an API server that was away: when they ask for what.
//!
//! `cargo run -p cluster --example herd -- 50 30` lets 50 of them watch namespaces, services and
//! slices, takes the API server away for 30 seconds, and brings it back without its history, so that
//! every watch has to be listed anew. The API server is the fake of the tests, in the same process: what
//! is measured is how requests spread, not how fast they are answered.
#![expect(clippy::print_stdout, reason = "an example tells what it finds")]
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use cluster::watch::{Server, Settings, Watch};
use std::error::Error;
use std::time::{Duration, Instant};
use testkit::FakeApi;
use testkit::kubernetes::{Condition, Request, Verb};

/// More have more connections than the fake API server takes.
const REPLICAS_MAX: usize = 60;
/// What a replica watches.
const RESOURCES: usize = 3;
/// Requests are counted for so long each.
const STEP: Duration = Duration::from_millis(500);
/// Nobody waits longer, so that this ends.
const PATIENCE: Duration = Duration::from_secs(90);

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [replicas, seconds] = &words[..] else { return Err("expected `REPLICAS SECONDS`".into()) };
    let (replicas, away): (usize, _) = (replicas.parse()?, Duration::from_secs(seconds.parse()?));
    if replicas > REPLICAS_MAX {
        return Err(format!("there are {REPLICAS_MAX} replicas at most").into());
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let mut api = FakeApi::start(0)?;
    api.apply("{kind: Namespace, metadata: {name: shop}}").map_err(|wrong| wrong.message)?;
    let start = || {
        let server = Server::Endpoint { url: api.url(), tls: None };
        Watch::start(runtime.handle(), Settings::new(server), |_| {})
    };
    let watches = (0..replicas).map(|_| start()).collect::<Result<Vec<_>, _>>()?;
    for watch in &watches {
        runtime.block_on(watch.synced());
    }
    api.set(Condition::Down)?;
    api.expire();
    std::thread::sleep(away);
    let before = api.requests().len();
    api.set(Condition::Up)?;
    observe(&api, before, replicas * RESOURCES);
    Ok(())
}

/// Prints what is asked for until `wanted` lists have been.
fn observe(api: &FakeApi, before: usize, wanted: usize) {
    let back = Instant::now();
    let (mut seen, mut lists, mut busiest) = (before, 0, 0);
    println!("seconds  probes  checks  lists  watches");
    while lists < wanted && back.elapsed() < PATIENCE {
        std::thread::sleep(STEP);
        let requests = api.requests();
        let new = &requests[seen..];
        let count = |is: fn(&Request) -> bool| new.iter().filter(|request| is(request)).count();
        let probes = count(|request| request.resource.starts_with('/'));
        let checks = count(|request| request.verb == Verb::List) - probes;
        let listed = count(|request| request.verb == Verb::StreamingList);
        let watched = count(|request| request.verb == Verb::Watch);
        let at = back.elapsed().as_secs_f64();
        println!("{at:7.1}  {probes:6}  {checks:6}  {listed:5}  {watched:7}");
        (seen, lists, busiest) = (requests.len(), lists + listed, busiest.max(listed));
    }
    let seconds = back.elapsed().as_secs_f64();
    println!("{lists} lists within {seconds:.1} s, {busiest} at most within {STEP:?}");
}
