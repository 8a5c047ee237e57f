//! How upstream servers are asked: the options of `forward`.

use crate::Transport;
use rand::seq::SliceRandom;
use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use wire::{NameBuf, Rcode};

/// The options of CoreDNS's `forward` that concern the asking, with its defaults.
///
/// Equal settings ask in the same way, so that a reload may keep what they have opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `policy`: which server comes first.
    pub policy: Policy,
    /// `expire`: how long a connection may be idle before it is closed.
    pub expire: Duration,
    /// `max_age`: after which age a connection takes no more questions; none is no limit of the
    /// operator's.
    pub max_age: Option<Duration>,
    /// `max_idle_conns`: how many idle connections are kept for each server and transport; none
    /// keeps all.
    pub max_idle_conns: Option<NonZeroU32>,
    /// `read_timeout`: how long one attempt waits for an answer, and before that for a connection.
    pub read_timeout: Duration,
    /// `max_fails`: a server is down after more failed probes than these; with 0 none is ever
    /// down and none is probed.
    pub max_fails: u32,
    /// `max_connect_attempts`: how many attempts may fail; none is twice for each server, 0 is as
    /// many as the time allows.
    pub max_connect_attempts: Option<u32>,
    /// `health_check`.
    pub health_check: HealthCheck,
    /// `max_concurrent`: more questions at once fail; none is no limit.
    pub max_concurrent: Option<NonZeroUsize>,
    /// `force_tcp`, `prefer_udp`.
    pub transport: TransportRule,
    /// `failfast_all_unhealthy_upstreams`: ask nobody when all servers are down.
    pub failfast_all_unhealthy_upstreams: bool,
    /// `failover`: with these response codes the next server is asked.
    pub failover: Vec<Rcode>,
    /// `source_address`: from which address of ours servers are asked.
    pub source_address: Option<IpAddr>,
}

/// How a server that failed is probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The pause between two probes. Less than 50 ms is taken for 50 ms.
    pub interval: Duration,
    /// Whether probes ask for recursion; `no_rec` is false.
    pub recursion_desired: bool,
    /// `domain`: whose NS records probes ask for.
    pub domain: NameBuf,
}

/// Which transport is used for which question.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TransportRule {
    /// The one that the client used.
    #[default]
    AsAsked,
    /// UDP, and TCP when the answer is truncated.
    PreferUdp,
    /// TCP.
    ForceTcp,
}

/// Which server is tried first, and which after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Policy {
    /// Any order.
    #[default]
    Random,
    /// Each question begins with the server after the one before.
    RoundRobin,
    /// The order of the configuration.
    Sequential,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            policy: Policy::Random,
            expire: Duration::from_secs(10),
            max_age: None,
            max_idle_conns: None,
            read_timeout: Duration::from_secs(2),
            max_fails: 2,
            max_connect_attempts: None,
            health_check: HealthCheck::default(),
            max_concurrent: None,
            transport: TransportRule::AsAsked,
            failfast_all_unhealthy_upstreams: false,
            failover: Vec::new(),
            source_address: None,
        }
    }
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(500),
            recursion_desired: true,
            domain: NameBuf::root(),
        }
    }
}

impl TransportRule {
    /// What a question goes over that came over `asked`.
    pub(crate) fn choose(self, asked: Transport) -> Transport {
        match self {
            Self::AsAsked => asked,
            Self::PreferUdp => Transport::Udp,
            Self::ForceTcp => Transport::Tcp,
        }
    }
}

impl Policy {
    /// The order in which `count` servers are tried.
    ///
    /// As in CoreDNS, `round_robin` turns first, so that the very first question goes to the
    /// second server, and the servers after the first one keep the order of the configuration.
    pub(crate) fn order(self, count: usize, turn: &AtomicUsize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        match self {
            Self::Random => order.shuffle(&mut rand::rng()),
            Self::RoundRobin if count > 0 => {
                let first = turn.fetch_add(1, Ordering::Relaxed).wrapping_add(1) % count;
                order[..=first].rotate_right(1);
            }
            Self::RoundRobin | Self::Sequential => {}
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_robin_begins_with_the_second_and_keeps_the_rest_in_order() {
        let turn = AtomicUsize::new(0);
        let orders = [(); 4].map(|()| Policy::RoundRobin.order(3, &turn));
        assert_eq!(orders, [[1, 0, 2], [2, 0, 1], [0, 1, 2], [1, 0, 2]].map(Vec::from));
        assert!(Policy::RoundRobin.order(0, &turn).is_empty());
    }

    #[test]
    fn random_lets_every_server_be_first() {
        let turn = AtomicUsize::new(0);
        let mut first = [0; 3];
        for _ in 0..300 {
            let order = Policy::Random.order(3, &turn);
            first[order[0]] += 1;
            let mut sorted = order;
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2]);
        }
        assert!(first.iter().all(|&count| count > 50), "{first:?}");
    }
}
