//! Where the files of a configuration come from, and what it has taken of them.
//!
//! **What this is.** The one way of plugins to a file that decides what is answered. The files are
//! those of the disk, or all of them those of a copy that was kept of an earlier configuration; so
//! that a configuration is never made of both. What was taken from the disk is noted, so that a copy
//! can be kept.
//!
//! **What this is not.** It knows no format of a copy and writes none. What is known of a cluster
//! (`kubernetes`, its manifests) is no file of a configuration.

use crate::stamp::Stamp;
use aws_lc_rs::digest::{SHA256, digest};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The files of one configuration.
pub struct Files {
    copy: Option<Arc<dyn Copied>>,
    notes: bool,
    taken: Mutex<Taken>,
    revision: AtomicU64,
}

/// A copy of all files of a configuration.
pub trait Copied: Send + Sync {
    /// The octets of a file; an error of the kind `NotFound` if there was none.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Every file that it has, in order.
    fn paths(&self) -> Vec<PathBuf>;

    /// The value that an environment variable had; none if it was not set, or not asked for.
    fn variable(&self, name: &str) -> Option<String>;
}

/// What a configuration has taken from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Files, as they were when they were taken.
    pub files: BTreeMap<PathBuf, Content>,
    /// Files with keys or tokens in them, which are not for anybody to copy.
    pub secrets: BTreeSet<PathBuf>,
    /// Environment variables that the Corefile names, and that were set.
    pub variables: BTreeMap<String, String>,
}

/// What a file said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// How many octets.
    pub length: u64,
    /// Their digest.
    pub sha256: [u8; 32],
    /// The octets themselves, of what need not be on the disk any more.
    pub text: Option<Arc<[u8]>>,
}

impl Content {
    /// What these octets are; without the octets.
    pub fn of(octets: &[u8]) -> Self {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, octets).as_ref());
        Self { length: octets.len() as u64, sha256, text: None }
    }
}

impl Files {
    /// Those of the disk; `notes` says whether anybody wants to know what is taken of them.
    pub fn disk(notes: bool) -> Arc<Self> {
        Arc::new(Self { notes, ..Self::empty() })
    }

    /// Those of a copy. They stay as they are for as long as the configuration serves.
    pub fn copied(copy: Arc<dyn Copied>) -> Arc<Self> {
        Arc::new(Self { copy: Some(copy), ..Self::empty() })
    }

    fn empty() -> Self {
        Self { copy: None, notes: false, taken: Mutex::default(), revision: AtomicU64::new(0) }
    }

    /// The copy, if they are those of one.
    pub fn copy(&self) -> Option<&dyn Copied> {
        self.copy.as_deref()
    }

    /// Goes into the keys of state that was made of files: what was made of a copy is never taken for
    /// what is on the disk, nor the other way round.
    pub(crate) fn origin(&self) -> &'static str {
        if self.copy.is_some() { "copy" } else { "disk" }
    }

    /// Whether they may change while the configuration serves.
    pub(crate) fn can_change(&self) -> bool {
        self.copy.is_none()
    }

    /// The octets of a file. Whoever uses them says so with [`Files::note`].
    pub(crate) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match &self.copy {
            Some(copy) => copy.read(path),
            None => std::fs::read(path),
        }
    }

    /// A file as it is now; none if it is not there, or in a copy.
    pub(crate) fn stamp(&self, path: &Path) -> Option<Stamp> {
        if self.copy.is_some() { None } else { Stamp::of(path) }
    }

    /// The files below a directory in a copy; none if they are those of the disk.
    pub(crate) fn copied_below(&self, directory: &Path) -> Option<Vec<PathBuf>> {
        let mut paths = self.copy.as_ref()?.paths();
        paths.retain(|path| path.starts_with(directory));
        Some(paths)
    }

    /// Whether the directory is there, as far as anybody can know of one in a copy.
    pub(crate) fn has_directory(&self, path: &Path) -> bool {
        self.copy.is_some() || path.is_dir()
    }

    /// Notes that the configuration is made of these octets of a file; what was noted.
    pub(crate) fn note(&self, path: &Path, octets: &[u8]) -> Option<Content> {
        let content = self.notes.then(|| Content::of(octets))?;
        self.note_again(path, &content);
        Some(content)
    }

    /// Notes what was noted by the configuration before.
    pub(crate) fn note_again(&self, path: &Path, content: &Content) {
        self.change(|taken| {
            taken.files.insert(path.to_owned(), content.clone()).as_ref() != Some(content)
        });
    }

    /// Notes a text of the Corefile, which is remembered.
    pub fn note_text(&self, path: &Path, octets: &[u8]) {
        if self.notes {
            self.note_again(path, &Content { text: Some(octets.into()), ..Content::of(octets) });
        }
    }

    /// Notes the value of an environment variable.
    pub fn note_variable(&self, name: &str, value: &str) {
        self.change(|taken| taken.variables.insert(name.to_owned(), value.to_owned()).is_none());
    }

    /// Notes files with keys or tokens in them.
    pub(crate) fn note_secrets(&self, paths: impl IntoIterator<Item = PathBuf>) {
        self.change(|taken| {
            let before = taken.secrets.len();
            taken.secrets.extend(paths);
            taken.secrets.len() != before
        });
    }

    /// Notes that the configuration is not made of this file any more.
    pub(crate) fn forget(&self, path: &Path) {
        self.change(|taken| taken.files.remove(path).is_some());
    }

    fn change(&self, change: impl FnOnce(&mut Taken) -> bool) {
        if self.notes && change(&mut self.lock()) {
            self.revision.fetch_add(1, Ordering::Release);
        }
    }

    /// What was taken until now.
    pub fn taken(&self) -> Taken {
        self.lock().clone()
    }

    /// Another number after each change of [`Files::taken`].
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_is_a_change() {
        let files = Files::disk(true);
        let path = Path::new("a");
        let mut last = files.revision();
        let mut changed = || std::mem::replace(&mut last, files.revision()) != files.revision();
        let content = files.note(path, b"1").unwrap();
        assert!(changed());
        files.note_again(path, &content);
        files.note(path, b"1");
        assert!(!changed());
        files.note(path, b"2");
        assert!(changed());
        files.forget(path);
        assert!(changed());
        files.forget(path);
        assert!(!changed());
        assert_eq!(Files::disk(false).note(path, b"1"), None);
    }
}
