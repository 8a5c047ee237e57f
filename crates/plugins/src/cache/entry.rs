//! A reply that is kept.

use super::nature::Nature;
use chain::Moment;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use wire::{Body, Class, ExtendedError, Flags, Name, Question, Rcode, RecordType, Reply};

/// What a reply is kept under.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'q> {
    /// In lower case.
    pub(super) name: Name<'q>,
    pub(super) rtype: RecordType,
    pub(super) class: Class,
    pub(super) dnssec_ok: bool,
    pub(super) checking_disabled: bool,
}

impl<'q> Key<'q> {
    /// The key of a question, asked with these bits.
    pub(super) fn new(question: &'q Question, dnssec_ok: bool, checking_disabled: bool) -> Self {
        let Question { rtype, class, .. } = *question;
        Self { name: question.name(), rtype, class, dnssec_ok, checking_disabled }
    }

    /// Everything but the name, in one number.
    pub(super) fn rest(&self) -> u64 {
        u64::from(self.rtype.0) << 18
            | u64::from(self.class.0) << 2
            | u64::from(self.dnssec_ok) << 1
            | u64::from(self.checking_disabled)
    }
}

/// In which of the two stores an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Answers and referrals.
    Success,
    /// Denials and errors.
    Denial,
}

impl Kind {
    /// Both, in the order of their numbers.
    pub(super) const ALL: [Self; 2] = [Self::Success, Self::Denial];

    /// The label of the metrics.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denial => "denial",
        }
    }
}

/// How old an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Age {
    /// So many seconds are left.
    Fresh(u32),
    /// Its time is over, but not for so long that it could not be served.
    Stale,
    /// It is of no use any more.
    Over,
}

/// A reply that is kept. Nobody changes it: a newer reply becomes an entry of its own.
pub(super) struct Entry {
    name: Box<[u8]>,
    rest: u64,
    pub(super) kind: Kind,
    pub(super) rcode: Rcode,
    /// Of RA and AD.
    flags: Flags,
    body: Body,
    /// Whether it has what was asked for.
    pub(super) is_answer: bool,
    /// Seconds for which it holds.
    ttl: u32,
    stored: Moment,
    /// When it is of no use any more.
    pub(super) end: Moment,
    /// Its place in the order of its store.
    pub(super) slot: u32,
    /// Whether it was asked for since the hand of its store came by.
    pub(super) used: AtomicBool,
    /// Hits with no long time between them, and the last of them.
    hits: AtomicU32,
    last_hit: AtomicU64,
    /// Before this moment nobody asks for it again.
    held_until: AtomicU64,
}

/// How an entry is made.
pub(super) struct Making {
    pub(super) nature: Nature,
    pub(super) is_answer: bool,
    pub(super) ttl: u32,
    pub(super) now: Moment,
    /// How long it may be served after its time.
    pub(super) stale: Duration,
}

impl Making {
    /// The store that it belongs to.
    pub(super) fn kind(&self) -> Kind {
        match self.nature {
            Nature::Denial | Nature::Error => Kind::Denial,
            Nature::Answer | Nature::Referral | Nature::Other => Kind::Success,
        }
    }
}

impl Entry {
    /// Keeps a copy of a reply.
    pub(super) fn new(key: &Key<'_>, reply: &Reply, making: &Making) -> Self {
        let Making { nature, is_answer, ttl, now, stale } = *making;
        // An error that is over is no better than a new one.
        let stale = if nature == Nature::Error { Duration::ZERO } else { stale };
        let mut body = Body::new();
        body.copy_from(&reply.body);
        body.shrink();
        Self {
            name: key.name.octets().into(),
            rest: key.rest(),
            kind: making.kind(),
            rcode: reply.rcode,
            flags: reply.flags.only(Flags::RA.with(Flags::AD)),
            body,
            is_answer,
            ttl,
            stored: now,
            end: now.after(Duration::from_secs(ttl.into()) + stale),
            slot: 0,
            used: AtomicBool::new(false),
            hits: AtomicU32::new(0),
            last_hit: AtomicU64::new(0),
            held_until: AtomicU64::new(0),
        }
    }

    /// Whether it is kept under this key.
    pub(super) fn is_of(&self, key: &Key<'_>) -> bool {
        self.rest == key.rest() && *self.name == *key.name.octets()
    }

    /// Whether it says that a server failed.
    pub(super) fn is_error(&self) -> bool {
        matches!(self.rcode, Rcode::SERVFAIL | Rcode::NOTIMP)
    }

    /// How old it is.
    pub(super) fn age(&self, now: Moment) -> Age {
        let passed = now.since(self.stored).as_secs();
        match u64::from(self.ttl).checked_sub(passed) {
            Some(left @ 1..) => Age::Fresh(left as u32), // no more than it had
            _ if now < self.end => Age::Stale,
            _ => Age::Over,
        }
    }

    /// Seconds for which it held when it was new.
    pub(super) fn ttl(&self) -> u32 {
        self.ttl
    }

    /// Becomes the reply, with this TTL in all records.
    pub(super) fn write(&self, reply: &mut Reply, ttl: u32) {
        // Some old clients drop what is not authoritative: CoreDNS sets the flag for them, and so for
        // all.
        reply.flags = reply.flags.with(Flags::AA).with(self.flags);
        reply.rcode = self.rcode;
        reply.body.copy_from(&self.body);
        for record in reply.body.records_mut() {
            record.ttl = ttl;
        }
    }

    /// What a client is told that gets it stale (RFC 8914 §4.4, §4.20).
    pub(super) fn stale_error(&self) -> ExtendedError {
        match self.rcode {
            Rcode::NXDOMAIN => ExtendedError::STALE_NXDOMAIN_ANSWER,
            _ => ExtendedError::STALE_ANSWER,
        }
    }

    /// Remembers that it was asked for.
    pub(super) fn touch(&self) {
        // Everybody may read this memory at once; writing it takes it away from others.
        if !self.used.load(Relaxed) {
            self.used.store(true, Relaxed);
        }
    }

    /// Counts a hit, and says whether it is one of at least `amount` with no longer than `gap` between
    /// them. Precise to an eighth of `gap`, for the same reason.
    pub(super) fn is_popular(&self, now: Moment, amount: u32, gap: Duration) -> bool {
        let since = now.since(Moment(self.last_hit.load(Relaxed)));
        let hits = if since > gap { 0 } else { self.hits.load(Relaxed) };
        if since > gap / 8 {
            self.last_hit.store(now.0, Relaxed);
        }
        if hits < amount {
            self.hits.store(hits + 1, Relaxed);
        }
        hits + 1 >= amount
    }

    /// Takes over how popular the entry was whose place this one takes.
    pub(super) fn inherit(&mut self, older: &Self) {
        *self.used.get_mut() = older.used.load(Relaxed);
        *self.hits.get_mut() = older.hits.load(Relaxed);
        *self.last_hit.get_mut() = older.last_hit.load(Relaxed);
    }

    /// Whether it may be asked for again now; if so, nobody else may for this long.
    pub(super) fn claim(&self, now: Moment, hold: Duration) -> bool {
        let until = self.held_until.load(Relaxed);
        let next = now.after(hold).0;
        now.0 >= until && self.held_until.compare_exchange(until, next, Relaxed, Relaxed).is_ok()
    }

    /// Asking for it again has failed: nobody tries for this long.
    pub(super) fn hold(&self, now: Moment, time: Duration) {
        self.held_until.store(now.after(time).0, Relaxed);
    }

    /// Octets of memory that it takes, with what its store needs for it.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + OVERHEAD + self.name.len() + self.body.memory()
    }
}

/// What an entry costs beside its own octets: its places in the table and in the order, and what the
/// allocator adds to five pieces of memory.
const OVERHEAD: usize = 200;
