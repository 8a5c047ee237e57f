//! The queries of one socket or connection that are on their way.

use wire::HEADER_LEN;

use super::report::Tally;
use crate::queries::Queries;

/// Queries on their way, found by the id of the answer.
pub(super) struct Pending {
    /// Indexed by the low bits of the id.
    slots: Box<[Option<Slot>]>,
    next_id: u16,
    outstanding: usize,
    /// When nothing was left to receive: what came before has been counted.
    drained: u64,
}

/// A query on its way.
#[derive(Clone, Copy)]
struct Slot {
    id: u16,
    query: usize,
    /// When it was to be sent.
    due: u64,
    /// When it was sent, or shortly before.
    sent: u64,
}

/// The most queries on their way on one socket. A power of two, as are the ids.
const SLOTS: usize = 4096;

impl Pending {
    /// `seed` lets the ids of several sockets differ.
    pub(super) fn new(seed: usize) -> Self {
        Self {
            slots: vec![None; SLOTS].into_boxed_slice(),
            next_id: (seed * 7919) as u16,
            outstanding: 0,
            drained: 0,
        }
    }

    pub(super) fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Remembers a query that is sent now and gives it an id, unless there are too many.
    pub(super) fn add(&mut self, query: usize, due: u64, sent: u64) -> Option<u16> {
        if self.outstanding == SLOTS {
            return None;
        }
        // Ends: a slot is free, and consecutive ids come by all slots.
        while self.slots[self.next_id as usize % SLOTS].is_some() {
            self.next_id = self.next_id.wrapping_add(1);
        }
        let id = self.next_id;
        self.slots[id as usize % SLOTS] = Some(Slot { id, query, due, sent });
        self.next_id = id.wrapping_add(1);
        self.outstanding += 1;
        Some(id)
    }

    /// Counts `answer`, which came at `now`, as what it is.
    pub(super) fn settle(&mut self, answer: &[u8], now: u64, queries: &Queries, tally: &mut Tally) {
        if answer.len() < HEADER_LEN {
            tally.bad += 1;
            return;
        }
        let id = u16::from_be_bytes([answer[0], answer[1]]);
        let place = &mut self.slots[id as usize % SLOTS];
        let Some(slot) = place.take_if(|slot| slot.id == id) else {
            tally.unexpected += 1;
            return;
        };
        self.outstanding -= 1;
        if queries.is_answered(slot.query, answer) {
            tally.add(answer, now.saturating_sub(slot.due));
            tally.slowest_for_certain =
                tally.slowest_for_certain.max(self.drained.saturating_sub(slot.sent));
        } else {
            tally.bad += 1;
        }
    }

    /// Everything that had come by `time` has been counted.
    pub(super) fn drained(&mut self, time: u64) {
        self.drained = time;
    }

    /// Forgets queries that were due before `time` and says how many.
    pub(super) fn expire(&mut self, time: u64) -> usize {
        let mut expired = 0;
        for place in &mut self.slots {
            expired += usize::from(place.take_if(|slot| slot.due < time).is_some());
        }
        self.outstanding -= expired;
        expired
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queries::QueryOptions;

    fn one_query() -> Queries {
        let options = QueryOptions { edns_size: None, recursion_desired: false };
        Queries::read("www.example.org A", options).unwrap()
    }

    fn answer(queries: &Queries, id: u16) -> Vec<u8> {
        let mut answer = queries.octets(0).to_vec();
        answer[..2].copy_from_slice(&id.to_be_bytes());
        answer[2] |= 0x80;
        answer
    }

    #[test]
    fn each_answer_counts_once_and_as_what_it_is() {
        let (queries, mut tally) = (one_query(), Tally::new());
        let mut pending = Pending::new(1);
        let ids: Vec<u16> = (0..3).map(|i| pending.add(0, 100 * i, 100 * i).unwrap()).collect();
        pending.settle(&answer(&queries, ids[1]), 350, &queries, &mut tally);
        assert_eq!((tally.good, tally.latency.max_ns()), (1, 250));
        pending.settle(&answer(&queries, ids[1]), 360, &queries, &mut tally);
        pending.settle(&answer(&queries, ids[1].wrapping_add(77)), 360, &queries, &mut tally);
        assert_eq!(tally.unexpected, 2, "a second answer, and one that nobody asked for");
        let mut other = answer(&queries, ids[0]);
        other[14] = b'x';
        pending.settle(&other, 360, &queries, &mut tally);
        pending.settle(b"short", 360, &queries, &mut tally);
        assert_eq!(tally.bad, 2);
        assert_eq!(pending.outstanding(), 1);
        assert_eq!(pending.expire(200), 0);
        assert_eq!(pending.expire(201), 1);
        assert_eq!(pending.outstanding(), 0);
    }

    #[test]
    fn the_time_that_nobody_looked_for_an_answer_is_not_the_servers() {
        let (queries, mut tally) = (one_query(), Tally::new());
        let mut pending = Pending::new(1);
        let ids = [0, 0].map(|due| pending.add(0, due, 100).unwrap());
        pending.drained(150);
        pending.settle(&answer(&queries, ids[0]), 9_000, &queries, &mut tally);
        assert_eq!((tally.slowest_for_certain, tally.latency.max_ns() >= 9_000), (50, true));
        pending.drained(90);
        pending.settle(&answer(&queries, ids[1]), 9_000, &queries, &mut tally);
        assert_eq!(tally.slowest_for_certain, 50);
    }

    #[test]
    fn ids_pass_over_queries_that_are_still_on_their_way() {
        let mut pending = Pending::new(3);
        let first = pending.add(0, 1_000_000, 0).unwrap();
        for _ in 1..SLOTS {
            pending.add(0, 0, 0).unwrap();
        }
        assert_eq!(pending.add(0, 0, 0), None, "full");
        assert_eq!(pending.expire(1), SLOTS - 1);
        let ids: Vec<u16> = (1..SLOTS).map(|_| pending.add(0, 0, 0).unwrap()).collect();
        assert!(ids.iter().all(|id| *id as usize % SLOTS != first as usize % SLOTS));
    }
}
