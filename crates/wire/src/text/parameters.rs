//! The parameters of SVCB and HTTPS records (RFC 9460 §2.1 and §7, RFC 9461, RFC 9540).

use super::DataFault;
use super::numbers::number;
use super::printer::Printer;
use super::radix::BASE64;
use super::reader::{Reader, digits, parse};
use super::strings::{Quoted, unescape_into};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The key of a parameter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u16);

impl Key {
    const MANDATORY: Self = Self(0);
    const ALPN: Self = Self(1);
    const NO_DEFAULT_ALPN: Self = Self(2);
    const PORT: Self = Self(3);
    const IPV4HINT: Self = Self(4);
    const ECH: Self = Self(5);
    const IPV6HINT: Self = Self(6);
    const OHTTP: Self = Self(8);

    /// The names of the keys, by their numbers.
    const NAMES: [&str; 9] = [
        "mandatory",
        "alpn",
        "no-default-alpn",
        "port",
        "ipv4hint",
        "ech",
        "ipv6hint",
        "dohpath",
        "ohttp",
    ];

    /// A name, or `key` and a number that has none. RFC 9460 §2.1: without leading zeros; 65535 is
    /// reserved (§14.3.2).
    fn read(text: &[u8]) -> Option<Self> {
        if let Some(at) = Self::NAMES.iter().position(|name| name.as_bytes() == text) {
            return Some(Self(at as u16));
        }
        let digits = text.strip_prefix(b"key").filter(|digits| !digits.starts_with(b"0"))?;
        let code = number(digits, 65_534)?;
        (code >= Self::NAMES.len() as u64).then_some(Self(code as u16))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.get(self.0 as usize) {
            Some(name) => f.write_str(name),
            None => write!(f, "key{}", self.0),
        }
    }
}

/// Reads all remaining words as parameters and writes them in the order of their keys.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Result<(), DataFault> {
    let mut parameters = BTreeMap::new();
    while reader.peek().is_some() {
        let (key, value) = read_parameter(reader)?;
        // RFC 9460 §2.1: "SvcParamKeys SHALL NOT appear more than once".
        if parameters.insert(key, value).is_some() {
            reader.at -= 1;
            return Err(DataFault::Repeated);
        }
    }
    check(&parameters)?;
    for (key, value) in &parameters {
        let length = u16::try_from(value.len()).map_err(|_| DataFault::TooLong)?;
        reader.out.extend_from_slice(&key.0.to_be_bytes());
        reader.out.extend_from_slice(&length.to_be_bytes());
        reader.out.extend_from_slice(value);
    }
    Ok(())
}

fn read_parameter(reader: &mut Reader<'_, '_>) -> Result<(Key, Vec<u8>), DataFault> {
    let (key, mut value) = reader.word("parameters such as alpn=h2 port=8443", |text| {
        let equals = text.iter().position(|&octet| octet == b'=');
        let (key, value) = text.split_at(equals.unwrap_or(text.len()));
        Some((Key::read(key)?, value.strip_prefix(b"=").map(<[u8]>::to_vec)))
    })?;
    // `key="value"` comes as two words without a blank between.
    let quoted = reader.peek().filter(|word| word.joined && word.quoted);
    if let (Some([]), Some(word)) = (value.as_deref(), quoted) {
        value = Some(word.text.to_vec());
        reader.at += 1;
    }
    let mut octets = Vec::new();
    let text = value.unwrap_or_default();
    let read = unescape_into(&text, &mut octets).ok_or(DataFault::Escape);
    let read = read.and_then(|()| value_octets(key, octets));
    reader.at -= usize::from(read.is_err());
    read.map(|value| (key, value))
}

/// The octets of a value, of which `text` is the text without escapes.
fn value_octets(key: Key, text: Vec<u8>) -> Result<Vec<u8>, DataFault> {
    let expected = |value: Option<Vec<u8>>, what| value.ok_or(DataFault::Expected(what));
    match key {
        Key::MANDATORY => expected(mandatory(&text), "mandatory=KEY,KEY with each key once"),
        Key::ALPN => expected(protocols(&text), "alpn=ID,ID such as alpn=h2,h3"),
        Key::NO_DEFAULT_ALPN | Key::OHTTP => {
            expected(text.is_empty().then_some(text), "a key without a value")
        }
        Key::PORT => {
            let port = number(&text, 65_535).map(|port| (port as u16).to_be_bytes().to_vec());
            expected(port, "port=NUMBER")
        }
        Key::IPV4HINT => {
            let hints = list(&text, |item| parse(item).map(|a: Ipv4Addr| a.octets().to_vec()));
            expected(hints, "ipv4hint=ADDRESS,ADDRESS")
        }
        Key::IPV6HINT => {
            let hints = list(&text, |item| parse(item).map(|a: Ipv6Addr| a.octets().to_vec()));
            expected(hints, "ipv6hint=ADDRESS,ADDRESS")
        }
        Key::ECH => expected(digits(&BASE64, &text), "ech=BASE64"),
        _ => Ok(text),
    }
}

/// The octets of all items between commas; there must be one.
fn list(text: &[u8], item: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let items = text.split(|&octet| octet == b',').map(item);
    items.collect::<Option<Vec<_>>>().map(|items| items.concat())
}

/// RFC 9460 §8: in ascending order, each key once, and not `mandatory` itself.
fn mandatory(text: &[u8]) -> Option<Vec<u8>> {
    let keys = text.split(|&octet| octet == b',').map(Key::read);
    let mut keys = keys.collect::<Option<Vec<_>>>()?;
    keys.sort_unstable();
    let valid = keys[0] != Key::MANDATORY && keys.is_sorted_by(|a, b| a < b);
    valid.then(|| keys.iter().flat_map(|key| key.0.to_be_bytes()).collect())
}

/// RFC 9460 §7.1.1 and appendix A.1: items between commas; a backslash takes the meaning from a
/// comma or backslash within.
fn protocols(text: &[u8]) -> Option<Vec<u8>> {
    let mut ids = vec![Vec::new()];
    let mut octets = text.iter();
    while let Some(&octet) = octets.next() {
        let last = ids.last_mut()?;
        match octet {
            b',' => ids.push(Vec::new()),
            b'\\' => last.push(*octets.next().filter(|octet| b",\\".contains(octet))?),
            _ => last.push(octet),
        }
    }
    let mut value = Vec::new();
    for id in ids {
        value.push(u8::try_from(id.len()).ok().filter(|length| *length > 0)?);
        value.extend(id);
    }
    Some(value)
}

/// What the parameters say about each other.
fn check(parameters: &BTreeMap<Key, Vec<u8>>) -> Result<(), DataFault> {
    // RFC 9460 §7.1.1: without "alpn" this key makes the record malformed.
    if parameters.contains_key(&Key::NO_DEFAULT_ALPN) && !parameters.contains_key(&Key::ALPN) {
        return Err(DataFault::Missing("alpn, since no-default-alpn is there"));
    }
    let mandatory = parameters.get(&Key::MANDATORY).map_or(&[][..], Vec::as_slice);
    let mut codes = mandatory.as_chunks::<2>().0.iter().map(|code| Key(u16::from_be_bytes(*code)));
    if codes.all(|key| parameters.contains_key(&key)) {
        return Ok(());
    }
    Err(DataFault::Missing("the parameters that mandatory names"))
}

/// Prints the remaining parameters.
pub(super) fn print(printer: &mut Printer<'_>) -> Option<()> {
    while !printer.is_done() {
        let key = Key(u16::from_be_bytes(printer.take()?));
        let length = u16::from_be_bytes(printer.take()?);
        let value = printer.octets(length as usize)?;
        match value_text(key, value)? {
            text if text.is_empty() => printer.word(key)?,
            text => printer.word(format_args!("{key}={}", Quoted(&text)))?,
        }
    }
    Some(())
}

/// The text of a value, before quotes and escapes.
fn value_text(key: Key, value: &[u8]) -> Option<Vec<u8>> {
    let text = match key {
        Key::MANDATORY => {
            let codes = value.as_chunks::<2>().0.iter();
            joined(codes.map(|code| Key(u16::from_be_bytes(*code)).to_string()))
        }
        Key::ALPN => return protocols_text(value),
        Key::PORT => u16::from_be_bytes(value.try_into().ok()?).to_string(),
        Key::IPV4HINT => {
            let addresses = value.as_chunks::<4>().0.iter();
            joined(addresses.map(|octets| Ipv4Addr::from(*octets).to_string()))
        }
        Key::IPV6HINT => {
            let addresses = value.as_chunks::<16>().0.iter();
            joined(addresses.map(|octets| Ipv6Addr::from(*octets).to_string()))
        }
        Key::ECH => BASE64.text(value),
        _ => return Some(value.to_vec()),
    };
    Some(text.into_bytes())
}

fn joined(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(",")
}

fn protocols_text(value: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut rest = value;
    while let Some((&length, behind)) = rest.split_first() {
        let (id, behind) = behind.split_at_checked(length as usize)?;
        if !text.is_empty() {
            text.push(b',');
        }
        for octet in id {
            if b",\\".contains(octet) {
                text.push(b'\\');
            }
            text.push(*octet);
        }
        rest = behind;
    }
    Some(text)
}
