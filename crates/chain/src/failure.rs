//! Why a question got no proper answer.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use wire::{ExtendedError, Rcode};

/// Why a question fails. Response code, extended error, log line and metric derive from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The operator: no server block owns the name.
    NoBlock,
    /// The operator: the block owns the name, but has no plugin that answers anything.
    EmptyBlock,
    /// The operator: every plugin let the question pass; `last` was the last of them.
    NobodyAnswered {
        /// The last plugin of the chain.
        last: &'static str,
    },
    /// The client: a class that the block does not serve.
    ClassNotServed,
    /// The client: a zone transfer that nobody configured.
    TransferRefused,
    /// The operator: a source without `fallthrough` does not have the name.
    NotFound,
    /// The operator: an access rule of `acl`.
    Blocked,
    /// The cluster, or a file: the data are not there yet.
    NotReady {
        /// Who waits for them.
        plugin: &'static str,
    },
    /// The operator: a zone whose file could not be read yet.
    ZoneNotLoaded,
    /// The operator: a rewrite made something that is no name.
    BadRewrite {
        /// What it made.
        text: Box<str>,
    },
    /// A server that was asked.
    Upstream {
        /// What went wrong with it.
        cause: UpstreamFailure,
        /// What to log.
        text: Box<str>,
    },
    /// Too much at once: the budget for questions that wait is spent.
    Overloaded,
    /// Nobody answered within the time that a question may wait.
    Deadline {
        /// That time.
        after: Duration,
    },
    /// Nobody: in a rehearsal ([`crate::Exchange::rehearsal`]) nothing is sent to other servers.
    NotAsked {
        /// Whom the question would have been sent to, and as which question if it is another one.
        asks: Box<str>,
    },
    /// Questions about questions, deeper than the limit.
    TooDeep,
    /// A bug: a plugin panicked.
    Panicked,
}

/// What went wrong with the servers that were asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamFailure {
    /// Nobody answered in time.
    TimedOut,
    /// A socket failed, or the other side refused it.
    Network,
    /// All are known to be down.
    Unhealthy,
    /// More questions at once than `max_concurrent` allows.
    TooMany,
    /// The answer belongs to another question, or is none.
    Malformed {
        /// Who sent it.
        by: Option<SocketAddr>,
    },
}

impl Failure {
    /// All that [`Failure::kind`] can say.
    pub const KINDS: [&'static str; 20] = [
        "no_block",
        "empty_block",
        "nobody_answered",
        "class_not_served",
        "transfer_refused",
        "not_found",
        "blocked",
        "not_ready",
        "zone_not_loaded",
        "bad_rewrite",
        "upstream_timed_out",
        "upstream_network",
        "upstream_unhealthy",
        "upstream_too_many",
        "upstream_malformed",
        "overloaded",
        "deadline",
        "not_asked",
        "too_deep",
        "panicked",
    ];

    /// What kind of failure it is, as metrics name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoBlock => "no_block",
            Self::EmptyBlock => "empty_block",
            Self::NobodyAnswered { .. } => "nobody_answered",
            Self::ClassNotServed => "class_not_served",
            Self::TransferRefused => "transfer_refused",
            Self::NotFound => "not_found",
            Self::Blocked => "blocked",
            Self::NotReady { .. } => "not_ready",
            Self::ZoneNotLoaded => "zone_not_loaded",
            Self::BadRewrite { .. } => "bad_rewrite",
            Self::Upstream { cause, .. } => match cause {
                UpstreamFailure::TimedOut => "upstream_timed_out",
                UpstreamFailure::Network => "upstream_network",
                UpstreamFailure::Unhealthy => "upstream_unhealthy",
                UpstreamFailure::TooMany => "upstream_too_many",
                UpstreamFailure::Malformed { .. } => "upstream_malformed",
            },
            Self::Overloaded => "overloaded",
            Self::Deadline { .. } => "deadline",
            Self::NotAsked { .. } => "not_asked",
            Self::TooDeep => "too_deep",
            Self::Panicked => "panicked",
        }
    }

    /// The response code that the client gets.
    pub fn rcode(&self) -> Rcode {
        match self {
            Self::NoBlock
            | Self::EmptyBlock
            | Self::ClassNotServed
            | Self::TransferRefused
            | Self::Blocked
            | Self::Upstream { cause: UpstreamFailure::TooMany, .. } => Rcode::REFUSED,
            Self::Upstream { cause: UpstreamFailure::Malformed { .. }, .. } => Rcode::FORMERR,
            _ => Rcode::SERVFAIL,
        }
    }

    /// What a client that understands RFC 8914 is told beside the response code.
    pub(crate) fn extended_error(&self) -> ExtendedError {
        match self {
            Self::NoBlock | Self::EmptyBlock | Self::NobodyAnswered { .. } | Self::NotFound => {
                ExtendedError::NOT_AUTHORITATIVE
            }
            Self::ClassNotServed | Self::TransferRefused => ExtendedError::PROHIBITED,
            Self::Blocked => ExtendedError::BLOCKED,
            Self::NotReady { .. } => ExtendedError::NOT_READY,
            Self::ZoneNotLoaded => ExtendedError::INVALID_DATA,
            Self::Upstream { cause, .. } => match cause {
                UpstreamFailure::TimedOut | UpstreamFailure::Unhealthy => {
                    ExtendedError::NO_REACHABLE_AUTHORITY
                }
                UpstreamFailure::Network | UpstreamFailure::Malformed { .. } => {
                    ExtendedError::NETWORK_ERROR
                }
                UpstreamFailure::TooMany => ExtendedError::PROHIBITED,
            },
            Self::Deadline { .. } => ExtendedError::NO_REACHABLE_AUTHORITY,
            Self::BadRewrite { .. }
            | Self::Overloaded
            | Self::NotAsked { .. }
            | Self::TooDeep
            | Self::Panicked => ExtendedError::OTHER,
        }
    }

    /// Whether it says no more than that this server has nothing to do with the name.
    pub(crate) fn is_nobodys(&self) -> bool {
        matches!(
            self,
            Self::NoBlock | Self::EmptyBlock | Self::NobodyAnswered { .. } | Self::ClassNotServed
        )
    }

    /// Whether the operator's `errors` directive logs it.
    ///
    /// What a configuration says in so many words (an access rule, a name that no block owns) is
    /// no error; CoreDNS logs none of it either.
    pub fn is_logged(&self) -> bool {
        !matches!(
            self,
            Self::NoBlock
                | Self::EmptyBlock
                | Self::ClassNotServed
                | Self::TransferRefused
                | Self::NotFound
                | Self::Blocked
                | Self::ZoneNotLoaded
                | Self::NotAsked { .. }
                | Self::NotReady { .. }
        )
    }
}

/// The text behind the colon of an `errors` line.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBlock => f.write_str("no server block serves this name"),
            Self::EmptyBlock => f.write_str("the server block has no plugin that answers"),
            Self::NobodyAnswered { last } => write!(f, "plugin/{last}: no next plugin found"),
            Self::ClassNotServed => f.write_str("class not served"),
            Self::TransferRefused => f.write_str("zone transfer refused"),
            Self::NotFound => f.write_str("no such name and no fallthrough"),
            Self::Blocked => f.write_str("blocked by acl"),
            Self::NotReady { plugin } => write!(f, "plugin/{plugin}: not ready"),
            Self::ZoneNotLoaded => f.write_str("zone not loaded"),
            Self::BadRewrite { text } => write!(f, "invalid name after rewrite: {text}"),
            Self::Upstream { text, .. } => f.write_str(text),
            Self::Overloaded => f.write_str("too many queries wait for an answer"),
            Self::Deadline { after } => write!(f, "no answer within {after:?}"),
            Self::NotAsked { asks } => write!(f, "not asked: {asks}"),
            Self::TooDeep => f.write_str("too many questions behind one question"),
            Self::Panicked => f.write_str("panic"),
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_among_the_kinds() {
        let upstream = |cause| Failure::Upstream { cause, text: "".into() };
        let all = [
            Failure::NoBlock,
            Failure::EmptyBlock,
            Failure::NobodyAnswered { last: "errors" },
            Failure::ClassNotServed,
            Failure::TransferRefused,
            Failure::NotFound,
            Failure::Blocked,
            Failure::NotReady { plugin: "kubernetes" },
            Failure::ZoneNotLoaded,
            Failure::BadRewrite { text: "".into() },
            upstream(UpstreamFailure::TimedOut),
            upstream(UpstreamFailure::Network),
            upstream(UpstreamFailure::Unhealthy),
            upstream(UpstreamFailure::TooMany),
            upstream(UpstreamFailure::Malformed { by: None }),
            Failure::Overloaded,
            Failure::Deadline { after: Duration::ZERO },
            Failure::NotAsked { asks: "".into() },
            Failure::TooDeep,
            Failure::Panicked,
        ];
        assert_eq!(all.map(|failure| failure.kind()), Failure::KINDS);
    }
}
