//! `errors`: logs why questions failed.
//!
//! A failure is logged once, where it arose: if the target of a CNAME cannot be resolved, then under
//! the name of the target and by the block that serves it, or else by the first block on the way
//! back that has this directive.

mod config;

use crate::directive::{Built, Directive};
use crate::env::{Env, Tasks};
use crate::go_duration;
use chain::{Exchange, Plugin};
use config::{Config, Consolidation};
use corefile::{Accepted, Block, Mistakes};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// The directive and the plugin.
pub(crate) struct Errors {
    tallies: Arc<[Tally]>,
    tasks: Tasks,
}

impl Directive for Errors {
    const NAME: &'static str = "errors";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        Config::read(block)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        let tallies = config.consolidations.into_iter().map(Tally::new).collect();
        let errors = Arc::new(Self { tallies, tasks: Tasks::default() });
        let starting = errors.clone();
        env.on_start(move |runtime| starting.start(runtime));
        Ok(Some(Box::new(errors)))
    }
}

impl Plugin for Errors {
    fn response(&self, x: &mut Exchange) {
        let Some(failure) = x.failure() else { return };
        if !failure.is_logged() || x.is_failure_logged() {
            return;
        }
        let text = failure.to_string();
        let tally = self.tallies.iter().find(|tally| tally.like.pattern.is_match(text.as_bytes()));
        let level = match tally {
            Some(tally) if tally.count() && tally.like.show_first => Some(tally.like.level),
            Some(_) => None,
            None => Some(Level::Error),
        };
        if let Some(level) = level {
            let (rcode, question) = (x.reply.rcode.0, &x.question);
            level.log(format_args!("{rcode} {} {}: {text}", question.name(), question.rtype));
        }
        x.failure_logged();
    }
}

impl Errors {
    fn start(&self, runtime: &Handle) {
        for index in 0..self.tallies.len() {
            let tallies = self.tallies.clone();
            self.tasks.spawn(runtime, async move { tallies[index].tell().await });
        }
    }
}

/// What was counted is told even if its time is not over.
impl Drop for Errors {
    fn drop(&mut self) {
        for tally in &*self.tallies {
            tally.summarise();
        }
    }
}

/// The errors of one kind in the current period.
struct Tally {
    like: Consolidation,
    count: AtomicU64,
    /// Told by the first error of a period.
    begun: Notify,
}

impl Tally {
    fn new(like: Consolidation) -> Self {
        Self { like, count: AtomicU64::new(0), begun: Notify::new() }
    }

    /// Counts an error; whether it is the first of a period.
    fn count(&self) -> bool {
        let first = self.count.fetch_add(1, Relaxed) == 0;
        if first {
            self.begun.notify_one();
        }
        first
    }

    /// Logs the number of each period at its end.
    async fn tell(&self) {
        loop {
            self.begun.notified().await;
            tokio::time::sleep(self.like.period).await;
            self.summarise();
        }
    }

    fn summarise(&self) {
        let Consolidation { period, text, level, show_first, .. } = &self.like;
        let count = self.count.swap(0, Relaxed);
        if count == 0 || (count == 1 && *show_first) {
            return;
        }
        let period = go_duration(*period);
        level.log(format_args!("{count} errors like '{text}' occurred in last {period}"));
    }
}

/// How loud a line is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Level {
    Error,
    Warning,
    Info,
    Debug,
}

impl Level {
    const WORDS: &[(&str, Self)] = &[
        ("warning", Self::Warning),
        ("error", Self::Error),
        ("info", Self::Info),
        ("debug", Self::Debug),
    ];

    fn log(self, line: fmt::Arguments<'_>) {
        match self {
            Self::Error => tracing::error!(target: "plugin/errors", "{line}"),
            Self::Warning => tracing::warn!(target: "plugin/errors", "{line}"),
            Self::Info => tracing::info!(target: "plugin/errors", "{line}"),
            Self::Debug => tracing::debug!(target: "plugin/errors", "{line}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Rig, logged};
    use std::time::Duration;

    #[test]
    fn a_failure_is_logged_with_code_name_and_type() {
        let rig = Rig::new(
            "test {\n errors\n canned {\n fail read udp: i/o timeout\n }\n}\n\
             quiet.test {\n errors\n canned {\n rcode SERVFAIL\n }\n}\n\
             none {\n errors\n}",
        );
        let lines = logged(|| {
            rig.ask("WWW.x.test AAAA");
            rig.ask("www.test TYPE999");
            rig.ask("quiet.test A"); // a server said so; nothing failed here
            rig.ask("www.none A"); // a block without an answer for anybody
            rig.ask("elsewhere A");
        });
        assert_eq!(
            lines,
            [
                "ERROR plugin/errors 2 www.x.test. AAAA: read udp: i/o timeout",
                "ERROR plugin/errors 2 www.test. TYPE999: read udp: i/o timeout",
                "ERROR plugin/errors 2 www.none. A: plugin/errors: no next plugin found",
            ]
        );
    }

    #[test]
    fn a_failure_behind_a_cname_is_logged_once() {
        let rig = Rig::new(
            "one {\n errors\n canned {\n chase target.two\n }\n}\n\
             two {\n errors\n canned {\n fail broken\n }\n}\n\
             three {\n errors\n canned {\n chase target.four\n }\n}\n\
             four {\n canned {\n fail broken\n }\n}",
        );
        let lines = logged(|| {
            rig.ask("www.one A");
            rig.ask("www.three A");
        });
        assert_eq!(
            lines,
            [
                "ERROR plugin/errors 2 target.two. A: broken",
                "ERROR plugin/errors 2 www.three. A: broken",
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn many_of_a_kind_are_one_line() {
        let mut rig = Rig::new(
            "test {\n errors {\n consolidate 1m ^a warning\n consolidate 2s \"^[ab]\" show_first\n }\n\
             canned {\n fail_as_first_label\n }\n}",
        );
        let log = crate::testing::Log::here();
        rig.start();
        for name in ["a1", "a2", "b1", "b2", "c1"] {
            rig.ask(&format!("{name}.test A"));
        }
        assert_eq!(
            log.take(),
            ["ERROR plugin/errors 2 b1.test. A: b1", "ERROR plugin/errors 2 c1.test. A: c1"]
        );
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(log.take(), ["ERROR plugin/errors 2 errors like '^[ab]' occurred in last 2s"]);
        // A lone error that was shown needs no summary; the period begins with the next one.
        rig.ask("b3.test A");
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(
            log.take(),
            [
                "ERROR plugin/errors 2 b3.test. A: b3",
                "WARNING plugin/errors 2 errors like '^a' occurred in last 1m0s"
            ]
        );
        rig.ask("a3.test A");
        drop(rig);
        assert_eq!(log.take(), ["WARNING plugin/errors 1 errors like '^a' occurred in last 1m0s"]);
    }
}
