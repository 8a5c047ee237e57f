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
use plugins::assemble::{Assembly, Outcome, Server, Surroundings, assemble};
use plugins::env::{Parts, Process};
use plugins::files::Files;
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

/// How long a configuration that was replaced is held, so that whoever answers from it at this moment
/// is not the last to let go of it: to free a large one takes long.
const RETIREMENT: Duration = Duration::from_millis(500);

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

/// What came of serving another configuration.
#[derive(Debug)]
pub(crate) struct Swapped {
    /// From the first listener that answers from it to the last.
    took: Duration,
    /// How much state of which plugins the configuration before has left to it.
    kept: BTreeMap<String, usize>,
}

impl fmt::Display for Swapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The new configuration took over in {} µs, and kept ", self.took.as_micros())?;
        if self.kept.is_empty() {
            return f.write_str("nothing of the one before");
        }
        let kept = self.kept.iter().map(|(plugin, count)| match count {
            1 => plugin.clone(),
            _ => format!("{plugin} ({count} times)"),
        });
        f.write_str(&kept.collect::<Vec<_>>().join(", "))
    }
}

/// What a configuration is built with.
struct Building {
    process: Process,
    port: u16,
    previous: Kept,
}

impl Building {
    /// Builds what was parsed, with these files.
    fn assemble(&self, parsed: &Parsed, files: &Arc<Files>) -> Outcome {
        let Self { process, port, previous } = self;
        let surroundings = Surroundings { process, port: *port, previous, files };
        assemble(&parsed.blocks, &parsed.sources, &surroundings)
    }
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

    /// Reads and builds what `source` says now. Opens no socket. Blocks.
    pub(crate) fn build(&self, source: &Source) -> io::Result<Built> {
        let (prepared, files) = (self.prepare(), Files::disk(false));
        source.build(|parsed| prepared.assemble(parsed, &files))
    }

    /// As [`Engine::build`], on a thread where it may take its time: signals are heard meanwhile. With
    /// `good`, around fragments that are wrong.
    pub(crate) async fn build_aside(
        &self,
        source: &Source,
        files: &Arc<Files>,
        good: Option<Texts>,
    ) -> io::Result<Built> {
        let (prepared, source, files) = (self.prepare(), source.clone(), files.clone());
        let building = self.runtime.spawn_blocking(move || {
            let assemble = |parsed: &Parsed| prepared.assemble(parsed, &files);
            match good {
                None => source.build_from(&files, assemble),
                Some(good) => source.build_around(&files, &good, assemble),
            }
        });
        building.await.map_err(io::Error::other)?
    }

    fn prepare(&self) -> Building {
        let previous = self.current.as_ref().map(|parts| parts.kept.clone()).unwrap_or_default();
        Building { process: self.process.clone(), port: self.port, previous }
    }

    /// Serves `assembly` from now on, without losing a query; if that cannot be, nothing changes.
    pub(crate) async fn serve(&mut self, assembly: Assembly) -> Result<Swapped, CannotServe> {
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
        let begun = self.process.clock.now();
        // The first answer may have something to say already.
        let debug = self.debug.swap(parts.debug, Ordering::Relaxed);
        let swapped = self.swap(servers, opened);
        let (unwanted, replaced) =
            swapped.inspect_err(|_| self.debug.store(debug, Ordering::Relaxed))?;
        let took = Duration::from_nanos(self.process.clock.now().0.saturating_sub(begun.0));
        if let Some(prepared) = prepared {
            self.http.commit(prepared, &self.runtime);
        }
        self.situation.serves(&parts, self.routers(&order));
        self.commit_admin(&mut admin);
        for listener in unwanted {
            self.runtime.spawn(listener.close(GRACE));
        }
        let before = self.current.replace(parts);
        let both = before.as_ref().zip(self.current.as_ref());
        let kept = both.map(|(before, now)| now.kept.shared_with(&before.kept)).unwrap_or_default();
        self.runtime.spawn(async move {
            tokio::time::sleep(RETIREMENT).await;
            let _ = tokio::task::spawn_blocking(move || drop((before, replaced))).await;
        });
        Ok(Swapped { took, kept })
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
    /// wanted any more are handed back, and the routers that were there before.
    fn swap(
        &mut self,
        servers: Vec<Server>,
        mut opened: BTreeMap<SocketAddr, Listener>,
    ) -> Result<(Vec<Listener>, Vec<Arc<Router>>), CannotServe> {
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
        let mut replaced = Vec::new();
        for Server { address, router, .. } in known {
            if let Some(service) = self.listeners.get(&address).and_then(Listener::service) {
                replaced.push(service.router.swap(Arc::new(router)));
            }
        }
        self.listeners.append(&mut opened);
        let unwanted: Vec<_> =
            self.listeners.keys().filter(|address| !wanted.contains(address)).copied().collect();
        let unwanted = unwanted.iter().filter_map(|address| self.listeners.remove(address));
        Ok((unwanted.collect(), replaced))
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
