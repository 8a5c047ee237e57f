//! The slow lane: questions that wait for somebody else.

use chain::{Ended, Exchange, Failure, Refresh, Router, Ticket};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Limits of the slow lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LaneSettings {
    /// The most questions that wait at once; more are answered SERVFAIL at once.
    pub waiting_max: usize,
    /// The longest that a question waits; then it is answered SERVFAIL.
    pub deadline: Duration,
}

impl Default for LaneSettings {
    /// A waiting question takes a few KiB, so these are some 50 MiB at the most. No client waits
    /// for ten seconds.
    fn default() -> Self {
        Self { waiting_max: 10_000, deadline: Duration::from_secs(10) }
    }
}

/// Carries exchanges that wait, apart from the workers: a dead upstream server can fill this lane,
/// but never delay an answer from memory.
pub struct SlowLane {
    runtime: tokio::runtime::Handle,
    settings: LaneSettings,
    waiting: AtomicUsize,
    questions: Limited,
    refreshes: Limited,
    #[expect(clippy::vec_box, reason = "an exchange is 4 KiB and is handed over, not copied")]
    spares: Mutex<Vec<Box<Exchange>>>,
}

/// How many met a limit of the lane.
#[derive(Debug, Default)]
pub struct Limited {
    refused: AtomicU64,
    timed_out: AtomicU64,
}

impl Limited {
    /// How many found the lane full.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// How many waited until the deadline.
    pub fn timed_out(&self) -> u64 {
        self.timed_out.load(Relaxed)
    }
}

/// How many exchanges are kept for use again.
const SPARES_MAX: usize = 256;
/// The most octets that the replies of one that is kept have come to. Nearly all are smaller; those of
/// a large transfer or a long list would stay in memory for ever.
const SPARE_RESERVED_MAX: usize = 16 << 10;

impl SlowLane {
    /// A lane on this runtime.
    pub fn new(runtime: tokio::runtime::Handle, settings: LaneSettings) -> Self {
        Self {
            runtime,
            settings,
            waiting: AtomicUsize::new(0),
            questions: Limited::default(),
            refreshes: Limited::default(),
            spares: Mutex::new(Vec::new()),
        }
    }

    /// The runtime.
    pub fn runtime(&self) -> &tokio::runtime::Handle {
        &self.runtime
    }

    /// How many questions wait.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Its limits.
    pub fn settings(&self) -> LaneSettings {
        self.settings
    }

    /// How many questions of clients met a limit.
    pub fn questions(&self) -> &Limited {
        &self.questions
    }

    /// How many questions that are asked again in the background met a limit.
    pub fn refreshes(&self) -> &Limited {
        &self.refreshes
    }

    /// An exchange to use.
    pub(crate) fn spare(&self) -> Box<Exchange> {
        let spare = self.spares.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_default()
    }

    /// Gives back an exchange that is not in use any more.
    pub(crate) fn give_back(&self, x: Box<Exchange>) {
        if x.reserved() > SPARE_RESERVED_MAX {
            return;
        }
        let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
        if spares.len() < SPARES_MAX {
            spares.push(x);
        }
    }

    /// Lets `x` wait, then calls `reply` with it, unless there is to be no reply; `reply` gives the
    /// octets that the reply took.
    ///
    /// If the lane is full `reply` is called at once, with a failure.
    pub(crate) fn park(
        self: &Arc<Self>,
        router: Arc<Router>,
        mut x: Box<Exchange>,
        ticket: Ticket,
        reply: impl FnOnce(&mut Exchange) -> usize + Send + 'static,
    ) {
        let Some(place) = self.place() else {
            self.questions.refused.fetch_add(1, Relaxed);
            let ended = router.abandon(&mut x, ticket, &Failure::Overloaded);
            conclude(&router, &mut x, &ended, reply);
            return self.give_back(x);
        };
        x.worker = 0;
        self.spawn(async move {
            let lane = &place.lane;
            let deadline = lane.settings.deadline;
            let resumed = tokio::time::timeout(deadline, router.resume(&mut x, ticket)).await;
            let ended = resumed.unwrap_or_else(|_| {
                lane.questions.timed_out.fetch_add(1, Relaxed);
                router.abandon(&mut x, ticket, &Failure::Deadline { after: deadline })
            });
            conclude(&router, &mut x, &ended, reply);
            lane.refresh_after(&router, &mut x);
            lane.give_back(x);
        });
    }

    /// Carries out the refresh that the exchange asks for, if it does and the lane has room.
    pub(crate) fn refresh_after(self: &Arc<Self>, router: &Arc<Router>, x: &mut Exchange) {
        if let Some(refresh) = x.take_refresh() {
            self.refresh(router.clone(), x, refresh);
        }
    }

    fn refresh(self: &Arc<Self>, router: Arc<Router>, x: &Exchange, refresh: Box<Refresh>) {
        let Some(place) = self.place() else {
            self.refreshes.refused.fetch_add(1, Relaxed);
            return;
        };
        let mut spare = self.spare();
        spare.begin_refresh(x, &refresh);
        self.spawn(async move {
            let lane = &place.lane;
            let refreshing = router.refresh(&mut spare, &refresh);
            // Nobody waits for it; what takes longer than a client would wait is given up.
            if tokio::time::timeout(lane.settings.deadline, refreshing).await.is_err() {
                lane.refreshes.timed_out.fetch_add(1, Relaxed);
            }
            lane.give_back(spare);
        });
    }

    /// A place for one that waits, if the lane is not full.
    fn place(self: &Arc<Self>) -> Option<Place> {
        let taken = self.waiting.fetch_add(1, Relaxed);
        let place = Place { lane: self.clone() };
        (taken < self.settings.waiting_max).then_some(place)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }
}

/// One that waits, counted for as long as this lives: also if its task panics.
struct Place {
    lane: Arc<SlowLane>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lane.waiting.fetch_sub(1, Relaxed);
    }
}

/// Lets the reply leave, if there is one, and be counted.
fn conclude(
    router: &Router,
    x: &mut Exchange,
    ended: &Ended,
    reply: impl FnOnce(&mut Exchange) -> usize,
) {
    let octets = if let Ended::Reply = ended { reply(x) } else { 0 };
    router.replied(x, octets);
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::{Name, RecordType, Section};

    #[test]
    fn an_exchange_is_kept_unless_it_has_become_large() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let lane = SlowLane::new(runtime.handle().clone(), LaneSettings::default());
        for (octets, kept) in [(512, 1), (60_000, 0)] {
            let mut x = lane.spare();
            let body = &mut x.reply.body;
            body.push(Section::Answer, Name::ROOT, 5, RecordType::TXT, &vec![0; octets]);
            x.clear_reply();
            lane.give_back(x);
            assert_eq!(lane.spares.lock().unwrap().len(), kept, "{octets}");
        }
    }
}
