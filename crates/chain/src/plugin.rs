//! What a directive of the Corefile does to a question.

use crate::{Exchange, Failure, Rest};
use std::pin::Pin;
use std::sync::Arc;
use wire::{Name, RecordType};

/// One step of a server block's chain.
///
/// A *source* (hosts, file, kubernetes) answers in [`Plugin::query`]; an *amender* (loadbalance,
/// minimal) changes the reply in [`Plugin::response`]; a *waiter* (forward) says [`Step::Wait`] and
/// awaits in [`Plugin::resolve`]. What a plugin must remember between its two hooks goes onto the
/// exchange ([`Exchange::remember`]) or is computed again.
///
/// Everything here is called by many threads at once.
pub trait Plugin: Send + Sync {
    /// On the way down. Must not block, and not allocate for an answer from memory.
    fn query(&self, x: &mut Exchange) -> Step {
        let _ = x;
        Step::Next
    }

    /// On the way up, if `query` let the question pass and a plugin below ended it.
    ///
    /// Sees the question that `query` saw: rewrites of this plugin and of those below are undone.
    /// A dropped question ([`Exchange::is_dropped`]) comes back up as well, with an empty reply.
    /// Can ask the plugins below again ([`Exchange::ask_again`]).
    fn response(&self, x: &mut Exchange) {
        let _ = x;
    }

    /// The slow half, called after `query` returned [`Step::Wait`]: an ordinary async wrapper around
    /// the rest of the chain. Also called after `response` said [`Exchange::finish_in_resolve`], to
    /// finish the reply that is there.
    ///
    /// May be dropped at any await when the exchange's deadline ends.
    fn resolve<'a>(&'a self, x: &'a mut Exchange, rest: Rest<'a>) -> Resolving<'a> {
        let _ = rest;
        // Only a plugin that says `Wait` is asked, and saying so without this method is a bug.
        Box::pin(async move { x.fail(Failure::Panicked) })
    }

    /// What it means that this plugin, the last of its chain, let a question pass, if it is not
    /// what it means for others: a failure of the configuration.
    fn if_last(&self, x: &Exchange) -> Option<Failure> {
        let _ = x;
        None
    }

    /// Shows the names that this plugin says something about, each with a type that it has or may
    /// have, as far as they can be listed: for who wants to know what a configuration is about.
    ///
    /// Never called for an answer, and may take its time. Names may be shown more than once.
    fn names(&self, show: &mut dyn FnMut(Name<'_>, RecordType)) {
        let _ = show;
    }

    /// Who wants to know how each reply of the chain left, if this plugin does. Asked once, when
    /// the chain is put together, and then for each reply.
    fn observer(&self) -> Option<&dyn Observe> {
        None
    }
}

/// Somebody who counts replies as they leave (metrics).
pub trait Observe {
    /// A question of a client is done; its reply takes `octets` octets, 0 if there is none.
    ///
    /// Called once, after every [`Plugin::response`], with the reply already encoded. What the
    /// server asks itself (targets of CNAMEs, refreshes) leaves nowhere and is not told. Must not
    /// block and not allocate.
    fn replied(&self, x: &Exchange, octets: usize);
}

impl<P: Plugin + ?Sized> Plugin for Arc<P> {
    fn query(&self, x: &mut Exchange) -> Step {
        (**self).query(x)
    }

    fn response(&self, x: &mut Exchange) {
        (**self).response(x);
    }

    fn resolve<'a>(&'a self, x: &'a mut Exchange, rest: Rest<'a>) -> Resolving<'a> {
        (**self).resolve(x, rest)
    }

    fn if_last(&self, x: &Exchange) -> Option<Failure> {
        (**self).if_last(x)
    }

    fn names(&self, show: &mut dyn FnMut(Name<'_>, RecordType)) {
        (**self).names(show);
    }

    fn observer(&self) -> Option<&dyn Observe> {
        (**self).observer()
    }
}

/// What follows a plugin's turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// The next plugin below.
    Next,
    /// The reply is complete; back up.
    Done,
    /// No reply at all; back up, then silence.
    Drop,
    /// The answer needs waiting: the walk goes on in [`Plugin::resolve`].
    Wait,
    /// The answer section ends with a CNAME whose target lies elsewhere: the whole server is asked
    /// for the target, the answer is appended, then back up.
    Chase,
    /// The reply depends on what the whole server says to the question of [`Exchange::consult`]: it
    /// is asked, then this plugin's own `response` is called with the outcome, then back up.
    ///
    /// That `response` is also called if the outcome does not come in time, with the failure as
    /// reply: what was not worth failing for is then replied without the advice.
    Consult,
}

/// What [`Plugin::resolve`] returns.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = Step> + Send + 'a>>;
