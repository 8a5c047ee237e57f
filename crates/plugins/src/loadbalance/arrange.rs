//! Records into groups, without losing the order inside of a group and without a copy.

use corefile::kind::Network;
use std::net::IpAddr;
use std::ops::Range;
use wire::{Body, Record, RecordType, Section};

/// What a record is to a client that looks for somebody to connect to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Group {
    Cname,
    Address,
    Mx,
    Other,
}

impl Group {
    fn of(record: &Record) -> Self {
        match record.rtype {
            RecordType::CNAME => Self::Cname,
            RecordType::A | RecordType::AAAA => Self::Address,
            RecordType::MX => Self::Mx,
            _ => Self::Other,
        }
    }
}

/// Puts the groups into this order; where each of them is then.
pub(super) fn arrange(records: &mut [Record], order: [Group; 4]) -> [Range<usize>; 4] {
    let mut begin = 0;
    order.map(|group| {
        let count = partition(&mut records[begin..], &|record| Group::of(record) == group);
        begin += count;
        begin - count..begin
    })
}

/// Puts addresses in the first network before those in the second, and so on, the others behind
/// them; CNAMEs before all of them, mail servers and other records behind.
pub(super) fn prefer(body: &mut Body, section: Section, networks: &[Network]) {
    let order = [Group::Cname, Group::Address, Group::Mx, Group::Other];
    let mut addresses = arrange(body.section_mut(section), order)[1].clone();
    // Records can be told apart by their data only while nothing moves them.
    let mut records = std::mem::take(body.section_mut(section));
    for network in networks {
        let within = |record: &Record| {
            address(body.rdata(record)).is_some_and(|address| network.contains(address))
        };
        addresses.start += partition(&mut records[addresses.clone()], &within);
    }
    *body.section_mut(section) = records;
}

/// The address in the data of an A or AAAA record.
pub(super) fn address(rdata: &[u8]) -> Option<IpAddr> {
    match rdata.len() {
        4 => <[u8; 4]>::try_from(rdata).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(rdata).ok().map(IpAddr::from),
        _ => None,
    }
}

/// Moves what `is_first` wants to the front, both parts in their order; how many that are.
///
/// Both halves are done first, then the end of the one and the beginning of the other change places:
/// n·log n steps for n records, no allocation.
fn partition(records: &mut [Record], is_first: &impl Fn(&Record) -> bool) -> usize {
    let skip = records.iter().take_while(|record| is_first(record)).count();
    let records = &mut records[skip..];
    if records.len() < 2 {
        return skip;
    }
    let (left, right) = records.split_at_mut(records.len() / 2);
    let middle = left.len();
    let from_left = partition(left, is_first);
    let from_right = partition(right, is_first);
    records[from_left..middle + from_right].rotate_left(middle - from_left);
    skip + from_left + from_right
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wire::NameBuf;

    proptest! {
        #[test]
        fn groups_keep_their_inner_order(types in prop::collection::vec(0..6usize, 0..200)) {
            let names = [
                RecordType::A, RecordType::AAAA, RecordType::CNAME, RecordType::MX,
                RecordType::TXT, RecordType::NS,
            ];
            let mut body = Body::new();
            let root = NameBuf::root();
            for (ttl, index) in types.iter().enumerate() {
                let owner = root.as_name();
                body.push(Section::Answer, owner, ttl as u32, names[*index], &[0; 4]);
            }
            let order = [Group::Mx, Group::Cname, Group::Other, Group::Address];
            let groups = arrange(&mut body.answer, order);
            let rank = |record: &Record| order.iter().position(|g| *g == Group::of(record)).unwrap();
            let keys: Vec<_> = body.answer.iter().map(|record| (rank(record), record.ttl)).collect();
            prop_assert!(keys.is_sorted());
            prop_assert_eq!(keys.len(), types.len());
            for (rank, group) in groups.into_iter().enumerate() {
                prop_assert!(keys[group].iter().all(|key| key.0 == rank));
            }
        }
    }
}
