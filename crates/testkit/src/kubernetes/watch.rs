//! A watch: what a client is told, and when.

use super::resource::Resource;
use super::selector::Selector;
use super::serve::Refusal;
use super::store::{Gone, event_of};
use super::{Condition, Shared, State, Streaming, lock};
use crate::http;
use serde_json::{Value, json};
use std::io;
use std::net::TcpStream;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// How often an idle watch gets a bookmark. A real server sends one a minute.
const BOOKMARKS: Duration = Duration::from_secs(1);
/// How long a watch lasts whose client says nothing of it.
const LASTS: Duration = Duration::from_secs(1800);
/// What a watch gets that shall not be readable: a name that is no text.
const GARBAGE: &str = r#"{"type":"ADDED","object":{"metadata":{"name":{"no":"text"}}}}"#;

/// A watch that goes on.
pub(super) struct Watch<'a> {
    shared: &'a Shared,
    resource: &'static Resource,
    selector: Selector,
    /// The generation of the server in which it was asked for; it ends with it.
    generation: u64,
    ends: Instant,
    /// Changes up to and with this version have been told.
    version: u64,
    bookmarks: bool,
    /// How many pieces of garbage were sent before it.
    garbage: u64,
    /// What is told before any change.
    first: Vec<Value>,
}

/// What there is to tell.
enum News {
    Events(Vec<Value>),
    Garbage,
    /// The history does not reach back to what the client knows.
    Gone,
    End,
}

impl<'a> Watch<'a> {
    /// A watch of one resource as a request asks for it, with a list in front if it `streams` one.
    pub(super) fn begin(
        shared: &'a Shared,
        state: &State,
        (resource, selector): (&'static Resource, Selector),
        request: &http::Request,
    ) -> Self {
        let number = |key| request.parameter(key).and_then(|text| text.parse().ok());
        let lasts = number("timeoutSeconds").map_or(LASTS, Duration::from_secs);
        let since = number("resourceVersion").filter(|&version| version > 0);
        let streams = request.says("sendInitialEvents");
        let mut watch = Self {
            shared,
            resource,
            selector,
            generation: state.generation,
            ends: Instant::now() + lasts,
            version: since.unwrap_or_default(),
            bookmarks: request.says("allowWatchBookmarks"),
            garbage: state.garbage,
            first: Vec::new(),
        };
        // Without a version to go on from, a watch begins with everything that there is.
        if streams || since.is_none() {
            watch.version = state.store.version();
            watch.first = watch.everything(state);
        }
        if streams {
            watch.first.push(match state.streaming {
                Streaming::Broken => error_of(&Refusal::no_progress()),
                _ => watch.bookmark(&json!({"k8s.io/initial-events-end": "true"})),
            });
        }
        watch
    }

    /// Tells the client until the time is over, the watch is cut or the client has gone.
    pub(super) fn run(mut self, mut stream: &TcpStream) -> io::Result<()> {
        http::respond_in_chunks(&mut stream)?;
        let mut send = |line: &str| http::chunk(&mut stream, &format!("{line}\n"));
        for event in std::mem::take(&mut self.first) {
            send(&event.to_string())?;
        }
        loop {
            match self.next() {
                News::Events(events) => {
                    events.iter().try_for_each(|event| send(&event.to_string()))?;
                }
                News::Garbage => send(GARBAGE)?,
                News::Gone => {
                    send(&error_of(&Refusal::gone()).to_string())?;
                    break;
                }
                News::End => break,
            }
        }
        http::chunk(&mut stream, "")
    }

    /// Waits for something to tell.
    fn next(&mut self) -> News {
        let mut state = lock(&self.shared.state);
        loop {
            if state.generation != self.generation || Instant::now() >= self.ends {
                return News::End;
            }
            // What a client knows may lie in the future of a server that was restored.
            let is_silent =
                state.condition == Condition::Hanging || self.version > state.store.version();
            if !is_silent {
                match state.store.events_after(self.version, self.resource, &self.selector) {
                    Err(Gone) => return News::Gone,
                    Ok(events) => {
                        self.version = state.store.version();
                        if !events.is_empty() {
                            return News::Events(events);
                        }
                    }
                }
                if self.garbage < state.garbage {
                    self.garbage = state.garbage;
                    return News::Garbage;
                }
            }
            let waited = self.shared.changed.wait_timeout(state, BOOKMARKS);
            let (changed, idle) = waited.unwrap_or_else(PoisonError::into_inner);
            if idle.timed_out() && self.bookmarks && !is_silent {
                return News::Events(vec![self.bookmark(&json!({}))]);
            }
            state = changed;
        }
    }

    /// An event for every object that there is.
    fn everything(&self, state: &State) -> Vec<Value> {
        let page = state.store.list(self.resource, &self.selector, usize::MAX, None);
        let items = page.map(|page| page.items).unwrap_or_default();
        items.iter().map(|item| event_of("ADDED", self.resource, item)).collect()
    }

    fn bookmark(&self, annotations: &Value) -> Value {
        let version = self.version.to_string();
        let metadata = json!({"resourceVersion": version, "annotations": annotations});
        event_of("BOOKMARK", self.resource, &json!({"metadata": metadata}))
    }
}

fn error_of(refusal: &Refusal) -> Value {
    json!({"type": "ERROR", "object": refusal.status()})
}
