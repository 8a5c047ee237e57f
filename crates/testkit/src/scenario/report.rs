//! What came out.

use super::server::Kind;
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The outcome of a run; its text is for people.
#[derive(Debug)]
pub struct Report {
    /// Which server was run.
    pub kind: Kind,
    /// Each file's outcome, in the order in which they were given.
    pub files: Vec<FileReport>,
    /// How long it all took.
    pub took: Duration,
}

/// The outcome of one file.
#[derive(Debug, Default)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// Scenarios that were played.
    pub scenarios: usize,
    /// Scenarios that have nothing for this server.
    pub skipped: usize,
    /// Scenarios that need what this machine does not have, each with what that is.
    pub unplayable: Vec<String>,
    /// Steps that saw whether something is so.
    pub steps: usize,
    /// Steps in which the two servers differ by declaration.
    pub differences: Vec<Difference>,
    /// What was not so.
    pub failures: Vec<Failure>,
}

/// A declaration that the two servers differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// The line of the fence that it is about.
    pub line: usize,
    /// Why.
    pub reason: String,
}

/// Something that was not so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The line of the fence.
    pub line: usize,
    /// The scenario's title.
    pub scenario: String,
    /// What was expected, and what came instead.
    pub what: String,
    /// The last lines that the server wrote.
    pub log: Vec<String>,
}

impl Failure {
    pub(super) fn new(line: usize, scenario: &str, what: String) -> Self {
        Self { line, scenario: scenario.to_owned(), what, log: Vec::new() }
    }

    pub(super) fn with_log(self, log: Vec<String>) -> Self {
        Self { log, ..self }
    }
}

impl Report {
    /// Whether everything was as expected, and there was something to see.
    pub fn passed(&self) -> bool {
        self.failure_count() == 0 && self.files.iter().any(|file| file.steps > 0)
    }

    /// How many things were not as expected.
    pub fn failure_count(&self) -> usize {
        self.files.iter().map(|file| file.failures.len()).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.files {
            for failure in &file.failures {
                write!(f, "FAILED {}:{} ", file.name(), failure.line)?;
                writeln!(f, "({}): {}", self.kind, failure.scenario)?;
                write_indented(f, &failure.what)?;
                if !failure.log.is_empty() {
                    write_indented(f, "the server wrote, at last")?;
                    write_indented(f, &failure.log.join("\n"))?;
                }
                writeln!(f)?;
            }
            for reason in &file.unplayable {
                writeln!(f, "SKIPPED {} ({}): {reason}", file.name(), self.kind)?;
            }
        }
        let mut total = FileReport { path: "total".into(), ..FileReport::default() };
        for file in &self.files {
            writeln!(f, "{file}")?;
            total.scenarios += file.scenarios;
            total.skipped += file.skipped;
            total.steps += file.steps;
            total.differences.extend_from_slice(&file.differences);
            total.failures.extend_from_slice(&file.failures);
        }
        writeln!(f, "{total}, {} in {:.1} s", self.kind, self.took.as_secs_f64())
    }
}

impl FileReport {
    /// How many of its scenarios have a failure; 1 if the file could not be read.
    pub fn failed(&self) -> usize {
        let titles = self.failures.iter().map(|failure| &failure.scenario);
        titles.collect::<BTreeSet<_>>().len()
    }

    /// The file and its folder: enough to find it.
    pub fn name(&self) -> String {
        let steps: Vec<_> = self.path.iter().rev().take(2).collect();
        let path: PathBuf = steps.into_iter().rev().collect();
        path.display().to_string()
    }
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<32} {:>3} scenarios {:>4} steps", self.name(), self.scenarios, self.steps)?;
        write!(f, " {:>3} differences", self.differences.len())?;
        if self.skipped > 0 {
            write!(f, " {:>2} not for this server", self.skipped)?;
        }
        match self.failures.len() {
            0 => Ok(()),
            failures => write!(f, " {failures} FAILED"),
        }
    }
}

fn write_indented(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    text.lines().try_for_each(|line| writeln!(f, "    {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_shows_failures_first_and_sums_up() {
        let failure = Failure::new(7, "One", "asked\nx. A".to_owned());
        let file = FileReport {
            path: "a.md".into(),
            scenarios: 2,
            skipped: 1,
            unplayable: vec!["Two: no address".to_owned()],
            steps: 5,
            differences: vec![Difference { line: 9, reason: "its words".to_owned() }],
            failures: vec![failure.with_log(vec!["[INFO] up".to_owned()])],
        };
        let took = Duration::from_millis(1500);
        let mut report = Report { kind: Kind::CoreDns, files: vec![file], took };
        let text = "FAILED a.md:7 (CoreDNS): One\n    asked\n    x. A\n    the server wrote, at last\n    [INFO] up\n\n\
            SKIPPED a.md (CoreDNS): Two: no address\n\
            a.md                               2 scenarios    5 steps   1 differences  1 not for this server 1 FAILED\n\
            total                              2 scenarios    5 steps   1 differences  1 not for this server 1 FAILED, CoreDNS in 1.5 s\n";
        assert_eq!(report.to_string(), text);
        assert_eq!(report.files[0].failed(), 1);
        assert!(!report.passed());
        report.files[0].failures.clear();
        assert!(report.passed());
        report.files[0].steps = 0;
        assert!(!report.passed());
    }
}
