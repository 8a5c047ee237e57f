//! Names and addresses in memory, as `/etc/hosts` gives them.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::ops::Range;
use wire::{LABEL_MAX, Name, NameBuf};

/// Every name with its addresses, and every address with its names. Immutable once built.
#[derive(Default)]
pub(crate) struct Table {
    hash: RandomState,
    /// The names in lower-case wire form, one behind the other.
    octets: Box<[u8]>,
    v4: Box<[[u8; 4]]>,
    v6: Box<[[u8; 16]]>,
    by_name: HashTable<Host>,
    by_address: HashMap<IpAddr, Vec<NameAt>>,
    has_wildcards: bool,
}

/// Where a name lies in the octets.
#[derive(Clone, Copy, PartialEq, Eq)]
struct NameAt {
    at: u32,
    length: u8,
}

/// A name with its addresses, each family in the order of the file.
struct Host {
    name: NameAt,
    v4: (u32, u16),
    v6: (u32, u16),
}

/// The addresses of a name.
#[derive(Clone, Copy)]
pub(crate) struct Addresses<'a> {
    pub(crate) v4: &'a [[u8; 4]],
    pub(crate) v6: &'a [[u8; 16]],
}

impl Table {
    /// The addresses of `name`, which is in lower case: its own, or those of the wildcard that
    /// stands for its first label.
    pub(crate) fn addresses(&self, name: Name<'_>) -> Option<Addresses<'_>> {
        let found = self.exactly(name.octets());
        if found.is_some() || !self.has_wildcards {
            return found;
        }
        self.by_wildcard(name)
    }

    fn by_wildcard(&self, name: Name<'_>) -> Option<Addresses<'_>> {
        let parent = name.parent()?.octets();
        let mut wildcard = [0; LABEL_MAX + 193]; // a name of 255 octets fits
        let length = 2 + parent.len();
        wildcard[..2].copy_from_slice(b"\x01*");
        wildcard.get_mut(2..length)?.copy_from_slice(parent);
        self.exactly(&wildcard[..length])
    }

    fn exactly(&self, name: &[u8]) -> Option<Addresses<'_>> {
        let same = |host: &Host| &self.octets[host.name.range()] == name;
        let host = self.by_name.find(self.hash.hash_one(name), same)?;
        Some(Addresses { v4: part(&self.v4, host.v4), v6: part(&self.v6, host.v6) })
    }

    /// The names of an address, in the order of the file.
    pub(crate) fn names(&self, address: IpAddr) -> impl Iterator<Item = Name<'_>> {
        let names = self.by_address.get(&address.to_canonical()).map_or(&[][..], Vec::as_slice);
        // What was put in is a name.
        names.iter().filter_map(|name| Name::from_octets(&self.octets[name.range()]).ok())
    }

    /// Every name, in the order of first appearance.
    pub(crate) fn all_names(&self) -> impl Iterator<Item = Name<'_>> {
        let mut rest = &*self.octets;
        std::iter::from_fn(move || {
            let name = Name::prefix_of(rest).ok()?;
            rest = &rest[name.len()..];
            Some(name)
        })
    }

    /// How many pairs of name and address there are, and of address and name.
    pub(crate) fn entries(&self) -> usize {
        let named: usize = self.by_name.iter().map(|host| usize::from(host.v4.1 + host.v6.1)).sum();
        named + self.by_address.values().map(Vec::len).sum::<usize>()
    }
}

impl NameAt {
    fn range(self) -> Range<usize> {
        self.at as usize..self.at as usize + usize::from(self.length)
    }
}

fn part<T>(all: &[T], (at, count): (u32, u16)) -> &[T] {
    &all[at as usize..at as usize + usize::from(count)]
}

/// Collects lines into a [`Table`].
#[derive(Default)]
pub(crate) struct Builder {
    hash: RandomState,
    octets: Vec<u8>,
    names: HashTable<u32>,
    /// By name, in the order of first appearance.
    hosts: Vec<(NameAt, Vec<IpAddr>)>,
    by_address: HashMap<IpAddr, Vec<NameAt>>,
}

impl Builder {
    /// Adds a name for an address; a pair that is there already is not added again. As in CoreDNS,
    /// an IPv4 address is one however it is written: `::ffff:192.0.2.1` is `192.0.2.1`.
    ///
    /// `reverse` says whether the address is to be asked for its names. A wildcard has none.
    pub(crate) fn add(&mut self, address: IpAddr, name: &NameBuf, reverse: bool) {
        let address = address.to_canonical();
        let index = self.host(name);
        let (at, addresses) = &mut self.hosts[index];
        if addresses.len() < usize::from(u16::MAX) && !addresses.contains(&address) {
            addresses.push(address);
        }
        if reverse && !name.as_name().is_wildcard() {
            let names = self.by_address.entry(address).or_default();
            if !names.contains(at) {
                names.push(*at);
            }
        }
    }

    fn host(&mut self, name: &NameBuf) -> usize {
        let lower = name.as_name().to_lower();
        let key = lower.octets();
        let hash = self.hash.hash_one(key);
        let same = |index: &u32| &self.octets[self.hosts[*index as usize].0.range()] == key;
        if let Some(index) = self.names.find(hash, same) {
            return *index as usize;
        }
        let at = NameAt { at: self.octets.len() as u32, length: key.len() as u8 };
        self.octets.extend_from_slice(key);
        self.hosts.push((at, Vec::new()));
        let index = self.hosts.len() - 1;
        let rehash =
            |index: &u32| self.hash.hash_one(&self.octets[self.hosts[*index as usize].0.range()]);
        self.names.insert_unique(hash, index as u32, rehash);
        index
    }

    /// The table.
    pub(crate) fn build(self) -> Table {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        let mut by_name = HashTable::with_capacity(self.hosts.len());
        let hash_of = |host: &Host| self.hash.hash_one(&self.octets[host.name.range()]);
        for (name, addresses) in &self.hosts {
            let (before4, before6) = (v4.len(), v6.len());
            for address in addresses {
                match address {
                    IpAddr::V4(ip) => v4.push(ip.octets()),
                    IpAddr::V6(ip) => v6.push(ip.octets()),
                }
            }
            let host = Host {
                name: *name,
                v4: (before4 as u32, (v4.len() - before4) as u16),
                v6: (before6 as u32, (v6.len() - before6) as u16),
            };
            by_name.insert_unique(hash_of(&host), host, hash_of);
        }
        Table {
            has_wildcards: self
                .hosts
                .iter()
                .any(|(name, _)| self.octets[name.range()].starts_with(b"\x01*")),
            hash: self.hash,
            octets: self.octets.into(),
            v4: v4.into(),
            v6: v6.into(),
            by_name,
            by_address: self.by_address,
        }
    }
}
