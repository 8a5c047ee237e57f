//! What was logged while a test ran.

use std::fmt::Write;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

/// Collects the events of this thread.
pub(crate) struct Log {
    lines: Lines,
    _here: tracing::subscriber::DefaultGuard,
}

type Lines = Arc<Mutex<Vec<String>>>;

impl Log {
    /// From now on until it is dropped.
    pub(crate) fn here() -> Self {
        let lines = Lines::default();
        let _here = tracing::subscriber::set_default(Collector(lines.clone()));
        Self { lines, _here }
    }

    /// The lines since the last time, as `LEVEL target text`.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap())
    }
}

/// The lines that `work` logs.
pub(crate) fn logged(work: impl FnOnce()) -> Vec<String> {
    let log = Log::here();
    work();
    log.take()
}

struct Collector(Lines);

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("plugin/")
    }

    fn event(&self, event: &Event<'_>) {
        let level = match *event.metadata().level() {
            Level::WARN => "WARNING".to_owned(),
            level => level.to_string(),
        };
        let mut text = Text(format!("{level} {} ", event.metadata().target()));
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, _: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{value:?}").unwrap();
    }
}
