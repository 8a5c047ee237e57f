//! Whether files have changed since they were read.

use plugins::stamp::Stamp;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Files and directories as they were at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Footprint {
    stamps: BTreeMap<PathBuf, Option<Stamp>>,
}

impl Footprint {
    /// Adds a path as it is now, unless it is there already; what does not exist counts as well.
    ///
    /// Whoever reads the path adds it first: then a change while it is read is one.
    pub(crate) fn add(&mut self, path: PathBuf) {
        self.stamps.entry(path).or_insert_with_key(|path| Stamp::of(path));
    }

    /// Whether any of them is not as it was.
    pub(crate) fn has_changed(&self) -> bool {
        self.stamps.iter().any(|(path, before)| Stamp::of(path) != *before)
    }
}
