//! The life of one resource: list, watch, and what to do when that fails.
//!
//! How a watch is read lies in `follow`, whether it may go on where it stood in `history`.

use super::LOG;
use super::backoff::{Backoff, chance, fraction};
use super::encoding::{Encoded, Encoding, Page};
use super::failure::{ErrorKind, Failure};
use super::history::Landmark;
use super::recovery::is_outage;
use super::request::{PAGE_LEN, list_path, read_body, watch_path};
use super::restore::Contact;
use super::shared::Shared;
use crate::objects::{Document, Event, Kind};
use http::{Response, StatusCode};
use kube::client::Body;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep};

/// The most octets of a page.
const PAGE_MAX: usize = 64 << 20;
/// Objects of a page that are held at once, between their text and the model.
const BATCH_LEN: usize = 100;
/// A watch that ends sooner than this was not worth its request; the next one waits.
const WATCH_WORTH: Duration = Duration::from_secs(1);
/// How many streaming lists in a row may fail, once they have begun or with status 500, until pages
/// are asked for. A server that is away says nothing about streaming lists.
const STREAMS_MAX: u32 = 3;
/// How many watches in a row may end without having told anything until the version is suspected.
const QUIET_WATCHES_MAX: u32 = 2;

/// One resource and where it stands.
pub(super) struct Resource {
    pub(super) kind: Kind,
    pub(super) shared: Arc<Shared>,
    /// The version to resume at; none before a list, and when it has to be made anew.
    pub(super) version: Option<String>,
    /// The history that this version is of ([`Shared::era`]).
    pub(super) era: u64,
    /// The newest change in it.
    pub(super) landmark: Option<Landmark>,
    /// Whether a list has just told the version, so that nothing can have been taken back.
    is_fresh: bool,
    /// Whether the server sends bookmarks, so that quiet means something.
    pub(super) has_bookmarks: bool,
    /// Watches in a row that have told nothing.
    pub(super) quiet_watches: u32,
    /// Streaming lists in a row that have failed.
    failed_streams: u32,
    absence: Absence,
    /// Waits for a server that is away, and all others: who is back has not refused before.
    outages: Backoff,
    refusals: Backoff,
    /// The last failure that was logged: the same text is not logged again and again.
    complaint: String,
}

/// Whether a resource is there at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Absence {
    /// Nobody has asked yet.
    Unknown,
    /// It has been listed.
    Served,
    /// It had been listed, but since then the server does not know it.
    Since(Instant),
    /// It counts as gone: none of its objects are known.
    Gone,
}

/// What the API server is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Task {
    PagedList,
    StreamingList,
    Watch,
}

impl Resource {
    pub(super) fn new(kind: Kind, shared: Arc<Shared>) -> Self {
        Self {
            kind,
            shared,
            version: None,
            era: 0,
            landmark: None,
            is_fresh: false,
            has_bookmarks: false,
            quiet_watches: 0,
            failed_streams: 0,
            absence: Absence::Unknown,
            outages: Backoff::default(),
            refusals: Backoff::default(),
            complaint: String::new(),
        }
    }

    /// Lists and watches until it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            let (begun, task) = (Instant::now(), self.task());
            let result = match task {
                Task::PagedList => self.list().await,
                Task::StreamingList | Task::Watch => self.watch().await,
            };
            match result {
                Ok(()) => {
                    self.complaint.clear();
                    if task != Task::PagedList && begun.elapsed() < WATCH_WORTH {
                        sleep(self.next_wait()).await;
                    }
                }
                Err(failure) => self.recover(&failure, task).await,
            }
        }
    }

    /// Draws the conclusions from a failure, and waits.
    async fn recover(&mut self, failure: &Failure, task: Task) {
        let Some(wait) = self.handle(failure, task) else { return };
        if !is_outage(failure) {
            sleep(wait).await;
        } else if self.shared.wait_for_return(wait).await {
            self.outages = Backoff::default();
        }
    }

    fn task(&mut self) -> Task {
        if self.era != self.shared.era() {
            self.version = None;
        }
        if self.version.is_some() {
            Task::Watch
        } else if self.failed_streams < STREAMS_MAX && self.shared.may_stream() {
            Task::StreamingList
        } else {
            Task::PagedList
        }
    }

    fn next_wait(&mut self) -> Duration {
        self.refusals.next(&self.shared.settings.timing, Instant::now(), chance())
    }

    /// Counts and logs a failure; gives the wait that has to follow.
    fn handle(&mut self, failure: &Failure, task: Task) -> Option<Duration> {
        let is_list = self.version.is_none();
        let is_optional = self.shared.settings.optional.has(self.kind);
        if failure.kind == ErrorKind::Absent && is_optional && self.counts_as_gone() {
            return Some(self.wait_until_served());
        }
        self.shared.status.count_error(self.kind, failure.kind);
        if is_list && task == Task::StreamingList && self.falls_back(failure) {
            return None;
        }
        self.shared.origin.note(Contact::Fails);
        self.log(failure, !is_list);
        // A server whose data were restored from a backup tells nothing to those who ask for its
        // future, not even bookmarks.
        let is_suspect = self.quiet_watches >= QUIET_WATCHES_MAX;
        if is_suspect || matches!(failure.kind, ErrorKind::Gone | ErrorKind::Absent) {
            self.version = None;
            self.quiet_watches = 0;
        }
        if failure.kind == ErrorKind::Unauthorized
            && let Err(error) = self.shared.renew_client()
        {
            tracing::warn!(target: LOG, "{error}");
        }
        if is_outage(failure) {
            let timing = &self.shared.settings.timing;
            return Some(self.outages.next(timing, Instant::now(), chance()));
        }
        let longest = self.shared.settings.timing.retry_max * 10;
        let asked = failure.retry_after.unwrap_or_default().min(longest);
        Some(self.next_wait().max(asked))
    }

    /// Whether a streaming list that failed was refused, so that pages are asked for at once. A
    /// server that knows nothing of such lists refuses the request, or tells what there is and never
    /// says that this was all.
    fn falls_back(&mut self, failure: &Failure) -> bool {
        self.failed_streams += u32::from(failure.code == Some(StatusCode::INTERNAL_SERVER_ERROR));
        if failure.kind != ErrorKind::Refused {
            return false;
        }
        self.failed_streams = STREAMS_MAX;
        if self.shared.note_streaming_refused() {
            tracing::info!(target: LOG, "the API server gives no streaming lists ({failure}); lists come in pages");
        }
        true
    }

    /// Whether an optional resource that the server does not know counts as gone. One that was there
    /// gets some time: a server that has just started may not know it yet.
    fn counts_as_gone(&mut self) -> bool {
        let now = Instant::now();
        match self.absence {
            Absence::Unknown | Absence::Gone => true,
            Absence::Served => {
                self.absence = Absence::Since(now);
                false
            }
            Absence::Since(since) => {
                now.duration_since(since) >= self.shared.settings.timing.absent_retry
            }
        }
    }

    /// An optional resource is not served: there are no such objects. Gives how long to wait.
    fn wait_until_served(&mut self) -> Duration {
        if self.absence != Absence::Gone {
            let version = self.kind.api_version();
            tracing::info!(target: LOG, "the API server knows no {} of {version}", self.kind.name());
            self.absence = Absence::Gone;
        }
        self.version = None;
        self.shared.apply([Event::RelistBegin(self.kind), Event::RelistEnd(self.kind)]);
        self.shared.status.hear(self.kind, SystemTime::now());
        let wait = self.shared.settings.timing.absent_retry;
        wait + wait.mul_f64(fraction() / 2.0)
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
        self.begin_list();
        let mut token = String::new();
        loop {
            let path = list_path(&self.shared.settings, self.kind, &token);
            let response = self.shared.get(self.kind, &path, false).await?;
            let encoding = Encoding::of(response.headers());
            let body = self.read_page(response).await?;
            let page = Page::read(encoding, &body)?;
            for items in page.items.chunks(BATCH_LEN) {
                let read = items.iter().filter_map(|item| self.read_object(*item));
                let batch: Vec<_> = read.collect();
                for document in &batch {
                    self.note_change(document, false);
                }
                self.shared.apply_page(batch.into_iter().map(Document::into_event));
            }
            self.shared.status.hear(self.kind, SystemTime::now());
            if page.next.is_empty() {
                self.finish_list(page.version, false);
                self.is_fresh = true;
                return Ok(());
            }
            if page.next == token {
                return Err(Failure::new(ErrorKind::Malformed, "the list continues where it was"));
            }
            token = page.next;
        }
    }

    async fn read_page(&self, response: Response<Body>) -> Result<Vec<u8>, Failure> {
        let page = read_body(response, PAGE_MAX, self.shared.settings.timing.silence_max).await?;
        page.ok_or_else(|| {
            let text = format!("a page of {PAGE_LEN} objects has more than {PAGE_MAX} octets");
            Failure::new(ErrorKind::Malformed, text)
        })
    }

    fn begin_list(&mut self) {
        self.era = self.shared.era();
        self.landmark = None;
        self.shared.apply([Event::RelistBegin(self.kind)]);
    }

    /// The list is complete: what it has not told is gone, and `version` is where to go on.
    pub(super) fn finish_list(&mut self, version: String, is_streamed: bool) {
        self.shared.apply([Event::RelistEnd(self.kind)]);
        self.shared.status.count_list(self.kind, is_streamed);
        self.absence = Absence::Served;
        self.failed_streams = 0;
        self.version = Some(version);
    }

    /// Follows the changes since the version until the server ends it; without a version, what
    /// there is comes first.
    async fn watch(&mut self) -> Result<(), Failure> {
        let is_fresh = std::mem::take(&mut self.is_fresh);
        if self.version.is_none() {
            self.begin_list();
        } else if !is_fresh {
            self.check_history().await?;
        }
        let lasts = self.watch_time();
        let path = watch_path(&self.shared.settings, self.kind, self.version.as_deref(), lasts);
        let response = self.shared.get(self.kind, &path, true).await?;
        let result = self.follow(response, lasts).await;
        self.failed_streams += u32::from(self.version.is_none());
        result
    }

    /// One odd object must not stop the rest.
    pub(super) fn read_object(&self, object: Encoded<'_>) -> Option<Document> {
        match object.document(self.kind) {
            Ok(mut document) => {
                self.shared.note_cluster(&document.key, object);
                if !self.shared.settings.wants(self.kind, || object.labels()) {
                    document.object = None;
                }
                Some(document)
            }
            Err(odd) => {
                self.shared.status.count_skipped(self.kind);
                tracing::warn!(target: LOG, "skipped a {}: {odd}", self.kind.name());
                None
            }
        }
    }

    pub(super) fn note_change(&mut self, document: &Document, is_gone: bool) {
        let version = &document.resource_version;
        Landmark::note(&mut self.landmark, &document.key, version, is_gone);
    }

    /// How long the next watch shall last: by chance, so that not all are renewed at once.
    fn watch_time(&self) -> Duration {
        let timing = &self.shared.settings.timing;
        let spread = timing.watch_max.saturating_sub(timing.watch_min);
        timing.watch_min + spread.mul_f64(fraction())
    }
}
