//! One record as a line of a zone file, with wildcards where a test cannot know the value.

use crate::scenario::Mistake;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use wire::{Body, Class, Name, NameBuf, Record, RecordType, Section};

/// A record that a reply must have, or that a canned reply shall have.
///
/// `www.example.org. 300 IN A 192.0.2.1`: owner, TTL, class (IN when left out), type, data. The TTL
/// may be a range (`1-5`) or `*`; any field of the data may be `*`. Data of types that have no text
/// form here are written as RFC 3597 §5 has them: `\# 4 c0000201`.
#[derive(Clone, Debug)]
pub struct RecordLine {
    /// Who owns the record; always absolute, with or without the final dot.
    pub owner: NameBuf,
    /// Which TTLs will do.
    pub ttl: TtlRange,
    /// Nearly always IN.
    pub class: Class,
    /// The type.
    pub rtype: RecordType,
    /// The data, field by field.
    pub fields: Vec<Field>,
    /// The line as written, for messages.
    pub text: String,
}

/// TTLs from the first to the last, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TtlRange {
    /// The smallest that will do.
    pub first: u32,
    /// The largest that will do.
    pub last: u32,
}

/// One field of a record's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// `*`: whatever it is.
    Any,
    /// A name; compared without case unless the question says `+case`.
    Name(Box<NameBuf>),
    /// Anything else, as it stands in a message.
    Octets(Vec<u8>),
}

/// What a field is in text.
#[derive(Clone, Copy)]
enum Kind {
    Name,
    V4,
    V6,
    U8,
    U16,
    U32,
    /// A character string (RFC 1035 §3.3).
    Text,
    /// One character string or more.
    Texts,
    /// The rest of the data in hexadecimal.
    Hex,
}

/// The fields of a type's data in order; none for types that are written as in RFC 3597 §5.
const fn kinds(rtype: RecordType) -> Option<&'static [Kind]> {
    use Kind::{Hex, Name, Text, Texts, U8, U16, U32, V4, V6};
    Some(match rtype {
        RecordType::A => &[V4],
        RecordType::AAAA => &[V6],
        RecordType::CNAME | RecordType::NS | RecordType::PTR | RecordType::DNAME => &[Name],
        RecordType::MX => &[U16, Name],
        RecordType::SRV => &[U16, U16, U16, Name],
        RecordType::SOA => &[Name, Name, U32, U32, U32, U32, U32],
        RecordType::TXT => &[Texts],
        RecordType::HINFO => &[Text, Text],
        RecordType::DS => &[U16, U8, U8, Hex],
        _ => return None,
    })
}

impl RecordLine {
    /// Reads a line; the mistake has no position yet.
    pub fn read(line: &str) -> Result<Self, Mistake> {
        let words = words(line)?;
        let [owner, ttl, rest @ ..] = &words[..] else {
            return Err(Mistake::new("a record is `OWNER TTL [CLASS] TYPE DATA`"));
        };
        let owner = name(owner)?;
        let ttl = TtlRange::read(ttl)?;
        let (class, rest) = match rest.first().and_then(|word| word.parse().ok()) {
            Some(class) if rest.len() > 1 => (class, &rest[1..]),
            _ => (Class::IN, rest),
        };
        let [rtype, data @ ..] = rest else {
            return Err(Mistake::new("the record has no type"));
        };
        let rtype: RecordType =
            rtype.parse().map_err(|_| Mistake::new(format!("`{rtype}` is no record type")))?;
        let fields = read_fields(rtype, data)?;
        Ok(Self { owner, ttl, class, rtype, fields, text: line.trim().to_owned() })
    }

    /// Appends the record to a reply. A TTL range gives its smallest; `*` has no data to give.
    pub fn push_to(&self, body: &mut Body, section: Section) -> Result<(), Mistake> {
        let mut data = Vec::new();
        for field in &self.fields {
            match field {
                Field::Any => {
                    return Err(Mistake::new(format!("`*` cannot be sent: `{}`", self.text)));
                }
                Field::Name(name) => data.extend_from_slice(name.octets()),
                Field::Octets(octets) => data.extend_from_slice(octets),
            }
        }
        let owner = self.owner.as_name();
        body.push_with(section, owner, self.ttl.first, self.rtype, self.class, |octets| {
            octets.extend_from_slice(&data);
        });
        Ok(())
    }
}

impl TtlRange {
    fn read(text: &str) -> Result<Self, Mistake> {
        if text == "*" {
            return Ok(Self { first: 0, last: u32::MAX });
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) if first <= last => Ok(Self { first, last }),
            _ => Err(Mistake::new(format!("a TTL is `300`, `1-5` or `*`, not `{text}`"))),
        }
    }

    /// Whether `ttl` is among them.
    pub fn holds(self, ttl: u32) -> bool {
        (self.first..=self.last).contains(&ttl)
    }
}

/// A record of a message as a line.
pub(super) fn line_of(body: &Body, record: &Record) -> String {
    let owner = body.owner(record);
    let mut line = format!("{owner} {} {} {}", record.ttl, record.class, record.rtype);
    match (kinds(record.rtype), fields_of(record.rtype, body.rdata(record))) {
        (Some(kinds), Some(fields)) => {
            for (index, field) in fields.iter().enumerate() {
                let kind = kinds[index.min(kinds.len() - 1)];
                write_field(&mut line, kind, field);
            }
        }
        _ => {
            let data = body.rdata(record);
            let _ = write!(line, " \\# {}", data.len());
            if !data.is_empty() {
                let _ = write!(line, " {}", hex(data));
            }
        }
    }
    line
}

/// The fields of a record's data, if they have the form of their type.
pub(super) fn fields_of(rtype: RecordType, data: &[u8]) -> Option<Vec<Field>> {
    let Some(kinds) = kinds(rtype) else { return Some(vec![Field::Octets(data.to_vec())]) };
    let mut fields = Vec::new();
    let mut rest = data;
    for kind in kinds {
        loop {
            let length = match kind {
                Kind::Name => {
                    let name = Name::prefix_of(rest).ok()?;
                    fields.push(Field::Name(Box::new(name.to_buf())));
                    rest = &rest[name.len()..];
                    break;
                }
                Kind::V4 | Kind::U32 => 4,
                Kind::V6 => 16,
                Kind::U8 => 1,
                Kind::U16 => 2,
                Kind::Text | Kind::Texts => 1 + *rest.first()? as usize,
                Kind::Hex => rest.len(),
            };
            let (field, after) = rest.split_at_checked(length)?;
            fields.push(Field::Octets(field.to_vec()));
            rest = after;
            if !matches!(kind, Kind::Texts) || rest.is_empty() {
                break;
            }
        }
    }
    rest.is_empty().then_some(fields)
}

fn read_fields(rtype: RecordType, data: &[String]) -> Result<Vec<Field>, Mistake> {
    if let Some((mark, generic)) = data.split_first()
        && mark == "\\#"
    {
        return read_generic(rtype, generic);
    }
    let Some(kinds) = kinds(rtype) else {
        return Err(Mistake::new(format!("write data of {rtype} as `\\# LENGTH HEX`")));
    };
    let repeats = matches!(kinds, [Kind::Texts]) && !data.is_empty();
    if data.len() != kinds.len() && !repeats {
        let (want, have) = (kinds.len(), data.len());
        return Err(Mistake::new(format!("{rtype} has {want} fields of data, not {have}")));
    }
    let kind_of = |index: usize| kinds[index.min(kinds.len() - 1)];
    data.iter().enumerate().map(|(index, word)| read_field(kind_of(index), word)).collect()
}

fn read_generic(rtype: RecordType, data: &[String]) -> Result<Vec<Field>, Mistake> {
    let wrong = || Mistake::new("unknown data are `\\# LENGTH HEX`, of LENGTH octets");
    let [length, digits @ ..] = data else { return Err(wrong()) };
    let octets = unhex(&digits.concat()).ok_or_else(wrong)?;
    if length.parse() != Ok(octets.len()) {
        return Err(wrong());
    }
    fields_of(rtype, &octets)
        .ok_or_else(|| Mistake::new(format!("these octets are no data of {rtype}")))
}

fn read_field(kind: Kind, word: &str) -> Result<Field, Mistake> {
    if word == "*" {
        return Ok(Field::Any);
    }
    let wrong = |what: &str| Mistake::new(format!("`{word}` is no {what}"));
    let number = |max: u64| word.parse::<u64>().ok().filter(|&number| number <= max);
    Ok(Field::Octets(match kind {
        Kind::Name => return name(word).map(|name| Field::Name(Box::new(name))),
        Kind::V4 => {
            let address: Ipv4Addr = word.parse().map_err(|_| wrong("IPv4 address"))?;
            address.octets().to_vec()
        }
        Kind::V6 => {
            let address: Ipv6Addr = word.parse().map_err(|_| wrong("IPv6 address"))?;
            address.octets().to_vec()
        }
        Kind::U8 => vec![number(0xff).ok_or_else(|| wrong("number of 8 bits"))? as u8],
        Kind::U16 => {
            let number = number(0xffff).ok_or_else(|| wrong("number of 16 bits"))?;
            (number as u16).to_be_bytes().to_vec()
        }
        Kind::U32 => {
            let number = number(0xffff_ffff).ok_or_else(|| wrong("number of 32 bits"))?;
            (number as u32).to_be_bytes().to_vec()
        }
        Kind::Text | Kind::Texts => {
            let length = u8::try_from(word.len()).map_err(|_| wrong("text of 255 octets"))?;
            [&[length], word.as_bytes()].concat()
        }
        Kind::Hex => unhex(word).ok_or_else(|| wrong("hexadecimal number"))?,
    }))
}

fn write_field(line: &mut String, kind: Kind, field: &Field) {
    let octets = match field {
        Field::Octets(octets) => &octets[..],
        Field::Any | Field::Name(_) => {
            let name = if let Field::Name(name) = field { name.to_string() } else { "*".into() };
            let _ = write!(line, " {name}");
            return;
        }
    };
    let number = octets.iter().take(4).fold(0u32, |sum, &octet| sum << 8 | u32::from(octet));
    let _ = match kind {
        Kind::V4 => write!(line, " {}", Ipv4Addr::from_bits(number)),
        Kind::V6 => {
            let address: [u8; 16] = octets.try_into().unwrap_or_default();
            write!(line, " {}", Ipv6Addr::from(address))
        }
        Kind::Text | Kind::Texts => {
            write!(line, " {:?}", String::from_utf8_lossy(octets.get(1..).unwrap_or_default()))
        }
        Kind::Hex => write!(line, " {}", hex(octets)),
        Kind::Name | Kind::U8 | Kind::U16 | Kind::U32 => write!(line, " {number}"),
    };
}

fn name(text: &str) -> Result<NameBuf, Mistake> {
    text.parse().map_err(|bad| Mistake::new(format!("`{text}` is no domain name: {bad}")))
}

/// The words of a line; a word in quotes may hold blanks, `\"` and `\\`.
fn words(line: &str) -> Result<Vec<String>, Mistake> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let Some(quoted) = rest.strip_prefix('"') else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            words.push(rest[..end].to_owned());
            rest = rest[end..].trim_start();
            continue;
        };
        let mut word = String::new();
        let mut characters = quoted.char_indices();
        let end = loop {
            match characters.next() {
                None => return Err(Mistake::new("a quote is not closed")),
                Some((at, '"')) => break at + 1,
                Some((_, '\\')) => word.extend(characters.next().map(|(_, escaped)| escaped)),
                Some((_, character)) => word.push(character),
            }
        };
        words.push(word);
        rest = quoted[end..].trim_start();
    }
    Ok(words)
}

/// Octets in hexadecimal.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// Hexadecimal as octets; none if it is not that.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round(line: &str) -> String {
        let record = RecordLine::read(line).unwrap();
        let mut body = Body::new();
        record.push_to(&mut body, Section::Answer).unwrap();
        line_of(&body, &body.answer[0])
    }

    #[test]
    fn lines_come_back_as_written() {
        for line in [
            "www.example.org. 300 IN A 192.0.2.1",
            "www.example.org. 300 IN AAAA 2001:db8::1",
            "a.example.org. 0 IN CNAME b.example.org.",
            "example.org. 5 IN SOA ns.example.org. root.example.org. 7 7200 1800 86400 5",
            "example.org. 5 IN MX 10 mail.example.org.",
            "_dns._udp.example.org. 5 IN SRV 0 50 53 ns.example.org.",
            r#"version.bind. 0 CH TXT "one two" "three""#,
            r#"example.org. 5 IN HINFO "a" "b""#,
            "example.org. 5 IN DS 1 8 2 00ff",
            "example.org. 5 IN TYPE65280 \\# 2 beef",
            "example.org. 5 IN TYPE65280 \\# 0",
        ] {
            assert_eq!(round(line), line);
        }
    }

    #[test]
    fn class_and_final_dot_may_be_left_out() {
        assert_eq!(round("x.test 1 A 192.0.2.1"), "x.test. 1 IN A 192.0.2.1");
        assert_eq!(round("x.test 1 A \\# 4 c0000201"), "x.test. 1 IN A 192.0.2.1");
    }

    #[test]
    fn wildcards() {
        let record = RecordLine::read("x.test. 1-5 IN SRV 0 * 53 *").unwrap();
        assert!(record.ttl.holds(5) && !record.ttl.holds(6));
        assert_eq!(record.fields[1], Field::Any);
        assert!(record.push_to(&mut Body::new(), Section::Answer).is_err());
    }

    #[test]
    fn what_is_no_record_says_what_to_write() {
        for (line, part) in [
            ("x.test.", "OWNER TTL"),
            ("x.test. soon A 192.0.2.1", "a TTL is"),
            ("x.test. 5-1 A 192.0.2.1", "a TTL is"),
            ("x.test. 5 IN", "no record type"),
            ("x.test. 5 A 192.0.2", "no IPv4 address"),
            ("x.test. 5 A", "1 fields of data, not 0"),
            ("x.test. 5 MX 70000 m.test.", "16 bits"),
            ("x..test. 5 A 192.0.2.1", "no domain name"),
            ("x.test. 5 TXT \"open", "not closed"),
            ("x.test. 5 LOC 1 2", "LENGTH HEX"),
            ("x.test. 5 A \\# 3 c00002", "no data of A"),
        ] {
            let mistake = RecordLine::read(line).unwrap_err();
            assert!(mistake.message.contains(part), "{line}: {}", mistake.message);
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_without_a_panic(line in "\\PC{0,60}") {
            let _ = RecordLine::read(&line);
        }

        #[test]
        fn any_data_is_written_without_a_panic(
            rtype in 0u16..70, data in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut body = Body::new();
            body.push(Section::Answer, Name::ROOT, 0, RecordType(rtype), &data);
            line_of(&body, &body.answer[0]);
        }
    }
}
