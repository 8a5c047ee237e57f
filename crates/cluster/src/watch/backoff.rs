//! How long to wait after a failure.

use super::settings::Timing;
use std::hash::BuildHasher;
use std::time::Duration;
use tokio::time::Instant;

/// A number by chance: the standard library seeds its hasher from the system.
pub(super) fn chance() -> u64 {
    std::hash::RandomState::new().hash_one(())
}

/// A number by chance, from 0 to 1.
pub(super) fn fraction() -> f64 {
    (chance() % 1024) as f64 / 1024.0
}

/// Waits that double with each failure in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    last: Option<Instant>,
}

impl Backoff {
    /// The wait after a failure at `now`: between the step and twice the step, as `chance` (any
    /// number) decides.
    pub(super) fn next(&mut self, timing: &Timing, now: Instant, chance: u64) -> Duration {
        let quiet = self.last.is_none_or(|last| now.duration_since(last) >= timing.retry_reset);
        self.failures = if quiet { 0 } else { self.failures.saturating_add(1) };
        self.last = Some(now);
        let step =
            2_u32.checked_pow(self.failures).and_then(|times| timing.retry_min.checked_mul(times));
        let step = step.map_or(timing.retry_max, |step| step.min(timing.retry_max));
        step + step.mul_f64((chance % 1024) as f64 / 1024.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_begin_anew() {
        let (timing, mut backoff, mut now) =
            (Timing::default(), Backoff::default(), Instant::now());
        let mut next = |seconds: u64, chance: u64| {
            now += Duration::from_secs(seconds);
            backoff.next(&timing, now, chance).as_millis()
        };
        let waits: Vec<_> = (0..8).map(|_| next(1, 0)).collect();
        assert_eq!(waits, [800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
        assert_eq!(next(1, 512), 45_000);
        assert_eq!(next(119, 0), 30_000);
        assert_eq!(next(120, 0), 800);
        for _ in 0..100 {
            assert!(next(1, 1023) < 60_000);
        }
    }
}
