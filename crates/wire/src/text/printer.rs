//! Octets on their way to words of text.
//!
//! A printer need not notice octets that are of no right form: what it prints counts only if it
//! reads back as the same octets, see [`super::DataText`].

use super::numbers::time_text;
use super::radix::{BASE32, BASE64, HEX, Radix};
use super::strings::{Bare, Quoted};
use super::{address, gateway, location, parameters, types};
use crate::forms::Kind;
use crate::{Name, RecordType};
use std::fmt::{Display, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr};

/// One record's data and the words that they become.
pub(super) struct Printer<'a> {
    rest: &'a [u8],
    /// The words, with one blank between.
    pub text: String,
}

impl<'a> Printer<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { rest: data, text: String::new() }
    }

    /// Prints one field. None if the octets end within it.
    pub(super) fn field(&mut self, kind: Kind) -> Option<()> {
        match kind {
            Kind::Name | Kind::PlainName => self.name(),
            Kind::U8 | Kind::Algorithm => self.number::<1>(),
            Kind::U16 | Kind::CertificateType => self.number::<2>(),
            Kind::U32 | Kind::Seconds => self.number::<4>(),
            Kind::Time => {
                let seconds = u32::from_be_bytes(self.take()?);
                self.word(time_text(seconds))
            }
            Kind::Type => {
                let code = u16::from_be_bytes(self.take()?);
                self.word(RecordType(code))
            }
            Kind::Ipv4 => {
                let octets = self.take::<4>()?;
                self.word(Ipv4Addr::from(octets))
            }
            Kind::Ipv6 => {
                let octets = self.take::<16>()?;
                self.word(Ipv6Addr::from(octets))
            }
            Kind::Locator64 => address::print_locator(self),
            Kind::Eui(length) => address::print_eui(self, length),
            Kind::OptionalString | Kind::OptionalBase64 if self.is_done() => Some(()),
            Kind::String | Kind::OptionalString => {
                let octets = self.counted()?;
                self.word(Quoted(octets))
            }
            Kind::Word | Kind::Tag => {
                let octets = self.counted()?;
                self.word(Bare(octets))
            }
            Kind::Strings => {
                while !self.is_done() {
                    let octets = self.counted()?;
                    self.word(Quoted(octets))?;
                }
                Some(())
            }
            Kind::Text => {
                let octets = self.rest();
                self.word(Quoted(octets))
            }
            Kind::Hex => self.remaining(&HEX),
            Kind::Base64 | Kind::OptionalBase64 => self.remaining(&BASE64),
            Kind::Salt if self.rest.first() == Some(&0) => {
                self.rest = &self.rest[1..];
                self.word("-")
            }
            Kind::Salt => self.digits(&HEX),
            Kind::Hash => self.digits(&BASE32),
            Kind::Types => types::print(self),
            Kind::OldTypes => types::print_old(self),
            Kind::Parameters => parameters::print(self),
            Kind::Location => location::print(self),
            Kind::Prefixes => address::print_prefixes(self),
            Kind::Gateway => gateway::print(self),
            Kind::Relay => gateway::print_relay(self),
            Kind::HostIdentity => gateway::print_host_identity(self),
        }
    }

    /// Whether no octet is left.
    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// Appends a word.
    pub(super) fn word(&mut self, word: impl Display) -> Option<()> {
        let blank = if self.text.is_empty() { "" } else { " " };
        write!(self.text, "{blank}{word}").ok()
    }

    /// Takes so many octets.
    pub(super) fn take<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        let (octets, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*octets)
    }

    /// Takes `length` octets.
    pub(super) fn octets(&mut self, length: usize) -> Option<&'a [u8]> {
        let (octets, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(octets)
    }

    /// Takes a length octet and as many octets.
    pub(super) fn counted(&mut self) -> Option<&'a [u8]> {
        let [length] = self.take()?;
        self.octets(length as usize)
    }

    /// Takes all octets that are left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Prints a name.
    pub(super) fn name(&mut self) -> Option<()> {
        let name = Name::prefix_of(self.rest).ok()?;
        self.rest = &self.rest[name.len()..];
        self.word(name)
    }

    /// Prints `LENGTH` octets as a number.
    pub(super) fn number<const LENGTH: usize>(&mut self) -> Option<()> {
        let octets = self.take::<LENGTH>()?;
        let value = octets.iter().fold(0u64, |value, octet| value << 8 | u64::from(*octet));
        self.word(value)
    }

    fn remaining(&mut self, radix: &Radix) -> Option<()> {
        let octets = self.rest();
        self.word(radix.text(octets))
    }

    fn digits(&mut self, radix: &Radix) -> Option<()> {
        let octets = self.counted()?;
        self.word(radix.text(octets))
    }
}
