//! Servers that are known by name.

use crate::support::{
    Asked, Reaction, Server, address_records, response, rtype, skip, until, upstreams,
};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use upstream::{Located, Settings, Target, Upstreams};
use wire::RecordType;

fn targets(texts: &[&str]) -> Vec<Target> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn text(servers: &[SocketAddr]) -> Vec<String> {
    servers.iter().map(SocketAddr::to_string).collect()
}

/// AAAA `2001:db8::1`, A as given.
fn both(asked: &Asked, addresses: &[[u8; 4]]) -> Reaction {
    if rtype(&asked.message) == RecordType::A {
        return Reaction::send([address_records(&asked.message, addresses, 1)]);
    }
    let mut message = response(&asked.message, 0);
    message[7] = 1;
    message.extend([0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 60, 0, 16]);
    message.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    Reaction::send([message])
}

/// Targets whose names have been looked up once.
async fn located(texts: &[&str], resolvers: &Upstreams) -> Located {
    let mut located = Located::default();
    located.set_targets(targets(texts));
    located.refresh(resolvers).await;
    located
}

#[tokio::test]
async fn names_become_addresses_in_their_place() {
    let resolver = Server::start(|asked| both(asked, &[[10, 0, 0, 2], [10, 0, 0, 1]])).await;
    let resolvers = upstreams([resolver.address], Settings::for_locating());
    let located = located(&["192.0.2.1", "ns.test:54", "192.0.2.2"], &resolvers).await;
    assert_eq!(
        text(&located.servers()),
        ["192.0.2.1:53", "10.0.0.1:54", "10.0.0.2:54", "[2001:db8::1]:54", "192.0.2.2:53"]
    );
}

#[tokio::test]
async fn names_are_looked_up_at_the_same_time() {
    let resolver = Server::start(|asked| {
        Reaction::hold(address_records(&asked.message, &[[10, 0, 0, 1]], 60))
    })
    .await;
    let resolvers = upstreams([resolver.address], Settings::for_locating());
    let locating = async {
        let located = located(&["a.test", "b.test"], &resolvers).await;
        assert_eq!(text(&located.servers()), ["10.0.0.1:53", "10.0.0.1:53"]);
    };
    let answering = async {
        until("all is asked", || resolver.asked_count() == 4).await;
        let asked = resolver.asked();
        let questions: BTreeSet<_> = asked.iter().map(|asked| &asked.message[12..]).collect();
        assert_eq!(questions.len(), 4, "two types of two names, and none twice");
        resolver.release().await;
    };
    tokio::join!(locating, answering);
}

#[tokio::test]
async fn one_of_both_types_is_enough_and_the_next_resolver_helps() {
    let lost = Server::start(|asked| Reaction::send([response(&asked.message, 3)])).await;
    let half = Server::start(|asked| match rtype(&asked.message) {
        RecordType::A => both(asked, &[[10, 0, 0, 1]]),
        _ => Reaction::send([response(&asked.message, 2)]),
    })
    .await;
    let resolvers = upstreams([lost.address, half.address], Settings::for_locating());
    let located = located(&["ns.test"], &resolvers).await;
    assert_eq!(text(&located.servers()), ["10.0.0.1:53"]);
}

#[tokio::test]
async fn a_name_without_addresses_leaves_the_others_and_is_looked_up_again() {
    let lost = Server::start(|asked| match &asked.message[12..15] {
        b"\x02ns" => both(asked, &[[10, 0, 0, 1]]),
        _ => Reaction::send([response(&asked.message, 3)]),
    })
    .await;
    let resolvers = upstreams([lost.address], Settings::for_locating());
    let began = Instant::now();
    let mut located = located(&["lost.test", "ns.test", "192.0.2.1"], &resolvers).await;
    let servers = ["10.0.0.1:53", "[2001:db8::1]:53", "192.0.2.1:53"];
    assert_eq!(text(&located.servers()), servers);
    assert!(located.due().unwrap() >= began + Duration::from_secs(5));
    // What is not due is not looked up.
    located.refresh(&resolvers).await;
    assert_eq!(lost.asked_count(), 4);
    skip(Duration::from_secs(11)).await;
    located.refresh(&resolvers).await;
    assert_eq!((lost.asked_count(), text(&located.servers())), (8, servers.map(Into::into).into()));
}

#[tokio::test]
async fn names_that_stay_among_the_targets_keep_their_addresses() {
    let resolver = Server::start(|asked| both(asked, &[[10, 0, 0, 1]])).await;
    let resolvers = upstreams([resolver.address], Settings::for_locating());
    let mut located = located(&["a.test", "b.test:54"], &resolvers).await;
    located.set_targets(targets(&["192.0.2.1", "b.test:54", "a.test:54"]));
    let servers = ["192.0.2.1:53", "10.0.0.1:54", "[2001:db8::1]:54"];
    assert_eq!(text(&located.servers()), servers);
    located.set_targets(targets(&["192.0.2.1"]));
    assert_eq!(located.due(), None);
}

#[tokio::test]
async fn new_addresses_are_followed_and_the_last_good_ones_kept() {
    let last = Arc::new(AtomicU8::new(1));
    let now = last.clone();
    let resolver = Server::start(move |asked| match now.load(Ordering::Relaxed) {
        0 => Reaction::send([response(&asked.message, 0)]),
        last if rtype(&asked.message) == RecordType::A => both(asked, &[[10, 0, 0, last]]),
        _ => Reaction::send([response(&asked.message, 0)]),
    })
    .await;
    let resolvers = upstreams([resolver.address], Settings::for_locating());
    let mut located = located(&["ns.test"], &resolvers).await;
    // The TTL is 1 s, but nobody is asked more often than every 5 s, and after a failure than 10 s.
    for (answer, after, found) in [(2, 5, 2), (0, 5, 2), (3, 10, 3)] {
        last.store(answer, Ordering::Relaxed);
        skip(Duration::from_secs(after) / 2).await;
        let asked = resolver.asked_count();
        located.refresh(&resolvers).await;
        assert_eq!(resolver.asked_count(), asked, "not before {after} s");
        skip(Duration::from_secs(after) / 2).await;
        located.refresh(&resolvers).await;
        assert_eq!(text(&located.servers()), [format!("10.0.0.{found}:53")]);
    }
}
