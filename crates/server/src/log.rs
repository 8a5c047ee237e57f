//! Log events as CoreDNS prints them: `[INFO] plugin/kubernetes: text`.

use plugins::lines::Lines;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::field::{Field, Visit};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber, span};

/// Prints events to the lines of the process.
///
/// The target is the prefix if it begins with `plugin/`; the only other one of the project is
/// `rutter`. Of what libraries log, errors are shown.
pub(crate) struct Log {
    lines: Arc<Lines>,
    /// Whether debug lines are printed.
    debug: Arc<AtomicBool>,
}

impl Log {
    /// Prints to `lines`; debug lines while `debug` is set.
    pub(crate) fn new(lines: Arc<Lines>, debug: Arc<AtomicBool>) -> Self {
        Self { lines, debug }
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        match *metadata.level() {
            Level::ERROR => is_ours(metadata) || metadata.is_event(),
            Level::WARN | Level::INFO => is_ours(metadata),
            Level::DEBUG => is_ours(metadata) && self.debug.load(Ordering::Relaxed),
            Level::TRACE => false,
        }
    }

    /// `debug` comes and goes with reloads, so that debug lines are asked for each time.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match *metadata.level() {
            Level::DEBUG if is_ours(metadata) => Interest::sometimes(),
            _ if self.enabled(metadata) => Interest::always(),
            _ => Interest::never(),
        }
    }

    fn event(&self, event: &Event<'_>) {
        let level = match *event.metadata().level() {
            Level::ERROR => "ERROR",
            Level::WARN => "WARNING",
            Level::INFO => "INFO",
            _ => "DEBUG",
        };
        let mut line = format!("[{level}] ");
        let target = event.metadata().target();
        if target.starts_with("plugin/") {
            let _ = write!(line, "{target}: ");
        }
        let mut text = Text(line);
        event.record(&mut text);
        text.0.push('\n');
        self.lines.push(text.0.as_bytes());
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("plugin/") || metadata.target() == "rutter"
}

/// The message, then other fields as `name=value`; line breaks become spaces, so that nobody's
/// text can pretend to be a line of ours.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let begin = self.0.len();
        // Writing into a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
        if self.0[begin..].contains('\n') {
            let cleaned = self.0[begin..].replace('\n', " ");
            self.0.truncate(begin);
            self.0.push_str(&cleaned);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_as_coredns_prints_them() {
        let lines = Lines::new();
        let log = Log::new(lines.clone(), Arc::default());
        tracing::subscriber::with_default(log, || {
            tracing::warn!(target: "plugin/file", "Failed to open {:?}", "db");
            tracing::info!(target: "rutter", "Reloading");
            tracing::debug!(target: "plugin/file", "hidden");
            tracing::info!(target: "hyper", "hidden");
            tracing::warn!(target: "hyper", "hidden");
        });
        assert_eq!(
            lines.take(),
            "[WARNING] plugin/file: Failed to open \"db\"\n[INFO] Reloading\n"
        );
    }

    #[test]
    fn a_reload_switches_debug_lines_on_and_off() {
        let (lines, debug) = (Lines::new(), Arc::<AtomicBool>::default());
        let log = Log::new(lines.clone(), debug.clone());
        tracing::subscriber::with_default(log, || {
            for on in [false, true, false] {
                debug.store(on, Ordering::Relaxed);
                tracing::debug!(target: "plugin/file", "{on}");
            }
        });
        assert_eq!(lines.take(), "[DEBUG] plugin/file: true\n");
    }
}
