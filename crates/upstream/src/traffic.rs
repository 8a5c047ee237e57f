//! What goes on on one connection: shared by those who ask and the task that reads.

use crate::packet::Packet;
use crate::slots::{Arrived, Place, Slots};
use crate::stats::Counters;
use crate::task::lock;
use crate::{Cause, Transport};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{SetOnce, oneshot};
use tokio::time::Instant;
use wire::Message;

/// After this many messages that answer nothing, a connection takes no more questions. They are
/// late answers, or somebody has found the port and is guessing ids (RFC 5452 §9.3).
const STRAYS_MAX: u32 = 16;

/// What one connection may carry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Open questions at the same time.
    pub(crate) open_max: usize,
    /// From this many open questions on, another connection is preferred.
    pub(crate) busy_at: usize,
    /// Questions in its whole life.
    pub(crate) uses_max: u64,
    /// Its life, for new questions.
    pub(crate) age_max: Duration,
    /// How long it may be idle.
    pub(crate) idle_max: Duration,
    /// For how long questions may wait for it to be connected before another is preferred.
    pub(crate) dial_patience: Duration,
}

/// Which connections will do for a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Room {
    /// One that is not busy.
    Ample,
    /// Any with room.
    Any,
}

/// Why a connection does not take a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// For now.
    Full,
    /// For ever.
    Worn,
}

/// An answer, or why there will be none.
pub(crate) type Outcome = Result<Arc<Message>, Cause>;

/// One connection's state.
#[derive(Debug)]
pub(crate) struct Traffic {
    over: Transport,
    limits: Limits,
    since: Instant,
    /// Our address, once it is connected.
    pub(crate) connected: SetOnce<SocketAddr>,
    table: Mutex<Table>,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct Table {
    slots: Slots<oneshot::Sender<Outcome>>,
    uses: u64,
    used_at: Instant,
    strays: u32,
    retired: bool,
    ended: bool,
}

/// A question that was let in.
#[derive(Debug)]
pub(crate) struct Entered {
    pub(crate) place: Place,
    pub(crate) outcome: oneshot::Receiver<Outcome>,
    /// Whether the connection had carried questions before.
    pub(crate) reused: bool,
}

impl Traffic {
    pub(crate) fn new(over: Transport, limits: Limits, counters: Arc<Counters>) -> Self {
        let since = Instant::now();
        let table = Table {
            slots: Slots::new(),
            uses: 0,
            used_at: since,
            strays: 0,
            retired: false,
            ended: false,
        };
        let connected = SetOnce::new();
        Self { over, limits, since, connected, table: Mutex::new(table), counters }
    }

    /// Opens a question, if there is room.
    pub(crate) fn enter(
        &self,
        packet: &Arc<Packet>,
        room: Room,
        now: Instant,
    ) -> Result<Entered, Refused> {
        let mut table = lock(&self.table);
        if self.is_worn(&table, now) {
            return Err(Refused::Worn);
        }
        let open_max = match room {
            Room::Ample if self.is_slow_to_connect(now) => 0,
            Room::Ample => self.limits.busy_at,
            Room::Any => self.limits.open_max,
        };
        if table.slots.len() >= open_max {
            return Err(Refused::Full);
        }
        let (waiter, outcome) = oneshot::channel();
        let place = table.slots.enter(packet.clone(), waiter).ok_or(Refused::Full)?;
        let reused = table.uses > 0;
        table.uses += 1;
        table.used_at = now;
        Ok(Entered { place, outcome, reused })
    }

    /// Closes a question that nobody waits for any more.
    pub(crate) fn leave(&self, place: Place, now: Instant) {
        let mut table = lock(&self.table);
        table.slots.leave(place);
        table.used_at = now;
    }

    /// Takes no more questions; those that are open stay so.
    pub(crate) fn retire(&self) {
        lock(&self.table).retired = true;
    }

    /// Hands a message that came in to the one who waits for it.
    pub(crate) fn arrived(&self, message: &[u8]) {
        let mut table = lock(&self.table);
        match table.slots.arrived(message) {
            Arrived::Answer(packet, waiter) => {
                drop(table);
                // A waiter that has gone needs no answer.
                let _ = waiter.send(packet.read(message).map(Arc::new).map_err(Cause::Malformed));
            }
            Arrived::AnotherQuestion(id) if self.over == Transport::Tcp => {
                // Nobody but the server can write into the stream, so it is the server's mistake.
                let waiter = table.slots.remove(id);
                let _ = waiter.map(|waiter| waiter.send(Err(Cause::AnotherQuestion)));
            }
            // RFC 5452 §9.1: not a response to our question, so go on waiting for one that is.
            Arrived::AnotherQuestion(_) | Arrived::Stray => {
                table.strays += 1;
                self.counters.count_stray();
            }
        }
    }

    /// The connection is no more: every open question fails with `cause`.
    pub(crate) fn end(&self, cause: &Cause) {
        let mut table = lock(&self.table);
        table.ended = true;
        for waiter in table.slots.drain() {
            let _ = waiter.send(Err(cause.clone()));
        }
    }

    /// Whether it will never take a question again.
    pub(crate) fn is_spent(&self, now: Instant) -> bool {
        self.is_worn(&lock(&self.table), now)
    }

    /// Whether no question is open.
    pub(crate) fn is_idle(&self) -> bool {
        lock(&self.table).slots.len() == 0
    }

    fn is_worn(&self, table: &Table, now: Instant) -> bool {
        if table.ended || table.retired || table.strays >= STRAYS_MAX {
            return true;
        }
        let idle = table.slots.len() == 0;
        // A new connection takes one question, however short its life is meant to be.
        table.uses > 0
            && (table.uses >= self.limits.uses_max
                || now.duration_since(self.since) >= self.limits.age_max
                || idle && now.duration_since(table.used_at) >= self.limits.idle_max)
    }

    fn is_slow_to_connect(&self, now: Instant) -> bool {
        !self.connected.initialized() && now.duration_since(self.since) >= self.limits.dial_patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Query;
    use wire::{Class, Flags, Name, Opcode, RecordType};

    const LIMITS: Limits = Limits {
        open_max: 3,
        busy_at: 2,
        uses_max: 6,
        age_max: Duration::from_secs(100),
        idle_max: Duration::from_secs(10),
        dial_patience: Duration::from_secs(2),
    };

    fn packet() -> Arc<Packet> {
        Arc::new(Packet::new(&Query {
            name: Name::ROOT,
            rtype: RecordType::NS,
            class: Class::IN,
            opcode: Opcode::QUERY,
            flags: Flags::RD,
            edns: None,
            over: Transport::Udp,
        }))
    }

    /// A connection, and the time at which it was made.
    fn traffic(over: Transport, limits: Limits) -> (Traffic, Instant) {
        let traffic = Traffic::new(over, limits, Arc::default());
        traffic.connected.set("127.0.0.1:1".parse().unwrap()).unwrap();
        let since = traffic.since;
        (traffic, since)
    }

    fn refused(traffic: &Traffic, room: Room, now: Instant) -> Option<Refused> {
        traffic.enter(&packet(), room, now).err()
    }

    #[test]
    fn busy_full_and_used_up() {
        let (traffic, now) = traffic(Transport::Udp, LIMITS);
        let mut entered: Vec<_> =
            (0..2).map(|_| traffic.enter(&packet(), Room::Ample, now).unwrap()).collect();
        assert!(!entered[0].reused && entered[1].reused);
        assert_eq!(refused(&traffic, Room::Ample, now), Some(Refused::Full));
        entered.push(traffic.enter(&packet(), Room::Any, now).unwrap());
        assert_eq!(refused(&traffic, Room::Any, now), Some(Refused::Full));
        for entered in entered {
            traffic.leave(entered.place, now);
        }
        for _ in 0..3 {
            traffic.enter(&packet(), Room::Any, now).unwrap();
        }
        assert_eq!(refused(&traffic, Room::Any, now), Some(Refused::Worn));
    }

    #[test]
    fn idle_and_old_connections_are_worn() {
        let (traffic, start) = traffic(Transport::Tcp, LIMITS);
        let after = |seconds| start + Duration::from_secs(seconds);
        let place = traffic.enter(&packet(), Room::Any, after(50)).unwrap().place;
        assert!(!traffic.is_spent(after(70)), "not idle while a question is open");
        traffic.leave(place, after(70));
        assert!(!traffic.is_spent(after(79)) && traffic.is_spent(after(80)));
        traffic.enter(&packet(), Room::Any, after(75)).unwrap();
        assert!(!traffic.is_spent(after(99)) && traffic.is_spent(after(100)));
    }

    #[test]
    fn without_any_age_a_connection_is_used_once() {
        let (traffic, now) = traffic(Transport::Udp, Limits { age_max: Duration::ZERO, ..LIMITS });
        assert_eq!(refused(&traffic, Room::Any, now), None);
        assert_eq!(refused(&traffic, Room::Any, now), Some(Refused::Worn));
    }

    #[test]
    fn without_any_idle_time_a_connection_is_used_once() {
        let (traffic, now) = traffic(Transport::Udp, Limits { idle_max: Duration::ZERO, ..LIMITS });
        let place = traffic.enter(&packet(), Room::Ample, now).unwrap().place;
        traffic.leave(place, now);
        assert_eq!(refused(&traffic, Room::Any, now), Some(Refused::Worn));
    }

    #[test]
    fn a_connection_that_does_not_come_about_is_passed_by() {
        let traffic = Traffic::new(Transport::Tcp, LIMITS, Arc::default());
        let late = traffic.since + LIMITS.dial_patience;
        assert_eq!(refused(&traffic, Room::Ample, traffic.since), None);
        assert_eq!(refused(&traffic, Room::Ample, late), Some(Refused::Full));
        assert_eq!(refused(&traffic, Room::Any, late), None);
    }

    #[test]
    fn strays_do_not_answer_but_wear_out() {
        let (traffic, now) = traffic(Transport::Udp, LIMITS);
        let mut entered = traffic.enter(&packet(), Room::Any, now).unwrap();
        let mut wrong = packet().datagram(entered.place.id);
        wrong[2] |= 0x80;
        wrong[14] ^= 1;
        for stray in 0..STRAYS_MAX {
            assert!(!traffic.is_spent(now), "after {stray}");
            traffic.arrived(&wrong);
        }
        assert!(traffic.is_spent(now) && entered.outcome.try_recv().is_err());
        wrong[14] ^= 1;
        traffic.arrived(&wrong);
        assert!(entered.outcome.try_recv().unwrap().is_ok());
    }

    #[test]
    fn on_a_stream_another_question_is_the_servers_mistake() {
        let (traffic, now) = traffic(Transport::Tcp, LIMITS);
        let mut entered = traffic.enter(&packet(), Room::Any, now).unwrap();
        let mut wrong = packet().datagram(entered.place.id);
        wrong[2] |= 0x80;
        wrong[14] ^= 1;
        traffic.arrived(&wrong);
        assert_eq!(entered.outcome.try_recv().unwrap().unwrap_err(), Cause::AnotherQuestion);
    }
}
