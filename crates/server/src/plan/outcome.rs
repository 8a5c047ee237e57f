//! What came of a question, in a form in which two servers can be compared.

use chain::{Ended, Exchange, Failure};
use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use wire::{Body, Flags, Message, Name, NameBuf, Rcode, Record, RecordType};

/// What came of a question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Outcome {
    pub(crate) end: End,
    /// What the reply says, sorted, each once: the order of records is nobody's promise.
    pub(crate) records: Vec<String>,
    /// Who answered, with the line of the Corefile: the plugin that ended the question, then those
    /// that the targets of CNAMEs come from. Empty for a server that runs somewhere.
    pub(crate) by: Vec<(&'static str, u32)>,
    /// Questions that the answer leads to: names of its addresses, addresses of its names.
    pub(crate) leads: Vec<(NameBuf, RecordType)>,
}

/// How a question ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// With a reply. Whether that is authoritative is not known of what may come out of a cache.
    Reply { rcode: Rcode, authoritative: Option<bool> },
    /// Other servers would be asked: whom, and for what if not for what the client asked.
    Asks(Box<str>),
    /// With silence, on purpose.
    Dropped,
    /// With nothing: there is no such listener.
    NotServed,
    /// With nothing, though somebody should have answered; and why.
    Silent(String),
}

/// What counts when outcomes are compared.
#[derive(Clone, Copy, Default)]
pub(crate) struct Heed {
    /// TTLs, by their class.
    pub(crate) ttls: bool,
}

impl Outcome {
    /// Without a reply.
    pub(crate) fn without_reply(end: End) -> Self {
        Self { end, records: Vec::new(), by: Vec::new(), leads: Vec::new() }
    }

    /// Of a question that this process was asked.
    pub(crate) fn of_exchange(x: &Exchange, ended: &Ended, heed: Heed) -> Self {
        let links = std::iter::successors(Some(x), |x| x.target());
        let by = links.filter_map(Exchange::answered_by).collect();
        let end = match (ended, x.failure()) {
            (Ended::Dropped, _) => End::Dropped,
            (_, Some(Failure::NotAsked { asks })) => End::Asks(asks.clone()),
            _ => End::Reply {
                rcode: x.reply.rcode,
                // What an upstream server says of itself depends on who asked it before.
                authoritative: (!x.has_waited()).then(|| x.reply.flags.has(Flags::AA)),
            },
        };
        let body = &x.reply.body;
        let leads = if x.has_waited() { Vec::new() } else { leads(body) };
        let records = records(x.request.asked.as_name(), body, heed);
        Self { end, records, by, leads }
    }

    /// Of an answer that came over the network.
    pub(crate) fn of_message(asked: Name<'_>, message: &Message, heed: Heed) -> Self {
        let authoritative = Some(message.flags.has(Flags::AA));
        Self {
            end: End::Reply { rcode: message.rcode, authoritative },
            records: records(asked, &message.body, heed),
            by: Vec::new(),
            leads: Vec::new(),
        }
    }

    /// Whether a client gets the same from both, as far as that counts.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let same_end = match (&self.end, &other.end) {
            (
                End::Reply { rcode, authoritative },
                End::Reply { rcode: other_rcode, authoritative: other_authoritative },
            ) => {
                let known = authoritative.zip(*other_authoritative);
                rcode == other_rcode && known.is_none_or(|(one, other)| one == other)
            }
            (one, other) => one == other,
        };
        same_end && self.records == other.records
    }

    /// Whether it says that there is nothing.
    fn is_empty(&self) -> bool {
        self.records.iter().all(|record| is_denial(record))
    }

    /// The way in which it ended, in a word or two: what many changes have in common.
    pub(crate) fn kind(&self) -> String {
        match &self.end {
            End::Reply { rcode: Rcode::NOERROR, .. } if self.is_empty() => "no data".to_owned(),
            End::Reply { rcode: Rcode::NOERROR, .. } => "an answer".to_owned(),
            End::Reply { rcode, .. } => rcode.to_string(),
            End::Asks(_) if !self.records.is_empty() => format!("an alias, then {}", self.asks()),
            End::Asks(_) => self.asks(),
            End::Dropped => "dropped".to_owned(),
            End::NotServed => "nobody listens".to_owned(),
            End::Silent(why) => format!("no answer: {why}"),
        }
    }

    /// Whom the plugin that ended it would ask.
    fn asks(&self) -> String {
        let End::Asks(asks) = &self.end else { return String::new() };
        let plugin = self.by.last().map_or("forward", |(plugin, _)| plugin);
        format!("asks {plugin} to {asks}")
    }
}

/// In full: `NOERROR A 10.0.0.1, A 10.0.0.2`.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.end {
            End::Reply { rcode, .. } if !self.is_empty() => write!(f, "{rcode}")?,
            End::Asks(_) if !self.records.is_empty() => {
                return write!(f, "{}, then {}", self.records.join(", "), self.asks());
            }
            _ => f.write_str(&self.kind())?,
        }
        for (index, record) in self.records.iter().take(SHOWN_MAX).enumerate() {
            f.write_str(if index == 0 && !is_denial(record) { " " } else { ", " })?;
            f.write_str(record)?;
        }
        match self.records.len().checked_sub(SHOWN_MAX + 1) {
            None => Ok(()),
            Some(more) => write!(f, " and {} more", more + 1),
        }
    }
}

/// The most records of one outcome that are shown.
const SHOWN_MAX: usize = 8;

/// What a denial is sorted under.
const DENIED: &str = "denied by ";

fn is_denial(record: &str) -> bool {
    record.starts_with(DENIED)
}

/// What the sections of a reply come to. Of the authority section only who denies, or who is
/// referred to; the additional section repeats what can be asked for.
fn records(asked: Name<'_>, body: &Body, heed: Heed) -> Vec<String> {
    let mut texts: Vec<_> =
        body.answer.iter().map(|record| text(asked, body, record, heed)).collect();
    if texts.is_empty() {
        texts.extend(body.authority.iter().filter_map(|record| match record.rtype {
            // Its serial is of the moment, and every server has other timers.
            RecordType::SOA => Some(format!("{DENIED}{}", body.owner(record).to_lower())),
            RecordType::NS => Some(text(asked, body, record, heed)),
            _ => None,
        }));
    }
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// `A 10.0.0.1`, with the owner in front if that is not the name that was asked for.
fn text(asked: Name<'_>, body: &Body, record: &Record, heed: Heed) -> String {
    let (owner, data) = (body.owner(record), body.rdata(record));
    let mut text = String::new();
    // Writing into a string cannot fail.
    if owner != asked {
        let _ = write!(text, "{} ", owner.to_lower());
    }
    if heed.ttls {
        let _ = write!(text, "({}) ", ttl_class(record.ttl));
    }
    let _ = match (record.rtype, data) {
        (RecordType::A, &[a, b, c, d]) => write!(text, "A {}", Ipv4Addr::new(a, b, c, d)),
        (RecordType::SOA, _) => write!(text, "SOA"),
        (rtype, data) => match <[u8; 16]>::try_from(data) {
            Ok(data) if rtype == RecordType::AAAA => {
                write!(text, "AAAA {}", Ipv6Addr::from(data))
            }
            _ => {
                let mut shown = wire::DataText::new(rtype, data).to_string();
                if has_names(rtype) {
                    shown.make_ascii_lowercase();
                }
                write!(text, "{rtype} {shown}")
            }
        },
    };
    text
}

/// Types whose data are names and numbers, so that case means nothing in them.
fn has_names(rtype: RecordType) -> bool {
    matches!(
        rtype,
        RecordType::CNAME | RecordType::NS | RecordType::PTR | RecordType::MX | RecordType::SRV
    )
}

/// How long a TTL is, roughly: a cache makes any TTL smaller.
fn ttl_class(ttl: u32) -> &'static str {
    match ttl {
        0 => "not to be kept",
        1..=5 => "seconds",
        6..=60 => "up to a minute",
        61..=3600 => "up to an hour",
        _ => "longer",
    }
}

/// The names of the addresses in an answer, and the addresses of its names.
fn leads(body: &Body) -> Vec<(NameBuf, RecordType)> {
    let mut leads = Vec::new();
    for record in &body.answer {
        if let Some(address) = address(record.rtype, body.rdata(record)) {
            leads.push((wire::reverse::name(address), RecordType::PTR));
        } else if let Some(target) = body.target(record) {
            leads.extend([RecordType::A, RecordType::AAAA].map(|rtype| (target.to_lower(), rtype)));
        }
    }
    leads
}

fn address(rtype: RecordType, data: &[u8]) -> Option<IpAddr> {
    match rtype {
        RecordType::A => Some(IpAddr::from(<[u8; 4]>::try_from(data).ok()?)),
        RecordType::AAAA => Some(IpAddr::from(<[u8; 16]>::try_from(data).ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::Section;

    fn name(text: &str) -> NameBuf {
        text.parse().unwrap()
    }

    fn answer(records: &[(&str, RecordType, &[u8])], flags: Flags, ttls: bool) -> Outcome {
        let mut body = Body::new();
        for (index, (owner, rtype, data)) in records.iter().enumerate() {
            let ttl = 30 + index as u32 * 100;
            body.push(Section::Answer, name(owner).as_name(), ttl, *rtype, data);
        }
        let message = Message {
            id: 0,
            flags,
            opcode: wire::Opcode::QUERY,
            rcode: Rcode::NOERROR,
            question: None,
            body,
            edns: None,
        };
        Outcome::of_message(name("a.test").as_name(), &message, Heed { ttls })
    }

    #[test]
    fn neither_order_nor_repetition_nor_case_nor_ttl_is_a_change() {
        let one: &[(&str, RecordType, &[u8])] = &[
            ("a.test", RecordType::CNAME, b"\x01B\x04test\0"),
            ("b.test", RecordType::A, &[10, 0, 0, 1]),
            ("b.test", RecordType::A, &[10, 0, 0, 2]),
        ];
        let other: &[(&str, RecordType, &[u8])] = &[
            ("B.test", RecordType::A, &[10, 0, 0, 2]),
            ("b.test", RecordType::A, &[10, 0, 0, 2]),
            ("b.test", RecordType::A, &[10, 0, 0, 1]),
            ("A.test", RecordType::CNAME, b"\x01b\x04test\0"),
        ];
        let none = Flags::default();
        let (one_plain, other_plain) = (answer(one, none, false), answer(other, none, false));
        assert!(one_plain.is_same_as(&other_plain), "{one_plain} {other_plain}");
        assert!(!answer(one, none, true).is_same_as(&answer(other, none, true)));
        assert!(!one_plain.is_same_as(&answer(&one[..2], none, false)));
        assert!(!one_plain.is_same_as(&answer(one, Flags::AA, false)));
        assert_eq!(
            one_plain.to_string(),
            "NOERROR CNAME b.test., b.test. A 10.0.0.1, b.test. A 10.0.0.2"
        );
    }

    #[test]
    fn whether_a_cached_answer_is_authoritative_does_not_count() {
        let known = answer(&[], Flags::AA, false);
        let mut unknown = known.clone();
        unknown.end = End::Reply { rcode: Rcode::NOERROR, authoritative: None };
        assert!(known.is_same_as(&unknown) && unknown.is_same_as(&known));
    }

    #[test]
    fn many_records_are_not_all_shown() {
        let addresses: Vec<[u8; 4]> = (0..12).map(|last| [10, 0, 0, last]).collect();
        let records: Vec<_> =
            addresses.iter().map(|ip| ("a.test", RecordType::A, ip.as_slice())).collect();
        let shown = answer(&records, Flags::AA, false).to_string();
        assert!(shown.ends_with("A 10.0.0.5 and 4 more"), "{shown}");
    }
}
