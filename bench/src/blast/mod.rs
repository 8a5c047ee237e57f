//! The load generator: asks as fast as the server answers, or at a rate, and checks every answer.
//!
//! One thread that never sleeps, so that the server never pays to wake it. [`run`] is the whole
//! measurement; [`udp`] and [`tcp`] are the two ways of asking, [`pending`] what both remember of
//! the queries on their way, [`report`] what comes out.

pub(crate) mod command;
mod pending;
pub(crate) mod report;
mod tcp;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::meter::Processes;
use crate::queries::{Order, Queries};
use pending::Pending;
use report::{Marks, Report, Tally};

/// What to ask, and how.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) server: SocketAddr,
    pub(crate) transport: Transport,
    /// Sockets or connections.
    pub(crate) connections: usize,
    /// The most datagrams in one system call; over TCP the most queries in one write.
    pub(crate) batch: usize,
    pub(crate) pace: Pace,
    /// Asked before the measurement, and not counted.
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
    /// A query that has no answer after this time is lost.
    pub(crate) timeout: Duration,
    /// In turn, each at most once; without it at random, from this seed.
    pub(crate) once: bool,
    pub(crate) seed: u64,
    /// Whose CPU time to measure.
    pub(crate) processes: Processes,
}

/// As many queries as the server answers: the defaults of `bench blast`.
impl Default for Load {
    fn default() -> Self {
        Self {
            server: SocketAddr::from(([127, 0, 0, 1], 53)),
            transport: Transport::Udp,
            connections: 8,
            batch: 32,
            pace: Pace::Outstanding(128),
            warm_up: Duration::from_secs(1),
            measured: Duration::from_secs(5),
            timeout: Duration::from_secs(1),
            once: false,
            seed: 1,
            processes: Processes::default(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

/// When the next query is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// Closed loop: so that this many are on their way, over all connections.
    Outstanding(usize),
    /// Open loop: this many a second, however the server does. A query's latency counts from when
    /// it was due, so a generator or server that falls behind cannot hide it.
    PerSecond(f64),
}

/// A way of asking: sockets or connections, here called lanes, and what is on its way on each.
trait Engine {
    fn lanes(&self) -> usize;

    /// The queries that wait for an answer on `lane`.
    fn pending(&mut self, lane: usize) -> &mut Pending;

    /// Sends up to `count` queries on `lane` and says how many; `due(i)` is when the i-th was due.
    fn send(&mut self, lane: usize, count: usize, due: impl Fn(usize) -> u64) -> io::Result<usize>;

    /// Receives what is there on `lane`, counts it, and says how many messages it was.
    fn receive(&mut self, lane: usize, tally: &mut Tally) -> io::Result<usize>;
}

/// Nanoseconds since the run began.
#[derive(Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn now(self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

/// Asks as `load` says and measures.
pub(crate) fn run(load: &Load, queries: &Queries) -> io::Result<Report> {
    if !load.server.ip().is_loopback() {
        let text = format!("{} is no loopback address: only those may be loaded", load.server.ip());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    if queries.len() == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "there are no queries"));
    }
    let clock = Clock(Instant::now());
    match load.transport {
        Transport::Udp => {
            Run::new(load, clock, udp::Udp::new(load, queries, clock)?, queries).measure()
        }
        Transport::Tcp => {
            Run::new(load, clock, tcp::Tcp::new(load, queries, clock)?, queries).measure()
        }
    }
}

/// How often the queries on their way are searched for lost ones.
const EXPIRE_EVERY: Duration = Duration::from_millis(50);

struct Run<'a, E> {
    load: &'a Load,
    clock: Clock,
    engine: E,
    tally: Tally,
    sent: u64,
    /// Queries that may still be sent.
    left: usize,
    next_expiry: u64,
    /// Open loop: where the next turn over the lanes begins.
    next_lane: usize,
}

impl<'a, E: Engine> Run<'a, E> {
    fn new(load: &'a Load, clock: Clock, engine: E, queries: &Queries) -> Self {
        let left = if load.once { queries.len() } else { usize::MAX };
        let tally = Tally::new();
        Self { load, clock, engine, tally, sent: 0, left, next_expiry: 0, next_lane: 0 }
    }

    fn measure(mut self) -> io::Result<Report> {
        if !self.load.once {
            self.ask_for(self.load.warm_up)?;
            self.tally.clear();
            self.sent = 0;
        }
        let before = Marks::now(self.clock.now(), &self.load.processes);
        self.ask_for(self.load.measured)?;
        if self.load.once {
            self.wait_for_rest()?;
        }
        let after = Marks::now(self.clock.now(), &self.load.processes);
        let answers_in_time = self.tally.good;
        self.wait_for_rest()?;
        Ok(Report::new(self.tally, self.sent, answers_in_time, before..after))
    }

    /// Sends and receives for `duration`, or until there is nothing left to send.
    ///
    /// An open loop then still sends what was due in that time.
    fn ask_for(&mut self, duration: Duration) -> io::Result<()> {
        let start = self.clock.now();
        let end = start + duration.as_nanos() as u64;
        let mut schedule = match self.load.pace {
            Pace::Outstanding(_) => None,
            Pace::PerSecond(rate) => Some(Schedule { start, interval_ns: 1e9 / rate, sent: 0 }),
        };
        loop {
            let now = self.clock.now();
            self.expire(now);
            let sent = match &mut schedule {
                Some(schedule) => self.send_what_is_due(schedule, now.min(end))?,
                None if now < end => self.fill_lanes()?,
                None => 0,
            };
            if self.left == 0 || (now >= end && sent == 0) {
                return Ok(());
            }
            let received = self.receive()?;
            rest_if_idle(sent + received);
        }
    }

    /// Receives until every query has its answer or is lost.
    fn wait_for_rest(&mut self) -> io::Result<()> {
        while (0..self.engine.lanes()).any(|lane| self.engine.pending(lane).outstanding() > 0) {
            self.expire(self.clock.now());
            let received = self.receive()?;
            rest_if_idle(received);
        }
        Ok(())
    }

    /// Closed loop: tops up each lane.
    fn fill_lanes(&mut self) -> io::Result<usize> {
        let Pace::Outstanding(outstanding) = self.load.pace else { return Ok(0) };
        let window = (outstanding / self.engine.lanes()).max(1);
        let mut sent = 0;
        for lane in 0..self.engine.lanes() {
            let room =
                window.saturating_sub(self.engine.pending(lane).outstanding()).min(self.left);
            if room == 0 {
                continue;
            }
            let now = self.clock.now();
            sent += self.send(lane, room, |_| now)?;
        }
        Ok(sent)
    }

    /// Open loop: sends what is due, each time beginning with the lane behind the last one.
    fn send_what_is_due(&mut self, schedule: &mut Schedule, now: u64) -> io::Result<usize> {
        let mut behind = schedule.behind(now);
        let mut sent = 0;
        for _ in 0..self.engine.lanes() {
            if behind == 0 || self.left == 0 {
                break;
            }
            self.next_lane = (self.next_lane + 1) % self.engine.lanes();
            let now_sent = self.send(self.next_lane, behind, |i| schedule.due(i))?;
            schedule.sent += now_sent as u64;
            behind -= now_sent;
            sent += now_sent;
        }
        Ok(sent)
    }

    fn send(&mut self, lane: usize, count: usize, due: impl Fn(usize) -> u64) -> io::Result<usize> {
        let sent = self.engine.send(lane, count.min(self.left), due)?;
        self.sent += sent as u64;
        self.left -= sent;
        Ok(sent)
    }

    fn receive(&mut self) -> io::Result<usize> {
        let mut received = 0;
        for lane in 0..self.engine.lanes() {
            if self.engine.pending(lane).outstanding() > 0 {
                received += self.engine.receive(lane, &mut self.tally)?;
            }
        }
        Ok(received)
    }

    fn expire(&mut self, now: u64) {
        if now < self.next_expiry {
            return;
        }
        self.next_expiry = now + EXPIRE_EVERY.as_nanos() as u64;
        let oldest = now.saturating_sub(self.load.timeout.as_nanos() as u64);
        for lane in 0..self.engine.lanes() {
            self.tally.lost += self.engine.pending(lane).expire(oldest) as u64;
        }
    }
}

/// Leaves the server's cache lines alone for a moment when there was nothing to do.
fn rest_if_idle(done: usize) {
    if done == 0 {
        (0..32).for_each(|_| std::hint::spin_loop());
    }
}

/// When each query of an open loop is due.
struct Schedule {
    start: u64,
    interval_ns: f64,
    sent: u64,
}

impl Schedule {
    /// How many queries should have been sent by `now` and were not.
    fn behind(&self, now: u64) -> usize {
        let due = (now.saturating_sub(self.start) as f64 / self.interval_ns) as u64 + 1;
        due.saturating_sub(self.sent) as usize
    }

    /// When the `i`-th of the queries not yet sent is due.
    fn due(&self, i: usize) -> u64 {
        self.start + ((self.sent + i as u64) as f64 * self.interval_ns) as u64
    }
}

/// The order that `load` asks for.
fn order(load: &Load) -> Order {
    if load.once { Order::InTurn(0) } else { Order::Random(crate::queries::Random(load.seed)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_keeps_its_rate() {
        let mut schedule = Schedule { start: 1000, interval_ns: 50_000.0, sent: 0 };
        assert_eq!(schedule.behind(1000), 1, "the first is due at once");
        assert_eq!((schedule.due(0), schedule.due(2)), (1000, 101_000));
        schedule.sent = 1;
        assert_eq!(schedule.behind(50_999), 0);
        assert_eq!(schedule.behind(51_000), 1);
        assert_eq!(schedule.behind(1_000_001_000), 20_000);
        assert_eq!(schedule.due(0), 51_000);
    }
}
