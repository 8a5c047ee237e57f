//! What the plugins of the configuration tell about themselves.

use crate::admin::situation::Serving;
use plugins::env::BuiltBlock;
use plugins::inspect::{
    CacheState, ClusterState, InspectCache, InspectCluster, InspectUpstreams, KeptReply,
    UpstreamLine,
};
use serde::Serialize;
use std::sync::Arc;
use wire::{NameBuf, RecordType};

/// What `/v1/upstreams` tells.
#[derive(Serialize)]
pub(super) struct Upstreams {
    lines: Vec<Placed<UpstreamLine>>,
}

/// What `/v1/cache` tells.
#[derive(Serialize)]
pub(super) struct Caches {
    caches: Vec<Placed<Cache>>,
}

/// What `/v1/clusters` tells.
#[derive(Serialize)]
pub(super) struct Clusters {
    clusters: Vec<Placed<Cluster>>,
}

#[derive(Serialize)]
struct Cluster {
    /// The directive that knows it.
    plugin: &'static str,
    #[serde(flatten)]
    state: ClusterState,
}

#[derive(Serialize)]
struct Cache {
    #[serde(flatten)]
    state: CacheState,
    /// If a name was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<Vec<KeptReply>>,
}

/// With the place of the plugin in the configuration: `FILE:LINE`.
#[derive(Serialize)]
struct Placed<T> {
    place: String,
    #[serde(flatten)]
    told: T,
}

impl Upstreams {
    pub(super) fn of(serving: &Serving) -> Self {
        let tellers = tellers::<dyn InspectUpstreams>(serving);
        let lines = tellers.flat_map(|(_, place, teller)| {
            teller.lines().into_iter().map(move |told| Placed { place: place.clone(), told })
        });
        Self { lines: lines.collect() }
    }
}

impl Caches {
    /// With what they have about a name, if one is given.
    pub(super) fn of(serving: &Serving, about: Option<&(NameBuf, RecordType)>) -> Self {
        let caches = tellers::<dyn InspectCache>(serving).map(|(_, place, teller)| {
            let kept = about.map(|(name, rtype)| teller.kept(name.as_name(), *rtype));
            Placed { place, told: Cache { state: teller.state(), kept } }
        });
        Self { caches: caches.collect() }
    }
}

impl Clusters {
    pub(super) fn of(serving: &Serving) -> Self {
        let tellers = tellers::<dyn InspectCluster>(serving);
        let clusters = tellers.map(|(plugin, place, teller)| Placed {
            place,
            told: Cluster { plugin, state: teller.state() },
        });
        Self { clusters: clusters.collect() }
    }
}

/// Who can tell this, and where each stands.
fn tellers<T: ?Sized + 'static>(
    serving: &Serving,
) -> impl Iterator<Item = (&'static str, String, &Arc<T>)> {
    serving.blocks.iter().flat_map(|block| {
        block.whole.get().into_iter().flat_map(move |whole| {
            let offers = whole.capabilities.of::<T>();
            offers.map(|(plugin, teller)| (plugin, place(block, plugin), teller))
        })
    })
}

fn place(block: &BuiltBlock, plugin: &str) -> String {
    let at = block.chain.links().iter().position(|link| link.name == plugin);
    at.and_then(|at| block.places.get(at)).cloned().unwrap_or_default()
}
