//! Whether a server is worth asking.
//!
//! ```text
//!            a question fails               fails > max_fails
//!   well ───────────────────────► probed ────────────────────► down
//!    ▲                             │  ▲                          │
//!    │     a probe is answered     │  │                          │
//!    └─────────────────────────────┴──┼──────────────────────────┘
//!                                     each probe that fails counts one
//! ```
//!
//! A server that is well is not probed: questions tell more. As in CoreDNS any answer to a probe
//! will do, since a server that refuses the probe's question may well answer others. Other than in
//! CoreDNS an answer to a real question clears the count too, so that a server which only ignores
//! probes is not left alone while it works.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The state of one server.
#[derive(Debug)]
pub(crate) struct Health {
    /// More failed probes than these, and the server is down; 0 is never.
    max_fails: u32,
    fails: AtomicU32,
    probed: AtomicBool,
}

/// What an observation has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// Nothing that the operator would want to know.
    None,
    /// The server is down from now on.
    WentDown,
    /// It is no longer down.
    CameBack,
}

impl Health {
    pub(crate) const fn new(max_fails: u32) -> Self {
        Self { max_fails, fails: AtomicU32::new(0), probed: AtomicBool::new(false) }
    }

    /// Whether it is left alone.
    pub(crate) fn is_down(&self) -> bool {
        self.max_fails > 0 && self.fails.load(Ordering::Relaxed) > self.max_fails
    }

    /// Whether a probe has failed since the last answer, so that others are better asked first.
    pub(crate) fn is_suspect(&self) -> bool {
        self.fails.load(Ordering::Relaxed) > 0
    }

    /// A question has failed: whether the caller must start to probe.
    pub(crate) fn must_probe(&self) -> bool {
        self.max_fails > 0 && !self.probed.swap(true, Ordering::Relaxed)
    }

    /// A probe got no answer.
    pub(crate) fn probe_failed(&self) -> Change {
        // At two a second, 68 years are too few to overflow it.
        let before = self.fails.fetch_add(1, Ordering::Relaxed);
        if before == self.max_fails { Change::WentDown } else { Change::None }
    }

    /// A probe got an answer: probing ends.
    pub(crate) fn probe_answered(&self) -> Change {
        self.probed.store(false, Ordering::Relaxed);
        self.answered()
    }

    /// A question got an answer.
    pub(crate) fn answered(&self) -> Change {
        // Looks before it writes: nearly always there is nothing to clear.
        if self.fails.load(Ordering::Relaxed) == 0 {
            return Change::None;
        }
        let before = self.fails.swap(0, Ordering::Relaxed);
        if before > self.max_fails { Change::CameBack } else { Change::None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn down_after_more_failed_probes_than_allowed() {
        let health = Health::new(2);
        assert!(health.must_probe() && !health.must_probe());
        let changes = [(); 4].map(|()| health.probe_failed());
        assert_eq!(changes, [Change::None, Change::None, Change::WentDown, Change::None]);
        assert!(health.is_down() && health.is_suspect());
        assert_eq!(health.probe_answered(), Change::CameBack);
        assert!(!health.is_down() && !health.is_suspect());
        assert!(health.must_probe(), "probing begins anew");
    }

    #[test]
    fn an_answer_to_a_question_clears_the_count_and_probing_goes_on() {
        let health = Health::new(1);
        assert!(health.must_probe());
        health.probe_failed();
        assert_eq!(health.answered(), Change::None);
        assert!(!health.is_suspect() && !health.must_probe());
    }

    #[test]
    fn without_max_fails_there_are_no_probes() {
        assert!(!Health::new(0).must_probe());
        assert!(!Health::new(0).is_down());
    }
}
