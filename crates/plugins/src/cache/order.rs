//! Who leaves first when a store is full.

use super::entry::{Entry, Making};
use chain::Moment;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;

/// The entries of a store in the order in which they came, and a hand that goes through them.
///
/// Entries whose time is over leave first. Then the hand goes from the oldest to the newest: what was
/// asked for since it last came by stays where it is, the first that was not leaves (the algorithm is
/// called SIEVE). So a flood of names that are asked for once flows through the young end, and
/// does not wash out what is in use.
#[derive(Default)]
pub(super) struct Order {
    nodes: Vec<Node>,
    /// Nodes without an entry.
    free: Vec<u32>,
    newest: Option<u32>,
    oldest: Option<u32>,
    /// Where the hand goes on.
    hand: Option<u32>,
    by_end: BTreeSet<(Moment, u32)>,
}

struct Node {
    entry: Option<Held>,
    newer: Option<u32>,
    older: Option<u32>,
}

/// An entry, and the hash of its key.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) tag: u64,
    pub(super) entry: Entry,
}

impl Order {
    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.by_end.len()
    }

    /// Makes an entry and puts it in as the newest.
    pub(super) fn push(&mut self, tag: u64, making: &Making<'_>) -> Held {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.nodes.push(Node { entry: None, newer: None, older: None });
            (self.nodes.len() - 1) as u32 // there are no more nodes than entries, at most 10⁸
        });
        let held = Held { tag, entry: Entry::new(making, slot, None) };
        self.by_end.insert((held.entry.end, slot));
        self.nodes[slot as usize] =
            Node { entry: Some(held.clone()), newer: None, older: self.newest };
        match self.newest {
            Some(newest) => self.nodes[newest as usize].newer = Some(slot),
            None => self.oldest = Some(slot),
        }
        self.newest = Some(slot);
        held
    }

    /// Makes an entry in the place of an older one under the same key.
    pub(super) fn replace(&mut self, older: &Held, making: &Making<'_>) -> Held {
        let slot = older.entry.slot;
        let held = Held { tag: older.tag, entry: Entry::new(making, slot, Some(&older.entry)) };
        self.by_end.remove(&(older.entry.end, slot));
        self.by_end.insert((held.entry.end, slot));
        self.nodes[slot as usize].entry = Some(held.clone());
        held
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, slot: u32) -> Option<Held> {
        let node = self.nodes.get_mut(slot as usize)?;
        let held = node.entry.take()?;
        let (newer, older) = (node.newer, node.older);
        match newer {
            Some(newer) => self.nodes[newer as usize].older = older,
            None => self.newest = older,
        }
        match older {
            Some(older) => self.nodes[older as usize].newer = newer,
            None => self.oldest = newer,
        }
        if self.hand == Some(slot) {
            self.hand = newer;
        }
        self.by_end.remove(&(held.entry.end, slot));
        self.free.push(slot);
        Some(held)
    }

    /// Takes out the entry that is over for the longest time, if one is.
    pub(super) fn take_over(&mut self, now: Moment) -> Option<Held> {
        let (end, slot) = *self.by_end.first()?;
        if end > now {
            return None;
        }
        self.remove(slot)
    }

    /// Takes out the entry that is missed least.
    pub(super) fn take_least(&mut self) -> Option<Held> {
        // The hand clears every mark that it passes: the second round ends.
        for _ in 0..=2 * self.len() {
            let slot = self.hand.or(self.oldest)?;
            let node = &self.nodes[slot as usize];
            let used = node.entry.as_ref().is_some_and(|held| held.entry.used.swap(false, Relaxed));
            if !used {
                return self.remove(slot);
            }
            self.hand = node.newer;
        }
        // Only if others mark entries as fast as the hand goes.
        self.remove(self.oldest?)
    }
}
