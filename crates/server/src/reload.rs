//! When a new configuration takes over, and what happens if it cannot.

use crate::admin::history::{Became, History};
use crate::engine::Engine;
use crate::settings::footprint::Footprint;
use crate::settings::fragments::{SetAside, Texts};
use crate::settings::source::{Built, Source};
use aws_lc_rs::digest;
use plugins::metrics::{Counter, Gauge, Registry, labels};
use rand::RngExt;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// What asks for a reload.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// A signal, by its name: reload in any case.
    Signal(&'static str),
    /// The time of `reload` has come: reload if something has changed.
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
}

impl Reloader {
    /// The configuration that the process starts with.
    pub(crate) fn new(
        source: Source,
        built: &Built,
        metrics: &Registry,
        history: Arc<History>,
    ) -> Self {
        let help = "Configurations that were refused, so that the one before serves on.";
        let aside = "Fragments whose files are not in force because they would stop the rest.";
        let reloader = Self {
            source,
            content: built.content.clone(),
            tried: decisive(built).clone(),
            failed: false,
            fragments: built.fragments.clone(),
            set_aside: metrics.gauge("rutter_config_fragments_set_aside", aside, ""),
            failures: metrics.counter("coredns_reload_failed_total", help, ""),
            history,
            version: None,
        };
        reloader.tell_of_fragments(&built.set_aside);
        reloader
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

    /// Returns when it is time to look for changes; never without `reload`.
    pub(crate) async fn due(&self, engine: &Engine) {
        match engine.parts().and_then(|parts| parts.reload) {
            Some((interval, jitter)) => tokio::time::sleep(spread(interval, jitter)).await,
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
        let before = self.source.footprint();
        let built = match engine.build_around(&self.source, &self.fragments) {
            Ok(built) => built,
            Err(error) => {
                self.tried = before;
                let error = format!("cannot read {}: {error}", self.source.name());
                return self.refuse(trigger, &[error]);
            }
        };
        self.tried = decisive(&built).clone();
        if built.is_empty {
            let name = self.source.name();
            let empty =
                format!("{name} is empty: a configuration without a server block is refused");
            return self.refuse(trigger, &[empty]);
        }
        let lines: Vec<_> = built.mistakes.lines(&built.sources).collect();
        let Some(assembly) = built.assembly else { return self.refuse(trigger, &lines) };
        self.tell_of_fragments(&built.set_aside);
        if trigger == Trigger::Poll && !self.failed && built.content == self.content {
            return Outcome::Kept; // another layout of the same
        }
        tracing::info!(target: "rutter", "Reloading");
        for warning in &lines {
            tracing::warn!(target: "rutter", "{warning}");
        }
        if let Err(error) = engine.serve(assembly).await {
            self.tried = built.everything;
            return self.refuse(trigger, &[error.to_string()]);
        }
        self.content = built.content;
        self.fragments = built.fragments;
        self.failed = false;
        self.history.attempted(Became::Reloaded, &lines);
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
    let is_good = built.assembly.is_some() && built.set_aside.is_empty();
    if is_good { &built.text } else { &built.everything }
}

/// The interval, spread by half of the jitter to both sides, so that replicas do not reload at once.
fn spread(interval: Duration, jitter: Duration) -> Duration {
    let half = jitter / 2;
    let share = rand::rng().random_range(0.0..=1.0);
    interval.saturating_sub(half) + jitter.mul_f64(share)
}
