//! A zone on its way to a client.

use crate::handover::WholeZone;
use crate::metrics::{Counter, Gauge};
use chain::{Piece, Stream};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use wire::{Body, NameBuf, Record, Section};

/// The records of a transfer (RFC 5936 §2.2): the SOA record, everything else, the SOA record again.
pub(super) struct Outgoing {
    zone: Box<dyn WholeZone>,
    apex: NameBuf,
    client: IpAddr,
    /// What the zone has given last.
    stage: Body,
    /// How many records of that are in messages.
    taken: usize,
    coming: Coming,
    /// Records in messages so far.
    sent: u64,
    _place: Place,
}

/// What the stage gets next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Coming {
    Soa,
    Zone,
    Nothing,
}

/// Octets of records in one message. What is left of 65,535 is for the header, the question and the
/// OPT record.
const MESSAGE_ROOM: usize = 62_000;
/// Octets of memory that the records of one message may take: in memory no name is compressed, and a
/// long apex stands in each.
const BODY_MAX: usize = 512 << 10;

impl Outgoing {
    pub(super) fn new(
        zone: Box<dyn WholeZone>,
        apex: NameBuf,
        client: IpAddr,
        place: Place,
    ) -> Self {
        let stage = Body::new();
        let coming = Coming::Soa;
        Self { zone, apex, client, stage, taken: 0, coming, sent: 0, _place: place }
    }

    /// Gives the stage what comes next; false if that is nothing.
    fn fill(&mut self) -> bool {
        self.stage.clear();
        self.taken = 0;
        match self.coming {
            Coming::Soa => {
                self.zone.push_soa(&mut self.stage);
                self.coming = Coming::Zone;
            }
            Coming::Zone => {
                if !self.zone.push_some(&mut self.stage) {
                    let mut soa = Body::new();
                    self.zone.push_soa(&mut soa);
                    for record in &soa.answer {
                        self.stage.push_from(Section::Answer, &soa, record);
                    }
                    self.coming = Coming::Nothing;
                }
            }
            Coming::Nothing => return false,
        }
        true
    }

    /// The most octets that the record takes in a message. The apex stands in the question, so
    /// owners end with a pointer there.
    fn size(&self, record: &Record) -> usize {
        let owner = self.stage.owner(record);
        let owner = match owner.labels_above(self.apex.as_name()) {
            Some(labels) => labels.len() + 2,
            None => owner.len(),
        };
        owner + 10 + self.stage.rdata(record).len()
    }
}

impl Stream for Outgoing {
    fn next(&mut self, body: &mut Body) -> Piece {
        let mut room = MESSAGE_ROOM;
        loop {
            while let Some(record) = self.stage.answer.get(self.taken) {
                let size = self.size(record);
                let is_full = size > room || body.memory() > BODY_MAX;
                // What is larger than a message should be gets one of its own.
                if is_full && !body.is_empty() {
                    return Piece::More;
                }
                room = room.saturating_sub(size);
                body.push_from(Section::Answer, &self.stage, record);
                self.taken += 1;
                self.sent += 1;
            }
            if !self.fill() {
                return Piece::Last;
            }
            if self.stage.overflowed() {
                return Piece::Broken;
            }
        }
    }
}

/// Tells how it ended, as CoreDNS does.
impl Drop for Outgoing {
    fn drop(&mut self) {
        let Self { apex, client, sent, .. } = self;
        let (zone, serial) = (apex.to_string(), self.zone.serial());
        let is_whole = self.coming == Coming::Nothing
            && self.taken == self.stage.answer.len()
            && !self.stage.overflowed();
        if is_whole {
            tracing::info!(
                target: "plugin/transfer",
                "Outgoing transfer of {sent} records of zone {zone:?} to {client} for {serial} SOA serial"
            );
        } else {
            tracing::warn!(
                target: "plugin/transfer",
                "Outgoing transfer of zone {zone:?} to {client} for {serial} SOA serial was cut after {sent} records"
            );
        }
    }
}

/// How many transfers there may be at once, in the whole process.
pub(super) struct Places {
    taken: AtomicUsize,
    running: Arc<Gauge>,
    refused: Arc<Counter>,
}

impl Places {
    /// A transfer holds a few hundred KiB, and what the zone was.
    const MAX: usize = 32;

    pub(super) fn new(running: Arc<Gauge>, refused: Arc<Counter>) -> Self {
        Self { taken: AtomicUsize::new(0), running, refused }
    }

    /// A place for one more; none if all are taken, which is counted.
    pub(super) fn take(self: &Arc<Self>) -> Option<Place> {
        let taken = self.taken.fetch_add(1, Relaxed);
        self.running.add(1);
        let place = Place { places: self.clone() };
        if taken >= Self::MAX {
            self.refused.increment(0);
            return None;
        }
        Some(place)
    }
}

/// The place of one transfer, for as long as this lives.
pub(super) struct Place {
    places: Arc<Places>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken.fetch_sub(1, Relaxed);
        self.places.running.add(-1);
    }
}
