//! The questions that are open on one connection, by their ids.

use crate::packet::Packet;
use std::collections::HashMap;
use std::sync::Arc;

/// How often an id is drawn before the connection counts as full. With a few hundred questions
/// open, one draw in a hundred or less finds its id taken.
const DRAWS_MAX: usize = 64;

/// The open questions, each with whoever waits for its answer.
#[derive(Debug)]
pub(crate) struct Slots<W> {
    by_id: HashMap<u16, Slot<W>>,
    entered: u64,
}

#[derive(Debug)]
struct Slot<W> {
    packet: Arc<Packet>,
    waiter: W,
    serial: u64,
}

/// Where a question is open. The serial number tells it from a later question with the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) id: u16,
    serial: u64,
}

/// What a message is to the open questions.
#[derive(Debug)]
pub(crate) enum Arrived<W> {
    /// The answer to one of them, which is open no more.
    Answer(Arc<Packet>, W),
    /// It has the id of an open question and another question.
    AnotherQuestion(u16),
    /// Late, or never asked for.
    Stray,
}

impl<W> Slots<W> {
    pub(crate) fn new() -> Self {
        Self { by_id: HashMap::new(), entered: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Opens a question under a random id that is free; none if no draw found one.
    ///
    /// RFC 5452 §9.2: ids come from a generator whose next output cannot be guessed.
    pub(crate) fn enter(&mut self, packet: Arc<Packet>, waiter: W) -> Option<Place> {
        let free = |id: &u16| !self.by_id.contains_key(id);
        let id = rand::random_iter::<u16>().take(DRAWS_MAX).find(free)?;
        self.entered += 1;
        let serial = self.entered;
        self.by_id.insert(id, Slot { packet, waiter, serial });
        Some(Place { id, serial })
    }

    /// Closes the question at `place`, if it is still open.
    pub(crate) fn leave(&mut self, place: Place) {
        if self.by_id.get(&place.id).is_some_and(|slot| slot.serial == place.serial) {
            self.by_id.remove(&place.id);
        }
    }

    /// Finds the question that `message` answers, and closes it.
    pub(crate) fn arrived(&mut self, message: &[u8]) -> Arrived<W> {
        let Some(&[high, low]) = message.first_chunk() else { return Arrived::Stray };
        let id = u16::from_be_bytes([high, low]);
        match self.by_id.get(&id) {
            None => Arrived::Stray,
            Some(slot) if !slot.packet.is_answered_by(message) => Arrived::AnotherQuestion(id),
            Some(_) => match self.by_id.remove(&id) {
                Some(slot) => Arrived::Answer(slot.packet, slot.waiter),
                None => Arrived::Stray,
            },
        }
    }

    /// Closes the question with `id`.
    pub(crate) fn remove(&mut self, id: u16) -> Option<W> {
        self.by_id.remove(&id).map(|slot| slot.waiter)
    }

    /// Closes every question.
    pub(crate) fn drain(&mut self) -> Vec<W> {
        self.by_id.drain().map(|(_, slot)| slot.waiter).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Query, Transport};
    use proptest::prelude::*;
    use std::collections::HashSet;
    use wire::{Class, Flags, NameBuf, Opcode, RecordType};

    fn packet(number: u32) -> Arc<Packet> {
        let name: NameBuf = format!("q{number}.test").parse().unwrap();
        Arc::new(Packet::new(&Query {
            name: name.as_name(),
            rtype: RecordType::A,
            class: Class::IN,
            opcode: Opcode::QUERY,
            flags: Flags::RD,
            edns: None,
            over: Transport::Udp,
        }))
    }

    fn answer(packet: &Packet, id: u16) -> Vec<u8> {
        let mut message = packet.datagram(id);
        message[2] |= 0x80;
        message
    }

    #[derive(Clone, Debug)]
    enum Event {
        /// Another question is asked.
        Ask,
        /// The question at this index (of those ever asked) is answered, maybe not for the first time.
        Answer(usize),
        /// The one at the first index is answered with the question of the one at the second.
        Spoof(usize, usize),
        /// Whoever asked the question at this index goes away.
        Leave(usize),
    }

    fn any_event() -> impl Strategy<Value = Event> {
        prop_oneof![
            3 => Just(Event::Ask),
            2 => any::<usize>().prop_map(Event::Answer),
            1 => any::<(usize, usize)>().prop_map(|(a, b)| Event::Spoof(a, b)),
            1 => any::<usize>().prop_map(Event::Leave),
        ]
    }

    proptest! {
        /// Whatever happens in whatever order, an answer reaches the one who asked, once, and
        /// nobody else.
        #[test]
        fn answers_reach_their_askers(events in prop::collection::vec(any_event(), 1..200)) {
            let mut slots = Slots::new();
            let mut asked: Vec<(Arc<Packet>, Place)> = Vec::new();
            let mut open = HashSet::new();
            for event in events {
                match event {
                    Event::Ask => {
                        let number = asked.len();
                        let packet = packet(number as u32);
                        let place = slots.enter(packet.clone(), number).unwrap();
                        asked.push((packet, place));
                        open.insert(number);
                    }
                    Event::Answer(at) if !asked.is_empty() => {
                        let number = at % asked.len();
                        let (packet, place) = &asked[number];
                        match slots.arrived(&answer(packet, place.id)) {
                            Arrived::Answer(_, got) => {
                                prop_assert_eq!(got, number);
                                prop_assert!(open.remove(&number));
                            }
                            _ => prop_assert!(!open.contains(&number)),
                        }
                    }
                    Event::Spoof(at, other) if asked.len() > 1 => {
                        let (number, other) = (at % asked.len(), other % asked.len());
                        let before = slots.len();
                        let message = answer(&asked[other].0, asked[number].1.id);
                        if number != other && asked[number].1.id != asked[other].1.id {
                            prop_assert!(!matches!(slots.arrived(&message), Arrived::Answer(..)));
                            prop_assert_eq!(slots.len(), before);
                        }
                    }
                    Event::Leave(at) if !asked.is_empty() => {
                        let number = at % asked.len();
                        slots.leave(asked[number].1);
                        open.remove(&number);
                    }
                    _ => {}
                }
                prop_assert_eq!(slots.len(), open.len());
            }
            let mut left = slots.drain();
            left.sort_unstable();
            let mut open: Vec<_> = open.into_iter().collect();
            open.sort_unstable();
            prop_assert_eq!(left, open);
        }

        #[test]
        fn any_octets_arrive_without_a_panic(octets in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut slots = Slots::new();
            for number in 0..200 {
                slots.enter(packet(number), ());
            }
            let _ = slots.arrived(&octets);
        }
    }

    #[test]
    fn one_who_leaves_late_does_not_take_the_next_ones_place() {
        let mut slots = Slots::new();
        let first = slots.enter(packet(1), 1).unwrap();
        assert!(matches!(slots.arrived(&answer(&packet(1), first.id)), Arrived::Answer(..)));
        // Draws until the same id comes again.
        let second = loop {
            let place = slots.enter(packet(2), 2).unwrap();
            if place.id == first.id {
                break place;
            }
            slots.leave(place);
        };
        slots.leave(first);
        assert!(matches!(slots.arrived(&answer(&packet(2), second.id)), Arrived::Answer(_, 2)));
    }

    #[test]
    fn ids_are_spread_over_all_that_there_are() {
        let mut slots = Slots::new();
        let ids: Vec<u16> = (0..512).map(|_| slots.enter(packet(0), ()).unwrap().id).collect();
        // A sixteenth of the ids holds 32 of them on average, and nearly never none.
        for sixteenth in 0..16 {
            assert!(ids.iter().any(|id| id >> 12 == sixteenth));
        }
        assert!(ids.windows(2).filter(|pair| pair[0].wrapping_add(1) == pair[1]).count() < 5);
    }
}
