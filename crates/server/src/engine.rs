//! The running server: what listens, what it answers with, and how one configuration follows
//! another.

use crate::admin::api::{Admin, Prepared};
use crate::admin::http::{Http, HttpError};
use crate::admin::situation::Situation;
use crate::figures::Figures;
use crate::settings::fragments::Texts;
use crate::settings::source::{Built, Source};
use chain::Router;
use corefile::Parsed;
use listen::{LaneSettings, Listener, OpenError, Service, SlowLane, Stats, TcpSettings, Workers};
use plugins::assemble::{Assembly, Server, Surroundings, assemble};
use plugins::env::{Parts, Process};
use plugins::kept::Kept;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;

/// How long sockets that are not wanted any more go on with what they have begun.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// What every configuration of this process shares.
pub(crate) struct Engine {
    pub process: Process,
    /// Whether debug lines are logged, and a panic ends the process.
    pub debug: Arc<AtomicBool>,
    pub runtime: Handle,
    pub lane: Arc<SlowLane>,
    figures: Arc<Figures>,
    pub workers: Arc<Workers>,
    /// Workers for each address.
    pub cores: usize,
    /// The port of keys that name none.
    pub port: u16,
    listeners: BTreeMap<SocketAddr, Listener>,
    http: Http,
    admin: Admin,
    /// What is told of this process.
    pub situation: Arc<Situation>,
    current: Option<Parts>,
}

/// Why a good configuration cannot be served.
#[derive(Debug)]
pub(crate) enum CannotServe {
    /// An address for DNS.
    Dns(OpenError),
    /// An address for HTTP.
    Http(HttpError),
    /// A plugin that cannot begin its work.
    Plugin(String),
    /// Threads or descriptors.
    System(io::Error),
}

impl fmt::Display for CannotServe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(OpenError::Udp { address, error }) => {
                write!(f, "ListenPacket: listen udp {address}: bind: {error}")
            }
            Self::Dns(OpenError::Tcp { address, error }) => {
                write!(f, "Listen: listen tcp {address}: bind: {error}")
            }
            Self::Http(error) => write!(f, "{error}"),
            Self::Plugin(text) => f.write_str(text),
            Self::System(error) => write!(f, "{error}"),
        }
    }
}

impl Engine {
    /// An engine that serves nothing yet.
    pub(crate) fn new(
        process: Process,
        debug: Arc<AtomicBool>,
        runtime: Handle,
        cores: usize,
        port: u16,
    ) -> Self {
        let lane = Arc::new(SlowLane::new(runtime.clone(), LaneSettings::default()));
        let figures = Arc::new(Figures::new(lane.clone()));
        process.metrics.collect(&figures);
        let http = Http::new(&process.metrics);
        let situation = Arc::new(Situation::new(&process));
        let admin = Admin::new(situation.clone(), &process.metrics);
        let workers = u16::try_from(process.metrics.workers()).unwrap_or(u16::MAX);
        Self {
            process,
            debug,
            lane,
            figures,
            runtime,
            workers: Arc::new(Workers::new(workers)),
            cores,
            port,
            listeners: BTreeMap::new(),
            http,
            admin,
            situation,
            current: None,
        }
    }

    /// Reads and builds what `source` says now. Opens no socket.
    pub(crate) fn build(&self, source: &Source) -> io::Result<Built> {
        let nothing = Kept::default();
        let previous = self.current.as_ref().map_or(&nothing, |parts| &parts.kept);
        let surroundings = Surroundings { process: &self.process, port: self.port, previous };
        source.build(|parsed| assemble(&parsed.blocks, &parsed.sources, &surroundings))
    }

    /// As [`Engine::build`], but what only fragments keep from serving is built around them; `good`
    /// has the texts with which they have served.
    pub(crate) fn build_around(&self, source: &Source, good: &Texts) -> io::Result<Built> {
        let nothing = Kept::default();
        let previous = self.current.as_ref().map_or(&nothing, |parts| &parts.kept);
        let surroundings = Surroundings { process: &self.process, port: self.port, previous };
        let assemble = |parsed: &Parsed| assemble(&parsed.blocks, &parsed.sources, &surroundings);
        source.build_around(good, assemble)
    }

    /// Serves `assembly` from now on, without losing a query; if that cannot be, nothing changes.
    pub(crate) async fn serve(&mut self, assembly: Assembly) -> Result<(), CannotServe> {
        let Assembly { servers, mut parts } = assembly;
        let opened = self.open(&servers)?;
        let prepared = self.http.prepare(&parts.endpoints).map_err(CannotServe::Http)?;
        for warning in &prepared.warnings {
            tracing::error!(target: "rutter", "{warning}");
        }
        let mut admin = Some(self.admin.prepare(parts.admin.as_ref()));
        for warning in &parts.warnings {
            tracing::warn!(target: "rutter", "{warning}");
        }
        parts.start(&self.runtime).map_err(CannotServe::Plugin)?;
        // Before there is anything to answer with, probes are answered; in a reload the old paths
        // answer until the new configuration serves.
        let mut prepared = Some(prepared);
        if self.current.is_none()
            && let Some(prepared) = prepared.take()
        {
            self.http.commit(prepared, &self.runtime);
            self.situation.serves(&parts, Vec::new());
            self.commit_admin(&mut admin);
        }
        for ready in parts.take_before_serving() {
            ready.await;
        }
        let order: Vec<_> = servers.iter().map(|server| server.address).collect();
        let unwanted = self.swap(servers, opened)?;
        self.debug.store(parts.debug, Ordering::Relaxed);
        if let Some(prepared) = prepared {
            self.http.commit(prepared, &self.runtime);
        }
        self.situation.serves(&parts, self.routers(&order));
        self.commit_admin(&mut admin);
        for listener in unwanted {
            self.runtime.spawn(listener.close(GRACE));
        }
        self.current = Some(parts);
        Ok(())
    }

    /// Opens the addresses that nobody listens on yet.
    fn open(&self, servers: &[Server]) -> Result<BTreeMap<SocketAddr, Listener>, CannotServe> {
        let mut opened = BTreeMap::new();
        for server in servers.iter().filter(|server| !self.listeners.contains_key(&server.address))
        {
            let listener = Listener::open(server.address, self.cores).map_err(CannotServe::Dns)?;
            opened.insert(server.address, listener);
        }
        Ok(opened)
    }

    /// Puts the new routers behind their listeners, or changes nothing; the listeners that are not
    /// wanted any more are handed back.
    fn swap(
        &mut self,
        servers: Vec<Server>,
        mut opened: BTreeMap<SocketAddr, Listener>,
    ) -> Result<Vec<Listener>, CannotServe> {
        let wanted: Vec<_> = servers.iter().map(|server| server.address).collect();
        let (new, known): (Vec<_>, Vec<_>) =
            servers.into_iter().partition(|server| opened.contains_key(&server.address));
        // What can fail comes first: then the old configuration serves on as if nothing had been.
        for Server { address, router, .. } in new {
            let Some(listener) = opened.get_mut(&address) else { continue };
            let stats = Arc::<Stats>::default();
            self.figures.add(router.name().clone(), &stats);
            let service = Arc::new(Service {
                router: Arc::new(router).into(),
                clock: self.process.clock.clone(),
                lane: self.lane.clone(),
                stats,
            });
            let served = listener.serve(service, &self.workers, TcpSettings::default());
            served.map_err(CannotServe::System)?;
        }
        for Server { address, router, .. } in known {
            if let Some(service) = self.listeners.get(&address).and_then(Listener::service) {
                service.router.store(Arc::new(router));
            }
        }
        self.listeners.append(&mut opened);
        let unwanted: Vec<_> =
            self.listeners.keys().filter(|address| !wanted.contains(address)).copied().collect();
        Ok(unwanted.iter().filter_map(|address| self.listeners.remove(address)).collect())
    }

    /// Lets operators in where they are wanted now, if they are not yet.
    fn commit_admin(&mut self, prepared: &mut Option<Prepared>) {
        if let Some(prepared) = prepared.take() {
            self.admin.commit(prepared, &self.runtime);
        }
    }

    /// What the running configuration asked for.
    pub(crate) fn parts(&self) -> Option<&Parts> {
        self.current.as_ref()
    }

    /// What the first listener answers with now.
    pub(crate) fn router(&self) -> Option<Arc<Router>> {
        let service = self.listeners.values().find_map(Listener::service)?;
        Some(service.router.load_full())
    }

    /// What is answered with at each of these addresses, and the one that is listened on for it.
    fn routers(&self, wanted: &[SocketAddr]) -> Vec<(SocketAddr, Arc<Router>)> {
        let listeners = wanted.iter().filter_map(|address| self.listeners.get(address));
        let router = |it: &Listener| Some((it.address(), it.service()?.router.load_full()));
        listeners.filter_map(router).collect()
    }

    /// The addresses that are listened on, with the ports that they got.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.values().map(Listener::address).collect()
    }

    /// Tells probes that this process is going, while it still answers.
    pub(crate) fn stop_being_ready(&mut self) {
        self.http.remove("/ready");
    }

    /// Answers what has come in, then closes every socket.
    pub(crate) async fn close(&mut self) {
        let listeners = std::mem::take(&mut self.listeners);
        let closing: Vec<_> = listeners
            .into_values()
            .map(|listener| self.runtime.spawn(listener.close(GRACE)))
            .collect();
        for closed in closing {
            let _ = closed.await;
        }
        let last = self.current.as_mut().map(Parts::take_before_ending).unwrap_or_default();
        let done = async {
            for task in last {
                task.await;
            }
        };
        if tokio::time::timeout(GRACE, done).await.is_err() {
            tracing::warn!(target: "rutter", "what was left to do took longer than {GRACE:?}");
        }
        self.situation.ends();
        self.current = None;
    }
}
