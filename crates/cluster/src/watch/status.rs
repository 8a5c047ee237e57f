//! How a watch gets on: what metrics and pages for people show.

use super::failure::ErrorKind;
use crate::objects::Kind;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Counters and times of one watch.
#[derive(Debug, Default)]
pub struct Status {
    resources: [ResourceStatus; Kind::ALL.len()],
    requests: Mutex<BTreeMap<u16, u64>>,
}

#[derive(Debug, Default)]
struct ResourceStatus {
    /// Unix time in milliseconds.
    heard: AtomicU64,
    events: AtomicU64,
    lists: AtomicU64,
    streamed_lists: AtomicU64,
    skipped: AtomicU64,
    errors: [AtomicU64; ErrorKind::ALL.len()],
}

/// What happened with one kind since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Events of watches, without bookmarks.
    pub events: u64,
    /// Lists that were read to their end.
    pub lists: u64,
    /// Those of them that were the beginning of a watch.
    pub streamed_lists: u64,
    /// Objects and lines that could not be read and were left out.
    pub skipped: u64,
    /// Failures of each class.
    pub errors: [(ErrorKind, u64); ErrorKind::ALL.len()],
}

impl Status {
    /// When the API server last said something about a kind: a list, an event or a bookmark. The
    /// age of this is the age of what is answered, at worst.
    pub fn heard(&self, kind: Kind) -> Option<SystemTime> {
        match self.of(kind).heard.load(Ordering::Relaxed) {
            0 => None,
            millis => Some(UNIX_EPOCH + Duration::from_millis(millis)),
        }
    }

    /// What happened with a kind.
    pub fn counts(&self, kind: Kind) -> Counts {
        let it = self.of(kind);
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            events: load(&it.events),
            lists: load(&it.lists),
            streamed_lists: load(&it.streamed_lists),
            skipped: load(&it.skipped),
            errors: ErrorKind::ALL.map(|error| (error, load(&it.errors[error as usize]))),
        }
    }

    /// How many responses had which status code, for
    /// `coredns_kubernetes_rest_client_requests_total`.
    pub fn requests(&self) -> BTreeMap<u16, u64> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn of(&self, kind: Kind) -> &ResourceStatus {
        &self.resources[kind as usize]
    }

    pub(super) fn hear(&self, kind: Kind, now: SystemTime) {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.of(kind).heard.store(since.as_millis() as u64, Ordering::Relaxed);
    }

    pub(super) fn count_event(&self, kind: Kind) {
        self.of(kind).events.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_list(&self, kind: Kind, is_streamed: bool) {
        self.of(kind).lists.fetch_add(1, Ordering::Relaxed);
        self.of(kind).streamed_lists.fetch_add(u64::from(is_streamed), Ordering::Relaxed);
    }

    pub(super) fn count_skipped(&self, kind: Kind) {
        self.of(kind).skipped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_error(&self, kind: Kind, error: ErrorKind) {
        self.of(kind).errors[error as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_request(&self, code: u16) {
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
    }
}
