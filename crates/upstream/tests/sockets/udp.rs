//! Asking over UDP, against real sockets.

use crate::support::{
    Reaction, Server, address_records, answer, ask, name, query, quick, truncated, until, upstreams,
};
use std::collections::HashSet;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::Instant;
use upstream::{Cause, Failure, Operation, Settings, Transport, TransportRule};
use wire::{Edns, Flags, Message, Rcode};

const UDP: Transport = Transport::Udp;

fn cause(failure: Failure) -> Cause {
    match failure {
        Failure::Upstream { cause, .. } => cause,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_question_goes_out_as_asked_and_the_answer_comes_back_as_given() {
    let server = Server::answering().await;
    let upstreams = upstreams([server.address], Settings::default());
    let mut edns = Edns { udp_size: 1232, dnssec_ok: true, ..Edns::default() };
    edns.options.push(10, b"cookie!!");
    let name = name("wWw.eXample.ORG");
    let flags = Flags::RD.with(Flags::CD).with(Flags::AA);
    let query = upstream::Query { flags, edns: Some(&edns), ..query(&name, UDP) };
    let answered = upstreams.ask(query).await.unwrap();

    let sent = Message::read(&server.asked()[0].message).unwrap();
    assert_eq!(sent.question.unwrap().0.octets(), name.octets());
    assert_eq!(sent.flags, Flags::RD.with(Flags::CD));
    assert_eq!(sent.edns, Some(edns));
    assert_eq!((answered.by(), answered.tried), (server.address, 1));
    assert_eq!(answered.link.local, Some(server.asked()[0].peer));
    assert!(answered.message.flags.has(Flags::RA) && !answered.message.flags.has(Flags::AA));
    let body = &answered.message.body;
    assert_eq!(body.rdata(&body.answer[0]), [10, 9, 8, 7]);
}

#[tokio::test(start_paused = true)]
async fn one_silent_server_is_asked_twice_for_4_s() {
    let server = Server::silent().await;
    let upstreams = upstreams([server.address], Settings { max_fails: 0, ..Settings::default() });
    let began = Instant::now();
    let failure = ask(&upstreams, "a.test", UDP).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 4);
    let text = failure.to_string();
    let end = format!("->{}: i/o timeout", server.address);
    assert!(text.starts_with("read udp 127.0.0.1:") && text.ends_with(&end), "{text}");
    until("both came", || server.asked().len() == 2).await;
    let peers: HashSet<_> = server.asked().iter().map(|asked| asked.peer).collect();
    assert_eq!(peers.len(), 2, "a port that brought no answer is not used again");
}

#[tokio::test(start_paused = true)]
async fn two_silent_servers_are_asked_three_times_in_6_s() {
    let servers = [Server::silent().await, Server::silent().await];
    let settings = Settings { max_fails: 0, ..Settings::default() };
    let upstreams = upstreams(servers.iter().map(|server| server.address), settings);
    let began = Instant::now();
    ask(&upstreams, "a.test", UDP).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 6);
    until("all came", || servers.iter().map(|server| server.asked().len()).sum::<usize>() == 3)
        .await;
}

#[tokio::test]
async fn forgeries_are_passed_over_and_counted() {
    let server = Server::start(|asked| {
        let right = answer(&asked.message);
        let (mut wrong_id, mut wrong_name, mut wrong_type) =
            (right.clone(), right.clone(), right.clone());
        wrong_id[0] ^= 0x55;
        wrong_name[13] ^= 1;
        let fixed = asked.message.len() - 3;
        wrong_type[fixed] = 28;
        let query = asked.message.clone();
        Reaction::send([wrong_id, wrong_name, wrong_type, query, vec![0; 5], right])
    })
    .await;
    let upstreams = upstreams([server.address], Settings::default());
    let answered = ask(&upstreams, "a.test", UDP).await.unwrap();
    assert_eq!(answered.message.body.answer.len(), 1);
    assert_eq!(upstreams.stats().servers[0].strays, 5);
    assert_eq!(server.asked().len(), 1, "none of them has ended the attempt");
}

#[tokio::test]
async fn forgeries_alone_are_no_answer() {
    let server = Server::start(|asked| {
        let mut wrong = answer(&asked.message);
        wrong[1] ^= 1;
        Reaction::send(vec![wrong; 20])
    })
    .await;
    let upstreams = upstreams([server.address], Settings { max_fails: 0, ..quick() });
    let began = Instant::now();
    let failure = ask(&upstreams, "a.test", UDP).await.unwrap_err();
    assert!(matches!(cause(failure), Cause::TimedOut { operation: Operation::Read, .. }));
    assert!(began.elapsed() >= 2 * quick().read_timeout);
}

#[tokio::test]
async fn a_closed_port_is_noticed_at_once() {
    let gone = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let upstreams = upstreams([gone], Settings { max_fails: 0, ..Settings::default() });
    let began = Instant::now();
    let failure = ask(&upstreams, "a.test", UDP).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(1));
    let text = failure.to_string();
    assert!(text.ends_with(&format!("->{gone}: read: connection refused")), "{text}");
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_ends_the_attempt() {
    let server = Server::start(|asked| {
        let mut broken = answer(&asked.message);
        broken.truncate(broken.len() - 2);
        Reaction::send([broken])
    })
    .await;
    let upstreams = upstreams([server.address], Settings { max_fails: 0, ..Settings::default() });
    let began = Instant::now();
    let failure = ask(&upstreams, "a.test", UDP).await.unwrap_err();
    assert!(matches!(cause(failure), Cause::Malformed(_)));
    assert!(began.elapsed() < Duration::from_secs(1) && server.asked().len() == 2);
}

#[tokio::test]
async fn a_bare_header_with_an_error_is_an_answer() {
    let server = Server::start(|asked| {
        let mut bare = asked.message[..12].to_vec();
        bare[2] |= 0x80;
        bare[3] = 1;
        bare[4..].fill(0);
        Reaction::send([bare])
    })
    .await;
    let upstreams = upstreams([server.address], Settings::default());
    assert_eq!(ask(&upstreams, "a.test", UDP).await.unwrap().message.rcode, Rcode::FORMERR);
}

#[tokio::test]
async fn a_truncated_answer_is_passed_on_or_asked_for_over_tcp() {
    let server = Server::start(|asked| match asked.over {
        Transport::Udp => Reaction::send([truncated(&asked.message)]),
        Transport::Tcp => Reaction::send([answer(&asked.message)]),
    })
    .await;
    let as_asked = upstreams([server.address], Settings::default());
    let answered = ask(&as_asked, "a.test", UDP).await.unwrap();
    assert!(answered.message.flags.has(Flags::TC) && answered.link.over == UDP);

    let transport = TransportRule::PreferUdp;
    let prefer = upstreams([server.address], Settings { transport, ..Settings::default() });
    let answered = ask(&prefer, "a.test", Transport::Tcp).await.unwrap();
    assert!(!answered.message.flags.has(Flags::TC) && answered.link.over == Transport::Tcp);
    let over: Vec<_> = server.asked()[1..].iter().map(|asked| asked.over).collect();
    assert_eq!(over, [UDP, Transport::Tcp]);
}

#[tokio::test]
async fn an_answer_larger_than_was_asked_for_arrives_whole() {
    let addresses = [[10, 0, 0, 1]; 200];
    let server = Server::start(move |asked| {
        Reaction::send([address_records(&asked.message, &addresses, 60)])
    })
    .await;
    let upstreams = upstreams([server.address], Settings::default());
    let answered = ask(&upstreams, "a.test", UDP).await.unwrap();
    assert_eq!(answered.message.body.answer.len(), 200);
}

#[tokio::test]
async fn sockets_are_shared_for_256_questions() {
    let server = Server::answering().await;
    let upstreams = upstreams([server.address], Settings::default());
    for number in 0..300 {
        ask(&upstreams, &format!("q{number}.test"), UDP).await.unwrap();
    }
    let peers: Vec<_> = server.asked().iter().map(|asked| asked.peer).collect();
    assert!(peers[..256].iter().all(|peer| *peer == peers[0]));
    assert!(peers[256..].iter().all(|peer| *peer == peers[256]) && peers[256] != peers[0]);
    let used = upstreams.stats().servers[0].udp;
    assert_eq!((used.opened, used.reused), (2, 298));
    let ids: HashSet<_> = server.asked().iter().map(|asked| asked.message[..2].to_vec()).collect();
    assert!(ids.len() > 290, "ids are random");
}

#[tokio::test]
async fn ports_cannot_be_predicted_from_the_ones_before() {
    let server = Server::answering().await;
    let settings = Settings { expire: Duration::ZERO, ..Settings::default() };
    let upstreams = upstreams([server.address], settings);
    for number in 0..100 {
        ask(&upstreams, &format!("q{number}.test"), UDP).await.unwrap();
    }
    let ports: Vec<_> = server.asked().iter().map(|asked| i32::from(asked.peer.port())).collect();
    let steps: HashSet<_> = ports.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.len() > 80, "{} different steps", steps.len());
    assert!(ports.iter().max().unwrap() - ports.iter().min().unwrap() > 5_000);
}

#[tokio::test]
async fn the_source_address_is_the_one_configured() {
    let server = Server::answering().await;
    let source_address = Some("127.0.0.9".parse().unwrap());
    let upstreams = upstreams([server.address], Settings { source_address, ..quick() });
    ask(&upstreams, "a.test", UDP).await.unwrap();
    ask(&upstreams, "b.test", Transport::Tcp).await.unwrap();
    assert!(server.asked().iter().all(|asked| Some(asked.peer.ip()) == source_address));
}

#[tokio::test]
async fn a_source_address_that_is_not_ours_is_told_and_blames_nobody() {
    let server = Server::answering().await;
    let source_address = Some("192.0.2.1".parse().unwrap());
    let upstreams = upstreams([server.address], Settings { source_address, ..quick() });
    for over in [UDP, Transport::Tcp] {
        let failure = ask(&upstreams, "a.test", over).await.unwrap_err();
        let text = format!("dial {over} {}: bind: cannot assign requested address", server.address);
        assert_eq!(failure.to_string(), text);
    }
    assert_eq!(upstreams.stats().servers[0].healthcheck_failures, 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_away_frees_the_place() {
    let server = Server::silent().await;
    let upstreams = upstreams([server.address], Settings::default());
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..100 {
        let upstreams = upstreams.clone();
        waiting.spawn(async move { ask(&upstreams, &format!("q{number}.test"), UDP).await });
    }
    until("all are asked", || server.asked().len() == 100).await;
    assert_eq!(upstreams.stats().servers[0].udp.live, 2);
    waiting.shutdown().await;
    // The sockets have nobody left on them and expire.
    tokio::time::sleep(Duration::from_secs(21)).await;
    assert_eq!(upstreams.stats().servers[0].udp.live, 0);
}
