//! `forward`: asks other servers.
//!
//! The asking itself (which server, over what, health, failover) is the crate `upstream`. Here is
//! what a question takes along ([`Line::ask`]), what comes back of an answer ([`reply`]), which
//! line takes it ([`routes`]), and where the servers come from ([`sources`]).

mod config;
mod metrics;
mod note;
mod routes;
mod servers;
mod sources;
#[cfg(test)]
mod tests;
mod told;

use crate::directive::{Built, Directive};
use crate::env::Env;
use crate::inspect::InspectUpstreams;
use crate::zones::Zones;
use chain::{Clock, Exchange, Failure, Plugin, Resolving, Rest, Step, Transport, UpstreamFailure};
use config::{Config, Next};
use corefile::{Accepted, Block, Mistake, Mistakes};
use metrics::Ledger;
use routes::Routes;
use servers::Servers;
use sources::Sources;
use std::borrow::Cow;
use std::sync::Arc;
use told::Told;
use upstream::{Answered, Cause, Query};
use wire::{Edns, Flags, Message, Name, OPT_EXTENDED_ERROR, OPT_NSID, Rcode, RecordType};

/// The directive and the plugin: all lines of a server block.
pub(crate) struct Forward {
    clock: Arc<dyn Clock>,
    routes: Routes,
    /// By the number that [`Routes`] gives them.
    lines: Vec<Line>,
}

/// One `forward` line.
struct Line {
    next: Next,
    servers: Arc<Servers>,
    /// The servers in words, in an order that is always the same.
    described: Box<str>,
}

impl Directive for Forward {
    const NAME: &'static str = "forward";
    type Config = Vec<Config>;

    fn read(block: &Block<'_>) -> Result<Accepted<Vec<Config>>, Mistakes> {
        Config::read(block)
    }

    fn build(configs: Vec<Config>, env: &mut Env<'_>) -> Built {
        env.serve_all_classes();
        let ledger = Ledger::of(env);
        let clock = env.process.clock.clone();
        let mut forward = Self { clock, routes: Routes::default(), lines: Vec::new() };
        let mut told = Told::default();
        let mut mistakes = Mistakes::new();
        for config in configs {
            match servers(&config, env) {
                Ok((servers, described)) => {
                    ledger.add(&servers);
                    told.lines.push((config.from.to_string(), servers.clone()));
                    forward.routes.add(&config.from, Zones::new(&config.except));
                    forward.lines.push(Line { next: config.next, servers, described });
                }
                Err(mistake) => mistakes.push(mistake),
            }
        }
        env.offer::<dyn InspectUpstreams>(Self::NAME, Arc::new(told));
        if mistakes.has_errors() { Err(mistakes) } else { Ok(Some(Box::new(forward))) }
    }
}

/// The servers of a line, those of the configuration before if its line was the same; and the same
/// in words.
fn servers(config: &Config, env: &mut Env<'_>) -> Result<(Arc<Servers>, Box<str>), Mistake> {
    let sources = Sources::read(config, env)?;
    let Config { from, to, resolvers, settings, .. } = config;
    // Equal lines of two blocks stay apart: `max_concurrent` is for each.
    let block = (&env.site.zones, &env.site.addresses);
    let key = format!("{:?}", (block, from, to, resolvers, settings));
    let servers = env.keep(key, || Servers::new(settings.clone()));
    let described = sources.describe();
    if !env.process.may_ask() {
        return Ok((servers, described));
    }
    if sources.have_names() {
        env.before_serving(servers.clone().looked_up());
    }
    let started = servers.clone();
    env.try_on_start(move |runtime| {
        started.start(sources, runtime);
        Ok(())
    });
    Ok((servers, described))
}

impl Plugin for Forward {
    fn query(&self, x: &mut Exchange) -> Step {
        match self.routes.find(x.question.name(), 0) {
            Some(number) if x.rehearsal => x.fail(self.not_asked(x, number)),
            Some(number) => {
                x.note(|| note::whom(&self.lines[number].servers));
                Step::Wait
            }
            None => {
                x.note(|| "has no line for the name".to_owned());
                Step::Next
            }
        }
    }

    fn resolve<'a>(&'a self, x: &'a mut Exchange, _: Rest<'a>) -> Resolving<'a> {
        Box::pin(self.answer(x))
    }

    fn names(&self, show: &mut dyn FnMut(Name<'_>, RecordType)) {
        self.routes.zones().into_iter().for_each(|zone| show(zone, RecordType::A));
    }
}

impl Forward {
    /// Whom a rehearsal does not ask, and for what if it is not what the client asked for.
    fn not_asked(&self, x: &Exchange, first: usize) -> Failure {
        let (asked, request) = (&x.question, &x.request);
        let mut line = &self.lines[first];
        let (mut asks, mut number) = (line.described.to_string(), first);
        while line.may_hand_over()
            && let Some(next) = self.routes.find(asked.name(), number + 1)
        {
            (line, number) = (&self.lines[next], next);
            asks = format!("{asks}, then {}", line.described);
        }
        if asked.name() != request.asked.as_name() || asked.rtype != request.rtype {
            asks = format!("{asks} for {} {}", asked.name(), asked.rtype);
        }
        Failure::NotAsked { asks: asks.into() }
    }

    /// Asks the servers of the first line that takes the question, and of those that it hands
    /// over to.
    async fn answer(&self, x: &mut Exchange) -> Step {
        let mut taken = self.routes.find(x.question.name(), 0);
        while let Some(number) = taken {
            let line = &self.lines[number];
            let asked = line.ask(x).await;
            x.resumed(self.clock.now());
            label(x, &asked);
            x.note(|| note::outcome(&asked));
            let message = match asked {
                Ok(answered) => answered.message,
                Err(why) => return x.fail(failure(&why)),
            };
            // CoreDNS lets the question end in SERVFAIL if there is a line behind, but none that
            // takes it. An answer is better.
            taken = line.hands_over(&message).then_some(number + 1);
            if taken.is_some() {
                x.note(|| format!("`next` hands {} over to the line behind", message.rcode));
            }
            taken = taken.and_then(|least| self.routes.find(x.question.name(), least));
            if taken.is_none() {
                reply(x, &message);
                return Step::Done;
            }
        }
        Step::Next
    }
}

impl Line {
    /// Whether there is an answer with which a question would go on to the next line.
    fn may_hand_over(&self) -> bool {
        !self.next.rcodes.is_empty() || self.next.no_data
    }

    async fn ask(&self, x: &Exchange) -> Result<Answered, upstream::Failure> {
        // A configuration that serves has been started.
        let upstreams = self.servers.upstreams().ok_or(upstream::Failure::NoHealthyUpstream)?;
        let request = &x.request;
        let rewritten = x.question.name() != request.asked.as_name();
        let edns = x.outgoing_edns().map(for_next_hop);
        let query = Query {
            // The client may have put randomness into the case of its name (0x20).
            name: if rewritten { x.question.name() } else { request.asked.as_name() },
            rtype: x.question.rtype,
            class: x.question.class,
            opcode: request.opcode,
            flags: request.flags,
            edns: edns.as_deref(),
            over: match x.client.transport {
                Transport::Udp => upstream::Transport::Udp,
                Transport::Tcp => upstream::Transport::Tcp,
            },
        };
        upstreams.ask(query).await
    }

    fn hands_over(&self, message: &Message) -> bool {
        let no_data = message.rcode == Rcode::NOERROR && message.body.answer.is_empty();
        self.next.rcodes.contains(&message.rcode) || self.next.no_data && no_data
    }
}

/// Option codes that concern two neighbours and nobody else: COOKIE (RFC 7873), TCP-KEEPALIVE
/// (RFC 7828), PADDING (RFC 7830).
const BETWEEN_NEIGHBOURS: [u16; 3] = [10, 11, 12];

/// The OPT record without what was meant for us.
///
/// RFC 6891 §6.2.6: those who forward with more intelligence than a wire "MUST consider the incoming
/// request and any outgoing requests as separate transactions". CoreDNS passes everything on.
fn for_next_hop(edns: &Edns) -> Cow<'_, Edns> {
    let is_for_us = |code| BETWEEN_NEIGHBOURS.contains(&code);
    if !edns.options.iter().any(|(code, _)| is_for_us(code)) {
        return Cow::Borrowed(edns);
    }
    let mut edns = edns.clone();
    edns.options.retain(|code| !is_for_us(code));
    Cow::Owned(edns)
}

/// The answer becomes the reply: code, flags and records as they came.
///
/// Of the OPT record an extended error goes on, and the name of the server to a client that asked
/// for one.
fn reply(x: &mut Exchange, message: &Message) {
    x.clear_reply();
    let given = Flags::AA.with(Flags::TC).with(Flags::RA).with(Flags::AD);
    x.reply.flags = x.reply.flags.with(message.flags.only(given));
    x.reply.body.copy_from(&message.body);
    // RFC 6891 §6.1.3: codes above 15 need an OPT record to be told.
    let told = message.rcode.0 < 16 || x.request.has_edns;
    x.reply.rcode = if told { message.rcode } else { Rcode::SERVFAIL };
    let asked_name = x.request.has_edns && x.request.edns.options.find(OPT_NSID).is_some();
    for (code, data) in message.edns.iter().flat_map(|edns| edns.options.iter()) {
        if code == OPT_EXTENDED_ERROR || code == OPT_NSID && asked_name {
            x.reply.options.push(code, data);
        }
    }
}

/// Tells `log` and `rewrite` who was asked last, if they want to know.
fn label(x: &mut Exchange, asked: &Result<Answered, upstream::Failure>) {
    let Some(labels) = &mut x.labels else { return };
    let server = match asked {
        Ok(answered) => answered.by(),
        Err(upstream::Failure::Upstream { link, .. }) => link.remote,
        Err(_) => return,
    };
    labels.retain(|(name, _)| name != UPSTREAM);
    labels.push((Cow::Borrowed(UPSTREAM), server.to_string()));
}

/// The label that CoreDNS has for it.
const UPSTREAM: &str = "forward/upstream";

fn failure(failure: &upstream::Failure) -> Failure {
    let cause = match failure {
        upstream::Failure::NoHealthyUpstream => UpstreamFailure::Unhealthy,
        upstream::Failure::TooManyConcurrent { .. } => UpstreamFailure::TooMany,
        upstream::Failure::Upstream { cause, link } => match cause {
            Cause::TimedOut { .. } => UpstreamFailure::TimedOut,
            Cause::AnotherQuestion => UpstreamFailure::Malformed { by: Some(link.remote) },
            // As in CoreDNS, octets that are no message are a trouble of the network: SERVFAIL.
            Cause::Network { .. } | Cause::Eof | Cause::Malformed(_) | Cause::Busy { .. } => {
                UpstreamFailure::Network
            }
        },
    };
    Failure::Upstream { cause, text: failure.to_string().into() }
}
