//! What the plugins of a block can do with its Kubernetes cluster.

use cluster::{Cluster, View};
use std::sync::Arc;

/// Somebody who knows a cluster (`kubernetes`).
pub(crate) trait Clusters: Send + Sync {
    /// What is known of it; none until the watch has begun.
    fn cluster(&self) -> Option<&Arc<Cluster>>;

    /// How it is shown: what is hidden here, others should hide as well.
    fn view(&self) -> &View;
}
