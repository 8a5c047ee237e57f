//! A zone out of its records: sorted, grouped, settled.

use crate::builder::{Builder, Draft, NUMBERS_LEN, Position};
use crate::mistake::Fault;
use crate::order::{END, push_key};
use crate::zone::{APEX, Flags, Node, Place, RrsetEntry, Zone, hash_of};
use hashbrown::HashTable;
use std::collections::HashSet;
use wire::{Name, RecordType};

/// Makes the zone. None if it is too large, which is then among the mistakes.
pub(crate) fn assemble(builder: &mut Builder) -> Option<Zone> {
    let Some((keys, sorted)) = sorted(builder) else {
        builder.mistake(Position::default(), Fault::TooLarge);
        return None;
    };
    let mut assembly = Assembly::new(builder);
    for group in sorted.chunk_by(|a, b| a.key(&keys) == b.key(&keys)) {
        assembly.add(group, &keys);
    }
    assembly.finish()
}

/// A record and the key of its owner, see [`push_key`].
#[derive(Clone, Copy)]
struct Sorted {
    key_at: u32,
    key_len: u16,
    rtype: RecordType,
    covers: RecordType,
    draft: u32,
}

impl Sorted {
    fn key<'k>(&self, keys: &'k [u8]) -> &'k [u8] {
        let at = self.key_at as usize;
        &keys[at..at + self.key_len as usize]
    }
}

/// The records in canonical order of their owners, then by type, then as they came.
fn sorted(builder: &Builder) -> Option<(Vec<u8>, Vec<Sorted>)> {
    let apex_labels = builder.apex().label_count();
    let mut keys = Vec::new();
    let mut sorted: Vec<Sorted> = Vec::with_capacity(builder.drafts().len());
    let mut last_owner = None;
    for (index, draft) in builder.drafts().iter().enumerate() {
        let owner = builder.owner(draft);
        let (key_at, key_len) = match sorted.last() {
            Some(last) if last_owner == Some(owner) => (last.key_at, last.key_len),
            _ => {
                let at = u32::try_from(keys.len()).ok()?;
                push_key(owner, owner.label_count() - apex_labels, &mut keys);
                (at, (keys.len() - at as usize) as u16)
            }
        };
        last_owner = Some(owner);
        let (rtype, covers) = (draft.rtype, draft.covers);
        sorted.push(Sorted { key_at, key_len, rtype, covers, draft: u32::try_from(index).ok()? });
    }
    // Stable, and quick for files that are in order already.
    sorted.sort_by(|a, b| {
        let types = (a.rtype, a.covers).cmp(&(b.rtype, b.covers));
        a.key(&keys).cmp(b.key(&keys)).then(types)
    });
    Some((keys, sorted))
}

/// A zone as it grows, name by name in canonical order.
struct Assembly<'b> {
    builder: &'b mut Builder,
    octets: Vec<u8>,
    nodes: Vec<Node>,
    rrsets: Vec<RrsetEntry>,
    nsec: Vec<u32>,
    records: usize,
    /// The node of the last name and those of its ancestors, from the apex, with the lengths of
    /// their keys.
    path: Vec<(u32, usize)>,
    last_key: Vec<u8>,
}

impl<'b> Assembly<'b> {
    fn new(builder: &'b mut Builder) -> Self {
        Self {
            builder,
            octets: Vec::new(),
            nodes: Vec::new(),
            rrsets: Vec::new(),
            nsec: Vec::new(),
            records: 0,
            path: Vec::new(),
            last_key: Vec::new(),
        }
    }

    /// Adds all records of one name.
    fn add(&mut self, group: &[Sorted], keys: &[u8]) {
        let drafts = |sorted: &Sorted| self.builder.drafts()[sorted.draft as usize];
        let owner = drafts(&group[0]);
        let sets = group.chunk_by(|a, b| (a.rtype, a.covers) == (b.rtype, b.covers));
        let sets: Vec<Vec<Draft>> = sets.map(|set| set.iter().map(drafts).collect()).collect();
        let node = self.enter(&owner, group[0].key(keys));
        let has = |rtype| group.iter().any(|sorted| sorted.rtype == rtype);
        let company = Company {
            is_apex: node == APEX,
            is_cut: node != APEX && has(RecordType::NS),
            has_cname: has(RecordType::CNAME),
        };
        for set in sets {
            match company.fault(set[0].rtype) {
                Some(fault) => self.builder.mistake_of(&set[0], fault),
                None => self.add_rrset(set),
            }
        }
        self.settle(node);
    }

    /// Makes the node of a name, and those of the ancestors that are not there yet: empty
    /// non-terminals.
    fn enter(&mut self, draft: &Draft, key: &[u8]) -> u32 {
        let common = key.iter().zip(&self.last_key).take_while(|(a, b)| a == b).count();
        while self.path.last().is_some_and(|(_, key_len)| *key_len > common) {
            self.path.pop();
        }
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        let owner = self.builder.owner(draft).to_buf();
        let labels = key.iter().filter(|octet| **octet == END).count();
        let (mut node, mut key_len) = self.path.last().copied().unwrap_or((APEX, 0));
        for depth in self.path.len()..=labels {
            let Some(name) = owner.as_name().skip_labels(labels - depth) else { break };
            if depth > 0 {
                let label = key[key_len..].iter().position(|octet| *octet == END);
                key_len += label.map_or(0, |length| length + 1);
            }
            node = self.push_node(name, node);
            self.path.push((node, key_len));
        }
        node
    }

    /// Appends a node without records.
    fn push_node(&mut self, name: Name<'_>, parent: u32) -> u32 {
        let mut flags = Flags::EMPTY;
        if let Some(above) = self.nodes.get_mut(parent as usize) {
            if name.is_wildcard() {
                above.flags.add(Flags::WILDCARD);
            }
            if above.flags.any(Flags::OBSTACLE) {
                flags.add(Flags::OBSCURED);
            }
        }
        let name_at = self.octets.len() as u32;
        self.octets.extend_from_slice(name.octets());
        self.nodes.push(Node {
            name_at,
            rrsets_at: self.rrsets.len() as u32,
            parent,
            rrset_count: 0,
            name_len: name.len() as u8,
            flags,
        });
        (self.nodes.len() - 1) as u32
    }

    /// Adds the records of one name and type, as far as they can stand together.
    fn add_rrset(&mut self, mut set: Vec<Draft>) {
        let rtype = set[0].rtype;
        if set.len() > 1 {
            let mut seen = HashSet::new();
            set.retain(|draft| seen.insert(self.builder.data(draft)));
        }
        if matches!(rtype, RecordType::CNAME | RecordType::DNAME) {
            for second in set.drain(1..) {
                self.builder.mistake_of(&second, Fault::SecondAlias(rtype));
            }
        }
        let ttl = set.iter().map(|draft| draft.ttl).min().unwrap_or_default();
        if let Some(other) = set.iter().find(|draft| draft.ttl != set[0].ttl) {
            self.builder.mistake_of(other, Fault::Ttls { rtype, used: ttl });
        }
        let Ok(count) = u16::try_from(set.len()) else {
            return self.builder.mistake_of(&set[0], Fault::TooLarge);
        };
        let data_at = self.octets.len() as u32;
        for draft in &set {
            let data = self.builder.data(draft);
            // Data are no longer than 65,535 octets: a draft counts them in two.
            self.octets.extend_from_slice(&(data.len() as u16).to_be_bytes());
            self.octets.extend_from_slice(data);
        }
        self.records += set.len();
        self.rrsets.push(RrsetEntry { data_at, ttl, rtype, covers: set[0].covers, count });
    }

    /// Notes what the records of a node, which are the last ones, say about it.
    fn settle(&mut self, index: u32) {
        let node = &mut self.nodes[index as usize];
        let rrsets = &self.rrsets[node.rrsets_at as usize..];
        let has = |rtype| rrsets.iter().any(|rrset| rrset.rtype == rtype);
        let is_start = |rrset: &RrsetEntry| {
            let start = [RecordType::SOA, RecordType::NS];
            index == APEX && (start.contains(&rrset.rtype) || start.contains(&rrset.covers))
        };
        let mut flags = node.flags;
        if !rrsets.iter().all(is_start) {
            flags.remove(Flags::EMPTY);
        }
        if index != APEX && has(RecordType::NS) {
            flags.add(Flags::CUT);
        }
        if has(RecordType::DNAME) {
            flags.add(Flags::DNAME);
        }
        if has(RecordType::NSEC) {
            self.nsec.push(index);
        }
        node.flags = flags;
        match u16::try_from(rrsets.len()) {
            Ok(count) => node.rrset_count = count,
            Err(_) => self.builder.mistake(Position::default(), Fault::TooLarge),
        }
    }

    fn finish(self) -> Option<Zone> {
        let Self { builder, octets, nodes, rrsets, nsec, records, .. } = self;
        if octets.len() > u32::MAX as usize {
            builder.mistake(Position::default(), Fault::TooLarge);
            return None;
        }
        let mut zone = Zone {
            octets: octets.into(),
            nodes: nodes.into(),
            rrsets: rrsets.into(),
            table: HashTable::new(),
            nsec: nsec.into(),
            records,
            serial: 0,
        };
        let mut table = HashTable::with_capacity(zone.nodes.len());
        let hash = |place: &Place| hash_of(zone.name_octets(place.node));
        for (node, &Node { name_at, .. }) in (0..).zip(&zone.nodes) {
            let place = Place { node, name_at };
            table.insert_unique(hash(&place), place, hash);
        }
        zone.table = table;
        zone.serial = serial_of(&zone).unwrap_or_default();
        Some(zone)
    }
}

fn serial_of(zone: &Zone) -> Option<u32> {
    let start = zone.rrset(APEX, RecordType::SOA)?.records().next()?;
    let numbers = start.last_chunk::<NUMBERS_LEN>()?;
    numbers.first_chunk().map(|serial| u32::from_be_bytes(*serial))
}

/// What else a name has, which decides what its records may be.
struct Company {
    is_apex: bool,
    is_cut: bool,
    has_cname: bool,
}

impl Company {
    /// Why records of this type are left out, if they are.
    ///
    /// RFC 1034 §3.6.2: "If a CNAME RR is present at a node, no other data should be present". CoreDNS
    /// loads all of them and follows the alias whatever is asked, but at a delegation and for the
    /// SOA and NS records of the apex. So do we, and say which records can never be seen.
    fn fault(&self, rtype: RecordType) -> Option<Fault> {
        if !self.has_cname {
            return None;
        }
        if self.is_cut {
            return (rtype == RecordType::CNAME).then_some(Fault::CnameAtCut);
        }
        let stays = match rtype {
            RecordType::CNAME | RecordType::RRSIG | RecordType::NSEC => true,
            RecordType::SOA
            | RecordType::NS
            | RecordType::DNSKEY
            | RecordType::CDS
            | RecordType::CDNSKEY => self.is_apex,
            _ => false,
        };
        (!stays).then_some(Fault::BesideCname(rtype))
    }
}
