//! Whole numbers, seconds, percentages.

use super::{Kind, Wrong, duration, limits, with_limits};
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};

/// A type of whole numbers.
pub trait Whole: Copy + TryFrom<i128> + Into<i128> {
    /// The least and the greatest number.
    const LIMITS: (i128, i128);
}

macro_rules! whole {
    ($($number:ty)*) => {
        $(impl Whole for $number {
            const LIMITS: (i128, i128) = (<$number>::MIN as i128, <$number>::MAX as i128);
        })*
    };
}

whole!(u8 u16 u32 u64 i32 i64);

/// A whole number in `range`, written in decimal, perhaps with a sign: `1000`.
pub fn integer<T: Whole>(range: impl RangeBounds<T>) -> impl Kind<Value = T> {
    Integer::new(range, "")
}

/// A whole number of seconds in `range`, written without a unit: `30`.
pub fn seconds(range: impl RangeBounds<u32>) -> impl Kind<Value = u32> {
    Integer::new(range, " seconds")
}

/// A percentage in `range`, written with its sign: `10%`.
pub fn percent(range: impl RangeBounds<u8>) -> impl Kind<Value = u8> {
    Percent(Integer::new(range, "%"))
}

struct Integer<T> {
    low: Bound<i128>,
    high: Bound<i128>,
    unit: &'static str,
    value: PhantomData<T>,
}

impl<T: Whole> Integer<T> {
    fn new(range: impl RangeBounds<T>, unit: &'static str) -> Self {
        let wide = |bound: Bound<&T>| bound.map(|&number| number.into());
        Self {
            low: wide(range.start_bound()),
            high: wide(range.end_bound()),
            unit,
            value: PhantomData,
        }
    }

    /// The number, if it is in range.
    fn within(&self, number: i128) -> Option<T> {
        (self.low, self.high).contains(&number).then(|| number.try_into().ok())?
    }

    /// `between 1 and 5 seconds`; with a greatest number where only the type has one.
    fn limits(&self, number: i128) -> String {
        let (_, greatest) = T::LIMITS;
        let high = match self.high {
            Bound::Unbounded if number > greatest => Bound::Included(greatest),
            high => high,
        };
        let limits = limits(&self.low, &high, i128::to_string);
        if limits.is_empty() { limits } else { limits + self.unit }
    }
}

impl<T: Whole> Kind for Integer<T> {
    type Value = T;

    fn read(&self, word: &str) -> Result<T, Wrong> {
        match word.parse() {
            Ok(number) => self.within(number).ok_or_else(|| Wrong::must_be(self.limits(number))),
            Err(_) if self.unit.is_empty() => {
                Err(Wrong::must_be(with_limits("a whole number", &self.limits(0))))
            }
            Err(_) => {
                let seconds = with_limits(
                    "a whole number of seconds",
                    &self.limits(0).replace(self.unit, ""),
                );
                let wrong = Wrong::must_be(seconds + ", without a unit");
                let meant = duration(..).read(word).ok().filter(|meant| meant.subsec_nanos() == 0);
                Err(match meant {
                    Some(meant) => wrong.hint(format!("write `{}`", meant.as_secs())),
                    None => wrong,
                })
            }
        }
    }
}

struct Percent(Integer<u8>);

impl Kind for Percent {
    type Value = u8;

    fn read(&self, word: &str) -> Result<u8, Wrong> {
        let number = word.strip_suffix('%').and_then(|number| number.parse().ok());
        let bare: Option<i128> = word.parse().ok();
        if let Some(percent) = number.and_then(|number| self.0.within(number)) {
            return Ok(percent);
        }
        let wrong = Wrong::must_be(with_limits("a percentage", &self.0.limits(0)));
        Err(match bare {
            Some(number) => wrong.hint(format!("write `{number}%`")),
            None => wrong,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong<T: std::fmt::Debug>(kind: &impl Kind<Value = T>, word: &str) -> (String, String) {
        let wrong = kind.read(word).unwrap_err();
        (wrong.must_be, wrong.hint)
    }

    #[test]
    fn numbers_have_a_range() {
        let port = integer::<u16>(1..);
        assert_eq!(port.read("53"), Ok(53));
        assert_eq!(port.read("+53"), Ok(53));
        assert_eq!(wrong(&port, "0").0, "at least 1");
        assert_eq!(wrong(&port, "65536").0, "between 1 and 65535");
        assert_eq!(wrong(&port, "0x10").0, "a whole number, at least 1");
        assert_eq!(wrong(&integer::<i64>(..), "x").0, "a whole number");
        assert_eq!(wrong(&integer::<i64>(..=5), "6").0, "at most 5");
        assert_eq!(integer::<i64>(..).read("-5"), Ok(-5));
        assert!(integer::<u8>(..).read(&"9".repeat(100)).is_err());
    }

    #[test]
    fn seconds_have_no_unit() {
        let ttl = seconds(1..=65_535);
        assert_eq!(ttl.read("3600"), Ok(3600));
        assert_eq!(wrong(&ttl, "0"), ("between 1 and 65535 seconds".to_owned(), String::new()));
        let (must_be, hint) = wrong(&ttl, "1h");
        assert_eq!(must_be, "a whole number of seconds between 1 and 65535, without a unit");
        assert_eq!(hint, "write `3600`");
    }

    #[test]
    fn a_percentage_has_its_sign() {
        let share = percent(10..=90);
        assert_eq!(share.read("10%"), Ok(10));
        assert_eq!(
            wrong(&share, "20"),
            ("a percentage between 10 and 90%".to_owned(), "write `20%`".to_owned())
        );
        assert!(
            share.read("91%").is_err() && share.read("%").is_err() && share.read("1000%").is_err()
        );
    }
}
