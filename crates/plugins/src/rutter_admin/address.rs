//! A place on this machine where a server can be asked about itself.

use corefile::kind::{Kind, Wrong};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// The most octets of a socket's path, room for the ending of its first name included: what
/// unix(7) allows is 107.
const PATH_MAX: usize = 100;

/// A place on this machine: a socket in the file system, or a port of a loopback address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A unix domain socket, at most 100 octets long: who may open it is decided by its mode.
    Unix(PathBuf),
    /// A loopback address: everybody on this machine may connect.
    Tcp(SocketAddr),
}

/// `unix:/run/rutter/admin.sock`, `127.0.0.1:9154`
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "{address}"),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    /// What is wrong is told as a sentence that names what to write.
    fn from_str(word: &str) -> Result<Self, String> {
        address().read(word).map_err(|Wrong { must_be, hint }| {
            let hint = if hint.is_empty() { hint } else { format!("; {hint}") };
            format!("must be {must_be}{hint}")
        })
    }
}

/// `unix:PATH`, or a loopback address with a port.
pub(super) fn address() -> impl Kind<Value = Address> {
    Place
}

struct Place;

impl Kind for Place {
    type Value = Address;

    fn read(&self, word: &str) -> Result<Address, Wrong> {
        if let Some(path) = word.strip_prefix("unix:") {
            if path.is_empty() || path.len() > PATH_MAX {
                return Err(Wrong::must_be(format!("a path of 1 to {PATH_MAX} octets")));
            }
            return Ok(Address::Unix(path.into()));
        }
        let wrong = Wrong::must_be("an address of this machine with its port, or `unix:PATH`");
        let Ok(address) = word.parse::<SocketAddr>() else {
            let port = word.strip_prefix(':').unwrap_or(word).parse::<u16>();
            return Err(
                port.map_or(wrong.clone(), |port| wrong.hint(format!("write `127.0.0.1:{port}`")))
            );
        };
        if !address.ip().is_loopback() {
            let why = "on a loopback address, because it tells everybody who can reach it what the \
                       server does";
            let port = address.port();
            return Err(Wrong::must_be(why).hint(format!("write `127.0.0.1:{port}`")));
        }
        Ok(Address::Tcp(address))
    }
}
