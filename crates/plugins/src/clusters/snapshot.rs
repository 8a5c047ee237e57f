//! The snapshot of one watch: read at a start without an API server, written while there is one.

use crate::env::Process;
use crate::metrics::{Counter, Exposition, Kind as MetricKind, labels};
use crate::state::StateDirectory;
use chain::Clock;
use cluster::snapshot::{self, CannotWrite, Head, Objects, Unusable};
use cluster::watch::{Settings, Watch};
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::task::spawn_blocking;
use tokio::time::MissedTickBehavior;

/// How old a snapshot may be to deny names. What an older one knows is answered, but it is not for
/// it to say that there is nothing else (decision 0010).
const DENIAL_AGE_MAX: Duration = Duration::from_secs(24 * 3600);

/// A file that is still true is written anew after this, so that its time says so.
const REFRESH: Duration = Duration::from_secs(3600);

/// The snapshot of one watch in the directory that all share.
pub(crate) struct Snapshot {
    directory: Arc<StateDirectory>,
    name: String,
    interval: Duration,
    clock: Arc<dyn Clock>,
    /// The Unix time up to which the file on the disk was true; zero if there is none.
    taken: AtomicU64,
    written: Mutex<Written>,
    refused: [Arc<Counter>; Unusable::NAMES.len()],
    failed: [Arc<Counter>; 2],
}

/// What was written last.
#[derive(Default)]
struct Written {
    revision: Option<u64>,
    /// What went wrong last: the same is not logged again and again.
    complaint: String,
}

const TOO_LARGE: usize = 0;
const IO: usize = 1;

impl Snapshot {
    /// Nothing is read or written yet.
    pub(crate) fn new(
        directory: Arc<StateDirectory>,
        settings: &Settings,
        process: &Process,
    ) -> Arc<Self> {
        let name = snapshot::file_name(&snapshot::identity(settings));
        directory.hold(&name);
        let counter = |metric, help, reason| {
            process.metrics.counter(metric, help, &labels(&[("reason", reason)]))
        };
        let refused = "rutter_kubernetes_snapshots_refused_total";
        let refused_help = "Snapshots that could not be used.";
        let failed = "rutter_kubernetes_snapshot_failures_total";
        let failed_help = "Snapshots that could not be written.";
        Arc::new(Self {
            directory,
            name,
            interval: process.state_interval,
            clock: process.clock.clone(),
            taken: AtomicU64::new(0),
            written: Mutex::default(),
            refused: Unusable::NAMES.map(|reason| counter(refused, refused_help, reason)),
            failed: ["too_large", "io"].map(|reason| counter(failed, failed_help, reason)),
        })
    }

    /// Helps out while the API server is away, then writes what the watch knows again and again.
    pub(super) async fn keep(self: Arc<Self>, watch: Arc<Watch>) {
        let mut serving = self.clone().help_out(&watch).await;
        let it = self.clone();
        // Now, so that an operator need not wait for the first snapshot to learn why there is none.
        let _ = spawn_blocking(move || it.prepare()).await;
        let mut due = tokio::time::interval(self.interval);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        due.tick().await; // the first is at once
        loop {
            if serving {
                watch.listed().await;
                self.say_that_it_is_over(&watch);
                serving = false;
            }
            due.tick().await;
            let (it, watch) = (self.clone(), watch.clone());
            let _ = spawn_blocking(move || it.write_if_changed(&watch)).await;
        }
    }

    /// Restores the snapshot if the API server does not answer; says whether it did.
    async fn help_out(self: Arc<Self>, watch: &Arc<Watch>) -> bool {
        let it = self.clone();
        // What takes time of a snapshot is to see that it is whole. Meanwhile the API server can
        // show whether it is needed, and nothing waits for it that would not have waited anyway.
        let (opened, is_needed) =
            tokio::join!(spawn_blocking(move || it.open()), watch.needs_snapshot());
        let Ok(Some((head, objects))) = opened else { return false };
        self.taken.store(head.taken, Ordering::Relaxed);
        if !is_needed {
            return false;
        }
        let (it, watch) = (self.clone(), watch.clone());
        spawn_blocking(move || it.restore(&watch, &head, objects)).await.unwrap_or(false)
    }

    /// Opens the file and checks it.
    fn open(&self) -> Option<(Head, Objects<File>)> {
        let file = match File::open(self.directory.file(&self.name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            file => file.map_err(Unusable::from),
        };
        file.and_then(snapshot::open).map_err(|why| self.refuse(&why)).ok()
    }

    fn restore(&self, watch: &Watch, head: &Head, objects: Objects<File>) -> bool {
        let age = self.age_of(head.taken);
        let may_deny = age <= DENIAL_AGE_MAX;
        let count = match watch.restore(head, objects, may_deny) {
            Err(why) => {
                self.refuse(&why);
                return false;
            }
            Ok(count) => count,
        };
        let (path, age) = (self.directory.file(&self.name), age.as_secs());
        tracing::warn!(
            target: "plugin/kubernetes",
            "the Kubernetes API does not answer: serving {count} objects of the snapshot {}, which \
             is {age}s old{}",
            path.display(),
            if may_deny { "" } else { " and too old to deny other names" }
        );
        true
    }

    fn say_that_it_is_over(&self, watch: &Watch) {
        if watch.has_dropped_snapshot() {
            self.count_refusal("foreign");
        }
        tracing::info!(
            target: "plugin/kubernetes",
            "the Kubernetes API has told everything: the snapshot is not served any more"
        );
    }

    fn refuse(&self, why: &Unusable) {
        let path = self.directory.file(&self.name);
        tracing::error!(
            target: "plugin/kubernetes",
            "the snapshot {} cannot be used: {why}; starting without",
            path.display()
        );
        self.count_refusal(why.name());
    }

    fn count_refusal(&self, reason: &str) {
        let at = Unusable::NAMES.iter().position(|name| *name == reason);
        if let Some(refused) = at.and_then(|at| self.refused.get(at)) {
            refused.increment(0);
        }
    }

    fn prepare(&self) {
        let prepared = self.directory.prepare(self.now());
        let cleaned = prepared.and_then(|()| self.directory.remove_unfinished(&self.name));
        self.note(cleaned.map_err(CannotWrite::from));
    }

    /// Writes the snapshot unless the file says the same already. Blocks.
    pub(crate) fn write_if_changed(&self, watch: &Watch) {
        // Held throughout: nobody else writes meanwhile.
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let revision = watch.revision();
        let is_fresh = self.age().is_some_and(|age| age < REFRESH);
        if written.revision == Some(revision) && is_fresh {
            return;
        }
        let head = watch.head();
        if written.revision == Some(revision) && head.taken == self.taken.load(Ordering::Relaxed) {
            return; // the API server has said nothing since
        }
        let Some(contents) = watch.contents() else { return };
        let result = self.directory.prepare(self.now()).map_err(CannotWrite::from);
        let result = result.and_then(|()| {
            self.directory.replace(&self.name, |file| {
                snapshot::write(&head, contents.objects(), file).map(|_octets| ())
            })
        });
        if result.is_ok() {
            written.revision = Some(contents.revision());
            self.taken.store(head.taken, Ordering::Relaxed);
        }
        drop(written);
        self.note(result);
    }

    fn note(&self, result: Result<(), CannotWrite>) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let Err(error) = result else {
            written.complaint.clear();
            return;
        };
        let reason = if matches!(error, CannotWrite::TooLarge) { TOO_LARGE } else { IO };
        self.failed[reason].increment(0);
        let text = error.to_string();
        if text != written.complaint {
            tracing::error!(
                target: "plugin/kubernetes",
                "no snapshot in {}: {text}",
                self.directory.file(&self.name).display()
            );
            written.complaint = text;
        }
    }

    /// How old the file on the disk is; none if there is none.
    pub(super) fn age(&self) -> Option<Duration> {
        match self.taken.load(Ordering::Relaxed) {
            0 => None,
            taken => Some(self.age_of(taken)),
        }
    }

    /// A file from the future, by a clock that was set back, counts as new.
    fn age_of(&self, taken: u64) -> Duration {
        Duration::from_secs(self.clock.unix_seconds().saturating_sub(taken))
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.clock.unix_seconds())
    }

    pub(crate) fn collect(&self, watch: &Watch, exposition: &mut Exposition) {
        let of = labels(&[("file", &self.name)]);
        if let Some(age) = self.age() {
            let name = "rutter_kubernetes_snapshot_age_seconds";
            let help = "Time since the snapshot on the disk was true.";
            exposition.family(name, MetricKind::Largest, help).value(&of, age.as_secs());
        }
        let name = "rutter_kubernetes_snapshot_serving";
        let help =
            "Whether answers come from the snapshot, as the API server has not told everything.";
        let serving = u64::from(watch.is_restored());
        exposition.family(name, MetricKind::Largest, help).value(&of, serving);
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.directory.let_go(&self.name);
    }
}
