//! Keeping up with an API server.
//!
//! **What this is.** [`Watch`] lists and then watches the resources that answers are made of, with
//! `kube` for connections and credentials and a list-and-watch engine of its own: it decodes one
//! object at a time straight into the model, so that a list of any size costs the memory of one
//! page, and a relist merges into what is there.
//!
//! **What this is not.** No general client: it reads a few resources and writes nothing.
//!
//! **Where to start reading.** [`Watch::start`], then `resource`, the life of one resource:
//!
//! ```text
//!        ┌─────────────────── failure: wait ───────────────────┐
//!        ▼                                                      │
//!     streaming list ─── bookmark: it is complete ───┐          │
//!        │ refused, for a while                      ▼          │
//!        └────► list page by page ── all pages ──► watch ── 410, silence
//!                                                  ▲   │
//!                                                  └───┘ end, or a failure and a wait:
//!                                                        resume at the last version, if the
//!                                                        server still knows what we know
//! ```

mod backoff;
mod connect;
mod encoding;
mod failure;
mod follow;
mod frames;
mod history;
mod recovery;
mod request;
mod resource;
mod restore;
mod settings;
mod shared;
mod status;

pub use connect::ConnectError;
pub use failure::ErrorKind;
pub use settings::{Server, Settings, Timing, TlsFiles, Transfer};
pub use status::{Counts, Status};

use crate::cluster::Cluster;
use crate::objects::Kind;
use resource::Resource;
use shared::Shared;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// The target of log events: operators know what happens here by the name of the directive.
const LOG: &str = "plugin/kubernetes";

/// A cluster that is being watched. Dropping it stops everything that it started; what is known
/// stays with those who hold the [`Cluster`].
///
/// Directives whose [`Settings`] are equal can share one, across reloads too.
pub struct Watch {
    shared: Arc<Shared>,
    synced: watch::Receiver<bool>,
    _tasks: JoinSet<()>,
}

impl Watch {
    /// Reads the credentials and starts to watch; requests are made on `runtime`.
    ///
    /// `programmed` is called for each change of a headless service that a watch has told, with
    /// the time that passed from its cause until it was visible here: the observations of
    /// `coredns_kubernetes_dns_programming_duration_seconds`.
    ///
    /// An API server that cannot be reached is no error, but credentials that cannot be read are.
    pub fn start(
        runtime: &Handle,
        settings: Settings,
        programmed: impl Fn(Duration) + Send + Sync + 'static,
    ) -> Result<Self, ConnectError> {
        let _context = runtime.enter();
        let client = connect::client(&settings.server)?;
        let (announce, synced) = watch::channel(false);
        let shared = Arc::new(Shared::new(settings, client, announce, Box::new(programmed)));
        let mut tasks = JoinSet::new();
        let watched = shared.settings.kinds;
        for kind in Kind::ALL.into_iter().filter(|kind| watched.has(*kind)) {
            tasks.spawn_on(keep_watching(kind, shared.clone()), runtime);
        }
        let looking = shared.clone();
        tasks.spawn_on(async move { looking.look_for_returns().await }, runtime);
        Ok(Self { shared, synced, _tasks: tasks })
    }

    /// What is known.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.shared.cluster
    }

    /// What it was started with.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// How it gets on.
    pub fn status(&self) -> &Status {
        &self.shared.status
    }

    /// Waits until every watched kind has been listed once.
    pub async fn synced(&self) {
        // The sender lives as long as `self`.
        let _ = self.synced.clone().wait_for(|synced| *synced).await;
    }
}

/// Watches a resource for as long as this is not dropped.
///
/// A bug that ends in a panic costs a wait and a new list, not the knowledge of all that changes
/// from then on: nothing else would tell that a task has gone.
async fn keep_watching(kind: Kind, shared: Arc<Shared>) {
    loop {
        let mut resource = JoinSet::new();
        resource.spawn(Resource::new(kind, shared.clone()).run());
        if let Some(Err(panicked)) = resource.join_next().await {
            tracing::error!(
                target: LOG,
                "watching *v1.{} ended by a bug and begins anew: {panicked}",
                kind.name()
            );
        }
        sleep(shared.settings.timing.retry_max).await;
    }
}
