//! A reply that is kept.

use super::nature::Nature;
use chain::Moment;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use triomphe::ThinArc;
use wire::{Class, ExtendedError, Flags, Name, Question, Rcode, Record, RecordType, Reply};

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

/// A reply that is kept, shared by all who need it. Nobody changes it: a newer reply becomes an entry
/// of its own.
///
/// The octets are the name that was asked for, then those of the records. What a hit reads is in two
/// pieces of memory: the octets with their head, and the records.
#[derive(Clone)]
pub(super) struct Entry(ThinArc<Head, u8>);

pub(super) struct Head {
    rest: u64,
    name_len: u8,
    pub(super) kind: Kind,
    pub(super) rcode: Rcode,
    /// Of RA and AD.
    flags: Flags,
    /// Of all sections in order.
    records: Box<[Record]>,
    /// Where the authority section begins, and the additional one.
    sections: [u16; 2],
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

/// What an entry is made of.
pub(super) struct Making<'m> {
    pub(super) key: Key<'m>,
    pub(super) reply: &'m Reply,
    pub(super) nature: Nature,
    pub(super) is_answer: bool,
    pub(super) ttl: u32,
    pub(super) now: Moment,
    /// How long it may be served after its time.
    pub(super) stale: Duration,
}

impl Making<'_> {
    /// The store that it belongs to.
    pub(super) fn kind(&self) -> Kind {
        match self.nature {
            Nature::Denial | Nature::Error => Kind::Denial,
            Nature::Answer | Nature::Referral | Nature::Other => Kind::Success,
        }
    }
}

impl Entry {
    /// Keeps a copy of a reply, at this place of its store's order. It is as popular as the older one
    /// whose place it takes.
    pub(super) fn new(making: &Making<'_>, slot: u32, older: Option<&Self>) -> Self {
        let Making { key, reply, nature, is_answer, ttl, now, stale } = *making;
        // An error that is over is no better than a new one.
        let stale = if nature == Nature::Error { Duration::ZERO } else { stale };
        let body = &reply.body;
        // A body has 6,000 records at most.
        let authority = body.answer.len() as u16;
        let additional = authority + body.authority.len() as u16;
        let head = Head {
            rest: key.rest(),
            name_len: key.name.len() as u8, // a name has 255 octets at most
            kind: making.kind(),
            rcode: reply.rcode,
            flags: reply.flags.only(Flags::RA.with(Flags::AD)),
            records: body.records().copied().collect(),
            sections: [authority, additional],
            is_answer,
            ttl,
            stored: now,
            end: now.after(Duration::from_secs(ttl.into()) + stale),
            slot,
            used: AtomicBool::new(older.is_some_and(|older| older.used.load(Relaxed))),
            hits: AtomicU32::new(older.map_or(0, |older| older.hits.load(Relaxed))),
            last_hit: AtomicU64::new(older.map_or(0, |older| older.last_hit.load(Relaxed))),
            held_until: AtomicU64::new(0),
        };
        let octets = [key.name.octets(), body.octets()].concat();
        Self(ThinArc::from_header_and_slice(head, &octets))
    }

    /// Whether it is kept under this key.
    #[inline]
    pub(super) fn is_of(&self, key: &Key<'_>) -> bool {
        self.rest == key.rest() && self.octets().0 == key.name.octets()
    }

    /// Whether both are one entry.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        ThinArc::ptr(&self.0) == ThinArc::ptr(&other.0)
    }

    /// Those of the name, and those of the records.
    #[inline]
    fn octets(&self) -> (&[u8], &[u8]) {
        self.0.slice.split_at(self.name_len.into())
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
        let [authority, additional] = self.sections.map(usize::from);
        let (records, additional) = self.records.split_at(additional);
        let (answer, authority) = records.split_at(authority);
        reply.body.restore([answer, authority, additional], self.octets().1);
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
        let (octets, records) = (self.0.slice.len(), size_of_val(&*self.records));
        size_of::<Head>() + OVERHEAD + octets + records
    }
}

impl Deref for Entry {
    type Target = Head;

    #[inline]
    fn deref(&self) -> &Head {
        &self.0.header.header
    }
}

/// What an entry costs beside its own octets: its places in the table and in the order, and what the
/// allocator adds to four pieces of memory.
const OVERHEAD: usize = 160;
