//! The answers that differ, and those that differ alike.

use super::outcome::Outcome;
use super::questions::{Askers, Questions};
use super::trial::Pair;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use wire::{NameBuf, RecordType};

/// The most changes that are kept; more are counted only.
const KEPT_MAX: usize = 100_000;
/// So many names that change alike are told one by one.
const ALONE_MAX: usize = 3;

/// What differs between two sides.
#[derive(Debug)]
pub(crate) struct Changes {
    /// What the sides are called.
    pub(crate) old: String,
    pub(crate) new: String,
    /// Whether it has to be said which listener was asked.
    pub(crate) has_listeners: bool,
    list: Vec<Change>,
    /// Questions that were asked, of each listener.
    pub(crate) asked: u64,
    /// Questions with another answer.
    pub(crate) changed: u64,
    /// Questions that were not compared, as only other servers know the answer.
    pub(crate) skipped: u64,
    /// Questions that were never asked: there were too many.
    pub(crate) left_out: u64,
    /// Questions that were lost by a mistake of ours.
    pub(crate) lost: u64,
}

/// An answer that differs.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) name: NameBuf,
    pub(crate) rtype: RecordType,
    pub(crate) address: SocketAddr,
    pub(crate) old: Outcome,
    pub(crate) new: Outcome,
    pub(crate) askers: Askers,
}

/// Changes with one reason.
pub(crate) struct Group<'a> {
    /// The longest name that all of them are at or below.
    pub(crate) below: NameBuf,
    pub(crate) changes: Vec<&'a Change>,
}

/// Why an answer differs: from what to what, and who answers.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Reason<'a> {
    /// Names of addresses are a matter of their own.
    is_reverse: bool,
    old: String,
    new: String,
    old_by: &'a [(&'static str, u32)],
    new_by: &'a [(&'static str, u32)],
}

impl Changes {
    /// None yet, between two sides of these names.
    pub(crate) fn new(old: String, new: String, has_listeners: bool) -> Self {
        let list = Vec::new();
        let (asked, changed, skipped, left_out, lost) = (0, 0, 0, 0, 0);
        Self { old, new, has_listeners, list, asked, changed, skipped, left_out, lost }
    }

    /// Notes what came of a question.
    pub(crate) fn note(&mut self, pair: Pair) {
        self.asked += 1;
        let Pair { asked, address, old, new } = pair;
        let Some(old) = old else {
            self.skipped += 1;
            return;
        };
        if old.is_same_as(&new) {
            return;
        }
        self.changed += 1;
        if self.list.len() < KEPT_MAX {
            let (name, rtype) = (asked.name().to_buf(), asked.rtype);
            self.list.push(Change { name, rtype, address, old, new, askers: asked.askers });
        }
    }

    /// Counts a question that was lost.
    pub(crate) fn count_lost(&mut self) {
        self.lost += 1;
    }

    /// Takes over what there was no room for, and puts the changes into order: those that are asked
    /// for most first, then by name, as a zone has them.
    pub(crate) fn finish(&mut self, questions: &Questions) {
        self.left_out = questions.left_out();
        let order = |change: &Change| std::cmp::Reverse(change.askers.count);
        self.list.sort_by(|one, other| {
            let names = one.name.as_name().cmp(&other.name.as_name());
            let types = one.rtype.cmp(&other.rtype).then(one.address.cmp(&other.address));
            order(one).cmp(&order(other)).then(names).then(types)
        });
    }

    /// The changes that are kept.
    pub(crate) fn list(&self) -> &[Change] {
        &self.list
    }

    /// The changes with those that have one reason together, in the order of the first of each.
    pub(crate) fn groups(&self) -> Vec<Group<'_>> {
        let mut places = BTreeMap::new();
        let mut groups: Vec<Group<'_>> = Vec::new();
        for change in &self.list {
            let place = *places.entry(change.reason()).or_insert(groups.len());
            match groups.get_mut(place) {
                Some(group) => group.add(change),
                None => groups.push(Group { below: change.name, changes: vec![change] }),
            }
        }
        groups
    }
}

impl Change {
    fn reason(&self) -> Reason<'_> {
        let (old, new) = (self.old.kind(), self.new.kind());
        let is_reverse = self.name.as_name().labels().last() == Some(b"arpa");
        Reason { is_reverse, old, new, old_by: &self.old.by, new_by: &self.new.by }
    }
}

impl<'a> Group<'a> {
    fn add(&mut self, change: &'a Change) {
        let mut below = self.below.as_name();
        while !change.name.as_name().is_at_or_below(below) {
            // Every name is below the root.
            let Some(parent) = below.parent() else { break };
            below = parent;
        }
        self.below = below.to_buf();
        self.changes.push(change);
    }

    /// Whether its changes are too many to be told one by one.
    pub(crate) fn is_large(&self) -> bool {
        self.changes.len() > ALONE_MAX
    }

    /// How many names there are.
    pub(crate) fn names(&self) -> usize {
        let mut names: Vec<_> = self.changes.iter().map(|change| change.name).collect();
        names.sort_unstable();
        names.dedup();
        names.len()
    }
}
