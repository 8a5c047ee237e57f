//! The life of one resource: list, watch, and what to do when that fails.

use super::LOG;
use super::backoff::Backoff;
use super::failure::{ErrorKind, Failure};
use super::lines::Lines;
use super::request::{PAGE_LEN, broken, list_path, read_body, status_failure, watch_path};
use super::restore::Contact;
use super::shared::Shared;
use crate::objects::{Document, Event, Kind};
use http::Response;
use http_body_util::BodyExt;
use kube::client::Body;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep, timeout_at};

/// The most octets of a page.
const PAGE_MAX: usize = 64 << 20;
/// Objects of a page that are held at once, between JSON and the model.
const BATCH_LEN: usize = 100;
/// A watch that ends sooner than this was not worth its request; the next one waits.
const WATCH_WORTH: Duration = Duration::from_secs(1);

/// One resource and where it stands.
pub(super) struct Resource {
    kind: Kind,
    shared: Arc<Shared>,
    /// The version to resume at; none before a list, and when it has to be made anew.
    version: Option<String>,
    backoff: Backoff,
    /// The last failure that was logged: the same text is not logged again and again.
    complaint: String,
}

impl Resource {
    pub(super) fn new(kind: Kind, shared: Arc<Shared>) -> Self {
        let (version, backoff, complaint) = (None, Backoff::default(), String::new());
        Self { kind, shared, version, backoff, complaint }
    }

    /// Lists and watches until it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            let begun = Instant::now();
            let was_listed = self.version.is_some();
            let result = match self.version.take() {
                None => self.list().await,
                Some(version) => self.watch(version).await,
            };
            let wait = match result {
                Ok(()) => {
                    self.complaint.clear();
                    let ended_early = was_listed && begun.elapsed() < WATCH_WORTH;
                    ended_early.then(|| self.next_wait())
                }
                Err(failure) => Some(self.handle(&failure, was_listed)),
            };
            if let Some(wait) = wait {
                sleep(wait).await;
            }
        }
    }

    fn next_wait(&mut self) -> Duration {
        self.backoff.next(&self.shared.settings.timing, Instant::now(), chance())
    }

    /// Counts and logs a failure; gives the wait that has to follow.
    fn handle(&mut self, failure: &Failure, was_watch: bool) -> Duration {
        self.shared.status.count_error(self.kind, failure.kind);
        self.shared.origin.note(Contact::Fails);
        self.log(failure, was_watch);
        if failure.kind == ErrorKind::Gone {
            self.version = None;
        }
        if failure.kind == ErrorKind::Unauthorized
            && let Err(error) = self.shared.renew_client()
        {
            tracing::warn!(target: LOG, "{error}");
        }
        let longest = self.shared.settings.timing.retry_max * 10;
        let asked = failure.retry_after.unwrap_or_default().min(longest);
        self.next_wait().max(asked)
    }

    fn log(&mut self, failure: &Failure, was_watch: bool) {
        let what = if was_watch { "watch" } else { "list" };
        let text = format!("failed to {what} *v1.{}: {failure}", self.kind.name());
        if text == self.complaint {
            return;
        }
        // CoreDNS says no more than this when a watch breaks; what follows tells the rest.
        if was_watch && matches!(failure.kind, ErrorKind::Connection | ErrorKind::Gone) {
            tracing::info!(target: LOG, "Warning: watch ended with error");
            tracing::debug!(target: LOG, "{text}");
        } else {
            tracing::error!(target: LOG, "Failed to watch: {text}");
        }
        self.complaint = text;
    }

    /// Reads all pages and merges them into what is known. Nothing is dropped before the last.
    async fn list(&mut self) -> Result<(), Failure> {
        self.shared.apply([Event::RelistBegin(self.kind)]);
        let mut token = String::new();
        loop {
            let response =
                self.shared.get(&list_path(&self.shared.settings, self.kind, &token)).await?;
            let body = self.read_page(response).await?;
            let page: Page<'_> = serde_json::from_slice(&body)
                .map_err(|error| Failure::new(ErrorKind::Malformed, error.to_string()))?;
            let items = page.items.unwrap_or_default();
            for items in items.chunks(BATCH_LEN) {
                let read = items.iter().filter_map(|item| self.read_object(item));
                let batch: Vec<_> = read.map(Document::into_event).collect();
                self.shared.apply_page(batch);
            }
            self.shared.status.hear(self.kind, SystemTime::now());
            let ListMetadata { resource_version, r#continue: next } = page.metadata;
            let next = next.unwrap_or_default();
            if next.is_empty() {
                self.shared.apply([Event::RelistEnd(self.kind)]);
                self.shared.status.count_list(self.kind);
                self.version = Some(resource_version);
                return Ok(());
            }
            if next == token {
                return Err(Failure::new(ErrorKind::Malformed, "the list continues where it was"));
            }
            token = next;
        }
    }

    async fn read_page(&self, response: Response<Body>) -> Result<Vec<u8>, Failure> {
        let page = read_body(response, PAGE_MAX, self.silence_max()).await?;
        page.ok_or_else(|| {
            let text = format!("a page of {PAGE_LEN} objects has more than {PAGE_MAX} octets");
            Failure::new(ErrorKind::Malformed, text)
        })
    }

    /// Follows the changes since `version` until the server ends it.
    async fn watch(&mut self, version: String) -> Result<(), Failure> {
        let lasts = self.watch_time();
        let path = watch_path(&self.shared.settings, self.kind, &version, lasts);
        self.version = Some(version);
        let mut body = self.shared.get(&path).await?.into_body();
        // The server ends a watch in time. One that does neither end nor fail would go unnoticed
        // for ever.
        let deadline = Instant::now() + lasts + self.silence_max();
        let mut lines = Lines::default();
        loop {
            let frame = match timeout_at(deadline, body.frame()).await {
                Err(_) => {
                    let text = format!("the server did not end the watch after {lasts:?}");
                    return Err(Failure::new(ErrorKind::Silence, text));
                }
                Ok(None) => return Ok(()),
                Ok(Some(Err(error))) => return Err(broken(&error)),
                Ok(Some(Ok(frame))) => frame,
            };
            let Ok(piece) = frame.into_data() else { continue };
            self.take_piece(&mut lines, &piece)?;
        }
    }

    /// Applies the events that a piece of a watch finishes, as one batch.
    fn take_piece(&mut self, lines: &mut Lines, piece: &[u8]) -> Result<(), Failure> {
        let mut events = Vec::new();
        let mut result = Ok(());
        lines.feed(piece, |line| {
            if result.is_ok() {
                result = self.take_line(line, &mut events);
            }
        });
        if !events.is_empty() {
            let triggered = self.shared.apply(events);
            self.shared.observe(&triggered);
        }
        result
    }

    fn take_line(&mut self, line: Option<&[u8]>, events: &mut Vec<Event>) -> Result<(), Failure> {
        self.shared.status.hear(self.kind, SystemTime::now());
        if line.is_some_and(|line| line.trim_ascii().is_empty()) {
            return Ok(());
        }
        let Some(Ok(change)) = line.map(serde_json::from_slice::<Change<'_>>) else {
            self.shared.status.count_skipped(self.kind);
            return Ok(());
        };
        match change.kind {
            "ERROR" => return Err(status_failure(change.object.get().as_bytes(), None)),
            "BOOKMARK" => {
                self.note_version(change.object);
                return Ok(());
            }
            "ADDED" | "MODIFIED" | "DELETED" => {}
            _ => {
                self.shared.status.count_skipped(self.kind);
                return Ok(());
            }
        }
        self.shared.status.count_event(self.kind);
        match self.read_object(change.object) {
            Some(document) if change.kind == "DELETED" => {
                self.resume_at(&document.resource_version);
                events.push(Event::Delete(document.key));
            }
            Some(document) => {
                self.resume_at(&document.resource_version);
                events.push(document.into_event());
            }
            None => self.note_version(change.object),
        }
        Ok(())
    }

    /// One odd object must not stop the rest.
    fn read_object(&self, json: &RawValue) -> Option<Document> {
        match Document::from_json(self.kind, json.get()) {
            Ok(document) => {
                self.shared.note_cluster(&document.key, json);
                Some(document)
            }
            Err(odd) => {
                self.shared.status.count_skipped(self.kind);
                tracing::warn!(target: LOG, "skipped a {}: {odd}", self.kind.name());
                None
            }
        }
    }

    /// Remembers the version of an object of which nothing else is read.
    fn note_version(&mut self, json: &RawValue) {
        let versioned = serde_json::from_str::<Versioned>(json.get());
        self.resume_at(&versioned.map(|it| it.metadata.resource_version).unwrap_or_default());
    }

    fn resume_at(&mut self, version: &str) {
        if !version.is_empty() {
            self.version = Some(version.to_owned());
        }
    }

    fn silence_max(&self) -> Duration {
        self.shared.settings.timing.silence_max
    }

    /// How long the next watch shall last: by chance, so that not all are renewed at once.
    fn watch_time(&self) -> Duration {
        let timing = &self.shared.settings.timing;
        let spread = timing.watch_max.saturating_sub(timing.watch_min);
        timing.watch_min + spread.mul_f64((chance() % 1024) as f64 / 1024.0)
    }
}

/// A page of a list.
#[derive(Deserialize)]
struct Page<'a> {
    metadata: ListMetadata,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListMetadata {
    resource_version: String,
    r#continue: Option<String>,
}

/// A line of a watch.
#[derive(Deserialize)]
struct Change<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Deserialize)]
struct Versioned {
    metadata: Version,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    resource_version: String,
}

/// A number by chance: the standard library seeds its hasher from the system.
fn chance() -> u64 {
    std::hash::RandomState::new().hash_one(())
}
