//! Equal questions at the same time, and very many different ones.

use crate::support::{Reaction, Server, answer, ask, name, query, quick, until, upstreams};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use upstream::{Answered, Failure, Query, Settings, Transport, Upstreams};
use wire::{Edns, Flags};

const UDP: Transport = Transport::Udp;

async fn holding() -> Server {
    Server::start(|asked| Reaction::hold(answer(&asked.message))).await
}

fn start(
    asking: &mut JoinSet<Result<Answered, Failure>>,
    upstreams: &Arc<Upstreams>,
    text: &'static str,
) {
    let upstreams = upstreams.clone();
    asking.spawn(async move { ask(&upstreams, text, UDP).await });
}

#[tokio::test]
async fn equal_questions_become_one() {
    let server = holding().await;
    let upstreams = upstreams([server.address], Settings::default());
    let mut asking = JoinSet::new();
    for text in ["Same.test", "same.TEST", "same.test"] {
        start(&mut asking, &upstreams, text);
    }
    until("all wait", || upstreams.stats().coalesced == 2 && server.asked().len() == 1).await;
    server.release().await;
    let outcomes = asking.join_all().await;
    let shared: Vec<_> = outcomes.into_iter().map(|outcome| outcome.unwrap().message).collect();
    assert!(shared.iter().all(|message| Arc::ptr_eq(message, &shared[0])));
    assert_eq!(server.asked().len(), 1);
    // The next one asks anew.
    let mut asking = JoinSet::new();
    start(&mut asking, &upstreams, "same.test");
    until("it is asked", || server.asked().len() == 2).await;
    asking.shutdown().await;
}

#[tokio::test]
async fn what_differs_is_asked_apart() {
    let server = Server::silent().await;
    let upstreams = upstreams([server.address], Settings { max_fails: 0, ..quick() });
    let (name, edns) = (name("a.test"), Edns { udp_size: 1232, ..Edns::default() });
    let plain = query(&name, UDP);
    let queries = [
        plain,
        Query { edns: Some(&edns), ..plain },
        Query { flags: Flags::RD.with(Flags::CD), ..plain },
        Query { over: Transport::Tcp, ..plain },
    ];
    let [a, b, c, d] = queries.map(|query| upstreams.ask(query));
    tokio::select! {
        _ = async { tokio::join!(a, b, c, d) } => unreachable!("the server is silent"),
        () = until("all are asked", || server.asked_count() == 4) => {}
    }
    assert_eq!(upstreams.stats().coalesced, 0);
}

#[tokio::test]
async fn the_first_may_go_away_and_the_others_are_answered() {
    let server = holding().await;
    let upstreams = upstreams([server.address], Settings::default());
    let mut first = JoinSet::new();
    start(&mut first, &upstreams, "same.test");
    until("it is asked", || server.asked().len() == 1).await;
    let mut second = JoinSet::new();
    start(&mut second, &upstreams, "same.test");
    until("the second has joined", || upstreams.stats().coalesced == 1).await;
    first.shutdown().await;
    server.release().await;
    let answered = second.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!((answered.tried, server.asked().len()), (1, 1));
}

/// All 10,000 are open before the first is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_questions_at_once() {
    const COUNT: usize = 10_000;
    /// What the server's socket has room for.
    const BURST: usize = 100;
    let server = holding().await;
    let settings = Settings { read_timeout: Duration::from_secs(20), ..Settings::default() };
    let upstreams = upstreams([server.address], settings);
    let mut asking = JoinSet::new();
    for number in 0..COUNT {
        let upstreams = upstreams.clone();
        asking.spawn(async move { ask(&upstreams, &format!("q{number}.test"), UDP).await });
        if (number + 1) % BURST == 0 {
            until("all are asked", || server.asked_count() == number + 1).await;
        }
    }
    let live = upstreams.stats().servers[0].udp.live;
    assert_eq!(live, COUNT.div_ceil(64), "64 to a socket");
    server.release().await;
    for outcome in asking.join_all().await {
        assert_eq!(outcome.unwrap().tried, 1);
    }
    let sockets: HashSet<_> = server.asked().iter().map(|asked| asked.peer).collect();
    assert_eq!(sockets.len(), live);
}

/// With nobody who answers, all places of a server are taken, and further questions fail at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_questions_are_bounded() {
    const PLACES: usize = 64 * 256;
    let server = Server::silent().await;
    let settings = Settings {
        read_timeout: Duration::from_secs(60),
        max_connect_attempts: Some(1),
        ..Settings::default()
    };
    let upstreams = upstreams([server.address], settings);
    let mut asking = JoinSet::new();
    for number in 0..PLACES + 100 {
        let upstreams = upstreams.clone();
        asking.spawn(
            async move { ask(&upstreams, &format!("q{number}.test"), Transport::Tcp).await },
        );
    }
    for _ in 0..100 {
        let failure = asking.join_next().await.unwrap().unwrap().unwrap_err();
        let text = format!("queries open at {} exceeded maximum {PLACES}", server.address);
        assert_eq!(failure.to_string(), text);
    }
    let tcp = upstreams.stats().servers[0].tcp;
    assert_eq!((tcp.live, tcp.busy), (64, 100));
    assert_eq!(upstreams.stats().servers[0].healthcheck_failures, 0);
    asking.shutdown().await;
}
