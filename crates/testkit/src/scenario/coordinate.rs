//! Runs files of scenarios, several at a time.

use super::markdown::{Document, Section};
use super::play::{Outcome, play};
use super::report::{Failure, FileReport, Report};
use super::server::Server;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Servers that run at a time, for each core: they mostly wait.
const AT_A_TIME: usize = 3;

/// Plays every scenario of the files against the server and tells what came out.
///
/// A file that cannot be read, or that has a mistake, is a failure of the report.
pub fn run(files: &[impl AsRef<Path>], server: &Server) -> Report {
    let begun = Instant::now();
    let mut reports: Vec<FileReport> = Vec::new();
    let mut sections: Vec<(usize, Section)> = Vec::new();
    for (index, path) in files.iter().enumerate() {
        let path = path.as_ref();
        let mut report = FileReport { path: path.to_owned(), ..FileReport::default() };
        match read(path) {
            Ok(document) => sections.extend(document.sections.into_iter().map(|s| (index, s))),
            Err(failure) => report.failures.push(failure),
        }
        reports.push(report);
    }
    for ((index, section), outcome) in sections.iter().zip(play_all(&sections, server)) {
        let report = &mut reports[*index];
        match outcome {
            None => report.skipped += 1,
            Some(Outcome { lacking: Some(lacking), .. }) => {
                report.unplayable.push(format!("{}: {lacking}", section.title));
            }
            Some(outcome) => {
                report.scenarios += 1;
                report.steps += outcome.steps;
                report.differences.extend(outcome.differences);
                report.failures.extend(outcome.failures);
            }
        }
    }
    Report { kind: server.kind, files: reports, took: begun.elapsed() }
}

/// A whole test program: plays the files that its command line names, all if it names none, and
/// prints what came out.
#[expect(clippy::print_stdout, reason = "the report is what the test is for")]
pub fn test(server: &Server) -> ExitCode {
    let words = std::env::args().skip(1).filter(|word| !word.starts_with('-'));
    let words: Vec<String> = words.collect();
    let files = match files(&words) {
        Ok(files) => files,
        Err(error) => {
            println!("the scenarios of the workspace: {error}");
            return ExitCode::FAILURE;
        }
    };
    // `cargo test WORD` gives the word to every test.
    if files.is_empty() && !words.is_empty() {
        return ExitCode::SUCCESS;
    }
    let report = run(&files, server);
    println!("{report}");
    if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The workspace's scenario files: those of `scenarios/` and the manuals of the plugins. With words,
/// those with one of them in their path.
pub fn files(words: &[impl AsRef<str>]) -> std::io::Result<Vec<PathBuf>> {
    let workspace =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(""));
    let mut files = files_of(&workspace.join("scenarios"))?;
    for plugin in std::fs::read_dir(workspace.join("crates/plugins/src"))? {
        let manual = plugin?.path().join("README.md");
        files.extend(manual.exists().then_some(manual));
    }
    files.sort();
    files.retain(|file| {
        let path = file.strip_prefix(workspace).unwrap_or(file).to_string_lossy();
        words.is_empty() || words.iter().any(|word| path.contains(word.as_ref()))
    });
    Ok(files)
}

/// The scenario files of a folder, by name; README.md tells about them and is none.
fn files_of(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_scenario = path.extension().is_some_and(|extension| extension == "md");
        if is_scenario && !path.ends_with("README.md") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Document, Failure> {
    let title = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(0, &title, error.to_string()))?;
    Document::read(&text).map_err(|mistake| Failure::new(mistake.line, &title, mistake.message))
}

/// Each section's outcome, in their order.
fn play_all(sections: &[(usize, Section)], server: &Server) -> Vec<Option<Outcome>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let outcomes: Mutex<Vec<(usize, Option<Outcome>)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..(cores * AT_A_TIME).min(sections.len()) {
            scope.spawn(|| {
                while let number = next.fetch_add(1, Ordering::Relaxed)
                    && let Some((_, section)) = sections.get(number)
                {
                    let outcome = play(section, server);
                    let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                    outcomes.push((number, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(number, _)| *number);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}
