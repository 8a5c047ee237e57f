//! `cargo xtask compare`: every scenario against Rutter and against CoreDNS, its witness.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use testkit::scenario::{self, Difference, FileReport, Report, Server};

use crate::{run, target, usage_of};

/// Plays the scenario files with one of the words in their path, or all, against both servers.
pub(crate) fn compare(words: &[&str]) -> Result<ExitCode, String> {
    let (program, words) = match words {
        ["--rutter", program, words @ ..] => (absolute(program)?, words),
        words => (build()?, words),
    };
    if let Some(option) = words.iter().find(|word| word.starts_with('-')) {
        return Err(format!("`{option}` is no option\n\n{}", usage_of("compare")));
    }
    let coredns = Server::coredns().ok_or(
        "there is no CoreDNS to compare with: `cargo xtask peers coredns` builds it, which needs Go",
    )?;
    let files = scenario::files(words).map_err(|error| error.to_string())?;
    if files.is_empty() {
        return Err(format!("no scenario file has `{}` in its path", words.join("` or `")));
    }
    let reports = [Server::rutter(program), coredns].map(|server| scenario::run(&files, &server));
    println!("{}", summary(&reports));
    Ok(if reports.iter().all(Report::passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds the server as `cargo run` would and gives its program.
fn build() -> Result<PathBuf, String> {
    run(Command::new("cargo").args(["build", "--quiet", "--package=server"]))?;
    Ok(target()?.join("debug/rutter"))
}

/// Servers are started in folders of their own.
fn absolute(program: &str) -> Result<PathBuf, String> {
    std::path::absolute(program).map_err(|error| format!("{program}: {error}"))
}

/// What came out, and why the servers differ where they may.
fn summary(reports: &[Report]) -> String {
    let mut text = String::new();
    for report in reports {
        let _ = writeln!(text, "{report}"); // writing into a string cannot fail
    }
    let declared = declared(reports);
    let count = declared.values().map(BTreeSet::len).sum::<usize>();
    let _ = writeln!(text, "{count} declared differences");
    for (file, differences) in declared {
        let _ = writeln!(text, "{file}");
        for (reason, lines) in by_reason(&differences) {
            let _ = writeln!(text, "    {reason} ({lines})");
        }
    }
    let files = || reports.iter().flat_map(|report| &report.files);
    let failed: usize = files().map(FileReport::failed).sum();
    let played: usize = files().map(|file| file.scenarios).sum();
    let _ = write!(text, "\ncompare: {} passed, {failed} failed", played.saturating_sub(failed));
    text
}

/// The differences of each file. One that only one of the servers plays is in its report alone.
fn declared(reports: &[Report]) -> BTreeMap<String, BTreeSet<&Difference>> {
    let mut declared = BTreeMap::<_, BTreeSet<_>>::new();
    for file in reports.iter().flat_map(|report| &report.files) {
        if !file.differences.is_empty() {
            declared.entry(file.name()).or_default().extend(&file.differences);
        }
    }
    declared
}

/// Each reason, and the lines of its fences.
fn by_reason<'a>(differences: &BTreeSet<&'a Difference>) -> BTreeMap<&'a str, String> {
    let mut lines = BTreeMap::<&str, String>::new();
    for Difference { line, reason } in differences {
        let lines = lines.entry(reason).or_insert_with(|| "line".to_owned());
        let _ = write!(lines, " {line}"); // writing into a string cannot fail
    }
    lines
}
