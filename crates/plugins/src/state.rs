//! A directory that outlives the process (`-state-dir`): files that are there whole or not at all.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// How long a file that nobody uses any more is kept: the settings may come back.
const UNUSED_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// How many of them are kept.
const UNUSED_MAX: usize = 8;
/// Holds the lock of the one process that writes into a directory.
const LOCK: &str = "lock";
/// What a file is called until it is whole.
const UNFINISHED: &str = ".tmp";

/// A directory that one process at a time writes into.
///
/// Two pods on one node may share it while one replaces the other; the one that came first
/// writes until it ends.
pub struct StateDirectory {
    path: PathBuf,
    /// Open, and locked, once it is ours; the system takes the lock back however the process ends.
    lock: Mutex<Option<File>>,
    in_use: Mutex<BTreeSet<String>>,
}

impl StateDirectory {
    /// Nothing is looked at or made yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, lock: Mutex::default(), in_use: Mutex::default() }
    }

    /// Where a file of this name is.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Keeps a file from being removed as unused until [`StateDirectory::let_go`].
    pub fn hold(&self, name: &str) {
        lock(&self.in_use).insert(name.to_owned());
    }

    /// Lets it be removed.
    pub fn let_go(&self, name: &str) {
        lock(&self.in_use).remove(name);
    }

    /// Makes the directory and sees that it is ours; removes what nobody needs any more.
    pub fn prepare(&self, now: SystemTime) -> io::Result<()> {
        let mut held = lock(&self.lock);
        if held.is_none() {
            fs::create_dir_all(&self.path)?;
            let file = options().truncate(false).create(true).open(self.path.join(LOCK))?;
            file.try_lock().map_err(|error| match error {
                TryLockError::WouldBlock => io::Error::new(
                    io::ErrorKind::WouldBlock,
                    "another process writes into the directory",
                ),
                TryLockError::Error(error) => error,
            })?;
            *held = Some(file);
        }
        drop(held);
        self.remove_unused(now)
    }

    /// Removes what a killed process has left of a file of this name.
    pub fn remove_unfinished(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.unfinished(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn unfinished(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}{UNFINISHED}"))
    }

    /// Puts what `write` writes into the place of a file. Until all of it is on the disk the old
    /// one stays, and after an error nothing is left of the new one.
    pub fn replace<E: From<io::Error>>(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> Result<(), E>,
    ) -> Result<(), E> {
        // It may also be a link that somebody put there.
        self.remove_unfinished(name)?;
        let unfinished = self.unfinished(name);
        let result = write_whole(&unfinished, write).and_then(|()| {
            fs::rename(&unfinished, self.path.join(name))?;
            Ok(File::open(&self.path)?.sync_all()?) // of the directory: the new name
        });
        if result.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        result
    }

    /// Removes unfinished files, and snapshots of settings that no configuration has any more.
    fn remove_unused(&self, now: SystemTime) -> io::Result<()> {
        let in_use = lock(&self.in_use).clone();
        let mut unused = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let of_ours = name.strip_suffix(UNFINISHED).unwrap_or(&name);
            // Nothing that somebody else has put here is touched.
            if !of_ours.starts_with("kubernetes-") || !of_ours.ends_with(".snapshot") {
                continue;
            }
            // One in use may be being written at this moment, and is replaced in any case.
            if in_use.contains(of_ours) {
                continue;
            }
            let changed = entry.metadata()?.modified()?;
            let is_unfinished = name.ends_with(UNFINISHED);
            unused.push((is_unfinished, std::cmp::Reverse(changed), entry.path()));
        }
        unused.sort_unstable();
        for (index, (is_unfinished, changed, path)) in unused.iter().enumerate() {
            let age = now.duration_since(changed.0).unwrap_or_default();
            if *is_unfinished || index >= UNUSED_MAX || age > UNUSED_AGE_MAX {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

fn write_whole<E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), E>,
) -> Result<(), E> {
    let mut file = BufWriter::with_capacity(1 << 16, options().create_new(true).open(path)?);
    write(&mut file)?;
    file.flush()?;
    Ok(file.get_ref().sync_all()?)
}

/// Names and addresses of a cluster are nobody else's business.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "kubernetes-0.snapshot";

    fn put(directory: &StateDirectory, name: &str, text: &str) -> io::Result<()> {
        directory.replace(name, |file| file.write_all(text.as_bytes()))
    }

    fn names(path: &Path) -> Vec<String> {
        let entries = fs::read_dir(path).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let directory = StateDirectory::new(folder.path().join("a/b"));
        directory.prepare(SystemTime::UNIX_EPOCH).unwrap();
        put(&directory, NAME, "old").unwrap();
        let full = directory.replace(NAME, |file| {
            file.write_all(b"new")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert_eq!(full.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_to_string(directory.file(NAME)).unwrap(), "old");
        assert_eq!(names(&directory.path), [NAME, LOCK]);
    }

    #[test]
    fn what_a_killed_process_left_is_no_obstacle_and_a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let directory = StateDirectory::new(folder.path().join("state"));
        directory.prepare(SystemTime::UNIX_EPOCH).unwrap();
        let other = folder.path().join("other");
        fs::write(&other, "precious").unwrap();
        let unfinished = directory.file("kubernetes-0.snapshot.tmp");
        std::os::unix::fs::symlink(&other, &unfinished).unwrap();
        put(&directory, NAME, "new").unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "precious");
        assert_eq!(fs::read_to_string(directory.file(NAME)).unwrap(), "new");
        fs::write(&unfinished, "half").unwrap();
        directory.prepare(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(names(&directory.path), [NAME, LOCK]);
    }

    #[test]
    fn one_process_at_a_time_writes() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = [0; 2].map(|_| StateDirectory::new(folder.path().to_owned()));
        one.prepare(SystemTime::UNIX_EPOCH).unwrap();
        one.prepare(SystemTime::UNIX_EPOCH).unwrap();
        let refused = other.prepare(SystemTime::UNIX_EPOCH).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        drop(one);
        other.prepare(SystemTime::UNIX_EPOCH).unwrap();
    }

    #[test]
    fn the_directory_does_not_grow() {
        let folder = tempfile::tempdir().unwrap();
        let directory = StateDirectory::new(folder.path().to_owned());
        let now = SystemTime::UNIX_EPOCH + UNUSED_AGE_MAX * 100;
        for age in 0..20 {
            let path = directory.file(&format!("kubernetes-{age:02}.snapshot"));
            let file = File::create(path).unwrap();
            file.set_modified(now - UNUSED_AGE_MAX / 4 * age).unwrap();
        }
        for foreign in ["kubernetes-x", "notes.snapshot"] {
            File::create(directory.file(foreign))
                .unwrap()
                .set_modified(SystemTime::UNIX_EPOCH)
                .unwrap();
        }
        directory.hold("kubernetes-19.snapshot");
        directory.prepare(now).unwrap();
        let kept = |ages: &[u32]| {
            let ours = ages.iter().map(|age| format!("kubernetes-{age:02}.snapshot"));
            ours.chain(["kubernetes-x", LOCK, "notes.snapshot"].map(str::to_owned))
                .collect::<Vec<_>>()
        };
        assert_eq!(names(folder.path()), kept(&[0, 1, 2, 3, 4, 19]));
        directory.let_go("kubernetes-19.snapshot");
        directory.prepare(now).unwrap();
        assert_eq!(names(folder.path()), kept(&[0, 1, 2, 3, 4]));
        for many in 10..30 {
            put(&directory, &format!("kubernetes-{many}.snapshot"), "").unwrap();
        }
        directory.prepare(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(names(folder.path()).len(), UNUSED_MAX + 3);
    }
}
