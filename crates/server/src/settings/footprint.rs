//! Whether files have changed since they were read.

use plugins::stamp::Stamp;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

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

    /// The directories in which a change of one of them shows: those that it is named in, and those
    /// that it lies in if that was a link.
    pub(crate) fn directories(&self) -> BTreeSet<PathBuf> {
        let mut directories = BTreeSet::new();
        for path in self.stamps.keys() {
            for path in [Some(path.clone()), path.canonicalize().ok()].into_iter().flatten() {
                let is_directory = path.is_dir();
                let directory = if is_directory { Some(path.as_path()) } else { path.parent() };
                let named = directory
                    .map(|path| if path.as_os_str().is_empty() { ".".as_ref() } else { path });
                directories.extend(named.map(Path::to_owned));
            }
        }
        directories
    }

    /// Whether any of them is not as it was.
    pub(crate) fn has_changed(&self) -> bool {
        self.stamps.iter().any(|(path, before)| Stamp::of(path) != *before)
    }
}
