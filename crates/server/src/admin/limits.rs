//! What comes to its limit, or gets no answer, where DNS is listened on.

use listen::{SlowLane, Stats};
use plugins::metrics::{Collect, Exposition, Kind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Shows at each scrape how full the process is.
pub(crate) struct Limits {
    pub(crate) lane: Arc<SlowLane>,
    pub(crate) stats: Arc<Stats>,
}

impl Collect for Limits {
    fn collect(&self, exposition: &mut Exposition) {
        let mut show = |name, kind, help, value| {
            exposition.family(name, kind, help).value("", value);
        };
        let help = "Questions that wait for somebody else now.";
        show("rutter_waiting_questions", Kind::Gauge, help, self.lane.waiting() as u64);
        let help = "TCP connections that are open now.";
        let open = self.stats.connections.load(Relaxed);
        show("rutter_tcp_connections", Kind::Gauge, help, open);
        let mut count = |name, help, value| show(name, Kind::Counter, help, value);
        let help = "Questions that failed at once because too many waited.";
        count("rutter_waiting_refused_total", help, self.lane.refused());
        let help = "Questions that failed because they had waited too long.";
        count("rutter_waiting_timeouts_total", help, self.lane.timed_out());
        let Stats { ignored, rejected, unsent, receive_errors, accept_errors, .. } = &*self.stats;
        let mut count = |name, help, value: &AtomicU64| count(name, help, value.load(Relaxed));
        let help = "TCP connections that were closed at once because too many were open.";
        count("rutter_tcp_connections_refused_total", help, &self.stats.refused_connections);
        let help = "TCP connections that could not be taken, for want of descriptors most likely.";
        count("rutter_tcp_accept_errors_total", help, accept_errors);
        let help = "Messages without a reply: responses, and less than a header.";
        count("rutter_messages_ignored_total", help, ignored);
        let help = "Messages that got FORMERR, NOTIMP or BADVERS before any plugin saw them.";
        count("rutter_messages_rejected_total", help, rejected);
        let help = "Replies that the kernel did not take.";
        count("rutter_replies_unsent_total", help, unsent);
        let help = "Errors of receiving datagrams.";
        count("rutter_receive_errors_total", help, receive_errors);
    }
}
