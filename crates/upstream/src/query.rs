//! What is asked of an upstream.

use std::fmt;
use wire::{Class, Edns, Flags, Name, Opcode, RecordType, Request};

/// A question for an upstream server.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The name as the client wrote it: its case goes upstream, so that randomness in it protects
    /// the whole way.
    pub name: Name<'a>,
    /// The type asked for.
    pub rtype: RecordType,
    /// The class asked for.
    pub class: Class,
    /// QUERY, or NOTIFY (RFC 1996): CoreDNS passes both on.
    pub opcode: Opcode,
    /// Of these RD, AD and CD are sent, and AA with a NOTIFY.
    pub flags: Flags,
    /// What the OPT record shall say; without it none is sent.
    pub edns: Option<&'a Edns>,
    /// How the client asked. [`crate::Settings::transport`] may decide otherwise.
    pub over: Transport,
}

impl<'a> Query<'a> {
    /// Asks what a client asked.
    pub fn of(request: &'a Request, over: Transport) -> Self {
        Self {
            name: request.asked.as_name(),
            rtype: request.rtype,
            class: request.class,
            opcode: request.opcode,
            flags: request.flags,
            edns: request.has_edns.then_some(&request.edns),
            over,
        }
    }
}

/// What carries a question and its answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream of messages with their lengths in front (RFC 7766 §8).
    Tcp,
}

impl Transport {
    /// The name in log lines and in the metrics' label `proto`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
