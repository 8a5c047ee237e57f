//! A configuration that is built as if it were served, and answers nobody but us.

use super::outcome::{End, Heed, Outcome};
use super::questions::Asked;
use crate::commands::serve::new_engine;
use crate::commands::{complain, stderr_has_colors};
use crate::settings::source::{Built, Source};
use chain::{Client, Clock, Ended, Exchange, Failure, Transport};
use plugins::assemble::{Assembly, Server};
use plugins::env::Parts;
use plugins::lines::Lines;
use std::collections::HashSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use wire::{Class, Edns, Encoder, Flags, Name, RecordType};

/// How long an answer of other servers may take: as long as a client that is served would wait.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
/// How often to look whether everything is ready.
const LOOK: Duration = Duration::from_millis(20);
/// The most octets that a client says it can take.
const UDP_SIZE: u16 = 1232;

/// What surrounds a configuration that is only tried.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) runtime: Handle,
    /// The port of keys that name none.
    pub(crate) port: u16,
    /// Manifests in the place of every cluster.
    pub(crate) manifests: Option<PathBuf>,
    /// A directory of snapshots in the place of every API server. Nothing is written there.
    pub(crate) snapshots: Option<PathBuf>,
    /// Whether other servers are asked.
    pub(crate) asks: bool,
    /// How long clusters may take to be known.
    pub(crate) patience: Duration,
}

/// Why a configuration cannot be tried.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Its Corefile cannot be read.
    Unreadable { name: String, error: io::Error },
    /// It cannot serve: all its mistakes, as they are shown.
    Mistakes(String),
    /// A plugin cannot begin its work.
    CannotStart { name: String, reason: String },
    /// What it answers from did not come in time.
    NotReady { name: String, waited: Duration, plugins: Vec<&'static str> },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { name, error } => write!(f, "cannot read {name}: {error}"),
            Self::Mistakes(shown) => f.write_str(shown.trim_end()),
            Self::CannotStart { name, reason } => write!(f, "{name}: {reason}; {HELP}"),
            Self::NotReady { name, waited, plugins } => {
                write!(f, "{name}: not ready after {waited:?}: {}; {HELP}", plugins.join(", "))
            }
        }
    }
}

/// Where else a cluster can come from.
const HELP: &str = "give the objects of the cluster with `--manifests DIR`, or the snapshots of a \
                    server that runs with `--state-dir DIR`";

impl Refusal {
    /// The exit code that says it: 3 if it is somebody else who cannot be reached.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Unreadable { .. } | Self::Mistakes(_) => 1,
            Self::CannotStart { .. } | Self::NotReady { .. } => 3,
        }
    }
}

/// A configuration that is built, and knows what it answers from.
pub(crate) struct Rehearsal {
    /// What it is called: its Corefile.
    name: String,
    servers: Vec<Server>,
    clock: Arc<dyn Clock>,
    asks: bool,
    /// What its plugins need for as long as they answer; locked by nobody, only kept.
    _parts: std::sync::Mutex<Parts>,
}

/// What is used again and again to ask.
pub(crate) struct Asking {
    x: Box<Exchange>,
    encoder: Encoder,
}

impl Default for Asking {
    fn default() -> Self {
        Self { x: Box::new(Exchange::new()), encoder: Encoder::new() }
    }
}

impl Rehearsal {
    /// Builds what a Corefile says, and waits until it knows what it answers from.
    ///
    /// What is odd about the files that it reads is told; what is odd about itself is the business of
    /// `rutter check`.
    pub(crate) async fn new(source: &Source, stage: &Stage) -> Result<Self, Refusal> {
        let name = source.name().to_owned();
        let mut engine = new_engine(Lines::new(), Arc::default(), &stage.runtime, stage.port);
        engine.process.rehearsal = Some(plugins::env::Rehearsal {
            manifests: stage.manifests.clone(),
            snapshots: stage.snapshots.clone(),
            asks: stage.asks,
        });
        let built = engine.build(source);
        let built = built.map_err(|error| Refusal::Unreadable { name: name.clone(), error })?;
        let Built { assembly: Some(Assembly { servers, mut parts }), .. } = built else {
            return Err(Refusal::Mistakes(
                built.mistakes.render(&built.sources, stderr_has_colors()),
            ));
        };
        for warning in &parts.warnings {
            complain(&format!("warning: {name}: {warning}\n"));
        }
        if let Err(reason) = parts.start(&stage.runtime) {
            return Err(Refusal::CannotStart { name, reason });
        }
        let waiting = async {
            for ready in parts.take_before_serving() {
                ready.await;
            }
            while !parts.not_ready().is_empty() {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(stage.patience, waiting).await.is_err() {
            let (waited, mut plugins) = (stage.patience, parts.not_ready());
            plugins.dedup();
            return Err(Refusal::NotReady { name, waited, plugins });
        }
        let clock = engine.process.clock.clone();
        Ok(Self { name, servers, clock, asks: stage.asks, _parts: parts.into() })
    }

    /// What it is called: its Corefile.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The addresses that it would listen on.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.servers.iter().map(|server| server.address)
    }

    /// Shows the names that it is about: the zones of its blocks, and what its plugins know.
    pub(crate) fn names(&self, show: &mut dyn FnMut(Name<'_>, RecordType)) {
        for block in self.servers.iter().flat_map(|server| server.router.blocks()) {
            show(block.zone.as_name(), RecordType::SOA);
        }
        // A block stands behind each of its zones and addresses, but is one.
        let blocks = self.servers.iter().flat_map(|server| server.router.blocks());
        let mut seen = HashSet::new();
        let chains = blocks.map(|block| &block.chain);
        for chain in chains.filter(|chain| seen.insert(Arc::as_ptr(chain))) {
            chain.links().iter().for_each(|link| link.plugin.names(show));
        }
    }

    /// Asks the listener at `address`, if the answer needs no waiting.
    pub(crate) fn ask_memory(&self, to: &To<'_>, asking: &mut Asking) -> Option<Outcome> {
        let Some(server) = self.server(to.address) else {
            return Some(Outcome::without_reply(End::NotServed));
        };
        self.begin(to, asking);
        let x = &mut *asking.x;
        let ended = server.router.answer(x);
        let is_done = !matches!(ended, Ended::Waiting(_));
        is_done.then(|| Outcome::of_exchange(x, &ended, to.heed))
    }

    /// The same, however long it takes.
    pub(crate) async fn ask(&self, to: &To<'_>) -> Outcome {
        let Some(server) = self.server(to.address) else {
            return Outcome::without_reply(End::NotServed);
        };
        let mut asking = Asking::default();
        self.begin(to, &mut asking);
        let x = &mut *asking.x;
        let mut ended = server.router.answer(x);
        if let Ended::Waiting(ticket) = ended {
            let resumed = server.router.resume(x, ticket);
            ended = match tokio::time::timeout(ANSWER_PATIENCE, resumed).await {
                Ok(ended) => ended,
                Err(_) => {
                    let failure = Failure::Deadline { after: ANSWER_PATIENCE };
                    server.router.abandon(x, ticket, &failure)
                }
            };
        }
        Outcome::of_exchange(x, &ended, to.heed)
    }

    /// Whoever listens at `address`: the one that is bound to it, else the one that is bound to all
    /// addresses.
    fn server(&self, address: SocketAddr) -> Option<&Server> {
        let is_any = |server: &&Server| {
            server.address.ip().is_unspecified() && server.address.port() == address.port()
        };
        let bound = self.servers.iter().find(|server| server.address == address);
        bound.or_else(|| self.servers.iter().find(is_any))
    }

    fn begin(&self, to: &To<'_>, asking: &mut Asking) {
        let mut query = [0; 512];
        let edns = Edns { udp_size: UDP_SIZE, ..Edns::default() };
        let question = (to.asked.name(), to.asked.rtype, Class::IN);
        let length = asking.encoder.query(0, Flags::RD, question, Some(&edns), &mut query);
        let peer = SocketAddr::from((to.client, 0));
        let client = Client { peer, local: to.address, transport: Transport::Udp };
        asking.x.rehearsal = !self.asks;
        // What we have written is a query.
        let begun = asking.x.begin(&query[..length], client, self.clock.now());
        debug_assert!(begun.is_ok());
    }
}

/// A question on its way.
#[derive(Clone, Copy)]
pub(crate) struct To<'a> {
    pub(crate) asked: &'a Asked,
    /// The listener that is asked.
    pub(crate) address: SocketAddr,
    /// Who asks.
    pub(crate) client: IpAddr,
    pub(crate) heed: Heed,
}
