//! A name that is asked for, as it is stored.

use crate::address::Address;
use crate::cluster::Cluster;
use crate::model::packed::{Octets, push_address, push_text};
use crate::model::table::Value;
use crate::objects::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wire::{Name, NameBuf};

/// A name as it is compared: in lower case, without a root, and without the `*` of a wildcard.
///
/// A name that a service asks for may lack its zone (`web.shop` in every zone), so that it says
/// nothing where it ends.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct HostKey {
    pub(crate) labels: Box<[u8]>,
    pub(crate) is_wildcard: bool,
}

impl HostKey {
    /// Reads what an object calls a host; none if it is no name.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let name: NameBuf = text.parse().ok()?;
        let name = name.as_name().to_lower();
        let is_wildcard = name.as_name().is_wildcard();
        let rest = if is_wildcard { name.as_name().parent()? } else { name.as_name() };
        let (_, labels) = rest.octets().split_last()?;
        // `*` alone stands for every name of every zone.
        (is_wildcard || !labels.is_empty()).then(|| Self { labels: labels.into(), is_wildcard })
    }

    /// The names above it, which exist as it does (RFC 8020); a wildcard is below its own labels.
    pub(crate) fn ancestors(&self) -> impl Iterator<Item = Self> {
        let mut rest = &*self.labels;
        if !self.is_wildcard {
            rest = without_first(rest);
        }
        std::iter::from_fn(move || {
            let labels = rest;
            rest = without_first(rest);
            (!labels.is_empty()).then(|| Self { labels: labels.into(), is_wildcard: false })
        })
    }
}

/// Labels without the leftmost one.
pub(super) fn without_first(labels: &[u8]) -> &[u8] {
    labels.first().and_then(|&length| labels.get(1 + usize::from(length)..)).unwrap_or_default()
}

/// Where something is reached: addresses, and names of load balancers.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Exits {
    pub(crate) addresses: BTreeSet<Address>,
    /// In wire form and lower case.
    pub(crate) aliases: BTreeSet<Box<[u8]>>,
    /// The data of TXT records.
    pub(crate) texts: BTreeSet<Box<[u8]>>,
}

impl Exits {
    /// These and others.
    pub(super) fn add(&mut self, others: &Self) {
        self.addresses.extend(&others.addresses);
        self.aliases.extend(others.aliases.iter().cloned());
        self.texts.extend(others.texts.iter().cloned());
    }
}

/// What the objects of a kind and a class offer at a name: their exits together.
pub(crate) type Offers = BTreeMap<(Kind, String), Exits>;

/// A name and where it is reached, in one run of octets.
///
/// ```text
/// flags (1 octet)  labels with their length
/// for each group:  kind (1)  class with its length
///                  number of addresses (2)  addresses  alias in wire form with its length
///                  number of texts (2)  data of TXT records, each with its length (2)
/// ```
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Host(Arc<[u8]>);

const WILDCARD: u8 = 1;
const HAS_NAMES_BELOW: u8 = 2;

impl Host {
    pub(super) fn new(key: &HostKey, has_names_below: bool, offers: &Offers) -> Self {
        let wildcard = if key.is_wildcard { WILDCARD } else { 0 };
        let below = if has_names_below { HAS_NAMES_BELOW } else { 0 };
        // Labels are less than a name: 254 octets at most.
        let mut out = vec![wildcard | below, key.labels.len() as u8];
        out.extend_from_slice(&key.labels);
        for ((kind, class), exits) in offers {
            out.push(*kind as u8);
            push_text(&mut out, class);
            let count = exits.addresses.len().min(ADDRESSES_MAX);
            out.extend_from_slice(&(count as u16).to_be_bytes());
            for &address in exits.addresses.iter().take(count) {
                push_address(&mut out, address);
            }
            let alias = exits.aliases.first().map_or(&[] as &[u8], |alias| alias);
            out.push(alias.len() as u8);
            out.extend_from_slice(alias);
            let count = exits.texts.len().min(TEXTS_MAX);
            out.extend_from_slice(&(count as u16).to_be_bytes());
            for text in exits.texts.iter().take(count) {
                // The data of a record: 65,535 octets at most.
                out.extend_from_slice(&(text.len() as u16).to_be_bytes());
                out.extend_from_slice(text);
            }
        }
        Self(out.into())
    }

    /// The whole name, in lower case.
    pub(super) fn name(&self) -> Option<NameBuf> {
        let name = NameBuf::join(self.labels(), Name::ROOT).ok()?;
        if self.is_wildcard() { NameBuf::child(b"*", name.as_name()).ok() } else { Some(name) }
    }

    fn labels(&self) -> &[u8] {
        &self.0[2..2 + usize::from(self.0[1])]
    }

    fn is_wildcard(&self) -> bool {
        self.0[0] & WILDCARD != 0
    }

    pub(super) fn has_names_below(&self) -> bool {
        self.0[0] & HAS_NAMES_BELOW != 0
    }

    pub(super) fn groups(&self) -> Groups<'_> {
        Groups(Octets(&self.0[2 + self.labels().len()..]))
    }
}

/// The most addresses that a group keeps: a reply has no room for more.
const ADDRESSES_MAX: usize = 4096;
/// The most texts.
const TEXTS_MAX: usize = 256;

impl Value for Host {
    fn is_same(&self, other: &Self) -> bool {
        self.is_wildcard() == other.is_wildcard() && self.labels() == other.labels()
    }
}

/// What the objects of one kind and class offer.
#[derive(Clone, Copy)]
pub(super) struct Group<'a> {
    kind: u8,
    /// The class of the ingress, or of the route's gateway, or the type of a node's addresses, in
    /// lower case; empty for all else.
    pub(super) class: &'a [u8],
    count: u16,
    addresses: Octets<'a>,
    alias: &'a [u8],
    text_count: u16,
    texts: Octets<'a>,
}

impl<'a> Group<'a> {
    pub(super) fn is_of(&self, kind: Kind) -> bool {
        self.kind == kind as u8
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = Address> + use<'a> {
        let mut octets = self.addresses;
        (0..self.count).map(move |_| octets.address())
    }

    /// The data of TXT records.
    pub(super) fn texts(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut octets = self.texts;
        (0..self.text_count).map(move |_| long_text(&mut octets))
    }

    /// The name of a load balancer.
    pub(super) fn alias(&self) -> Option<Name<'a>> {
        Name::from_octets(self.alias).ok()
    }
}

/// The groups of a host.
pub(super) struct Groups<'a>(Octets<'a>);

impl<'a> Iterator for Groups<'a> {
    type Item = Group<'a>;

    fn next(&mut self) -> Option<Group<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let (kind, class, count) = (self.0.octet(), self.0.text(), self.0.word());
        let addresses = self.0;
        for _ in 0..count {
            self.0.text();
        }
        let (alias, text_count) = (self.0.text(), self.0.word());
        let texts = self.0;
        for _ in 0..text_count {
            long_text(&mut self.0);
        }
        Some(Group { kind, class, count, addresses, alias, text_count, texts })
    }
}

/// Octets after their length in two octets.
fn long_text<'a>(octets: &mut Octets<'a>) -> &'a [u8] {
    let length = octets.word();
    octets.take(length.into())
}

impl Cluster {
    /// What `look` makes of the host with these labels in lower case.
    #[inline]
    pub(super) fn host<R>(
        &self,
        is_wildcard: bool,
        labels: &[u8],
        mut look: impl FnMut(&Host) -> R,
    ) -> Option<R> {
        let is_it = |host: &Host| host.is_wildcard() == is_wildcard && host.labels() == labels;
        self.hosts.find(self.place((is_wildcard, labels)), |host| is_it(host).then(|| look(host)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let key = |text: &str| HostKey::read(text).map(|key| (key.is_wildcard, key.labels));
        assert_eq!(key("Web.Shop"), Some((false, (*b"\x03web\x04shop").into())));
        assert_eq!(key("web.shop."), key("web.shop"));
        assert_eq!(key("*.shop"), Some((true, (*b"\x04shop").into())));
        assert_eq!(key("*"), Some((true, [].into())));
        for text in ["", ".", "a..b", &"x".repeat(64)] {
            assert_eq!(key(text), None, "{text}");
        }
    }

    #[test]
    fn ancestors() {
        let above = |text: &str| -> Vec<_> {
            let key = HostKey::read(text).unwrap();
            let all = key.ancestors();
            all.map(|key| String::from_utf8(key.labels.into()).unwrap()).collect()
        };
        assert_eq!(above("a.b.c"), ["\x01b\x01c", "\x01c"]);
        assert_eq!(above("*.b.c"), ["\x01b\x01c", "\x01c"]);
        assert!(above("a").is_empty() && above("*").is_empty());
    }

    #[test]
    fn what_is_packed_is_read() {
        let key = HostKey::read("*.example.com").unwrap();
        let address = |text: &str| Address::from(text.parse::<std::net::IpAddr>().unwrap());
        let addresses = [address("192.0.2.1"), address("2001:db8::1")];
        let texts = BTreeSet::<Box<[u8]>>::from([(*b"\x01a").into(), vec![7; 1000].into()]);
        let aliases = [(*b"\x02lb\0").into()].into();
        let exits = Exits { addresses: addresses.into(), aliases, texts: texts.clone() };
        let offers = Offers::from([
            ((Kind::Ingress, "Nginx".to_owned()), exits),
            ((Kind::TlsRoute, String::new()), Exits::default()),
        ]);
        let host = Host::new(&key, true, &offers);
        assert!(host.is_wildcard() && host.has_names_below());
        assert_eq!(host.labels(), &*key.labels);
        let groups: Vec<_> = host.groups().collect();
        assert_eq!(groups.len(), 2);
        assert!(groups[0].is_of(Kind::Ingress) && groups[0].class == b"nginx");
        assert_eq!(groups[0].addresses().collect::<BTreeSet<_>>(), addresses.into());
        assert_eq!(groups[0].alias().map(|name| name.to_string()).as_deref(), Some("lb."));
        assert_eq!(groups[0].texts().map(Box::from).collect::<BTreeSet<_>>(), texts);
        assert!(groups[1].is_of(Kind::TlsRoute) && groups[1].class.is_empty());
        assert_eq!(groups[1].addresses().count() + groups[1].texts().count(), 0);
        assert!(groups[1].alias().is_none());
    }
}
