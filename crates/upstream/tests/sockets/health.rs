//! Servers that fail, are probed, go down and come back.

use crate::support::{Reaction, Server, answer, ask, quick, response, rtype, until, upstreams};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::UdpSocket;
use upstream::{HealthCheck, Policy, ServerStats, Settings, Transport, TransportRule, Upstreams};
use wire::{Flags, Message, RecordType};

const UDP: Transport = Transport::Udp;

async fn closed_port() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Probes every 50 ms, the shortest there is.
fn settings() -> Settings {
    let health_check = HealthCheck { interval: Duration::ZERO, ..HealthCheck::default() };
    Settings { health_check, ..quick() }
}

fn stats(upstreams: &Upstreams) -> ServerStats {
    upstreams.stats().servers.remove(0)
}

fn is_probe(message: &[u8]) -> bool {
    rtype(message) == RecordType::NS
}

#[tokio::test]
async fn a_server_goes_down_after_three_probes_and_comes_back_with_one() {
    let gone = closed_port().await;
    let upstreams = upstreams([gone], settings());
    ask(&upstreams, "a.test", UDP).await.unwrap_err();
    until("it is down", || stats(&upstreams).down).await;
    assert_eq!(stats(&upstreams).healthcheck_failures, 3);

    // One attempt is made all the same.
    let opened = stats(&upstreams).udp.opened;
    let failure = ask(&upstreams, "a.test", UDP).await.unwrap_err();
    assert!(failure.to_string().ends_with("read: connection refused"), "{failure}");
    assert_eq!(upstreams.stats().healthcheck_broken, 1);
    assert!(stats(&upstreams).udp.opened <= opened + 2, "one attempt and perhaps a probe");

    let back = Server::start_at(gone, |asked| Reaction::send([answer(&asked.message)])).await;
    until("it is back", || !stats(&upstreams).down).await;
    let probe = Message::read(&back.asked()[0].message).unwrap();
    let (owner, rtype, _) = probe.question.unwrap();
    assert_eq!((owner.to_string().as_str(), rtype), (".", RecordType::NS));
    assert!(probe.flags == Flags::RD && probe.edns.is_none());
    assert!(ask(&upstreams, "b.test", UDP).await.is_ok());
    assert_eq!(upstreams.stats().healthcheck_broken, 1);
}

#[tokio::test]
async fn a_server_that_is_well_is_not_probed() {
    let server = Server::answering().await;
    let upstreams = upstreams([server.address], settings());
    for number in 0..20 {
        ask(&upstreams, &format!("q{number}.test"), UDP).await.unwrap();
    }
    assert!(server.asked().iter().all(|asked| !is_probe(&asked.message)));
}

#[tokio::test]
async fn one_that_fails_once_is_probed_once() {
    let server = Server::start(|asked| match asked.number {
        0 => Reaction::silence(),
        _ => Reaction::send([response(&asked.message, 5)]),
    })
    .await;
    let domain = "Probe.test".parse().unwrap();
    let health_check = HealthCheck { domain, recursion_desired: false, ..HealthCheck::default() };
    let upstreams = upstreams([server.address], Settings { health_check, ..quick() });
    ask(&upstreams, "a.test", UDP).await.unwrap();
    until("it is probed", || server.asked().len() == 3).await;
    let asked = server.asked();
    let probes: Vec<_> = asked.iter().filter(|asked| is_probe(&asked.message)).collect();
    assert_eq!(probes.len(), 1);
    let probe = Message::read(&probes[0].message).unwrap();
    assert_eq!(probe.question.unwrap().0, domain);
    assert_eq!(probe.flags, Flags::none());
    // REFUSED is a sign of life.
    assert_eq!(stats(&upstreams).healthcheck_failures, 0);
}

#[tokio::test]
async fn with_failfast_nobody_is_asked_when_all_are_down() {
    let gone = closed_port().await;
    let settings = Settings { failfast_all_unhealthy_upstreams: true, ..settings() };
    let upstreams = upstreams([gone], settings);
    ask(&upstreams, "a.test", UDP).await.unwrap_err();
    until("it is down", || stats(&upstreams).down).await;
    let failure = ask(&upstreams, "a.test", UDP).await.unwrap_err();
    assert_eq!(failure.to_string(), "no healthy proxies");
}

#[tokio::test]
async fn one_whose_probe_has_failed_is_asked_after_the_others() {
    let (gone, well) = (closed_port().await, Server::answering().await);
    let health_check = HealthCheck { interval: Duration::from_secs(60), ..HealthCheck::default() };
    let policy = Policy::Sequential;
    let upstreams = upstreams([gone, well.address], Settings { policy, health_check, ..quick() });
    assert_eq!(ask(&upstreams, "a.test", UDP).await.unwrap().tried, 2);
    until("a probe has failed", || stats(&upstreams).healthcheck_failures == 1).await;
    assert_eq!(ask(&upstreams, "b.test", UDP).await.unwrap().tried, 1);
    assert!(!stats(&upstreams).down);
}

#[tokio::test]
async fn one_that_ignores_probes_and_answers_questions_is_not_left_alone() {
    let server = Server::start(|asked| {
        if asked.number == 0 || is_probe(&asked.message) {
            return Reaction::silence();
        }
        Reaction::send([answer(&asked.message)])
    })
    .await;
    let upstreams = upstreams([server.address], Settings { max_fails: 1, ..settings() });
    ask(&upstreams, "a.test", UDP).await.unwrap();
    for round in 0..2 {
        let before = stats(&upstreams).healthcheck_failures;
        until("a probe has failed", || stats(&upstreams).healthcheck_failures > before).await;
        assert!(!stats(&upstreams).down, "round {round}");
        ask(&upstreams, &format!("q{round}.test"), UDP).await.unwrap();
    }
}

#[tokio::test]
async fn with_force_tcp_probes_go_over_tcp() {
    let server = Server::start(|asked| match asked.number {
        0 => Reaction::close(),
        _ => Reaction::send([answer(&asked.message)]),
    })
    .await;
    let transport = TransportRule::ForceTcp;
    let upstreams = upstreams([server.address], Settings { transport, ..settings() });
    ask(&upstreams, "a.test", UDP).await.unwrap();
    until("it is probed", || server.asked().iter().any(|asked| is_probe(&asked.message))).await;
    assert!(server.asked().iter().all(|asked| asked.over == Transport::Tcp));
}

#[tokio::test]
async fn probes_end_with_the_upstreams() {
    let server = Server::silent().await;
    let upstreams = upstreams([server.address], settings());
    ask(&upstreams, "a.test", UDP).await.unwrap_err();
    until("it is probed", || server.asked().iter().any(|asked| is_probe(&asked.message))).await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    drop(upstreams);
    // What is left are the two tasks of the server.
    until("all tasks have ended", || tasks() == 2).await;
}
