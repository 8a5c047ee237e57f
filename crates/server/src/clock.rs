//! The clock of the process: the one place that reads it.

use chain::{Clock, Moment};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The system's clocks.
pub(crate) struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Counts from now on.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that all others are given")]
    pub(crate) fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        // Five hundred years of nanoseconds fit.
        Moment(self.start.elapsed().as_nanos() as u64)
    }

    fn unix_seconds(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}
