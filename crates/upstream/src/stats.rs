//! What is counted: plain numbers that a caller turns into metrics.

use crate::Transport;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use wire::Rcode;

/// The upper limits of the buckets, in seconds, as CoreDNS's
/// `coredns_proxy_request_duration_seconds` has them; a last bucket holds what took longer.
pub const BUCKET_LIMITS: [f64; 16] = [
    0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024,
    2.048, 4.096, 8.192,
];

/// The first limit in nanoseconds; each other is twice the one before.
const FIRST_LIMIT_NS: u64 = 250_000;
/// Buckets, with the one for what took longer than all limits.
const BUCKETS: usize = BUCKET_LIMITS.len() + 1;
/// Response codes below this have a histogram of their own; the others share one.
const RCODES: usize = 24;

/// Everything that was counted, at one moment.
#[derive(Clone, Debug)]
pub struct Stats {
    /// Each server that is asked now.
    pub servers: Vec<ServerStats>,
    /// Questions that wait for an answer now.
    pub waiting: usize,
    /// How often every server was down (`coredns_forward_healthcheck_broken_total`).
    pub healthcheck_broken: u64,
    /// Questions refused for `max_concurrent` (`coredns_forward_max_concurrent_rejects_total`).
    pub max_concurrent_rejects: u64,
    /// Questions that shared the answer to an equal one that was already on its way.
    pub coalesced: u64,
    /// Questions that could not have shared an answer because too many different ones were on their
    /// way.
    pub uncoalesced: u64,
    /// Servers that are not asked because there are more than 64.
    pub left_out: usize,
}

/// What was counted for one server.
#[derive(Clone, Debug)]
pub struct ServerStats {
    /// The server.
    pub server: SocketAddr,
    /// How long answers took, by response code; none stands for codes without a mnemonic
    /// (`coredns_proxy_request_duration_seconds`).
    pub durations: Vec<(Option<Rcode>, Histogram)>,
    /// Probes that failed (`coredns_proxy_healthcheck_failures_total`).
    pub healthcheck_failures: u64,
    /// Connections over UDP.
    pub udp: ConnectionUse,
    /// Connections over TCP.
    pub tcp: ConnectionUse,
    /// Messages that answered nothing: late ones, or attempts to forge an answer.
    pub strays: u64,
    /// Whether it is left alone because its probes fail.
    pub down: bool,
}

/// How often questions found a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionUse {
    /// Questions on a connection that was there (`coredns_proxy_conn_cache_hits_total`).
    pub reused: u64,
    /// Connections that were opened (`coredns_proxy_conn_cache_misses_total`).
    pub opened: u64,
    /// Connections that live now.
    pub live: usize,
    /// Questions that found no room on any connection, and none for another one.
    pub busy: u64,
}

/// A distribution of durations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many fell into each bucket (and not into one before): the limits of [`BUCKET_LIMITS`],
    /// then all that took longer.
    pub counts: [u64; BUCKETS],
    /// All together.
    pub sum: Duration,
}

/// The counters of one server while it is asked.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    durations: [OnceLock<Box<AtomicHistogram>>; RCODES + 1],
    healthcheck_failures: AtomicU64,
    reused: [AtomicU64; 2],
    opened: [AtomicU64; 2],
    busy: [AtomicU64; 2],
    strays: AtomicU64,
}

#[derive(Debug, Default)]
struct AtomicHistogram {
    counts: [AtomicU64; BUCKETS],
    sum_ns: AtomicU64,
}

impl Counters {
    pub(crate) fn count_answer(&self, rcode: Rcode, took: Duration) {
        let index = (rcode.0 as usize).min(RCODES);
        let index = if rcode.mnemonic().is_some() { index } else { RCODES };
        self.durations[index].get_or_init(Box::default).observe(took);
    }

    pub(crate) fn count_healthcheck_failure(&self) {
        self.healthcheck_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_reused(&self, over: Transport) {
        self.reused[over as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_opened(&self, over: Transport) {
        self.opened[over as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_busy(&self, over: Transport) {
        self.busy[over as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_stray(&self) {
        self.strays.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn durations(&self) -> Vec<(Option<Rcode>, Histogram)> {
        let read = |(index, histogram): (usize, &OnceLock<Box<AtomicHistogram>>)| {
            let rcode = (index < RCODES).then_some(Rcode(index as u16));
            histogram.get().map(|histogram| (rcode, histogram.read()))
        };
        self.durations.iter().enumerate().filter_map(read).collect()
    }

    pub(crate) fn healthcheck_failures(&self) -> u64 {
        self.healthcheck_failures.load(Ordering::Relaxed)
    }

    pub(crate) fn connection_use(&self, over: Transport, live: usize) -> ConnectionUse {
        let read = |counters: &[AtomicU64; 2]| counters[over as usize].load(Ordering::Relaxed);
        let [reused, opened, busy] = [&self.reused, &self.opened, &self.busy].map(read);
        ConnectionUse { reused, opened, live, busy }
    }

    pub(crate) fn strays(&self) -> u64 {
        self.strays.load(Ordering::Relaxed)
    }
}

impl AtomicHistogram {
    fn observe(&self, took: Duration) {
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(took_ns)].fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(took_ns, Ordering::Relaxed);
    }

    fn read(&self) -> Histogram {
        let counts = std::array::from_fn(|index| self.counts[index].load(Ordering::Relaxed));
        Histogram { counts, sum: Duration::from_nanos(self.sum_ns.load(Ordering::Relaxed)) }
    }
}

/// The first bucket whose limit is not below `took_ns`.
fn bucket(took_ns: u64) -> usize {
    let firsts = took_ns.div_ceil(FIRST_LIMIT_NS).max(1);
    (firsts.next_power_of_two().trailing_zeros() as usize).min(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_the_limits() {
        for (index, limit) in BUCKET_LIMITS.into_iter().enumerate() {
            let limit_ns = (limit * 1e9).round() as u64;
            assert_eq!(bucket(limit_ns), index);
            assert_eq!(bucket(limit_ns + 1), index + 1);
        }
        assert_eq!((bucket(0), bucket(u64::MAX / 2)), (0, BUCKETS - 1));
    }

    #[test]
    fn codes_without_a_name_share_a_histogram() {
        let counters = Counters::default();
        for code in [0, 11, 23, 24, 4095] {
            counters.count_answer(Rcode(code), Duration::from_millis(3));
        }
        let durations = counters.durations();
        let codes: Vec<_> = durations.iter().map(|(rcode, _)| *rcode).collect();
        assert_eq!(codes, [Some(Rcode(0)), Some(Rcode(23)), None]);
        assert_eq!(durations[2].1.counts[4], 3);
        assert_eq!(durations[2].1.sum, Duration::from_millis(9));
    }
}
