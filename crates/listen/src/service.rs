//! What every socket of a listener shares.

use crate::lane::SlowLane;
use arc_swap::ArcSwap;
use chain::{Clock, Exchange, Router};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use wire::Encoder;

/// The configuration behind a listener, and what answering needs beside it.
pub struct Service {
    /// Swapped whole by a reload; a batch is answered by one router.
    pub router: ArcSwap<Router>,
    /// Read once a batch.
    pub clock: Arc<dyn Clock>,
    /// Where questions wait.
    pub lane: Arc<SlowLane>,
    /// What happened, for the metrics.
    pub stats: Arc<Stats>,
}

/// What happened at the sockets of a listener.
#[derive(Debug, Default)]
pub struct Stats {
    /// Messages without an answer: responses, and less than a header.
    pub ignored: AtomicU64,
    /// Messages that were answered with FORMERR, NOTIMP or BADVERS before any plugin saw them.
    pub rejected: AtomicU64,
    /// Answers that the kernel did not take.
    pub unsent: AtomicU64,
    /// Errors of receiving datagrams; none of them ends a worker.
    pub receive_errors: AtomicU64,
    /// Errors of accepting connections: the process is out of descriptors, most likely.
    pub accept_errors: AtomicU64,
    /// Connections that were closed at once because there were too many.
    pub refused_connections: AtomicU64,
    /// How often a connection was not read from because too many of its queries waited.
    pub paused_connections: AtomicU64,
    /// Connections that are open.
    pub connections: AtomicU64,
    /// Replies without all of their records because there were too many for any message.
    pub overflowed_replies: AtomicU64,
    /// Replies that end with a CNAME record because the chain of CNAMEs is too long.
    pub cut_chains: AtomicU64,
    /// Replies with more names than an encoder can point at.
    pub full_compression_tables: AtomicU64,
}

impl Stats {
    /// Writes the reply to `x` and counts the bounds that it has reached; its octets.
    pub(crate) fn encode(&self, x: &Exchange, encoder: &mut Encoder, out: &mut [u8]) -> usize {
        let length = encoder.reply(&x.request, &x.reply, x.reply_limit(), out);
        for (is_reached, count) in [
            (x.reply.body.overflowed(), &self.overflowed_replies),
            (x.is_chain_cut(), &self.cut_chains),
            (encoder.is_table_full(), &self.full_compression_tables),
        ] {
            if is_reached {
                count.fetch_add(1, Relaxed);
            }
        }
        length
    }
}
