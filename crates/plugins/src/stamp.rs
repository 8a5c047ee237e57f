//! Whether a file has changed since it was read.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A file as it was at one time.
///
/// A ConfigMap that the kubelet swaps (`..data` points to a new directory) changes the inode of each
/// file in it, so that no change is missed, whatever the clock says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// The file as it is now; none if it is not there.
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }

    /// When it was changed last, in seconds since 1970.
    pub fn modified_seconds(&self) -> i64 {
        self.modified.0
    }
}
