//! What every socket of a listener shares.

use crate::lane::SlowLane;
use arc_swap::ArcSwap;
use chain::{Clock, Router};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

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

/// What happened at the sockets of all listeners.
#[derive(Debug, Default)]
pub struct Stats {
    /// Messages without an answer: responses, and less than a header.
    pub ignored: AtomicU64,
    /// Messages that were answered with FORMERR, NOTIMP or BADVERS before any plugin saw them.
    pub rejected: AtomicU64,
    /// Answers that the kernel did not take.
    pub unsent: AtomicU64,
    /// Errors of receiving; none of them ends a worker.
    pub receive_errors: AtomicU64,
    /// Attempts to take a connection that failed, most likely for want of descriptors.
    pub accept_errors: AtomicU64,
    /// Connections that were closed at once because there were too many.
    pub refused_connections: AtomicU64,
    /// Connections that are open.
    pub connections: AtomicU64,
}
