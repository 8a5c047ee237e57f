//! A zone of a file, handed over whole.

use super::Authority;
use crate::handover::{Offer, WholeZone};
use chain::Failure;
use std::sync::Arc;
use wire::{Body, Class, Name, RecordType, Section};
use zone::Zone;

impl Authority {
    /// The zone with this apex as it is now; see [`crate::handover::Transfer`].
    pub(crate) fn transfer(&self, apex: Name<'_>) -> Offer {
        let Some(file) = self.zones.get(apex.octets()) else { return Offer::NoZone };
        match file.zone().as_ref() {
            Some(zone) => Offer::Zone(Box::new(Reading::new(zone.clone()))),
            None => Offer::Failed(Failure::ZoneNotLoaded),
        }
    }
}

/// A zone that is being read. It stays as it is, whatever its file becomes.
struct Reading {
    zone: Arc<Zone>,
    /// The name, the set of its records and the record that come next.
    name: usize,
    rrset: usize,
    record: usize,
}

/// Octets of memory of what is read at once: a little more than this, and a record, at the most.
const OCTETS_AT_ONCE: usize = 64 << 10;

impl Reading {
    fn new(zone: Arc<Zone>) -> Self {
        Self { zone, name: 0, rrset: 0, record: 0 }
    }

    /// Appends the records of the name whose turn it is; false if they are too many.
    fn push_name(&mut self, zone: &Zone, body: &mut Body) -> bool {
        for rrset in zone.rrsets_of_name(self.name).skip(self.rrset) {
            let is_soa = rrset.rtype() == RecordType::SOA;
            for data in rrset.records().skip(self.record).filter(|_| !is_soa) {
                if body.memory() > OCTETS_AT_ONCE {
                    return false;
                }
                push(body, &rrset, data);
                self.record += 1;
            }
            (self.rrset, self.record) = (self.rrset + 1, 0);
        }
        (self.name, self.rrset) = (self.name + 1, 0);
        true
    }
}

impl WholeZone for Reading {
    fn serial(&self) -> u32 {
        self.zone.serial()
    }

    fn push_soa(&self, body: &mut Body) {
        if let Some(soa) = self.zone.find(self.zone.apex(), RecordType::SOA) {
            soa.records().for_each(|data| push(body, &soa, data));
        }
    }

    fn push_some(&mut self, body: &mut Body) -> bool {
        let zone = self.zone.clone();
        while self.name < zone.name_count() {
            if !self.push_name(&zone, body) {
                return true;
            }
        }
        false
    }
}

fn push(body: &mut Body, rrset: &zone::Rrset<'_>, data: &[u8]) {
    let (owner, ttl, rtype) = (rrset.owner(), rrset.ttl(), rrset.rtype());
    body.push_with(Section::Answer, owner, ttl, rtype, Class::IN, |out| {
        out.extend_from_slice(data);
    });
}
