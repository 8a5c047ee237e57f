//! Random numbers where nobody gains by guessing them: the order of answers.

use crate::metrics::{PerWorker, bump};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A generator for each worker: SplitMix64 (Steele, Lea, Flood 2014), a counter and a mixer.
///
/// Threads of the slow lane share one; that two of them draw the same number now and then harms
/// nobody.
pub(crate) struct Dice {
    counters: PerWorker<AtomicU64>,
}

impl Dice {
    /// Dice for `workers` workers and the slow lane, each beginning somewhere else.
    pub(crate) fn new(workers: usize) -> Self {
        let seed = || RandomState::new().hash_one(0);
        Self { counters: PerWorker::new(workers, || AtomicU64::new(seed())) }
    }

    /// A number below `limit`, each as likely as the others; 0 if `limit` is 0.
    pub(crate) fn below(&self, worker: u16, limit: usize) -> usize {
        let counter = self.counters.of(worker);
        bump(counter, worker, 0x9e37_79b9_7f4a_7c15);
        let drawn = u128::from(mix(counter.load(Relaxed)));
        // The fraction of the way to 2⁶⁴ scaled to the limit (Lemire 2019); what this favours some
        // numbers by is below limit/2⁶⁴.
        ((drawn * limit as u128) >> 64) as usize
    }

    /// Puts `items` into an order, each as likely as the others (Fisher and Yates).
    pub(crate) fn shuffle<T>(&self, worker: u16, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(worker, last + 1));
        }
    }
}

fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_order_is_as_likely_as_the_others() {
        let dice = Dice::new(1);
        let mut orders = BTreeMap::new();
        for _ in 0..24_000 {
            let mut items = [1, 2, 3, 4];
            dice.shuffle(1, &mut items);
            *orders.entry(items).or_insert(0u32) += 1;
        }
        assert_eq!(orders.len(), 24);
        // Six times the standard deviation of a fair draw, which is 31.
        assert!(orders.values().all(|count| (800..1200).contains(count)), "{orders:?}");
    }

    #[test]
    fn numbers_stay_below_their_limit() {
        let dice = Dice::new(2);
        for worker in 0..4 {
            assert_eq!(dice.below(worker, 0), 0);
            assert_eq!(dice.below(worker, 1), 0);
            assert!((0..1000).all(|limit| limit == 0 || dice.below(worker, limit) < limit));
        }
    }
}
