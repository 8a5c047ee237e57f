//! One number, or one histogram.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A value for each worker, far enough apart in memory that they do not disturb each other.
#[derive(Debug)]
pub struct PerWorker<T> {
    slots: Box<[Padded<T>]>,
}

#[derive(Debug)]
#[repr(align(128))]
struct Padded<T>(T);

impl<T> PerWorker<T> {
    /// `make` once for the slow lane (worker 0) and for each of `workers`.
    pub fn new(workers: usize, make: impl Fn() -> T) -> Self {
        Self { slots: (0..=workers).map(|_| Padded(make())).collect() }
    }

    /// The worker's own; an unknown worker shares that of the slow lane.
    pub fn of(&self, worker: u16) -> &T {
        &self.slots.get(usize::from(worker)).unwrap_or(&self.slots[0]).0
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().map(|slot| &slot.0)
    }
}

/// Adds to a value of `worker`.
///
/// Worker 0 is the slow lane, with many threads. Every other worker is one thread that alone
/// writes its values, so that adding needs no atomic addition.
pub fn bump(value: &AtomicU64, worker: u16, by: u64) {
    if worker == 0 {
        value.fetch_add(by, Relaxed);
    } else {
        value.store(value.load(Relaxed).wrapping_add(by), Relaxed);
    }
}

/// A number that only grows.
#[derive(Debug)]
pub struct Counter {
    slots: PerWorker<AtomicU64>,
}

impl Counter {
    pub(crate) fn new(workers: usize) -> Self {
        Self { slots: PerWorker::new(workers, || AtomicU64::new(0)) }
    }

    /// Adds one, on behalf of `worker` ([`chain::Exchange::worker`]; 0 for everybody else).
    pub fn increment(&self, worker: u16) {
        self.add(worker, 1);
    }

    /// Adds `by`.
    pub fn add(&self, worker: u16, by: u64) {
        bump(self.slots.of(worker), worker, by);
    }

    /// The sum over all workers.
    pub fn total(&self) -> u64 {
        self.slots.iter().map(|slot| slot.load(Relaxed)).fold(0, u64::wrapping_add)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: i64) {
        self.0.store(value, Relaxed);
    }

    /// Adds, or takes away.
    pub fn add(&self, by: i64) {
        self.0.fetch_add(by, Relaxed);
    }

    /// What it is now.
    pub fn value(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// How many times fell below each of some bounds.
#[derive(Debug)]
pub struct Histogram {
    /// In seconds.
    bounds: &'static [f64],
    slots: PerWorker<HistogramSlot>,
}

#[derive(Debug)]
struct HistogramSlot {
    /// One for each bound, and one for what is above all.
    counts: Box<[AtomicU64]>,
    sum_ns: AtomicU64,
}

impl Histogram {
    pub(crate) fn new(workers: usize, bounds: &'static [f64]) -> Self {
        let slots = PerWorker::new(workers, || HistogramSlot {
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum_ns: AtomicU64::new(0),
        });
        Self { bounds, slots }
    }

    /// Counts a time.
    pub fn observe(&self, worker: u16, time: Duration) {
        let slot = self.slots.of(worker);
        let seconds = time.as_secs_f64();
        let bucket = self.bounds.iter().position(|bound| seconds <= *bound);
        bump(&slot.counts[bucket.unwrap_or(self.bounds.len())], worker, 1);
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        bump(&slot.sum_ns, worker, nanos);
    }

    /// The bounds of the buckets, in seconds.
    pub fn bounds(&self) -> &'static [f64] {
        self.bounds
    }

    /// How many times fell into each bucket, one for each bound and one above; and their sum in
    /// seconds.
    pub fn totals(&self) -> (Vec<u64>, f64) {
        let mut counts = vec![0u64; self.bounds.len() + 1];
        let mut sum = 0u64;
        for slot in self.slots.iter() {
            for (total, count) in counts.iter_mut().zip(&slot.counts) {
                *total = total.wrapping_add(count.load(Relaxed));
            }
            sum = sum.wrapping_add(slot.sum_ns.load(Relaxed));
        }
        (counts, sum as f64 / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_add_up() {
        let counter = Counter::new(2);
        for worker in [0, 1, 1, 2, 9] {
            counter.increment(worker);
        }
        assert_eq!(counter.total(), 5);
    }

    #[test]
    fn buckets_count_what_is_at_or_below_their_bound() {
        let histogram = Histogram::new(1, &[0.001, 0.1]);
        for micros in [10, 1_000, 1_001, 2_000_000] {
            histogram.observe(1, Duration::from_micros(micros));
        }
        let (counts, sum) = histogram.totals();
        assert_eq!(counts, [2, 1, 1]);
        assert!((sum - 2.002_011).abs() < 1e-9);
    }
}
