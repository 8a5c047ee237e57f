//! Down the plugins of a block until one ends the question, then back up.

use crate::{Exchange, Failure, Plugin, Router, Step, Way, What};
use wire::{Question, RecordType};

/// The plugins of a server block, outermost first.
pub struct Chain {
    links: Box<[Link]>,
    /// The places of the plugins that want to know how replies leave.
    observers: Box<[usize]>,
}

/// A plugin in its place.
pub struct Link {
    /// The plugin.
    pub plugin: Box<dyn Plugin>,
    /// Its directive's name.
    pub name: &'static str,
    /// The line of the Corefile that loaded it.
    pub line: u32,
}

/// How a walk ended.
#[derive(Debug)]
#[must_use]
pub enum Ended {
    /// The reply is in the exchange.
    Reply,
    /// There is to be no reply.
    Dropped,
    /// A plugin waits: [`Router::resume`] goes on with the ticket.
    Waiting(Ticket),
}

/// Where a parked exchange goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticket {
    pub(crate) block: u16,
    pub(crate) at: usize,
    awaited: Awaited,
}

/// What a parked exchange waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Awaited {
    /// The plugin.
    Plugin,
    /// The target of a CNAME.
    Target,
    /// What the whole server says to the plugin.
    Advice,
}

impl Ticket {
    /// Where the way up begins: a plugin that asked for advice hears the outcome itself.
    pub(crate) fn way_up(self) -> usize {
        self.at + usize::from(self.awaited == Awaited::Advice)
    }
}

impl Chain {
    /// A chain of these plugins, outermost first.
    pub fn new(links: Vec<Link>) -> Self {
        let places = links.iter().enumerate();
        let observers =
            places.filter(|(_, link)| link.plugin.observer().is_some()).map(|(at, _)| at).collect();
        Self { links: links.into(), observers }
    }

    /// The plugins, outermost first.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Tells whoever wants to know it how a reply leaves.
    pub(crate) fn replied(&self, x: &Exchange, octets: usize) {
        for &at in &self.observers {
            if let Some(observer) = self.links[at].plugin.observer() {
                observer.replied(x, octets);
            }
        }
    }
}

/// A chain with what surrounds it: everything that a step can need.
#[derive(Clone, Copy)]
pub(crate) struct Walk<'a> {
    pub(crate) router: &'a Router,
    pub(crate) chain: &'a Chain,
    pub(crate) block: u16,
}

impl Walk<'_> {
    /// Walks down from `at` until a plugin ends the question, then up to `top`.
    ///
    /// All control flow of a query that is answered from memory is in this function and in
    /// [`Walk::up`].
    pub(crate) fn down(self, x: &mut Exchange, top: usize, mut at: usize) -> Ended {
        while let Some(link) = self.chain.links.get(at) {
            x.at = at;
            let step = link.plugin.query(x);
            x.turn(at, Way::Down(step));
            match step {
                Step::Next => at += 1,
                Step::Wait => return self.waiting(at, Awaited::Plugin),
                end => return self.end(x, top, at, end),
            }
        }
        let failure = self.nobody_answered(x);
        x.fail(failure);
        x.happened(What::Failed);
        self.up(x, top, at)
    }

    /// The plugin at `at` has ended the question with `step`.
    fn end(self, x: &mut Exchange, top: usize, at: usize, step: Step) -> Ended {
        let link = &self.chain.links[at];
        x.ended_by(link.name, link.line);
        match step {
            Step::Chase if !self.chase(x) => return self.waiting(at, Awaited::Target),
            Step::Consult if !self.consult(x) => return self.waiting(at, Awaited::Advice),
            Step::Consult => return self.up(x, top, at + 1),
            Step::Drop => x.set_dropped(),
            _ => {}
        }
        self.up(x, top, at)
    }

    /// Walks up from above `at` to `top`.
    pub(crate) fn up(self, x: &mut Exchange, top: usize, at: usize) -> Ended {
        for (index, link) in self.chain.links[..at].iter().enumerate().skip(top).rev() {
            x.at = index;
            x.undo_rewrites(index);
            link.plugin.response(x);
            if !x.alert {
                continue;
            }
            x.turn(index, Way::Up);
            if x.take_unfinished() {
                return self.waiting(index, Awaited::Plugin);
            }
            // No deeper than `Exchange::AGAIN_MAX`.
            if x.take_again() {
                return self.down(x, top, index + 1);
            }
        }
        if x.is_dropped() { Ended::Dropped } else { Ended::Reply }
    }

    /// Goes on where a walk had to wait. Only such a walk pays for a future.
    pub(crate) async fn finish(self, x: &mut Exchange, top: usize, ticket: Ticket) -> Ended {
        let mut ticket = ticket;
        loop {
            let at = ticket.at;
            x.at = at;
            let ended = match ticket.awaited {
                Awaited::Plugin => self.finish_plugin(x, top, at).await,
                Awaited::Target => {
                    self.finish_asking(x, Exchange::absorb).await;
                    self.up(x, top, ticket.way_up())
                }
                Awaited::Advice => {
                    self.finish_asking(x, Exchange::hear).await;
                    self.up(x, top, ticket.way_up())
                }
            };
            match ended {
                Ended::Waiting(next) => ticket = next,
                done => return done,
            }
        }
    }

    async fn finish_plugin(self, x: &mut Exchange, top: usize, at: usize) -> Ended {
        let rest = Rest { walk: self, at };
        let step = self.chain.links[at].plugin.resolve(x, rest).await;
        x.at = at;
        x.turn(at, Way::Resolve(step));
        match step {
            Step::Next => self.down(x, top, at + 1),
            // What `rest.run` has ended stays the answer of the plugin that ended it.
            Step::Done if x.answered_by().is_some() => self.up(x, top, at),
            end => self.end(x, top, at, end),
        }
    }

    fn waiting(self, at: usize, awaited: Awaited) -> Ended {
        Ended::Waiting(Ticket { block: self.block, at, awaited })
    }

    fn nobody_answered(self, x: &Exchange) -> Failure {
        match self.chain.links.last() {
            None => Failure::EmptyBlock,
            Some(last) => {
                last.plugin.if_last(x).unwrap_or(Failure::NobodyAnswered { last: last.name })
            }
        }
    }

    /// Asks the whole server for the target of the reply's last CNAME; false if that must wait.
    fn chase(self, x: &mut Exchange) -> bool {
        let Some(nested) = begin_chase(x) else { return true };
        self.ask(x, nested, Exchange::absorb)
    }

    /// Asks the whole server what [`Exchange::consult`] has begun; false if that must wait.
    fn consult(self, x: &mut Exchange) -> bool {
        let Some(nested) = x.nested.take() else { return true };
        self.ask(x, nested, Exchange::hear)
    }

    /// Asks the whole server, and lets `heed` take the outcome; false if that must wait.
    fn ask(self, x: &mut Exchange, mut nested: Box<Exchange>, heed: Heed) -> bool {
        let ended = self.router.walk(&mut nested);
        if let Ended::Waiting(ticket) = ended {
            nested.parked = Some(ticket);
        } else {
            heed(x, &mut nested);
            x.happened(What::Heard);
        }
        let done = nested.parked.is_none();
        x.nested = Some(nested);
        done
    }

    async fn finish_asking(self, x: &mut Exchange, heed: Heed) {
        let Some(mut nested) = x.nested.take() else { return };
        if let Some(ticket) = nested.parked.take() {
            // The outcome is in the exchange: a reply, a failure, or that it is dropped.
            let _ = self.router.resume(&mut nested, ticket).await;
            heed(x, &mut nested);
            x.happened(What::Heard);
        }
        x.nested = Some(nested);
    }
}

/// What an exchange makes of the question that stood behind its own.
type Heed = fn(&mut Exchange, &mut Exchange);

/// Makes the question for the target of the reply's last CNAME; none if the chain ends here: it is
/// no CNAME, a loop, or too long.
fn begin_chase(x: &mut Exchange) -> Option<Box<Exchange>> {
    let is_alias = |record: &&wire::Record| record.rtype == RecordType::CNAME;
    let last = x.reply.body.answer.iter().rev().find(is_alias)?; // its signatures may follow
    let target = x.reply.body.target(last)?.to_lower();
    if !x.chase(&target) {
        return None;
    }
    let mut question = Question::new(target.as_name(), x.question.rtype);
    question.class = x.question.class;
    let mut nested = x.nested.take().unwrap_or_default();
    nested.begin_nested(x, &question);
    Some(nested)
}

/// What lies below a waiting plugin, and around it.
#[derive(Clone, Copy)]
pub struct Rest<'a> {
    walk: Walk<'a>,
    at: usize,
}

impl Rest<'_> {
    /// Asks the plugins below and brings the reply up to just below the waiting plugin.
    ///
    /// Can be called again with another question, after [`Exchange::clear_reply`].
    pub async fn run(self, x: &mut Exchange) -> Ended {
        let below = self.at + 1;
        let ended = match self.walk.down(x, below, below) {
            Ended::Waiting(ticket) => Box::pin(self.walk.finish(x, below, ticket)).await,
            ended => ended,
        };
        x.at = self.at;
        ended
    }

    /// Asks the whole server, from the choice of the block on, as this exchange's client.
    ///
    /// None if questions already stand [`Exchange::DEPTH_MAX`] deep.
    pub async fn ask(self, x: &Exchange, question: &Question) -> Option<Box<Exchange>> {
        if x.depth() >= Exchange::DEPTH_MAX {
            return None;
        }
        let mut nested = Box::new(Exchange::new());
        nested.begin_nested(x, question);
        if let Ended::Waiting(ticket) = self.walk.router.walk(&mut nested) {
            let _ = self.walk.router.resume(&mut nested, ticket).await;
        }
        Some(nested)
    }
}
