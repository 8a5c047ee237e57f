//! Records on their way into a zone, in any order.

use crate::assembly::assemble;
use crate::mistake::{Fault, Mistake, Mistakes};
use crate::zone::Zone;
use std::sync::Arc;
use wire::{Class, Name, NameBuf, Place, RecordType};

/// The most octets of names and data: places among them are kept in four octets.
const OCTETS_MAX: usize = u32::MAX as usize;
/// The last octets of an SOA record: five numbers, the first is the serial, the last the minimum.
pub(crate) const NUMBERS_LEN: usize = 20;

/// Collects records and makes a [`Zone`] of them.
///
/// Names are put into lower case where CoreDNS does: owners, and the names in NS, SOA, CNAME, MX,
/// SVCB and HTTPS records. (It keeps the case of the owners of SRV records; we do not.) A record that
/// is there twice is kept once (RFC 2181 §5).
pub struct Builder {
    apex: NameBuf,
    octets: Vec<u8>,
    drafts: Vec<Draft>,
    soa: Option<Start>,
    files: Vec<Arc<str>>,
    mistakes: Mistakes,
}

/// A zone, and what is odd about it.
#[derive(Debug)]
pub struct Loaded {
    /// The zone.
    pub zone: Zone,
    /// Mistakes that do not keep it from being served.
    pub warnings: Mistakes,
}

/// Where a record comes from, for messages about it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Position<'a> {
    /// The file, or whatever else has records: `transfer from 192.0.2.1`.
    pub file: &'a str,
    /// Where in the file.
    pub place: Place,
}

/// A record on its way into a zone.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Who owns it.
    pub owner: Name<'a>,
    /// Its TTL in seconds.
    pub ttl: u32,
    /// Its class.
    pub class: Class,
    /// Its type.
    pub rtype: RecordType,
    /// Its data: uncompressed and of the form of their type, as [`RecordType::read_data`] and
    /// [`wire::Message::read`] make them.
    pub data: &'a [u8],
    /// Where it comes from.
    pub position: Position<'a>,
}

/// A record as it came. Its owner and data lie in the octets of the builder.
#[derive(Clone, Copy)]
pub(crate) struct Draft {
    owner_at: u32,
    data_at: u32,
    pub ttl: u32,
    line: u32,
    column: u16,
    file: u16,
    data_len: u16,
    pub rtype: RecordType,
    /// The type that a signature covers; 0 for other types.
    pub covers: RecordType,
    owner_len: u8,
}

/// The SOA record so far.
struct Start {
    data: Vec<u8>,
    ttl: u32,
    file: Arc<str>,
    place: Place,
    is_at_apex: bool,
}

impl Builder {
    /// An empty zone of this name.
    pub fn new(apex: Name<'_>) -> Self {
        Self {
            apex: apex.to_lower(),
            octets: Vec::new(),
            drafts: Vec::new(),
            soa: None,
            files: Vec::new(),
            mistakes: Mistakes::default(),
        }
    }

    /// Notes a mistake.
    pub(crate) fn mistake(&mut self, position: Position<'_>, fault: Fault) {
        let Position { file, place } = position;
        self.mistakes.push(Mistake { file: Arc::from(file), place, fault });
    }

    /// Notes a mistake of a record that was added.
    pub(crate) fn mistake_of(&mut self, draft: &Draft, fault: Fault) {
        let file = Arc::clone(&self.files[draft.file as usize]);
        let place = Place { line: draft.line, column: u32::from(draft.column) };
        self.mistakes.push(Mistake { file, place, fault });
    }

    /// Adds a record.
    pub fn push(&mut self, record: &Record<'_>) {
        let Record { owner, class, rtype, data, position, .. } = *record;
        let fault = match rtype {
            _ if class != Class::IN => Fault::OtherClass(class),
            RecordType::SOA => return self.push_start(record),
            RecordType::NSEC3 | RecordType::NSEC3PARAM => Fault::Nsec3(rtype),
            // RFC 6895 §3.1: question types and meta-types.
            RecordType(41 | 128..=255) => Fault::NotForZones(rtype),
            _ if !owner.is_at_or_below(self.apex()) => Fault::Outside(owner.to_string()),
            // Every name below would lead to itself.
            RecordType::DNAME if rtype.target(data) == Some(owner) => Fault::DnameToItself,
            _ => return self.push_draft(record),
        };
        self.mistake(position, fault);
    }

    /// Makes the zone, or tells what keeps it from being served.
    pub fn finish(self) -> Result<Loaded, Mistakes> {
        self.finish_after(Mistakes::default(), Position::default())
    }

    /// The same, with the mistakes of a text in front of those of its records. What is wrong with
    /// the zone as a whole is at `start`.
    pub(crate) fn finish_after(
        mut self,
        mut mistakes: Mistakes,
        start: Position<'_>,
    ) -> Result<Loaded, Mistakes> {
        match self.soa.take() {
            Some(soa) => {
                let (owner, Start { data, ttl, file, place, .. }) = (self.apex, &soa);
                self.push_draft(&Record {
                    owner: owner.as_name(),
                    ttl: *ttl,
                    class: Class::IN,
                    rtype: RecordType::SOA,
                    data,
                    position: Position { file, place: *place },
                });
            }
            None => self.mistake(start, Fault::NoSoa),
        }
        let failed = mistakes.has_errors() || self.mistakes.has_errors();
        let zone = if failed { None } else { assemble(&mut self) };
        mistakes.append(self.mistakes);
        match zone {
            Some(zone) if !mistakes.has_errors() => Ok(Loaded { zone, warnings: mistakes }),
            _ => Err(mistakes),
        }
    }

    /// RFC 1035 §5.2: "Exactly one SOA RR should be present at the top of the zone". CoreDNS takes
    /// the last one of the file, whoever owns it; one of the zone's own is better.
    fn push_start(&mut self, record: &Record<'_>) {
        let Record { owner, ttl, position, .. } = *record;
        let mut data = record.data.to_vec();
        lower_names(RecordType::SOA, &mut data);
        let is_at_apex = owner == self.apex();
        if !is_at_apex {
            self.mistake(position, Fault::SoaElsewhere(owner.to_string()));
        }
        if let Some(soa) = &self.soa {
            if soa.is_at_apex && !is_at_apex {
                return;
            }
            if soa.is_at_apex == is_at_apex && soa.data != data {
                self.mistake(position, Fault::SecondSoa);
            }
        }
        let Position { file, place } = position;
        self.soa = Some(Start { data, ttl, file: Arc::from(file), place, is_at_apex });
    }

    fn push_draft(&mut self, record: &Record<'_>) {
        let Record { owner, ttl, rtype, data, position, .. } = *record;
        let room = OCTETS_MAX.saturating_sub(self.octets.len() + owner.len());
        let (Ok(data_len), true) = (u16::try_from(data.len()), data.len() <= room) else {
            return self.mistake(position, Fault::TooLarge);
        };
        let owner_at = match self.drafts.last() {
            Some(last) if self.owner(last) == owner => last.owner_at,
            _ => self.append(owner.octets(), <[u8]>::make_ascii_lowercase),
        };
        let covers = match (rtype, data) {
            (RecordType::RRSIG, [a, b, ..]) => RecordType(u16::from_be_bytes([*a, *b])),
            _ => RecordType(0),
        };
        let draft = Draft {
            owner_at,
            data_at: self.append(data, |octets| lower_names(rtype, octets)),
            ttl,
            line: position.place.line,
            column: u16::try_from(position.place.column).unwrap_or(u16::MAX),
            file: self.file(position.file),
            data_len,
            rtype,
            covers,
            owner_len: owner.len() as u8,
        };
        self.drafts.push(draft);
    }

    /// Appends octets, changed by `lower`, and returns where.
    fn append(&mut self, octets: &[u8], lower: impl FnOnce(&mut [u8])) -> u32 {
        let at = self.octets.len();
        self.octets.extend_from_slice(octets);
        lower(&mut self.octets[at..]);
        at as u32
    }

    /// The number of a file. Beyond 65,536 files the last one is named for all.
    fn file(&mut self, name: &str) -> u16 {
        if self.files.last().is_none_or(|last| **last != *name) && self.files.len() <= 0xffff {
            self.files.push(Arc::from(name));
        }
        (self.files.len() - 1) as u16
    }

    pub(crate) fn apex(&self) -> Name<'_> {
        self.apex.as_name()
    }

    pub(crate) fn drafts(&self) -> &[Draft] {
        &self.drafts
    }

    pub(crate) fn owner(&self, draft: &Draft) -> Name<'_> {
        let at = draft.owner_at as usize;
        let octets = &self.octets[at..at + draft.owner_len as usize];
        // A name was put there; the root can only stand in for a broken one.
        Name::from_octets(octets).unwrap_or(Name::ROOT)
    }

    pub(crate) fn data(&self, draft: &Draft) -> &[u8] {
        let at = draft.data_at as usize;
        &self.octets[at..at + draft.data_len as usize]
    }
}

/// Puts those names into lower case that CoreDNS puts into lower case.
fn lower_names(rtype: RecordType, data: &mut [u8]) {
    let names = match rtype {
        RecordType::NS | RecordType::CNAME => 0..data.len(),
        RecordType::SOA => 0..data.len().saturating_sub(NUMBERS_LEN),
        RecordType::MX | RecordType::SVCB | RecordType::HTTPS => {
            let length = rtype.target(data).map_or(0, Name::len);
            2..2 + length
        }
        _ => return,
    };
    if let Some(names) = data.get_mut(names) {
        names.make_ascii_lowercase();
    }
}
