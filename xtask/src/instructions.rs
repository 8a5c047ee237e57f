//! `cargo xtask instructions`: what an answer from memory costs, beside what it cost when that was
//! last written down.
//!
//! Instructions, unlike time, are the same on a busy machine. Valgrind counts those of two runs that
//! differ in nothing but how many questions they answer, so that what comes before the first question
//! does not count. The cases are those of `crates/plugins/src/bin/hotpath.rs`, the figures stand in
//! `bench/instructions.ARCHITECTURE.txt`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::{run, target, usage_of};

/// How many questions the two runs answer.
const ANSWERS: [u64; 2] = [1_000, 11_000];

/// By how much a figure may change, in percent: more than a new version of a dependency or of the
/// system's library makes of it, and less than a mistake.
const TOLERANCE: u64 = 5;

/// Instructions for an answer, by case.
type Figures = BTreeMap<String, u64>;

/// Counts, and compares with the figures that are written down, or writes them down.
pub(crate) fn instructions(words: &[&str]) -> Result<ExitCode, String> {
    let bless = match words {
        [] => false,
        ["--bless"] => true,
        _ => return Err(usage_of("instructions")),
    };
    // The packages are those of every release build: no dependency is built with other features.
    let mut build = Command::new("cargo");
    build.args(["build", "--quiet", "--release", "--bins"]);
    run(build.args(["--package=server", "--package=bench", "--package=plugins"]))?;
    let measured = measure(&target()?.join("release/hotpath"))?;
    let path = table();
    let told = |error| format!("{}: {error}", path.display());
    if bless {
        fs::write(&path, written(&measured)).map_err(told)?;
    }
    let recorded = read(&fs::read_to_string(&path).map_err(told)?)?;
    let verdicts = judge(&recorded, &measured);
    println!("{}", shown(&verdicts));
    let passed = verdicts.iter().all(Verdict::passed);
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn table() -> PathBuf {
    let name = format!("../bench/instructions.{}.txt", std::env::consts::ARCH);
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn measure(program: &Path) -> Result<Figures, String> {
    let cases = Command::new(program).output().map_err(|error| error.to_string())?;
    let cases = String::from_utf8_lossy(&cases.stdout).into_owned();
    let figure = |case: &str| {
        let [short, long] = ANSWERS.map(|answers| count(program, case, answers));
        Ok((case.to_owned(), (long? - short?) / (ANSWERS[1] - ANSWERS[0])))
    };
    cases.lines().map(figure).collect()
}

/// The instructions of a run that answers so many questions.
fn count(program: &Path, case: &str, answers: u64) -> Result<u64, String> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(program).arg(case).arg(answers.to_string());
    let output = valgrind
        .output()
        .map_err(|error| format!("valgrind: {error}; it is a package of every distribution"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let total = total(&text).filter(|_| output.status.success());
    total.ok_or_else(|| format!("valgrind could not count `{case}`: {}\n{text}", output.status))
}

/// What valgrind says at its end: `==7== I   refs:      28,256,491`.
fn total(text: &str) -> Option<u64> {
    let (_, number) = text.lines().rev().find_map(|line| line.split_once("refs:"))?;
    number.trim().replace(',', "").parse().ok()
}

fn written(figures: &Figures) -> String {
    let mut text = "# Instructions for an answer: `cargo xtask instructions --bless`.\n".to_owned();
    for (case, figure) in figures {
        let _ = writeln!(text, "{case} {figure}"); // writing into a string cannot fail
    }
    text
}

fn read(text: &str) -> Result<Figures, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let figure = |line: &str| {
        let (case, figure) = line.split_once(' ')?;
        Some((case.to_owned(), figure.parse().ok()?))
    };
    lines.map(|line| figure(line).ok_or_else(|| format!("`{line}` is no figure"))).collect()
}

/// A case, with its figure as it was and as it is.
struct Verdict {
    case: String,
    recorded: Option<u64>,
    measured: Option<u64>,
}

fn judge(recorded: &Figures, measured: &Figures) -> Vec<Verdict> {
    let mut cases: Vec<_> = recorded.keys().chain(measured.keys()).cloned().collect();
    cases.sort_unstable();
    cases.dedup();
    let of = |figures: &Figures, case: &String| figures.get(case).copied();
    let verdict =
        |case| Verdict { recorded: of(recorded, &case), measured: of(measured, &case), case };
    cases.into_iter().map(verdict).collect()
}

impl Verdict {
    fn passed(&self) -> bool {
        matches!((self.recorded, self.measured), (Some(was), Some(is)) if !exceeds(is, was))
    }

    /// What to do about it, if anything.
    fn remark(&self) -> &'static str {
        match (self.recorded, self.measured) {
            (Some(was), Some(is)) if exceeds(is, was) => "FAIL: more than before",
            (Some(was), Some(is)) if falls_short(is, was) => "fewer than before: --bless it",
            (Some(_), Some(_)) => "",
            (None, _) => "FAIL: a new case: --bless it",
            (_, None) => "FAIL: no such case: --bless it",
        }
    }
}

fn exceeds(is: u64, was: u64) -> bool {
    is * 100 > was * (100 + TOLERANCE)
}

fn falls_short(is: u64, was: u64) -> bool {
    is * 100 < was * (100 - TOLERANCE)
}

fn shown(verdicts: &[Verdict]) -> String {
    let text = |figure: Option<u64>| figure.map_or_else(|| "-".to_owned(), |it| it.to_string());
    let mut shown = format!("{:24}{:>10}{:>10}", "instructions an answer", "recorded", "now");
    for verdict in verdicts {
        let figures = [verdict.recorded, verdict.measured].map(text);
        let remark = verdict.remark();
        let line = format!("{:24}{:>10}{:>10}  {remark}", verdict.case, figures[0], figures[1]);
        let _ = write!(shown, "\n{}", line.trim_end()); // writing into a string cannot fail
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_valgrind_says_is_read() {
        let text = "==7== Events    : Ir\n==7== Collected : 28256491\n==7== \n\
                    ==7== I   refs:      28,256,491\n";
        assert_eq!(total(text), Some(28_256_491));
        assert_eq!(total("==7== I refs: 7\n"), Some(7));
        assert_eq!(total("valgrind: no such program\n"), None);
    }

    #[test]
    fn five_percent_are_borne_and_no_more() {
        let figures = |text: &str| read(text).unwrap();
        let remark = |was: &str, is: &str| {
            let [verdict] = &judge(&figures(was), &figures(is))[..] else { panic!("one case") };
            (verdict.passed(), verdict.remark())
        };
        assert_eq!(remark("a 100", "a 105"), (true, ""));
        assert_eq!(remark("a 100", "a 106"), (false, "FAIL: more than before"));
        assert_eq!(remark("a 100", "a 95"), (true, ""));
        assert_eq!(remark("a 100", "a 94"), (true, "fewer than before: --bless it"));
        assert_eq!(remark("", "a 1"), (false, "FAIL: a new case: --bless it"));
        assert_eq!(remark("a 1", ""), (false, "FAIL: no such case: --bless it"));
    }

    #[test]
    fn what_is_written_is_read() {
        let figures = Figures::from([("a".to_owned(), 1), ("b-c".to_owned(), 23)]);
        assert_eq!(read(&written(&figures)), Ok(figures));
        assert_eq!(read("a b"), Err("`a b` is no figure".to_owned()));
    }
}
