//! One plugin out of its Corefile, between others of a test: a fake upstream below it, and a clock
//! that a test moves.

use crate::directive::Directive;
use crate::env::{Env, Parts, Process, Site};
use crate::files::Files;
use crate::kept::Kept;
use chain::{
    Block, Chain, Client, Clock, Ended, Exchange, Link, Moment, Plugin, Resolving, Rest, Router,
    Step, Transport,
};
use corefile::Mistakes;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wire::{Body, Class, Edns, Encoder, Flags, NameBuf, Rcode, RecordType, Reply, Section};

/// The name that a text says.
pub(crate) fn name(text: &str) -> NameBuf {
    text.parse().unwrap()
}

/// A clock that a test moves.
#[derive(Default)]
pub(crate) struct FakeClock(AtomicU64);

impl FakeClock {
    /// Lets time pass.
    pub(crate) fn advance(&self, time: Duration) {
        self.0.fetch_add(time.as_nanos() as u64, Relaxed);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Moment {
        Moment(self.0.load(Relaxed))
    }

    fn unix_seconds(&self) -> u64 {
        1_800_000_000 + self.0.load(Relaxed) / 1_000_000_000
    }
}

/// A process with a clock that stands still, and what it keeps from one configuration to the next.
pub(crate) struct World {
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) process: Process,
    kept: Kept,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(FakeClock::default());
        let process = super::process(clock.clone());
        Self { clock, process, kept: Kept::default() }
    }

    /// Reads the directive of the only block of a Corefile, builds its plugin, and keeps what it
    /// wants to be kept.
    pub(crate) fn build<D: Directive>(
        &mut self,
        corefile: &str,
    ) -> Result<Box<dyn Plugin>, Mistakes> {
        let parsed = corefile::parse("Corefile", corefile.as_bytes(), &());
        let block = &parsed.blocks[0];
        let config = D::read(&block.block(D::NAME).unwrap())?.config;
        let zones: Vec<NameBuf> = block.zones().iter().map(|zone| name(zone)).collect();
        let zone_names = block.zones().iter().map(|zone| Arc::from(*zone)).collect();
        let order = crate::order::ORDER.iter().map(|entry| entry.name);
        let site = Site {
            index: 0,
            zones,
            servers: vec![0],
            served: vec![(0, 0)],
            is_bound: false,
            server_names: [Arc::from("dns://:53")].into(),
            zone_names,
            directives: order.filter(|name| block.names().contains(name)).collect(),
            addresses: Vec::new(),
        };
        let mut parts = Parts::default();
        let mut env = Env {
            process: &self.process,
            site: &site,
            root: &mut PathBuf::new(),
            previous: &self.kept,
            files: &Files::disk(false),
            parts: &mut parts,
            capabilities: &mut crate::capabilities::Capabilities::default(),
            whole: &Arc::default(),
        };
        let plugin = D::build(config, &mut env)?.unwrap();
        self.kept = parts.kept;
        Ok(plugin)
    }

    /// What is wrong with a Corefile, as the operator sees it; empty if nothing is.
    pub(crate) fn complaints<D: Directive>(corefile: &str) -> String {
        let parsed = corefile::parse("Corefile", corefile.as_bytes(), &());
        let mistakes = match D::read(&parsed.blocks[0].block(D::NAME).unwrap()) {
            Ok(accepted) => accepted.warnings,
            Err(mistakes) => mistakes,
        };
        mistakes.render(&parsed.sources, false)
    }

    /// A question, written as `name TYPE` and perhaps `+do +cd +ad +edns`, as it comes in now.
    pub(crate) fn question(&self, line: &str) -> Box<Exchange> {
        let mut words = line.split(' ');
        let asked = name(words.next().unwrap());
        let rtype: RecordType = words.next().unwrap_or("A").parse().unwrap();
        let mut flags = Flags::RD;
        let mut edns: Option<Edns> = None;
        for word in words {
            match word {
                "+do" => edns.get_or_insert_default().dnssec_ok = true,
                "+edns" => edns.get_or_insert_default().udp_size = 1232,
                "+cd" => flags = flags.with(Flags::CD),
                "+ad" => flags = flags.with(Flags::AD),
                _ => panic!("{word}"),
            }
        }
        let mut out = vec![0; 512];
        let question = (asked.as_name(), rtype, Class::IN);
        let length = Encoder::new().query(1, flags, question, edns.as_ref(), &mut out);
        let client = Client {
            peer: "10.1.2.3:4000".parse().unwrap(),
            local: "127.0.0.1:53".parse().unwrap(),
            transport: Transport::Udp,
        };
        let mut x = Box::new(Exchange::new());
        x.begin(&out[..length], client, self.clock.now()).unwrap();
        x.worker = 1;
        x
    }

    /// Asks and waits for the reply; refreshes that it asks for are done as well.
    pub(crate) async fn ask(&self, router: &Router, line: &str) -> Box<Exchange> {
        let mut x = self.question(line);
        if let Ended::Waiting(ticket) = router.answer(&mut x) {
            x.worker = 0;
            let _ = router.resume(&mut x, ticket).await;
        }
        if let Some(refresh) = x.take_refresh() {
            let mut spare = Exchange::new();
            spare.begin_refresh(&x, &refresh);
            router.refresh(&mut spare, &refresh).await;
        }
        x
    }
}

/// A router of one block for everything.
pub(crate) fn router(plugins: Vec<Box<dyn Plugin>>) -> Router {
    let links = plugins.into_iter().map(|plugin| Link { plugin, name: "test", line: 0 }).collect();
    let chain = Arc::new(Chain::new(links));
    let block = Block { zone: NameBuf::root(), zone_index: 0, chain };
    Router::new(0, "dns://:53".into(), vec![block], Arc::default())
}

/// A server somewhere else, with answers that can be changed. It takes its time: one turn, or what
/// it is told to.
#[derive(Clone)]
pub(crate) struct Upstream {
    state: Arc<Mutex<UpstreamState>>,
    clock: Arc<FakeClock>,
}

#[derive(Default)]
struct UpstreamState {
    replies: HashMap<(NameBuf, RecordType), Reply>,
    /// Each question that was asked, with what upstream servers see of the OPT record.
    asked: Vec<(String, Option<Edns>, Flags)>,
    delay: Duration,
    is_live: bool,
    is_local: bool,
}

impl Upstream {
    pub(crate) fn new(world: &World) -> Self {
        Self { state: Arc::default(), clock: world.clock.clone() }
    }

    /// Answers a question so from now on: `ra NOERROR`, then records, those of the authority section
    /// behind `--`. A record is `name ttl TYPE data`.
    pub(crate) fn answers(&self, question: &str, reply: &str) {
        let (asked, rtype) = question.split_once(' ').unwrap();
        let key = (name(asked), rtype.parse().unwrap());
        self.state.lock().unwrap().replies.insert(key, read_reply(reply));
    }

    /// Answers nothing any more: its questions fail.
    pub(crate) fn goes_down(&self) {
        self.state.lock().unwrap().replies.clear();
    }

    pub(crate) fn takes(&self, delay: Duration) {
        self.state.lock().unwrap().delay = delay;
    }

    /// Its answers are live data.
    pub(crate) fn is_live(&self) {
        self.state.lock().unwrap().is_live = true;
    }

    /// Its answers are in memory.
    pub(crate) fn is_local(&self) {
        self.state.lock().unwrap().is_local = true;
    }

    /// The questions so far, which are then forgotten.
    pub(crate) fn asked(&self) -> Vec<String> {
        let asked = std::mem::take(&mut self.state.lock().unwrap().asked);
        asked.into_iter().map(|(question, ..)| question).collect()
    }

    /// What the last question came with.
    pub(crate) fn last(&self) -> (Option<Edns>, Flags) {
        let state = self.state.lock().unwrap();
        let (_, edns, flags) = state.asked.last().unwrap();
        (edns.clone(), *flags)
    }

    fn reply(&self, x: &mut Exchange) -> Step {
        let mut state = self.state.lock().unwrap();
        let asked = format!("{} {}", x.question.name(), x.question.rtype);
        state.asked.push((asked, x.outgoing_edns().cloned(), x.request.flags));
        if state.is_live {
            x.live();
        }
        let key = (x.question.name().to_buf(), x.question.rtype);
        match state.replies.get(&key) {
            Some(reply) => {
                x.reply.copy_from(reply);
                x.reply.flags = x.reply.flags.with(Flags::RD);
                Step::Done
            }
            None => x.fail(chain::Failure::Upstream {
                cause: chain::UpstreamFailure::TimedOut,
                text: "i/o timeout".into(),
            }),
        }
    }
}

impl Plugin for Upstream {
    fn query(&self, x: &mut Exchange) -> Step {
        if self.state.lock().unwrap().is_local { self.reply(x) } else { Step::Wait }
    }

    fn resolve<'a>(&'a self, x: &'a mut Exchange, _: Rest<'a>) -> Resolving<'a> {
        Box::pin(async move {
            let delay = self.state.lock().unwrap().delay;
            tokio::time::sleep(delay).await;
            self.clock.advance(delay + Duration::from_micros(1));
            x.resumed(self.clock.now());
            self.reply(x)
        })
    }
}

/// A reply out of its text, see [`Upstream::answers`].
pub(crate) fn read_reply(text: &str) -> Reply {
    let mut lines = text.split('\n').map(str::trim);
    let mut reply = Reply::default();
    for word in lines.next().unwrap().split(' ') {
        match word {
            "aa" => reply.flags = reply.flags.with(Flags::AA),
            "ra" => reply.flags = reply.flags.with(Flags::RA),
            "ad" => reply.flags = reply.flags.with(Flags::AD),
            "tc" => reply.flags = reply.flags.with(Flags::TC),
            rcode => reply.rcode = rcode.parse().unwrap(),
        }
    }
    let mut section = Section::Answer;
    for line in lines {
        match line {
            "--" if section == Section::Answer => section = Section::Authority,
            "--" => section = Section::Additional,
            record => read_record(record, section, &mut reply.body),
        }
    }
    reply
}

fn read_record(line: &str, section: Section, body: &mut Body) {
    let words: Vec<_> = line.split(' ').collect();
    let [owner, ttl, rtype, data @ ..] = &words[..] else { panic!("{line}") };
    let rtype: RecordType = rtype.parse().unwrap();
    let mut octets = Vec::new();
    for (index, word) in data.iter().enumerate() {
        match (rtype, index) {
            (RecordType::A, _) => {
                octets.extend(word.parse::<std::net::Ipv4Addr>().unwrap().octets());
            }
            (RecordType::MX, 0) | (RecordType::SRV, 0..=2) => {
                octets.extend(word.parse::<u16>().unwrap().to_be_bytes());
            }
            (RecordType::SOA, 2..) => octets.extend(word.parse::<u32>().unwrap().to_be_bytes()),
            (RecordType::TXT, _) => {
                octets.push(word.len() as u8);
                octets.extend(word.bytes());
            }
            (RecordType::RRSIG, _) => octets.extend(
                (0..word.len())
                    .step_by(2)
                    .map(|at| u8::from_str_radix(&word[at..at + 2], 16).unwrap()),
            ),
            _ => octets.extend(name(word).octets()),
        }
    }
    body.push(section, name(owner).as_name(), ttl.parse().unwrap(), rtype, &octets);
}

/// The reply in the form that [`Upstream::answers`] reads.
pub(crate) fn shown(x: &Exchange) -> String {
    let Reply { flags, rcode, body, .. } = &x.reply;
    let mut text = String::new();
    for (flag, word) in
        [(Flags::AA, "aa "), (Flags::TC, "tc "), (Flags::RA, "ra "), (Flags::AD, "ad ")]
    {
        text += if flags.has(flag) { word } else { "" };
    }
    text += &rcode.to_string();
    for section in Section::ALL {
        if section != Section::Answer
            && Section::ALL.iter().skip(section as usize).any(|s| !body.section(*s).is_empty())
        {
            text += "\n--";
        }
        for record in body.section(section) {
            let rdata = body.rdata(record);
            let data = match record.rtype {
                RecordType::A => rdata.iter().map(u8::to_string).collect::<Vec<_>>().join("."),
                RecordType::TXT => String::from_utf8_lossy(&rdata[1..]).into_owned(),
                RecordType::MX => format!("{} {}", rdata[1], body.target(record).unwrap()),
                RecordType::SRV => {
                    format!(
                        "{} {} {} {}",
                        rdata[1],
                        rdata[3],
                        rdata[5],
                        body.target(record).unwrap()
                    )
                }
                RecordType::SOA => {
                    let server = body.target(record).unwrap();
                    let mailbox = wire::Name::prefix_of(&rdata[server.len()..]).unwrap();
                    format!("{server} {mailbox}")
                }
                _ => body.target(record).map_or(String::new(), |name| name.to_string()),
            };
            text += &format!("\n{} {} {} {data}", body.owner(record), record.ttl, record.rtype);
        }
    }
    text
}

/// The response code and the extended error of a reply.
pub(crate) fn told(x: &Exchange) -> (Rcode, Option<u16>) {
    let error = x.reply.options.find(wire::OPT_EXTENDED_ERROR);
    (x.reply.rcode, error.map(|data| u16::from_be_bytes([data[0], data[1]])))
}
