//! How a watch is read: frame by frame, straight into the model.

use super::encoding::{Encoding, Notice, What};
use super::failure::{ErrorKind, Failure};
use super::frames::Frames;
use super::history::outdated;
use super::request::broken;
use super::resource::Resource;
use crate::objects::Event;
use http::Response;
use http_body_util::BodyExt;
use kube::client::Body;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout_at};

/// A watch while it is read.
struct Reading {
    encoding: Encoding,
    /// When the server should have ended it, and some time later.
    ends: Instant,
    /// When it last told something.
    heard: Instant,
    /// Whether it has told nothing at all.
    is_quiet: bool,
}

impl Resource {
    /// Reads a watch that shall last so long, with a list in front if there is no version yet.
    pub(super) async fn follow(
        &mut self,
        response: Response<Body>,
        lasts: Duration,
    ) -> Result<(), Failure> {
        let encoding = Encoding::of(response.headers());
        let now = Instant::now();
        let ends = now + lasts + self.shared.settings.timing.silence_max;
        let mut reading = Reading { encoding, ends, heard: now, is_quiet: true };
        let mut frames = Frames::new(encoding);
        let mut body = response.into_body();
        let mut eras = self.shared.era.subscribe();
        loop {
            let deadline = self.deadline(&reading);
            let frame = tokio::select! {
                biased;
                // The sender lives as long as `self`.
                _ = eras.wait_for(|era| *era != self.era) => return Err(outdated()),
                frame = timeout_at(deadline, body.frame()) => frame,
            };
            let frame = match frame {
                Err(_) => return Err(self.silence(&reading, deadline)),
                Ok(None) => return self.check_end(&frames),
                Ok(Some(Err(error))) => return Err(broken(&error)),
                Ok(Some(Ok(frame))) => frame,
            };
            let Ok(piece) = frame.into_data() else { continue };
            reading.heard = Instant::now();
            reading.is_quiet = false;
            self.quiet_watches = 0;
            self.take_piece(reading.encoding, &mut frames, &piece)?;
        }
    }

    /// Until when something has to come.
    fn deadline(&self, reading: &Reading) -> Instant {
        let timing = &self.shared.settings.timing;
        if self.version.is_none() {
            return reading.heard + timing.silence_max;
        }
        match self.has_bookmarks {
            true => reading.ends.min(reading.heard + timing.quiet_max),
            // Nothing may have changed. But the server ends a watch in time: one that does neither
            // end nor fail would go unnoticed for ever.
            false => reading.ends,
        }
    }

    fn silence(&mut self, reading: &Reading, deadline: Instant) -> Failure {
        let mut failure = Failure::silence(deadline.duration_since(reading.heard));
        if self.version.is_none() {
            failure.kind = ErrorKind::Refused;
        } else if reading.is_quiet {
            self.quiet_watches += 1;
        }
        failure
    }

    fn check_end(&self, frames: &Frames) -> Result<(), Failure> {
        if !frames.is_whole() {
            return Err(Failure::new(ErrorKind::Connection, "the watch ended within an event"));
        }
        match self.version {
            None => Err(Failure::new(ErrorKind::Connection, "the watch ended within its list")),
            Some(_) => Ok(()),
        }
    }

    /// Applies the events that a piece of a watch finishes, as one batch.
    fn take_piece(
        &mut self,
        encoding: Encoding,
        frames: &mut Frames,
        piece: &[u8],
    ) -> Result<(), Failure> {
        let mut events = Vec::new();
        let mut result = Ok(());
        frames.feed(piece, |frame| {
            if result.is_ok() {
                result = self.take_frame(encoding, frame, &mut events);
            }
        });
        if self.version.is_none() {
            self.shared.apply_page(events);
        } else if !events.is_empty() {
            let triggered = self.shared.apply(events);
            self.shared.observe(&triggered);
        }
        result
    }

    fn take_frame(
        &mut self,
        encoding: Encoding,
        frame: Option<&[u8]>,
        events: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        self.shared.status.hear(self.kind, SystemTime::now());
        let is_blank = |frame: &[u8]| encoding == Encoding::Json && frame.trim_ascii().is_empty();
        if frame.is_some_and(is_blank) {
            return Ok(());
        }
        let Some(notice) = frame.and_then(|frame| Notice::read(encoding, frame)) else {
            self.shared.status.count_skipped(self.kind);
            return Ok(());
        };
        match notice.what {
            What::Error => Err(self.refusal(&notice)),
            What::Bookmark => self.take_bookmark(&notice, events),
            What::Applied | What::Deleted => {
                self.take_change(&notice, events);
                Ok(())
            }
        }
    }

    /// What an `ERROR` event says. An API server finds out late that its etcd cannot tell how far a
    /// list has come ("RequestWatchProgress is disabled"): then it refuses within the list.
    fn refusal(&self, notice: &Notice<'_>) -> Failure {
        let mut failure = notice.object.refusal();
        if self.version.is_none() && failure.kind == ErrorKind::Server {
            failure.kind = ErrorKind::Refused;
        }
        failure
    }

    fn take_bookmark(
        &mut self,
        notice: &Notice<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let bookmark = notice.object.bookmark();
        self.has_bookmarks = true;
        if self.version.is_some() {
            self.resume_at(bookmark.version());
            return Ok(());
        }
        if !bookmark.ends_list() {
            return Ok(());
        }
        if bookmark.version().is_empty() {
            return Err(Failure::new(ErrorKind::Malformed, "a list without a version"));
        }
        self.shared.apply_page(std::mem::take(events));
        self.finish_list(bookmark.version().to_owned(), true);
        Ok(())
    }

    fn take_change(&mut self, notice: &Notice<'_>, events: &mut Vec<Event>) {
        // What a list tells is no change.
        if self.version.is_some() {
            self.shared.status.count_event(self.kind);
        }
        let Some(document) = self.read_object(notice.object) else {
            // It may be the one that changed last.
            self.landmark = None;
            self.resume_at(notice.object.bookmark().version());
            return;
        };
        self.resume_at(&document.resource_version);
        self.note_change(&document, notice.what == What::Deleted);
        events.push(match notice.what {
            What::Deleted => Event::Delete(document.key),
            _ => document.into_event(),
        });
    }

    /// Notes how far the watch has come. Within a list versions come in any order.
    fn resume_at(&mut self, version: &str) {
        if self.version.is_some() && !version.is_empty() {
            self.version = Some(version.to_owned());
        }
    }
}
