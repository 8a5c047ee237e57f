//! Small pieces of stored data: written once into a run of octets, read in place.

use crate::address::Address;
use crate::objects::Port;

/// Reads a run of octets that the functions of this module wrote, from its beginning.
#[derive(Clone, Copy)]
pub(crate) struct Octets<'a>(pub(crate) &'a [u8]);

impl<'a> Octets<'a> {
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    pub(crate) fn octet(&mut self) -> u8 {
        self.take(1)[0]
    }

    pub(crate) fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.octet(), self.octet()])
    }

    /// What [`push_text`] wrote.
    pub(crate) fn text(&mut self) -> &'a [u8] {
        let length = self.octet();
        self.take(length.into())
    }

    /// What [`push_address`] wrote.
    pub(crate) fn address(&mut self) -> Address {
        let length = self.octet();
        self.address_of(length.into())
    }

    /// An address whose length is known.
    pub(crate) fn address_of(&mut self, length: usize) -> Address {
        Address::from_octets(self.take(length)).expect("an address was stored with 4 or 16 octets")
    }
}

/// Appends up to 255 octets with their length, in lower case. A longer text cannot be part of any
/// name and is left empty.
pub(crate) fn push_text(out: &mut Vec<u8>, text: &str) {
    let text = if text.len() > 255 { "" } else { text };
    out.push(text.len() as u8);
    out.extend(text.bytes().map(|octet| octet.to_ascii_lowercase()));
}

/// Appends an address with its length.
pub(crate) fn push_address(out: &mut Vec<u8>, address: Address) {
    out.push(address.rdata().len() as u8);
    out.extend_from_slice(address.rdata());
}

/// Appends a port.
pub(crate) fn push_port(out: &mut Vec<u8>, port: &Port) {
    out.extend_from_slice(&port.number.unwrap_or(0).to_be_bytes());
    push_text(out, &port.protocol);
    push_text(out, &port.name);
}

/// A port as stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PackedPort<'a> {
    /// Its number; zero if it stands for all.
    pub(crate) number: u16,
    /// `tcp`, `udp`, `sctp`.
    pub(crate) protocol: &'a [u8],
    /// Its name in lower case; empty if it has none.
    pub(crate) name: &'a [u8],
}

impl PackedPort<'_> {
    /// The port as a source would tell it.
    pub(super) fn unpack(self) -> Port {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let number = Some(self.number).filter(|number| *number != 0);
        Port { name: text(self.name), protocol: text(self.protocol), number }
    }
}

/// The ports in a run of octets that holds nothing else.
pub(crate) struct Ports<'a>(pub(crate) Octets<'a>);

impl<'a> Iterator for Ports<'a> {
    type Item = PackedPort<'a>;

    fn next(&mut self) -> Option<PackedPort<'a>> {
        if self.0.is_empty() {
            return None;
        }
        Some(PackedPort { number: self.0.word(), protocol: self.0.text(), name: self.0.text() })
    }
}
