//! When a configuration takes over, and what happens if it cannot: at a start the one that was kept
//! serves ([`crate::last_good`]), later the one before.

use crate::admin::history::{Became, History};
use crate::commands::serve::banner;
use crate::commands::{complain, stderr_has_colors};
use crate::engine::{CannotServe, Engine};
use crate::last_good::{Archive, Keeper, Status};
use crate::settings::footprint::Footprint;
use crate::settings::fragments::{SetAside, Texts};
use crate::settings::source::{Built, Source};
use crate::settings::watcher::Watcher;
use aws_lc_rs::digest;
use plugins::env::Process;
use plugins::files::{Copied, Files};
use plugins::go_duration;
use plugins::metrics::{Counter, Gauge, labels};
use rand::RngExt;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What asks for a reload.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// A signal, by its name: reload in any case.
    Signal(&'static str),
    /// The time of `reload` has come, or something was heard: reload if something has changed.
    Poll,
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The new configuration serves.
    Reloaded,
    /// The old one serves on: nothing has changed, or the new one is no good.
    Kept,
}

/// Knows what serves, and what was tried last.
pub(crate) struct Reloader {
    source: Source,
    /// What the configuration that serves says.
    content: Vec<u8>,
    /// The files that decided the last attempt. After a failure these are also the files that were
    /// read while building: one of them may be what was missing.
    tried: Footprint,
    failed: bool,
    /// The texts of the fragments that serve.
    fragments: Texts,
    set_aside: Arc<Gauge>,
    failures: Arc<Counter>,
    history: Arc<History>,
    /// The metric that says which configuration serves; it ends with what holds it.
    version: Option<Arc<Gauge>>,
    keeper: Option<Arc<Keeper>>,
    status: Status,
    watcher: Watcher,
}

/// What comes next at a start on a configuration that was refused: nothing, or the kept one.
type Refused = Option<Archive>;

impl Reloader {
    /// Nothing serves yet.
    pub(crate) fn new(source: Source, process: &Process, history: Arc<History>) -> Self {
        let help = "Configurations that were refused, so that the one before serves on.";
        let aside = "Fragments whose files are not in force because they would stop the rest.";
        Self {
            fragments: Texts::new(),
            set_aside: process.metrics.gauge("rutter_config_fragments_set_aside", aside, ""),
            tried: source.footprint(),
            source,
            content: Vec::new(),
            failed: false,
            failures: process.metrics.counter("coredns_reload_failed_total", help, ""),
            history,
            version: None,
            keeper: Keeper::new(process),
            status: Status::new(process),
            watcher: Watcher::default(),
        }
    }

    /// Serves what the source says or, if that is refused, what was kept; the banner. What is wrong
    /// goes to stderr.
    pub(crate) async fn begin(&mut self, engine: &mut Engine) -> Result<String, ()> {
        match self.begin_with_source(engine).await {
            Ok(banner) => Ok(banner),
            Err(None) => Err(()),
            Err(Some(kept)) => self.begin_with_kept(engine, kept).await,
        }
    }

    async fn begin_with_source(&mut self, engine: &mut Engine) -> Result<String, Refused> {
        let (files, name) = (self.files(), self.source.name().to_owned());
        let built = match engine.build_aside(&self.source, &files, None).await {
            Ok(built) => built,
            Err(error) => {
                complain(&format!("loading Corefile via flag: open {name}: {error}\n"));
                return Err(self.kept().await);
            }
        };
        if !built.mistakes.is_empty() {
            complain(&built.mistakes.render(&built.sources, stderr_has_colors()));
        }
        self.status.wants(built.hash);
        self.tried = built.everything.clone();
        let mut built = match built.assembly {
            Some(_) => built,
            None => {
                let wrong: Vec<_> = built.mistakes.lines(&built.sources).collect();
                let around = self.around_fragments(engine, &files).await;
                around.inspect_err(|_| self.history.attempted(Became::Refused, &wrong))?
            }
        };
        let Some(assembly) = built.assembly.take() else { return Err(None) };
        if built.is_empty
            && !self.source.is_default()
            && let Some(kept) = self.kept().await
        {
            complain(&format!("{}\n", empty(&name)));
            return Err(Some(kept));
        }
        let banner = banner(&assembly.servers);
        if let Err(error) = engine.serve(assembly).await {
            complain(&format!("{error}\n"));
            // Another configuration cannot help where a port is taken.
            let may_help = matches!(error, CannotServe::Plugin(_));
            return Err(if may_help { self.kept().await } else { None });
        }
        self.tried = decisive(&built).clone();
        self.serves(engine, built, files);
        Ok(banner)
    }

    /// What was kept is whole, and so better than what can be built without some fragments.
    async fn around_fragments(
        &self,
        engine: &Engine,
        files: &Arc<Files>,
    ) -> Result<Built, Refused> {
        if let Some(kept) = self.kept().await {
            return Err(Some(kept));
        }
        let built = engine.build_aside(&self.source, files, Some(Texts::new())).await;
        built.map_err(|_| None)
    }

    /// A configuration has begun to serve.
    fn serves(&mut self, engine: &Engine, built: Built, files: Arc<Files>) {
        self.tell_of_fragments(&built.set_aside);
        self.status.serves(built.hash, built.desired);
        // What is kept is what serves with all of its files.
        if !built.is_empty && built.set_aside.is_empty() {
            self.keep(engine, files);
        }
        self.content = built.content;
        self.fragments = built.fragments;
        self.failed = false;
    }

    /// Names the fragments that are not in force.
    fn tell_of_fragments(&self, set_aside: &[SetAside]) {
        self.set_aside.set(set_aside.len() as i64);
        self.history.set_aside(set_aside);
        for SetAside { path, earlier, errors } in set_aside {
            let instead = if *earlier {
                "what it said when last it was good serves on"
            } else {
                "nothing of it is in force"
            };
            tracing::error!(target: "rutter", "{path} is set aside: {instead}; the rest serves");
            for error in errors {
                tracing::error!(target: "rutter", "{error}");
            }
        }
    }

    /// All files come from what was kept: a configuration of two times is one that nobody wrote.
    async fn begin_with_kept(&mut self, engine: &mut Engine, kept: Archive) -> Result<String, ()> {
        let kept = Arc::new(kept);
        let text = kept.read(Path::new(kept.corefile())).unwrap_or_default();
        let source = Source::given(kept.corefile(), text);
        let built = engine.build_aside(&source, &Files::copied(kept.clone()), None).await;
        let Ok(Built {
            assembly: Some(assembly), mistakes, sources, hash, content, fragments, ..
        }) = built
        else {
            complain("the kept configuration is refused as well:\n");
            if let Ok(built) = built {
                complain(&built.mistakes.render(&built.sources, stderr_has_colors()));
            }
            return Err(());
        };
        for line in mistakes.lines(&sources) {
            tracing::warn!(target: "rutter", "{line}");
        }
        for path in kept.changed_secrets() {
            let path = path.display();
            tracing::warn!(target: "rutter", "{path} is not as it was when the configuration was kept");
        }
        let banner = banner(&assembly.servers);
        self.status.serves_kept(hash, kept.kept());
        if let Err(error) = engine.serve(assembly).await {
            complain(&format!("the kept configuration cannot serve: {error}\n"));
            return Err(());
        }
        let age = engine.process.clock.unix_seconds().saturating_sub(kept.kept());
        tracing::error!(
            target: "rutter",
            "{} is refused: serving the configuration that was kept {} ago instead, all of its {} files",
            self.source.name(),
            go_duration(Duration::from_secs(age)),
            kept.count(),
        );
        (self.content, self.fragments, self.failed) = (content, fragments, true);
        Ok(banner)
    }

    /// The kept configuration, if there is one that can be used.
    async fn kept(&self) -> Option<Archive> {
        let keeper = self.keeper.clone()?;
        tokio::task::spawn_blocking(move || keeper.open()).await.ok()?
    }

    /// Those of the disk, noted if they may have to be kept.
    fn files(&self) -> Arc<Files> {
        Files::disk(self.keeper.is_some() && !self.source.is_default())
    }

    fn keep(&self, engine: &Engine, files: Arc<Files>) {
        if let Some(keeper) = self.keeper.as_ref().filter(|_| !self.source.is_default()) {
            keeper.follow(&engine.runtime, self.source.name(), files);
        }
    }

    /// Says which configuration serves, if it has `reload`.
    pub(crate) fn announce(&mut self, engine: &Engine) {
        self.version = None; // nobody serves it any more
        if engine.parts().is_none_or(|parts| parts.reload.is_none()) {
            return;
        }
        let hash = digest::digest(&digest::SHA512, &self.content);
        let mut value = String::new();
        for octet in hash.as_ref() {
            let _ = write!(value, "{octet:02x}"); // writing into a string cannot fail
        }
        tracing::info!(target: "plugin/reload", "Running configuration SHA512 = {value}");
        let labels = labels(&[("hash", "sha512"), ("value", &value)]);
        let help = "The configuration that serves.";
        let version = engine.process.metrics.gauge("coredns_reload_version_info", help, &labels);
        version.set(1);
        self.version = Some(version);
    }

    /// Returns when it is time to look for changes; without `reload` only while a kept configuration
    /// serves.
    pub(crate) async fn due(&mut self, engine: &Engine) {
        // While a kept configuration serves, what should serve is waited for in any case.
        let waiting = self.status.is_kept().then_some(LOOK_EVERY);
        match engine.parts().and_then(|parts| parts.reload).or(waiting) {
            Some((interval, jitter)) => {
                // What has changed before anybody listened was not heard.
                let listens_anew = self.watcher.listen_to(self.tried.directories());
                if listens_anew && self.tried.has_changed() {
                    return;
                }
                tokio::select! {
                    () = tokio::time::sleep(spread(interval, jitter)) => {}
                    () = self.watcher.changed() => {}
                }
            }
            None => std::future::pending().await,
        }
    }

    /// Reloads if there is a reason to. The old configuration answers until the new one does.
    pub(crate) async fn reload(&mut self, engine: &mut Engine, trigger: Trigger) -> Outcome {
        if trigger == Trigger::Poll && !self.tried.has_changed() {
            return Outcome::Kept;
        }
        if let Trigger::Signal(name) = trigger {
            tracing::info!(target: "rutter", "{name}: Reloading");
        }
        let (before, files) = (self.source.footprint(), self.files());
        let good = Some(self.fragments.clone());
        let mut built = match engine.build_aside(&self.source, &files, good).await {
            Ok(built) => built,
            Err(error) => {
                self.tried = before;
                self.status.refused(0);
                let error = format!("cannot read {}: {error}", self.source.name());
                return self.refuse(trigger, &[error]);
            }
        };
        self.tried = decisive(&built).clone();
        if built.is_empty {
            self.status.refused(built.hash);
            return self.refuse(trigger, &[empty(self.source.name())]);
        }
        let lines: Vec<_> = built.mistakes.lines(&built.sources).collect();
        let Some(assembly) = built.assembly.take() else {
            self.status.refused(built.hash);
            return self.refuse(trigger, &lines);
        };
        if trigger == Trigger::Poll && !self.failed && built.content == self.content {
            self.tell_of_fragments(&built.set_aside);
            self.status.serves(built.hash, built.desired);
            return Outcome::Kept; // another layout of the same
        }
        tracing::info!(target: "rutter", "Reloading");
        for warning in &lines {
            tracing::warn!(target: "rutter", "{warning}");
        }
        let swapped = match engine.serve(assembly).await {
            Ok(swapped) => swapped,
            Err(error) => {
                self.tried = built.everything;
                self.status.refused(built.hash);
                return self.refuse(trigger, &[error.to_string()]);
            }
        };
        tracing::info!(target: "rutter", "{swapped}");
        if self.status.is_kept() {
            let name = self.source.name();
            tracing::info!(target: "rutter", "{name} serves, and the kept configuration no more");
        }
        self.history.attempted(Became::Reloaded, &lines);
        self.serves(engine, built, files);
        tracing::info!(target: "rutter", "Reloading complete");
        Outcome::Reloaded
    }

    fn refuse(&mut self, trigger: Trigger, reasons: &[String]) -> Outcome {
        self.failed = true;
        self.failures.increment(0);
        self.history.attempted(Became::Refused, reasons);
        for reason in reasons {
            tracing::error!(target: "rutter", "Restart failed: {reason}");
        }
        match trigger {
            Trigger::Signal(name) => {
                tracing::error!(target: "rutter", "{name}: the configuration before serves on");
            }
            Trigger::Poll => tracing::error!(
                target: "plugin/reload",
                "Corefile changed but reload failed: the configuration before serves on"
            ),
        }
        Outcome::Kept
    }
}

/// The files that can change what came of building: those with text, and after mistakes also those
/// that plugins read.
fn decisive(built: &Built) -> &Footprint {
    let is_good = built.mistakes.errors() == 0 && built.set_aside.is_empty();
    if is_good { &built.text } else { &built.everything }
}

/// How often a refused configuration is tried again while a kept one serves that has no `reload`, and
/// how far apart replicas do so.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(15));

fn empty(name: &str) -> String {
    format!("{name} is empty: a configuration without a server block is refused")
}

/// The interval, spread by half of the jitter to both sides, so that replicas do not reload at once.
fn spread(interval: Duration, jitter: Duration) -> Duration {
    let half = jitter / 2;
    let share = rand::rng().random_range(0.0..=1.0);
    interval.saturating_sub(half) + jitter.mul_f64(share)
}
