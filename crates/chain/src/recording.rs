//! What happened to a question, step by step, for people who ask why.
//!
//! **What this is.** [`Recording`], the list that the walk and the plugins write while a question is
//! answered: every plugin's turn, what it changed, and why it says that it did so
//! ([`Exchange::note`]). Questions behind the question are written into the same list.
//!
//! **What this is not.** Part of answering: without a recording the walk pays one branch a plugin,
//! and no note is worded.

use crate::exchange::Exchange;
use crate::{Router, Step};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wire::{Flags, Question, Rcode, Reply, Section};

/// What happened to one question of a client, and to those that were asked behind it.
#[derive(Default)]
pub struct Recording {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    events: Vec<Event>,
    left_out: usize,
    /// For each depth what question and reply were at the last event.
    seen: Vec<Option<(Question, Glance)>>,
}

/// One step of a walk.
#[derive(Clone, Debug)]
pub struct Event {
    /// How many questions stand above the one that this is about.
    pub depth: u8,
    /// The block, as an index into [`Router::blocks`]; [`Router::OUTSIDE`] if none serves the name.
    pub block: u16,
    /// What happened.
    pub what: What,
    /// The question before and after, if it changed.
    pub question: Option<(Question, Question)>,
    /// The reply before and after, if it changed.
    pub reply: Option<(Glance, Glance)>,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// A question begins.
    Asked {
        /// The question.
        question: Box<Question>,
        /// The blocks whose zones the name lies in, as indices, the longest zone first.
        considered: Vec<u16>,
    },
    /// A plugin had its turn.
    Turn {
        /// Its place in the block's chain.
        at: usize,
        /// On which way.
        way: Way,
    },
    /// A plugin says why it decides as it does.
    Note {
        /// Its place in the block's chain.
        at: usize,
        /// One short sentence, without a full stop.
        text: String,
    },
    /// The outcome of a question behind this one was taken over: the target of a CNAME, or advice.
    Heard,
    /// The walk itself failed the question: nobody answered, no block serves it, or it took too long.
    Failed,
}

/// On which way a plugin had its turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// [`crate::Plugin::query`], which ended with this step.
    Down(Step),
    /// [`crate::Plugin::resolve`], which ended with this step.
    Resolve(Step),
    /// [`crate::Plugin::response`].
    Up,
}

/// A reply at a glance, in text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Glance {
    /// The response code.
    pub rcode: Rcode,
    /// The flags.
    pub flags: Flags,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// The records of the three sections as text; of a section with more, the first
    /// [`Glance::RECORDS_MAX`].
    pub records: [Vec<String>; 3],
    /// How many records the sections have.
    pub counts: [usize; 3],
}

impl Glance {
    /// The most records of a section that are kept.
    pub const RECORDS_MAX: usize = 64;

    /// A look at a reply.
    pub fn of(reply: &Reply, failure: Option<String>) -> Self {
        let sections = [Section::Answer, Section::Authority, Section::Additional];
        let records = sections.map(|section| {
            let records = reply.body.section(section).iter().take(Self::RECORDS_MAX);
            records.map(|record| reply.body.text(record).to_string()).collect()
        });
        let counts = sections.map(|section| reply.body.section(section).len());
        Self { rcode: reply.rcode, flags: reply.flags, failure, records, counts }
    }
}

impl Recording {
    /// The most events; what happens after them is only counted.
    pub const EVENTS_MAX: usize = 1000;

    /// What has happened so far.
    pub fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    /// How many events found no room.
    pub fn left_out(&self) -> usize {
        self.lock().left_out
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exchange {
    /// Writes down what happens to the question from now on. The next [`Exchange::begin`] forgets
    /// the recording.
    pub fn record(&mut self, recording: Arc<Recording>) {
        self.recording = Some(recording);
        self.alert = true;
    }

    /// Says why a plugin decides as it does. `text` runs only if somebody wants to know: one short
    /// sentence without a full stop, as a predicate of the plugin (`does not have the name`); nothing
    /// is noted if it is empty.
    #[inline]
    pub fn note(&self, text: impl FnOnce() -> String) {
        if self.recording.is_some() {
            self.write_note(text());
        }
    }

    #[cold]
    fn write_note(&self, text: String) {
        if text.is_empty() {
            return;
        }
        self.write(self.block, What::Note { at: self.at, text });
    }

    /// A plugin has had its turn.
    #[inline]
    pub(crate) fn turn(&self, at: usize, way: Way) {
        if self.alert {
            self.write_turn(at, way);
        }
    }

    #[cold]
    fn write_turn(&self, at: usize, way: Way) {
        self.write(self.block, What::Turn { at, way });
    }

    /// The walk did something itself.
    #[inline]
    pub(crate) fn happened(&self, what: What) {
        if self.recording.is_some() {
            self.write(self.block, what);
        }
    }

    /// The question begins; `block` serves it.
    #[inline]
    pub(crate) fn asked(&self, router: &Router, block: Option<u16>) {
        if self.recording.is_some() {
            self.write_asked(router, block);
        }
    }

    #[cold]
    fn write_asked(&self, router: &Router, block: Option<u16>) {
        let considered = router.covering(self.question.name());
        self.write(
            block.unwrap_or(Router::OUTSIDE),
            What::Asked { question: Box::new(self.question), considered },
        );
    }

    fn write(&self, block: u16, what: What) {
        let Some(recording) = &self.recording else { return };
        let mut inner = recording.lock();
        if inner.events.len() == Recording::EVENTS_MAX {
            inner.left_out += 1;
            return;
        }
        let before = match what {
            // It comes in the middle of a turn, whose end tells what the turn has changed.
            What::Note { .. } => None,
            _ => inner.look(self),
        };
        let is_new = matches!(what, What::Asked { .. });
        let depth = self.depth();
        let now = inner.seen.get(usize::from(depth)).and_then(Option::as_ref);
        let change = before.filter(|_| !is_new).zip(now);
        let question = change.as_ref().map(|(before, now)| (before.0, now.0));
        let reply = change.map(|(before, now)| (before.1, now.1.clone()));
        let question = question.filter(|(before, now)| before != now);
        let reply = reply.filter(|(before, now)| before != now);
        inner.events.push(Event { depth, block, what, question, reply });
    }
}

impl Inner {
    /// Looks at the question and its reply; how they were when it was last looked.
    fn look(&mut self, x: &Exchange) -> Option<(Question, Glance)> {
        let depth = usize::from(x.depth());
        if self.seen.len() <= depth {
            self.seen.resize(depth + 1, None);
        }
        let failure = x.failure().map(ToString::to_string);
        self.seen[depth].replace((x.question, Glance::of(&x.reply, failure)))
    }
}
