//! The text format that Prometheus reads, version 0.0.4.

use super::Histogram;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// What kind of metric a family is, and so what becomes of a series that is told more than once: by two
/// directives with the same labels, such as two `kubernetes` of different settings. Prometheus refuses
/// a scrape that has a series twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Only grows. Series add up.
    Counter,
    /// Goes up and down. Series add up.
    Gauge,
    /// A gauge that does not add up: an age, a limit, yes or no. The largest counts.
    Largest,
    /// Buckets, sum and count. Series add up.
    Histogram,
}

/// All samples of one scrape, by family.
#[derive(Default)]
pub struct Exposition {
    families: BTreeMap<&'static str, Family>,
}

struct Family {
    kind: Kind,
    help: &'static str,
    /// By their labels.
    values: BTreeMap<String, Number>,
    histograms: BTreeMap<String, Buckets>,
}

/// A number of a sample. Counts are exact, whatever their size.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Number {
    /// A count.
    Whole(i128),
    /// A measure.
    Real(f64),
}

impl Number {
    fn merge(self, other: Self, kind: Kind) -> Self {
        match (self, other) {
            (Self::Whole(one), Self::Whole(other)) if kind == Kind::Largest => {
                Self::Whole(one.max(other))
            }
            (Self::Whole(one), Self::Whole(other)) => Self::Whole(one.saturating_add(other)),
            (one, other) if kind == Kind::Largest => Self::Real(one.as_real().max(other.as_real())),
            (one, other) => Self::Real(one.as_real() + other.as_real()),
        }
    }

    fn as_real(self) -> f64 {
        match self {
            Self::Whole(value) => value as f64,
            Self::Real(value) => value,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(value) => value.fmt(f),
            Self::Real(value) => value.fmt(f),
        }
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Whole(value.into())
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        Self::Whole(value as i128)
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Whole(value.into())
    }
}

/// How many times fell into which bucket.
struct Buckets {
    bounds: Vec<f64>,
    counts: Vec<u64>,
    sum: f64,
}

impl Exposition {
    /// A family of metrics; the same name always has the same kind and help.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &'static str) -> Samples<'_> {
        let family = self.families.entry(name).or_insert(Family {
            kind,
            help,
            values: BTreeMap::new(),
            histograms: BTreeMap::new(),
        });
        Samples { family }
    }

    /// The text: families by name, samples by labels.
    pub fn into_text(self) -> String {
        let mut text = String::new();
        for (name, family) in self.families {
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge | Kind::Largest => "gauge",
                Kind::Histogram => "histogram",
            };
            // Writing into a string cannot fail.
            let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", family.help);
            for (labels, value) in family.values {
                let _ = writeln!(text, "{name}{} {value}", braced(&labels));
            }
            for (labels, buckets) in family.histograms {
                buckets.write(name, &labels, &mut text);
            }
        }
        text
    }
}

impl Buckets {
    fn write(&self, name: &str, labels: &str, text: &mut String) {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut below = 0;
        for (index, count) in self.counts.iter().enumerate() {
            below += count;
            let bound = self.bounds.get(index).map_or("+Inf".to_owned(), ToString::to_string);
            let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {below}");
        }
        let (braced, sum) = (braced(labels), self.sum);
        let _ = writeln!(text, "{name}_sum{braced} {sum}\n{name}_count{braced} {below}");
    }
}

/// Samples of one family.
pub struct Samples<'a> {
    family: &'a mut Family,
}

impl Samples<'_> {
    /// A value; `labels` as [`labels`] makes them.
    pub fn value(&mut self, labels: &str, value: impl Into<Number>) {
        let (kind, value) = (self.family.kind, value.into());
        let known = self.family.values.entry(labels.to_owned());
        known.and_modify(|known| *known = known.merge(value, kind)).or_insert(value);
    }

    /// A histogram.
    pub fn histogram(&mut self, labels: &str, histogram: &Histogram) {
        let (counts, sum) = histogram.totals();
        self.buckets(labels, histogram.bounds(), &counts, sum);
    }

    /// A histogram that was counted elsewhere: `counts` has one more than `bounds`, which are the
    /// same for the whole family.
    pub fn buckets(&mut self, labels: &str, bounds: &[f64], counts: &[u64], sum: f64) {
        let Some(known) = self.family.histograms.get_mut(labels) else {
            let (bounds, counts) = (bounds.to_vec(), counts.to_vec());
            self.family.histograms.insert(labels.to_owned(), Buckets { bounds, counts, sum });
            return;
        };
        for (known, more) in known.counts.iter_mut().zip(counts) {
            *known += more;
        }
        known.sum += sum;
    }
}

fn braced(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") }
}

/// The inside of a sample's braces: labels sorted by name, values escaped.
pub fn labels(pairs: &[(&str, &str)]) -> String {
    let mut sorted = pairs.to_vec();
    sorted.sort_unstable();
    let mut text = String::new();
    for (index, (name, value)) in sorted.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(text, "{comma}{name}=\"{value}\"");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_text_that_prometheus_reads() {
        let mut exposition = Exposition::default();
        let mut family = exposition.family("b_total", Kind::Counter, "Things.");
        family.value(&labels(&[("zone", "x\"y\\"), ("server", "dns://:53")]), 2_u64);
        let histogram = Histogram::new(0, &[0.5, 8.0]);
        histogram.observe(0, Duration::from_secs(1));
        exposition.family("a_seconds", Kind::Histogram, "Times.").histogram("", &histogram);
        assert_eq!(
            exposition.into_text(),
            "# HELP a_seconds Times.\n# TYPE a_seconds histogram\n\
             a_seconds_bucket{le=\"0.5\"} 0\na_seconds_bucket{le=\"8\"} 1\n\
             a_seconds_bucket{le=\"+Inf\"} 1\na_seconds_sum 1\na_seconds_count 1\n\
             # HELP b_total Things.\n# TYPE b_total counter\n\
             b_total{server=\"dns://:53\",zone=\"x\\\"y\\\\\"} 2\n"
        );
    }
    #[test]
    fn a_series_is_told_once() {
        let mut exposition = Exposition::default();
        for value in [2, 3_u64] {
            exposition.family("a_total", Kind::Counter, "A.").value("x=\"1\"", value);
            exposition.family("b", Kind::Gauge, "B.").value("", value);
            exposition.family("c", Kind::Largest, "C.").value("", value);
            exposition.family("d_seconds", Kind::Largest, "D.").value("", value as f64 / 2.0);
            let counts = [value, 0, 1];
            let mut family = exposition.family("e", Kind::Histogram, "E.");
            family.buckets("y=\"2\"", &[0.5, 8.0], &counts, 0.25);
        }
        exposition.family("a_total", Kind::Counter, "A.").value("x=\"2\"", u64::MAX);
        let text = exposition.into_text();
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "a_total{x=\"1\"} 5",
                "a_total{x=\"2\"} 18446744073709551615",
                "b 5",
                "c 3",
                "d_seconds 1.5",
                "e_bucket{y=\"2\",le=\"0.5\"} 5",
                "e_bucket{y=\"2\",le=\"8\"} 5",
                "e_bucket{y=\"2\",le=\"+Inf\"} 7",
                "e_sum{y=\"2\"} 0.5",
                "e_count{y=\"2\"} 7",
            ]
        );
    }
}
