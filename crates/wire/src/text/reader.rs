//! Words of text on their way to octets.

use super::numbers::{ALGORITHMS, CERTIFICATE_TYPES, mnemonic, number, seconds, time};
use super::radix::{BASE32, BASE64, HEX, Radix};
use super::strings::{STRING_MAX, unescape_into};
use super::{DataFault, Word, address, gateway, location, parameters, types};
use crate::forms::Kind;
use crate::{Name, NameBuf, RecordType};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The words of one record's data and the octets that they become.
pub(super) struct Reader<'r, 'a> {
    words: &'r [Word<'a>],
    /// The word that is read next: the culprit, if reading stops.
    pub at: usize,
    origin: Name<'r>,
    /// Where the octets go.
    pub out: &'r mut Vec<u8>,
}

impl<'r, 'a> Reader<'r, 'a> {
    pub(super) fn new(words: &'r [Word<'a>], origin: Name<'r>, out: &'r mut Vec<u8>) -> Self {
        Self { words, at: 0, origin, out }
    }

    /// Reads one field.
    pub(super) fn field(&mut self, kind: Kind) -> Result<(), DataFault> {
        match kind {
            Kind::Name | Kind::PlainName => self.name(),
            Kind::U8 => self.number::<1>("a number from 0 to 255"),
            Kind::U16 => self.number::<2>("a number from 0 to 65535"),
            Kind::U32 => self.number::<4>("a number from 0 to 4294967295"),
            Kind::Seconds => self.fixed("seconds, such as 3600 or 1h30m", |text| {
                seconds(text).map(u32::to_be_bytes)
            }),
            Kind::Time => {
                self.fixed("a time such as 20260131235959", |text| time(text).map(u32::to_be_bytes))
            }
            Kind::Type => self.fixed("a record type", |text| {
                parse(text).map(|rtype: RecordType| rtype.0.to_be_bytes())
            }),
            Kind::Algorithm => self.fixed("an algorithm such as 13 or ECDSAP256SHA256", |text| {
                mnemonic(text, ALGORITHMS, 255).map(|code| [code as u8])
            }),
            Kind::CertificateType => self.fixed("a certificate type such as 1 or PKIX", |text| {
                mnemonic(text, CERTIFICATE_TYPES, 65_535).map(|code| (code as u16).to_be_bytes())
            }),
            Kind::Ipv4 => self.fixed("an IPv4 address such as 192.0.2.1", |text| {
                parse(text).map(|address: Ipv4Addr| address.octets())
            }),
            Kind::Ipv6 => self.fixed("an IPv6 address such as 2001:db8::1", |text| {
                parse(text).map(|address: Ipv6Addr| address.octets())
            }),
            Kind::Locator64 => self.fixed("groups such as 14:4fff:ff20:ee64", address::locator),
            Kind::Eui(length) => address::read_eui(self, length),
            Kind::OptionalString | Kind::OptionalBase64 if self.peek().is_none() => Ok(()),
            Kind::String | Kind::Word | Kind::OptionalString => self.string(),
            Kind::Tag => self.tag(),
            Kind::Strings => self.strings(),
            Kind::Text => self.text("text, in quotes"),
            Kind::Hex => self.rest(&HEX, "pairs of hexadecimal digits"),
            Kind::Base64 | Kind::OptionalBase64 => self.rest(&BASE64, "Base64 with its padding"),
            Kind::Salt => self.salt(),
            Kind::Hash => self.counted(&BASE32, "Base32 without padding"),
            Kind::Types => types::read(self),
            Kind::OldTypes => types::read_old(self),
            Kind::Parameters => parameters::read(self),
            Kind::Location => location::read(self),
            Kind::Prefixes => address::read_prefixes(self),
            Kind::Gateway => gateway::read(self),
            Kind::Relay => gateway::read_relay(self),
            Kind::HostIdentity => gateway::read_host_identity(self),
        }
    }

    /// The next word, without taking it.
    pub(super) fn peek(&self) -> Option<Word<'a>> {
        self.words.get(self.at).copied()
    }

    /// Takes the next word if `read` understands it. `expected` says what it should be.
    pub(super) fn word<T>(
        &mut self,
        expected: &'static str,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, DataFault> {
        let word = self.peek().ok_or(DataFault::Missing(expected))?;
        let value = Some(word.text).filter(|_| !word.quoted).and_then(read);
        self.at += usize::from(value.is_some());
        value.ok_or(DataFault::Expected(expected))
    }

    /// Reads a word into so many octets.
    pub(super) fn fixed<const LENGTH: usize>(
        &mut self,
        expected: &'static str,
        read: impl FnOnce(&[u8]) -> Option<[u8; LENGTH]>,
    ) -> Result<(), DataFault> {
        let octets = self.word(expected, read)?;
        self.out.extend_from_slice(&octets);
        Ok(())
    }

    /// Reads a number into `LENGTH` octets.
    pub(super) fn number<const LENGTH: usize>(
        &mut self,
        expected: &'static str,
    ) -> Result<(), DataFault> {
        let max = u64::MAX >> (64 - 8 * LENGTH);
        let value = self.word(expected, |text| number(text, max))?;
        self.out.extend_from_slice(&value.to_be_bytes()[8 - LENGTH..]);
        Ok(())
    }

    /// Reads a name.
    pub(super) fn name(&mut self) -> Result<(), DataFault> {
        const EXPECTED: &str = "a name such as www.example.org.";
        let word = self.peek().ok_or(DataFault::Missing(EXPECTED))?;
        if word.quoted {
            return Err(DataFault::Expected(EXPECTED));
        }
        let name = NameBuf::from_text(word.text, self.origin).map_err(DataFault::Name)?;
        self.at += 1;
        self.out.extend_from_slice(name.octets());
        Ok(())
    }

    /// Reads one character string.
    fn string(&mut self) -> Result<(), DataFault> {
        const EXPECTED: &str = "text of at most 255 octets";
        let begin = self.out.len();
        self.out.push(0);
        self.text(EXPECTED)?;
        match u8::try_from(self.out.len() - begin - 1) {
            Ok(length) => self.out[begin] = length,
            Err(_) => {
                self.at -= 1;
                return Err(DataFault::Expected(EXPECTED));
            }
        }
        Ok(())
    }

    fn tag(&mut self) -> Result<(), DataFault> {
        let tag = self.word("letters and digits, such as issue", |text| {
            let valid = !text.is_empty() && text.iter().all(u8::is_ascii_alphanumeric);
            valid.then(|| text.to_vec())
        })?;
        self.put_counted(&tag)
    }

    /// Reads one word as octets without a length.
    fn text(&mut self, expected: &'static str) -> Result<(), DataFault> {
        let word = self.peek().ok_or(DataFault::Missing(expected))?;
        unescape_into(word.text, self.out).ok_or(DataFault::Escape)?;
        self.at += 1;
        Ok(())
    }

    /// Reads all remaining words as character strings. What is longer than 255 octets is cut into
    /// several, as CoreDNS does: keys for DKIM are often written in one piece.
    fn strings(&mut self) -> Result<(), DataFault> {
        if self.peek().is_none() {
            return Err(DataFault::Missing("text, in quotes if it has blanks"));
        }
        let mut octets = Vec::new();
        while let Some(word) = self.peek() {
            octets.clear();
            unescape_into(word.text, &mut octets).ok_or(DataFault::Escape)?;
            let empty = octets.is_empty().then_some(&octets[..]);
            for piece in octets.chunks(STRING_MAX).chain(empty) {
                self.put_counted(piece)?;
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Reads all remaining words as one run of digits, of one octet or more.
    pub(super) fn rest(&mut self, radix: &Radix, expected: &'static str) -> Result<(), DataFault> {
        let words = &self.words[self.at..];
        if words.is_empty() {
            return Err(DataFault::Missing(expected));
        }
        let before = self.out.len();
        let read = radix.read(words.iter().map(|word| word.text), self.out);
        if read.is_none() || self.out.len() == before || words.iter().any(|word| word.quoted) {
            return Err(DataFault::Expected(expected));
        }
        self.at = self.words.len();
        Ok(())
    }

    fn salt(&mut self) -> Result<(), DataFault> {
        if self.peek().is_some_and(|word| word.is("-")) {
            self.at += 1;
            return self.put_counted(&[]);
        }
        self.counted(&HEX, "pairs of hexadecimal digits, or - for none")
    }

    /// Reads one word of digits into a length octet and at least one octet.
    fn counted(&mut self, radix: &Radix, expected: &'static str) -> Result<(), DataFault> {
        let octets = self.word(expected, |text| digits(radix, text))?;
        self.put_counted(&octets)
    }

    /// Appends a length octet and `octets`.
    fn put_counted(&mut self, octets: &[u8]) -> Result<(), DataFault> {
        let length = u8::try_from(octets.len()).map_err(|_| DataFault::TooLong)?;
        self.out.push(length);
        self.out.extend_from_slice(octets);
        Ok(())
    }
}

/// The octets of one word of digits, if there is one or more.
pub(super) fn digits(radix: &Radix, text: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    radix.read(std::iter::once(text), &mut octets)?;
    (!octets.is_empty()).then_some(octets)
}

/// Whatever its type reads from text.
pub(super) fn parse<T: FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
