//! Rules that lead a CNAME record somewhere else (field `cname`).

use super::pattern::{Match, Substitution};
use super::text::Subject;
use super::words::{Words, normalized};
use corefile::Mistake;
use wire::{Body, NameBuf, Rcode, RecordType, Reply};

const USAGE: &str = "cname [exact|prefix|suffix|substring|regex] FROM TO";

/// A rule of the field `cname`.
#[derive(Debug)]
pub(super) struct CnameRule(Substitution);

impl CnameRule {
    /// Reads the words behind `cname`.
    pub(super) fn read(words: &mut Words<'_>) -> Result<Self, Mistake> {
        let how = words.how(2, USAGE)?;
        let from = words.next(USAGE)?;
        // Here, and only here, `prefix` and `substring` get no final dot from CoreDNS.
        let shape = |text: &str| match how {
            Match::Exact | Match::Suffix => normalized(text),
            // CoreDNS puts expressions into lower case, `\S` included; what that is good for is to
            // match in any case.
            Match::Regex => format!("(?i){text}"),
            Match::Prefix | Match::Substring => text.to_ascii_lowercase(),
        };
        let pattern = words.pattern_of(how, from, &shape(&from.text))?;
        let to = words.next(USAGE)?;
        let text = if how == Match::Regex { to.text.to_ascii_lowercase() } else { shape(&to.text) };
        // CoreDNS does not count the groups of these rules.
        Ok(Self(words.substitution_of(pattern, to, &text)))
    }

    /// The first CNAME record of the answer that the rule is about, and its new target. A target
    /// that would be no name, or the same, is left alone.
    pub(super) fn find(&self, body: &Body) -> Option<(usize, NameBuf)> {
        body.answer.iter().enumerate().find_map(|(index, record)| {
            if record.rtype != RecordType::CNAME {
                return None;
            }
            let old = body.target(record)?.to_lower();
            let new = self.0.apply(&Subject::new(old.as_name()))?.ok()?;
            (new != old).then_some((index, new))
        })
    }
}

/// Leads the CNAME record at `index` to `target`. What led to it stays, everything else goes: it was
/// about the old target.
pub(super) fn lead(reply: &mut Reply, index: usize, target: NameBuf) {
    reply.rcode = Rcode::NOERROR;
    let body = &mut reply.body;
    let Some(old) = body.answer.get(index).and_then(|record| body.target(record)) else { return };
    let old = old.to_buf();
    body.answer.truncate(index + 1);
    body.answer.retain(|record| record.rtype == RecordType::CNAME);
    body.authority.clear();
    body.additional.clear();
    body.rename_targets(|_, name| (name == old.as_name()).then_some(target));
}
