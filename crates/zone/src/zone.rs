//! A zone in memory: how its records lie there, and how they are found.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::{BuildHasher as _, Hasher as _};
use wire::{Name, NameBuf, RecordType};

/// A zone: built once, never changed, read by any number of threads.
///
/// Every name that exists is a node, empty non-terminals included, so that one look-up tells whether
/// a name exists and the first ancestor found is its closest encloser. Nodes lie in canonical order
/// (RFC 4034 §6.1), the apex first; a table finds them by name. Names, in lower case, and data lie in
/// one run of octets, each node's together:
///
/// ```text
/// table ──hash of the name──> nodes ──> rrsets ──> octets
///                             parent     type       | name | len data | len data | ... | name | ...
///                             flags      TTL
/// ```
///
/// A name costs 16 octets, a set of records 16, a record 2, the table 10 to 21 a name.
pub struct Zone {
    pub(crate) octets: Box<[u8]>,
    pub(crate) nodes: Box<[Node]>,
    pub(crate) rrsets: Box<[RrsetEntry]>,
    pub(crate) table: HashTable<Place>,
    /// The nodes that have an NSEC record, in canonical order.
    pub(crate) nsec: Box<[u32]>,
    pub(crate) records: usize,
    pub(crate) serial: u32,
}

/// A name that exists.
#[derive(Clone, Copy)]
pub(crate) struct Node {
    pub name_at: u32,
    pub rrsets_at: u32,
    /// The node of the name without its leftmost label; the apex has itself.
    pub parent: u32,
    pub rrset_count: u16,
    pub name_len: u8,
    pub flags: Flags,
}

/// Where a node is, and its name: so that a look-up need not wait for the node to compare the name.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub node: u32,
    pub name_at: u32,
}

/// What is to be known about a node before its records are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flags(pub u8);

impl Flags {
    /// The zone ends here: NS records below the apex.
    pub(crate) const CUT: Self = Self(1);
    /// Names below are redirected.
    pub(crate) const DNAME: Self = Self(2);
    /// An ancestor has one of these two flags.
    pub(crate) const OBSCURED: Self = Self(4);
    /// Any of these: the name is not simply there, or not.
    pub(crate) const OBSTACLE: Self = Self(1 | 2 | 4);
    /// There is a child `*`.
    pub(crate) const WILDCARD: Self = Self(8);
    /// No records; or the apex with none but SOA and NS. See [`crate::Found::Empty`].
    pub(crate) const EMPTY: Self = Self(16);

    pub(crate) fn any(self, flags: Self) -> bool {
        self.0 & flags.0 != 0
    }

    pub(crate) fn add(&mut self, flags: Self) {
        self.0 |= flags.0;
    }

    pub(crate) fn remove(&mut self, flags: Self) {
        self.0 &= !flags.0;
    }
}

/// The records of one name and type.
#[derive(Clone, Copy)]
pub(crate) struct RrsetEntry {
    /// Where the data lie: each a length in two octets, then as many octets.
    pub data_at: u32,
    pub ttl: u32,
    pub rtype: RecordType,
    /// The type that a signature covers; 0 for other types.
    pub covers: RecordType,
    pub count: u16,
}

/// Hashes a name in lower case. Only who writes the zone chooses what is in the table, so the seed
/// may be fixed: whoever asks cannot make names collide that are not there.
pub(crate) fn hash_of(octets: &[u8]) -> u64 {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    hasher.write(octets);
    hasher.finish()
}

impl Zone {
    /// The zone's name, in lower case.
    pub fn apex(&self) -> Name<'_> {
        self.name(APEX)
    }

    /// The serial number of the SOA record.
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// How many records the zone holds.
    pub fn record_count(&self) -> usize {
        self.records
    }

    /// How many names own records or have names below that do.
    pub fn name_count(&self) -> usize {
        self.nodes.len()
    }

    /// Octets of memory that the zone takes.
    pub fn memory(&self) -> usize {
        self.octets.len()
            + size_of_val(&*self.nodes)
            + size_of_val(&*self.rrsets)
            + size_of_val(&*self.nsec)
            + self.table.allocation_size()
    }

    /// All sets of records in canonical order of their owners, the SOA record first among them; by
    /// ascending type within an owner.
    ///
    /// A zone transfer sends these, and the SOA record once more (RFC 5936 §2.2).
    pub fn rrsets(&self) -> impl Iterator<Item = Rrset<'_>> {
        let all = (0..self.nodes.len() as u32).flat_map(|node| self.rrsets_at(node));
        self.rrset(APEX, RecordType::SOA)
            .into_iter()
            .chain(all.filter(|rrset| rrset.rtype() != RecordType::SOA))
    }

    /// The sets of records of one name, by its place in canonical order: the apex is at 0, and there
    /// are [`Zone::name_count`] names. For who goes through a zone in pieces, see [`Zone::rrsets`].
    pub fn rrsets_of_name(&self, place: usize) -> impl Iterator<Item = Rrset<'_>> {
        let node = u32::try_from(place).ok().filter(|_| place < self.nodes.len());
        node.into_iter().flat_map(|node| self.rrsets_at(node))
    }

    /// The records of one name and type, as they stand in the zone: no wildcard, alias or delegation
    /// is followed.
    pub fn find(&self, owner: Name<'_>, rtype: RecordType) -> Option<Rrset<'_>> {
        self.rrset(self.node(owner.to_lower().as_name())?, rtype)
    }

    pub(crate) fn name(&self, node: u32) -> Name<'_> {
        // The builder put a name there; the root can only stand in for a broken one.
        Name::from_octets(self.name_octets(node)).unwrap_or(Name::ROOT)
    }

    pub(crate) fn name_octets(&self, node: u32) -> &[u8] {
        let node = &self.nodes[node as usize];
        let at = node.name_at as usize;
        &self.octets[at..at + node.name_len as usize]
    }

    pub(crate) fn flags(&self, node: u32) -> Flags {
        self.nodes[node as usize].flags
    }

    pub(crate) fn parent(&self, node: u32) -> u32 {
        self.nodes[node as usize].parent
    }

    /// The node of a name, if the name exists. The name is in lower case, as all nodes' are.
    pub(crate) fn node(&self, name: Name<'_>) -> Option<u32> {
        debug_assert!(name.is_lower());
        let octets = name.octets();
        // A name ends with the root, so that none is the beginning of another.
        let is_it = |place: &Place| self.octets[place.name_at as usize..].starts_with(octets);
        self.table.find(hash_of(octets), is_it).map(|place| place.node)
    }

    /// The node of the name or of its closest ancestor that exists (the closest encloser, RFC 4592
    /// §3.3.1). `name` is in lower case, and at or below the apex.
    pub(crate) fn closest(&self, name: Name<'_>) -> u32 {
        let mut name = name;
        loop {
            if let Some(node) = self.node(name) {
                return node;
            }
            match name.parent() {
                Some(parent) => name = parent,
                None => return APEX,
            }
        }
    }

    /// The node of the wildcard `*` directly below `node`.
    pub(crate) fn wildcard_below(&self, node: u32) -> Option<u32> {
        if !self.flags(node).any(Flags::WILDCARD) {
            return None;
        }
        let wildcard = NameBuf::child(b"*", self.name(node)).ok()?;
        self.node(wildcard.as_name())
    }

    /// The node with an NSEC record that is or precedes `name` in canonical order.
    pub(crate) fn nsec_before(&self, name: Name<'_>) -> Option<u32> {
        let after = self.nsec.partition_point(|node| self.name(*node) <= name);
        self.nsec[..after].last().copied()
    }

    /// All sets of records of a node.
    pub(crate) fn rrsets_at(&self, node: u32) -> impl Iterator<Item = Rrset<'_>> {
        let entries = self.entries(node);
        entries.iter().map(move |entry| Rrset { zone: self, node, entry })
    }

    /// All sets of records of a node of type `rtype`: one, or a set for each type that signatures
    /// cover, or none.
    pub(crate) fn rrsets_of(
        &self,
        node: u32,
        rtype: RecordType,
    ) -> impl Iterator<Item = Rrset<'_>> {
        let entries = self.entries(node);
        let begin = entries.partition_point(|entry| entry.rtype < rtype);
        entries[begin..]
            .iter()
            .take_while(move |entry| entry.rtype == rtype)
            .map(move |entry| Rrset { zone: self, node, entry })
    }

    /// The set of records of a node of type `rtype`; for signatures the first.
    pub(crate) fn rrset(&self, node: u32, rtype: RecordType) -> Option<Rrset<'_>> {
        self.rrsets_of(node, rtype).next()
    }

    /// The signatures of a node's records of type `rtype`.
    pub(crate) fn signatures(&self, node: u32, rtype: RecordType) -> Option<Rrset<'_>> {
        self.rrsets_of(node, RecordType::RRSIG).find(|rrset| rrset.covers() == rtype)
    }

    fn entries(&self, node: u32) -> &[RrsetEntry] {
        let node = &self.nodes[node as usize];
        let begin = node.rrsets_at as usize;
        &self.rrsets[begin..begin + node.rrset_count as usize]
    }
}

/// `example.org. serial 7, 12 records`
impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} serial {}, {} records", self.apex(), self.serial, self.records)
    }
}

/// The node of the apex: in canonical order nothing comes before it.
pub(crate) const APEX: u32 = 0;

/// The records of one owner and type, of signatures those that cover one type.
#[derive(Clone, Copy)]
pub struct Rrset<'z> {
    zone: &'z Zone,
    node: u32,
    entry: &'z RrsetEntry,
}

impl<'z> Rrset<'z> {
    /// Who owns the records, in lower case.
    pub fn owner(&self) -> Name<'z> {
        self.zone.name(self.node)
    }

    /// What kind of data they hold.
    pub fn rtype(&self) -> RecordType {
        self.entry.rtype
    }

    /// The type that these signatures cover; 0 for other records.
    pub fn covers(&self) -> RecordType {
        self.entry.covers
    }

    /// Their TTL in seconds.
    pub fn ttl(&self) -> u32 {
        self.entry.ttl
    }

    /// How many records there are: at least one.
    #[expect(clippy::len_without_is_empty, reason = "a set has at least one record")]
    pub fn len(&self) -> usize {
        self.entry.count as usize
    }

    /// Their data, uncompressed, in the order of the zone file.
    pub fn records(&self) -> Records<'z> {
        let rest = &self.zone.octets[self.entry.data_at as usize..];
        Records { rest, count: self.entry.count }
    }
}

/// The data of the records of a set.
#[derive(Clone)]
pub struct Records<'z> {
    rest: &'z [u8],
    count: u16,
}

impl<'z> Iterator for Records<'z> {
    type Item = &'z [u8];

    fn next(&mut self) -> Option<&'z [u8]> {
        self.count = self.count.checked_sub(1)?;
        let (length, rest) = self.rest.split_first_chunk()?;
        let (data, rest) = rest.split_at_checked(u16::from_be_bytes(*length) as usize)?;
        self.rest = rest;
        Some(data)
    }
}
