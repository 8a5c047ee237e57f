//! What a cache counts.

use super::entry::Kind;
use crate::env::Env;
use crate::metrics::{Counter, Gauge, Registry, labels};
use std::sync::Arc;

/// The counters of a cache for one listener, with CoreDNS's names and labels.
pub(super) struct Counters {
    pub(super) requests: Arc<Counter>,
    pub(super) misses: Arc<Counter>,
    /// By [`Kind`].
    pub(super) hits: [Arc<Counter>; 2],
    pub(super) evictions: [Arc<Counter>; 2],
    pub(super) entries: [Arc<Gauge>; 2],
    pub(super) prefetches: Arc<Counter>,
    pub(super) stale: Arc<Counter>,
    pub(super) drops: Arc<Counter>,
}

impl Counters {
    /// One for each listener of the configuration; those that the cache's block does not serve stay at
    /// zero and do not show.
    pub(super) fn of_servers(env: &Env<'_>, zones: &str) -> Box<[Option<Self>]> {
        let site = env.site;
        let of = |(number, name): (u16, &Arc<str>)| {
            let is_ours = site.servers.contains(&number);
            is_ours.then(|| Self::new(&env.process.metrics, name, zones))
        };
        (0..).zip(site.server_names.iter()).map(of).collect()
    }

    fn new(registry: &Registry, server: &str, zones: &str) -> Self {
        let plain = labels(&[("server", server), ("zones", zones), ("view", "")]);
        let typed = Kind::ALL.map(|kind| {
            let kind = ("type", kind.label());
            labels(&[("server", server), kind, ("zones", zones), ("view", "")])
        });
        let counter = |name, help| registry.counter(name, help, &plain);
        let counters = |name, help| typed.each_ref().map(|of| registry.counter(name, help, of));
        Self {
            requests: counter("coredns_cache_requests_total", "Questions that were looked up."),
            misses: counter("coredns_cache_misses_total", "Questions that were not found."),
            hits: counters("coredns_cache_hits_total", "Questions that were found."),
            evictions: counters(
                "coredns_cache_evictions_total",
                "Entries that were still good and had to leave for others.",
            ),
            entries: typed
                .each_ref()
                .map(|of| registry.gauge("coredns_cache_entries", "Entries.", of)),
            prefetches: counter(
                "coredns_cache_prefetch_total",
                "Entries that were asked for again in the background.",
            ),
            stale: counter(
                "coredns_cache_served_stale_total",
                "Questions that got an answer whose time was over.",
            ),
            drops: counter(
                "coredns_cache_drops_total",
                "Replies that were not kept because they have too many records.",
            ),
        }
    }
}
