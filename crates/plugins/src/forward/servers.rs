//! The servers of a line: where they come from, and what survives a reload.

use super::config::To;
use crate::env::{Env, Tasks};
use crate::stamp::Stamp;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, SetOnce};
use tokio::time::{Instant, sleep_until, timeout_at};
use upstream::{Host, Located, ResolvConf, Settings, Target, Upstreams};

/// Whom names are looked up at, without `resolver`.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// How often to look whether a file has changed.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long a start waits for the addresses of names. Without them it serves all the same.
const FIRST_LOOK_UP: Duration = Duration::from_secs(5);

/// The servers of a line, with their connections, health and counters. A reload keeps them if the
/// line stays the same, whatever its files and names have come to mean.
pub(crate) struct Servers {
    settings: Settings,
    upstreams: OnceLock<Arc<Upstreams>>,
    started: OnceLock<Instant>,
    /// Names keep their last addresses over a reload too.
    located: Mutex<Located>,
    /// Set when every name has been looked up once.
    looked_up: SetOnce<()>,
    tasks: Tasks,
}

impl Servers {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            upstreams: OnceLock::new(),
            started: OnceLock::new(),
            located: Mutex::default(),
            looked_up: SetOnce::new(),
            tasks: Tasks::default(),
        }
    }

    /// Whom to ask, once started.
    pub(crate) fn upstreams(&self) -> Option<&Arc<Upstreams>> {
        self.upstreams.get()
    }

    /// Asks the servers of `sources` from now on.
    pub(crate) fn start(self: &Arc<Self>, sources: Sources, runtime: &Handle) {
        self.started.get_or_init(Instant::now);
        let new = || Arc::new(Upstreams::new([], self.settings.clone(), runtime.clone()));
        let upstreams = self.upstreams.get_or_init(new);
        if !sources.have_names() {
            upstreams.set_servers(sources.addresses());
        }
        if !sources.can_change() {
            return;
        }
        let resolvers = sources.resolvers.iter().copied();
        let resolvers = Upstreams::new(resolvers, Settings::for_locating(), runtime.clone());
        self.tasks.restart(runtime, follow(Arc::downgrade(self), sources, resolvers));
    }

    /// Returns when names have been looked up, or a start has waited long enough for it.
    pub(crate) async fn looked_up(self: Arc<Self>) {
        if let Some(started) = self.started.get() {
            let _ = timeout_at(*started + FIRST_LOOK_UP, self.looked_up.wait()).await;
        }
    }

    /// Looks up the names that are due; when the next one is.
    async fn locate(&self, targets: Vec<Target>, resolvers: &Upstreams) -> Option<Instant> {
        let upstreams = self.upstreams.get()?;
        let mut located = self.located.lock().await;
        located.set_targets(targets);
        // Servers that are known need not wait for those that are not.
        upstreams.set_servers(located.servers());
        located.refresh(resolvers).await;
        upstreams.set_servers(located.servers());
        let _ = self.looked_up.set(()); // the first time counts
        located.due()
    }
}

/// Keeps the servers up to date for as long as somebody holds them.
async fn follow(servers: Weak<Servers>, mut sources: Sources, resolvers: Upstreams) {
    loop {
        let Some(held) = servers.upgrade() else { return };
        let due = held.locate(sources.targets(), &resolvers).await;
        drop(held);
        sources.changed(due).await;
    }
}

/// Where the servers of a line come from, in the order of the line.
pub(crate) struct Sources {
    sources: Vec<Source>,
    /// Whom to ask for the addresses of names.
    resolvers: Vec<SocketAddr>,
}

enum Source {
    Server(SocketAddr),
    Name(Box<Host>),
    /// A file, as it was when it was read last.
    File {
        path: PathBuf,
        stamp: Option<Stamp>,
        servers: Vec<SocketAddr>,
    },
}

impl Sources {
    /// Reads the files among `to`; or says what is wrong.
    pub(crate) fn read(
        to: &[To],
        resolvers: &[SocketAddr],
        env: &mut Env<'_>,
    ) -> Result<Self, String> {
        let mut sources = Vec::new();
        for to in to {
            match to {
                To::Server(server) => sources.push(Source::Server(*server)),
                To::File(path) => match read_file(Path::new(path), env) {
                    Ok(file) => sources.extend(file),
                    Err(error) => return Err(format!("{path} cannot be read: {error}")),
                },
                // As in CoreDNS, a file comes first.
                To::FileOrName(word, host) => match read_file(Path::new(word), env) {
                    Ok(file) => sources.extend(file),
                    Err(_) => sources.push(Source::Name(host.clone())),
                },
            }
        }
        if sources.is_empty() {
            return Err("no server is left to ask".to_owned());
        }
        let mut read = Self { sources, resolvers: resolvers.to_vec() };
        if read.have_names() && resolvers.is_empty() {
            read.resolvers = nameservers_of(env)?;
        }
        Ok(read)
    }

    /// Whether any server is given by name.
    pub(crate) fn have_names(&self) -> bool {
        self.sources.iter().any(|source| matches!(source, Source::Name(_)))
    }

    fn can_change(&self) -> bool {
        self.sources.iter().any(|source| !matches!(source, Source::Server(_)))
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        let address = |target| match target {
            Target::Address(server) => Some(server),
            Target::Host(_) => None,
        };
        self.targets().into_iter().filter_map(address).collect()
    }

    fn targets(&self) -> Vec<Target> {
        let mut targets = Vec::new();
        for source in &self.sources {
            match source {
                Source::Server(server) => targets.push(Target::Address(*server)),
                Source::Name(host) => targets.push(Target::Host(host.clone())),
                Source::File { servers, .. } => {
                    targets.extend(servers.iter().copied().map(Target::Address));
                }
            }
        }
        targets
    }

    /// Returns when a file names other servers, or at `due`.
    async fn changed(&mut self, due: Option<Instant>) {
        let has_files = self.sources.iter().any(|source| matches!(source, Source::File { .. }));
        loop {
            let look = has_files.then(|| Instant::now() + LOOK_EVERY);
            match look.into_iter().chain(due).min() {
                Some(next) => sleep_until(next).await,
                None => std::future::pending().await,
            }
            let is_due = due.is_some_and(|due| due <= Instant::now());
            if self.read_again().await || is_due {
                return;
            }
        }
    }

    /// Reads the files that have changed; whether one names other servers now.
    async fn read_again(&mut self) -> bool {
        let mut changed = false;
        for source in &mut self.sources {
            let Source::File { path, stamp, servers } = source else { continue };
            let now = Stamp::of(path);
            if now.is_none() || now == *stamp {
                continue;
            }
            let Ok(text) = tokio::fs::read(&*path).await else { continue };
            *stamp = now;
            let read = ResolvConf::read(&String::from_utf8_lossy(&text)).nameservers;
            let path = path.display();
            if read.is_empty() {
                tracing::warn!(target: "plugin/forward", "{path} names no server any more; \
                     those that it named before stay in use");
            } else if read != *servers {
                tracing::info!(target: "plugin/forward", "{path} names other servers: {read:?}");
                *servers = read;
                changed = true;
            }
        }
        changed
    }
}

/// The servers of a file; none, with a warning, if it names none.
fn read_file(path: &Path, env: &mut Env<'_>) -> io::Result<Option<Source>> {
    let stamp = Stamp::of(path);
    let text = env.read_file(path)?;
    let ResolvConf { nameservers, ignored } = ResolvConf::read(&String::from_utf8_lossy(&text));
    let path = path.to_owned();
    for ignored in ignored {
        let (line, text) = (ignored.line, ignored.text.escape_debug());
        env.warn("forward", format!("{}:{line}: \"{text}\" is no address", path.display()));
    }
    if nameservers.is_empty() {
        env.warn("forward", format!("{} names no server and is left out", path.display()));
        return Ok(None);
    }
    Ok(Some(Source::File { path, stamp, servers: nameservers }))
}

fn nameservers_of(env: &mut Env<'_>) -> Result<Vec<SocketAddr>, String> {
    let text = env.read_file(Path::new(RESOLV_CONF)).unwrap_or_default();
    let nameservers = ResolvConf::read(&String::from_utf8_lossy(&text)).nameservers;
    if nameservers.is_empty() {
        return Err(format!(
            "names of servers cannot be looked up: {RESOLV_CONF} names no server; add `resolver`"
        ));
    }
    Ok(nameservers)
}
