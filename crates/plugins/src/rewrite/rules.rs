//! All rules of a server block, and which of them is the next for a question.

use super::pattern::Pattern;
use super::rule::{Field, Rule};
use super::text::Subject;
use std::collections::HashMap;
use wire::{Name, NameBuf, Question, RecordType};

/// Rules in their order.
///
/// Those about one name, or about all names below a zone, are found by hashing, so that thousands of
/// them cost no more than one; all others are tried one after the other.
pub(super) struct Rules {
    rules: Box<[Rule]>,
    /// The rules that a name leads to; its octets are in lower case.
    indexed: HashMap<Box<[u8]>, Found, foldhash::fast::RandomState>,
    /// Bit n is set if there are rules about the names below a zone of n labels.
    zone_labels: u128,
    /// The rules that have to be tried.
    others: Box<[u32]>,
}

/// Rules by their places, in order.
#[derive(Default)]
struct Found {
    /// About this name.
    exact: Vec<u32>,
    /// About the names below it.
    below: Vec<u32>,
}

/// A rule that was about a question, with the name before and after it.
pub(super) struct Applied<'r> {
    pub(super) rule: &'r Rule,
    pub(super) before: NameBuf,
    pub(super) after: NameBuf,
}

/// What the way up must know of the way down: what each rule of `edns0` that was tried came to. All
/// else follows from the question.
#[derive(Clone, Copy, Default)]
pub(super) struct Tried {
    /// Bit n is set if the nth was about the question.
    acted: u64,
    count: u32,
}

impl Tried {
    /// How many there may be.
    pub(super) const MAX: usize = 64;

    /// Notes the next one.
    pub(super) fn push(&mut self, acted: bool) {
        self.acted |= u64::from(acted) << (self.count % u64::BITS);
        self.count += 1;
    }

    /// All of them, to be kept on the exchange.
    pub(super) fn bits(self) -> u64 {
        self.acted
    }

    /// All of them, as they were kept.
    pub(super) fn from_bits(bits: u64) -> Self {
        Self { acted: bits, count: 0 }
    }

    /// The next one.
    fn pop(&mut self) -> bool {
        let acted = self.acted & 1 == 1;
        self.acted >>= 1;
        acted
    }
}

impl Rules {
    /// Shows names that rules are about: those that are written out, and one below each zone.
    pub(super) fn names(&self, show: &mut dyn FnMut(Name<'_>, RecordType)) {
        for rule in &self.rules {
            if let Some(name) = rule.pattern().and_then(Pattern::example) {
                show(name.as_name(), RecordType::A);
            }
        }
    }

    /// These rules.
    pub(super) fn new(rules: Vec<Rule>) -> Self {
        let mut indexed: HashMap<Box<[u8]>, Found, _> = HashMap::default();
        let mut zone_labels = 0;
        let mut others = Vec::new();
        for (index, rule) in (0..).zip(&rules) {
            match rule.pattern() {
                Some(Pattern::Exact(name)) => {
                    indexed.entry(name.octets().into()).or_default().exact.push(index);
                }
                Some(Pattern::Suffix(suffix)) if suffix.is_whole() => {
                    zone_labels |= 1 << suffix.zone.as_name().label_count();
                    indexed.entry(suffix.zone.octets().into()).or_default().below.push(index);
                }
                Some(Pattern::Never) => {}
                _ => others.push(index),
            }
        }
        Self { rules: rules.into(), indexed, zone_labels, others: others.into() }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    /// The first rule from the place `from` on that is about the question, and its place.
    pub(super) fn next(&self, from: usize, question: &Question) -> Option<(usize, &Rule)> {
        let subject = Subject::new(question.name());
        let indexed = self.find(from, question.name());
        let tried = since(from, &self.others).iter().map(|index| *index as usize);
        let other = tried
            .take_while(|index| indexed.is_none_or(|indexed| *index < indexed))
            .find(|index| self.rules[*index].matches(question, &subject));
        other.or(indexed).map(|index| (index, &self.rules[index]))
    }

    /// The first of the indexed rules.
    fn find(&self, from: usize, name: Name<'_>) -> Option<usize> {
        if self.indexed.is_empty() {
            return None;
        }
        let first = |places: &[u32]| since(from, places).first().map(|index| *index as usize);
        let mut found = self.indexed.get(name.octets()).and_then(|found| first(&found.exact));
        if self.zone_labels == 0 {
            return found;
        }
        let (mut zone, mut labels) = (name.parent(), name.label_count());
        while let Some(name) = zone {
            labels -= 1;
            if self.zone_labels & (1 << labels) != 0
                && let Some(below) = self.indexed.get(name.octets())
            {
                found = found.into_iter().chain(first(&below.below)).min();
            }
            zone = name.parent();
        }
        found
    }

    /// The rules that changed a question and have something to do on the way up, in the order in
    /// which they worked on the way down.
    pub(super) fn replay(&self, question: &Question, mut tried: Tried) -> Replayed<'_> {
        let mut replayed = Replayed::default();
        let mut question = *question;
        let mut at = 0;
        while let Some((index, rule)) = self.next(at, &question) {
            at = index + 1;
            let before = question.name().to_buf();
            let acted = match &rule.field {
                Field::Edns(_) => tried.pop(),
                // On the way down all names were good.
                _ => rule.ask(&mut question).is_ok(),
            };
            if acted && rule.amends() {
                let after = question.name().to_buf();
                replayed.push(Applied { rule, before, after });
            }
            if acted && rule.stops {
                break;
            }
        }
        replayed
    }
}

/// Those of some places that are not in front of `from`.
fn since(from: usize, places: &[u32]) -> &[u32] {
    &places[places.partition_point(|index| (*index as usize) < from)..]
}

/// The rules that work on an answer. A few need no allocation.
#[derive(Default)]
pub(super) struct Replayed<'r> {
    few: [Option<Applied<'r>>; 4],
    count: usize,
    more: Vec<Applied<'r>>,
}

impl<'r> Replayed<'r> {
    fn push(&mut self, applied: Applied<'r>) {
        match self.few.get_mut(self.count) {
            Some(slot) => *slot = Some(applied),
            None => self.more.push(applied),
        }
        self.count += 1;
    }

    /// The first `count` of them, the last one first.
    pub(super) fn last_first(&self, count: usize) -> impl Iterator<Item = &Applied<'r>> {
        let skipped = self.count.saturating_sub(count);
        self.few.iter().flatten().chain(&self.more).rev().skip(skipped)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }
}
