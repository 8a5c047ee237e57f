//! EDNS: the OPT pseudo-record and its options (RFC 6891), extended errors (RFC 8914).

use std::fmt;

/// Option code of the name server identifier (RFC 5001).
pub const OPT_NSID: u16 = 3;
/// Option code of an extended error (RFC 8914).
pub const OPT_EXTENDED_ERROR: u16 = 15;

/// The most octets of options that a request or a reply keeps.
///
/// Cookies, client subnets, padding and an extended error together are well below.
const OPTIONS_MAX: usize = 4096;

/// What an OPT record says, without version and extended response code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edns {
    /// The largest UDP payload that its sender can take (RFC 6891 §6.2.3).
    pub udp_size: u16,
    /// The DO bit: its sender wants DNSSEC records (RFC 3225).
    pub dnssec_ok: bool,
    /// The options in their order.
    pub options: Options,
}

impl Edns {
    /// Becomes `other`, in its own memory.
    pub fn copy_from(&mut self, other: &Self) {
        self.udp_size = other.udp_size;
        self.dnssec_ok = other.dnssec_ok;
        self.options.copy_from(&other.options);
    }

    /// Forgets everything but its memory.
    pub fn clear(&mut self) {
        self.udp_size = 0;
        self.dnssec_ok = false;
        self.options.clear();
    }
}

/// The options of an OPT record, as they stand in its data.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Options {
    octets: Vec<u8>,
}

impl Options {
    /// The options in wire form.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// Each option's code and data, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &[u8])> {
        let mut rest = &self.octets[..];
        std::iter::from_fn(move || {
            let (code, data, after) = split_option(rest)?;
            rest = after;
            Some((code, data))
        })
    }

    /// The data of the first option with this code.
    pub fn find(&self, code: u16) -> Option<&[u8]> {
        self.iter().find(|&(each, _)| each == code).map(|(_, data)| data)
    }

    /// Appends an option, if 4,096 octets of options are not passed by it.
    pub fn push(&mut self, code: u16, data: &[u8]) {
        if self.octets.len() + 4 + data.len() > OPTIONS_MAX {
            return;
        }
        self.octets.extend_from_slice(&code.to_be_bytes());
        self.octets.extend_from_slice(&(data.len() as u16).to_be_bytes());
        self.octets.extend_from_slice(data);
    }

    /// Keeps the options whose code `keep` wants.
    pub fn retain(&mut self, keep: impl Fn(u16) -> bool) {
        let mut at = 0;
        while let Some((code, data, _)) = split_option(&self.octets[at..]) {
            let length = 4 + data.len();
            if keep(code) {
                at += length;
            } else {
                self.octets.drain(at..at + length);
            }
        }
    }

    /// Becomes `other`, in its own memory.
    pub fn copy_from(&mut self, other: &Self) {
        self.octets.clear();
        self.octets.extend_from_slice(&other.octets);
    }

    /// Forgets all, but keeps the memory.
    pub fn clear(&mut self) {
        self.octets.clear();
    }

    /// Reads the data of an OPT record into this; false if it is no list of options.
    pub(crate) fn read(&mut self, data: &[u8]) -> bool {
        self.octets.clear();
        let mut rest = data;
        while !rest.is_empty() {
            let Some((_, _, after)) = split_option(rest) else { return false };
            rest = after;
        }
        if data.len() <= OPTIONS_MAX {
            self.octets.extend_from_slice(data);
        }
        true
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// The first option's code and data, and what follows it.
fn split_option(octets: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (head, rest) = octets.split_first_chunk::<4>()?;
    let length = u16::from_be_bytes([head[2], head[3]]) as usize;
    let (data, rest) = rest.split_at_checked(length)?;
    Some((u16::from_be_bytes([head[0], head[1]]), data, rest))
}

/// An extended error's code (RFC 8914 §4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExtendedError(pub u16);

impl ExtendedError {
    /// No more is known than the response code says.
    pub const OTHER: Self = Self(0);
    /// A stale answer.
    pub const STALE_ANSWER: Self = Self(3);
    /// A cached error.
    pub const CACHED_ERROR: Self = Self(13);
    /// The server cannot answer yet.
    pub const NOT_READY: Self = Self(14);
    /// Blocked by the server's operator.
    pub const BLOCKED: Self = Self(15);
    /// Filtered as the client asked for.
    pub const FILTERED: Self = Self(17);
    /// The client may not ask this.
    pub const PROHIBITED: Self = Self(18);
    /// A stale denial.
    pub const STALE_NXDOMAIN_ANSWER: Self = Self(19);
    /// The server is not authoritative for this and does not recurse.
    pub const NOT_AUTHORITATIVE: Self = Self(20);
    /// No upstream server was reachable.
    pub const NO_REACHABLE_AUTHORITY: Self = Self(22);
    /// An upstream server could not be talked to.
    pub const NETWORK_ERROR: Self = Self(23);
    /// The zone's data is not there or not valid.
    pub const INVALID_DATA: Self = Self(24);
}
