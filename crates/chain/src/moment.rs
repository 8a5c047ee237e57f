//! Time as the walk sees it: handed in, never read.

use std::time::Duration;

/// A point in time: nanoseconds since the process started, monotonic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// The time from `earlier` to this; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The moment `duration` after this.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// Where plugins that wait take the time from when they are done waiting.
///
/// What answers in place uses [`crate::Exchange::now`], which its worker reads once for a batch.
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> Moment;

    /// Seconds since 1970, for serial numbers and log lines.
    fn unix_seconds(&self) -> u64;
}
