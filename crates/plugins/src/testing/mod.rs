//! What the tests of plugins share: a configuration from a Corefile, asked without sockets.
//!
//! Start with [`Rig`]; what its blocks answer with is [`canned`]. For a plugin that waits, or that others
//! stand around, there is [`World`].

pub(crate) mod canned;
mod log;
mod world;

pub(crate) use log::{Log, logged};
pub(crate) use world::{Upstream, World, name, read_reply, router, shown, told};

use crate::assemble::{Assembly, Outcome, Surroundings, assemble};
use crate::env::Process;
use crate::kept::Kept;
use crate::lines::Lines;
use crate::metrics::Registry;
use chain::{Client, Clock, Ended, Exchange, Moment, Transport};
use std::sync::Arc;
use std::time::Duration;
use wire::{Class, Edns, Encoder, Flags, MESSAGE_MAX, NameBuf};

/// A process with two workers and this clock.
pub(crate) fn process(clock: Arc<dyn Clock>) -> Process {
    Process {
        clock,
        metrics: Arc::new(Registry::new(2)),
        lines: Lines::new(),
        version: "0.1.0",
        panics: Arc::default(),
        fatal: Arc::default(),
        serves: true,
        state_dir: None,
        state_interval: Duration::from_secs(30),
        rehearsal: None,
    }
}

/// A configuration, and the process around it.
pub(crate) struct Rig {
    pub(crate) process: Process,
    assembly: Assembly,
}

impl Rig {
    /// Of a Corefile without mistakes.
    pub(crate) fn new(corefile: &str) -> Self {
        let process = process(Arc::new(Stopped));
        let assembly = Self::built(corefile, &process, &Kept::default());
        Self { process, assembly }
    }

    /// Takes another configuration, as a reload does.
    pub(crate) fn reload(&mut self, corefile: &str) {
        self.assembly = Self::built(corefile, &self.process, &self.assembly.parts.kept);
    }

    fn built(corefile: &str, process: &Process, previous: &Kept) -> Assembly {
        let outcome = build(corefile, process, previous);
        outcome.1.unwrap_or_else(|| panic!("{:#?}", outcome.0))
    }

    /// Begins what wants to run, on the runtime of the test.
    pub(crate) fn start(&mut self) {
        self.assembly.parts.start(&tokio::runtime::Handle::current()).unwrap();
    }

    /// What the configuration asked for.
    pub(crate) fn assembly(&self) -> &Assembly {
        &self.assembly
    }

    /// Asks over UDP without EDNS, for `NAME TYPE`.
    pub(crate) fn ask(&self, question: &str) -> Exchange {
        self.ask_as(question, |_| {})
    }

    /// Asks as a client that `change` makes out of an ordinary one.
    pub(crate) fn ask_as(&self, question: &str, change: impl FnOnce(&mut Asker)) -> Exchange {
        let mut x = Exchange::new();
        self.ask_into(&mut x, question, change);
        x
    }

    /// Asks with an exchange that was in use before; whether there is a reply.
    pub(crate) fn ask_into(
        &self,
        x: &mut Exchange,
        question: &str,
        change: impl FnOnce(&mut Asker),
    ) -> bool {
        let mut asker = Asker::default();
        change(&mut asker);
        let query = asker.query(question);
        x.worker = 1;
        x.begin(&query, asker.client, self.process.clock.now()).unwrap();
        let router = &self.assembly.servers[asker.server].router;
        let (octets, replied) = match router.answer(x) {
            Ended::Reply => {
                let mut out = vec![0; MESSAGE_MAX];
                (Encoder::new().reply(&x.request, &x.reply, x.reply_limit(), &mut out), true)
            }
            Ended::Dropped => (0, false),
            Ended::Waiting(_) => panic!("nothing waits here"),
        };
        router.replied(x, octets);
        replied
    }

    /// The page of metrics.
    pub(crate) fn metrics(&self) -> Vec<String> {
        self.process.metrics.text().lines().map(str::to_owned).collect()
    }
}

/// The mistakes of a Corefile, one line each.
pub(crate) fn mistakes(corefile: &str) -> Vec<String> {
    let rig = Rig::new("");
    build(corefile, &rig.process, &Kept::default()).0
}

fn build(corefile: &str, process: &Process, previous: &Kept) -> (Vec<String>, Option<Assembly>) {
    let parsed = corefile::parse("Corefile", corefile.as_bytes(), &());
    let surroundings =
        Surroundings { process, port: 53, previous, files: &crate::files::Files::disk(false) };
    let Outcome { assembly, mut mistakes, .. } =
        assemble(&parsed.blocks, &parsed.sources, &surroundings);
    mistakes.append(parsed.mistakes);
    let assembly = assembly.filter(|_| !mistakes.has_errors());
    (mistakes.lines(&parsed.sources).collect(), assembly)
}

/// Who asks, and how.
pub(crate) struct Asker {
    pub(crate) client: Client,
    /// Which listener is asked.
    pub(crate) server: usize,
    pub(crate) id: u16,
    pub(crate) flags: Flags,
    pub(crate) class: Class,
    pub(crate) edns: Option<Edns>,
}

impl Default for Asker {
    fn default() -> Self {
        Self {
            client: Client {
                peer: "10.0.0.7:4000".parse().unwrap(),
                local: "127.0.0.1:53".parse().unwrap(),
                transport: Transport::Udp,
            },
            server: 0,
            id: 1,
            flags: Flags::RD,
            class: Class::IN,
            edns: None,
        }
    }
}

impl Asker {
    fn query(&self, question: &str) -> Vec<u8> {
        let (name, rtype) = question.split_once(' ').unwrap();
        let name: NameBuf = name.parse().unwrap();
        let question = (name.as_name(), rtype.parse().unwrap(), self.class);
        let mut out = vec![0; 4096];
        let length =
            Encoder::new().query(self.id, self.flags, question, self.edns.as_ref(), &mut out);
        out.truncate(length);
        out
    }
}

/// The records of a reply's answer section as text: `owner TTL TYPE` and the address, name or octets.
pub(crate) fn answers(x: &Exchange) -> Vec<String> {
    x.reply.body.answer.iter().map(|record| canned::shown(&x.reply.body, record)).collect()
}

/// A clock that stands still.
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Moment {
        Moment(0)
    }

    fn unix_seconds(&self) -> u64 {
        1_700_000_000
    }
}
