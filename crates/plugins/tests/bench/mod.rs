//! A whole configuration without sockets, asked as a worker asks it.

use chain::{Client, Clock, Ended, Exchange, Moment, Transport};
use plugins::assemble::{Server, Surroundings, assemble};
use plugins::env::Process;
use plugins::kept::Kept;
use plugins::lines::Lines;
use plugins::metrics::Registry;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use wire::{Class, Edns, Encoder, Flags, Message, NameBuf, RecordType};

/// What is asked.
const COREFILE: &str = r"
.:53 {
    errors
    prometheus
    loadbalance
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        manifests EXAMPLE/manifests
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
    }
    hosts /dev/null {
        192.0.2.1 web.hosts.test
        fallthrough
    }
    file EXAMPLE/company.db company.com
}
";

/// The server of a configuration, with everything that a worker has.
pub(crate) struct Bench {
    servers: Vec<Server>,
    x: Box<Exchange>,
    encoder: Encoder,
    query: Vec<u8>,
    out: Vec<u8>,
    length: usize,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let example = root.join("examples/company").display().to_string();
        let text = COREFILE.replace("EXAMPLE", &example);
        let parsed = corefile::parse("Corefile", text.as_bytes(), &());
        let process = Process {
            clock: Arc::new(TestClock(Instant::now())),
            metrics: Arc::new(Registry::new(1)),
            lines: Lines::new(),
            version: "test",
            panics: Arc::default(),
            fatal: Arc::default(),
        };
        let surroundings = Surroundings { process: &process, port: 53, previous: &Kept::default() };
        let outcome = assemble(&parsed.blocks, &parsed.sources, &surroundings);
        let rendered = outcome.mistakes.render(&parsed.sources, false);
        let assembly = outcome.assembly.unwrap_or_else(|| panic!("{rendered}"));
        Self {
            servers: assembly.servers,
            x: Box::default(),
            encoder: Encoder::new(),
            query: Vec::new(),
            out: vec![0; 4096],
            length: 0,
        }
    }

    /// Prepares a query, with EDNS as most resolvers send it.
    pub(crate) fn prepare(&mut self, name: &str, rtype: RecordType) {
        let name: NameBuf = name.parse().unwrap();
        let question = (name.as_name(), rtype, Class::IN);
        let edns = Edns { udp_size: 1232, ..Edns::default() };
        self.query.resize(512, 0);
        let length = self.encoder.query(7, Flags::RD, question, Some(&edns), &mut self.query);
        self.query.truncate(length);
    }

    /// Asks what was prepared, and writes the reply, as a worker does.
    pub(crate) fn ask(&mut self) {
        let client = Client {
            peer: ([127, 0, 0, 1], 4000).into(),
            local: ([127, 0, 0, 1], 53).into(),
            transport: Transport::Udp,
        };
        let x = &mut *self.x;
        x.worker = 1;
        x.begin(&self.query, client, Moment(1)).unwrap();
        assert!(matches!(self.servers[0].router.answer(x), Ended::Reply));
        self.length = self.encoder.reply(&x.request, &x.reply, x.reply_limit(), &mut self.out);
        self.servers[0].router.replied(x, self.length);
    }

    /// The last reply.
    #[expect(dead_code, reason = "not every test looks at replies")]
    pub(crate) fn reply(&self) -> Message {
        Message::read(&self.out[..self.length]).unwrap()
    }
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
