//! Which server a scenario runs against.

use std::fmt;
use std::path::{Path, PathBuf};

/// A server to start: what it is, and where its binary lies.
#[derive(Clone, Debug)]
pub struct Server {
    /// Which of the two.
    pub kind: Kind,
    /// Its binary.
    pub binary: PathBuf,
}

/// The two servers for which scenarios are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This project's.
    Rutter,
    /// The one that it replaces.
    CoreDns,
}

impl Server {
    /// Rutter. Integration tests of the server pass `env!("CARGO_BIN_EXE_rutter")`.
    pub fn rutter(binary: impl Into<PathBuf>) -> Self {
        Self { kind: Kind::Rutter, binary: binary.into() }
    }

    /// CoreDNS: the binary that `$COREDNS` names, else `target/peers/coredns` of the workspace;
    /// none if there is no such file.
    pub fn coredns() -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
        let named = std::env::var("COREDNS").ok().map(PathBuf::from);
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let binary = named.unwrap_or_else(|| workspace.join("target/peers/coredns"));
        binary.is_file().then_some(Self { kind: Kind::CoreDns, binary })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rutter => "Rutter",
            Self::CoreDns => "CoreDNS",
        })
    }
}
