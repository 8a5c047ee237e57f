//! Which servers are asked, how often, and what comes of it.

use crate::support::{Reaction, Server, answer, ask, quick, response, until, upstreams};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::Instant;
use upstream::{Failure, Policy, Settings, Transport};
use wire::Rcode;

const UDP: Transport = Transport::Udp;

/// A port on which nobody listens.
async fn closed_port() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

async fn answering_with(rcode: u8) -> Server {
    Server::start(move |asked| Reaction::send([response(&asked.message, rcode)])).await
}

fn sequential() -> Settings {
    Settings { policy: Policy::Sequential, ..quick() }
}

#[tokio::test]
async fn the_next_server_answers_for_one_that_fails() {
    let (gone, well) = (closed_port().await, Server::answering().await);
    let upstreams = upstreams([gone, well.address], sequential());
    let answered = ask(&upstreams, "a.test", UDP).await.unwrap();
    assert_eq!((answered.by(), answered.tried), (well.address, 2));
}

#[tokio::test]
async fn an_error_is_an_answer_unless_it_fails_over() {
    let (refusing, well) = (answering_with(5).await, Server::answering().await);
    let servers = [refusing.address, well.address];
    let plain = upstreams(servers, sequential());
    assert_eq!(ask(&plain, "a.test", UDP).await.unwrap().message.rcode, Rcode::REFUSED);

    let failover = vec![Rcode::SERVFAIL, Rcode::REFUSED];
    let upstreams = upstreams(servers, Settings { failover, ..sequential() });
    assert_eq!(ask(&upstreams, "a.test", UDP).await.unwrap().by(), well.address);
}

#[tokio::test]
async fn when_every_server_fails_over_the_last_answer_counts() {
    let servers = [answering_with(5).await, answering_with(2).await];
    let failover = vec![Rcode::SERVFAIL, Rcode::REFUSED];
    let settings = Settings { failover, ..sequential() };
    let upstreams = upstreams(servers.iter().map(|server| server.address), settings);
    let answered = ask(&upstreams, "a.test", UDP).await.unwrap();
    assert_eq!((answered.message.rcode, answered.tried), (Rcode::SERVFAIL, 2));
}

#[tokio::test]
async fn an_answer_that_failed_over_is_better_than_none() {
    let servers = [answering_with(5).await.address, closed_port().await];
    let refusing = answering_with(5).await;
    let settings =
        Settings { failover: vec![Rcode::REFUSED], max_connect_attempts: Some(1), ..sequential() };
    let upstreams = upstreams([refusing.address, servers[1]], settings);
    assert_eq!(ask(&upstreams, "a.test", UDP).await.unwrap().message.rcode, Rcode::REFUSED);
}

#[tokio::test]
async fn failed_attempts_are_limited() {
    for (setting, attempts) in [(None, 2), (Some(1), 1), (Some(3), 3)] {
        let server = Server::silent().await;
        let settings = Settings { max_connect_attempts: setting, max_fails: 0, ..quick() };
        let upstreams = upstreams([server.address], settings);
        ask(&upstreams, "a.test", UDP).await.unwrap_err();
        assert_eq!(server.asked().len(), attempts);
    }
}

#[tokio::test]
async fn attempts_without_a_limit_end_with_the_time_and_do_not_flood() {
    let gone = closed_port().await;
    let settings = Settings { max_connect_attempts: Some(0), max_fails: 0, ..quick() };
    let upstreams = upstreams([gone], settings);
    let began = Instant::now();
    ask(&upstreams, "a.test", UDP).await.unwrap_err();
    assert!(began.elapsed() >= Duration::from_secs(5));
    let opened = upstreams.stats().servers[0].udp.opened;
    assert!((20..=101).contains(&opened), "{opened}");
}

#[tokio::test]
async fn round_robin_goes_around() {
    let servers = [Server::answering().await, Server::answering().await];
    let settings = Settings { policy: Policy::RoundRobin, ..quick() };
    let upstreams = upstreams(servers.iter().map(|server| server.address), settings);
    let mut by = Vec::new();
    for number in 0..4 {
        by.push(ask(&upstreams, &format!("q{number}.test"), UDP).await.unwrap().by());
    }
    let [first, second] = servers.each_ref().map(|server| server.address);
    assert_eq!(by, [second, first, second, first]);
}

#[tokio::test(start_paused = true)]
async fn too_many_at_once_are_refused() {
    let server = Server::silent().await;
    let settings = Settings { max_concurrent: NonZeroUsize::new(1), ..Settings::default() };
    let upstreams = upstreams([server.address], settings);
    let mut asking = JoinSet::new();
    let first = upstreams.clone();
    asking.spawn(async move { ask(&first, "a.test", UDP).await });
    until("the first is asked", || server.asked().len() == 1).await;
    let failure = ask(&upstreams, "a.test", UDP).await.unwrap_err();
    assert_eq!(failure.to_string(), "concurrent queries exceeded maximum 1");
    assert_eq!(upstreams.stats().max_concurrent_rejects, 1);
    asking.shutdown().await;
    let failure = ask(&upstreams, "b.test", UDP).await.unwrap_err();
    assert!(matches!(failure, Failure::Upstream { .. }), "{failure:?}");
}

#[tokio::test]
async fn without_servers_nobody_is_healthy() {
    let upstreams = upstreams([], Settings::default());
    let failure = ask(&upstreams, "a.test", UDP).await.unwrap_err();
    assert_eq!(failure.to_string(), "no healthy proxies");
}

#[tokio::test]
async fn no_more_than_64_servers_are_asked() {
    let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let upstreams = upstreams((1..=70).map(address), Settings::default());
    assert_eq!((upstreams.servers().len(), upstreams.stats().left_out), (64, 6));
    upstreams.set_servers([address(1), address(1)]);
    assert_eq!((upstreams.servers().len(), upstreams.stats().left_out), (1, 0));
}

#[tokio::test]
async fn servers_that_stay_keep_their_connections() {
    let (old, stays, new) =
        (Server::answering().await, Server::answering().await, Server::answering().await);
    let upstreams = upstreams([old.address, stays.address, old.address], sequential());
    assert_eq!(upstreams.servers(), [old.address, stays.address]);
    upstreams.set_servers([stays.address]);
    ask(&upstreams, "a.test", UDP).await.unwrap();
    upstreams.set_servers([new.address, stays.address]);
    assert_eq!(ask(&upstreams, "b.test", UDP).await.unwrap().by(), new.address);
    upstreams.set_servers([stays.address]);
    ask(&upstreams, "c.test", UDP).await.unwrap();
    let peers: Vec<_> = stays.asked().iter().map(|asked| asked.peer).collect();
    assert_eq!(peers.len(), 2);
    assert_eq!(peers[0], peers[1]);
    assert!(old.asked().is_empty());
}

#[tokio::test]
async fn answers_are_counted_by_code_and_time() {
    let server = Server::start(|asked| match asked.number {
        0 => Reaction::send([response(&asked.message, 3)]),
        _ => Reaction::send([answer(&asked.message)]),
    })
    .await;
    let upstreams = upstreams([server.address], quick());
    for number in 0..3 {
        ask(&upstreams, &format!("q{number}.test"), UDP).await.unwrap();
    }
    let stats = upstreams.stats();
    let counts: Vec<_> = stats.servers[0]
        .durations
        .iter()
        .map(|(rcode, histogram)| (*rcode, histogram.counts.iter().sum::<u64>()))
        .collect();
    assert_eq!(counts, [(Some(Rcode::NOERROR), 2), (Some(Rcode::NXDOMAIN), 1)]);
    assert!(stats.servers[0].durations[0].1.sum > Duration::ZERO);
}
