//! The records of a message: three sections and the octets that they share.

use crate::rdata::{self, Part};
use crate::{Class, Name, NameBuf, RecordType};

/// One of the three sections that hold records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Section {
    /// What was asked for.
    Answer,
    /// Who is responsible: NS, or SOA for a denial.
    Authority,
    /// What the client is likely to ask next.
    Additional,
}

impl Section {
    /// All, in the order of the message.
    pub const ALL: [Self; 3] = [Self::Answer, Self::Authority, Self::Additional];
}

/// A record whose owner and data lie in its [`Body`].
///
/// Copying, sorting and dropping records moves no octet of names or data.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    owner_at: u32,
    rdata_at: u32,
    /// Seconds for which the record may be kept.
    pub ttl: u32,
    rdata_len: u16,
    /// What kind of data it holds.
    pub rtype: RecordType,
    /// Nearly always IN.
    pub class: Class,
    owner_len: u8,
}

impl Record {
    /// Whether two records of one body lie at the same place: have the same owner.
    fn shares_owner(&self, other: &Self) -> bool {
        self.owner_at == other.owner_at
    }
}

/// The answer, authority and additional sections.
///
/// Names and data are stored uncompressed in one run of octets that only grows until
/// [`Body::clear`]: a body that is used again and again allocates only until it has seen its
/// largest message.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// Records that answer the question.
    pub answer: Vec<Record>,
    /// Records about who is responsible.
    pub authority: Vec<Record>,
    /// Records that may spare the next question; never an OPT record.
    pub additional: Vec<Record>,
    octets: Vec<u8>,
    overflowed: bool,
}

/// The most records of a body. No message of 64 KiB holds more: a record takes 11 octets or more.
const RECORDS_MAX: usize = 6_000;
/// The most octets of names and data that a body holds, uncompressed.
const OCTETS_MAX: usize = 1 << 20;

impl Body {
    /// An empty body.
    pub const fn new() -> Self {
        Self {
            answer: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            octets: Vec::new(),
            overflowed: false,
        }
    }

    /// Forgets every record, but keeps the memory.
    pub fn clear(&mut self) {
        self.answer.clear();
        self.authority.clear();
        self.additional.clear();
        self.octets.clear();
        self.overflowed = false;
    }

    /// Whether no section has a record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many records all sections hold.
    pub fn len(&self) -> usize {
        self.answer.len() + self.authority.len() + self.additional.len()
    }

    /// Whether a record, or a new name for one, was left out because 6,000 records or 1 MiB of names
    /// and data were reached.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Octets of memory in use, for bounds that count bytes.
    pub fn memory(&self) -> usize {
        self.len() * size_of::<Record>() + self.octets.len()
    }

    /// Octets of memory that it holds, those included that are not in use.
    pub fn reserved(&self) -> usize {
        let sections = [&self.answer, &self.authority, &self.additional];
        let records: usize = sections.iter().map(|section| section.capacity()).sum();
        records * size_of::<Record>() + self.octets.capacity()
    }

    /// The records of a section.
    pub fn section(&self, section: Section) -> &[Record] {
        match section {
            Section::Answer => &self.answer,
            Section::Authority => &self.authority,
            Section::Additional => &self.additional,
        }
    }

    /// The records of a section, to sort, drop or change them.
    pub fn section_mut(&mut self, section: Section) -> &mut Vec<Record> {
        match section {
            Section::Answer => &mut self.answer,
            Section::Authority => &mut self.authority,
            Section::Additional => &mut self.additional,
        }
    }

    /// The records of all sections in order.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.answer.iter().chain(&self.authority).chain(&self.additional)
    }

    /// The records of all sections in order, to change their TTLs.
    pub fn records_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        self.answer.iter_mut().chain(&mut self.authority).chain(&mut self.additional)
    }

    /// Who owns the record.
    pub fn owner(&self, record: &Record) -> Name<'_> {
        let at = record.owner_at as usize;
        Name::trusted(&self.octets[at..at + record.owner_len as usize])
    }

    /// The record's data, uncompressed.
    pub fn rdata(&self, record: &Record) -> &[u8] {
        let at = record.rdata_at as usize;
        &self.octets[at..at + record.rdata_len as usize]
    }

    /// The first name in the record's data (the target of CNAME, NS, MX, SRV, PTR, SVCB …).
    pub fn target(&self, record: &Record) -> Option<Name<'_>> {
        rdata::first_name(record.rtype, self.rdata(record))
    }

    /// Appends a record of class IN.
    pub fn push(
        &mut self,
        section: Section,
        owner: Name<'_>,
        ttl: u32,
        rtype: RecordType,
        rdata: &[u8],
    ) {
        self.push_with(section, owner, ttl, rtype, Class::IN, |octets| {
            octets.extend_from_slice(rdata);
        });
    }

    /// Appends a record of class IN whose data are a name.
    pub fn push_name(
        &mut self,
        section: Section,
        owner: Name<'_>,
        ttl: u32,
        rtype: RecordType,
        target: Name<'_>,
    ) {
        self.push(section, owner, ttl, rtype, target.octets());
    }

    /// Appends a record whose data `write` appends to the octets that it is given.
    ///
    /// The data must be uncompressed and of the form of their type. What would make them longer
    /// than 65,535 octets, or the body larger than its bounds, leaves the record out and is told
    /// by [`Body::overflowed`].
    pub fn push_with(
        &mut self,
        section: Section,
        owner: Name<'_>,
        ttl: u32,
        rtype: RecordType,
        class: Class,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let before = self.octets.len();
        let (owner_at, owner_len) = match self.shared_owner(section, owner) {
            Some(at) => (at, owner.len() as u8),
            None => {
                self.octets.extend_from_slice(owner.octets());
                (before as u32, owner.len() as u8)
            }
        };
        let rdata_at = self.octets.len();
        write(&mut self.octets);
        let length = self.octets.len() - rdata_at;
        let Ok(rdata_len) = u16::try_from(length) else { return self.leave_out(before) };
        if self.len() >= RECORDS_MAX || self.octets.len() > OCTETS_MAX {
            return self.leave_out(before);
        }
        let rdata_at = rdata_at as u32;
        self.section_mut(section).push(Record {
            owner_at,
            rdata_at,
            ttl,
            rdata_len,
            rtype,
            class,
            owner_len,
        });
    }

    /// Where the last record of the section has this very owner, so that it need not be stored
    /// again. Its case counts: an owner is written as it was given.
    fn shared_owner(&self, section: Section, owner: Name<'_>) -> Option<u32> {
        let last = self.section(section).last()?;
        (self.owner(last).octets() == owner.octets()).then_some(last.owner_at)
    }

    fn leave_out(&mut self, octets: usize) {
        self.octets.truncate(octets);
        self.overflowed = true;
    }

    /// Appends `record` of another body.
    pub fn push_from(&mut self, section: Section, other: &Self, record: &Record) {
        let Record { ttl, rtype, class, .. } = *record;
        self.push_with(section, other.owner(record), ttl, rtype, class, |octets| {
            octets.extend_from_slice(other.rdata(record));
        });
    }

    /// Becomes `other`, in its own memory.
    pub fn copy_from(&mut self, other: &Self) {
        self.clear();
        self.answer.extend_from_slice(&other.answer);
        self.authority.extend_from_slice(&other.authority);
        self.additional.extend_from_slice(&other.additional);
        self.octets.extend_from_slice(&other.octets);
        self.overflowed = other.overflowed;
    }

    /// The names and data of all records, for who keeps bodies in less memory than this type takes.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Becomes the body that once had these sections and [`Body::octets`], in its own memory.
    pub fn restore(&mut self, sections: [&[Record]; 3], octets: &[u8]) {
        self.clear();
        for (section, records) in Section::ALL.into_iter().zip(sections) {
            self.section_mut(section).extend_from_slice(records);
        }
        self.octets.extend_from_slice(octets);
    }

    /// Changes the owner of every record that `rename` has a new name for.
    ///
    /// The names before stay in memory. An owner for which the body has no room any more stays, too,
    /// which is told by [`Body::overflowed`].
    pub fn rename_owners(&mut self, mut rename: impl FnMut(Name<'_>) -> Option<NameBuf>) {
        for section in Section::ALL {
            let mut last: Option<(Record, Record)> = None; // one before and after its change
            for index in 0..self.section(section).len() {
                let record = self.section(section)[index];
                if let Some((before, after)) = &last
                    && before.shares_owner(&record)
                {
                    let (owner_at, owner_len) = (after.owner_at, after.owner_len);
                    let changed = &mut self.section_mut(section)[index];
                    (changed.owner_at, changed.owner_len) = (owner_at, owner_len);
                    continue;
                }
                if let Some(owner) = rename(self.owner(&record)) {
                    let at = self.octets.len();
                    self.octets.extend_from_slice(owner.octets());
                    if self.octets.len() > OCTETS_MAX {
                        return self.leave_out(at);
                    }
                    let at = at as u32;
                    let changed = &mut self.section_mut(section)[index];
                    (changed.owner_at, changed.owner_len) = (at, owner.octets().len() as u8);
                }
                last = Some((record, self.section(section)[index]));
            }
        }
    }

    /// Changes every name inside the data of the records that `rename` has a new name for.
    ///
    /// `rename` is given the record's type and the name. Limited as [`Body::rename_owners`].
    pub fn rename_targets(
        &mut self,
        mut rename: impl FnMut(RecordType, Name<'_>) -> Option<NameBuf>,
    ) {
        for section in Section::ALL {
            for index in 0..self.section(section).len() {
                let record = self.section(section)[index];
                if rdata::parts(record.rtype) == [Part::Rest] {
                    continue;
                }
                if let Some((at, length)) = self.rename_in(&record, &mut rename) {
                    let changed = &mut self.section_mut(section)[index];
                    (changed.rdata_at, changed.rdata_len) = (at, length);
                }
            }
        }
    }

    /// Writes the record's data anew at the end of the octets; where, if a name was changed.
    fn rename_in(
        &mut self,
        record: &Record,
        rename: &mut impl FnMut(RecordType, Name<'_>) -> Option<NameBuf>,
    ) -> Option<(u32, u16)> {
        let begin = self.octets.len();
        let mut at = record.rdata_at as usize;
        let end = at + record.rdata_len as usize;
        let mut changed = false;
        for part in rdata::parts(record.rtype) {
            let length = match part {
                Part::Fixed(length) => *length,
                Part::String => 1 + self.octets[at] as usize,
                Part::Rest => end - at,
                Part::Name | Part::PlainName => {
                    let Ok(name) = Name::prefix_of(&self.octets[at..end]) else { break };
                    let length = name.len();
                    if let Some(new) = rename(record.rtype, name) {
                        self.octets.extend_from_slice(new.octets());
                        changed = true;
                        at += length;
                        continue;
                    }
                    length
                }
            };
            self.octets.extend_from_within(at..at + length);
            at += length;
        }
        if changed && self.octets.len() > OCTETS_MAX {
            self.leave_out(begin);
            return None;
        }
        let length = u16::try_from(self.octets.len() - begin).ok().filter(|_| changed && at == end);
        if length.is_none() {
            self.octets.truncate(begin);
        }
        length.map(|length| (begin as u32, length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> NameBuf {
        text.parse().unwrap()
    }

    #[test]
    fn records_of_one_owner_share_it() {
        let mut body = Body::new();
        for octet in 1..=3 {
            body.push(Section::Answer, name("a.b").as_name(), 5, RecordType::A, &[10, 0, 0, octet]);
        }
        assert_eq!(body.octets.len(), 5 + 3 * 4);
        assert_eq!(body.owner(&body.answer[2]), name("a.b").as_name());
        assert_eq!(body.rdata(&body.answer[2]), [10, 0, 0, 3]);
    }

    #[test]
    fn names_are_renamed_wherever_they_stand() {
        let (old, new) = (name("old.example"), name("new.example"));
        let mut body = Body::new();
        let srv = [&[0, 1, 0, 2, 0, 3][..], old.octets()].concat();
        body.push(Section::Answer, old.as_name(), 5, RecordType::SRV, &srv);
        body.push(Section::Answer, old.as_name(), 5, RecordType::SRV, &srv);
        body.push(Section::Additional, name("x").as_name(), 5, RecordType::A, &[1, 2, 3, 4]);
        let rename = |found: Name<'_>| (found == old.as_name()).then_some(new);
        body.rename_owners(rename);
        body.rename_targets(|_, found| rename(found));
        for record in &body.answer {
            assert_eq!(body.owner(record), new.as_name());
            assert_eq!(body.target(record), Some(new.as_name()));
            assert_eq!(body.rdata(record)[..6], [0, 1, 0, 2, 0, 3]);
        }
        assert_eq!(body.owner(&body.additional[0]), name("x").as_name());
    }

    #[test]
    fn a_body_is_bounded() {
        let mut body = Body::new();
        for _ in 0..RECORDS_MAX {
            body.push(Section::Answer, Name::ROOT, 0, RecordType::A, &[0; 4]);
        }
        assert!(!body.overflowed());
        body.push(Section::Answer, Name::ROOT, 0, RecordType::A, &[0; 4]);
        assert!(body.overflowed() && body.len() == RECORDS_MAX);
        body.clear();
        body.push(Section::Answer, Name::ROOT, 0, RecordType::TXT, &vec![0; 65_536]);
        assert!(body.overflowed() && body.is_empty());
    }

    #[test]
    fn renaming_is_bounded_too() {
        let long = name(&"a.".repeat(127));
        let mut body = Body::new();
        for number in 0..100 {
            let owner = name(&number.to_string());
            body.push_name(Section::Answer, owner.as_name(), 5, RecordType::NS, owner.as_name());
        }
        for _ in 0..100 {
            body.rename_owners(|_| Some(long));
            body.rename_targets(|_, _| Some(long));
        }
        assert!(body.overflowed() && body.octets.len() <= OCTETS_MAX);
        assert_eq!(body.owner(&body.answer[99]), long.as_name());
        assert_eq!(body.target(&body.answer[99]), Some(long.as_name()));
    }
}
