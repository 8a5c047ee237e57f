//! Kubernetes clusters, as several directives need them.
//!
//! **What this is.** Where what is known of a cluster comes from ([`mod@source`]) and what outlives
//! the process ([`mod@snapshot`], in a [`crate::state::StateDirectory`]); the properties that all of
//! them have ([`mod@common`]); and the capability of a directive that knows a cluster, [`Clusters`].
//!
//! **What this is not.** It answers nothing.

pub(crate) mod common;
mod snapshot;
mod source;
mod stored;

pub(crate) use snapshot::Snapshot;
pub(crate) use source::{Files, Source, Watched};
pub(crate) use stored::Stored;

use cluster::{Cluster, View};
use std::sync::Arc;
use std::time::Duration;

/// Somebody who knows a cluster (`kubernetes`).
pub(crate) trait Clusters: Send + Sync {
    /// What is known of it; none until the watch has begun.
    fn cluster(&self) -> Option<&Arc<Cluster>>;

    /// How it is shown: what is hidden here, others should hide as well.
    fn view(&self) -> &View;
}

/// Holds the sockets back until the cluster is known, but not longer than `patience`.
pub(crate) async fn wait_for(source: Arc<Source>, patience: Duration) {
    let mut said = tokio::time::interval(Duration::from_millis(500));
    said.tick().await; // the first is at once
    let waited = tokio::time::timeout(patience, async {
        let synced = source.synced();
        let mut synced = std::pin::pin!(synced);
        loop {
            tokio::select! {
                () = &mut synced => return,
                _ = said.tick() => tracing::info!(
                    target: "plugin/kubernetes",
                    "waiting for Kubernetes API before starting server"
                ),
            }
        }
    });
    if waited.await.is_err() {
        tracing::warn!(
            target: "plugin/kubernetes",
            "starting server with unsynced Kubernetes API"
        );
    }
}
