//! Whether Rutter stays within its limits.

use serde_json::{Value, json};

use super::samples::Samples;
use super::workload::{Kind, LIMITS, Limit, Workload};
use crate::statistics::{Spread, significant};
use crate::table::Table;

/// A limit and what was measured.
pub(super) struct Verdict {
    limit: &'static Limit,
    /// In the unit of the limit; `None` if one of the servers did not take part.
    measured: Option<Spread>,
}

/// Judges `samples` by the limits of `workloads`.
pub(super) fn judge(samples: &Samples, workloads: &[&'static Workload]) -> Vec<Verdict> {
    let named = |name| workloads.iter().any(|workload| workload.name == name);
    let limits = LIMITS.iter().filter(|limit| named(limit.workload));
    limits.map(|limit| Verdict { limit, measured: measured(limit, samples) }).collect()
}

fn measured(limit: &Limit, samples: &Samples) -> Option<Spread> {
    let figures = samples.figures(limit.workload, Kind::Rutter);
    match limit.times {
        Some((reference, kind)) => Spread::of_ratios(&figures, &samples.figures(reference, kind)),
        None => Spread::of(figures),
    }
}

impl Verdict {
    pub(super) fn workload(&self) -> Option<&'static Workload> {
        Workload::named(self.limit.workload)
    }

    /// Whether the median is within the limit; `None` if it was not measured.
    pub(super) fn passed(&self) -> Option<bool> {
        Some(self.measured?.median <= self.limit.at_most)
    }

    fn word(&self) -> &'static str {
        match self.passed() {
            Some(true) => "pass",
            Some(false) => "FAIL",
            None => "not measured",
        }
    }

    /// What the limit says, as in `1.25 x echo`.
    fn limit_text(&self) -> String {
        let at_most = significant(self.limit.at_most);
        match self.limit.times {
            Some((workload, kind)) if workload == self.limit.workload => {
                format!("{at_most} x {}", kind.name())
            }
            Some((workload, kind)) => format!("{at_most} x {} ({workload})", kind.name()),
            None => format!("{at_most} {}", self.workload().map_or("", Workload::unit)),
        }
    }

    fn json(&self) -> Value {
        json!({
            "workload": self.limit.workload,
            "limit": self.limit_text(),
            "at_most": self.limit.at_most,
            "median": self.measured.map(|spread| spread.median),
            "min": self.measured.map(|spread| spread.min),
            "max": self.measured.map(|spread| spread.max),
            "verdict": self.word(),
        })
    }
}

pub(super) fn table(verdicts: &[Verdict]) -> Table {
    let mut table = Table::new(&["verdict", "workload", "at most", "measured"]);
    for verdict in verdicts {
        let measured = verdict.measured.map(|spread| spread.text()).unwrap_or_default();
        let workload = verdict.limit.workload.to_owned();
        table.push([verdict.word().to_owned(), workload, verdict.limit_text(), measured]);
    }
    table
}

pub(super) fn json(verdicts: &[Verdict]) -> Value {
    verdicts.iter().map(Verdict::json).collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples::tests::samples;
    use super::*;

    fn verdict(samples: &Samples, workload: &str, limit: &str) -> Option<bool> {
        let verdicts = judge(samples, &[Workload::named(workload).unwrap()]);
        let verdict = verdicts.iter().find(|verdict| verdict.limit_text() == limit);
        verdict.unwrap_or_else(|| panic!("no limit {limit}")).passed()
    }

    #[test]
    fn multiples_are_judged_by_the_median_of_the_rounds() {
        let samples = samples(&[
            ("hosts", Kind::Rutter, &[2.4, 3.9, 2.5]),
            ("hosts", Kind::Echo, &[2.0, 3.0, 2.0]),
        ]);
        assert_eq!(verdict(&samples, "hosts", "1.25 x echo"), Some(true), "1.2, 1.3, 1.25");
        assert_eq!(verdict(&samples, "hosts", "0.35 x coredns"), None);
    }

    #[test]
    fn misses_are_held_against_hits() {
        let with_misses_at = |us| {
            samples(&[("nxdomain", Kind::Rutter, &[us]), ("kubernetes", Kind::Rutter, &[2.0])])
        };
        let limit = "1.05 x rutter (kubernetes)";
        assert_eq!(verdict(&with_misses_at(2.1), "nxdomain", limit), Some(true));
        assert_eq!(verdict(&with_misses_at(2.2), "nxdomain", limit), Some(false));
    }

    #[test]
    fn one_lost_query_is_too_many() {
        let lost = |count| samples(&[("rate-50k-lost", Kind::Rutter, &[count])]);
        assert_eq!(verdict(&lost(0.0), "rate-50k-lost", "0 lost"), Some(true));
        assert_eq!(verdict(&lost(1.0), "rate-50k-lost", "0 lost"), Some(false));
    }

    #[test]
    fn the_table_names_limit_value_and_verdict() {
        let samples = samples(&[("memory", Kind::Rutter, &[21.5])]);
        let verdicts = judge(&samples, &[Workload::named("memory").unwrap()]);
        let text = table(&verdicts).text();
        assert!(text.ends_with("FAIL     memory    20.0 MiB  21.5"), "{text}");
        assert_eq!(json(&verdicts)[0]["verdict"], "FAIL");
    }
}
