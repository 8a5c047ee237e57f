//! What a Corefile may refer to outside of itself: files and environment variables.

/// The world around a Corefile. This crate does no input or output of its own: it asks here.
///
/// Paths are text with `/`. They are absolute, or relative to wherever the path given to
/// [`crate::parse()`] is relative to.
pub trait Surroundings {
    /// The octets of a file.
    fn read(&self, path: &str) -> Result<Vec<u8>, Unreadable>;

    /// The names of everything in a directory, those that begin with a dot included, in any order.
    /// Empty if there is no such directory or it cannot be listed.
    fn list(&self, directory: &str) -> Vec<String>;

    /// The value of an environment variable; `None` if it is not set.
    fn variable(&self, name: &str) -> Option<String>;
}

/// Why a file could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// There is nothing of this name.
    Missing,
    /// It is a directory.
    Directory,
    /// Anything else, in words: `permission denied`.
    Because(String),
}

/// Nothing around: no file and no variable. For texts that stand alone.
impl Surroundings for () {
    fn read(&self, _path: &str) -> Result<Vec<u8>, Unreadable> {
        Err(Unreadable::Missing)
    }

    fn list(&self, _directory: &str) -> Vec<String> {
        Vec::new()
    }

    fn variable(&self, _name: &str) -> Option<String> {
        None
    }
}

/// Something that was looked at while parsing. If it changes, so may the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Consulted {
    /// A file; also one that was not there.
    File {
        /// Its path.
        path: String,
        /// Whether it could be read.
        found: bool,
    },
    /// A directory, listed to find what a pattern matches.
    Directory {
        /// Its path; empty for the one that relative paths begin at.
        path: String,
        /// What the names in it had to match.
        pattern: String,
    },
    /// An environment variable.
    Variable {
        /// Its name.
        name: String,
        /// Whether it was set.
        set: bool,
    },
}
