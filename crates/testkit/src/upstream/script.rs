//! What a fake upstream answers, as a scenario writes it.

use crate::dns::{Expected, ExpectedMessage};
use crate::scenario::{Mistake, duration};
use std::time::Duration;
use wire::{NameBuf, RecordType, Request};

/// Canned replies.
///
/// Paragraphs with blank lines between them. The first line of each is the question, `NAME TYPE`
/// and perhaps a [`Behaviour`]; NAME may be `*.example.org` (any name below) or `*` (any name),
/// TYPE may be `*`. The reply follows as a scenario would expect it; RD is copied from the query.
#[derive(Clone, Debug, Default)]
pub struct Script {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    names: Names,
    rtype: Option<RecordType>,
    canned: Canned,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Names {
    One(NameBuf),
    Below(NameBuf),
    Any,
}

/// A reply and how it is given.
#[derive(Clone, Debug, Default)]
pub struct Canned {
    /// The reply.
    pub reply: ExpectedMessage,
    /// How it is given.
    pub behaviour: Behaviour,
}

/// How a reply is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// At once.
    #[default]
    Prompt,
    /// `drop`: never.
    Drop,
    /// `slow 300ms`: late.
    Slow(Duration),
    /// `truncated`: over UDP only the header with TC, over TCP whole.
    Truncated,
    /// `close`: never over UDP; over TCP the connection is closed.
    Close,
    /// `garbage`: a header with the right id, and then nothing that could be read.
    Garbage,
    /// `forged-id`: a reply with another id comes first, as from somebody who guesses.
    ForgedId,
    /// `forged-question`: a reply to another question comes first.
    ForgedQuestion,
}

impl Script {
    /// Reads paragraphs; a mistake says in which line, counted from `first_line`.
    pub fn read(text: &str, first_line: usize) -> Result<Self, Mistake> {
        let lines: Vec<(usize, &str)> = (first_line..).zip(text.lines()).collect();
        let paragraphs = lines.split(|(_, line)| line.trim().is_empty());
        let entries = paragraphs.filter(|paragraph| !paragraph.is_empty()).map(Entry::read);
        Ok(Self { entries: entries.collect::<Result<_, _>>()? })
    }

    /// Adds the replies of `other`, which go before those for the same questions.
    pub fn add(&mut self, other: Self) {
        for entry in other.entries {
            self.entries.retain(|old| (&old.names, old.rtype) != (&entry.names, entry.rtype));
            self.entries.push(entry);
        }
    }

    /// The reply to a question: by name and type, else by name alone, else by the smallest zone
    /// above it, else the one for everything.
    pub fn find(&self, request: &Request) -> Option<&Canned> {
        let asked = request.asked.as_name();
        let score = |entry: &Entry| {
            let by_name = match &entry.names {
                Names::One(name) if name.as_name() == asked => 300,
                Names::Below(zone) if zone.as_name() != asked => asked
                    .is_at_or_below(zone.as_name())
                    .then(|| 1 + zone.as_name().label_count())?,
                Names::Any => 0,
                Names::One(_) | Names::Below(_) => return None,
            };
            match entry.rtype {
                None => Some((by_name, 0)),
                Some(rtype) => (rtype == request.rtype).then_some((by_name, 1)),
            }
        };
        let scored = self.entries.iter().filter_map(|entry| Some((score(entry)?, entry)));
        scored.max_by_key(|(score, _)| *score).map(|(_, entry)| &entry.canned)
    }
}

impl Entry {
    fn read(paragraph: &[(usize, &str)]) -> Result<Self, Mistake> {
        let [(at, head), reply @ ..] = paragraph else {
            return Err(Mistake::new("a paragraph has a question"));
        };
        let (mut entry, needs_reply) = Self::head(head).map_err(|mistake| mistake.at(*at))?;
        if reply.is_empty() && !needs_reply {
            return Ok(entry);
        }
        match Expected::read(reply.iter().copied()).map_err(|mistake| mistake.or_at(*at))? {
            Expected::Message(message) => entry.canned.reply = *message,
            Expected::Silence => {
                return Err(Mistake::new("write `drop` behind the question").at(*at));
            }
        }
        Ok(entry)
    }

    /// The question, and whether a reply must follow.
    fn head(line: &str) -> Result<(Self, bool), Mistake> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, rtype, behaviour @ ..] = &words[..] else {
            return Err(Mistake::new("a canned reply begins `NAME TYPE [BEHAVIOUR]`"));
        };
        let parsed = |name: &str| {
            name.parse().map_err(|bad| Mistake::new(format!("`{name}` is no domain name: {bad}")))
        };
        let names = match name.strip_prefix("*.") {
            _ if *name == "*" => Names::Any,
            Some(zone) => Names::Below(parsed(zone)?),
            None => Names::One(parsed(name)?),
        };
        let no_type = |_| Mistake::new(format!("`{rtype}` is no record type"));
        let rtype = match *rtype {
            "*" => None,
            rtype => Some(rtype.parse().map_err(no_type)?),
        };
        let behaviour = Behaviour::read(behaviour)?;
        let silent = matches!(behaviour, Behaviour::Drop | Behaviour::Close | Behaviour::Garbage);
        let canned = Canned { behaviour, ..Canned::default() };
        Ok((Self { names, rtype, canned }, !silent))
    }
}

impl Behaviour {
    fn read(words: &[&str]) -> Result<Self, Mistake> {
        Ok(match words {
            [] => Self::Prompt,
            ["drop"] => Self::Drop,
            ["slow", time] => Self::Slow(duration(time)?),
            ["truncated"] => Self::Truncated,
            ["close"] => Self::Close,
            ["garbage"] => Self::Garbage,
            ["forged-id"] => Self::ForgedId,
            ["forged-question"] => Self::ForgedQuestion,
            _ => {
                return Err(Mistake::new(format!(
                    "`{}` is none of drop, slow TIME, truncated, close, garbage, forged-id, \
                     forged-question",
                    words.join(" ")
                )));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::{Question, Rcode};

    fn asked(name: &str, rtype: RecordType) -> Request {
        let mut request = Request::new();
        let name: NameBuf = name.parse().unwrap();
        request.ask(&Question::new(name.as_name(), rtype));
        request
    }

    #[test]
    fn the_closest_reply_is_found() {
        let mut script = Script::read(
            "a.test A\n;; NXDOMAIN\n\na.test *\n;; YXDOMAIN\n\n\n*.test *\n;; NOTIMP\n\n\
             *.b.test A\n;; NOTAUTH\n\n* *\n;; REFUSED",
            1,
        )
        .unwrap();
        let found = |script: &Script, name: &str, rtype| {
            script.find(&asked(name, rtype)).map(|canned| canned.reply.rcode)
        };
        for (name, rtype, rcode) in [
            ("A.test", RecordType::A, Rcode::NXDOMAIN),
            ("a.test", RecordType::MX, Rcode::YXDOMAIN),
            ("c.test", RecordType::A, Rcode::NOTIMP),
            ("x.b.test", RecordType::A, Rcode::NOTAUTH),
            ("x.b.test", RecordType::MX, Rcode::NOTIMP),
            ("b.test", RecordType::A, Rcode::NOTIMP),
            ("test", RecordType::A, Rcode::REFUSED),
        ] {
            assert_eq!(found(&script, name, rtype), Some(rcode), "{name} {rtype}");
        }
        script.add(Script::read("a.test A slow 20ms\n;; SERVFAIL", 1).unwrap());
        assert_eq!(found(&script, "a.test", RecordType::A), Some(Rcode::SERVFAIL));
        let slow = Behaviour::Slow(Duration::from_millis(20));
        assert_eq!(script.find(&asked("a.test", RecordType::A)).unwrap().behaviour, slow);
        assert!(Script::default().find(&asked("a.test", RecordType::A)).is_none());
    }

    #[test]
    fn mistakes_have_their_line() {
        for (text, line, part) in [
            ("a.test", 10, "NAME TYPE"),
            ("a.test A", 10, ";; NOERROR"),
            ("a.test A late\n;; NOERROR", 10, "none of drop"),
            ("a.test A\n;; no reply", 10, "write `drop`"),
            ("a.test A drop\n\nb.test A\n;; NOERROR\nx", 14, "OWNER TTL"),
            ("a..test A drop", 10, "no domain name"),
            ("a.test AB drop", 10, "no record type"),
        ] {
            let mistake = Script::read(text, 10).unwrap_err();
            assert_eq!(mistake.line, line, "{text}");
            assert!(mistake.message.contains(part), "{text}: {}", mistake.message);
        }
    }
}
