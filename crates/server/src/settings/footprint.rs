//! Whether files have changed since they were read.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Files and directories as they were at one time.
///
/// A ConfigMap that the kubelet swaps (`..data` points to a new directory) changes the inode of each
/// file in it, so that no change is missed, whatever the clock says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Footprint {
    stamps: Vec<(PathBuf, Option<Stamp>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Footprint {
    /// These paths as they are now; what is not there counts as well.
    pub(crate) fn of(mut paths: Vec<PathBuf>) -> Self {
        paths.sort_unstable();
        paths.dedup();
        let stamps = paths.into_iter().map(|path| (stamp(&path), path));
        Self { stamps: stamps.map(|(stamp, path)| (path, stamp)).collect() }
    }

    /// Whether any of them is not as it was.
    pub(crate) fn has_changed(&self) -> bool {
        self.stamps.iter().any(|(path, before)| stamp(path) != *before)
    }
}

fn stamp(path: &PathBuf) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Stamp {
        inode: metadata.ino(),
        size: metadata.size(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
    })
}
