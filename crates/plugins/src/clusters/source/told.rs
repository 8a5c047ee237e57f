//! What operators are told about where cluster data come from.

use super::{Files, Source, Watched};
use crate::inspect::{ClusterResource, ClusterState, InspectCluster};
use cluster::Kind;
use cluster::watch::Watch;
use std::time::SystemTime;

impl InspectCluster for Source {
    fn state(&self) -> ClusterState {
        match self {
            Self::Watched(watched) => of_watch(watched),
            Self::Files(files) => of_files(files),
            // A configuration that is only tried is told to nobody.
            Self::Stored(stored) => ClusterState {
                source: "snapshot".to_owned(),
                synced: stored.cluster().is_synced(),
                serves_snapshot: true,
                snapshot_age_seconds: None,
                mistakes: Vec::new(),
                resources: Vec::new(),
            },
        }
    }
}

fn of_watch(Watched { watch, host, snapshot, .. }: &Watched) -> ClusterState {
    let watch = watch.get();
    ClusterState {
        source: host.clone(),
        synced: watch.is_some_and(|watch| watch.cluster().is_synced()),
        serves_snapshot: watch.is_some_and(|watch| watch.is_restored()),
        snapshot_age_seconds: snapshot.as_ref().and_then(|it| it.age()).map(|age| age.as_secs()),
        mistakes: Vec::new(),
        resources: watch.map(|watch| resources(watch)).unwrap_or_default(),
    }
}

fn of_files(files: &Files) -> ClusterState {
    ClusterState {
        source: files.directory.display().to_string(),
        synced: files.cluster.is_synced(),
        serves_snapshot: false,
        snapshot_age_seconds: None,
        mistakes: files.lock().told.clone(),
        resources: Vec::new(),
    }
}

fn resources(watch: &Watch) -> Vec<ClusterResource> {
    let watched = Kind::ALL.into_iter().filter(|kind| watch.settings().kinds.has(*kind));
    let resource = |kind: Kind| {
        let counts = watch.status().counts(kind);
        let age = |heard| SystemTime::now().duration_since(heard).unwrap_or_default();
        ClusterResource {
            resource: kind.name(),
            age_seconds: watch.status().heard(kind).map(|heard| age(heard).as_secs_f64()),
            events: counts.events,
            lists: counts.lists,
            skipped: counts.skipped,
            errors: counts.errors.iter().map(|(_, count)| count).sum(),
        }
    };
    watched.map(resource).collect()
}
