//! The programs that Rutter is compared with and tested against, built from source in one version
//! each: CoreDNS, and a Kubernetes control plane.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of CoreDNS that Rutter replaces.
pub const COREDNS_VERSION: &str = "v1.14.7";

/// Programs that are built together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peers {
    /// `coredns`.
    CoreDns,
    /// `kube-apiserver`, `kube-controller-manager`, `etcd` and `kubectl`, in the versions of
    /// `xtask/kubernetes/go.mod`.
    Kubernetes,
}

/// Why the programs could not be built.
#[derive(Debug)]
pub enum Failure {
    /// There is no `go` command.
    NoGo,
    /// A command of the build ended with an error, which it has printed.
    Build {
        /// As it could be typed.
        command: String,
    },
    /// A file could not be written.
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Whether there was something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The programs were there already, in this version.
    Found,
    /// They were built.
    Built,
}

impl Peers {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::CoreDns, Self::Kubernetes];

    /// The word for them on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::CoreDns => "coredns",
            Self::Kubernetes => "kubernetes",
        }
    }

    /// The programs' names.
    pub fn programs(self) -> &'static [&'static str] {
        match self {
            Self::CoreDns => &["coredns"],
            Self::Kubernetes => &["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"],
        }
    }

    /// Builds the programs into `directory`, unless they are there in the version that is wanted.
    ///
    /// The first build of Kubernetes takes some minutes and 3 GB of Go's build cache.
    pub fn build(self, directory: &Path) -> Result<Outcome, Failure> {
        let stamp = Stamp { path: directory.join(format!("{}.version", self.name())) };
        let version = self.version();
        let is_there = |program: &&str| directory.join(program).exists();
        if stamp.is(&version) && self.programs().iter().all(is_there) {
            return Ok(Outcome::Found);
        }
        let file = |error| Failure::File { path: directory.to_owned(), error };
        fs::create_dir_all(directory).map_err(file)?;
        let directory = directory.canonicalize().map_err(file)?;
        match self {
            Self::CoreDns => build_coredns(&directory)?,
            Self::Kubernetes => build_kubernetes(&directory)?,
        }
        stamp.set(&version).map_err(|error| Failure::File { path: stamp.path, error })?;
        Ok(Outcome::Built)
    }

    /// Text that changes when other programs would be built.
    fn version(self) -> String {
        match self {
            Self::CoreDns => format!("{COREDNS_VERSION}\n"),
            Self::Kubernetes => {
                format!("{BUILD_FLAGS:?}\n{}", include_str!("../kubernetes/go.mod"))
            }
        }
    }
}

/// A file that says which version was built; written last, so an interrupted build leaves none.
struct Stamp {
    path: PathBuf,
}

impl Stamp {
    fn is(&self, version: &str) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|built| built == version)
    }

    fn set(&self, version: &str) -> io::Result<()> {
        fs::write(&self.path, version)
    }
}

/// As CoreDNS's own releases are built: a static binary with the default plugins.
fn build_coredns(directory: &Path) -> Result<(), Failure> {
    let package = format!("github.com/coredns/coredns@{COREDNS_VERSION}");
    let mut install = go();
    install.args(["install", "-trimpath", "-ldflags", "-s -w", &package]);
    run(install.env("GOBIN", directory))
}

/// The tags of a Kubernetes release. The linker drops the DWARF, so the compiler need not make it,
/// which halves the time.
const BUILD_FLAGS: &[&str] = &[
    "-trimpath",
    "-buildvcs=false",
    "-tags=selinux,notest,grpcnotrace",
    "-gcflags=all=-dwarf=false",
];

/// Where Kubernetes programs keep the version that they tell; without it they are `v0.0.0-master`.
const VERSION_PACKAGE: &str = "k8s.io/component-base/version";

fn build_kubernetes(directory: &Path) -> Result<(), Failure> {
    let version = kubernetes_version();
    let mut parts = version.trim_start_matches('v').split('.');
    let (major, minor) = (parts.next().unwrap_or("0"), parts.next().unwrap_or("0"));
    let link = format!(
        "-ldflags=-s -w -X {VERSION_PACKAGE}.gitVersion={version} \
         -X {VERSION_PACKAGE}.gitMajor={major} -X {VERSION_PACKAGE}.gitMinor={minor}"
    );
    let mut build = go();
    build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/kubernetes"));
    build.arg("build").arg("-o").arg(directory).args(BUILD_FLAGS).arg(link);
    run(build.args([
        "k8s.io/kubernetes/cmd/kube-apiserver",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        "k8s.io/kubernetes/cmd/kubectl",
        "go.etcd.io/etcd/server/v3",
    ]))?;
    // Go names a program after the last part of its package that is no version.
    let (from, to) = (directory.join("server"), directory.join("etcd"));
    fs::rename(&from, to).map_err(|error| Failure::File { path: from, error })
}

/// The version in go.mod.
fn kubernetes_version() -> &'static str {
    let mut lines = include_str!("../kubernetes/go.mod").lines();
    let version = lines.find_map(|line| line.trim().strip_prefix("require k8s.io/kubernetes "));
    version.and_then(|rest| rest.split(' ').next()).unwrap_or("v0.0.0")
}

fn go() -> Command {
    let mut go = Command::new("go");
    go.env("CGO_ENABLED", "0");
    go
}

fn run(command: &mut Command) -> Result<(), Failure> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Failure::NoGo),
        Ok(_) | Err(_) => {
            let words = [command.get_program()].into_iter().chain(command.get_args());
            let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
            Err(Failure::Build { command: words.join(" ") })
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGo => f.write_str(
                "the command `go` is missing: CoreDNS and Kubernetes are built from source with \
                 it. Install Go 1.26 or later from https://go.dev/dl/ and run this again",
            ),
            Self::Build { command } => write!(f, "this command failed: {command}"),
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_mod_has_the_version_that_the_programs_tell() {
        let version = kubernetes_version();
        assert!(version.starts_with("v1."), "{version}");
        assert_eq!(version.split('.').count(), 3, "{version}");
    }

    #[test]
    fn programs_of_another_version_are_not_taken() {
        let directory = std::env::temp_dir().join(format!("peers-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let stamp = Stamp { path: directory.join("coredns.version") };
        assert!(!stamp.is("v1"));
        stamp.set("v1").unwrap();
        assert!(stamp.is("v1") && !stamp.is("v2"));
        stamp.set(&Peers::CoreDns.version()).unwrap();
        fs::write(directory.join("coredns"), "").unwrap();
        assert_eq!(Peers::CoreDns.build(&directory).unwrap(), Outcome::Found);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_missing_command_is_explained() {
        let failure = run(&mut Command::new("no-such-command-as-this")).unwrap_err();
        assert!(failure.to_string().contains("https://go.dev/dl/"), "{failure}");
        let failure = run(Command::new("false").arg("now")).unwrap_err();
        assert_eq!(failure.to_string(), "this command failed: false now");
    }
}
