//! Asking over TCP.

use crate::support::{Reaction, Server, answer, ask, quick, until, upstreams};
use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;
use upstream::{Answered, Cause, Failure, Settings, Transport, TransportRule, Upstreams};

const TCP: Transport = Transport::Tcp;

/// Asks for `q0.test`, `q1.test` … at the same time; the outcomes in this order.
async fn ask_many(upstreams: &Arc<Upstreams>, count: usize) -> Vec<Result<Answered, Failure>> {
    let mut asking = JoinSet::new();
    for number in 0..count {
        let upstreams = upstreams.clone();
        asking
            .spawn(async move { (number, ask(&upstreams, &format!("q{number}.test"), TCP).await) });
    }
    let mut outcomes = asking.join_all().await;
    outcomes.sort_by_key(|(number, _)| *number);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

#[tokio::test]
async fn answers_may_come_in_any_order_on_one_connection() {
    let held = Mutex::new(Vec::new());
    let server = Server::start(move |asked| {
        let mut held = held.lock().unwrap();
        held.push(answer(&asked.message));
        if held.len() < 4 {
            return Reaction::silence();
        }
        Reaction::send(held.drain(..).rev().collect::<Vec<_>>())
    })
    .await;
    let upstreams = upstreams([server.address], Settings::default());
    for outcome in ask_many(&upstreams, 4).await {
        assert_eq!(outcome.unwrap().tried, 1);
    }
    assert_eq!((server.connections(), server.asked().len()), (1, 4));
    let used = upstreams.stats().servers[0].tcp;
    assert_eq!((used.opened, used.reused, used.live), (1, 3, 1));
}

#[tokio::test]
async fn a_connection_on_which_many_wait_is_not_made_fuller() {
    let server = Server::silent().await;
    let settings = Settings { max_connect_attempts: Some(1), max_fails: 0, ..quick() };
    let upstreams = upstreams([server.address], settings);
    let waiting = ask_many(&upstreams, 10).await;
    assert!(waiting.iter().all(Result::is_err));
    let peers: HashSet<_> = server.asked().iter().map(|asked| asked.peer).collect();
    assert_eq!((server.asked().len(), peers.len()), (10, 3), "at most 4 on one");
}

#[tokio::test]
async fn a_server_that_ends_each_connection_after_one_answer_answers_all() {
    let server = Server::start(|asked| Reaction::send([answer(&asked.message)]).and_close()).await;
    let settings = Settings { max_connect_attempts: Some(1), ..Settings::default() };
    let upstreams = upstreams([server.address], settings);
    for round in 0..5 {
        for outcome in ask_many(&upstreams, 4).await {
            assert!(outcome.is_ok(), "round {round}: {outcome:?}");
        }
    }
    assert_eq!(upstreams.stats().servers[0].healthcheck_failures, 0);
}

#[tokio::test]
async fn a_fresh_connection_that_ends_is_a_failure() {
    let server = Server::start(|_| Reaction::close()).await;
    let upstreams = upstreams([server.address], Settings { max_fails: 0, ..quick() });
    let failure = ask(&upstreams, "a.test", TCP).await.unwrap_err();
    assert_eq!(failure.to_string(), "EOF");
    assert_eq!(server.asked().len(), 2, "the two attempts of one server");
}

#[tokio::test]
async fn a_refused_connection_is_told_at_once() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let upstreams = upstreams([gone], Settings { max_fails: 0, ..Settings::default() });
    let began = Instant::now();
    let failure = ask(&upstreams, "a.test", TCP).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(failure.to_string(), format!("dial tcp {gone}: connect: connection refused"));
}

#[tokio::test]
async fn a_silent_server_is_told_as_coredns_does() {
    let server = Server::silent().await;
    let transport = TransportRule::ForceTcp;
    let upstreams = upstreams([server.address], Settings { max_fails: 0, transport, ..quick() });
    let text = ask(&upstreams, "a.test", Transport::Udp).await.unwrap_err().to_string();
    assert!(text.starts_with("read tcp 127.0.0.1:"), "{text}");
    assert!(text.ends_with(&format!("->{}: i/o timeout", server.address)), "{text}");
    assert!(server.asked().iter().all(|asked| asked.over == TCP));
}

/// A listener whose queue of connections is full answers no further SYN.
#[tokio::test]
async fn a_server_that_does_not_connect_costs_no_more_than_the_read_timeout() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let full = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(connected) =
        tokio::time::timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(full)).await
    {
        queued.push(connected.unwrap());
    }
    let upstreams = upstreams([full], Settings { max_fails: 0, ..quick() });
    let began = Instant::now();
    let failure = ask(&upstreams, "a.test", TCP).await.unwrap_err();
    assert_eq!(failure.to_string(), format!("dial tcp {full}: i/o timeout"));
    assert!(began.elapsed() < 4 * quick().read_timeout, "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_answer_to_another_question_is_the_servers_mistake() {
    let server = Server::start(|asked| {
        let mut wrong = answer(&asked.message);
        wrong[13] ^= 1;
        Reaction::send([wrong])
    })
    .await;
    let upstreams = upstreams([server.address], Settings { max_fails: 0, ..quick() });
    match ask(&upstreams, "a.test", TCP).await {
        Err(Failure::Upstream { cause: Cause::AnotherQuestion, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn garbage_between_answers_is_passed_over() {
    let server = Server::start(|asked| {
        Reaction::send([Vec::new(), vec![7], vec![0xff; 700], answer(&asked.message)])
    })
    .await;
    let upstreams = upstreams([server.address], Settings::default());
    assert!(ask(&upstreams, "a.test", TCP).await.is_ok());
    assert_eq!(upstreams.stats().servers[0].strays, 3);
}

#[tokio::test]
async fn the_largest_answer_arrives_whole() {
    let server = Server::start(|asked| {
        let mut large = answer(&asked.message);
        large.resize(65_535, 0);
        Reaction::send([large])
    })
    .await;
    let upstreams = upstreams([server.address], Settings::default());
    assert_eq!(ask(&upstreams, "a.test", TCP).await.unwrap().message.body.len(), 1);
}

#[tokio::test]
async fn no_more_idle_connections_are_kept_than_configured() {
    for (max_idle_conns, kept) in [(None, 3), (NonZeroU32::new(1), 1)] {
        let server = Server::start(|asked| Reaction::hold(answer(&asked.message))).await;
        let settings = Settings { max_idle_conns, ..Settings::default() };
        let upstreams = upstreams([server.address], settings);
        let asking = ask_many(&upstreams, 9);
        let release = async {
            until("all are asked", || server.asked().len() == 9).await;
            assert_eq!(upstreams.stats().servers[0].tcp.live, 3);
            server.release().await;
        };
        let (outcomes, ()) = tokio::join!(asking, release);
        assert!(outcomes.iter().all(Result::is_ok));
        assert_eq!(upstreams.stats().servers[0].tcp.live, kept);
    }
}

#[tokio::test]
async fn idle_connections_expire_and_are_closed() {
    let server = Server::answering().await;
    let settings = Settings { expire: Duration::from_millis(500), ..Settings::default() };
    let upstreams = upstreams([server.address], settings);
    ask(&upstreams, "a.test", TCP).await.unwrap();
    ask(&upstreams, "b.test", TCP).await.unwrap();
    assert_eq!((server.connections(), upstreams.stats().servers[0].tcp.live), (1, 1));
    until("it has expired", || upstreams.stats().servers[0].tcp.live == 0).await;
}
