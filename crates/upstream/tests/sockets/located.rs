//! Servers that are known by name.

use crate::support::{
    Asked, Reaction, Server, address_records, response, rtype, skip, until, upstreams,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use upstream::{Located, Settings, Target};
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

#[tokio::test]
async fn names_become_addresses_in_their_place() {
    let resolver = Server::start(|asked| both(asked, &[[10, 0, 0, 2], [10, 0, 0, 1]])).await;
    let resolvers = upstreams([resolver.address], Settings::for_locating());
    let targets = targets(&["192.0.2.1", "ns.test:54", "192.0.2.2"]);
    let located = Located::find(targets, &resolvers).await.unwrap();
    assert_eq!(
        text(&located.servers()),
        ["192.0.2.1:53", "10.0.0.1:54", "10.0.0.2:54", "[2001:db8::1]:54", "192.0.2.2:53"]
    );
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
    let located = Located::find(targets(&["ns.test"]), &resolvers).await.unwrap();
    assert_eq!(text(&located.servers()), ["10.0.0.1:53"]);
}

#[tokio::test]
async fn a_name_without_addresses_is_an_error_at_the_start() {
    let lost = Server::start(|asked| Reaction::send([response(&asked.message, 3)])).await;
    let resolvers = upstreams([lost.address], Settings::for_locating());
    let unresolved = Located::find(targets(&["ns.test"]), &resolvers).await.unwrap_err();
    assert_eq!(unresolved.to_string(), "no addresses found for \"ns.test.\"");
    drop(lost);
    let unresolved = Located::find(targets(&["ns.test"]), &resolvers).await.unwrap_err();
    assert!(unresolved.to_string().ends_with("read: connection refused"), "{unresolved}");
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
    let resolvers = Settings::for_locating();
    let resolvers = upstreams([resolver.address], resolvers);
    let located = Located::find(targets(&["ns.test"]), &resolvers).await.unwrap();
    let followed = upstreams(located.servers(), Settings::default());
    let resolvers = Arc::into_inner(resolvers).unwrap();
    let mut following = tokio::task::JoinSet::new();
    following.spawn(located.follow(resolvers, Arc::downgrade(&followed)));

    // The TTL is 1 s, but nobody is asked more often than every 5 s.
    skip(Duration::from_secs(4)).await;
    assert_eq!(resolver.asked().len(), 2);
    last.store(2, Ordering::Relaxed);
    skip(Duration::from_secs(1)).await;
    until("the new address is known", || text(&followed.servers()) == ["10.0.0.2:53"]).await;
    last.store(0, Ordering::Relaxed);
    skip(Duration::from_secs(5)).await;
    until("empty answers have come", || resolver.asked().len() == 6).await;
    assert_eq!(text(&followed.servers()), ["10.0.0.2:53"]);
    last.store(3, Ordering::Relaxed);
    let mut waited = 0;
    while text(&followed.servers()) != ["10.0.0.3:53"] {
        waited += 1;
        assert!(waited < 60, "the next address is not known after a minute");
        skip(Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
    }
}
