//! The connections to one server over one transport.

use crate::connection::{Connection, Live, Pending};
use crate::packet::Packet;
use crate::stats::Counters;
use crate::task::lock;
use crate::traffic::{Refused, Room};
use crate::{Cause, Transport};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::time::Instant;

/// Makes connections.
pub(crate) trait Dial {
    /// What it connects over.
    const OVER: Transport;
    /// The most connections at the same time, those included that take no more questions.
    const CONNECTIONS_MAX: usize;
    /// The most questions open on one of them.
    const OPEN_MAX: usize;

    /// Begins to connect; the connection may take questions at once.
    fn dial(&self, live: Live) -> Result<Connection, Cause>;
}

/// Connections that are kept for the next question.
///
/// The newest connections are looked at first: under load they are the ones with room, and when the
/// load goes down the old ones fall idle and expire.
#[derive(Debug)]
pub(crate) struct Pool<D> {
    dial: D,
    connections: Mutex<Vec<Arc<Connection>>>,
    live: Arc<AtomicUsize>,
    idle_max: Option<NonZeroU32>,
    counters: Arc<Counters>,
}

impl<D: Dial> Pool<D> {
    pub(crate) fn new(dial: D, idle_max: Option<NonZeroU32>, counters: Arc<Counters>) -> Self {
        let live = Arc::default();
        Self { dial, connections: Mutex::default(), live, idle_max, counters }
    }

    /// Opens a question: on a connection with ample room, else on a new one, else on any with room.
    pub(crate) fn enter(&self, packet: &Arc<Packet>) -> Result<Pending, Cause> {
        let now = Instant::now();
        let mut connections = lock(&self.connections);
        if let Some(pending) = enter_one_of(&mut connections, packet, Room::Ample, now) {
            self.counters.count_reused(D::OVER);
            return Ok(pending);
        }
        if self.live() >= D::CONNECTIONS_MAX {
            return enter_one_of(&mut connections, packet, Room::Any, now).ok_or(self.busy());
        }
        self.counters.count_opened(D::OVER);
        let connection = self.dial()?;
        connections.push(connection.clone());
        connection.enter(packet, Room::Any, now).map_err(|_| self.busy())
    }

    /// Opens a question on a connection of its own.
    ///
    /// As many of these may live as shared ones, so that one kind never locks out the other. They
    /// are not counted: the counters tell how well the shared ones serve.
    pub(crate) fn enter_alone(&self, packet: &Arc<Packet>) -> Result<Pending, Cause> {
        if self.live() >= 2 * D::CONNECTIONS_MAX {
            return Err(self.busy());
        }
        self.dial()?.enter(packet, Room::Any, Instant::now()).map_err(|_| self.busy())
    }

    fn dial(&self) -> Result<Arc<Connection>, Cause> {
        self.dial.dial(Live::count(&self.live)).map(Arc::new)
    }

    /// Lets go of connections that take no more questions, and of idle ones above the setting.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        let mut idle_left = self.idle_max.map_or(u32::MAX, NonZeroU32::get);
        lock(&self.connections).retain(|connection| {
            if connection.traffic.is_spent(now) {
                return false;
            }
            if !connection.traffic.is_idle() {
                return true;
            }
            let keep = idle_left > 0;
            idle_left = idle_left.saturating_sub(1);
            keep
        });
    }

    /// To be called when a question has ended: sweeps, if the operator limits idle connections.
    pub(crate) fn settle(&self) {
        if self.idle_max.is_some() {
            self.sweep();
        }
    }

    /// How many connections live, kept or not.
    pub(crate) fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    fn busy(&self) -> Cause {
        Cause::Busy { limit: D::CONNECTIONS_MAX * D::OPEN_MAX }
    }
}

/// Opens the question on the newest connection with `room`, and forgets those that are worn out.
fn enter_one_of(
    connections: &mut Vec<Arc<Connection>>,
    packet: &Arc<Packet>,
    room: Room,
    now: Instant,
) -> Option<Pending> {
    for index in (0..connections.len()).rev() {
        match connections[index].enter(packet, room, now) {
            Ok(pending) => return Some(pending),
            // Puts the last one there, which has been looked at already.
            Err(Refused::Worn) => drop(connections.swap_remove(index)),
            Err(Refused::Full) => {}
        }
    }
    None
}
