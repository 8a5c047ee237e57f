//! Datagrams: receive a batch, answer it in place, send it.

use crate::mmsg::{Batch, Wait, send_one};
use crate::service::Service;
use chain::{Client, Ended, Exchange, Moment, Router, Ticket, Transport};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wire::{Encoder, Reject};

/// Datagrams that one system call takes; more gain nothing.
const BATCH: usize = 32;
/// The longest query that is read; a longer one is cut and answered FORMERR.
const RECEIVE_SIZE: usize = 2048;

/// One thread and its socket.
pub(crate) struct Worker {
    pub(crate) socket: Arc<UdpSocket>,
    pub(crate) address: SocketAddr,
    pub(crate) service: Arc<Service>,
    /// Whose values the metrics are, see [`Exchange::worker`].
    pub(crate) number: u16,
    pub(crate) stopping: Arc<AtomicBool>,
}

impl Worker {
    /// Answers until told to stop, then what is already there.
    ///
    /// No error of receiving ends it: a socket reports what happened to earlier answers too.
    pub(crate) fn run(self) {
        let mut desk = Desk {
            x: self.service.lane.spare(),
            encoder: Encoder::new(),
            service_time: Duration::ZERO,
        };
        let mut batch = Batch::new(BATCH, RECEIVE_SIZE, Exchange::UDP_MAX);
        loop {
            let stopping = self.stopping.load(Ordering::Acquire);
            let wait = if stopping { Wait::Never } else { Wait::ForOne };
            match batch.receive(self.socket.as_fd(), wait) {
                Ok(0) if stopping => return,
                Ok(received) => self.answer_batch(&mut batch, received, &mut desk),
                Err(_) => {
                    self.service.stats.receive_errors.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    fn answer_batch(&self, batch: &mut Batch, received: usize, desk: &mut Desk) {
        let now = self.service.clock.now();
        let router = self.service.router.load();
        let mut waited = 0;
        for i in 0..received {
            let peer = batch.peer(i);
            let client = self.client(peer, batch.local(i));
            let (query, answer) = batch.received_and_answer(i);
            let length = match desk.answer(self, &router, query, client, now, answer) {
                Answer::Written(length) => length,
                Answer::Waits(ticket) => {
                    waited += 1;
                    self.park(desk, &router, ticket, peer, batch.local(i));
                    0
                }
            };
            batch.push_answer(length);
        }
        let sent = batch.send(self.socket.as_fd());
        if sent.dropped > 0 {
            self.service.stats.unsent.fetch_add(sent.dropped as u64, Ordering::Relaxed);
        }
        if let Some(answered) = u32::try_from(received - waited).ok().filter(|count| *count > 0) {
            desk.service_time = self.service.clock.now().since(now) / answered;
        }
    }

    fn client(&self, peer: SocketAddr, local: Option<IpAddr>) -> Client {
        let local = local.unwrap_or(self.address.ip());
        Client {
            peer: canonical(peer),
            local: SocketAddr::new(local.to_canonical(), self.address.port()),
            transport: Transport::Udp,
        }
    }

    /// Moves the exchange to the slow lane; the answer leaves by the socket that was asked.
    fn park(
        &self,
        desk: &mut Desk,
        router: &Arc<Router>,
        ticket: Ticket,
        peer: SocketAddr,
        local: Option<IpAddr>,
    ) {
        let lane = &self.service.lane;
        let parked = std::mem::replace(&mut desk.x, lane.spare());
        let (socket, stats) = (self.socket.clone(), self.service.stats.clone());
        lane.park(router.clone(), parked, ticket, move |x| {
            let mut out = [0; Exchange::UDP_MAX];
            let length = stats.encode(x, &mut Encoder::new(), &mut out);
            if send_one(socket.as_fd(), &out[..length], peer, local).is_err() {
                stats.unsent.fetch_add(1, Ordering::Relaxed);
            }
            length
        });
    }
}

/// What a worker has on its desk: everything that answering uses again and again.
struct Desk {
    x: Box<Exchange>,
    encoder: Encoder,
    /// What one query of the last batch took.
    service_time: Duration,
}

enum Answer {
    /// So many octets; 0 for silence.
    Written(usize),
    Waits(Ticket),
}

impl Desk {
    fn answer(
        &mut self,
        worker: &Worker,
        router: &Arc<Router>,
        query: &[u8],
        client: Client,
        now: Moment,
        out: &mut [u8],
    ) -> Answer {
        let x = &mut *self.x;
        (x.worker, x.service_time) = (worker.number, self.service_time);
        if let Err(reject) = x.begin(query, client, now) {
            return Answer::Written(reject_into(
                x,
                reject,
                &mut self.encoder,
                &worker.service,
                out,
            ));
        }
        let length = match router.answer(x) {
            Ended::Waiting(ticket) => return Answer::Waits(ticket),
            Ended::Dropped => 0,
            Ended::Reply => worker.service.stats.encode(x, &mut self.encoder, out),
        };
        router.replied(x, length);
        worker.service.lane.refresh_after(router, x);
        Answer::Written(length)
    }
}

/// Writes the answer to a message that is no proper query.
pub(crate) fn reject_into(
    x: &Exchange,
    reject: Reject,
    encoder: &mut Encoder,
    service: &Service,
    out: &mut [u8],
) -> usize {
    let (rcode, with_question) = match reject {
        Reject::Silence => {
            service.stats.ignored.fetch_add(1, Ordering::Relaxed);
            return 0;
        }
        Reject::Code(rcode) => (rcode, false),
        Reject::CodeWithQuestion(rcode) => (rcode, true),
    };
    service.stats.rejected.fetch_add(1, Ordering::Relaxed);
    encoder.rejection(&x.request, rcode, with_question, out)
}

/// An IPv4 address as such, also where it came in by an IPv6 socket.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}
