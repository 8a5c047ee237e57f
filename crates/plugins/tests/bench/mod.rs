//! A whole configuration without sockets, asked as a worker asks it.

use chain::{Client, Clock, Ended, Exchange, Moment, Transport};
use plugins::assemble::{Assembly, Surroundings, assemble};
use plugins::env::Process;
use plugins::files::Files;
use plugins::kept::Kept;
use plugins::lines::Lines;
use plugins::metrics::Registry;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use wire::{
    Class, Edns, Encoder, Flags, Message, NameBuf, Rcode, RecordType, Reply, Request, Section,
};

/// What is asked.
const COREFILE: &str = r"
.:53 {
    LINES
    errors
    prometheus
    loadbalance
    cache
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        manifests EXAMPLE/manifests
        pods insecure
        OPTIONS
        fallthrough in-addr.arpa ip6.arpa
    }
    hosts /dev/null {
        192.0.2.1 web.hosts.test
        fallthrough
    }
    file EXAMPLE/company.db company.com
    file BENCH/example.db example.org
    forward . UPSTREAM
}
";

/// A configuration that has been started, with everything that a worker has.
pub(crate) struct Bench {
    /// The process around the configuration: its log, its metrics.
    pub(crate) process: Process,
    assembly: Assembly,
    /// What has to wait is waited for here.
    runtime: Runtime,
    now: Moment,
    x: Box<Exchange>,
    encoder: Encoder,
    query: Vec<u8>,
    out: Vec<u8>,
    length: usize,
}

impl Bench {
    /// With these lines in the Corefile beside the others; those behind a line `kubernetes:` are for
    /// that directive.
    pub(crate) fn new(lines: &str) -> Self {
        Self::with_blocks(lines, "")
    }

    /// The same with these server blocks behind that one.
    pub(crate) fn with_blocks(lines: &str, blocks: &str) -> Self {
        let (lines, options) = lines.split_once("kubernetes:\n").unwrap_or((lines, ""));
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let example = package.ancestors().nth(2).unwrap().join("examples/company");
        let text = format!("{COREFILE}{blocks}")
            .replace("LINES", lines)
            .replace("OPTIONS", options)
            .replace("EXAMPLE", &example.display().to_string())
            .replace("BENCH", &package.join("tests/bench").display().to_string())
            .replace("UPSTREAM", &upstream().to_string());
        let process = Process {
            rehearsal: None,
            clock: Arc::new(TestClock(Instant::now())),
            metrics: Arc::new(Registry::new(1)),
            lines: Lines::new(),
            version: "test",
            panics: Arc::default(),
            fatal: Arc::default(),
            serves: true,
            state_dir: None,
            state_interval: Duration::from_secs(30),
        };
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let mut assembly = assembled(&text, &process);
        assembly.parts.start(runtime.handle()).unwrap();
        for ready in assembly.parts.take_before_serving() {
            runtime.block_on(ready);
        }
        Self {
            process,
            assembly,
            runtime,
            now: Moment(0),
            x: Box::default(),
            encoder: Encoder::new(),
            query: Vec::new(),
            out: vec![0; 4096],
            length: 0,
        }
    }

    /// Prepares a query, with EDNS as most resolvers send it, and asks it once: what must be waited
    /// for is in the cache then.
    pub(crate) fn prepare(&mut self, name: &str, rtype: RecordType) {
        let name: NameBuf = name.parse().unwrap();
        let question = (name.as_name(), rtype, Class::IN);
        let edns = Edns { udp_size: 1232, ..Edns::default() };
        self.query.resize(512, 0);
        let length = self.encoder.query(7, Flags::RD, question, Some(&edns), &mut self.query);
        self.query.truncate(length);
        self.now = self.process.clock.now();
        self.begin();
        let ended = match self.assembly.servers[0].router.answer(&mut self.x) {
            Ended::Waiting(ticket) => {
                self.x.worker = 0; // the slow lane's
                let router = &self.assembly.servers[0].router;
                self.runtime.block_on(router.resume(&mut self.x, ticket))
            }
            ended => ended,
        };
        self.reply_with(&ended);
        self.now = self.process.clock.now();
    }

    /// Asks what was prepared, and writes the reply, as a worker does: see `listen::udp`.
    pub(crate) fn ask(&mut self) {
        self.begin();
        let ended = self.assembly.servers[0].router.answer(&mut self.x);
        self.reply_with(&ended);
    }

    fn begin(&mut self) {
        let client = Client {
            peer: ([127, 0, 0, 1], 4000).into(),
            local: ([127, 0, 0, 1], 53).into(),
            transport: Transport::Udp,
        };
        (self.x.worker, self.x.service_time) = (1, Duration::from_micros(2));
        self.x.begin(&self.query, client, self.now).unwrap();
    }

    fn reply_with(&mut self, ended: &Ended) {
        let x = &mut *self.x;
        assert!(matches!(ended, Ended::Reply), "{ended:?}");
        self.length = self.encoder.reply(&x.request, &x.reply, x.reply_limit(), &mut self.out);
        self.assembly.servers[0].router.replied(x, self.length);
        assert!(x.take_refresh().is_none());
    }

    /// The response code of the last reply, and how many records answer.
    pub(crate) fn outcome(&self) -> (Rcode, usize) {
        let message = Message::read(&self.out[..self.length]).unwrap();
        (message.rcode, message.body.answer.len())
    }
}

fn assembled(corefile: &str, process: &Process) -> Assembly {
    let parsed = corefile::parse("Corefile", corefile.as_bytes(), &());
    let files = &Files::disk(false);
    let surroundings = Surroundings { process, port: 53, previous: &Kept::default(), files };
    let outcome = assemble(&parsed.blocks, &parsed.sources, &surroundings);
    let rendered = outcome.mistakes.render(&parsed.sources, false);
    outcome.assembly.unwrap_or_else(|| panic!("{rendered}"))
}

/// A server that has an address for every name but those that begin with `nobody`.
fn upstream() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut query, mut answer) = ([0; 1232], [0; 1232]);
        let mut request = Request::new();
        while let Ok((length, client)) = socket.recv_from(&mut query) {
            request.read(&query[..length]).unwrap();
            let reply = said_upstream(&request);
            let length = Encoder::new().reply(&request, &reply, answer.len(), &mut answer);
            socket.send_to(&answer[..length], client).unwrap();
        }
    });
    address
}

fn said_upstream(request: &Request) -> Reply {
    let flags = request.flags.only(Flags::RD).with(Flags::RA);
    let mut reply = Reply { flags, ..Reply::default() };
    let name = request.asked.as_name();
    if name.first_label() == Some(b"nobody") {
        reply.rcode = Rcode::NXDOMAIN;
        let zone = name.parent().unwrap();
        let soa = [zone.octets(), zone.octets(), &[0, 0, 1, 0].repeat(5)].concat();
        reply.body.push(Section::Authority, zone, 3600, RecordType::SOA, &soa);
    } else {
        reply.body.push(Section::Answer, name, 3600, RecordType::A, &[192, 0, 2, 7]);
    }
    reply
}

struct TestClock(Instant);

impl Clock for TestClock {
    fn now(&self) -> Moment {
        Moment(self.0.elapsed().as_nanos() as u64)
    }

    fn unix_seconds(&self) -> u64 {
        1_800_000_000
    }
}
