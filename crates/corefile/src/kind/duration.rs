//! Durations as Go writes them: `300ms`, `1.5h`, `2h45m`.

use super::{Kind, Wrong, limits, with_limits};
use std::ops::{Bound, RangeBounds};
use std::time::Duration;

/// Units with their nanoseconds, those first that begin like another one.
const UNITS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000), // U+00B5, the micro sign
    ("μs", 1_000), // U+03BC, the Greek letter
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// A duration in `range` with a unit; only zero may do without. `30` is rejected, as CoreDNS does
/// nearly everywhere.
pub fn duration(range: impl RangeBounds<Duration>) -> impl Kind<Value = Duration> {
    GoDuration { low: range.start_bound().cloned(), high: range.end_bound().cloned() }
}

struct GoDuration {
    low: Bound<Duration>,
    high: Bound<Duration>,
}

impl GoDuration {
    fn limits(&self) -> String {
        limits(&self.low, &self.high, |&limit| shown_duration(limit))
    }

    fn must_be(&self, what: &str) -> Wrong {
        Wrong::must_be(with_limits(what, &self.limits()))
    }
}

impl Kind for GoDuration {
    type Value = Duration;

    fn read(&self, word: &str) -> Result<Duration, Wrong> {
        let bare = !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_digit());
        match go_duration(word) {
            Some(Sign::Plus(duration)) if (self.low, self.high).contains(&duration) => Ok(duration),
            Some(Sign::Minus) if self.low == Bound::Unbounded => Err(Wrong::must_be("at least 0s")),
            Some(_) => Err(Wrong::must_be(self.limits())),
            None if bare => Err(self
                .must_be("a duration with a unit")
                .hint(format!("write `{word}s` for seconds"))),
            None => Err(self.must_be("a duration such as `300ms`, `30s` or `1h30m`")),
        }
    }
}

/// A duration in the fewest words that [`duration`] reads again: `1h30m`, `500ms`, `0s`.
pub fn shown_duration(duration: Duration) -> String {
    let mut rest = duration.as_nanos();
    let mut shown = String::new();
    for &(unit, size) in UNITS.iter().rev().filter(|(unit, _)| unit.is_ascii()) {
        let count = rest / u128::from(size);
        if count > 0 {
            shown += &format!("{count}{unit}");
            rest %= u128::from(size);
        }
    }
    if shown.is_empty() { "0s".to_owned() } else { shown }
}

/// What Go makes of a text.
enum Sign {
    Plus(Duration),
    /// Less than zero.
    Minus,
}

/// Reads a duration as Go's `time.ParseDuration` documents it: "a possibly signed sequence of
/// decimal numbers, each with optional fraction and a unit suffix", below 2⁶³ nanoseconds.
fn go_duration(text: &str) -> Option<Sign> {
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Some(Sign::Plus(Duration::ZERO));
    }
    let mut nanos: u64 = 0;
    loop {
        let (number, behind) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, behind) = split(behind, |c| !c.is_ascii_digit() && c != '.');
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
        nanos = nanos.checked_add(scaled(number, *size)?)?;
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    i64::try_from(nanos).ok()?;
    let is_less = negative && nanos > 0;
    Some(if is_less { Sign::Minus } else { Sign::Plus(Duration::from_nanos(nanos)) })
}

/// A decimal number times a unit, rounded down.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // What further digits add is less than a nanosecond.
    let digits = &fraction[..fraction.len().min(18)];
    let numerator: u128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    let part = u128::from(unit) * numerator / 10_u128.pow(digits.len() as u32);
    whole.checked_mul(unit)?.checked_add(part as u64)
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn millis(text: &str) -> Option<u128> {
        duration(..).read(text).ok().map(|duration| duration.as_millis())
    }

    /// What CoreDNS 1.14.7 took as an interval of `reload` or of `timeouts`.
    #[test]
    fn durations_are_those_of_go() {
        assert_eq!(millis("300ms"), Some(300));
        assert_eq!(millis("1.5h"), Some(5_400_000));
        assert_eq!(millis("2h45m"), Some(9_900_000));
        assert_eq!(millis("1h2m3.5s"), Some(3_723_500));
        assert_eq!(millis("+5s"), Some(5_000));
        assert_eq!(millis(".5m"), Some(30_000));
        assert_eq!(millis("2.s"), Some(2_000));
        assert_eq!(millis("0"), Some(0));
        assert_eq!(millis("-0"), Some(0));
        assert_eq!(millis("3000µs"), Some(3));
        assert_eq!(millis("3000μs"), Some(3));
        assert_eq!(millis("9223372036s"), Some(9_223_372_036_000));
        for refused in [
            "",
            "5",
            "abc",
            "3s1",
            "3S",
            "0x3s",
            "1_0s",
            "9223372037s",
            ".s",
            "2.5.s",
            "1d",
            "-3s",
            "s",
            "1 s",
            "+-1s",
            "99999999999999999999h",
        ] {
            assert_eq!(millis(refused), None, "{refused}");
        }
    }

    #[test]
    fn what_a_duration_must_be_is_said() {
        let interval = duration(Duration::from_secs(2)..);
        let wrong = |word: &str| interval.read(word).unwrap_err();
        assert_eq!(wrong("1s"), Wrong::must_be("at least 2s"));
        assert_eq!(wrong("-5s"), Wrong::must_be("at least 2s"));
        assert_eq!(
            wrong("30"),
            Wrong::must_be("a duration with a unit, at least 2s").hint("write `30s` for seconds")
        );
        assert_eq!(duration(..).read("-1s").unwrap_err(), Wrong::must_be("at least 0s"));
        let timeout = duration(Duration::from_secs(1)..=Duration::from_secs(86_400));
        assert_eq!(timeout.read("90000s").unwrap_err(), Wrong::must_be("between 1s and 24h"));
        assert!(timeout.read("").is_err());
    }

    proptest! {
        #[test]
        fn a_shown_duration_is_read_again(nanos in 0..i64::MAX as u64) {
            let meant = Duration::from_nanos(nanos);
            prop_assert_eq!(duration(..).read(&shown_duration(meant)), Ok(meant));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "[-+.0-9µnumsh]{0,40}|\\PC{0,9}") {
            let _ = duration(..).read(&text);
        }
    }
}
