//! Asking over UDP: connected sockets, datagrams in batches.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;

use listen::mmsg::{Incoming, Outgoing, Wait};
use socket2::SockRef;

use super::pending::Pending;
use super::report::Tally;
use super::{Clock, Engine, Load, order};
use crate::queries::{Order, QUERY_MAX, Queries};

/// Answers longer than this are bad: no query here offers to take more.
const ANSWER_MAX: usize = 4096;

/// Room for answers that wait to be received, in octets, so that the generator itself loses none.
const RECEIVE_BUFFER: usize = 4 << 20;

pub(super) struct Udp<'a> {
    queries: &'a Queries,
    order: Order,
    clock: Clock,
    batch: usize,
    lanes: Vec<Lane>,
    outgoing: Outgoing,
    incoming: Incoming,
}

struct Lane {
    socket: UdpSocket,
    pending: Pending,
}

impl<'a> Udp<'a> {
    pub(super) fn new(load: &Load, queries: &'a Queries, clock: Clock) -> io::Result<Self> {
        let lanes = (0..load.connections).map(|i| Lane::new(i, load.server));
        Ok(Self {
            queries,
            order: order(load),
            clock,
            batch: load.batch,
            lanes: lanes.collect::<io::Result<_>>()?,
            outgoing: Outgoing::new(load.batch, QUERY_MAX),
            incoming: Incoming::connected(load.batch, ANSWER_MAX),
        })
    }
}

impl Lane {
    fn new(index: usize, server: SocketAddr) -> io::Result<Self> {
        let socket = match server {
            SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?,
            SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::LOCALHOST, 0))?,
        };
        socket.connect(server)?;
        SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER)?;
        Ok(Self { socket, pending: Pending::new(index) })
    }
}

impl Engine for Udp<'_> {
    fn lanes(&self) -> usize {
        self.lanes.len()
    }

    fn pending(&mut self, lane: usize) -> &mut Pending {
        &mut self.lanes[lane].pending
    }

    fn send(&mut self, lane: usize, count: usize, due: impl Fn(usize) -> u64) -> io::Result<usize> {
        let lane = &mut self.lanes[lane];
        let mut sent = 0;
        let now = self.clock.now();
        while sent < count.min(self.batch) {
            let query = self.order.next(self.queries.len());
            let Some(id) = lane.pending.add(query, due(sent), now) else { break };
            let octets = self.queries.octets(query);
            let buffer = &mut self.outgoing.buffer()[..octets.len()];
            buffer.copy_from_slice(octets);
            buffer[..2].copy_from_slice(&id.to_be_bytes());
            self.outgoing.push(octets.len());
            sent += 1;
        }
        // A query that the kernel refuses, because the server's port is closed, ends as a lost one.
        let _ = self.outgoing.send(lane.socket.as_fd());
        Ok(sent)
    }

    fn receive(&mut self, lane: usize, tally: &mut Tally) -> io::Result<usize> {
        let lane = &mut self.lanes[lane];
        let looked = self.clock.now();
        let received = match self.incoming.receive(lane.socket.as_fd(), Wait::Never) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => 0,
            received => received?,
        };
        let now = self.clock.now();
        for i in 0..received {
            let answer = self.incoming.received(i);
            lane.pending.settle(answer, now, self.queries, tally);
            tally.cut += u64::from(self.incoming.truncated(i));
        }
        if received < self.batch {
            lane.pending.drained(looked);
        }
        Ok(received)
    }
}
