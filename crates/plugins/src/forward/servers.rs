//! The servers of a line: what survives a reload, and how they stay up to date.

use super::sources::Sources;
use crate::env::Tasks;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, SetOnce};
use tokio::time::{Instant, timeout_at};
use upstream::{Located, Settings, Target, Upstreams};

/// How long a start waits for the addresses of names. Without them it serves all the same.
const FIRST_LOOK_UP: Duration = Duration::from_secs(5);

/// The servers of a line, with their connections, health and counters. A reload keeps them if the
/// line stays the same, whatever its files and names have come to mean.
pub(crate) struct Servers {
    settings: Settings,
    upstreams: OnceLock<Upstreams>,
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

    /// How they are asked.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whom to ask, once started.
    pub(crate) fn upstreams(&self) -> Option<&Upstreams> {
        self.upstreams.get()
    }

    /// Asks the servers of `sources` from now on.
    pub(crate) fn start(self: &Arc<Self>, sources: Sources, runtime: &Handle) {
        self.started.get_or_init(Instant::now);
        let new = || Upstreams::new([], self.settings.clone(), runtime.clone());
        let upstreams = self.upstreams.get_or_init(new);
        if !sources.have_names() {
            upstreams.set_servers(sources.addresses());
        }
        if !sources.can_change() {
            return;
        }
        let resolvers = sources.resolvers();
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
