//! Asking over TCP: connections that stay open, several queries on each (RFC 7766 §6.2.1.1).

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::pending::Pending;
use super::report::Tally;
use super::{Clock, Engine, Load, order};
use crate::queries::{Order, Queries};

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Room for what came in: the largest message with its length, and as much again.
const INPUT_SIZE: usize = 2 * (2 + u16::MAX as usize);

pub(super) struct Tcp<'a> {
    queries: &'a Queries,
    order: Order,
    clock: Clock,
    server: SocketAddr,
    batch: usize,
    lanes: Vec<Lane>,
}

struct Lane {
    stream: TcpStream,
    pending: Pending,
    /// Queries on their way into the socket, and how much of that it has taken.
    output: Vec<u8>,
    written: usize,
    /// What came in and is not read yet: the first `filled` octets.
    input: Box<[u8]>,
    filled: usize,
}

impl<'a> Tcp<'a> {
    pub(super) fn new(load: &Load, queries: &'a Queries, clock: Clock) -> io::Result<Self> {
        let lanes = (0..load.connections).map(|i| Lane::new(i, load.server));
        Ok(Self {
            queries,
            order: order(load),
            clock,
            server: load.server,
            batch: load.batch,
            lanes: lanes.collect::<io::Result<_>>()?,
        })
    }

    /// Opens a connection in place of one that ended. Queries on it will be lost, in their time.
    fn reconnect(&mut self, lane: usize, tally: &mut Tally) -> io::Result<()> {
        let lane = &mut self.lanes[lane];
        tally.reconnects += 1;
        lane.stream = connect(self.server)?;
        lane.output.clear();
        (lane.written, lane.filled) = (0, 0);
        Ok(())
    }
}

fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&server, CONNECT_TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

impl Lane {
    fn new(index: usize, server: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            stream: connect(server)?,
            pending: Pending::new(index),
            output: Vec::new(),
            written: 0,
            input: vec![0; INPUT_SIZE].into_boxed_slice(),
            filled: 0,
        })
    }

    /// Writes as much as the socket takes.
    fn flush(&mut self) -> io::Result<()> {
        if self.written == self.output.len() {
            return Ok(());
        }
        match self.stream.write(&self.output[self.written..]) {
            Ok(octets) => self.written += octets,
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Takes the whole messages out of the input, counts them, and says how many.
    fn settle(&mut self, now: u64, queries: &Queries, tally: &mut Tally) -> usize {
        let mut rest = &self.input[..self.filled];
        let mut messages = 0;
        while let Some((length, behind)) = rest.split_first_chunk() {
            let length = usize::from(u16::from_be_bytes(*length));
            let Some((answer, behind)) = behind.split_at_checked(length) else { break };
            self.pending.settle(answer, now, queries, tally);
            messages += 1;
            rest = behind;
        }
        let unread = self.filled - rest.len()..self.filled;
        self.filled = unread.len();
        self.input.copy_within(unread, 0);
        messages
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

impl Engine for Tcp<'_> {
    fn lanes(&self) -> usize {
        self.lanes.len()
    }

    fn pending(&mut self, lane: usize) -> &mut Pending {
        &mut self.lanes[lane].pending
    }

    fn send(&mut self, lane: usize, count: usize, due: impl Fn(usize) -> u64) -> io::Result<usize> {
        let lane = &mut self.lanes[lane];
        let mut sent = 0;
        if lane.written == lane.output.len() {
            lane.output.clear();
            lane.written = 0;
            let now = self.clock.now();
            while sent < count.min(self.batch) {
                let query = self.order.next(self.queries.len());
                let Some(id) = lane.pending.add(query, due(sent), now) else { break };
                let octets = self.queries.octets(query);
                lane.output.extend((octets.len() as u16).to_be_bytes());
                lane.output.extend(id.to_be_bytes());
                lane.output.extend(&octets[2..]);
                sent += 1;
            }
        }
        // A connection that broke is noticed, and opened again, where answers are received.
        let _ = lane.flush();
        Ok(sent)
    }

    fn receive(&mut self, lane: usize, tally: &mut Tally) -> io::Result<usize> {
        let this = &mut self.lanes[lane];
        let _ = this.flush();
        match this.stream.read(&mut this.input[this.filled..]) {
            Ok(octets) if octets > 0 => this.filled += octets,
            Err(error) if is_passing(&error) => return Ok(0),
            Ok(_) | Err(_) => {
                self.reconnect(lane, tally)?;
                return Ok(0);
            }
        }
        Ok(this.settle(self.clock.now(), self.queries, tally))
    }
}
