//! Samples of `/metrics`, and what a scenario says about them.

use super::mistake::Mistake;
use super::pattern;
use std::collections::{BTreeMap, BTreeSet};

/// A sample that must be there: `NAME{LABELS} VALUE`.
///
/// The labels are exactly these, in any order; `…` in a label's value is a wildcard. VALUE is a
/// number, `>= NUMBER`, `*` for any, or `absent`: then no sample with this name and these labels
/// may be there.
#[derive(Clone, Debug)]
pub(super) struct ExpectedSample {
    series: Series,
    value: Value,
    pub(super) text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    Is(f64),
    AtLeast(f64),
    Any,
    Absent,
}

impl ExpectedSample {
    /// Reads a line; the mistake has no position yet.
    pub(super) fn read(line: &str) -> Result<Self, Mistake> {
        let wrong = || {
            Mistake::new(format!(
                "a sample is `NAME{{LABEL=\"VALUE\",…}} VALUE` with a number, `>= NUMBER`, `*` or \
                 `absent` behind, not `{line}`"
            ))
        };
        let (series, value) = Series::split(line).ok_or_else(wrong)?;
        let number = |text: &str| text.trim().parse().ok();
        let value = match value.trim() {
            "*" => Some(Value::Any),
            "absent" => Some(Value::Absent),
            text => match text.strip_prefix(">=") {
                Some(least) => number(least).map(Value::AtLeast),
                None => number(text).map(Value::Is),
            },
        };
        let text = line.trim().to_owned();
        Ok(Self { series, value: value.ok_or_else(wrong)?, text })
    }

    /// Whether a page of metrics is as this says.
    pub(super) fn holds(&self, page: &str) -> bool {
        let mut found =
            page.lines().filter_map(Series::split).filter(|(series, _)| self.is(series));
        match self.value {
            Value::Absent => found.next().is_none(),
            Value::Any => found.next().is_some(),
            Value::Is(number) => found.any(|(_, value)| value.trim().parse() == Ok(number)),
            Value::AtLeast(least) => {
                found.any(|(_, value)| value.trim().parse().is_ok_and(|value: f64| value >= least))
            }
        }
    }

    /// The samples of a page with the same name, for messages.
    pub(super) fn kin<'a>(&self, page: &'a str) -> Vec<&'a str> {
        let same_name = |line: &&str| {
            Series::split(line).is_some_and(|(series, _)| series.name == self.series.name)
        };
        page.lines().filter(same_name).take(20).collect()
    }

    fn is(&self, series: &Series) -> bool {
        let (expected, found) = (&self.series.labels, &series.labels);
        let mut pairs = expected.iter().zip(found);
        self.series.name == series.name
            && expected.len() == found.len()
            && pairs.all(|(one, other)| one.0 == other.0 && pattern::fits(one.1, other.1))
    }
}

/// The first sample whose series was there before: Prometheus refuses the whole page.
pub(super) fn repeated(page: &str) -> Option<&str> {
    let mut seen = BTreeSet::new();
    page.lines().find(|line| Series::split(line).is_some_and(|(series, _)| !seen.insert(series)))
}

impl Series {
    /// Name and labels, and what follows them; none for comments and what is no sample.
    fn split(line: &str) -> Option<(Self, &str)> {
        let line = line.trim();
        let end = line.find(['{', ' '])?;
        let (name, mut rest) = line.split_at(end);
        if name.is_empty() || name.starts_with('#') {
            return None;
        }
        let mut labels = BTreeMap::new();
        if let Some(inside) = rest.strip_prefix('{') {
            rest = inside;
            while !rest.starts_with('}') {
                let (label, after) = rest.split_once("=\"")?;
                let end = after.find('"')?;
                labels.insert(label.trim().to_owned(), after[..end].to_owned());
                rest = after[end + 1..].trim_start_matches(',');
            }
            rest = &rest[1..];
        }
        Some((Self { name: name.to_owned(), labels }, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAGE: &str = "# HELP up Whether.\n# TYPE up gauge\nup 1\n\
        asked{server=\"dns://:53\",zone=\".\"} 3\nasked{server=\"dns://:53\",zone=\"a.\"} 0\n";

    #[test]
    fn samples() {
        for line in [
            "up 1",
            "up >= 1",
            "up *",
            "up{} 1",
            "down absent",
            "asked{zone=\".\",server=\"dns://:53\"} 3",
            "asked{server=\"dns://…\",zone=\"…\"} >= 2",
            "asked{zone=\".\"} absent",
        ] {
            assert!(ExpectedSample::read(line).unwrap().holds(PAGE), "{line}");
        }
        for line in ["up 2", "up >= 2", "up absent", "asked{zone=\".\"} 3", "down *"] {
            assert!(!ExpectedSample::read(line).unwrap().holds(PAGE), "{line}");
        }
        let sample = ExpectedSample::read("asked{} 9").unwrap();
        assert_eq!(sample.kin(PAGE).len(), 2);
    }

    #[test]
    fn a_series_is_there_once() {
        assert_eq!(repeated(PAGE), None);
        let twice = "asked{zone=\"a.\",server=\"dns://:53\"} 7";
        assert_eq!(repeated(&format!("{PAGE}{twice}\n")), Some(twice));
    }

    #[test]
    fn what_is_no_sample() {
        for line in ["up", "up much", "# up 1", "up{a=b} 1", "up{a=\"b\" 1", ""] {
            assert!(ExpectedSample::read(line).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_without_a_panic(line in "[a{}=\", #…1]{0,30}") {
            let _ = ExpectedSample::read(&line);
        }
    }
}
