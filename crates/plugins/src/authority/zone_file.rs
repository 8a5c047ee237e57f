//! A zone that follows its file.

use crate::env::{Env, Tasks};
use crate::files::{Content, Files};
use crate::handover::{Announce, Announcer};
use crate::stamp::Stamp;
use arc_swap::{ArcSwapOption, Guard};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use wire::NameBuf;
use zone::{Include, Included, Loaded, Mistakes, Source, Zone};

/// A zone file and the zone that was made of it last.
pub(crate) struct ZoneFile {
    origin: NameBuf,
    path: PathBuf,
    zone: ArcSwapOption<Zone>,
    read: Mutex<Read>,
    tasks: Tasks,
}

/// What was read last, good or bad.
#[derive(Default)]
struct Read {
    /// The file and those that it includes.
    files: Vec<(PathBuf, Option<Stamp>)>,
    texts: Vec<Vec<u8>>,
    /// What was noted of the texts, if anybody wants to know.
    noted: Vec<Option<Content>>,
    /// Whether it was a zone.
    is_good: bool,
}

/// Why there is no zone.
pub(crate) enum NoZone {
    /// The file cannot be read.
    Unreadable(io::Error),
    /// It is no zone.
    Mistakes(Mistakes),
}

/// What came of looking at a file.
pub(crate) enum Seen {
    /// It is as it was.
    Same,
    /// There is a new zone, perhaps with something odd about it.
    Loaded(Mistakes),
}

impl ZoneFile {
    /// Not read yet.
    pub(crate) fn new(origin: NameBuf, path: PathBuf) -> Self {
        let (zone, read, tasks) = (ArcSwapOption::empty(), Mutex::default(), Tasks::default());
        Self { origin, path, zone, read, tasks }
    }

    /// The zone's apex, in lower case.
    pub(crate) fn origin(&self) -> &NameBuf {
        &self.origin
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The zone, once it was loaded.
    pub(crate) fn zone(&self) -> Guard<Option<Arc<Zone>>> {
        self.zone.load()
    }

    /// Reads the file if it, or one that it includes, is not as it was, or was no zone. The old zone
    /// stays until there is a new one.
    pub(crate) fn load(&self, files: &Files) -> Result<Seen, NoZone> {
        let mut before = self.lock();
        if before.is_good && before.is_untouched(files) {
            before.note(files);
            return Ok(Seen::Same);
        }
        let mut read = Read::default();
        let loaded = self.read(&mut read, files);
        let same = before.is_good && read.texts == before.texts;
        read.is_good = loaded.is_ok();
        *before = read;
        before.note(files);
        if same {
            return Ok(Seen::Same);
        }
        let Loaded { zone, warnings } = loaded?;
        let old = self.zone.swap(Some(Arc::new(zone)));
        drop(before);
        old.iter().for_each(outlast);
        Ok(Seen::Loaded(warnings))
    }

    fn read(&self, read: &mut Read, files: &Files) -> Result<Loaded, NoZone> {
        let text = read.file(&self.path, files).map_err(NoZone::Unreadable)?;
        let name = self.path.to_string_lossy();
        let source = Source {
            file: &name,
            text: &text,
            origin: self.origin.as_name(),
            // CoreDNS refuses a record without any TTL. Old zone files have such records, so they
            // get what the SOA record says, or an hour (with a warning).
            ttl: Some(3600),
        };
        let mut find = |include: Include<'_>| {
            let path = Path::new(include.from).parent().unwrap_or(Path::new("")).join(include.path);
            let text = read.file(&path, files).map_err(|error| error.to_string())?;
            Ok(Included { file: path.display().to_string(), text })
        };
        zone::load(self.origin.as_name(), source, &mut find).map_err(NoZone::Mistakes)
    }

    /// Looks for changes from time to time, and tells the log and who wants to know.
    pub(crate) fn watch(
        self: &Arc<Self>,
        runtime: &Handle,
        every: Duration,
        (to, files): (Announcer, Arc<Files>),
    ) {
        let file = Arc::downgrade(self);
        self.tasks.restart(runtime, async move {
            loop {
                tokio::time::sleep(every).await;
                let Some(file) = file.upgrade() else { return };
                let (to, files) = (to.clone(), files.clone());
                // A large zone must not hold up the questions that wait.
                let look = move || file.load_and_tell(&to, &files);
                let _ = tokio::task::spawn_blocking(look).await;
            }
        });
    }

    /// Tells who wants to know that the zone is there, if it is.
    pub(crate) fn announce(&self, to: &impl Announce) {
        if self.zone().is_some() {
            to.changed(&self.origin);
        }
    }

    /// Loads if there is a change, and logs what came of it: what is wrong is told once. Another
    /// serial is announced.
    pub(crate) fn load_and_tell(&self, to: &impl Announce, files: &Files) {
        let mut read = self.lock();
        if read.is_untouched(files) {
            read.note(files);
            return;
        }
        drop(read);
        let serial = |zone: &Guard<Option<Arc<Zone>>>| zone.as_ref().map(|zone| zone.serial());
        let before = serial(&self.zone());
        self.load_and_log(files);
        if serial(&self.zone()) != before {
            self.announce(to);
        }
    }

    fn load_and_log(&self, files: &Files) {
        let (origin, path) = (self.origin.to_string(), self.path.display().to_string());
        match self.load(files) {
            Ok(Seen::Same) => {}
            Ok(Seen::Loaded(warnings)) => {
                let zone = self.zone.load();
                let serial = zone.as_ref().map_or(0, |zone| zone.serial());
                tracing::info!(
                    target: "plugin/file",
                    "Successfully reloaded zone {origin:?} in {path:?} with {serial} SOA serial"
                );
                for warning in warnings.iter() {
                    tracing::warn!(target: "plugin/file", "{warning}");
                }
            }
            Err(NoZone::Unreadable(error)) => {
                tracing::error!(
                    target: "plugin/file",
                    "Failed to open zone {origin:?} in {path:?}: {error}"
                );
            }
            Err(NoZone::Mistakes(mistakes)) => {
                for mistake in mistakes.iter() {
                    tracing::error!(
                        target: "plugin/file",
                        "Failed to load zone {origin:?}: {mistake}"
                    );
                }
            }
        }
    }

    /// The files that decide what the zone is.
    pub(crate) fn note_read(&self, env: &mut Env<'_>) {
        let read = self.lock();
        env.note_read(read.files.iter().map(|(path, _)| path.clone()));
    }

    fn lock(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until those who answer from a replaced zone at this moment are through: to free a large one
/// takes long, and none of them shall be the last to hold it. A zone transfer may.
fn outlast(old: &Arc<Zone>) {
    const PATIENCE: usize = 100;
    for _ in 0..PATIENCE {
        if Arc::strong_count(old) == 1 {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

impl Read {
    /// Whether the files are as they were; not before something was read.
    fn is_untouched(&self, files: &Files) -> bool {
        let is_untouched = |(path, stamp): &(PathBuf, Option<Stamp>)| files.stamp(path) == *stamp;
        !self.files.is_empty() && self.files.iter().all(is_untouched)
    }

    /// Reads a file and remembers that, and how it was.
    fn file(&mut self, path: &Path, files: &Files) -> io::Result<Vec<u8>> {
        self.files.push((path.to_owned(), files.stamp(path)));
        let text = files.read(path)?;
        self.texts.push(text.clone());
        Ok(text)
    }

    /// Notes that the configuration is made of these files, if they are a zone.
    fn note(&mut self, files: &Files) {
        if !self.is_good {
            return;
        }
        let paths = self.files.iter().map(|(path, _)| path);
        if self.noted.is_empty() {
            let noted = paths.zip(&self.texts).map(|(path, text)| files.note(path, text));
            self.noted = noted.collect();
            return;
        }
        for (path, content) in paths.zip(&self.noted) {
            if let Some(content) = content {
                files.note_again(path, content);
            }
        }
    }
}

impl From<NoZone> for String {
    fn from(no: NoZone) -> Self {
        match no {
            NoZone::Unreadable(error) => error.to_string(),
            NoZone::Mistakes(mistakes) => {
                let first = mistakes.iter().next().map(ToString::to_string);
                first.unwrap_or_default()
            }
        }
    }
}
