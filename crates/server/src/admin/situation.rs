//! What the process can tell about itself.

use crate::admin::history::{Attempt, Became, History};
use arc_swap::ArcSwapOption;
use aws_lc_rs::digest;
use chain::{Clock, Moment, Router};
use plugins::env::{BuiltBlock, Parts, Process, Readiness, Told};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

/// The process, and the configuration that it serves.
pub(crate) struct Situation {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) history: Arc<History>,
    version: &'static str,
    /// When it began, by its own clock and in seconds since 1970.
    began: (Moment, u64),
    /// None while nothing serves, and of a configuration that asks nobody in.
    serving: ArcSwapOption<Serving>,
}

/// A configuration that serves, or is about to.
pub(crate) struct Serving {
    pub(crate) told: Arc<Told>,
    /// SHA-512 of what it says, in hex, as `coredns_reload_version_info` has it.
    hash: String,
    /// None until it answers.
    pub(crate) listeners: Vec<(SocketAddr, Arc<Router>)>,
    pub(crate) blocks: Vec<BuiltBlock>,
    readiness: Arc<Readiness>,
}

/// What `/v1/status` tells.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Status {
    pub(crate) version: String,
    pub(crate) pid: u32,
    /// RFC 3339, as all times here.
    pub(crate) started: String,
    pub(crate) uptime_seconds: u64,
    pub(crate) state: State,
    /// Whether it serves, and every plugin has what it waits for.
    pub(crate) ready: bool,
    /// The plugins that wait for something.
    pub(crate) not_ready: Vec<String>,
    pub(crate) configuration: Configuration,
    pub(crate) last_reload: Option<LastReload>,
    pub(crate) fragments_set_aside: Vec<Fragment>,
    pub(crate) listeners: Vec<Listener>,
}

/// How far the process is.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Nothing is answered yet.
    Starting,
    /// Questions are answered.
    Serving,
}

/// The configuration that serves.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Configuration {
    pub(crate) sha512: String,
    pub(crate) since: Option<String>,
}

/// What came of the last reload for which there was a reason.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct LastReload {
    pub(crate) at: String,
    pub(crate) outcome: Became,
    pub(crate) mistakes: Vec<String>,
}

/// A fragment that is not in force as its file has it.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Fragment {
    pub(crate) path: String,
    /// Whether what it said before goes on to hold.
    pub(crate) earlier_serves: bool,
    pub(crate) errors: Vec<String>,
}

/// An address that is listened on.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Listener {
    /// As metrics name it.
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) zones: Vec<String>,
}

impl Situation {
    /// Of a process that serves nothing yet.
    pub(crate) fn new(process: &Process) -> Self {
        let clock = process.clock.clone();
        Self {
            history: Arc::new(History::new(clock.clone())),
            version: process.version,
            began: (clock.now(), clock.unix_seconds()),
            clock,
            serving: ArcSwapOption::empty(),
        }
    }

    /// This configuration serves from now on; without listeners it is about to.
    pub(crate) fn serves(&self, parts: &Parts, listeners: Vec<(SocketAddr, Arc<Router>)>) {
        if !listeners.is_empty() {
            self.history.serves();
        }
        let serving = parts.told.clone().map(|told| Serving {
            hash: hash(&told.content),
            told,
            listeners,
            blocks: parts.blocks.clone(),
            readiness: parts.readiness(),
        });
        self.serving.store(serving.map(Arc::new));
    }

    /// Nothing serves any more.
    pub(crate) fn ends(&self) {
        self.serving.store(None);
    }

    /// The configuration that serves.
    pub(crate) fn serving(&self) -> Option<Arc<Serving>> {
        self.serving.load_full()
    }

    /// All that is told of the process; none where nothing serves.
    pub(crate) fn status(&self) -> Option<Status> {
        let serving = self.serving()?;
        let past = self.history.past();
        let not_ready: Vec<_> =
            serving.readiness.missing_anywhere().into_iter().map(str::to_owned).collect();
        let answers = !serving.listeners.is_empty();
        Some(Status {
            version: self.version.to_owned(),
            pid: std::process::id(),
            started: timestamp(self.began.1),
            uptime_seconds: self.clock.now().since(self.began.0).as_secs(),
            state: if answers { State::Serving } else { State::Starting },
            ready: answers && not_ready.is_empty(),
            not_ready,
            configuration: Configuration {
                sha512: serving.hash.clone(),
                since: past.serves_since.filter(|_| answers).map(timestamp),
            },
            last_reload: past.last.map(last_reload),
            fragments_set_aside: past
                .set_aside
                .into_iter()
                .map(|it| Fragment { path: it.path, earlier_serves: it.earlier, errors: it.errors })
                .collect(),
            listeners: serving.listeners.iter().map(listener).collect(),
        })
    }
}

fn last_reload(Attempt { at, outcome, mistakes }: Attempt) -> LastReload {
    LastReload { at: timestamp(at), outcome, mistakes }
}

fn listener((address, router): &(SocketAddr, Arc<Router>)) -> Listener {
    let zones = router.blocks().iter().map(|block| block.zone.to_string()).collect();
    Listener { name: router.name().to_string(), address: address.to_string(), zones }
}

fn hash(content: &[u8]) -> String {
    let mut text = String::new();
    for octet in digest::digest(&digest::SHA512, content).as_ref() {
        let _ = write!(text, "{octet:02x}"); // writing into a string cannot fail
    }
    text
}

/// Seconds since 1970 as RFC 3339 has them; empty after the year 9999.
fn timestamp(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|it| jiff::Timestamp::from_second(it).ok());
    time.map(|time| time.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_hashes_are_as_others_write_them() {
        assert_eq!(timestamp(1_700_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(timestamp(u64::MAX), "");
        assert!(hash(b"abc").starts_with("ddaf35a193617abacc417349ae204131"));
        assert_eq!(hash(b"").len(), 128);
    }
}
