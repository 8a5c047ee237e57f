//! Records as text: the presentation format of zone files (RFC 1035 §5.1), both ways.
//!
//! **What this is.** [`Entries`] cuts a text into words, [`RecordType::read_data`] makes octets of
//! the words of one record, [`DataText`] and [`RecordText`] make words of octets. Which fields a
//! type has stands in the table of `forms.rs`; a type that is not in it, and data that are not of
//! their type's form, have the text of RFC 3597 §5: `\# 4 C0000201`.
//!
//! **What this is not.** A reader of zone files: owners, TTLs and directives are the business of
//! crate `zone`. And it is not for the hot path: it allocates.
//!
//! **Where to start reading.** [`RecordType::read_data`], then `reader.rs` and `printer.rs`, which
//! have one line for each kind of field.

mod address;
mod gateway;
mod location;
mod numbers;
mod parameters;
mod printer;
mod radix;
mod reader;
mod strings;
mod types;
mod words;

pub use numbers::seconds;
pub use words::{BadEntry, Entries, Entry, EntryFault, Place, Word};

use crate::{BadName, Body, Class, Name, Record, RecordType, forms, rdata};
use printer::Printer;
use radix::HEX;
use reader::Reader;
use std::fmt;

/// The most octets of record data: what the length in front of them can say.
const DATA_MAX: usize = 65_535;

impl RecordType {
    /// Reads `words` as data of this type and appends the octets to `out`.
    ///
    /// Names are relative to `origin` unless they end with a dot; they are not compressed and keep
    /// their case. Every type may be written as `\# LENGTH HEX` (RFC 3597 §5), but octets that are
    /// not of the type's form are refused there too, so that whatever was read can be sent. On an
    /// error `out` is as it was.
    pub fn read_data(
        self,
        words: &[Word<'_>],
        origin: Name<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), BadData> {
        let before = out.len();
        let mut read = self.read_fields(words, origin, out);
        if read.is_ok() && out.len() - before > DATA_MAX {
            read = Err(BadData { field: "data", word: 0, fault: DataFault::TooLong });
        }
        if read.is_err() {
            out.truncate(before);
        }
        read
    }

    fn read_fields(
        self,
        words: &[Word<'_>],
        origin: Name<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), BadData> {
        let generic = words.first().is_some_and(|word| word.is(r"\#"));
        let fields = forms::fields(self);
        let mut reader = Reader::new(words, origin, out);
        if generic || fields.is_empty() {
            let read = self.read_generic(&mut reader);
            return read.map_err(|fault| BadData { field: "data", word: reader.at, fault });
        }
        for field in fields {
            let read = reader.field(field.kind);
            read.map_err(|fault| BadData { field: field.name, word: reader.at, fault })?;
        }
        if reader.peek().is_some() {
            return Err(BadData { field: "data", word: reader.at, fault: DataFault::Surplus });
        }
        Ok(())
    }

    fn read_generic(self, reader: &mut Reader<'_, '_>) -> Result<(), DataFault> {
        let begin = reader.out.len();
        reader.word(r"\# and a length, since the type has no other form", |text| {
            (text == br"\#").then_some(())
        })?;
        let length =
            reader.word("a number of octets", |text| numbers::number(text, DATA_MAX as u64))?;
        if length > 0 {
            reader.rest(&HEX, "as many octets in hexadecimal as the length says")?;
        }
        if reader.peek().is_some() {
            return Err(DataFault::Surplus);
        }
        if (reader.out.len() - begin) as u64 != length {
            reader.at = 2;
            return Err(DataFault::Expected("as many octets in hexadecimal as the length says"));
        }
        if !rdata::is_whole(self, &reader.out[begin..]) {
            reader.at = 2;
            return Err(DataFault::Expected("octets of the form of the type"));
        }
        Ok(())
    }
}

/// Words that are no data of their type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadData {
    /// The field, as the type's RFC calls it.
    pub field: &'static str,
    /// Which of the words is wrong, from 0; how many there are if one is missing.
    pub word: usize,
    /// What is wrong.
    pub fault: DataFault,
}

/// What is wrong with a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DataFault {
    /// Nothing is there; this should be.
    Missing(&'static str),
    /// Something else is there than this.
    Expected(&'static str),
    /// Something is there behind the last field.
    Surplus,
    /// The same key for a second time.
    Repeated,
    /// A backslash that is followed by neither a character nor three digits up to 255.
    Escape,
    /// A name that is none.
    Name(BadName),
    /// More octets than the length in front of them can say.
    TooLong,
}

/// `preference: expected a number from 0 to 65535`
impl fmt::Display for BadData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field;
        match self.fault {
            DataFault::Missing(what) => write!(f, "{field}: missing, expected {what}"),
            DataFault::Expected(what) => write!(f, "{field}: expected {what}"),
            DataFault::Surplus => f.write_str("more words than the type has fields"),
            DataFault::Repeated => write!(f, "{field}: the same key for the second time"),
            DataFault::Escape => {
                write!(f, "{field}: expected a character or three digits up to 255 behind \\")
            }
            DataFault::Name(bad) => write!(f, "{field}: {bad}"),
            DataFault::TooLong => write!(f, "{field}: too long"),
        }
    }
}

impl std::error::Error for BadData {}

/// Record data as text, on one line.
///
/// It reads back as the same octets, whatever they are: what does not is printed in the form of
/// RFC 3597 §5.
#[derive(Clone, Copy)]
pub struct DataText<'a> {
    rtype: RecordType,
    data: &'a [u8],
}

impl<'a> DataText<'a> {
    /// The text of `data`, which are uncompressed and possibly malformed.
    pub fn new(rtype: RecordType, data: &'a [u8]) -> Self {
        Self { rtype, data }
    }

    /// The words of the type's own form, if it has one and they read back as the same octets.
    fn own_form(&self) -> Option<String> {
        let fields = forms::fields(self.rtype);
        if fields.is_empty() {
            return None;
        }
        let mut printer = Printer::new(self.data);
        fields.iter().try_for_each(|field| printer.field(field.kind))?;
        let mut back = Vec::with_capacity(self.data.len());
        let mut entries = Entries::new(printer.text.as_bytes());
        let words = entries.next().map_or(Some(&[][..]), |entry| Some(entry.ok()?.words))?;
        self.rtype.read_data(words, Name::ROOT, &mut back).ok()?;
        (back == self.data).then_some(printer.text)
    }
}

impl fmt::Display for DataText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.own_form() {
            Some(text) => f.write_str(&text),
            None if self.data.is_empty() => f.write_str(r"\# 0"),
            None => write!(f, r"\# {} {}", self.data.len(), HEX.text(self.data)),
        }
    }
}

/// A record as a line of a zone file, without a line end: `a.example. 60 IN A 192.0.2.1`.
#[derive(Clone, Copy)]
pub struct RecordText<'a> {
    /// Who owns it.
    pub owner: Name<'a>,
    /// Its TTL in seconds.
    pub ttl: u32,
    /// Its class.
    pub class: Class,
    /// Its type.
    pub rtype: RecordType,
    /// Its data, uncompressed.
    pub data: &'a [u8],
}

impl fmt::Display for RecordText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { owner, ttl, class, rtype, data } = *self;
        write!(f, "{owner} {ttl} {class} {rtype} {}", DataText::new(rtype, data))
    }
}

impl Body {
    /// The text of one of this body's records.
    pub fn text(&self, record: &Record) -> RecordText<'_> {
        let Record { ttl, class, rtype, .. } = *record;
        RecordText { owner: self.owner(record), ttl, class, rtype, data: self.rdata(record) }
    }
}

#[cfg(test)]
mod tests;
