//! Figures of several rounds.

/// Median and range of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` if there are no figures.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Self { median, min, max })
    }

    /// The spread of the ratios within each round, so that a machine that drifts from round to round
    /// does not blur them.
    pub(crate) fn of_ratios(figures: &[f64], references: &[f64]) -> Option<Self> {
        Self::of(figures.iter().zip(references).map(|(figure, reference)| figure / reference))
    }

    /// As in `1.49 (1.39-1.66)`; a lone figure has no range.
    pub(crate) fn text(&self) -> String {
        let Self { median, min, max } = *self;
        if min == max {
            return significant(median);
        }
        format!("{} ({}-{})", significant(median), significant(min), significant(max))
    }
}

/// Three significant digits, but no fewer than the whole number has.
pub(crate) fn significant(figure: f64) -> String {
    let decimals = match figure.abs() {
        0.0 => 0,
        below if below < 9.995 => 2,
        below if below < 99.95 => 1,
        _ => 0,
    };
    format!("{figure:.decimals$}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The second round ran on a machine half as fast.
        let ratios = Spread::of_ratios(&[3.0, 6.0], &[2.0, 4.0]).unwrap();
        assert_eq!(ratios, Spread { median: 1.5, min: 1.5, max: 1.5 });
    }

    #[test]
    fn text_has_three_digits() {
        let spread = Spread { median: 1.486, min: 1.39, max: 12.345 };
        assert_eq!(spread.text(), "1.49 (1.39-12.3)");
        assert_eq!(Spread::of([0.0]).unwrap().text(), "0");
        assert_eq!(significant(9.996), "10.0");
        assert_eq!(significant(123.4), "123");
        assert_eq!(significant(0.051), "0.05");
    }

    proptest! {
        #[test]
        fn the_median_lies_between(figures in proptest::collection::vec(0.0..1e9, 1..20)) {
            let spread = Spread::of(figures.iter().copied()).unwrap();
            prop_assert!(spread.min <= spread.median && spread.median <= spread.max);
            let below = figures.iter().filter(|figure| **figure <= spread.median).count();
            prop_assert!(2 * below >= figures.len());
        }
    }
}
