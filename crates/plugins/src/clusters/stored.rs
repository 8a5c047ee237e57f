//! A cluster as a snapshot has it, for a configuration that is only tried.

use chain::Clock;
use cluster::snapshot::{self, Unusable};
use cluster::watch::Settings;
use cluster::{Cluster, Event, Kind, Model, Object};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// What a snapshot says: nobody is asked for more, and nothing is written.
pub(crate) struct Stored {
    cluster: Arc<Cluster>,
    /// Why there is nothing.
    refused: Option<String>,
}

impl Stored {
    /// Reads the snapshot that a watch with these settings leaves in `directory`.
    pub(crate) fn read(directory: &Path, settings: &Settings, clock: &dyn Clock) -> Self {
        let mut model = Model::new(settings.kinds).keeping(settings.details);
        let path = directory.join(snapshot::file_name(&snapshot::identity(settings)));
        let refused = match objects(&path) {
            Ok(objects) => {
                let begin = Kind::ALL.into_iter().map(Event::RelistBegin);
                let objects = objects.into_iter().map(Event::Apply);
                let end = Kind::ALL.into_iter().map(Event::RelistEnd);
                model.apply(begin.chain(objects).chain(end), clock.unix_seconds() as u32);
                None
            }
            Err(why) => Some(format!(
                "{}: {why}; a server leaves it there that watches the same cluster for the same \
                 kinds of objects",
                path.display()
            )),
        };
        Self { cluster: model.cluster().clone(), refused }
    }

    /// What is known.
    pub(crate) fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// Fails if there was nothing to read.
    pub(super) fn start(&self) -> Result<(), String> {
        match &self.refused {
            None => Ok(()),
            Some(why) => Err(format!("plugin/kubernetes: {why}")),
        }
    }
}

/// All objects of a snapshot that is whole.
fn objects(path: &Path) -> Result<Vec<Object>, Unusable> {
    let (_, objects) = snapshot::open(File::open(path)?)?;
    objects.collect()
}
