//! One question walked through a configuration, with everything that was decided on the way.
//!
//! **What this is.** [`explain`], which asks a router and writes down what it did, and
//! [`Explanation`], the outcome in words: what `rutter explain` prints and what its JSON holds.
//!
//! **What this is not.** It knows no search list and prints nothing.

use chain::{Client, Ended, Event, Exchange, Failure, Glance, Recording, Router, Step, Way, What};
use plugins::env::BuiltBlock;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use wire::{Class, Encoder, Flags, NameBuf, RecordType};

/// How long a question may wait: as long as when it is served.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked, and how.
pub(crate) struct Asking<'a> {
    pub(crate) name: NameBuf,
    pub(crate) rtype: RecordType,
    pub(crate) client: Client,
    pub(crate) clock: &'a dyn chain::Clock,
    /// Whether to stop where another server has to be asked.
    pub(crate) offline: bool,
}

/// What became of a question, and why.
#[derive(Serialize, Debug)]
pub(crate) struct Explanation {
    /// The name, with its last dot.
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) rtype: String,
    pub(crate) outcome: Outcome,
    pub(crate) rcode: String,
    /// Why it failed, if it did.
    pub(crate) failure: Option<String>,
    /// The plugins that the records came from, the one that was asked first in front.
    pub(crate) answered_by: Vec<Origin>,
    pub(crate) answer: Vec<String>,
    pub(crate) authority: Vec<String>,
    pub(crate) additional: Vec<String>,
    /// How long it waited for others, in milliseconds; none if all was in memory.
    pub(crate) waited_ms: Option<f64>,
    pub(crate) steps: Vec<Stage>,
    /// Steps that found no room.
    pub(crate) steps_left_out: usize,
}

/// What became of a question.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// There are records.
    Answered,
    /// The name exists, but has no such records.
    NoData,
    /// The name is delegated: other servers have it.
    Referral,
    /// The name does not exist.
    NoName,
    /// An error.
    Failed,
    /// No reply at all.
    Dropped,
    /// Another server had to be asked, and was not.
    NotAsked,
}

/// A plugin, and where the configuration names it.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Origin {
    pub(crate) plugin: &'static str,
    /// `FILE:LINE`
    pub(crate) place: String,
}

/// One step of the way.
#[derive(Serialize, PartialEq, Debug)]
pub(crate) struct Stage {
    /// How many questions stand above the one that this is about.
    pub(crate) depth: u8,
    #[serde(flatten)]
    pub(crate) what: Act,
    /// What the plugin says about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
    /// The question, if it changed: what it is now.
    #[serde(rename = "now_asks", skip_serializing_if = "Option::is_none")]
    pub(crate) question: Option<String>,
    /// The reply, if it changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reply: Option<Change>,
}

/// A reply that has changed.
#[derive(Serialize, PartialEq, Debug)]
pub(crate) struct Change {
    pub(crate) before: Seen,
    pub(crate) after: Seen,
}

/// What happened.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum Act {
    /// A question begins.
    Asked { question: String, block: Option<Place>, other_blocks: Vec<Place> },
    /// A plugin looked at the question, and this was its step.
    Query {
        #[serde(flatten)]
        origin: Origin,
        step: &'static str,
    },
    /// A plugin that waited has come to this step.
    Resolve {
        #[serde(flatten)]
        origin: Origin,
        step: &'static str,
    },
    /// A plugin looked at the reply.
    Response {
        #[serde(flatten)]
        origin: Origin,
    },
    /// A plugin did not come to an end.
    Unfinished {
        #[serde(flatten)]
        origin: Origin,
    },
    /// The outcome of the question behind this one was taken over.
    Heard,
    /// Nobody answered, no block serves the name, or it took too long.
    Failed,
}

/// A server block.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) zone: String,
    /// `FILE:LINE`
    pub(crate) place: String,
}

/// A reply at one moment.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) rcode: String,
    pub(crate) failure: Option<String>,
    pub(crate) answer: Vec<String>,
    pub(crate) authority: Vec<String>,
    pub(crate) additional: Vec<String>,
}

/// Asks `router`, whose blocks are among `blocks`, and tells what it did and why.
///
/// Must be awaited on a tokio runtime with time.
pub(crate) async fn explain(
    router: &Router,
    blocks: &[BuiltBlock],
    asking: &Asking<'_>,
) -> Explanation {
    let mut query = [0; 512];
    let question = (asking.name.as_name(), asking.rtype, Class::IN);
    let length = Encoder::new().query(0, Flags::RD, question, None, &mut query);
    let recording = Arc::new(Recording::default());
    let mut x = Box::new(Exchange::new());
    // What the encoder has written is a question.
    let begun = x.begin(&query[..length], asking.client, asking.clock.now());
    debug_assert!(begun.is_ok());
    x.record(recording.clone());
    let ended = match router.answer(&mut x) {
        Ended::Waiting(ticket) if !asking.offline => {
            let resumed = tokio::time::timeout(PATIENCE, router.resume(&mut x, ticket)).await;
            resumed.unwrap_or_else(|_| {
                router.abandon(&mut x, ticket, &Failure::Deadline { after: PATIENCE })
            })
        }
        ended => ended,
    };
    let teller = Teller { router, blocks };
    let steps = teller.stages(recording.events());
    let outcome = outcome(&ended, &x);
    let reply = seen(&Glance::of(&x.reply, x.failure().map(ToString::to_string)));
    let waited = x.has_waited().then(|| asking.clock.now().since(x.received));
    Explanation {
        name: asking.name.to_string(),
        rtype: asking.rtype.to_string(),
        outcome,
        rcode: reply.rcode,
        failure: reply.failure,
        answered_by: answerers(&steps, &x),
        answer: reply.answer,
        authority: reply.authority,
        additional: reply.additional,
        waited_ms: waited.map(|waited| waited.as_secs_f64() * 1000.0),
        steps,
        steps_left_out: recording.left_out(),
    }
}

fn outcome(ended: &Ended, x: &Exchange) -> Outcome {
    match ended {
        Ended::Waiting(_) => Outcome::NotAsked,
        Ended::Dropped => Outcome::Dropped,
        Ended::Reply if x.reply.rcode == wire::Rcode::NXDOMAIN => Outcome::NoName,
        Ended::Reply if x.reply.rcode != wire::Rcode::NOERROR => Outcome::Failed,
        Ended::Reply if has_records(x) => Outcome::Answered,
        Ended::Reply if is_referral(x) => Outcome::Referral,
        Ended::Reply => Outcome::NoData,
    }
}

/// Whether there is what was asked for. An alias to a name without it is no answer.
fn has_records(x: &Exchange) -> bool {
    let asked = x.request.rtype;
    x.reply.body.answer.iter().any(|it| asked == RecordType::ANY || it.rtype == asked)
}

/// RFC 2308 §2.2.1: unlike a denial, a referral has no SOA record.
fn is_referral(x: &Exchange) -> bool {
    let body = &x.reply.body;
    let has = |rtype| body.authority.iter().any(|record| record.rtype == rtype);
    body.answer.is_empty() && has(RecordType::NS) && !has(RecordType::SOA)
}

/// The plugins that ended the question and those behind it, each once.
fn answerers(steps: &[Stage], x: &Exchange) -> Vec<Origin> {
    let asked = std::iter::successors(Some(x), |x| x.target());
    let ended: Vec<_> = asked.filter_map(Exchange::answered_by).map(|(name, _)| name).collect();
    let mut found: Vec<Origin> = Vec::new();
    for step in steps {
        if let Act::Query { origin, step } | Act::Resolve { origin, step } = &step.what
            && matches!(*step, "done" | "drop" | "chase" | "consult")
            && ended.contains(&origin.plugin)
            && !found.contains(origin)
        {
            found.push(origin.clone());
        }
    }
    found
}

/// Puts events into words.
struct Teller<'a> {
    router: &'a Router,
    blocks: &'a [BuiltBlock],
}

/// Notes of a plugin whose turn is not over: depth, block and place in the chain, and what it said.
type Pending = (u8, u16, usize, Vec<String>);

impl Teller<'_> {
    fn stages(&self, events: Vec<Event>) -> Vec<Stage> {
        let mut stages = Vec::new();
        let mut pending: Vec<Pending> = Vec::new();
        for Event { depth, block, what, question, reply } in events {
            if let What::Note { at, text } = what {
                let is_it = |it: &&mut Pending| (it.0, it.1, it.2) == (depth, block, at);
                match pending.iter_mut().find(is_it) {
                    Some((.., notes)) => notes.push(text),
                    None => pending.push((depth, block, at, vec![text])),
                }
                continue;
            }
            let mut notes = Vec::new();
            if let What::Turn { at, .. } = what {
                let said = pending.iter().position(|it| (it.0, it.1, it.2) == (depth, block, at));
                notes = said.map(|said| pending.remove(said).3).unwrap_or_default();
            }
            stages.push(Stage {
                depth,
                what: self.act(block, what),
                notes,
                question: question.map(|(_, after)| after.to_string()),
                reply: reply
                    .map(|(before, after)| Change { before: seen(&before), after: seen(&after) }),
            });
        }
        let unfinished = pending.into_iter().map(|(depth, block, at, notes)| Stage {
            depth,
            what: Act::Unfinished { origin: self.origin(block, at) },
            notes,
            question: None,
            reply: None,
        });
        stages.extend(unfinished);
        stages
    }

    fn act(&self, block: u16, what: What) -> Act {
        match what {
            What::Asked { question, considered } => Act::Asked {
                question: question.to_string(),
                block: self.place(block),
                other_blocks: considered
                    .into_iter()
                    .filter(|other| *other != block)
                    .filter_map(|other| self.place(other))
                    .collect(),
            },
            What::Turn { at, way } => {
                let origin = self.origin(block, at);
                match way {
                    Way::Down(step) => Act::Query { origin, step: word(step) },
                    Way::Resolve(step) => Act::Resolve { origin, step: word(step) },
                    Way::Up => Act::Response { origin },
                }
            }
            // A note is told with its plugin's turn.
            What::Heard | What::Note { .. } => Act::Heard,
            What::Failed => Act::Failed,
        }
    }

    fn built(&self, block: u16) -> Option<(&chain::Block, Option<&BuiltBlock>)> {
        let block = self.router.blocks().get(usize::from(block))?;
        let built = self.blocks.iter().find(|built| Arc::ptr_eq(&built.chain, &block.chain));
        Some((block, built))
    }

    fn place(&self, block: u16) -> Option<Place> {
        let (block, built) = self.built(block)?;
        let place = built.map(|built| built.place.clone()).unwrap_or_default();
        Some(Place { zone: block.zone.to_string(), place })
    }

    fn origin(&self, block: u16, at: usize) -> Origin {
        let built = self.built(block);
        let plugin = built.and_then(|(block, _)| block.chain.links().get(at));
        let place = built.and_then(|(_, built)| built?.places.get(at).cloned());
        Origin { plugin: plugin.map_or("", |link| link.name), place: place.unwrap_or_default() }
    }
}

fn word(step: Step) -> &'static str {
    match step {
        Step::Next => "next",
        Step::Done => "done",
        Step::Drop => "drop",
        Step::Wait => "wait",
        Step::Chase => "chase",
        Step::Consult => "consult",
    }
}

fn seen(glance: &Glance) -> Seen {
    let [answer, authority, additional] = glance.records.clone();
    let failure = glance.failure.clone();
    Seen { rcode: glance.rcode.to_string(), failure, answer, authority, additional }
}
