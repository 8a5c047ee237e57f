//! `cargo xtask image`: the files of the image, as a folder.
//!
//! One static program, so that the image needs nothing else, and links under the names by which
//! others start it. `deploy/Dockerfile` copies the folder; tests run the program from it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::{run, target, usage_of};

/// The most octets of the image.
const SIZE_MAX: u64 = 15_000_000;

/// CoreDNS's program stands at `/coredns`; some deployments look for it along the path.
const LINKS: [(&str, &str); 2] = [("coredns", "bin/rutter"), ("bin/coredns", "rutter")];

/// Builds the program and lays out the folder; one that is there already is replaced.
pub(crate) fn image(words: &[&str]) -> Result<ExitCode, String> {
    let directory = match words {
        [] => target()?.join("image"),
        [directory] => PathBuf::from(directory),
        _ => return Err(usage_of("image")),
    };
    build()?;
    let program =
        lay_out(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let size = fs::metadata(&program).map_err(|error| error.to_string())?.len();
    if size > SIZE_MAX {
        return Err(format!("the program has {size} octets, and the image {SIZE_MAX} at most"));
    }
    allow_low_ports(&program)?;
    println!("{}: {size} octets", directory.display());
    Ok(ExitCode::SUCCESS)
}

/// Only the last step of the build differs from that of `cargo build --release`.
fn build() -> Result<(), String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["rustc", "--release", "--package=server", "--bin=rutter", "--"]);
    run(cargo.args(["-Ctarget-feature=+crt-static", "-Cstrip=symbols"]))
}

fn lay_out(directory: &Path) -> std::io::Result<PathBuf> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    fs::create_dir_all(directory.join("bin"))?;
    let program = directory.join("bin/rutter");
    let built = target().map_err(std::io::Error::other)?.join("release/rutter");
    fs::copy(built, &program)?;
    for (link, leads_to) in LINKS {
        symlink(leads_to, directory.join(link))?;
    }
    Ok(program)
}

/// Lets the program bind ports below 1024 as an ordinary user, where that is granted to the pod.
fn allow_low_ports(program: &Path) -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        println!("not run by root: the program may not bind port 53 as another user");
        return Ok(());
    }
    run(Command::new("setcap").arg("cap_net_bind_service=+p").arg(program))
}
