//! Who keeps the configuration that serves.

use super::archive::{self, Archive, Head, OCTETS_MAX, Unusable};
use chain::Clock;
use plugins::env::{Process, Tasks};
use plugins::files::{Content, Files, Taken};
use plugins::metrics::{Counter, labels};
use plugins::state::StateDirectory;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::MissedTickBehavior;

/// The folder below `-state-dir`. It has a lock of its own.
const FOLDER: &str = "configuration";
/// The file in it.
const NAME: &str = "last-good";

/// Keeps the configuration that serves in a directory.
pub(crate) struct Keeper {
    directory: StateDirectory,
    interval: Duration,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    failed: [Arc<Counter>; CannotKeep::NAMES.len()],
    refused: [Arc<Counter>; Unusable::NAMES.len()],
    tasks: Tasks,
}

#[derive(Default)]
struct State {
    /// Counts configurations: only the last one is kept.
    serving: u64,
    /// What is on the disk: the revision of that one's files.
    kept: Option<u64>,
    /// Whether a file had changed at the last look that nobody had read by then.
    expects_change: bool,
    /// What went wrong last: the same is not logged again and again.
    complaint: String,
}

/// Why a configuration is not kept.
enum CannotKeep {
    /// Its files are too large.
    TooLarge(u64),
    /// A file is not any more what serves.
    Changed(PathBuf),
    Io(io::Error),
}

impl CannotKeep {
    const NAMES: [&'static str; 3] = ["too_large", "changed", "io"];

    fn index(&self) -> usize {
        match self {
            Self::TooLarge(_) => 0,
            Self::Changed(_) => 1,
            Self::Io(_) => 2,
        }
    }
}

impl fmt::Display for CannotKeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(octets) => write!(
                f,
                "its files have {octets} octets, and at most {} MiB are kept",
                OCTETS_MAX >> 20
            ),
            Self::Changed(path) => {
                write!(f, "{} is not any more what it was when it was read", path.display())
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for CannotKeep {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Keeper {
    /// None without `-state-dir`. Nothing is read or written yet.
    pub(crate) fn new(process: &Process) -> Option<Arc<Self>> {
        let directory = StateDirectory::new(process.state_dir.as_ref()?.join(FOLDER));
        let counter = |metric, help, reason| {
            process.metrics.counter(metric, help, &labels(&[("reason", reason)]))
        };
        let failed = "rutter_config_keep_failures_total";
        let failed_help = "How often the configuration that serves could not be kept.";
        let refused = "rutter_config_kept_refused_total";
        let refused_help = "Kept configurations that could not be used.";
        Some(Arc::new(Self {
            directory,
            interval: process.state_interval,
            clock: process.clock.clone(),
            state: Mutex::default(),
            failed: CannotKeep::NAMES.map(|reason| counter(failed, failed_help, reason)),
            refused: Unusable::NAMES.map(|reason| counter(refused, refused_help, reason)),
            tasks: Tasks::default(),
        }))
    }

    /// What was kept, if it can be used; if it cannot, that is told. Blocks.
    pub(crate) fn open(&self) -> Option<Archive> {
        let path = self.directory.file(NAME);
        match self.find() {
            Ok(found) => found,
            Err(why) => {
                self.refused[why.index()].increment(0);
                let path = path.display();
                tracing::error!(
                    target: "rutter",
                    "the kept configuration {path} cannot be used: {why}"
                );
                None
            }
        }
    }

    fn find(&self) -> Result<Option<Archive>, Unusable> {
        match File::open(self.directory.file(NAME)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => Archive::open(file?).map(Some),
        }
    }

    /// Keeps these files of the configuration that serves from now on, and again when they have
    /// changed.
    pub(crate) fn follow(self: &Arc<Self>, runtime: &Handle, corefile: &str, files: Arc<Files>) {
        let serving = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            (state.serving, state.kept) = (state.serving + 1, None);
            state.serving
        };
        let (weak, corefile) = (Arc::downgrade(self), Arc::<str>::from(corefile));
        let mut due = tokio::time::interval(self.interval);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.tasks.restart(runtime, async move {
            loop {
                due.tick().await; // the first is at once
                let Some(keeper) = weak.upgrade() else { return };
                let (corefile, files) = (corefile.clone(), files.clone());
                let keep = move || keeper.keep(serving, &corefile, &files);
                // A disk may be slow; nobody who answers waits for it.
                let _ = spawn_blocking(keep).await;
            }
        });
    }

    /// Writes what has changed since it was kept, if `serving` serves still.
    fn keep(&self, serving: u64, corefile: &str, files: &Files) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let revision = files.revision();
        if state.serving != serving || state.kept == Some(revision) {
            return;
        }
        match self.replace(corefile, &files.taken()) {
            Ok(()) => {
                (state.kept, state.expects_change) = (Some(revision), false);
                state.complaint.clear();
            }
            // Its plugin will read it soon, and then it is what serves.
            Err(CannotKeep::Changed(_)) if !state.expects_change => state.expects_change = true,
            Err(why) => {
                self.failed[why.index()].increment(0);
                let text = why.to_string();
                if text != state.complaint {
                    let path = self.directory.file(NAME);
                    tracing::error!(
                        target: "rutter",
                        "the configuration that serves is not kept in {}: {text}",
                        path.display()
                    );
                    state.complaint = text;
                }
            }
        }
    }

    fn replace(&self, corefile: &str, taken: &Taken) -> Result<(), CannotKeep> {
        let now = self.clock.unix_seconds();
        self.directory.prepare(SystemTime::UNIX_EPOCH + Duration::from_secs(now))?;
        self.directory.remove_unfinished(NAME)?;
        let head = Head::new(corefile, taken, now);
        if head.octets() > OCTETS_MAX {
            return Err(CannotKeep::TooLarge(head.octets()));
        }
        // One that cannot be used is as good as none here.
        let before = self.find().ok().flatten();
        if before.as_ref().is_some_and(|before| head.is_of_the_same(before.head())) {
            return Ok(());
        }
        self.directory.replace(NAME, |out| {
            archive::write(&head, |path| octets(path, taken, before.as_ref()), out)
        })?;
        tracing::info!(
            target: "rutter",
            "Kept the configuration that serves: {} files with {} octets in {}",
            head.files.len(),
            head.octets(),
            self.directory.file(NAME).display()
        );
        Ok(())
    }
}

/// The octets that the configuration took of a file: they may still be known, on the disk, or in
/// what was kept before.
fn octets(path: &Path, taken: &Taken, before: Option<&Archive>) -> Result<Vec<u8>, CannotKeep> {
    let changed = || CannotKeep::Changed(path.to_owned());
    let content = taken.files.get(path).ok_or_else(changed)?;
    if let Some(text) = &content.text {
        return Ok(text.to_vec());
    }
    let mut octets = Vec::new();
    // One octet more, to see that it has not grown.
    let read =
        File::open(path).and_then(|file| file.take(content.length + 1).read_to_end(&mut octets));
    if read.is_ok() && is_of(&octets, content) {
        return Ok(octets);
    }
    before.and_then(|before| before.read_if(path, content)).ok_or_else(changed)
}

fn is_of(octets: &[u8], content: &Content) -> bool {
    octets.len() as u64 == content.length && Content::of(octets).sha256 == content.sha256
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::serve::new_engine;
    use plugins::lines::Lines;
    use tokio::runtime::Builder;

    /// What a configuration has taken of one file with these octets.
    fn taken(path: &Path, octets: &[u8]) -> Taken {
        let mut taken = Taken::default();
        taken.files.insert(path.to_owned(), Content::of(octets));
        taken
    }

    #[test]
    fn what_is_kept_is_what_was_taken_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Builder::new_current_thread().build().unwrap();
        let mut engine = new_engine(Lines::new(), Arc::default(), runtime.handle(), 53);
        engine.process.state_dir = Some(folder.path().join("state"));
        let keeper = Keeper::new(&engine.process).unwrap();
        let file = folder.path().join("zone");
        std::fs::write(&file, "one").unwrap();
        assert!(keeper.replace("Corefile", &taken(&file, b"one")).is_ok());
        let kept = |keeper: &Keeper| {
            let archive = keeper.open()?;
            plugins::files::Copied::read(&archive, &file).ok()
        };
        assert_eq!(kept(&keeper).unwrap(), b"one");

        std::fs::write(&file, "two").unwrap();
        let other = keeper.replace("Corefile", &taken(&file, b"six"));
        assert!(matches!(other, Err(CannotKeep::Changed(path)) if path == file));
        // What is not on the disk any more may be in what was kept.
        assert!(keeper.replace("another", &taken(&file, b"one")).is_ok());
        assert_eq!(keeper.open().unwrap().corefile(), "another");
        assert_eq!(kept(&keeper).unwrap(), b"one");

        let mut large = taken(&file, b"two");
        for content in large.files.values_mut() {
            content.length = OCTETS_MAX + 1;
        }
        let refused = keeper.replace("Corefile", &large);
        assert!(matches!(refused, Err(CannotKeep::TooLarge(octets)) if octets > OCTETS_MAX));
        assert_eq!(kept(&keeper).unwrap(), b"one");
    }
}
