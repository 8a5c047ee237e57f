//! Streams: read all that is there, answer all, write once.
//!
//! A reply of several messages ([`Outflow`]) is made message by message, in turn with everything else
//! that the connection has to do. A message is made when those before it are written, so that a slow
//! client makes its own transfer wait, and nothing grows.

use crate::outflow::Outflow;
use crate::service::{Service, Stats};
use crate::udp::{canonical, reject_into};
use chain::{Client, Ended, Exchange, Moment, Piece, Router, Transport};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};
use wire::{Encoder, MESSAGE_MAX, Reject};

/// Limits of TCP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpSettings {
    /// The most connections of a listener; more are closed at once.
    pub connections_max: u64,
    /// How long a new connection may take until all of its first query is there.
    pub first_read: Duration,
    /// How long it may take from one query to the next; pieces of one do not count.
    pub idle: Duration,
    /// How long a client may take to read its answers.
    pub write: Duration,
    /// The most queries of one connection that wait; then reading pauses.
    pub waiting_max: usize,
    /// As `idle`, while stopping.
    pub stopping_idle: Duration,
}

impl Default for TcpSettings {
    /// CoreDNS's times.
    fn default() -> Self {
        Self {
            connections_max: 8192,
            first_read: Duration::from_secs(3),
            idle: Duration::from_secs(10),
            write: Duration::from_secs(5),
            waiting_max: 128,
            stopping_idle: Duration::from_millis(500),
        }
    }
}

/// Accepts until told to stop, then what the kernel has already completed.
pub(crate) async fn accept(
    listener: TcpListener,
    service: Arc<Service>,
    settings: TcpSettings,
    stopping: watch::Receiver<bool>,
) {
    let mut stop = stopping.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => break,
        };
        match accepted {
            Ok((stream, _)) => open(stream, &service, settings, &stopping),
            // Out of descriptors, most likely: others must end first.
            Err(_) => {
                service.stats.accept_errors.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(20)).await;
            }
        }
    }
    if let Ok(listener) = listener.into_std() {
        while let Ok((stream, _)) = listener.accept() {
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            if let Ok(stream) = stream {
                open(stream, &service, settings, &stopping);
            }
        }
    }
}

fn open(
    stream: TcpStream,
    service: &Arc<Service>,
    settings: TcpSettings,
    stopping: &watch::Receiver<bool>,
) {
    let stats = &service.stats;
    if stats.connections.load(Ordering::Relaxed) >= settings.connections_max {
        stats.refused_connections.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let (Ok(peer), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else { return };
    let _ = stream.set_nodelay(true); // answers are whole when written
    stats.connections.fetch_add(1, Ordering::Relaxed);
    let client =
        Client { peer: canonical(peer), local: canonical(local), transport: Transport::Tcp };
    let (replies, waiting) = mpsc::channel(settings.waiting_max);
    let connection = Connection {
        service: service.clone(),
        settings,
        client,
        replies,
        input: Vec::new(),
        output: Vec::new(),
        outflows: VecDeque::new(),
        parked: 0,
        service_time: Duration::ZERO,
    };
    let stopping = stopping.clone();
    let open = Open { service: service.clone() };
    service.lane.runtime().spawn(async move {
        // Every way for a connection to end is the client's business, and no news.
        let _ = connection.serve(stream, waiting, stopping).await;
        drop(open);
    });
}

/// A connection, counted for as long as this lives: also if its task panics.
struct Open {
    service: Arc<Service>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.service.stats.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Connection {
    service: Arc<Service>,
    settings: TcpSettings,
    client: Client,
    /// Where answers that waited come in.
    replies: mpsc::Sender<Ready>,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Replies of several messages that are not through yet.
    outflows: VecDeque<Box<Outflow>>,
    /// How many queries wait.
    parked: usize,
    /// What one query of the last read took.
    service_time: Duration,
}

/// An answer that has waited, and what follows it; without octets if there is to be none.
#[derive(Default)]
struct Ready {
    octets: Vec<u8>,
    rest: Option<Box<Outflow>>,
}

/// Octets that are read at once, and that a silent connection keeps for reading and for writing.
const READ_SIZE: usize = 16 << 10;
/// Answers are written when they are this many octets, even if more queries are there.
const WRITE_SIZE: usize = 64 << 10;
/// Octets of the length in front of each message.
const LENGTH_SIZE: usize = 2;

impl Connection {
    async fn serve(
        mut self,
        mut stream: TcpStream,
        mut waiting: mpsc::Receiver<Ready>,
        mut stopping: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let mut patience = pin!(sleep(self.settings.first_read));
        let mut idle = self.settings.idle;
        loop {
            let may_read = self.parked < self.settings.waiting_max;
            // Whether there is a reason to wait anew for the next query.
            let mut is_busy = true;
            self.input.reserve(READ_SIZE);
            tokio::select! {
                read = stream.read_buf(&mut self.input), if may_read => match read? {
                    0 => break,
                    _ => is_busy = false,
                },
                Some(answer) = waiting.recv() => self.queue(answer),
                // A message takes long to make, so every other connection has its turn first.
                () = tokio::task::yield_now(), if !self.outflows.is_empty() => self.go_on()?,
                Ok(()) = stopping.changed() => idle = self.settings.stopping_idle,
                () = &mut patience => if self.parked == 0 { break },
            }
            while let Ok(answer) = waiting.try_recv() {
                self.queue(answer);
            }
            is_busy |= self.answer_all(&mut stream).await?;
            if is_busy {
                patience.as_mut().reset(Instant::now() + idle);
            }
        }
        self.finish(&mut stream, waiting).await
    }

    /// Sends what still waits: the client has closed its side, but may read on.
    async fn finish(
        mut self,
        stream: &mut TcpStream,
        mut waiting: mpsc::Receiver<Ready>,
    ) -> io::Result<()> {
        loop {
            while let Ok(answer) = waiting.try_recv() {
                self.queue(answer);
            }
            if !self.outflows.is_empty() {
                tokio::task::yield_now().await;
                self.go_on()?;
            } else if self.parked > 0
                && let Some(answer) = waiting.recv().await
            {
                self.queue(answer);
            } else if self.output.is_empty() {
                return stream.shutdown().await;
            }
            self.write(stream).await?;
        }
    }

    /// Answers every whole query of the input; whether there was one.
    async fn answer_all(&mut self, stream: &mut TcpStream) -> io::Result<bool> {
        let (router, now) = (self.service.router.load_full(), self.service.clock.now());
        let (mut at, mut answered) = (0, 0);
        while self.parked < self.settings.waiting_max
            && let Some((length, rest)) = self.input[at..].split_first_chunk::<2>()
            && let Some(query) = rest.get(..usize::from(u16::from_be_bytes(*length)))
        {
            let begin = at + 2;
            at = begin + query.len();
            self.answer(&router, begin..at, now);
            answered += 1;
            if self.output.len() >= WRITE_SIZE {
                self.write(stream).await?;
            }
        }
        if answered > 0 {
            self.service_time = self.service.clock.now().since(now) / answered;
        }
        self.input.drain(..at);
        self.input.shrink_to(READ_SIZE);
        if !self.output.is_empty() {
            self.write(stream).await?;
        }
        Ok(answered > 0)
    }

    /// Answers the query that lies there in the input, or parks it.
    fn answer(&mut self, router: &Arc<Router>, query: Range<usize>, now: Moment) {
        let lane = self.service.lane.clone();
        let mut x = lane.spare();
        (x.worker, x.service_time) = (0, self.service_time);
        let ended = match x.begin(&self.input[query], self.client, now) {
            Ok(()) => router.answer(&mut x),
            Err(reject) => {
                DESK.with_borrow_mut(|desk| {
                    self.output.extend_from_slice(desk.rejection(&x, reject, &self.service));
                });
                return lane.give_back(x);
            }
        };
        match ended {
            Ended::Waiting(ticket) => {
                self.parked += 1;
                if self.parked == self.settings.waiting_max {
                    self.service.stats.paused_connections.fetch_add(1, Ordering::Relaxed);
                }
                let answer =
                    Answer { to: Some(self.replies.clone()), stats: self.service.stats.clone() };
                return lane.park(router.clone(), x, ticket, move |x| answer.send(x));
            }
            Ended::Dropped => router.replied(&x, 0),
            Ended::Reply => {
                let (octets, rest) = DESK.with_borrow_mut(|desk| {
                    desk.answer(&mut x, &self.service.stats, &mut self.output)
                });
                self.outflows.extend(rest);
                router.replied(&x, octets);
            }
        }
        lane.refresh_after(router, &mut x);
        lane.give_back(x);
    }

    fn queue(&mut self, answer: Ready) {
        self.parked -= 1;
        self.output.extend_from_slice(&answer.octets);
        self.outflows.extend(answer.rest);
    }

    /// Makes one more message of the reply whose turn it is.
    ///
    /// What cannot be sent to its end is cut with the connection, so that the client does not take it
    /// for all.
    fn go_on(&mut self) -> io::Result<()> {
        let Some(mut outflow) = self.outflows.pop_front() else { return Ok(()) };
        if outflow.piece() == Piece::More {
            DESK.with_borrow_mut(|desk| desk.next(&mut outflow, &mut self.output));
        }
        match outflow.piece() {
            Piece::More => self.outflows.push_back(outflow),
            Piece::Last => {}
            Piece::Broken => return Err(io::ErrorKind::ConnectionAborted.into()),
        }
        Ok(())
    }

    async fn write(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        timeout(self.settings.write, stream.write_all(&self.output)).await??;
        self.output.clear();
        self.output.shrink_to(READ_SIZE);
        Ok(())
    }
}

/// The answer that a connection waits for; an empty one if there is to be none.
struct Answer {
    to: Option<mpsc::Sender<Ready>>,
    stats: Arc<Stats>,
}

impl Answer {
    /// Sends the answer on; its octets.
    fn send(mut self, x: &mut Exchange) -> usize {
        let mut ready = Ready::default();
        let (length, rest) =
            DESK.with_borrow_mut(|desk| desk.answer(x, &self.stats, &mut ready.octets));
        ready.rest = rest;
        if let Some(to) = self.to.take() {
            // There is room for each query that waits; without a reader the client is gone.
            let _ = to.try_send(ready);
        }
        length
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(to) = self.to.take() {
            let _ = to.try_send(Ready::default());
        }
    }
}

thread_local! {
    /// Room for one answer, with its length in front, for all connections of a thread.
    static DESK: RefCell<Desk> = RefCell::new(Desk {
        encoder: Encoder::new(),
        out: vec![0; LENGTH_SIZE + MESSAGE_MAX].into(),
    });
}

struct Desk {
    encoder: Encoder,
    out: Box<[u8]>,
}

impl Desk {
    /// Appends the reply to `x` to `out`, or the first message of it; its octets, and what follows.
    fn answer(
        &mut self,
        x: &mut Exchange,
        stats: &Stats,
        out: &mut Vec<u8>,
    ) -> (usize, Option<Box<Outflow>>) {
        let Some(mut outflow) = Outflow::of(x) else {
            let reply = self.reply(x, stats);
            out.extend_from_slice(reply);
            return (reply.len() - LENGTH_SIZE, None);
        };
        let length = self.next(&mut outflow, out);
        // A broken one stays, to end the connection.
        (length, Some(outflow).filter(|outflow| outflow.piece() != Piece::Last))
    }

    /// Appends the next message to `out`, if there is one; its octets.
    fn next(&mut self, outflow: &mut Outflow, out: &mut Vec<u8>) -> usize {
        let Some(length) = outflow.next(&mut self.encoder, &mut self.out[LENGTH_SIZE..]) else {
            return 0;
        };
        out.extend_from_slice(self.framed(length));
        length
    }

    fn reply(&mut self, x: &Exchange, stats: &Stats) -> &[u8] {
        let length = stats.encode(x, &mut self.encoder, &mut self.out[LENGTH_SIZE..]);
        self.framed(length)
    }

    fn rejection(&mut self, x: &Exchange, reject: Reject, service: &Service) -> &[u8] {
        match reject_into(x, reject, &mut self.encoder, service, &mut self.out[LENGTH_SIZE..]) {
            0 => &[],
            length => self.framed(length),
        }
    }

    /// RFC 1035 §4.2.2: the message's length stands in front of it.
    fn framed(&mut self, length: usize) -> &[u8] {
        self.out[..LENGTH_SIZE].copy_from_slice(&(length as u16).to_be_bytes());
        &self.out[..LENGTH_SIZE + length]
    }
}
