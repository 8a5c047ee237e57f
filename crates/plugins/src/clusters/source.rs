//! Where what is known of a cluster comes from: an API server, or files.

mod told;

use super::snapshot::Snapshot;
use super::stored::Stored;
use crate::env::{Ready, Tasks};
use crate::metrics::{Collect, Exposition, Gauge, Histogram, Kind as MetricKind, labels};
use crate::stamp::Stamp;
use chain::Clock;
use cluster::manifests::{File, Manifests, Mistake};
use cluster::watch::{Settings, Watch};
use cluster::{Cluster, Kind, Model};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::runtime::Handle;

/// How often a directory of manifests is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// The most octets of manifests that are read.
const MANIFESTS_MAX: u64 = 256 << 20;

/// A cluster that is kept up to date. Directives that want the same one share it.
#[expect(clippy::large_enum_variant, reason = "a configuration has one or two")]
pub(crate) enum Source {
    Watched(Watched),
    Files(Files),
    /// Nothing keeps it up to date.
    Stored(Stored),
}

impl Source {
    /// What is known; none until the watch has begun.
    pub(crate) fn cluster(&self) -> Option<&Arc<Cluster>> {
        match self {
            Self::Watched(watched) => watched.watch.get().map(|watch| watch.cluster()),
            Self::Files(files) => Some(&files.cluster),
            Self::Stored(stored) => Some(stored.cluster()),
        }
    }

    /// Begins to keep up, if it has not yet.
    pub(crate) fn start(self: &Arc<Self>, runtime: &Handle) -> Result<(), String> {
        match &**self {
            Self::Watched(watched) => watched.start(runtime),
            Self::Stored(stored) => stored.start(),
            Self::Files(files) => {
                let weak = Arc::downgrade(self);
                files.tasks.restart(runtime, async move {
                    loop {
                        tokio::time::sleep(LOOK).await;
                        let Some(source) = weak.upgrade() else { return };
                        // Reading files must not hold up the questions that wait.
                        let _ = tokio::task::spawn_blocking(move || source.look_again()).await;
                    }
                });
                Ok(())
            }
        }
    }

    /// Returns once everything has been listed.
    pub(crate) async fn synced(&self) {
        if let Self::Watched(watched) = self
            && let Some(watch) = watched.watch.get()
        {
            watch.synced().await;
        }
    }

    /// Writes the snapshot a last time. Blocks.
    pub(crate) fn write_snapshot(&self) {
        if let Self::Watched(Watched { snapshot: Some(snapshot), watch, .. }) = self
            && let Some(watch) = watch.get()
        {
            snapshot.write_if_changed(watch);
        }
    }

    fn look_again(&self) {
        let Self::Files(files) = self else { return };
        let told = files.lock().told.clone();
        let wrong = files.read();
        if wrong != told {
            for mistake in wrong {
                tracing::warn!(target: "plugin/kubernetes", "manifests: {mistake}");
            }
        }
    }
}

impl Ready for Source {
    fn is_ready(&self) -> bool {
        self.cluster().is_some_and(|cluster| cluster.is_synced())
    }
}

/// An API server.
pub(crate) struct Watched {
    settings: Settings,
    watch: OnceLock<Arc<Watch>>,
    programming: Arc<Histogram>,
    host: String,
    /// What outlives the process, if anything shall.
    snapshot: Option<Arc<Snapshot>>,
    tasks: Tasks,
}

impl Watched {
    pub(crate) fn new(settings: Settings, programming: Arc<Histogram>, host: String) -> Self {
        let (watch, snapshot, tasks) = (OnceLock::new(), None, Tasks::default());
        Self { settings, watch, programming, host, snapshot, tasks }
    }

    /// With a snapshot of it on the disk.
    pub(crate) fn with_snapshot(self, snapshot: Option<Arc<Snapshot>>) -> Self {
        Self { snapshot, ..self }
    }

    fn start(&self, runtime: &Handle) -> Result<(), String> {
        if self.watch.get().is_some() {
            return Ok(());
        }
        let programming = self.programming.clone();
        let programmed = move |time| programming.observe(0, time);
        let watch = Watch::start(runtime, self.settings.clone(), programmed)
            .map_err(|error| format!("plugin/kubernetes: {error}"))?;
        let watch = Arc::new(watch);
        if let Some(snapshot) = &self.snapshot {
            self.tasks.spawn(runtime, snapshot.clone().keep(watch.clone()));
        }
        // Configurations start one after the other, so nobody else has set it.
        let _ = self.watch.set(watch);
        Ok(())
    }
}

impl Collect for Source {
    fn collect(&self, exposition: &mut Exposition) {
        let Self::Watched(Watched { watch, host, snapshot, .. }) = self else { return };
        let Some(watch) = watch.get() else { return };
        if let Some(snapshot) = snapshot {
            snapshot.collect(watch, exposition);
        }
        let status = watch.status();
        let help = "Requests to the API server.";
        let name = "coredns_kubernetes_rest_client_requests_total";
        let mut family = exposition.family(name, MetricKind::Counter, help);
        for (code, count) in status.requests() {
            let code = code.to_string();
            let pairs = [("code", code.as_str()), ("host", host), ("method", "GET")];
            family.value(&labels_of(watch, &pairs), count);
        }
        for kind in Kind::ALL.into_iter().filter(|kind| watch.settings().kinds.has(*kind)) {
            collect_resource(watch, kind, exposition);
        }
    }
}

fn collect_resource(watch: &Watch, kind: Kind, exposition: &mut Exposition) {
    let (status, resource) = (watch.status(), kind.name());
    let counts = status.counts(kind);
    let of = labels_of(watch, &[("resource", resource)]);
    let mut count = |name, help, value: u64| {
        exposition.family(name, MetricKind::Counter, help).value(&of, value);
    };
    count("rutter_kubernetes_events_total", "Events of watches, without bookmarks.", counts.events);
    count("rutter_kubernetes_lists_total", "Lists that were read to their end.", counts.lists);
    let help = "Lists that were the beginning of a watch.";
    count("rutter_kubernetes_streamed_lists_total", help, counts.streamed_lists);
    let help = "Objects that could not be read and were left out.";
    count("rutter_kubernetes_skipped_objects_total", help, counts.skipped);
    let name = "rutter_kubernetes_staleness_seconds";
    let help = "Time since the API server last said anything about a resource.";
    if let Some(heard) = status.heard(kind) {
        let age = SystemTime::now().duration_since(heard).unwrap_or_default();
        exposition.family(name, MetricKind::Largest, help).value(&of, age.as_secs_f64());
    }
    let name = "rutter_kubernetes_watch_errors_total";
    let mut errors = exposition.family(name, MetricKind::Counter, "Failures of lists and watches.");
    for (error, value) in counts.errors {
        errors.value(&labels_of(watch, &[("error", error.name()), ("resource", resource)]), value);
    }
}

/// The labels of a sample: those of `k8s_gateway` say so, as it may watch the same kinds as
/// `kubernetes` at the same API server.
fn labels_of(watch: &Watch, pairs: &[(&str, &str)]) -> String {
    let directive = watch.settings().gateway.then_some(("directive", "k8s_gateway"));
    labels(&pairs.iter().copied().chain(directive).collect::<Vec<_>>())
}

/// A directory of manifests.
pub(crate) struct Files {
    directory: PathBuf,
    cluster: Arc<Cluster>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// How much could not be used when the directory was read last.
    mistakes: Arc<Gauge>,
    tasks: Tasks,
}

struct State {
    manifests: Manifests,
    model: Model,
    /// The files as they were read last.
    stamps: BTreeMap<PathBuf, Option<Stamp>>,
    /// What could not be used of them, or why there are none: told once, and not at each look.
    told: Vec<String>,
}

impl Files {
    /// Nothing is read yet.
    pub(crate) fn new(
        directory: PathBuf,
        manifests: Manifests,
        model: Model,
        clock: Arc<dyn Clock>,
        mistakes: Arc<Gauge>,
    ) -> Self {
        Self {
            directory,
            cluster: model.cluster().clone(),
            clock,
            state: Mutex::new(State {
                manifests,
                model,
                stamps: BTreeMap::new(),
                told: Vec::new(),
            }),
            mistakes,
            tasks: Tasks::default(),
        }
    }

    /// Reads the directory if anything in it has changed; tells what could not be used.
    pub(crate) fn read(&self) -> Vec<String> {
        let mut state = self.lock();
        let wrong = match list(&self.directory) {
            Ok(listed) if listed == state.stamps && self.cluster.is_synced() => return Vec::new(),
            Ok(listed) => self.take(listed, &mut state),
            Err(error) => vec![format!("{}: {error}", self.directory.display())],
        };
        self.mistakes.set(wrong.len() as i64);
        state.told.clone_from(&wrong);
        wrong
    }

    /// Takes the files for what the cluster is.
    fn take(&self, listed: BTreeMap<PathBuf, Option<Stamp>>, state: &mut State) -> Vec<String> {
        let (texts, mut wrong) = read_all(listed.keys());
        let files: Vec<_> =
            texts.iter().map(|(path, text)| File { path, text: text.as_deref() }).collect();
        wrong.extend(state.manifests.read(&files).iter().map(Mistake::to_string));
        let events = state.manifests.events();
        state.model.apply(events, self.clock.unix_seconds() as u32);
        state.stamps = listed;
        wrong
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The manifest files of a directory, as they are now.
fn list(directory: &Path) -> std::io::Result<BTreeMap<PathBuf, Option<Stamp>>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("yaml" | "yml" | "json")) && path.is_file() {
            files.insert(path.clone(), Stamp::of(&path));
        }
    }
    Ok(files)
}

/// Each file with its text, if it could be read, and why those could not that were not.
fn read_all<'a>(
    paths: impl Iterator<Item = &'a PathBuf>,
) -> (Vec<(String, Option<String>)>, Vec<String>) {
    let (mut texts, mut wrong) = (Vec::new(), Vec::new());
    let mut room = MANIFESTS_MAX;
    for path in paths {
        let name = path.display().to_string();
        let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let read = if size > room {
            Err("more than 256 MiB of manifests".to_owned())
        } else {
            room -= size;
            std::fs::read_to_string(path).map_err(|error| error.to_string())
        };
        wrong.extend(read.as_ref().err().map(|why| format!("{name}: {why}")));
        texts.push((name, read.ok()));
    }
    (texts, wrong)
}
