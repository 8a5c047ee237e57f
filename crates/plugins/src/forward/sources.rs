//! Where the servers of a line come from: addresses, names, files.

use super::config::{Config, To};
use crate::env::Env;
use crate::files::Files;
use crate::stamp::Stamp;
use corefile::{Code, Mistake, shown};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use upstream::{Host, ResolvConf, Target};

/// Whom names are looked up at, without `resolver`.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// How often to look whether a file has changed.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Where the servers of a line come from, in the order of the line.
pub(crate) struct Sources {
    sources: Vec<Source>,
    /// Whom to ask for the addresses of names.
    resolvers: Vec<SocketAddr>,
    files: Arc<Files>,
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
    /// Reads the files of a line.
    pub(crate) fn read(line: &Config, env: &mut Env<'_>) -> Result<Self, Mistake> {
        let wrong = |message: String| Mistake::error(Code::BadValue, line.at, message);
        let mut sources = Vec::new();
        for to in &line.to {
            sources.extend(source(to, env).map_err(wrong)?);
        }
        if sources.is_empty() {
            let mistake = wrong("no server is left to ask: the files name none".to_owned());
            return Err(mistake.help("write an address beside them, or `nameserver` lines in them"));
        }
        let (resolvers, files) = (line.resolvers.clone(), env.files());
        let mut read = Self { sources, resolvers, files };
        if read.have_names() && read.resolvers.is_empty() {
            read.resolvers = system_resolvers(env);
        }
        if read.have_names() && read.resolvers.is_empty() {
            let message = format!("nobody can look up names: `{RESOLV_CONF}` names no server");
            return Err(wrong(message).help("add `resolver ADDRESS`"));
        }
        Ok(read)
    }

    /// Whether any server is given by name.
    pub(crate) fn have_names(&self) -> bool {
        self.sources.iter().any(|source| matches!(source, Source::Name(_)))
    }

    /// Whether the servers may be others some day.
    pub(crate) fn can_change(&self) -> bool {
        self.have_names() || self.follows_files()
    }

    /// Files of a copy stay as they are.
    fn follows_files(&self) -> bool {
        let is_file = |source: &Source| matches!(source, Source::File { .. });
        self.files.can_change() && self.sources.iter().any(is_file)
    }

    /// The servers in words: sorted, each once, without the port of DNS.
    pub(crate) fn describe(&self) -> Box<str> {
        let word = |target| match target {
            Target::Address(server) if server.port() == 53 => server.ip().to_string(),
            Target::Address(server) => server.to_string(),
            Target::Host(host) if host.port == 53 => host.name.to_string(),
            Target::Host(host) => format!("{}:{}", host.name, host.port),
        };
        let mut words: Vec<_> = self.targets().into_iter().map(word).collect();
        words.sort_unstable();
        words.dedup();
        words.join(" ").into()
    }

    /// Whom to ask for the addresses of names.
    pub(crate) fn resolvers(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.resolvers.iter().copied()
    }

    /// The servers whose addresses are known.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let address = |target| match target {
            Target::Address(server) => Some(server),
            Target::Host(_) => None,
        };
        self.targets().into_iter().filter_map(address).collect()
    }

    /// The servers as of now, in the order of the line.
    pub(crate) fn targets(&self) -> Vec<Target> {
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
    pub(crate) async fn changed(&mut self, due: Option<Instant>) {
        loop {
            let look = self.follows_files().then(|| Instant::now() + LOOK_EVERY);
            match look.into_iter().chain(due).min() {
                Some(next) => sleep_until(next).await,
                None => std::future::pending().await,
            }
            let is_due = due.is_some_and(|due| due <= Instant::now());
            if self.follows_files() && self.read_again().await || is_due {
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
            let shown = path.display();
            if read.is_empty() {
                tracing::warn!(target: "plugin/forward", "{shown} names no server any more; \
                     those that it named before stay in use");
            } else if read != *servers {
                tracing::info!(target: "plugin/forward", "{shown} names other servers: {read:?}");
                *servers = read;
                self.files.note(path, &text);
                changed = true;
            }
        }
        changed
    }
}

/// The source that a `TO` is; none if it is a file without servers.
fn source(to: &To, env: &mut Env<'_>) -> Result<Option<Source>, String> {
    match to {
        To::Server(server) => Ok(Some(Source::Server(*server))),
        To::File(path) => read_file(Path::new(path), env)
            .map_err(|error| format!("{} cannot be read: {error}", shown(path))),
        // As in CoreDNS, a file comes first.
        To::FileOrName(word, host) => {
            Ok(read_file(Path::new(word), env).unwrap_or(Some(Source::Name(host.clone()))))
        }
    }
}

/// The servers of a file; none, with a warning, if it names none.
fn read_file(path: &Path, env: &mut Env<'_>) -> io::Result<Option<Source>> {
    let stamp = Stamp::of(path);
    let text = env.read_file(path)?;
    let ResolvConf { nameservers, ignored, .. } = ResolvConf::read(&String::from_utf8_lossy(&text));
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

fn system_resolvers(env: &mut Env<'_>) -> Vec<SocketAddr> {
    let text = env.read_file(Path::new(RESOLV_CONF)).unwrap_or_default();
    ResolvConf::read(&String::from_utf8_lossy(&text)).nameservers
}
