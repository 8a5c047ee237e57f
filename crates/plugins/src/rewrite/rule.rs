//! One rule: what it is about and what it does.

use super::cname::CnameRule;
use super::edns::EdnsRule;
use super::name::NameRule;
use super::pattern::Pattern;
use super::text::Subject;
use super::words::{Words, wrong};
use corefile::Mistake;
use std::ops::RangeInclusive;
use wire::{Body, Class, NameBuf, OPT_EXTENDED_ERROR, Question, Rcode, RecordType, Reply};

/// A rule.
#[derive(Debug)]
pub(super) struct Rule {
    /// Whether rules behind it are looked at if it was about the question.
    pub(super) stops: bool,
    pub(super) field: Field,
}

/// What it changes.
#[derive(Debug)]
pub(super) enum Field {
    Name(NameRule),
    Class(Class, Class),
    Type(RecordType, RecordType),
    Ttl(Pattern, RangeInclusive<u32>),
    Rcode(Pattern, Rcode, Rcode),
    Cname(CnameRule),
    Edns(EdnsRule),
}

const FIELDS: &str = "`name`, `class`, `type`, `ttl`, `rcode`, `cname` or `edns0`";

impl Rule {
    /// Reads the words behind `rewrite`.
    pub(super) fn read(words: &mut Words<'_>) -> Result<Self, Mistake> {
        let usage = "[continue|stop] FIELD ...";
        let mut word = words.next(usage)?;
        let mode = word.text.to_ascii_lowercase();
        let stops = mode != "continue";
        if !stops || mode == "stop" {
            word = words.next(usage)?;
        }
        let field = match word.text.to_ascii_lowercase().as_str() {
            "name" => Field::Name(NameRule::read(words)?),
            "class" => read_class(words)?,
            "type" => read_type(words)?,
            "ttl" => read_ttl(words)?,
            "rcode" => read_rcode(words)?,
            "cname" => Field::Cname(CnameRule::read(words)?),
            "edns0" => Field::Edns(EdnsRule::read(words)?),
            "answer" => {
                let mistake = wrong(word, "stands behind a `name` rule");
                return Err(mistake.help("usage: `rewrite name MATCH FROM TO answer ...`"));
            }
            _ => return Err(wrong(word, &format!("must be {FIELDS}"))),
        };
        words.end(usage)?;
        Ok(Self { stops, field })
    }

    /// The pattern that the question's name must match, if the rule has one.
    pub(super) fn pattern(&self) -> Option<&Pattern> {
        match &self.field {
            Field::Name(rule) => Some(&rule.substitution.pattern),
            Field::Ttl(pattern, _) | Field::Rcode(pattern, ..) => Some(pattern),
            _ => None,
        }
    }

    /// Whether it is about this question. What rules of `edns0` are about shows only when they are
    /// applied; those of `cname` wait for the answer.
    pub(super) fn matches(&self, question: &Question, subject: &Subject<'_>) -> bool {
        match &self.field {
            Field::Class(from, _) => question.class == *from,
            Field::Type(from, _) => question.rtype == *from,
            Field::Cname(_) | Field::Edns(_) => true,
            _ => self.pattern().is_some_and(|pattern| pattern.matches(subject)),
        }
    }

    /// Whether it is about every question, so that rules behind it are dead if it stops.
    pub(super) fn always_acts(&self) -> bool {
        match &self.field {
            Field::Cname(_) => true,
            Field::Edns(rule) => rule.always_acts(),
            _ => false,
        }
    }

    /// Whether it has something to do on the way up.
    pub(super) fn amends(&self) -> bool {
        match &self.field {
            Field::Name(rule) => rule.answers(),
            Field::Ttl(..) | Field::Rcode(..) | Field::Cname(_) => true,
            Field::Class(..) | Field::Type(..) | Field::Edns(_) => false,
        }
    }

    /// Changes the question that it is about; fails with a text that is no name.
    pub(super) fn ask(&self, question: &mut Question) -> Result<(), Box<str>> {
        match &self.field {
            Field::Name(rule) => {
                let name: Option<NameBuf> =
                    rule.substitution.apply(&Subject::new(question.name())).transpose()?;
                if let Some(name) = name {
                    question.set_name(name.as_name());
                }
            }
            Field::Class(_, to) => question.class = *to,
            Field::Type(_, to) => question.rtype = *to,
            Field::Ttl(..) | Field::Rcode(..) | Field::Cname(_) | Field::Edns(_) => {}
        }
        Ok(())
    }

    /// Changes the reply, if that needs no waiting. It turned the name `before` into `after`.
    pub(super) fn amend(&self, reply: &mut Reply, before: &NameBuf, after: &NameBuf) {
        match &self.field {
            Field::Name(rule) => rule.answer(&mut reply.body, before.as_name(), after.as_name()),
            Field::Ttl(_, range) => clamp(&mut reply.body, range),
            Field::Rcode(_, from, to) if reply.rcode == *from => {
                reply.rcode = *to;
                // It would explain a code that nobody is told.
                reply.options.retain(|code| code != OPT_EXTENDED_ERROR);
            }
            _ => {}
        }
    }
}

fn clamp(body: &mut Body, range: &RangeInclusive<u32>) {
    for record in body.records_mut() {
        record.ttl = record.ttl.clamp(*range.start(), *range.end());
    }
}

fn read_class(words: &mut Words<'_>) -> Result<Field, Mistake> {
    let mut class = || {
        let word = words.next("class FROM TO")?;
        word.text.parse().map_err(|_| wrong(word, "must be a class such as `IN`, `CH` or `HS`"))
    };
    Ok(Field::Class(class()?, class()?))
}

fn read_type(words: &mut Words<'_>) -> Result<Field, Mistake> {
    let mut rtype = || {
        let word = words.next("type FROM TO")?;
        word.text.parse().map_err(|_| wrong(word, "must be a record type such as `A` or `HTTPS`"))
    };
    Ok(Field::Type(rtype()?, rtype()?))
}

fn read_ttl(words: &mut Words<'_>) -> Result<Field, Mistake> {
    let usage = "ttl [exact|prefix|suffix|substring|regex] NAME SECONDS|[MIN]-[MAX]";
    let how = words.how(2, usage)?;
    let pattern = words.pattern(how, usage)?;
    let word = words.next(usage)?;
    let range = range(&word.text).ok_or_else(|| {
        wrong(word, "must be a number of seconds, or a range such as `30-300`, `30-` or `-300`")
    })?;
    Ok(Field::Ttl(pattern, range))
}

/// `30`, `30-300`, `30-` or `-300`
fn range(text: &str) -> Option<RangeInclusive<u32>> {
    let number = |text: &str| {
        let is_number = text.bytes().all(|octet| octet.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| is_number)
    };
    let (least, most) = match text.split_once('-') {
        None => (number(text)?, number(text)?),
        Some(("", most)) => (0, number(most)?),
        // RFC 2181 §8: the largest TTL.
        Some((least, "")) => (number(least)?, i32::MAX as u32),
        Some((least, most)) => (number(least)?, number(most)?),
    };
    (least <= most).then_some(least..=most)
}

fn read_rcode(words: &mut Words<'_>) -> Result<Field, Mistake> {
    let usage = "rcode [exact|prefix|suffix|substring|regex] NAME FROM TO";
    let how = words.how(3, usage)?;
    let pattern = words.pattern(how, usage)?;
    let mut rcode = || {
        let word = words.next(usage)?;
        let what = "must be a response code such as `NXDOMAIN`, or a number up to 23";
        rcode(&word.text).ok_or_else(|| wrong(word, what))
    };
    Ok(Field::Rcode(pattern, rcode()?, rcode()?))
}

fn rcode(text: &str) -> Option<Rcode> {
    if let Ok(number) = text.parse::<u16>() {
        return (number <= 23).then_some(Rcode(number));
    }
    match text.to_ascii_uppercase().as_str() {
        "NOTIMPL" => Some(Rcode::NOTIMP), // as older Corefiles have it
        "BADSIG" => Some(Rcode(16)),      // RFC 8945 §5.2 and RFC 6891 §9 share the code
        text => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_ttls() {
        assert_eq!(range("30"), Some(30..=30));
        assert_eq!(range("30-300"), Some(30..=300));
        assert_eq!(range("30-"), Some(30..=i32::MAX as u32));
        assert_eq!(range("-300"), Some(0..=300));
        for wrong in ["-", "", "300-30", "a", "1-2-3", "+5", "4294967296", "30s"] {
            assert_eq!(range(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn response_codes() {
        assert_eq!(rcode("nxdomain"), Some(Rcode::NXDOMAIN));
        assert_eq!(rcode("NOTIMPL"), Some(Rcode::NOTIMP));
        assert_eq!(rcode("23"), Some(Rcode::BADCOOKIE));
        assert_eq!(rcode("24"), None);
        assert_eq!(rcode("NOPE"), None);
    }
}
