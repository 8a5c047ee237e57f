//! What operators are told about a cache.

use super::entry::{Age, Entry, Key, Kind};
use super::metrics::Counters;
use super::store::Store;
use crate::inspect::{CacheState, InspectCache, KeptReply};
use crate::metrics::Counter;
use chain::Clock;
use std::sync::Arc;
use wire::{Name, Question, RecordType, Reply};

/// A cache, for who asks about it.
pub(super) struct Told {
    pub(super) zones: Vec<String>,
    pub(super) store: Arc<Store>,
    pub(super) counters: Box<[Option<Counters>]>,
    pub(super) clock: Arc<dyn Clock>,
}

impl InspectCache for Told {
    fn state(&self) -> CacheState {
        let total = |of: fn(&Counters) -> &Counter| {
            self.counters.iter().flatten().map(|counters| of(counters).total()).sum()
        };
        let [successes_max, denials_max] = self.store.capacities();
        CacheState {
            zones: self.zones.clone(),
            successes: self.store.len(Kind::Success),
            successes_max,
            denials: self.store.len(Kind::Denial),
            denials_max,
            octets: self.store.memory(),
            requests: total(|counters| &counters.requests),
            hits_success: total(|counters| &counters.hits[Kind::Success as usize]),
            hits_denial: total(|counters| &counters.hits[Kind::Denial as usize]),
        }
    }

    fn kept(&self, name: Name<'_>, rtype: RecordType) -> Vec<KeptReply> {
        let question = Question::new(name, rtype);
        let mut kept = Vec::new();
        for (dnssec_ok, checking_disabled) in
            [(false, false), (true, false), (false, true), (true, true)]
        {
            let key = Key::new(&question, dnssec_ok, checking_disabled);
            let looked = self.store.look(&key);
            let entries = looked.success().into_iter().chain(looked.denial());
            kept.extend(entries.filter_map(|entry| self.reply(entry, &key)));
        }
        kept
    }
}

impl Told {
    /// None of an entry that is of no use any more.
    fn reply(&self, entry: &Entry, key: &Key<'_>) -> Option<KeptReply> {
        let left = match entry.age(self.clock.now()) {
            Age::Fresh(left) => Some(left),
            Age::Stale => None,
            Age::Over => return None,
        };
        let mut reply = Reply::default();
        entry.write(&mut reply, left.unwrap_or_default());
        let body = &reply.body;
        Some(KeptReply {
            dnssec_ok: key.dnssec_ok,
            checking_disabled: key.checking_disabled,
            rcode: entry.rcode.to_string(),
            ttl: entry.ttl(),
            left,
            records: body.records().map(|record| body.text(record).to_string()).collect(),
        })
    }
}
