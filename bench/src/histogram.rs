//! Latencies, counted in steps that grow with them.

/// How many durations fell into each step; a step is at most 1/32 of the durations in it.
///
/// Adding costs a few instructions and no memory, so the generator can add every answer.
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    sum_ns: u128,
    max_ns: u64,
}

/// Below this many nanoseconds each has a step of its own; above, each power of two has this many.
const STEPS: u64 = 32;

const STEPS_LOG2: u32 = STEPS.ilog2();

impl Histogram {
    pub(crate) fn new() -> Self {
        let counts = vec![0; Self::step(u64::MAX) + 1];
        Self { counts, total: 0, sum_ns: 0, max_ns: 0 }
    }

    pub(crate) fn add(&mut self, ns: u64) {
        self.counts[Self::step(ns)] += 1;
        self.total += 1;
        self.sum_ns += u128::from(ns);
        self.max_ns = self.max_ns.max(ns);
    }

    /// The nanoseconds that a `part` (0 to 1) of all stayed within; 0 if there are none.
    pub(crate) fn quantile_ns(&self, part: f64) -> u64 {
        let rank = (self.total as f64 * part).ceil() as u64;
        let mut passed = 0;
        for (step, count) in self.counts.iter().enumerate() {
            passed += count;
            if passed >= rank.max(1) {
                return Self::end_of(step).min(self.max_ns);
            }
        }
        self.max_ns
    }

    pub(crate) fn mean_ns(&self) -> f64 {
        self.sum_ns as f64 / self.total.max(1) as f64
    }

    pub(crate) fn max_ns(&self) -> u64 {
        self.max_ns
    }

    /// The step that holds `ns`. From `STEPS` on a number is its power of two and the five bits
    /// behind the leading one.
    fn step(ns: u64) -> usize {
        if ns < STEPS {
            return ns as usize;
        }
        let shift = ns.ilog2() - STEPS_LOG2;
        let behind_leading_bit = (ns >> shift) - STEPS;
        (u64::from(shift + 1) * STEPS + behind_leading_bit) as usize
    }

    /// The largest number in `step`.
    fn end_of(step: usize) -> u64 {
        let step = step as u64;
        if step < STEPS {
            return step;
        }
        let shift = step / STEPS - 1;
        let first = (step % STEPS + STEPS) << shift;
        first + ((1 << shift) - 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantiles_of_a_ramp() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile_ns(0.5), 0, "nothing was added");
        (1..=1000).for_each(|us| histogram.add(us * 1000));
        let median = histogram.quantile_ns(0.5);
        assert!((500_000..516_000).contains(&median), "{median}");
        assert_eq!(histogram.quantile_ns(0.0), 1_000.max(Histogram::end_of(Histogram::step(1000))));
        assert_eq!(histogram.quantile_ns(1.0), 1_000_000);
        assert_eq!(histogram.mean_ns(), 500_500.0);
    }

    #[test]
    fn the_longest_duration_has_a_step() {
        let mut histogram = Histogram::new();
        histogram.add(u64::MAX);
        assert_eq!(histogram.quantile_ns(0.5), u64::MAX);
    }

    proptest! {
        #[test]
        fn a_step_holds_its_durations_closely(ns: u64, shift in 0u32..64) {
            let ns = ns >> shift;
            let step = Histogram::step(ns);
            let end = Histogram::end_of(step);
            prop_assert!(end >= ns);
            prop_assert!(end - ns <= ns / STEPS);
            prop_assert!(step == 0 || Histogram::end_of(step - 1) < ns);
        }
    }
}
