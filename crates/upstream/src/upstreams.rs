//! The servers of one configuration line, asked as one.

use crate::attempts::{self, Answered};
use crate::flights::{Boarded, Flights};
use crate::packet::Packet;
use crate::server::Server;
use crate::task::Task;
use crate::{Failure, Query, Settings, Stats};
use arc_swap::ArcSwap;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::sleep;

/// The most servers; more than these are not asked. A name that stands for a server may have any
/// number of addresses.
const SERVERS_MAX: usize = 64;

/// A set of servers, each of which can answer every question.
///
/// It lives as long as somebody keeps it: connections, health and counters survive a reload of the
/// configuration if the new one has equal [`Settings`] and keeps the `Upstreams`, with
/// [`Upstreams::set_servers`] if the servers have changed.
#[derive(Debug)]
pub struct Upstreams {
    core: Arc<Core>,
    _sweeper: Task,
}

/// What questions on their way hold on to.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) settings: Arc<Settings>,
    pub(crate) servers: ArcSwap<Vec<Arc<Server>>>,
    /// For the policy `round_robin`.
    pub(crate) turn: AtomicUsize,
    pub(crate) healthcheck_broken: AtomicU64,
    flights: Arc<Flights<Result<Answered, Failure>>>,
    waiting: AtomicUsize,
    max_concurrent_rejects: AtomicU64,
    coalesced: AtomicU64,
    uncoalesced: AtomicU64,
    left_out: AtomicUsize,
    runtime: Handle,
}

impl Upstreams {
    /// Servers to be asked as `settings` say. Nothing is opened before the first question.
    ///
    /// Sockets and tasks live on `runtime`, whose network and time drivers must be on; the tasks
    /// end when this is dropped.
    pub fn new(
        servers: impl IntoIterator<Item = SocketAddr>,
        settings: Settings,
        runtime: Handle,
    ) -> Self {
        let core = Arc::new(Core {
            settings: Arc::new(settings),
            servers: ArcSwap::default(),
            turn: AtomicUsize::new(0),
            healthcheck_broken: AtomicU64::new(0),
            flights: Flights::new(),
            waiting: AtomicUsize::new(0),
            max_concurrent_rejects: AtomicU64::new(0),
            coalesced: AtomicU64::new(0),
            uncoalesced: AtomicU64::new(0),
            left_out: AtomicUsize::new(0),
            runtime,
        });
        core.set_servers(servers);
        let sweeper = sweep(Arc::downgrade(&core), sweep_interval(core.settings.expire));
        let sweeper = Task::start(&core.runtime, sweeper);
        Self { core, _sweeper: sweeper }
    }

    /// Asks until a server answers, for 5 s and one more attempt at the longest.
    ///
    /// Any answer is one, whatever its response code (see [`Settings::failover`]). If the same is
    /// being asked at this moment (name in any case, type, class, flags, EDNS, transport), both
    /// share one answer, whose question has the case of the first. Dropping the future gives up
    /// whatever it holds. Giving up before [`Settings::read_timeout`] hides silent servers: who is
    /// not waited for is not probed.
    ///
    /// Must be awaited on a tokio runtime with time.
    pub async fn ask(&self, query: Query<'_>) -> Result<Answered, Failure> {
        let _waiting = self.core.admit()?;
        let over = self.core.settings.transport.choose(query.over);
        let packet = Packet::new(&query);
        let key = packet.key(over);
        let travel = attempts::run(self.core.clone(), packet, over);
        let (flight, boarded) = self.core.flights.join(key, travel);
        match boarded {
            Boarded::First => {}
            Boarded::Joined => _ = self.core.coalesced.fetch_add(1, Ordering::Relaxed),
            Boarded::Alone => _ = self.core.uncoalesced.fetch_add(1, Ordering::Relaxed),
        }
        flight.await
    }

    /// The servers in their order.
    pub fn servers(&self) -> Vec<SocketAddr> {
        self.core.servers.load().iter().map(|server| server.address).collect()
    }

    /// Asks `servers` from now on, without duplicates and no more than 64. Those that stay keep
    /// connections, health and counters; questions that are with one that goes are still answered.
    pub fn set_servers(&self, servers: impl IntoIterator<Item = SocketAddr>) {
        self.core.set_servers(servers);
    }

    /// How they are asked.
    pub fn settings(&self) -> &Settings {
        &self.core.settings
    }

    /// What was counted until now.
    pub fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            servers: self.core.servers.load().iter().map(|server| server.stats()).collect(),
            waiting: self.core.waiting.load(Ordering::Relaxed),
            healthcheck_broken: read(&self.core.healthcheck_broken),
            max_concurrent_rejects: read(&self.core.max_concurrent_rejects),
            coalesced: read(&self.core.coalesced),
            uncoalesced: read(&self.core.uncoalesced),
            left_out: self.core.left_out.load(Ordering::Relaxed),
        }
    }
}

impl Core {
    fn set_servers(&self, addresses: impl IntoIterator<Item = SocketAddr>) {
        let before = self.servers.load();
        let mut seen = HashSet::new();
        let server = |address| {
            let kept = before.iter().find(|server| server.address == address);
            let new = || Arc::new(Server::new(address, &self.settings, &self.runtime));
            kept.cloned().unwrap_or_else(new)
        };
        let mut addresses = addresses.into_iter().filter(|&address| seen.insert(address));
        let servers = addresses.by_ref().take(SERVERS_MAX).map(server).collect();
        self.left_out.store(addresses.count(), Ordering::Relaxed);
        self.servers.store(Arc::new(servers));
    }

    /// Counts one more who waits, if `max_concurrent` has room.
    fn admit(&self) -> Result<Waiting<'_>, Failure> {
        let waiting = Waiting { count: &self.waiting };
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        match self.settings.max_concurrent {
            Some(limit) if before >= limit.get() => {
                self.max_concurrent_rejects.fetch_add(1, Ordering::Relaxed);
                Err(Failure::TooManyConcurrent { limit: limit.get() })
            }
            _ => Ok(waiting),
        }
    }
}

/// One who waits for an answer; no more when dropped.
struct Waiting<'a> {
    count: &'a AtomicUsize,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How often idle connections are looked for: CoreDNS does it every 10 s.
fn sweep_interval(expire: Duration) -> Duration {
    expire.clamp(Duration::from_secs(1), Duration::from_secs(10))
}

async fn sweep(core: Weak<Core>, interval: Duration) {
    loop {
        sleep(interval).await;
        let Some(core) = core.upgrade() else { return };
        for server in core.servers.load().iter() {
            server.sweep();
        }
    }
}
