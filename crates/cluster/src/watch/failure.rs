//! What goes wrong between us and an API server.

use http::StatusCode;
use std::fmt;
use std::time::Duration;

/// Classes of failures, for metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ErrorKind {
    /// No connection, or one that broke.
    Connection,
    /// Nothing came for longer than it may take.
    Silence,
    /// 401: the credentials are not accepted.
    Unauthorized,
    /// 403: the credentials are good, but not for this.
    Forbidden,
    /// 404: the API server does not serve the resource.
    Absent,
    /// 410, or a version that the server does not know: the list has to be made anew.
    Gone,
    /// 429: the server asks for patience.
    Throttled,
    /// 5xx.
    Server,
    /// Any other status, or a streaming list that does not end.
    Refused,
    /// A response that is not what it should be.
    Malformed,
}

impl ErrorKind {
    /// All.
    pub const ALL: [Self; 10] = [
        Self::Connection,
        Self::Silence,
        Self::Unauthorized,
        Self::Forbidden,
        Self::Absent,
        Self::Gone,
        Self::Throttled,
        Self::Server,
        Self::Refused,
        Self::Malformed,
    ];

    /// The value of a metric's label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Silence => "silence",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::Absent => "absent",
            Self::Gone => "gone",
            Self::Throttled => "throttled",
            Self::Server => "server",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
        }
    }
}

/// A failed request, list or watch.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) kind: ErrorKind,
    /// The status that the server gave, if it came to that.
    pub(super) code: Option<StatusCode>,
    message: String,
    /// How long the server wants not to be asked.
    pub(super) retry_after: Option<Duration>,
}

impl Failure {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, code: None, message: message.into(), retry_after: None }
    }

    pub(super) fn silence(waited: Duration) -> Self {
        Self::new(ErrorKind::Silence, format!("nothing came for {} s", waited.as_secs_f32()))
    }

    /// What a status means, be it of a response or inside of an `ERROR` event.
    pub(super) fn status(code: StatusCode, message: String) -> Self {
        let kind = match code.as_u16() {
            401 => ErrorKind::Unauthorized,
            403 => ErrorKind::Forbidden,
            404 => ErrorKind::Absent,
            410 => ErrorKind::Gone,
            // What a server says whose data were restored from a backup: the version that we
            // know lies in its future.
            _ if message.contains("Too large resource version") => ErrorKind::Gone,
            429 => ErrorKind::Throttled,
            500..=599 => ErrorKind::Server,
            _ => ErrorKind::Refused,
        };
        Self { code: Some(code), ..Self::new(kind, message) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
