//! Asking more than once for one reply: the plugins below with another question
//! ([`Exchange::ask_again`]), or the whole server for advice ([`Exchange::consult`]).
//!
//! The plugin decides what the outcomes mean; here is what the exchange keeps between them. It keeps
//! its buffers, so that neither allocates when all is answered from memory.

use crate::{Exchange, Failure};
use std::mem;
use wire::{Question, Reply};

/// What an exchange holds while it asks more than once.
#[derive(Default)]
pub(crate) struct Again {
    /// Whether the plugins below are to be asked again.
    wanted: bool,
    /// How often they were.
    count: u8,
    /// Whether the nested exchange holds advice.
    advised: bool,
    aside: Aside,
}

/// A reply that may still be wanted.
#[derive(Default)]
struct Aside {
    reply: Reply,
    live: bool,
    failure: Option<Failure>,
    failure_logged: bool,
    answered_by: Option<(&'static str, u32)>,
}

impl Again {
    /// Forgets everything but the buffers.
    pub(crate) fn clear(&mut self) {
        (self.wanted, self.count, self.advised) = (false, 0, false);
    }

    /// Octets of memory that the reply set aside has come to.
    pub(crate) fn reserved(&self) -> usize {
        self.aside.reply.body.reserved()
    }
}

impl Exchange {
    /// How often the plugins below can be asked again for one question, by all plugins together.
    pub const AGAIN_MAX: u8 = 16;

    /// For [`crate::Plugin::response`]: asks the plugins below this one again, with another question.
    /// The walk goes down from here, waits where it has to, and comes back to the same `response`
    /// with the new reply and with the question that it sees now. What it must know by then it
    /// [remembers](Exchange::remember).
    ///
    /// False if the limit of [`Exchange::AGAIN_MAX`] or that of rewrites is reached: then nothing
    /// changes.
    #[must_use]
    pub fn ask_again(&mut self, question: Question) -> bool {
        if self.again.count == Self::AGAIN_MAX || !self.rewrite(question) {
            return false;
        }
        self.again.count += 1;
        (self.again.wanted, self.again.advised) = (true, false);
        self.alert = true;
        self.forget_answerer();
        self.clear_reply();
        true
    }

    pub(crate) fn take_again(&mut self) -> bool {
        mem::take(&mut self.again.wanted)
    }

    /// Keeps the reply for [`Exchange::take_reply_back`], and leaves an empty one. There is room
    /// for one.
    pub fn set_reply_aside(&mut self) {
        self.swap_aside();
        self.clear_reply();
    }

    /// Puts the reply that was set aside in place of the one that is there.
    pub fn take_reply_back(&mut self) {
        self.forget_answerer();
        self.swap_aside();
    }

    fn swap_aside(&mut self) {
        let mut aside = mem::take(&mut self.again.aside);
        mem::swap(&mut self.reply, &mut aside.reply);
        mem::swap(&mut self.live, &mut aside.live);
        mem::swap(&mut self.failure, &mut aside.failure);
        mem::swap(&mut self.failure_logged, &mut aside.failure_logged);
        mem::swap(&mut self.answered_by, &mut aside.answered_by);
        self.again.aside = aside;
    }

    /// For [`crate::Plugin::query`], which then returns [`crate::Step::Consult`]: the whole server is
    /// asked `question` on behalf of this exchange's client, and this plugin's `response` sees the
    /// outcome with [`Exchange::advice`].
    ///
    /// False if questions already stand [`Exchange::DEPTH_MAX`] deep, or one above is the same: then
    /// nothing is to be asked.
    #[must_use]
    pub fn consult(&mut self, question: &Question) -> bool {
        if !self.chase(&question.name().to_buf()) {
            return false;
        }
        self.again.advised = false;
        let mut nested = self.nested.take().unwrap_or_default();
        nested.begin_nested(self, question);
        self.nested = Some(nested);
        true
    }

    /// What the whole server said, as its exchange; none if nobody was asked, or did not answer
    /// within the time that the question may wait.
    pub fn advice(&self) -> Option<&Self> {
        self.nested.as_deref().filter(|_| self.again.advised)
    }

    /// Appends what the whole server said to the reply, as the target of the CNAME record that
    /// ends it.
    pub fn absorb_advice(&mut self) {
        let Some(mut nested) = self.nested.take().filter(|_| self.again.advised) else { return };
        self.absorb(&mut nested);
        self.nested = Some(nested);
    }

    /// The advice is there.
    pub(crate) fn hear(&mut self, nested: &mut Self) {
        self.again.advised = true;
        self.waited |= nested.waited;
        self.now = self.now.max(nested.now);
        self.refresh = self.refresh.take().or(nested.refresh.take());
    }

    fn forget_answerer(&mut self) {
        self.answered_by = None;
        (self.chased_target, self.chain_cut) = (false, false);
    }
}
