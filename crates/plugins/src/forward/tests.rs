//! The plugin in a chain, against servers on loopback that do what a test tells them to.

use super::*;
use crate::env::{Parts, Process, Site};
use chain::{Chain, Client, Ended, Link, Moment, Router};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use wire::{Class, Encoder, NameBuf, Opcode, Question, RecordType, Reply, Request, Section};

fn name(text: &str) -> NameBuf {
    text.parse().unwrap()
}

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Moment {
        Moment(7)
    }

    fn unix_seconds(&self) -> u64 {
        0
    }
}

/// A process and its configurations, one after the other.
struct Rutter {
    process: Process,
    parts: Parts,
    router: Router,
}

impl Rutter {
    fn new() -> Self {
        let process = crate::testing::process(Arc::new(StoppedClock));
        Self { process, parts: Parts::default(), router: router(Vec::new()) }
    }

    /// Builds the `forward` lines of one block and starts them, below `above`.
    fn try_load(
        &mut self,
        lines: &str,
        above: Option<Box<dyn Plugin>>,
    ) -> Result<Vec<String>, String> {
        let text = format!(". {{\n{lines}\n}}");
        let parsed = corefile::parse("Corefile", text.as_bytes(), &());
        let config = Forward::read(&parsed.blocks[0].block("forward").unwrap()).unwrap().config;
        let site = Site {
            index: 0,
            zones: vec![NameBuf::root()],
            servers: vec![0],
            served: vec![(0, 0)],
            is_bound: false,
            server_names: Arc::new(["dns://:53".into()]),
            zone_names: Arc::new([".".into()]),
            directives: vec!["forward"],
            addresses: vec!["127.0.0.1:53".parse().unwrap()],
        };
        let mut parts = Parts::default();
        let mut env = Env {
            process: &self.process,
            site: &site,
            root: &mut PathBuf::new(),
            previous: &self.parts.kept,
            files: &crate::files::Files::disk(false),
            parts: &mut parts,
            capabilities: &mut crate::capabilities::Capabilities::default(),
            whole: &Arc::default(),
        };
        let forward = Forward::build(config, &mut env)
            .map_err(|wrong| wrong.iter().map(|mistake| &*mistake.message).collect::<String>())?;
        self.router = router(above.into_iter().chain(forward).collect());
        parts.start(&Handle::current()).unwrap();
        let warnings = std::mem::take(&mut parts.warnings);
        self.parts = parts;
        Ok(warnings)
    }

    fn load(&mut self, lines: &str) {
        assert!(self.try_load(lines, None).unwrap().is_empty());
    }

    async fn ask(&self, request: &Request) -> Exchange {
        let mut x = Exchange::new();
        let client = Client {
            peer: "127.0.0.1:4000".parse().unwrap(),
            local: "127.0.0.1:53".parse().unwrap(),
            transport: Transport::Udp,
        };
        x.begin(&octets(request), client, Moment(5)).unwrap();
        x.labels = Some(Vec::new());
        let Ended::Waiting(ticket) = self.router.answer(&mut x) else { return x };
        let _ = self.router.resume(&mut x, ticket).await;
        x
    }

    fn metric(&self, name: &str) -> Vec<String> {
        let text = self.process.metrics.text();
        let of = |line: &&str| line.split([' ', '{']).next() == Some(name);
        text.lines().filter(of).map(str::to_owned).collect()
    }
}

fn router(plugins: Vec<Box<dyn Plugin>>) -> Router {
    let link = |plugin| Link { plugin, name: "forward", line: 2 };
    let chain = Arc::new(Chain::new(plugins.into_iter().map(link).collect()));
    let root = chain::Block { zone: NameBuf::root(), zone_index: 0, chain };
    Router::new(0, "dns://:53".into(), vec![root], Arc::default()).with_all_classes(true)
}

fn request(asked: &str) -> Request {
    let mut request = Request::new();
    (request.asked, request.flags) = (name(asked), Flags::RD);
    request
}

fn with_options(asked: &str, options: &[(u16, &[u8])]) -> Request {
    let mut request = request(asked);
    request.has_edns = true;
    request.edns.udp_size = 1232;
    for (code, data) in options {
        request.edns.options.push(*code, data);
    }
    request
}

fn octets(request: &Request) -> Vec<u8> {
    let mut out = vec![0; 4096];
    let question = (request.asked.as_name(), request.rtype, request.class);
    let edns = request.has_edns.then_some(&request.edns);
    let length = Encoder::new().query(1, request.flags, question, edns, &mut out);
    out.truncate(length);
    out[2] |= request.opcode.0 << 3;
    out
}

/// A server that answers every question, and remembers it.
struct Upstream {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Request>>>,
    _task: tokio::task::JoinSet<()>,
}

impl Upstream {
    async fn start(answer: impl Fn(&Request, &mut Reply) + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Request>>> = Arc::default();
        let seen = asked.clone();
        let mut task = tokio::task::JoinSet::new();
        task.spawn(async move {
            let (mut query, mut out) = ([0; 4096], [0; 4096]);
            loop {
                let (length, peer) = socket.recv_from(&mut query).await.unwrap();
                let mut request = Request::new();
                request.read(&query[..length]).unwrap();
                let mut reply = Reply { flags: Flags::RA, ..Reply::default() };
                answer(&request, &mut reply);
                seen.lock().unwrap().push(request.clone());
                let length = Encoder::new().reply(&request, &reply, 1232, &mut out);
                socket.send_to(&out[..length], peer).await.unwrap();
            }
        });
        Self { address, asked, _task: task }
    }

    /// Answers with an address that tells it from others.
    async fn of(last: u8) -> Self {
        Self::start(move |request, reply| {
            let owner = request.asked.as_name();
            reply.body.push(Section::Answer, owner, 60, RecordType::A, &[192, 0, 2, last]);
        })
        .await
    }

    async fn saying(rcode: Rcode) -> Self {
        Self::start(move |_, reply| reply.rcode = rcode).await
    }

    fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

/// The last octet of the address in the answer.
fn answer(x: &Exchange) -> u8 {
    let record = x.reply.body.answer.first().expect("an answer");
    x.reply.body.rdata(record)[3]
}

#[tokio::test]
async fn the_answer_is_the_servers_and_rd_and_cd_are_the_clients() {
    let upstream = Upstream::start(|_, reply| {
        reply.flags = Flags::AA.with(Flags::RA).with(Flags::AD).with(Flags::TC);
        let owner = name("zone.test");
        for section in Section::ALL {
            reply.body.push(section, owner.as_name(), 60, RecordType::A, &[192, 0, 2, 1]);
        }
        reply.rcode = Rcode::NXDOMAIN;
    })
    .await;
    let mut rutter = Rutter::new();
    rutter.load(&format!("forward . {}", upstream.address));
    let mut query = request("a.test");
    query.flags = Flags::RD.with(Flags::CD).with(Flags::AD).with(Flags::AA);
    let x = rutter.ask(&query).await;
    let given = Flags::AA.with(Flags::RA).with(Flags::AD).with(Flags::TC);
    assert_eq!(x.reply.flags.only(Flags::QR.with(given)), given);
    assert!(x.reply.flags.has(Flags::RD.with(Flags::CD)));
    assert_eq!((x.reply.rcode, x.reply.body.len()), (Rcode::NXDOMAIN, 3));
    assert!(x.has_waited() && x.now == Moment(7));
    assert_eq!(x.answered_by(), Some(("forward", 2)));
    let label = ("forward/upstream".into(), upstream.address.to_string());
    assert_eq!(x.labels, Some(vec![label]));
    assert_eq!(upstream.asked()[0].flags, query.flags.without(Flags::AA));
}

/// Asks for something else, and over a larger OPT record.
struct Rewrite;

impl Plugin for Rewrite {
    fn query(&self, x: &mut Exchange) -> Step {
        if x.question.name() == name("old.test").as_name() {
            assert!(x.rewrite(Question::new(name("New.test").as_name(), RecordType::AAAA)));
            x.change_outgoing().udp_size = 4000;
        }
        Step::Next
    }
}

#[tokio::test]
async fn a_name_keeps_its_case_unless_it_was_rewritten() {
    let upstream = Upstream::of(1).await;
    let mut rutter = Rutter::new();
    rutter.try_load(&format!("forward . {}", upstream.address), Some(Box::new(Rewrite))).unwrap();
    rutter.ask(&request("WwW.TesT")).await;
    rutter.ask(&request("OLD.test")).await;
    let [first, second] = &upstream.asked()[..] else { panic!("two questions") };
    assert_eq!((first.asked.to_string(), first.has_edns), ("WwW.TesT.".to_owned(), false));
    assert_eq!((second.asked.to_string(), second.rtype), ("new.test.".into(), RecordType::AAAA));
    assert_eq!(second.edns.udp_size, 4000);
}

#[tokio::test]
async fn options_between_neighbours_go_no_further() {
    let upstream = Upstream::start(|_, reply| {
        for (code, data) in [(10, &b"serverco"[..]), (15, b"\0\x03stale"), (3, b"up"), (12, b"0")] {
            reply.options.push(code, data);
        }
    })
    .await;
    let mut rutter = Rutter::new();
    rutter.load(&format!("forward . {}", upstream.address));
    let subnet = b"\0\x01\x18\0\x0a\0\0";
    let options: [(u16, &[u8]); 5] =
        [(10, b"clientco"), (8, subnet), (11, b""), (12, b"000"), (3, b"")];
    let x = rutter.ask(&with_options("a.test", &options)).await;
    let codes = |options: &wire::Options| options.iter().map(|(code, _)| code).collect::<Vec<_>>();
    assert_eq!(codes(&upstream.asked()[0].edns.options), [8, 3]);
    assert_eq!(codes(&x.reply.options), [15, 3]);
    let x = rutter.ask(&with_options("b.test", &[])).await;
    assert_eq!(codes(&x.reply.options), [15]);
}

#[tokio::test]
async fn a_code_that_the_client_cannot_be_told_is_a_failure() {
    let upstream = Upstream::saying(Rcode::BADCOOKIE).await;
    let mut rutter = Rutter::new();
    rutter.load(&format!("forward . {}", upstream.address));
    let x = rutter.ask(&with_options("a.test", &[])).await;
    assert_eq!(x.reply.rcode, Rcode::BADCOOKIE);
    // Without an OPT record the server's encoder cannot tell it either.
    let x = rutter.ask(&request("a.test")).await;
    assert_eq!(x.reply.rcode, Rcode::SERVFAIL);
    let mut x = Exchange::new();
    let message = Message::read(&octets(&request("a.test"))).unwrap();
    reply(&mut x, &Message { rcode: Rcode::BADVERS, ..message });
    assert_eq!(x.reply.rcode, Rcode::SERVFAIL);
}

#[tokio::test]
async fn a_notify_goes_on_as_one_and_other_classes_too() {
    let upstream = Upstream::saying(Rcode::NOTAUTH).await;
    let mut rutter = Rutter::new();
    rutter.load(&format!("forward . {}", upstream.address));
    let mut notify = request("zone.test");
    (notify.opcode, notify.flags, notify.rtype) = (Opcode::NOTIFY, Flags::AA, RecordType::SOA);
    let x = rutter.ask(&notify).await;
    assert_eq!((x.reply.rcode, x.reply.flags.has(Flags::RD)), (Rcode::NOTAUTH, false));
    let mut chaos = request("version.bind");
    (chaos.class, chaos.rtype) = (Class(3), RecordType::TXT);
    rutter.ask(&chaos).await;
    let [first, second] = &upstream.asked()[..] else { panic!("two questions") };
    assert_eq!((first.opcode, first.flags), (Opcode::NOTIFY, Flags::AA));
    assert_eq!(second.class, Class(3));
    assert_eq!(rutter.parts.all_classes, [0]);
}

#[tokio::test]
async fn the_first_line_that_takes_the_name_and_then_those_it_hands_over_to() {
    let (none, empty, last) =
        (Upstream::saying(Rcode::NXDOMAIN).await, Upstream::of(2).await, Upstream::of(3).await);
    let nodata = Upstream::saying(Rcode::NOERROR).await;
    let mut rutter = Rutter::new();
    rutter.load(&format!(
        "forward a.test {} {{\n next NXDOMAIN SERVFAIL\n except x.a.test\n }}\n\
         forward b.a.test {} {{\n next_on_nodata\n }}\n\
         forward c.a.test {}\n\
         forward b.a.test {}",
        none.address, nodata.address, empty.address, last.address
    ));
    assert_eq!(answer(&rutter.ask(&request("c.a.test")).await), 2);
    assert_eq!(answer(&rutter.ask(&request("w.b.a.test")).await), 3);
    // Nobody behind takes it: the answer stands. CoreDNS fails.
    assert_eq!(rutter.ask(&request("d.a.test")).await.reply.rcode, Rcode::NXDOMAIN);
    assert_eq!([&none, &nodata].map(|upstream| upstream.asked().len()), [3, 1]);
    for untaken in ["x.a.test", "test"] {
        let x = rutter.ask(&request(untaken)).await;
        assert_eq!(x.failure(), Some(&Failure::NobodyAnswered { last: "forward" }));
    }
}

#[tokio::test]
async fn failures_have_their_code_and_cause() {
    let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut rutter = Rutter::new();
    rutter.load(&format!("forward . {closed}"));
    let x = rutter.ask(&request("a.test")).await;
    let Some(Failure::Upstream { cause: UpstreamFailure::Network, text }) = x.failure() else {
        panic!("{:?}", x.failure());
    };
    assert!(text.ends_with("read: connection refused"), "{text}");
    assert_eq!(x.reply.rcode, Rcode::SERVFAIL);
    assert_eq!(x.labels.as_ref().unwrap()[0].1, closed.to_string());

    let link = upstream::Link { over: upstream::Transport::Tcp, local: None, remote: closed };
    let upstream = |cause| upstream::Failure::Upstream { link, cause };
    for (why, rcode) in [
        (upstream::Failure::TooManyConcurrent { limit: 1 }, Rcode::REFUSED),
        (upstream::Failure::NoHealthyUpstream, Rcode::SERVFAIL),
        (upstream(Cause::AnotherQuestion), Rcode::FORMERR),
        (upstream(Cause::Eof), Rcode::SERVFAIL),
        (upstream(Cause::Malformed(wire::Malformed { at: 12 })), Rcode::SERVFAIL),
        (upstream(Cause::Busy { limit: 1 }), Rcode::SERVFAIL),
    ] {
        assert_eq!(failure(&why).rcode(), rcode, "{why}");
        assert_eq!(failure(&why).to_string(), why.to_string());
    }
}

#[tokio::test]
async fn a_reload_keeps_sockets_and_counters_of_lines_that_stay() {
    let upstream = Upstream::of(1).await;
    let to = upstream.address;
    let mut rutter = Rutter::new();
    rutter.load(&format!("forward a.test {to}\n forward . {to}"));
    for asked in ["x.a.test", "y.a.test", "z.test"] {
        rutter.ask(&request(asked)).await;
    }
    let answers = "coredns_forward_requests_total";
    assert_eq!(rutter.metric(answers), [format!("{answers}{{to=\"{to}\"}} 3")]);
    let opened = "coredns_proxy_conn_cache_misses_total";
    let labels = format!("{{proto=\"udp\",proxy_name=\"forward\",to=\"{to}\"}}");
    assert_eq!(rutter.metric(opened)[1], format!("{opened}{labels} 2"));

    // One line has changed and begins anew, the other goes on.
    rutter.load(&format!("forward . {to} {{\n max_fails 1\n }}\n forward a.test {to}"));
    rutter.ask(&request("w.a.test")).await;
    assert_eq!(rutter.metric(answers), [format!("{answers}{{to=\"{to}\"}} 3")]);
    rutter.load(&format!("forward a.test {to}"));
    rutter.ask(&request("v.a.test")).await;
    assert_eq!(rutter.metric(answers), [format!("{answers}{{to=\"{to}\"}} 3")]);
    assert_eq!(rutter.metric(opened)[1], format!("{opened}{labels} 1"));

    let durations = rutter.metric("coredns_proxy_request_duration_seconds_bucket");
    let labels = format!("proxy_name=\"forward\",rcode=\"NOERROR\",to=\"{to}\",le=\"+Inf\"");
    assert_eq!((durations.len(), durations[16].contains(&labels)), (17, true));
    assert_eq!(rutter.metric("coredns_forward_healthcheck_broken_total").len(), 1);
    drop(std::mem::replace(&mut rutter.router, router(Vec::new())));
    rutter.parts = Parts::default();
    assert_eq!(rutter.metric(answers), [""; 0], "nothing is left of lines that are gone");
}

/// A file that is gone when the test is over.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("forward-{name}-{}", std::process::id())))
    }

    /// Puts another file in its place.
    fn write(&self, text: &str) {
        let new = self.0.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, &self.0).unwrap();
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Rutter {
    /// The servers that are asked now.
    fn servers(&self) -> Vec<String> {
        let text = |line: &String| line.split('"').nth(1).unwrap().to_owned();
        self.metric("rutter_forward_server_down").iter().map(text).collect()
    }

    /// Waits, for a minute at the most, until these servers are asked.
    async fn until_asks(&self, servers: &[&str]) {
        for _ in 0..60 {
            if self.servers() == servers {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("{:?} are asked", self.servers());
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_is_followed_and_what_was_good_last_is_kept() {
    let (file, mut rutter) = (File::new("followed"), Rutter::new());
    let line = format!("forward . {} 192.0.2.9", file.0.display());
    file.write("nameserver 192.0.2.1\nnameserver x\n");
    let warnings = rutter.try_load(&line, None).unwrap();
    let warning = format!("plugin/forward: {}:2: \"x\" is no address", file.0.display());
    assert_eq!(warnings, [warning]);
    assert_eq!(rutter.servers(), ["192.0.2.1:53", "192.0.2.9:53"]);
    file.write("nameserver 192.0.2.2\nnameserver 192.0.2.3\n");
    rutter.until_asks(&["192.0.2.2:53", "192.0.2.3:53", "192.0.2.9:53"]).await;
    file.write("search test\n");
    tokio::time::sleep(Duration::from_secs(60)).await;
    rutter.until_asks(&["192.0.2.2:53", "192.0.2.3:53", "192.0.2.9:53"]).await;
    file.write("nameserver 192.0.2.4\n");
    rutter.load(&line);
    assert_eq!(rutter.servers(), ["192.0.2.4:53", "192.0.2.9:53"], "a reload looks at once");
}

#[tokio::test]
async fn files_without_servers_are_left_out_until_nothing_is_left() {
    let (file, mut rutter) = (File::new("empty"), Rutter::new());
    file.write("# nobody\n");
    let path = file.0.display().to_string();
    let warnings = rutter.try_load(&format!("forward . {path} 192.0.2.1"), None).unwrap();
    assert_eq!(warnings, [format!("plugin/forward: {path} names no server and is left out")]);
    assert_eq!(rutter.servers(), ["192.0.2.1:53"]);
    let wrong = |rutter: &mut Rutter, to| rutter.try_load(&format!("forward . {to}"), None);
    assert_eq!(
        wrong(&mut rutter, &*path).unwrap_err(),
        "no server is left to ask: the files name none"
    );
    // A word without a slash is a file if there is one.
    assert_eq!(
        wrong(&mut rutter, "Cargo.toml").unwrap_err(),
        "no server is left to ask: the files name none"
    );
    let missing = wrong(&mut rutter, "/nowhere/resolv.conf").unwrap_err();
    assert!(
        missing.starts_with("`/nowhere/resolv.conf` cannot be read: No such file"),
        "{missing}"
    );
}

#[tokio::test]
async fn names_are_looked_up_before_the_first_question() {
    let upstream = Upstream::of(1).await;
    let resolver = Upstream::start(|request, reply| {
        let owner = request.asked.as_name();
        match request.rtype {
            RecordType::A if owner == name("ns.test").as_name() => {
                reply.body.push(Section::Answer, owner, 60, RecordType::A, &[127, 0, 0, 1]);
            }
            RecordType::A => reply.rcode = Rcode::NXDOMAIN,
            _ => {}
        }
    })
    .await;
    let port = upstream.address.port();
    let (to, at) = (format!("ns.test:{port}"), resolver.address);
    let mut rutter = Rutter::new();
    rutter.load(&format!("forward . {to} lost.test {{\n resolver {at}\n }}"));
    for ready in rutter.parts.take_before_serving() {
        ready.await;
    }
    assert_eq!(rutter.servers(), [upstream.address.to_string()]);
    assert_eq!(answer(&rutter.ask(&request("a.test")).await), 1);

    rutter.load(&format!("forward . lost.test {{\n resolver {at}\n }}"));
    for ready in rutter.parts.take_before_serving() {
        ready.await;
    }
    let x = rutter.ask(&request("a.test")).await;
    assert_eq!(x.failure().unwrap().to_string(), "no healthy proxies");
}
