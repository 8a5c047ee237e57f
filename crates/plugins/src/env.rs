//! What a plugin is built with, and what it can ask for beside being asked.

use crate::capabilities::Capabilities;
use crate::files::Files;
use crate::kept::Kept;
use crate::lines::Lines;
use crate::metrics::Registry;
use crate::rutter_admin::Address;
use chain::{Chain, Clock, Exchange, Link, Plugin};
use corefile::{Mistakes, Span};
use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use wire::NameBuf;

/// What outlives every configuration.
#[derive(Clone)]
pub struct Process {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// All metrics.
    pub metrics: Arc<Registry>,
    /// Standard output.
    pub lines: Arc<Lines>,
    /// The version that `chaos` and the metrics tell.
    pub version: &'static str,
    /// Counts panics of plugins.
    pub panics: Arc<AtomicU64>,
    /// Ends the process.
    pub fatal: Arc<Fatal>,
    /// Whether it serves. A command that only asks what would be answered does not, and then no
    /// plugin tells others about itself, or probes its own addresses: somebody else has those.
    pub serves: bool,
    /// Where what is known may outlive the process (`-state-dir`); nowhere if there is none.
    pub state_dir: Option<PathBuf>,
    /// How often, at most, it is written there (`-state-interval`); not zero.
    pub state_interval: Duration,
    /// What is different if nobody is served, and only asked what would be answered; none if this
    /// process serves.
    pub rehearsal: Option<Rehearsal>,
}

/// What a process does that only wants to know what it would answer: nothing begins but what learns
/// about clusters, nothing is written, and nobody is told anything.
#[derive(Clone, Debug, Default)]
pub struct Rehearsal {
    /// Manifests in the place of every cluster, whatever the Corefile says.
    pub manifests: Option<PathBuf>,
    /// A directory of snapshots in the place of every API server.
    pub snapshots: Option<PathBuf>,
    /// Whether other servers are asked.
    pub asks: bool,
}

impl Process {
    /// Whether other servers may be asked.
    pub(crate) fn may_ask(&self) -> bool {
        self.rehearsal.as_ref().is_none_or(|rehearsal| rehearsal.asks)
    }

    /// Where snapshots stand for API servers.
    pub(crate) fn snapshots(&self) -> Option<&Path> {
        self.rehearsal.as_ref()?.snapshots.as_deref()
    }

    /// The directory of manifests that a cluster is read from, if any: that of the rehearsal, or
    /// what the Corefile says.
    pub(crate) fn manifests(&self, configured: Option<&str>) -> Option<PathBuf> {
        let rehearsed = self.rehearsal.as_ref().and_then(|it| it.manifests.clone());
        rehearsed.or_else(|| configured.map(PathBuf::from))
    }
}

/// How a plugin ends the process, for what must not go on (`loop`).
///
/// The plugin logs why; the process ends with exit code 1 once the log is written, without waiting
/// for anything else.
#[derive(Default)]
pub struct Fatal {
    raised: Notify,
}

impl Fatal {
    /// Ends the process soon.
    pub fn raise(&self) {
        self.raised.notify_one();
    }

    /// Waits until the process has to end; for the one who ends it.
    pub async fn raised(&self) {
        self.raised.notified().await;
    }
}

/// The server block that a plugin belongs to.
#[derive(Debug)]
pub struct Site {
    /// Which block of the Corefile it is.
    pub index: usize,
    /// The zones of its keys, in lower case, CIDRs expanded.
    pub zones: Vec<NameBuf>,
    /// The listeners that it serves, as [`Exchange::server`] numbers them.
    pub servers: Vec<u16>,
    /// Which zone it serves by which listener, as [`Exchange::server`] and [`Exchange::zone`]
    /// number them.
    pub served: Vec<(u16, u16)>,
    /// The names of all listeners of the configuration (`dns://:53`), by that number.
    pub server_names: Arc<[Arc<str>]>,
    /// The zones of all blocks, as [`Exchange::zone`] numbers them, in text without escapes.
    pub zone_names: Arc<[Arc<str>]>,
    /// The block's directives in the order in which they run.
    pub directives: Vec<&'static str>,
    /// Where the block can be asked over plain DNS from this machine.
    pub addresses: Vec<SocketAddr>,
    /// Whether it is bound to some addresses, and not to all.
    pub is_bound: bool,
}

/// What a plugin is built with.
///
/// Building may read files, but opens no socket and starts nothing: what has to run is handed in
/// and begins only when the whole configuration is good.
pub struct Env<'a> {
    /// What outlives the configuration.
    pub process: &'a Process,
    /// The plugin's server block.
    pub site: &'a Site,
    /// The directory that relative file names begin at (`root`).
    pub(crate) root: &'a mut PathBuf,
    pub(crate) previous: &'a Kept,
    pub(crate) files: &'a Arc<Files>,
    pub(crate) parts: &'a mut Parts,
    pub(crate) capabilities: &'a mut Capabilities,
    pub(crate) whole: &'a Arc<OnceLock<Whole>>,
}

/// What a server block is made of, once all of it is built.
pub struct Whole {
    /// The plugins that questions pass, in this order.
    pub plugins: Vec<&'static str>,
    /// What they offer each other.
    pub capabilities: Capabilities,
}

/// A server block that was built, for who wants to tell people about it.
#[derive(Clone)]
pub struct BuiltBlock {
    /// Its plugins.
    pub chain: Arc<Chain>,
    /// What they offer each other.
    pub whole: Arc<OnceLock<Whole>>,
    /// Where it stands: `FILE:LINE`.
    pub place: String,
    /// Where its plugins were first named, in the order of the chain.
    pub places: Vec<String>,
}

/// What the plugins of a configuration have asked for while they were built.
#[derive(Default)]
pub struct Parts {
    /// State for the next configuration.
    pub kept: Kept,
    /// What begins when the configuration is good.
    pub(crate) on_start: Vec<OnStart>,
    /// What must be through before the sockets open; each has its own end.
    pub(crate) before_serving: Vec<Task>,
    /// What is done last, when nothing is answered any more.
    pub(crate) before_ending: Vec<Task>,
    /// HTTP to serve.
    pub endpoints: Vec<Endpoint>,
    /// Where operators ask the server about itself (`rutter_admin`).
    pub admin: Option<Admin>,
    /// The Corefile that this was built from, if there is someone to tell it to.
    pub told: Option<Arc<Told>>,
    /// Files that were read, or were not there.
    pub(crate) read: Vec<PathBuf>,
    /// How often to look for a changed configuration (`reload`): interval and jitter.
    pub reload: Option<(Duration, Duration)>,
    /// How long to go on answering after SIGTERM (`health { lameduck }`).
    pub lameduck: Duration,
    /// Whether to log debug lines and to let a panic end the process (`debug`).
    pub debug: bool,
    /// Warnings for the log.
    pub warnings: Vec<String>,
    /// What looks at the block that is being built once it is whole.
    pub(crate) checks: Vec<Check>,
    pub(crate) readiness: Arc<Readiness>,
    /// The server blocks, as they were built.
    pub blocks: Vec<BuiltBlock>,
    /// Blocks whose listeners let all classes in.
    pub(crate) all_classes: Vec<usize>,
    /// Amenders for questions that no block serves, with the blocks that want them.
    outside: Vec<(usize, &'static str, Arc<dyn Plugin>)>,
}

impl Parts {
    /// The amenders that some of `blocks` want for questions that no block serves, each plugin
    /// once.
    pub(crate) fn outside_of(&self, blocks: impl Iterator<Item = usize>) -> Chain {
        let blocks: Vec<_> = blocks.collect();
        let mut links: Vec<Link> = Vec::new();
        for (block, name, plugin) in &self.outside {
            if blocks.contains(block) && links.iter().all(|link| link.name != *name) {
                links.push(Link { plugin: Box::new(plugin.clone()), name, line: 0 });
            }
        }
        Chain::new(links)
    }

    /// Who knows what is not ready.
    pub fn readiness(&self) -> Arc<Readiness> {
        self.readiness.clone()
    }

    /// What must be through before the sockets open.
    pub fn take_before_serving(&mut self) -> Vec<Task> {
        std::mem::take(&mut self.before_serving)
    }

    /// What has to be done before the process ends in good order. It may take long on a bad disk.
    pub fn take_before_ending(&mut self) -> Vec<Task> {
        std::mem::take(&mut self.before_ending)
    }

    /// Those who are not ready, by name, whether their block has `ready` or not.
    pub fn not_ready(&self) -> Vec<&'static str> {
        self.readiness.all_missing()
    }

    /// Begins everything that wants to run; what cannot is told.
    pub fn start(&mut self, runtime: &Handle) -> Result<(), String> {
        self.on_start.drain(..).try_for_each(|start| start(runtime))
    }
}

/// Where operators ask the server about itself.
pub struct Admin {
    /// The place.
    pub address: Address,
    /// Where the Corefile names it.
    pub(crate) at: Span,
}

/// A configuration as text.
pub struct Told {
    /// The effective Corefile, with the origin of each line ([`corefile::effective`]).
    pub effective: String,
    /// What it says, without its layout ([`corefile::content`]).
    pub content: Vec<u8>,
}

type Check = Box<dyn FnOnce(&Whole) -> Result<(), Mistakes> + Send>;
type OnStart = Box<dyn FnOnce(&Handle) -> Result<(), String> + Send>;
/// Something that ends by itself.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Env<'_> {
    /// The path of a file that the Corefile names.
    pub fn path(&self, file: impl AsRef<Path>) -> PathBuf {
        self.root.join(file)
    }

    /// Reads a file, and remembers that it was read.
    pub fn read_file(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.parts.read.push(path.to_owned());
        let octets = self.files.read(path)?;
        self.files.note(path, &octets);
        Ok(octets)
    }

    /// Where the files of the configuration come from, for what reads them again.
    pub fn files(&self) -> Arc<Files> {
        self.files.clone()
    }

    /// Remembers files that were read, or were not there: a change of one of them can make a bad
    /// configuration good.
    pub fn note_read(&mut self, paths: impl IntoIterator<Item = PathBuf>) {
        self.parts.read.extend(paths);
    }

    /// The state that belongs to `key`: that of the previous configuration, or a new one.
    ///
    /// The key must say everything that decides what the state is.
    pub fn keep<T: Send + Sync + 'static>(
        &mut self,
        key: String,
        make: impl FnOnce() -> T,
    ) -> Arc<T> {
        let found = self.parts.kept.find(&key).or_else(|| self.previous.find(&key));
        let state = found.unwrap_or_else(|| Arc::new(make()));
        self.parts.kept.put(key, state.clone());
        state
    }

    /// Lets `start` begin tasks once the configuration is good; not in a rehearsal.
    ///
    /// Whoever begins a task ends it: the state that it serves holds a [`Tasks`].
    pub fn on_start(&mut self, start: impl FnOnce(&Handle) + Send + 'static) {
        if self.process.rehearsal.is_none() {
            self.try_on_start(|runtime| {
                start(runtime);
                Ok(())
            });
        }
    }

    /// As [`Env::on_start`], for what concerns others than who asks: it is not begun by a process
    /// that does not serve ([`Process::serves`]).
    pub fn on_serving(&mut self, start: impl FnOnce(&Handle) + Send + 'static) {
        if self.process.serves {
            self.on_start(start);
        }
    }

    /// As [`Env::on_start`], for what can fail: the configuration is refused then. A rehearsal begins
    /// it too, so it must tell nobody anything.
    pub fn try_on_start(
        &mut self,
        start: impl FnOnce(&Handle) -> Result<(), String> + Send + 'static,
    ) {
        self.parts.on_start.push(Box::new(start));
    }

    /// Holds the sockets back until `done`, which must end by itself.
    pub fn before_serving(&mut self, done: impl Future<Output = ()> + Send + 'static) {
        self.parts.before_serving.push(Box::pin(done));
    }

    /// Does something when the process ends in good order, after the last answer.
    pub fn before_ending(&mut self, done: impl Future<Output = ()> + Send + 'static) {
        self.parts.before_ending.push(Box::pin(done));
    }

    /// Serves a path over HTTP.
    pub fn serve_http(&mut self, endpoint: Endpoint) {
        self.parts.endpoints.push(endpoint);
    }

    /// Lets `/ready` of this block wait for `ready`.
    pub fn offer_readiness(&mut self, plugin: &'static str, ready: Arc<dyn Ready>) {
        self.parts.readiness.offer(self.site.index, plugin, ready);
    }

    /// Lets `/ready` ask the plugins of this block too, those included that are built later.
    pub fn wait_for_readiness(&mut self) -> Arc<Readiness> {
        self.parts.readiness.watch(self.site.index);
        self.parts.readiness.clone()
    }

    /// Lets the other plugins of this block ask for what `plugin` can do, which the trait `C` says
    /// (such as [`Describe`]).
    pub fn offer<C: ?Sized + Send + Sync + 'static>(
        &mut self,
        plugin: &'static str,
        provider: Arc<C>,
    ) {
        self.capabilities.offer(plugin, provider);
    }

    /// Lets `check` look at this block once it is whole: for a mistake that shows only then, and for
    /// what others offer.
    pub fn once_whole(
        &mut self,
        check: impl FnOnce(&Whole) -> Result<(), Mistakes> + Send + 'static,
    ) {
        self.parts.checks.push(Box::new(check));
    }

    /// What this block is made of: known when all its plugins are built, and so before the first
    /// question.
    pub fn whole(&self) -> Arc<OnceLock<Whole>> {
        self.whole.clone()
    }

    /// Calls `response` of `plugin`, and tells its observer, for the questions at this block's
    /// listeners that no block serves.
    pub fn amend_refused(&mut self, name: &'static str, plugin: Arc<dyn Plugin>) {
        self.parts.outside.push((self.site.index, name, plugin));
    }

    /// Lets questions of all classes into this block's listeners.
    pub fn serve_all_classes(&mut self) {
        self.parts.all_classes.push(self.site.index);
    }

    /// Says something to the operator that does not keep the configuration from serving.
    pub fn warn(&mut self, plugin: &str, warning: impl std::fmt::Display) {
        self.parts.warnings.push(format!("plugin/{plugin}: {warning}"));
    }
}

/// Something that is not ready at once.
pub trait Ready: Send + Sync {
    /// Whether it is now.
    fn is_ready(&self) -> bool;
}

/// Somebody who knows more about a question than the question says (`metadata`).
pub trait Describe: Send + Sync {
    /// Adds labels (`plugin/label`) about the question, before the chain runs.
    fn describe(&self, x: &Exchange, labels: &mut Vec<(Cow<'static, str>, String)>);
}

/// Whom `/ready` asks: what the plugins of all blocks that have `ready` offer.
#[derive(Default)]
pub struct Readiness {
    state: Mutex<ReadinessState>,
}

#[derive(Default)]
struct ReadinessState {
    blocks: Vec<usize>,
    offers: Vec<(usize, &'static str, Arc<dyn Ready>)>,
}

impl ReadinessState {
    fn missing(&self, counts: impl Fn(usize) -> bool) -> Vec<&'static str> {
        let missing =
            self.offers.iter().filter(|(block, _, ready)| counts(*block) && !ready.is_ready());
        let mut missing: Vec<_> = missing.map(|(_, plugin, _)| *plugin).collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }
}

impl Readiness {
    fn offer(&self, block: usize, plugin: &'static str, ready: Arc<dyn Ready>) {
        self.lock().offers.push((block, plugin, ready));
    }

    fn watch(&self, block: usize) {
        self.lock().blocks.push(block);
    }

    /// The plugins that are not ready, by name, of the blocks that have `ready`.
    pub fn missing(&self) -> Vec<&'static str> {
        let state = self.lock();
        state.missing(|block| state.blocks.contains(&block))
    }

    /// The plugins of all blocks that are not ready, by name.
    pub fn missing_anywhere(&self) -> Vec<&'static str> {
        self.lock().missing(|_| true)
    }

    fn all_missing(&self) -> Vec<&'static str> {
        let state = self.lock();
        let missing = state.offers.iter().filter(|(_, _, ready)| !ready.is_ready());
        missing.map(|(_, plugin, _)| *plugin).collect()
    }

    fn lock(&self) -> MutexGuard<'_, ReadinessState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A path that is served over HTTP.
#[derive(Clone)]
pub struct Endpoint {
    /// `host:port`, as the Corefile has it; without a host all addresses.
    pub address: String,
    /// The path, such as `/metrics`.
    pub path: &'static str,
    /// Makes the answer.
    pub answer: Arc<dyn Fn() -> HttpAnswer + Send + Sync>,
    /// What an occupied port means.
    pub if_taken: IfTaken,
}

/// An answer over HTTP.
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// The type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl HttpAnswer {
    /// An answer in plain text.
    pub fn text(status: u16, body: &str) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: body.to_owned() }
    }
}

/// What an occupied HTTP port means for the configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IfTaken {
    /// It cannot serve (`health`).
    Fail,
    /// It serves without, and says so, beginning with these words (`prometheus`, `ready`).
    Warn(&'static str),
}

/// Tasks that end with their owner.
#[derive(Default)]
pub struct Tasks {
    running: Mutex<Vec<tokio::task::JoinHandle<()>>>,
}

impl Tasks {
    /// Begins a task.
    pub fn spawn(&self, runtime: &Handle, task: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|task| !task.is_finished());
        running.push(runtime.spawn(task));
    }

    /// Begins a task in place of all that run: for state that two configurations share, and whose
    /// task may differ between them.
    pub fn restart(&self, runtime: &Handle, task: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        for before in running.drain(..) {
            before.abort();
        }
        running.push(runtime.spawn(task));
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        let running = self.running.get_mut().unwrap_or_else(PoisonError::into_inner);
        for task in running.drain(..) {
            task.abort();
        }
    }
}
