//! Hears of changed files, so that nobody has to look for them all the time.

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep, sleep_until};

/// The most directories that are listened to; in others changes are found by looking.
const DIRECTORIES_MAX: usize = 64;
/// How long nothing must happen: who replaces one file often replaces another behind it.
const QUIET: Duration = Duration::from_millis(100);
/// How long that is waited for.
const LONGEST: Duration = Duration::from_secs(1);

/// Listens to directories.
///
/// A file that is replaced by a rename, as the kubelet replaces `..data` and editors replace files, is
/// another file; only its directory tells. A single file that is mounted (`subPath`) never changes.
#[derive(Default)]
pub(crate) struct Watcher {
    directories: BTreeSet<PathBuf>,
    inotify: Option<AsyncFd<OwnedFd>>,
}

impl Watcher {
    /// Listens to these directories from now on; whether they are others than before.
    ///
    /// Where that cannot be, `changed` never returns.
    pub(crate) fn listen_to(&mut self, directories: BTreeSet<PathBuf>) -> bool {
        if directories == self.directories {
            return false;
        }
        self.inotify = open(&directories).ok();
        self.directories = directories;
        true
    }

    /// Returns soon after something has changed in one of the directories.
    pub(crate) async fn changed(&self) {
        if self.heard().await.is_err() {
            return std::future::pending().await;
        }
        let longest = Instant::now() + LONGEST;
        loop {
            tokio::select! {
                _ = self.heard() => {}
                () = sleep(QUIET) => return,
                () = sleep_until(longest) => return,
            }
        }
    }

    /// Returns once there was something to hear. What it was does not matter.
    async fn heard(&self) -> io::Result<()> {
        let Some(inotify) = &self.inotify else { return std::future::pending().await };
        let mut events = [0; 4096];
        loop {
            let mut ready = inotify.readable().await?;
            match ready.try_io(|inotify| Ok(rustix::io::read(inotify, &mut events)?)) {
                Ok(read) => return read.map(|_octets| ()),
                Err(_would_block) => {}
            }
        }
    }
}

fn open(directories: &BTreeSet<PathBuf>) -> io::Result<AsyncFd<OwnedFd>> {
    let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    let events = WatchFlags::CLOSE_WRITE
        | WatchFlags::CREATE
        | WatchFlags::DELETE
        | WatchFlags::MOVED_FROM
        | WatchFlags::MOVED_TO
        | WatchFlags::ATTRIB
        | WatchFlags::DELETE_SELF
        | WatchFlags::MOVE_SELF
        | WatchFlags::ONLYDIR;
    for directory in directories.iter().take(DIRECTORIES_MAX) {
        // One that is not there, or not for us, is found by looking.
        let _ = inotify::add_watch(&inotify, directory, events);
    }
    #[expect(deprecated, reason = "its successor is unsafe; an `OwnedFd` is what it must be")]
    AsyncFd::new(inotify)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_change_is_heard_and_others_are_not() {
        let [here, elsewhere] = [0; 2].map(|_| tempfile::tempdir().unwrap());
        let mut watcher = Watcher::default();
        let soon = Duration::from_millis(300);
        assert!(timeout(soon, watcher.changed()).await.is_err(), "there is nothing to hear");
        let directories = BTreeSet::from([here.path().to_owned(), "/nowhere".into()]);
        assert!(watcher.listen_to(directories.clone()));
        assert!(!watcher.listen_to(directories));
        fs::write(elsewhere.path().join("file"), "").unwrap();
        assert!(timeout(soon, watcher.changed()).await.is_err());
        let file = here.path().join("file");
        for _ in 0..3 {
            fs::write(&file, "").unwrap();
            fs::rename(&file, here.path().join("other")).unwrap();
            let heard = timeout(LONGEST * 5, watcher.changed()).await;
            assert!(heard.is_ok());
            assert!(timeout(soon, watcher.changed()).await.is_err(), "once is enough");
        }
    }
}
