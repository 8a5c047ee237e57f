//! Whether files have changed since they were read.

use plugins::stamp::Stamp;
use std::path::PathBuf;

/// Files and directories as they were at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Footprint {
    stamps: Vec<(PathBuf, Option<Stamp>)>,
}

impl Footprint {
    /// These paths as they are now; what is not there counts as well.
    pub(crate) fn of(mut paths: Vec<PathBuf>) -> Self {
        paths.sort_unstable();
        paths.dedup();
        let stamps = paths.into_iter().map(|path| (Stamp::of(&path), path));
        Self { stamps: stamps.map(|(stamp, path)| (path, stamp)).collect() }
    }

    /// Whether any of them is not as it was.
    pub(crate) fn has_changed(&self) -> bool {
        self.stamps.iter().any(|(path, before)| Stamp::of(path) != *before)
    }
}
