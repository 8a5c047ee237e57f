//! A way to one server that many questions share, and a question's stay on it.
//!
//! A UDP socket counts as a connection here: it is connected to its server, so that the kernel
//! passes on nobody else's datagrams, and reports at once when the server's port is closed.

use crate::packet::Packet;
use crate::slots::Place;
use crate::task::Task;
use crate::traffic::{Entered, Outcome, Refused, Room, Traffic};
use crate::{Cause, Link, Operation, Transport};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

/// A connection. It ends when the last question on it has ended and its pool has let go of it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) remote: SocketAddr,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) outlet: Outlet,
    /// Reads answers, until this connection is dropped.
    #[expect(dead_code, reason = "the task ends when this is dropped")]
    pub(crate) reader: Task,
    #[expect(dead_code, reason = "counts until it is dropped")]
    pub(crate) live: Live,
}

/// Where questions go out.
#[derive(Debug)]
pub(crate) enum Outlet {
    /// The socket itself.
    Datagram(Arc<UdpSocket>),
    /// The queue of the task that owns the stream: a question whose asker goes away in the middle
    /// must not leave half a message on it.
    Stream(mpsc::Sender<Vec<u8>>),
}

/// Counts a connection for as long as it lives.
#[derive(Debug)]
pub(crate) struct Live(Arc<AtomicUsize>);

impl Live {
    pub(crate) fn count(counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter.clone())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection {
    fn over(&self) -> Transport {
        match self.outlet {
            Outlet::Datagram(_) => Transport::Udp,
            Outlet::Stream(_) => Transport::Tcp,
        }
    }

    fn link(&self) -> Link {
        let local = self.traffic.connected.get().copied();
        Link { over: self.over(), local, remote: self.remote }
    }

    /// Opens a question on this connection, if there is room.
    pub(crate) fn enter(
        self: &Arc<Self>,
        packet: &Arc<Packet>,
        room: Room,
        now: Instant,
    ) -> Result<Pending, Refused> {
        let Entered { place, outcome, reused } = self.traffic.enter(packet, room, now)?;
        let (connection, packet) = (self.clone(), packet.clone());
        Ok(Pending { connection, packet, place, outcome, reused })
    }

    async fn send(&self, packet: &Packet, id: u16, patience: Duration) -> Result<(), Cause> {
        match &self.outlet {
            Outlet::Datagram(socket) => {
                let datagram = packet.datagram(id);
                let sent = match socket.try_send(&datagram) {
                    // Only a new socket, or one whose buffer is full, costs a timer and a box.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        timeout(patience, Box::pin(socket.send(&datagram))).await
                    }
                    sent => Ok(sent),
                };
                match sent {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => Err(Cause::network(Operation::Write, &error)),
                    Err(_) => Err(Cause::timed_out(Operation::Write, patience)),
                }
            }
            Outlet::Stream(queue) => match queue.try_send(packet.framed(id)) {
                Err(TrySendError::Full(_)) => Err(Cause::Busy { limit: queue.max_capacity() }),
                // The stream has ended: the question is about to be told how.
                Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
            },
        }
    }
}

/// A question that is open on a connection. Dropping it closes the question.
#[derive(Debug)]
pub(crate) struct Pending {
    connection: Arc<Connection>,
    packet: Arc<Packet>,
    place: Place,
    outcome: oneshot::Receiver<Outcome>,
    /// Whether the connection had carried questions before.
    pub(crate) reused: bool,
}

impl Pending {
    /// The way on which it is asked.
    pub(crate) fn link(&self) -> Link {
        self.connection.link()
    }

    /// Sends the question and waits for the answer: up to `patience` for the connection, and the
    /// same again for the answer.
    pub(crate) async fn answer(&mut self, patience: Duration) -> Outcome {
        let sent = self.connection.send(&self.packet, self.place.id, patience).await;
        let answer = match sent {
            Ok(()) => self.wait(patience).await,
            Err(cause) => Err(cause),
        };
        match &answer {
            // A closed port is reported to whoever sends next, and concerns all.
            Err(cause) if cause.is_refusal() => self.connection.traffic.end(cause),
            Err(cause) if cause.wears_out() => self.connection.traffic.retire(),
            _ => {}
        }
        answer
    }

    async fn wait(&mut self, patience: Duration) -> Outcome {
        // Questions over UDP, which need not wait for this, do not carry room for it around.
        if !self.connection.traffic.connected.initialized()
            && let Some(end) = Box::pin(self.end_before_connected(patience)).await
        {
            return end;
        }
        match timeout(patience, &mut self.outcome).await {
            // The task that reads has gone without a word only if its runtime has.
            Ok(outcome) => outcome.unwrap_or(Err(Cause::Eof)),
            Err(_) => Err(Cause::timed_out(Operation::Read, patience)),
        }
    }

    /// Waits for the connection; how the question has ended, if it has.
    async fn end_before_connected(&mut self, patience: Duration) -> Option<Outcome> {
        tokio::select! {
            biased;
            outcome = &mut self.outcome => Some(outcome.unwrap_or(Err(Cause::Eof))),
            _ = self.connection.traffic.connected.wait() => None,
            () = sleep(patience) => Some(Err(Cause::timed_out(Operation::Connect, patience))),
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.connection.traffic.leave(self.place, Instant::now());
    }
}

impl Cause {
    /// Whether a connection on which this happened shall take no more questions.
    ///
    /// In a cluster the server is often a Service address: the kernel has tied the connection's
    /// port to one pod, which may be gone, and only a new port finds another one. A connection
    /// that is still being made is not given up: whoever comes next profits from it.
    fn wears_out(&self) -> bool {
        match self {
            Self::TimedOut { operation, .. } => *operation != Operation::Connect,
            Self::Eof | Self::Network { .. } => true,
            Self::Malformed(_) | Self::AnotherQuestion | Self::Busy { .. } => false,
        }
    }
}
