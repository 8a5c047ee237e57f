//! Being authoritative for zones that are read from files: what `file` and `auto` share.
//!
//! **What this is.** [`Authority`], zones by origin and the answer to a question from the zone that
//! it lies in, and [`ZoneFile`], a zone that follows its file.
//!
//! **What this is not.** No directive, and no zone: `zone::Zone` knows what is in one.

mod note;
mod whole;
mod zone_file;

pub(crate) use zone_file::{NoZone, Seen, ZoneFile};

use crate::zones::Zones;
use chain::{Exchange, Failure, Step};
use std::collections::HashMap;
use std::sync::Arc;
use wire::{Name, NameBuf, Opcode, RecordType};
use zone::{Found, Outcome};

/// Zones by origin.
#[derive(Default)]
pub(crate) struct Authority {
    zones: HashMap<Box<[u8]>, Arc<ZoneFile>, foldhash::fast::RandomState>,
}

impl Authority {
    /// Adds a zone; one with the same origin is replaced.
    pub(crate) fn insert(&mut self, zone: Arc<ZoneFile>) {
        self.zones.insert(zone.origin().octets().into(), zone);
    }

    /// The zones in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<ZoneFile>> {
        self.zones.values()
    }

    /// The zone with this origin, in lower case.
    pub(crate) fn at(&self, origin: &NameBuf) -> Option<&Arc<ZoneFile>> {
        self.zones.get(origin.octets())
    }

    /// The longest zone that `name`, in lower case, lies in.
    fn find(&self, name: Name<'_>) -> Option<&ZoneFile> {
        let mut origin = Some(name);
        while let Some(name) = origin {
            if let Some(zone) = self.zones.get(name.octets()) {
                return Some(zone);
            }
            origin = name.parent();
        }
        None
    }

    /// Shows every set of records of every zone.
    pub(crate) fn names(&self, show: &mut dyn FnMut(Name<'_>, RecordType)) {
        let mut files: Vec<_> = self.iter().collect();
        files.sort_unstable_by_key(|file| *file.origin());
        for file in files {
            let loaded = file.zone();
            for rrset in loaded.as_deref().into_iter().flat_map(zone::Zone::rrsets) {
                show(rrset.owner(), rrset.rtype());
            }
        }
    }

    /// Answers from the zone that the question lies in; next plugin if there is none.
    pub(crate) fn answer(&self, x: &mut Exchange, fallthrough: Option<&Zones>) -> Step {
        let Some(file) = self.find(x.question.name()) else { return Step::Next };
        let loaded = file.zone();
        let Some(zone) = loaded.as_deref() else {
            x.note(|| format!("could not read the zone {} yet", file.origin()));
            return x.fail(Failure::ZoneNotLoaded);
        };
        if x.request.opcode == Opcode::NOTIFY {
            return Step::Drop; // nobody may tell us to transfer a zone that we have from a file
        }
        let dnssec_ok = x.request.dnssec_ok();
        let Outcome { found, wildcard, cut } = zone.answer(&x.question, dnssec_ok, &mut x.reply);
        if cut {
            x.cut_chain();
        }
        if let (Some(wildcard), Some(labels)) = (wildcard, &mut x.labels) {
            labels.push(("zone/wildcard".into(), wildcard.to_string()));
        }
        x.note(|| note::of(zone, found, wildcard, x));
        match found {
            Found::NoSuchName if fallthrough.is_some_and(|z| z.cover(x.question.name())) => {
                x.note(|| "falls through".to_owned());
                x.clear_reply();
                Step::Next
            }
            Found::NotHere => Step::Next,
            Found::Refused => x.fail(Failure::TransferRefused),
            Found::Elsewhere => {
                zone.push_name_servers(dnssec_ok, &mut x.reply.body);
                Step::Chase
            }
            Found::Answer | Found::Referral | Found::NoData | Found::Empty | Found::NoSuchName => {
                Step::Done
            }
        }
    }
}
