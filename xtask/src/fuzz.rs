//! `cargo xtask fuzz`: each parser of outside octets, fed with octets that find new ways through it.
//!
//! The targets are the programs of `fuzz/Cargo.toml`, the corpora lie in `fuzz/corpus/`. They are
//! built as `cargo fuzz` builds them, but with the compiler that builds everything else: it takes its
//! unstable flags when told to. What a run finds is kept in Cargo's target folder, for the next run;
//! `crates/plugins/tests/corpus.rs` gives the corpora to the same checks without any of this.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::Value;

use crate::{run, target, usage_of};

/// Counters on every edge and what numbers are compared with, for libFuzzer; and the address
/// sanitizer.
const FLAGS: &str = "--cfg fuzzing -Zsanitizer=address -Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

/// The longest that one input may take, in seconds, and the most memory in MiB: the sanitizer slows
/// things down about ten times, and holds back what is freed.
const LIMITS: [&str; 2] = ["-timeout=10", "-rss_limit_mb=2048"];

/// Seconds for each target, unless the command line says otherwise.
const SECONDS: u32 = 60;

/// Lines of a failed run that are shown.
const TAIL: usize = 60;

/// Runs the targets that the words name, or all.
pub(crate) fn fuzz(words: &[&str]) -> Result<ExitCode, String> {
    let (seconds, names) = match words {
        [names @ .., "--seconds", seconds] => {
            (seconds.parse().map_err(|_| usage_of("fuzz"))?, names)
        }
        names => (SECONDS, names),
    };
    let mut targets = targets()?;
    if let Some(name) = names.iter().find(|name| !targets.iter().any(|target| target == *name)) {
        return Err(format!("`{name}` is no fuzz target; there are {}", targets.join(", ")));
    }
    targets.retain(|target| names.is_empty() || names.contains(&target.as_str()));
    let room = Room { directory: target()?.join("fuzz"), host: host()? };
    room.build()?;
    let mut failed = 0;
    for target in &targets {
        failed += usize::from(!room.run(target, seconds)?);
    }
    println!("fuzz: {} passed, {failed} failed", targets.len() - failed);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/Cargo.toml")
}

/// The programs of the manifest.
fn targets() -> Result<Vec<String>, String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--no-deps", "--format-version=1", "--manifest-path"]);
    let metadata: Value =
        serde_json::from_slice(&output(cargo.arg(manifest()))?).map_err(|e| e.to_string())?;
    let targets = metadata["packages"][0]["targets"].as_array().into_iter().flatten();
    Ok(targets.filter_map(|target| target["name"].as_str()).map(str::to_owned).collect())
}

/// The machine that rustc builds for. It has to be named, or the flags would be those of build
/// scripts, too.
fn host() -> Result<String, String> {
    let version = String::from_utf8_lossy(&output(Command::new("rustc").arg("-vV"))?).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc does not say which machine it builds for")?.to_owned())
}

fn output(command: &mut Command) -> Result<Vec<u8>, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Where targets are built and run.
struct Room {
    directory: PathBuf,
    host: String,
}

impl Room {
    fn build(&self) -> Result<(), String> {
        let mut build = Command::new("cargo");
        build.args(["build", "--quiet", "--release", "--target", &self.host]);
        build.arg("--manifest-path").arg(manifest()).arg("--target-dir").arg(&self.directory);
        run(build.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", FLAGS))
    }

    /// Whether the target found nothing wrong.
    fn run(&self, target: &str, seconds: u32) -> Result<bool, String> {
        let committed = manifest().with_file_name("corpus").join(target);
        let found = self.directory.join("corpus").join(target);
        let log = self.directory.join(format!("{target}.log"));
        let file = |error| format!("{}: {error}", log.display());
        fs::create_dir_all(&found).map_err(file)?;
        let output = File::create(&log).map_err(file)?;
        let mut fuzz = Command::new(self.directory.join(&self.host).join("release").join(target));
        // New inputs go into the first folder.
        fuzz.args([&found, &committed]).args(LIMITS);
        fuzz.arg(format!("-max_total_time={seconds}"));
        fuzz.arg(format!("-artifact_prefix={}/{target}-", self.directory.display()));
        fuzz.stdout(output.try_clone().map_err(file)?).stderr(output);
        let status = fuzz.status().map_err(|error| error.to_string())?;
        let text = fs::read(&log).map_err(file)?;
        let lines: Vec<_> =
            text.split(|octet| *octet == b'\n').map(String::from_utf8_lossy).collect();
        if status.success() {
            let last = lines.iter().rev().find(|line| line.starts_with("Done "));
            println!("{target}: {}", last.map_or("nothing found", |line| line));
            return Ok(true);
        }
        for line in lines.iter().skip(lines.len().saturating_sub(TAIL)) {
            println!("{line}");
        }
        println!(
            "{target}: FAILED; the input above fails again if the program gets it as argument"
        );
        Ok(false)
    }
}
