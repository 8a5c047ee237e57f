//! The figures of a comparison, and how they are shown.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::workload::{Kind, WORKLOADS, Workload};
use crate::blast::report::Report;
use crate::statistics::{Spread, significant};
use crate::table::Table;

/// One figure of one round.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// In the unit of its workload.
    pub(super) figure: f64,
    /// What else the load showed, where there was one.
    pub(super) load: Option<LoadFacts>,
}

/// What is shown beside a figure, for those who ask why.
#[derive(Clone, Debug)]
pub(super) struct LoadFacts {
    user_us: f64,
    per_second: f64,
    p99_us: f64,
    sent: u64,
    lost: u64,
}

impl LoadFacts {
    pub(super) fn of(report: &Report) -> Self {
        Self {
            user_us: report.server_user_us().unwrap_or(0.0),
            per_second: report.answers_per_second(),
            p99_us: report.tally.latency.quantile_ns(0.99) as f64 / 1e3,
            sent: report.sent,
            lost: report.tally.lost,
        }
    }
}

/// All figures, by workload and server. A round adds one to each, so the n-th of two workloads or
/// servers were taken in the same round.
#[derive(Default)]
pub(super) struct Samples {
    rounds: BTreeMap<(&'static str, Kind), Vec<Sample>>,
}

impl Samples {
    pub(super) fn add(&mut self, workload: &'static Workload, kind: Kind, sample: Sample) {
        self.rounds.entry((workload.name, kind)).or_default().push(sample);
    }

    /// Takes the figures of `newer` in place of its own.
    pub(super) fn replace_with(&mut self, newer: Self) {
        self.rounds.extend(newer.rounds);
    }

    pub(super) fn figures(&self, workload: &'static str, kind: Kind) -> Vec<f64> {
        self.of(workload, kind).iter().map(|sample| sample.figure).collect()
    }

    /// The multiples of another server's figure in the same workload.
    fn times(&self, workload: &'static str, kind: Kind, reference: Kind) -> Option<Spread> {
        Spread::of_ratios(&self.figures(workload, kind), &self.figures(workload, reference))
    }

    fn of(&self, workload: &'static str, kind: Kind) -> &[Sample] {
        self.rounds.get(&(workload, kind)).map_or(&[], Vec::as_slice)
    }

    /// Workloads and servers that have figures, in the order of the table.
    fn measured(&self) -> impl Iterator<Item = (&'static Workload, Kind, &[Sample])> {
        let pairs = WORKLOADS.iter().flat_map(|workload| Kind::ALL.map(|kind| (workload, kind)));
        let with = pairs.map(|(workload, kind)| (workload, kind, self.of(workload.name, kind)));
        with.filter(|(_, _, samples)| !samples.is_empty())
    }

    pub(super) fn table(&self) -> Table {
        let head = [
            "workload",
            "server",
            "figure",
            "",
            "user us",
            "k/s",
            "p99 us",
            "lost",
            "x echo",
            "x coredns",
        ];
        let mut table = Table::new(&head);
        for (workload, kind, samples) in self.measured() {
            let spread = Spread::of(samples.iter().map(|sample| sample.figure));
            let mut row = vec![workload.name.to_owned(), kind.name().to_owned()];
            row.push(spread.map(|spread| spread.text()).unwrap_or_default());
            row.push(workload.unit().to_owned());
            row.extend(load_cells(samples));
            for reference in [Kind::Echo, Kind::CoreDns] {
                let times = self.times(workload.name, kind, reference);
                let shown = times.filter(|_| kind != reference && workload.has_ratios());
                row.push(shown.map(|times| times.text()).unwrap_or_default());
            }
            table.push(row);
        }
        table
    }

    pub(super) fn json(&self) -> Value {
        let rows = self.measured().map(|(workload, kind, samples)| {
            let loads: Vec<&LoadFacts> = samples.iter().filter_map(|it| it.load.as_ref()).collect();
            let each = |fact: fn(&LoadFacts) -> f64| -> Vec<f64> {
                loads.iter().map(|load| fact(load)).collect()
            };
            json!({
                "workload": workload.name,
                "server": kind.name(),
                "unit": workload.unit(),
                "figures": samples.iter().map(|sample| sample.figure).collect::<Vec<_>>(),
                "user_us": each(|load| load.user_us),
                "per_second": each(|load| load.per_second),
                "p99_us": each(|load| load.p99_us),
                "sent": each(|load| load.sent as f64),
                "lost": each(|load| load.lost as f64),
            })
        });
        rows.collect()
    }
}

/// User time, rate, latency and losses; empty where there was no load.
fn load_cells(samples: &[Sample]) -> [String; 4] {
    let loads: Vec<&LoadFacts> = samples.iter().filter_map(|sample| sample.load.as_ref()).collect();
    let median = |fact: fn(&LoadFacts) -> f64| {
        let spread = Spread::of(loads.iter().map(|load| fact(load)));
        spread.map(|spread| significant(spread.median)).unwrap_or_default()
    };
    let sum = |fact: fn(&LoadFacts) -> u64| loads.iter().map(|load| fact(load)).sum::<u64>();
    let lost = match loads[..] {
        [] => String::new(),
        _ => format!("{} of {}", sum(|load| load.lost), sum(|load| load.sent)),
    };
    [
        median(|load| load.user_us),
        median(|load| load.per_second / 1e3),
        median(|load| load.p99_us),
        lost,
    ]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::compare) fn samples(rows: &[(&str, Kind, &[f64])]) -> Samples {
        let mut samples = Samples::default();
        for (workload, kind, figures) in rows {
            let workload = Workload::named(workload).unwrap();
            for figure in *figures {
                samples.add(workload, *kind, Sample { figure: *figure, load: None });
            }
        }
        samples
    }

    #[test]
    fn the_table_shows_medians_and_multiples() {
        let samples = samples(&[
            ("hosts", Kind::CoreDns, &[9.0, 12.0, 9.0]),
            ("hosts", Kind::Echo, &[3.0, 4.0, 3.0]),
            ("hosts-start", Kind::CoreDns, &[120.0]),
        ]);
        let text = samples.table().text();
        let rows: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1], ["hosts", "echo", "3.00", "(3.00-4.00)", "us", "0.33"]);
        assert_eq!(rows[2], ["hosts", "coredns", "9.00", "(9.00-12.0)", "us", "3.00"]);
        assert_eq!(rows[3], ["hosts-start", "coredns", "120", "ms"]);
        let json = samples.json();
        assert_eq!(json[1]["figures"], json!([9.0, 12.0, 9.0]));
    }

    #[test]
    fn newer_figures_take_the_place_of_older_ones() {
        let mut older = samples(&[("hosts", Kind::Echo, &[1.0]), ("zone", Kind::Echo, &[1.0])]);
        older.replace_with(samples(&[("hosts", Kind::Echo, &[2.0, 3.0])]));
        assert_eq!(older.figures("hosts", Kind::Echo), [2.0, 3.0]);
        assert_eq!(older.figures("zone", Kind::Echo), [1.0]);
    }
}
