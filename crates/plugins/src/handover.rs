//! What plugins that have zones, and the one that hands zones over, do for each other.

use crate::env::{Env, Whole};
use chain::Failure;
use std::sync::{Arc, OnceLock, Weak};
use wire::{Body, Name, NameBuf};

/// Somebody whose zones can be handed over whole.
pub trait Transfer: Send + Sync {
    /// The zone with this apex, in lower case, as it is now.
    fn transfer(&self, apex: Name<'_>) -> Offer;
}

/// What there is to hand over.
pub enum Offer {
    /// No such zone. A name inside of a zone is none.
    NoZone,
    /// A zone whose records are not there.
    Failed(Failure),
    /// A zone.
    Zone(Box<dyn WholeZone>),
}

/// A zone as it was at one moment, read in pieces.
pub trait WholeZone: Send + Sync {
    /// The serial of its SOA record.
    fn serial(&self) -> u32;

    /// Appends the SOA record to the answer section.
    fn push_soa(&self, body: &mut Body);

    /// Appends some of the other records to the answer section of `body`, which is empty: some
    /// thousand at the most, each in one of the calls. False at the end.
    fn push_some(&mut self, body: &mut Body) -> bool;
}

/// Somebody who tells others that a zone has changed.
pub trait Announce: Send + Sync {
    /// The zone with this apex, in lower case, has another serial than before, or is new.
    fn changed(&self, apex: &NameBuf);
}

/// Whom a zone tells that it has changed: everybody in its block who wants to know.
///
/// A task may hold it: it does not keep the block from ending.
#[derive(Clone)]
pub(crate) struct Announcer {
    whole: Weak<OnceLock<Whole>>,
}

impl Announcer {
    /// For a zone of this block.
    pub(crate) fn new(env: &Env<'_>) -> Self {
        Self { whole: Arc::downgrade(&env.whole()) }
    }
}

impl Announce for Announcer {
    fn changed(&self, apex: &NameBuf) {
        let Some(whole) = self.whole.upgrade() else { return };
        let Some(whole) = whole.get() else { return };
        for (_, announce) in whole.capabilities.of::<dyn Announce>() {
            announce.changed(apex);
        }
    }
}
