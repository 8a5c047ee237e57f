//! What is measured, within which limits Rutter must stay, and the table.

use std::collections::BTreeMap;

use crate::statistics::{Spread, significant};
use crate::table::Table;

/// A figure that each server has.
struct Kind {
    name: &'static str,
    unit: &'static str,
    about: &'static str,
    limit: Limit,
}

/// The most that Rutter's may be.
#[derive(Clone, Copy)]
enum Limit {
    None,
    AtMost(f64),
    /// As a multiple of this figure of CoreDNS's, taken within a round.
    Times(f64, &'static str),
}

/// All figures, in the order of the table.
const KINDS: &[Kind] = &[
    kind("start", "ms", "real API server: start to all synced", Limit::AtMost(1500.0)),
    kind("start-cpu", "ms", "the CPU time of it", Limit::Times(0.5, "start-cpu")),
    kind("memory", "MiB", "PSS, after load and changes", Limit::AtMost(20.0)),
    kind("change-rate", "/s", "changes of slices", Limit::None),
    kind("change-p50", "ms", "a slice's change to its answer", Limit::None),
    kind("change-p99", "ms", "99 of 100 of them", Limit::AtMost(50.0)),
    kind("change-max", "ms", "the slowest", Limit::None),
    kind("large-memory", "MiB", "100,000 endpoints, 50,000 pods: PSS", Limit::AtMost(60.0)),
    kind("large-peak", "MiB", "the most while all is listed again", Limit::None),
    kind("large-relist", "x", "the same, as a multiple", Limit::AtMost(1.15)),
    kind(
        "busy-loss",
        "%",
        "1,000 changes/s at half of capacity: lost throughput",
        Limit::AtMost(5.0),
    ),
    kind("quiet-max", "ms", "the slowest answer without changes, for certain", Limit::None),
    kind("busy-max", "ms", "the slowest with changes, for certain", Limit::AtMost(5.0)),
    kind("busy-seen", "ms", "the same, with what the generator itself waited", Limit::None),
    kind("tail-p99", "ms", "1,000 changes/s, 20,000 queries/s: p99", Limit::None),
    kind("tail-p999", "ms", "p99.9 there", Limit::Times(1.0, "tail-p99")),
];

const fn kind(name: &'static str, unit: &'static str, about: &'static str, limit: Limit) -> Kind {
    Kind { name, unit, about, limit }
}

/// The figures of all rounds. A round adds one to each.
#[derive(Default)]
pub(super) struct Figures {
    rounds: BTreeMap<(&'static str, &'static str), Vec<f64>>,
}

impl Figures {
    pub(super) fn add(&mut self, name: &'static str, server: &'static str, figure: f64) {
        self.rounds.entry((name, server)).or_default().push(figure);
    }

    fn of(&self, name: &'static str, server: &'static str) -> &[f64] {
        self.rounds.get(&(name, server)).map_or(&[], Vec::as_slice)
    }

    /// Whether Rutter's figure is within its limit; `None` if that was not measured.
    fn passed(&self, kind: &Kind) -> Option<bool> {
        let figures = self.of(kind.name, "rutter");
        match kind.limit {
            Limit::None => Some(true),
            Limit::AtMost(most) => {
                Spread::of(figures.iter().copied()).map(|spread| spread.median <= most)
            }
            Limit::Times(most, other) => Spread::of_ratios(figures, self.of(other, "coredns"))
                .map(|spread| spread.median <= most),
        }
    }

    /// The figures that were measured: some need a real API server.
    fn kinds(&self) -> impl Iterator<Item = &'static Kind> {
        KINDS.iter().filter(|kind| !self.of(kind.name, "rutter").is_empty())
    }

    /// Whether every limit of what was measured is kept.
    pub(super) fn are_within_limits(&self) -> bool {
        self.kinds().all(|kind| self.passed(kind) == Some(true))
    }

    /// A table in Markdown, with columns for people.
    pub(super) fn text(&self) -> String {
        let mut table =
            Table::new(&["| figure", "|", "|", "| rutter", "| coredns", "| at most", "| |"]);
        table.push(
            ["| ---", "| ---", "| ---", "| ---", "| ---", "| ---", "| --- |"].map(str::to_owned),
        );
        for kind in self.kinds() {
            let text = |server| {
                let spread = Spread::of(self.of(kind.name, server).iter().copied());
                format!("| {}", spread.map(|spread| spread.text()).unwrap_or_default())
            };
            let limit = match kind.limit {
                Limit::None => String::new(),
                Limit::AtMost(most) => significant(most),
                Limit::Times(most, other) if other == kind.name => {
                    format!("{} x coredns", significant(most))
                }
                Limit::Times(most, other) => format!("{} x coredns ({other})", significant(most)),
            };
            let verdict = match (kind.limit, self.passed(kind)) {
                (Limit::None, _) => "",
                (_, Some(true)) => "pass",
                (_, Some(false)) => "FAIL",
                (_, None) => "not measured",
            };
            table.push([
                format!("| {}", kind.name),
                format!("| {}", kind.about),
                format!("| {}", kind.unit),
                text("rutter"),
                text("coredns"),
                format!("| {limit}"),
                format!("| {verdict} |"),
            ]);
        }
        table.text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_checked() {
        let mut figures = Figures::default();
        figures.add("start", "rutter", 1400.0);
        assert!(figures.are_within_limits());
        figures.add("start-cpu", "rutter", 100.0);
        assert!(!figures.are_within_limits(), "there is nothing to hold it against");
        figures.add("start-cpu", "coredns", 300.0);
        assert!(figures.are_within_limits());
        figures.add("large-relist", "rutter", 1.2);
        assert!(!figures.are_within_limits());
        let text = figures.text();
        let line = text.lines().find(|line| line.starts_with("| large-relist")).unwrap();
        assert!(line.contains("| 1.15 ") && line.ends_with("| FAIL |"), "{text}");
    }

    #[test]
    fn every_limit_is_of_a_figure_of_its_own() {
        let mut names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
        for kind in KINDS {
            if let Limit::Times(_, other) = kind.limit {
                assert!(names.contains(&other), "{other}");
            }
        }
    }
}
