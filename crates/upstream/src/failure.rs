//! Why there is no answer.

use crate::Transport;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use wire::Malformed;

/// Why a question got no answer.
///
/// `Display` gives the texts that CoreDNS logs, word for word where it has one: operators search
/// for `i/o timeout` and `no healthy proxies`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The operator's servers are all down (with `failfast_all_unhealthy_upstreams`), or there is
    /// none.
    NoHealthyUpstream,
    /// More questions at once than `max_concurrent` allows. CoreDNS answers REFUSED.
    TooManyConcurrent {
        /// The setting.
        limit: usize,
    },
    /// The last server that was tried did not answer.
    Upstream {
        /// The way on which it was tried.
        link: Link,
        /// What went wrong there.
        cause: Cause,
    },
}

/// One way to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// What carried the question.
    pub over: Transport,
    /// Our end, once there was one.
    pub local: Option<SocketAddr>,
    /// The server.
    pub remote: SocketAddr,
}

/// What went wrong with one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nothing came in time.
    TimedOut {
        /// What was waited for.
        operation: Operation,
        /// How long.
        after: Duration,
    },
    /// The operating system reports an error; `ConnectionRefused` is the usual one.
    Network {
        /// What was tried.
        operation: Operation,
        /// What the system says.
        error: OsError,
    },
    /// The server ended the connection with the question still open.
    Eof,
    /// The answer has the right id and question, but cannot be read.
    Malformed(Malformed),
    /// On a stream, an answer came with our id and a question that was not ours. CoreDNS answers
    /// FORMERR.
    AnotherQuestion,
    /// As many questions are open at this server as we allow; it has not been asked.
    Busy {
        /// How many.
        limit: usize,
    },
}

/// A step of talking to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Making a socket with our address.
    Bind,
    /// Connecting it.
    Connect,
    /// Waiting for an answer.
    Read,
    /// Sending the question.
    Write,
}

/// An error of the operating system, as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OsError {
    /// What kind it is.
    pub kind: io::ErrorKind,
    /// The system's number, if it came from there.
    pub errno: Option<i32>,
}

impl Cause {
    pub(crate) const fn timed_out(operation: Operation, after: Duration) -> Self {
        Self::TimedOut { operation, after }
    }

    pub(crate) fn network(operation: Operation, error: &io::Error) -> Self {
        Self::Network { operation, error: OsError::from(error) }
    }

    /// Whether the server, or the way to it, is to blame, and not our own machine.
    pub(crate) fn blames_server(&self) -> bool {
        !matches!(self, Self::Busy { .. } | Self::Network { operation: Operation::Bind, .. })
    }

    /// Whether the server has said something, if nothing that answers.
    pub(crate) fn is_sign_of_life(&self) -> bool {
        matches!(self, Self::Malformed(_) | Self::AnotherQuestion)
    }

    /// Whether nobody listens on the server's port.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Network { error, .. } if error.kind == io::ErrorKind::ConnectionRefused)
    }

    /// Whether the other side ended the connection, as it may with one that was idle.
    pub(crate) fn is_end(&self) -> bool {
        use io::ErrorKind::{BrokenPipe, ConnectionReset};
        let ends = |error: &OsError| matches!(error.kind, ConnectionReset | BrokenPipe);
        match self {
            Self::Eof => true,
            Self::Network { operation: Operation::Read | Operation::Write, error } => ends(error),
            _ => false,
        }
    }
}

impl From<&io::Error> for OsError {
    fn from(error: &io::Error) -> Self {
        Self { kind: error.kind(), errno: error.raw_os_error() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHealthyUpstream => f.write_str("no healthy proxies"),
            Self::TooManyConcurrent { limit } => {
                write!(f, "concurrent queries exceeded maximum {limit}")
            }
            Self::Upstream { link, cause } => link.write(cause, f),
        }
    }
}

impl std::error::Error for Failure {}

impl Failure {
    pub(crate) fn blames_server(&self) -> bool {
        matches!(self, Self::Upstream { cause, .. } if cause.blames_server())
    }
}

impl Link {
    /// The texts of Go's `net` package, which CoreDNS passes on.
    fn write(&self, cause: &Cause, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match cause {
            Cause::TimedOut { operation, .. } => {
                self.write_operation(*operation, f)?;
                f.write_str("i/o timeout")
            }
            Cause::Network { operation, error } => {
                self.write_operation(*operation, f)?;
                write!(f, "{}: {error}", operation.system_call())
            }
            Cause::Eof => f.write_str("EOF"),
            Cause::Malformed(malformed) => write!(f, "{malformed} from {}", self.remote),
            Cause::AnotherQuestion => write!(f, "answer to another question from {}", self.remote),
            Cause::Busy { limit } => {
                write!(f, "queries open at {} exceeded maximum {limit}", self.remote)
            }
        }
    }

    /// `read udp 127.0.0.1:38711->127.0.0.1:53: `, `dial tcp 127.0.0.1:53: `
    fn write_operation(&self, operation: Operation, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", operation.verb(), self.over)?;
        if let Some(local) = self.local {
            write!(f, "{local}->")?;
        }
        write!(f, "{}: ", self.remote)
    }
}

impl Operation {
    const fn verb(self) -> &'static str {
        match self {
            Self::Bind | Self::Connect => "dial",
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    const fn system_call(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Connect => "connect",
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// The C library's text in lower case: `connection refused`.
impl fmt::Display for OsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(errno) = self.errno else { return self.kind.fmt(f) };
        let text = io::Error::from_raw_os_error(errno).to_string();
        let text = text.split(" (os error").next().unwrap_or(&text);
        let mut characters = text.chars();
        let first = characters.next().map(|first| first.to_ascii_lowercase());
        write!(f, "{}{}", first.unwrap_or_default(), characters.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMED_OUT: Cause =
        Cause::TimedOut { operation: Operation::Read, after: Duration::from_secs(2) };

    fn text(over: Transport, local: Option<&str>, cause: Cause) -> String {
        let local = local.map(|local| local.parse().unwrap());
        let link = Link { over, local, remote: "127.0.0.1:5300".parse().unwrap() };
        Failure::Upstream { link, cause }.to_string()
    }

    fn refused(operation: Operation) -> Cause {
        Cause::network(operation, &io::Error::from_raw_os_error(111))
    }

    #[test]
    fn the_texts_are_those_of_coredns() {
        let local = Some("127.0.0.1:38711");
        assert_eq!(
            text(Transport::Udp, local, TIMED_OUT),
            "read udp 127.0.0.1:38711->127.0.0.1:5300: i/o timeout"
        );
        assert_eq!(
            text(Transport::Udp, local, refused(Operation::Read)),
            "read udp 127.0.0.1:38711->127.0.0.1:5300: read: connection refused"
        );
        assert_eq!(
            text(Transport::Tcp, None, refused(Operation::Connect)),
            "dial tcp 127.0.0.1:5300: connect: connection refused"
        );
        assert_eq!(text(Transport::Tcp, local, Cause::Eof), "EOF");
        assert_eq!(Failure::NoHealthyUpstream.to_string(), "no healthy proxies");
        assert_eq!(
            Failure::TooManyConcurrent { limit: 1 }.to_string(),
            "concurrent queries exceeded maximum 1"
        );
    }

    #[test]
    fn our_own_troubles_do_not_blame_the_server() {
        assert!(TIMED_OUT.blames_server() && refused(Operation::Read).blames_server());
        assert!(!refused(Operation::Bind).blames_server());
        assert!(!Cause::Busy { limit: 1 }.blames_server());
    }
}
