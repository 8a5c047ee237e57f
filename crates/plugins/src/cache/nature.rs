//! What a reply is to a cache, and how long it holds.

use super::config::{Limits, Settings};
use wire::{Body, Class, Flags, Name, Question, Rcode, Record, RecordType, Reply};

/// What a reply is to a cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Nature {
    /// It answers the question, or is an empty answer without a word about why.
    Answer,
    /// It says who is to be asked instead.
    Referral,
    /// It says that the name does not exist, or has no such data.
    Denial,
    /// It says that the server could not answer.
    Error,
    /// Anything else.
    Other,
}

/// Seconds for which replies hold that say nothing about it.
const UNTOLD: u32 = 5;

impl Nature {
    /// Looks at a reply to `question`.
    pub(super) fn of(reply: &Reply, question: &Question) -> Self {
        let body = &reply.body;
        let has = |rtype| body.authority.iter().any(|record| record.rtype == rtype);
        match (reply.rcode, body.answer.is_empty()) {
            // RFC 2308 §2.2: CNAME records that lead to no data, and the SOA of the zone that has none.
            (Rcode::NOERROR, false) if has(RecordType::SOA) && !answers(body, question) => {
                Self::Denial
            }
            (Rcode::NOERROR, false) => Self::Answer,
            (Rcode::NOERROR, true) if has(RecordType::SOA) => Self::Denial,
            (Rcode::NOERROR, true) if has(RecordType::NS) => Self::Referral,
            (Rcode::NOERROR, true) => Self::Answer,
            (Rcode::NXDOMAIN, true) => Self::Denial,
            (Rcode::SERVFAIL | Rcode::NOTIMP, _) => Self::Error,
            _ => Self::Other,
        }
    }

    /// Seconds for which all records of the reply hold: CoreDNS gives all of them the smallest TTL.
    pub(super) fn ttl(self, body: &Body, settings: &Settings) -> u32 {
        let Limits { ttl_min, ttl_max, .. } =
            if self == Self::Denial { settings.denial } else { settings.success };
        let told = match self {
            Self::Error => return settings.servfail,
            Self::Answer | Self::Denial => {
                let is_denial = self == Self::Denial;
                body.records().map(|record| holds(body, record, is_denial)).min().unwrap_or(UNTOLD)
            }
            Self::Referral | Self::Other => UNTOLD,
        };
        told.max(ttl_min).min(ttl_max)
    }

    /// Whether a cache may keep the reply at all.
    pub(super) fn can_be_kept(self, reply: &Reply, question: &Question) -> bool {
        let body = &reply.body;
        if reply.flags.has(Flags::TC) || body.overflowed() || question.rtype.is_transfer() {
            return false;
        }
        match self {
            // RFC 2308 §5: without an SOA record nobody knows how long a denial holds. An answer that
            // does not answer is a denial without one.
            Self::Answer => body.answer.is_empty() || answers(body, question),
            Self::Denial => body.authority.iter().any(|record| record.rtype == RecordType::SOA),
            Self::Referral | Self::Error => true,
            Self::Other => false,
        }
    }
}

/// Seconds for which a record holds.
fn holds(body: &Body, record: &Record, is_denial: bool) -> u32 {
    if !is_denial || record.rtype != RecordType::SOA {
        return record.ttl;
    }
    // RFC 2308 §5: the TTL of a denial is the smaller of the SOA's TTL and of its MINIMUM field.
    // (CoreDNS does not look at the latter.)
    let minimum = body.rdata(record).last_chunk().map(|octets| u32::from_be_bytes(*octets));
    record.ttl.min(minimum.unwrap_or(u32::MAX))
}

/// Whether the answer section has what was asked for: at the name itself, or where its CNAME records
/// lead to.
pub(super) fn answers(body: &Body, question: &Question) -> bool {
    let of_class =
        |record: &&Record| question.class == Class::ANY || record.class == question.class;
    let mut name = question.name();
    if question.rtype == RecordType::ANY {
        let mut records = body.answer.iter().filter(of_class);
        return records.any(|record| body.owner(record) == name);
    }
    // A chain of names that are not all different goes round in circles.
    for step in 0..=body.answer.len() {
        match alias(body, name, question.class) {
            Alias::To(_) if question.rtype == RecordType::CNAME && step == 0 => return true,
            Alias::To(target) => name = target,
            Alias::None => {
                let mut records = body.answer.iter().filter(of_class);
                let is_it = |record: &Record| record.rtype == question.rtype;
                return records.any(|record| is_it(record) && body.owner(record) == name);
            }
            Alias::Several => return false,
        }
    }
    false
}

/// Where the CNAME records of a name lead.
enum Alias<'b> {
    None,
    To(Name<'b>),
    /// RFC 2181 §10.1: there must be only one.
    Several,
}

fn alias<'b>(body: &'b Body, owner: Name<'_>, class: Class) -> Alias<'b> {
    let mut found = None;
    for record in &body.answer {
        let is_it = record.rtype == RecordType::CNAME
            && (class == Class::ANY || record.class == class)
            && body.owner(record) == owner;
        let Some(target) = body.target(record).filter(|_| is_it) else { continue };
        if found.is_some_and(|found| found != target) {
            return Alias::Several;
        }
        found = Some(target);
    }
    found.map_or(Alias::None, Alias::To)
}

/// Whether a signature does not hold now, in seconds since 1970, or not yet.
///
/// RFC 4034 §3.1.5: both times are compared in serial number arithmetic.
pub(super) fn has_expired_signature(body: &Body, now: u64) -> bool {
    let now = now as u32;
    body.records().filter(|record| record.rtype == RecordType::RRSIG).any(|record| {
        let time = |at: usize| {
            let octets = body.rdata(record).get(at..at + 4)?;
            octets.first_chunk().map(|octets| u32::from_be_bytes(*octets))
        };
        let (Some(expiration), Some(inception)) = (time(8), time(12)) else { return true };
        (expiration.wrapping_sub(now) as i32) < 0 || (now.wrapping_sub(inception) as i32) < 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{name, read_reply};
    use proptest::prelude::*;

    fn nature(question: &str, reply: &str) -> (Nature, u32, bool) {
        let (asked, rtype) = question.split_once(' ').unwrap();
        let question = Question::new(name(asked).as_name(), rtype.parse().unwrap());
        let reply = read_reply(reply);
        let nature = Nature::of(&reply, &question);
        let ttl = nature.ttl(&reply.body, &Settings::default());
        (nature, ttl, nature.can_be_kept(&reply, &question))
    }

    const SOA: &str = "--\nx. 900 SOA ns.x. root.x. 1 2 3 4 900";

    #[test]
    fn replies_are_told_apart() {
        for (question, reply, expected) in [
            ("a. A", "NOERROR\na. 60 A 1.1.1.1", (Nature::Answer, 60, true)),
            ("a. A", "NOERROR\na. 0 A 1.1.1.1", (Nature::Answer, 5, true)),
            ("a. A", "NOERROR\na. 86400 A 1.1.1.1", (Nature::Answer, 3600, true)),
            ("a. A", "NOERROR\na. 60 A 1.1.1.1\n--\n--\nb. 7 A 1.1.1.1", (Nature::Answer, 7, true)),
            ("a. A", "tc NOERROR\na. 60 A 1.1.1.1", (Nature::Answer, 60, false)),
            ("a. A", "NOERROR", (Nature::Answer, 5, true)),
            ("a. A", "NOERROR\n--\n--\na. 60 A 1.1.1.1", (Nature::Answer, 60, true)),
            ("a. A", "NOERROR\na. 60 CNAME b.\nb. 50 A 1.1.1.1", (Nature::Answer, 50, true)),
            ("a. A", "NOERROR\na. 60 CNAME b.", (Nature::Answer, 60, false)),
            ("a. CNAME", "NOERROR\na. 60 CNAME b.", (Nature::Answer, 60, true)),
            ("a. A", "NOERROR\nb. 60 A 1.1.1.1", (Nature::Answer, 60, false)),
            ("a. A", "NOERROR\na. 60 CNAME b.\nb. 60 CNAME a.", (Nature::Answer, 60, false)),
            (
                "a. A",
                "NOERROR\na. 9 CNAME b.\na. 9 CNAME c.\nb. 9 A 1.1.1.1",
                (Nature::Answer, 9, false),
            ),
            (
                "a. A",
                "NOERROR\na. 9 CNAME b.\na. 9 CNAME B.\nb. 9 A 1.1.1.1",
                (Nature::Answer, 9, true),
            ),
            ("a. ANY", "NOERROR\na. 60 MX 1 b.", (Nature::Answer, 60, true)),
            ("a. ANY", "NOERROR\nb. 60 MX 1 b.", (Nature::Answer, 60, false)),
            ("a. AXFR", "NOERROR\na. 60 AXFR b.", (Nature::Answer, 60, false)),
            ("a. A", "NOERROR\n--\na. 300 NS b.", (Nature::Referral, 5, true)),
            ("a. A", &format!("NOERROR\n{SOA}"), (Nature::Denial, 900, true)),
            ("a. A", &format!("NOERROR\na. 60 CNAME b.\n{SOA}"), (Nature::Denial, 60, true)),
            ("a. A", &format!("NOERROR\na. 60 A 1.1.1.1\n{SOA}"), (Nature::Answer, 60, true)),
            ("a. A", &format!("NXDOMAIN\n{SOA}"), (Nature::Denial, 900, true)),
            ("a. A", "NXDOMAIN\n--\nx. 900 SOA a. b. 1 2 3 4 7", (Nature::Denial, 7, true)),
            ("a. A", "NXDOMAIN\n--\nx. 2 SOA a. b. 1 2 3 4 7", (Nature::Denial, 5, true)),
            ("a. A", "NXDOMAIN\n--\nx. 9999 SOA a. b. 1 2 3 4 9999", (Nature::Denial, 1800, true)),
            ("a. SOA", "NOERROR\na. 900 SOA a. b. 1 2 3 4 7", (Nature::Answer, 900, true)),
            ("a. A", "NXDOMAIN", (Nature::Denial, 5, false)),
            ("a. A", "NXDOMAIN\na. 60 CNAME b.", (Nature::Other, 5, false)),
            ("a. A", "SERVFAIL\n--\na. 300 NS b.", (Nature::Error, 5, true)),
            ("a. A", "NOTIMP", (Nature::Error, 5, true)),
            ("a. A", "REFUSED", (Nature::Other, 5, false)),
            ("a. A", "FORMERR", (Nature::Other, 5, false)),
        ] {
            assert_eq!(nature(question, reply), expected, "{question}: {reply}");
        }
    }

    #[test]
    fn signatures_hold_for_their_time() {
        let signature = |expiration: u32, inception: u32| {
            let times = format!("{expiration:08x}{inception:08x}");
            let data = format!("0001080000000000{times}000000");
            read_reply(&format!("NOERROR\na. 60 RRSIG {data}")).body
        };
        assert!(!has_expired_signature(&signature(100, 50), 50));
        assert!(!has_expired_signature(&signature(100, 50), 100));
        assert!(has_expired_signature(&signature(100, 50), 101));
        assert!(has_expired_signature(&signature(100, 50), 49));
        // Around the end of the numbers.
        assert!(!has_expired_signature(&signature(5, u32::MAX - 5), 1 << 32));
        assert!(has_expired_signature(&read_reply("NOERROR\na. 60 RRSIG 0001").body, 0));
    }

    proptest! {
        #[test]
        fn any_chain_of_names_ends(records in prop::collection::vec((0..4u8, 0..4u8, any::<bool>()), 0..12)) {
            let mut reply = Reply::default();
            let names: Vec<_> = ["a", "b", "c", "d"].map(name).into();
            for (owner, target, is_alias) in records {
                let (owner, target) = (names[owner as usize], names[target as usize]);
                let rtype = if is_alias { RecordType::CNAME } else { RecordType::NS };
                reply.body.push_name(wire::Section::Answer, owner.as_name(), 9, rtype, target.as_name());
            }
            let question = Question::new(names[0].as_name(), RecordType::NS);
            let _ = answers(&reply.body, &question);
        }
    }
}
