//! The text format that Prometheus reads, version 0.0.4.

use super::Histogram;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What kind of metric a family is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, sum and count.
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
    samples: Vec<String>,
}

impl Exposition {
    /// A family of metrics; the same name always has the same kind and help.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &'static str) -> Samples<'_> {
        let family =
            self.families.entry(name).or_insert(Family { kind, help, samples: Vec::new() });
        Samples { name, family }
    }

    /// The text: families by name, samples by labels.
    pub fn into_text(self) -> String {
        let mut text = String::new();
        for (name, mut family) in self.families {
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            // Writing into a string cannot fail.
            let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", family.help);
            if family.kind != Kind::Histogram {
                family.samples.sort_unstable(); // a histogram's samples have an order of their own
            }
            for sample in family.samples {
                text.push_str(&sample);
            }
        }
        text
    }
}

/// Samples of one family.
pub struct Samples<'a> {
    name: &'static str,
    family: &'a mut Family,
}

impl Samples<'_> {
    /// A value; `labels` as [`labels`] makes them.
    pub fn value(&mut self, labels: &str, value: impl std::fmt::Display) {
        self.family.samples.push(format!("{}{} {value}\n", self.name, braced(labels)));
    }

    /// A histogram.
    pub fn histogram(&mut self, labels: &str, histogram: &Histogram) {
        let (counts, sum) = histogram.totals();
        self.buckets(labels, histogram.bounds(), &counts, sum);
    }

    /// A histogram that was counted elsewhere: `counts` has one more than `bounds`.
    pub fn buckets(&mut self, labels: &str, bounds: &[f64], counts: &[u64], sum: f64) {
        let name = self.name;
        let comma = if labels.is_empty() { "" } else { "," };
        let mut text = String::new();
        let mut below = 0;
        for (index, count) in counts.iter().enumerate() {
            below += count;
            let bound = bounds.get(index).map_or("+Inf".to_owned(), ToString::to_string);
            let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {below}");
        }
        let braced = braced(labels);
        let _ = writeln!(text, "{name}_sum{braced} {sum}\n{name}_count{braced} {below}");
        self.family.samples.push(text);
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
        family.value(&labels(&[("zone", "x\"y\\"), ("server", "dns://:53")]), 2);
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
}
