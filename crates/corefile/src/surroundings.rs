//! What a Corefile may refer to outside of itself: files and environment variables.

/// The world around a Corefile. This crate does no input or output of its own: it asks here.
/// Whatever it asks for decides what the configuration says.
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
