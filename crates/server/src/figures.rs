//! What the listeners and the slow lane count, for Prometheus.

use listen::{SlowLane, Stats};
use plugins::metrics::{Collect, Exposition, Kind, labels};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Shows the bounds of the process, and how often each was reached.
///
/// A listener counts for as long as it is open, across reloads; when it is gone, its samples are.
pub(crate) struct Figures {
    lane: Arc<SlowLane>,
    /// By name: `dns://:53`.
    listeners: Mutex<BTreeMap<Arc<str>, Weak<Stats>>>,
}

impl Figures {
    /// The lane alone.
    pub(crate) fn new(lane: Arc<SlowLane>) -> Self {
        Self { lane, listeners: Mutex::default() }
    }

    /// Shows what the listener of this name counts.
    pub(crate) fn add(&self, server: Arc<str>, stats: &Arc<Stats>) {
        let mut listeners = self.lock();
        listeners.retain(|_, stats| stats.strong_count() > 0);
        listeners.insert(server, Arc::downgrade(stats));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Weak<Stats>>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collect for Figures {
    fn collect(&self, exposition: &mut Exposition) {
        show_lane(&self.lane, exposition);
        for (server, stats) in &*self.lock() {
            if let Some(stats) = stats.upgrade() {
                show_listener(&labels(&[("server", server)]), &stats, exposition);
            }
        }
    }
}

fn show_lane(lane: &SlowLane, exposition: &mut Exposition) {
    let help = "Questions and refreshes that wait for somebody else.";
    exposition.family("rutter_lane_waiting", Kind::Gauge, help).value("", lane.waiting());
    let help = "How many may wait; more are refused.";
    let max = lane.settings().waiting_max;
    exposition.family("rutter_lane_waiting_max", Kind::Largest, help).value("", max);
    for (work, limited) in [("question", lane.questions()), ("refresh", lane.refreshes())] {
        let of = labels(&[("work", work)]);
        let mut count = |name, help, value| {
            exposition.family(name, Kind::Counter, help).value(&of, value);
        };
        let help = "What could not wait because as much waited as may.";
        count("rutter_lane_refused_total", help, limited.refused());
        let help = "What waited as long as anything may, and was given up.";
        count("rutter_lane_timed_out_total", help, limited.timed_out());
    }
}

fn show_listener(of: &str, stats: &Stats, exposition: &mut Exposition) {
    let read = |value: &AtomicU64| value.load(Ordering::Relaxed);
    let help = "Open TCP connections.";
    exposition
        .family("rutter_listen_connections", Kind::Gauge, help)
        .value(of, read(&stats.connections));
    for (name, help, value) in [
        (
            "rutter_listen_ignored_total",
            "Messages that got no answer: responses, and less than a header.",
            &stats.ignored,
        ),
        (
            "rutter_listen_rejected_total",
            "Messages that were answered with FORMERR, NOTIMP or BADVERS before any plugin saw them.",
            &stats.rejected,
        ),
        ("rutter_listen_unsent_total", "Datagrams that the kernel did not take.", &stats.unsent),
        (
            "rutter_listen_receive_errors_total",
            "Errors of receiving datagrams.",
            &stats.receive_errors,
        ),
        (
            "rutter_listen_accept_errors_total",
            "Errors of accepting connections: descriptors have run out, most likely.",
            &stats.accept_errors,
        ),
        (
            "rutter_listen_refused_connections_total",
            "Connections that were closed at once because as many were open as may be.",
            &stats.refused_connections,
        ),
        (
            "rutter_listen_paused_connections_total",
            "How often a connection was not read from because as many of its queries waited as may.",
            &stats.paused_connections,
        ),
        (
            "rutter_replies_overflowed_total",
            "Replies that lack records because there were more than any reply may hold.",
            &stats.overflowed_replies,
        ),
        (
            "rutter_replies_cut_chains_total",
            "Replies whose chain of CNAMEs is longer than is followed.",
            &stats.cut_chains,
        ),
        (
            "rutter_replies_full_compression_tables_total",
            "Replies with more names than are compressed.",
            &stats.full_compression_tables,
        ),
    ] {
        exposition.family(name, Kind::Counter, help).value(of, read(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use listen::LaneSettings;
    use plugins::metrics::Registry;
    use std::collections::BTreeSet;

    #[tokio::test]
    async fn every_count_is_shown_for_as_long_as_its_listener_is_open() {
        let runtime = tokio::runtime::Handle::current();
        let lane = Arc::new(SlowLane::new(runtime, LaneSettings::default()));
        let (registry, figures) = (Registry::new(1), Arc::new(Figures::new(lane)));
        registry.collect(&figures);
        let stats = Arc::new(Stats::default());
        let Stats { ignored, rejected, unsent, receive_errors, accept_errors, .. } = &*stats;
        let Stats { refused_connections, paused_connections, connections, .. } = &*stats;
        let Stats { overflowed_replies, cut_chains, full_compression_tables, .. } = &*stats;
        let all = [
            ignored,
            rejected,
            unsent,
            receive_errors,
            accept_errors,
            refused_connections,
            paused_connections,
            connections,
            overflowed_replies,
            cut_chains,
            full_compression_tables,
        ];
        for (value, number) in all.iter().zip(1..) {
            value.store(number, Ordering::Relaxed);
        }
        figures.add("dns://:53".into(), &stats);
        let shown = || {
            let text = registry.text();
            let lines = text.lines().filter(|line| line.contains("{server=\"dns://:53\"} "));
            lines.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect::<BTreeSet<_>>()
        };
        assert_eq!(shown(), (1..=all.len()).collect());
        drop(stats);
        assert_eq!(shown(), BTreeSet::new());
        assert!(registry.text().contains("\nrutter_lane_waiting_max 10000\n"));
    }
}
