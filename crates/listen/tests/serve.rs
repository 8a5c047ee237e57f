//! A listener over real sockets.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]
#![expect(clippy::disallowed_methods, reason = "a test has no clock but the real one")]

use chain::{
    Block, Chain, Clock, Exchange, Link, Moment, Observe, Piece, Plugin, Resolving, Rest, Router,
    Step, Stream,
};
use listen::{LaneSettings, Listener, Service, SlowLane, Stats, TcpSettings, Workers};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use wire::{Body, Class, Encoder, Flags, Message, NameBuf, Rcode, RecordType, Section};

/// Answers names that begin with `now` at once, `wait` when told, `never` never, `fresh` once and then
/// never.
struct Source {
    go: Arc<Notify>,
    /// Whether `fresh` has been asked for.
    asked: AtomicBool,
    /// Gets the octets of each reply.
    sizes: mpsc::Sender<usize>,
}

impl Plugin for Source {
    fn query(&self, x: &mut Exchange) -> Step {
        match x.question.name().first_label() {
            Some(b"wait" | b"never" | b"late") => Step::Wait,
            Some(b"many") => many(x, MANY, Piece::Last),
            Some(b"endless") => many(x, u32::MAX, Piece::Last),
            Some(b"broken") => many(x, 2, Piece::Broken),
            Some(b"fresh") if self.asked.swap(true, Ordering::Relaxed) => Step::Wait,
            Some(b"drop") => Step::Drop,
            Some(b"cut") => {
                x.cut_chain();
                answer(x)
            }
            // More than a reply may hold, and more names than are compressed.
            Some(b"huge") => {
                for number in 0..6_001 {
                    let owner: NameBuf = format!("n{number}.test").parse().unwrap();
                    let body = &mut x.reply.body;
                    body.push(Section::Answer, owner.as_name(), 5, RecordType::A, &[0; 4]);
                }
                Step::Done
            }
            _ => answer(x),
        }
    }

    fn resolve<'a>(&'a self, x: &'a mut Exchange, _: Rest<'a>) -> Resolving<'a> {
        Box::pin(async move {
            if matches!(x.question.name().first_label(), Some(b"never" | b"fresh")) {
                std::future::pending::<()>().await;
            }
            self.go.notified().await;
            x.resumed(Moment(1));
            if x.question.name().first_label() == Some(b"late") {
                return many(x, MANY, Piece::Last);
            }
            answer(x)
        })
    }

    fn observer(&self) -> Option<&dyn Observe> {
        Some(self)
    }
}

impl Observe for Source {
    fn replied(&self, _: &Exchange, octets: usize) {
        let _ = self.sizes.send(octets);
    }
}

/// Wants `fresh` to be asked again once it is answered.
struct Refresher;

impl Plugin for Refresher {
    fn response(&self, x: &mut Exchange) {
        if x.question.name().first_label() == Some(b"fresh") && !x.has_waited() {
            x.refresh_later();
        }
    }
}

/// The client's address, and the one that it asked.
fn answer(x: &mut Exchange) -> Step {
    let owner = x.question.name().to_buf();
    for ip in [x.client.peer.ip(), x.client.local.ip()] {
        if let IpAddr::V4(ip) = ip {
            let body = &mut x.reply.body;
            body.push(Section::Answer, owner.as_name(), 5, RecordType::A, &ip.octets());
        }
    }
    Step::Done
}

/// Messages of a long reply.
const MANY: u32 = 50;

/// A reply of so many messages, which ends like this.
fn many(x: &mut Exchange, messages: u32, end: Piece) -> Step {
    x.stream(Box::new(Messages { left: messages, end }));
    Step::Done
}

struct Messages {
    left: u32,
    end: Piece,
}

impl Stream for Messages {
    /// Numbers messages downwards, and makes them large.
    fn next(&mut self, body: &mut Body) -> Piece {
        if self.left == 0 {
            return self.end;
        }
        self.left -= 1;
        let owner: NameBuf = format!("n{}.test", self.left).parse().unwrap();
        for _ in 0..150 {
            body.push(
                Section::Answer,
                owner.as_name(),
                5,
                RecordType::TXT,
                &[&[199][..], &[0; 199]].concat(),
            );
        }
        if self.left == 0 && self.end == Piece::Last { Piece::Last } else { Piece::More }
    }
}

struct TestClock(Instant);

impl Clock for TestClock {
    fn now(&self) -> Moment {
        Moment(self.0.elapsed().as_nanos() as u64)
    }

    fn unix_seconds(&self) -> u64 {
        0
    }
}

struct Served {
    runtime: Runtime,
    listener: Option<Listener>,
    service: Arc<Service>,
    go: Arc<Notify>,
    sizes: mpsc::Receiver<usize>,
    address: SocketAddr,
}

fn serve(bind: &str, lane: LaneSettings) -> Served {
    serve_with(bind, lane, TcpSettings::default())
}

fn serve_with(bind: &str, lane: LaneSettings, tcp: TcpSettings) -> Served {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let go = Arc::new(Notify::new());
    let (sender, sizes) = mpsc::channel();
    let plugin = Box::new(Source { go: go.clone(), asked: AtomicBool::new(false), sizes: sender });
    let refresher = Link { plugin: Box::new(Refresher), name: "refresher", line: 1 };
    let source = Link { plugin, name: "source", line: 2 };
    let chain = Arc::new(Chain::new(vec![refresher, source]));
    let block = Block { zone: NameBuf::root(), zone_index: 0, chain };
    let panics = Arc::new(AtomicU64::new(0));
    let router = Router::new(0, "dns://:53".into(), vec![block], panics);
    let service = Arc::new(Service {
        router: Arc::new(router).into(),
        clock: Arc::new(TestClock(Instant::now())),
        lane: Arc::new(SlowLane::new(runtime.handle().clone(), lane)),
        stats: Arc::new(Stats::default()),
    });
    let mut listener = Listener::open(bind.parse().unwrap(), 2).unwrap();
    let workers = Arc::new(Workers::new(2));
    listener.serve(service.clone(), &workers, tcp).unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, listener.address().port()));
    Served { runtime, listener: Some(listener), service, go, sizes, address }
}

impl Served {
    fn udp(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket.connect(self.address).unwrap();
        socket
    }

    fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream
    }

    fn close(&mut self) -> Duration {
        let begin = Instant::now();
        let listener = self.listener.take().unwrap();
        self.runtime.block_on(listener.close(Duration::from_secs(5)));
        begin.elapsed()
    }
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Waits for what no reply tells of.
fn until(is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(10));
        std::thread::yield_now();
    }
}

fn query(id: u16, asked: &str) -> Vec<u8> {
    let mut out = vec![0; 512];
    let name: NameBuf = asked.parse().unwrap();
    let question = (name.as_name(), RecordType::A, Class::IN);
    let length = Encoder::new().query(id, Flags::RD, question, None, &mut out);
    out.truncate(length);
    out
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes()[..], message].concat()
}

fn receive(socket: &UdpSocket) -> Message {
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).unwrap();
    Message::read(&buffer[..length]).unwrap()
}

fn read_framed(stream: &mut TcpStream) -> Message {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).unwrap();
    Message::read(&message).unwrap()
}

#[test]
fn datagrams_are_answered_by_any_worker() {
    let served = serve("127.0.0.1:0", LaneSettings::default());
    for id in 0..64 {
        let socket = served.udp();
        socket.send(&query(id, "now.test")).unwrap();
        let reply = receive(&socket);
        assert_eq!((reply.id, reply.rcode, reply.body.answer.len()), (id, Rcode::NOERROR, 2));
    }
}

#[test]
fn a_wildcard_socket_answers_from_the_address_that_was_asked() {
    let served = serve("[::]:0", LaneSettings::default());
    let asked = SocketAddr::from(([127, 0, 0, 9], served.address.port()));
    let socket = served.udp();
    socket.connect(asked).unwrap(); // takes answers of this address only
    for name in ["now.test", "wait.test"] {
        socket.send(&query(1, name)).unwrap();
        served.go.notify_one();
        let reply = receive(&socket);
        assert_eq!(reply.body.rdata(&reply.body.answer[0]), [127, 0, 0, 1]);
        assert_eq!(reply.body.rdata(&reply.body.answer[1]), [127, 0, 0, 9]);
    }
}

#[test]
fn what_is_no_query_is_rejected_or_ignored() {
    let served = serve("127.0.0.1:0", LaneSettings::default());
    let socket = served.udp();
    let mut response = query(1, "now.test");
    response[2] |= 0x80;
    socket.send(&response).unwrap();
    socket.send(b"short").unwrap();
    socket.send(&query(2, "drop.test")).unwrap();
    let mut update = query(3, "now.test");
    update[2] = 5 << 3;
    socket.send(&update).unwrap();
    let reply = receive(&socket);
    assert_eq!((reply.id, reply.rcode), (3, Rcode::NOTIMP));
    socket.send(&query(4, "now.test")).unwrap();
    assert_eq!(receive(&socket).id, 4);
    let stats = &served.service.stats;
    assert_eq!((count(&stats.ignored), count(&stats.rejected)), (2, 1));
}

#[test]
fn a_waiting_question_does_not_hold_up_the_others() {
    let served = serve("127.0.0.1:0", LaneSettings::default());
    let socket = served.udp();
    socket.send(&query(1, "wait.test")).unwrap();
    for id in 2..10 {
        socket.send(&query(id, "now.test")).unwrap();
        assert_eq!(receive(&socket).id, id);
    }
    served.go.notify_one();
    assert_eq!(receive(&socket).id, 1);
}

#[test]
fn a_full_lane_answers_at_once() {
    let settings = LaneSettings { waiting_max: 3, ..LaneSettings::default() };
    let served = serve("127.0.0.1:0", settings);
    let socket = served.udp();
    for id in 0..10 {
        socket.send(&query(id, "never.test")).unwrap();
    }
    for _ in 0..7 {
        assert_eq!(receive(&socket).rcode, Rcode::SERVFAIL);
    }
    assert_eq!((served.service.lane.questions().refused(), served.service.lane.waiting()), (7, 3));
}

#[test]
fn nobody_waits_longer_than_the_deadline() {
    let deadline = Duration::from_millis(100);
    let served = serve("127.0.0.1:0", LaneSettings { deadline, ..LaneSettings::default() });
    let socket = served.udp();
    socket.send(&query(1, "never.test")).unwrap();
    assert_eq!(receive(&socket).rcode, Rcode::SERVFAIL);
    assert_eq!(served.service.lane.questions().timed_out(), 1);
}

#[test]
fn refreshes_have_no_more_room_and_time_than_questions() {
    let full = serve("127.0.0.1:0", LaneSettings { waiting_max: 0, ..LaneSettings::default() });
    let deadline = Duration::from_millis(50);
    let slow = serve("127.0.0.1:0", LaneSettings { deadline, ..LaneSettings::default() });
    for served in [&full, &slow] {
        let socket = served.udp();
        socket.send(&query(1, "fresh.test")).unwrap();
        assert_eq!(receive(&socket).rcode, Rcode::NOERROR);
    }
    until(|| full.service.lane.refreshes().refused() == 1);
    until(|| slow.service.lane.refreshes().timed_out() == 1);
    assert_eq!(slow.service.lane.refreshes().refused(), 0);
}

#[test]
fn replies_that_reach_a_bound_are_counted() {
    let served = serve("127.0.0.1:0", LaneSettings::default());
    let (socket, mut stream) = (served.udp(), served.tcp());
    for asked in ["now.test", "cut.test"] {
        socket.send(&query(1, asked)).unwrap();
        assert!(!receive(&socket).flags.has(Flags::TC));
    }
    stream.write_all(&framed(&query(2, "huge.test"))).unwrap();
    assert!(read_framed(&mut stream).flags.has(Flags::TC));
    let stats = &served.service.stats;
    assert_eq!(count(&stats.cut_chains), 1);
    assert_eq!((count(&stats.overflowed_replies), count(&stats.full_compression_tables)), (1, 1));
}

#[test]
fn too_many_connections_are_closed_at_once() {
    let tcp = TcpSettings { connections_max: 1, ..TcpSettings::default() };
    let served = serve_with("127.0.0.1:0", LaneSettings::default(), tcp);
    let mut first = served.tcp();
    first.write_all(&framed(&query(1, "now.test"))).unwrap();
    read_framed(&mut first); // it is counted by now
    assert_eq!(served.tcp().read(&mut [0; 1]).unwrap(), 0);
    let stats = &served.service.stats;
    assert_eq!((count(&stats.refused_connections), count(&stats.connections)), (1, 1));
}

#[test]
fn every_reply_is_counted_with_the_octets_that_it_takes() {
    let settings = LaneSettings { waiting_max: 1, ..LaneSettings::default() };
    let served = serve("127.0.0.1:0", settings);
    let counted = || served.sizes.recv_timeout(Duration::from_secs(5)).unwrap();
    let (socket, refused, mut stream) = (served.udp(), served.udp(), served.tcp());
    let received = |socket: &UdpSocket| socket.recv(&mut [0; 4096]).unwrap();
    socket.send(&query(1, "now.test")).unwrap();
    assert_eq!(received(&socket), counted());
    socket.send(&query(1, "wait.test")).unwrap();
    while served.service.lane.waiting() == 0 {
        std::thread::yield_now();
    }
    refused.send(&query(1, "wait.test")).unwrap(); // the lane is full
    assert_eq!(received(&refused), counted());
    served.go.notify_one();
    assert_eq!(received(&socket), counted());
    for name in ["now.test", "wait.test"] {
        stream.write_all(&framed(&query(1, name))).unwrap();
        served.go.notify_one();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let length = usize::from(u16::from_be_bytes(length));
        stream.read_exact(&mut vec![0; length]).unwrap();
        assert_eq!(length, counted());
    }
    socket.send(&query(1, "drop.test")).unwrap();
    assert_eq!(counted(), 0);
}

#[test]
fn a_connection_answers_out_of_order() {
    let served = serve("127.0.0.1:0", LaneSettings::default());
    let mut stream = served.tcp();
    let mut queries = framed(&query(0, "wait.test"));
    for id in 1..20 {
        queries.extend(framed(&query(id, "now.test")));
    }
    let (first, rest) = queries.split_at(50); // a message may come in pieces
    stream.write_all(first).unwrap();
    stream.write_all(rest).unwrap();
    for id in 1..20 {
        assert_eq!(read_framed(&mut stream).id, id);
    }
    served.go.notify_one();
    assert_eq!(read_framed(&mut stream).id, 0);
}

#[test]
fn a_query_that_comes_octet_by_octet_must_be_whole_in_time() {
    let settings = TcpSettings { first_read: Duration::from_millis(300), ..TcpSettings::default() };
    let served = serve_with("127.0.0.1:0", LaneSettings::default(), settings);
    let mut stream = served.tcp();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let begin = Instant::now();
    for octet in framed(&query(1, "now.test")) {
        let closed = stream.write_all(&[octet]).is_err()
            || stream.read(&mut [0; 1]).is_ok_and(|received| received == 0);
        if closed {
            break;
        }
    }
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(300) && took < Duration::from_millis(900), "{took:?}");
}

#[test]
fn a_client_that_has_sent_all_still_gets_its_answers() {
    let served = serve("127.0.0.1:0", LaneSettings::default());
    let mut stream = served.tcp();
    stream.write_all(&framed(&query(7, "wait.test"))).unwrap();
    stream.write_all(&framed(&query(8, "drop.test"))).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    served.go.notify_one();
    assert_eq!(read_framed(&mut stream).id, 7);
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn more_queries_than_may_wait_are_read_later() {
    let served = serve("127.0.0.1:0", LaneSettings::default());
    let mut stream = served.tcp();
    let total = 300;
    for id in 0..total {
        stream.write_all(&framed(&query(id, "wait.test"))).unwrap();
    }
    for _ in 0..total {
        served.go.notify_one();
        read_framed(&mut stream);
    }
    assert!(count(&served.service.stats.paused_connections) >= 1);
}

#[test]
fn closing_answers_what_has_come_in() {
    let mut served = serve("127.0.0.1:0", LaneSettings::default());
    let (socket, mut stream) = (served.udp(), served.tcp());
    for id in 0..200 {
        socket.send(&query(id, "now.test")).unwrap();
    }
    socket.send(&query(999, "wait.test")).unwrap();
    stream.write_all(&framed(&query(7, "now.test"))).unwrap();
    let go = served.go.clone();
    let closing = std::thread::spawn(move || served.close());
    go.notify_one();
    assert!(closing.join().unwrap() < Duration::from_secs(4));
    let mut ids: Vec<u16> = (0..201).map(|_| receive(&socket).id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..200).chain([999]).collect::<Vec<_>>());
    assert_eq!(read_framed(&mut stream).id, 7);
}

#[test]
fn while_a_question_waits_later_ones_are_refused_not_lost() {
    for bind in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"] {
        let mut served = serve(bind, LaneSettings::default());
        let (waiting, go, address) = (served.udp(), served.go.clone(), served.address);
        waiting.send(&query(1, "wait.test")).unwrap();
        while served.service.lane.waiting() == 0 {
            std::thread::yield_now();
        }
        let closing = std::thread::spawn(move || served.close());
        let error = loop {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
            socket.connect(address).unwrap();
            socket.send(&query(2, "now.test")).unwrap();
            if let Err(error) = socket.recv(&mut [0; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{bind}");
        assert!(!closing.is_finished(), "{bind}: a question waits");
        go.notify_one();
        assert_eq!(receive(&waiting).id, 1, "{bind}");
        closing.join().unwrap();
    }
}

#[test]
fn a_listener_that_is_dropped_answers_nothing_more() {
    let mut served = serve("127.0.0.1:0", LaneSettings::default());
    let socket = served.udp();
    socket.send(&query(1, "now.test")).unwrap();
    assert_eq!(receive(&socket).id, 1);
    drop(served.listener.take());
    let begin = Instant::now();
    while UdpSocket::bind(served.address).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(5), "its workers still have the address");
        std::thread::yield_now();
    }
}

#[test]
fn a_client_that_sends_octet_by_octet_has_no_more_time() {
    let settings = TcpSettings { first_read: Duration::from_millis(200), ..TcpSettings::default() };
    let served = serve_with("127.0.0.1:0", LaneSettings::default(), settings);
    let mut stream = served.tcp();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let begin = Instant::now();
    for octet in framed(&query(1, "a-name-that-is-long-enough.for-a-few-seconds.now.test")) {
        let is_open = |error: std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
        let is_gone = stream.write_all(&[octet]).is_err();
        let closed = is_gone || !stream.read(&mut [0]).is_err_and(is_open);
        if closed {
            return assert!(begin.elapsed() >= Duration::from_millis(200));
        }
    }
    panic!("the connection is still open after {:?}", begin.elapsed());
}

#[test]
fn a_port_in_use_is_known_before_anything_is_served() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let error = Listener::open(taken.local_addr().unwrap(), 1).map(|_| ()).unwrap_err();
    assert!(matches!(error, listen::OpenError::Udp { .. }), "{error:?}");
}

/// Reads all of a long reply with this id.
fn read_many(stream: &mut TcpStream, id: u16) {
    for number in (0..MANY).rev() {
        let message = read_framed(stream);
        assert_eq!((message.id, message.body.answer.len()), (id, 150));
        let owner = message.body.owner(&message.body.answer[0]).to_string();
        assert_eq!(owner, format!("n{number}.test."));
        assert!(!message.flags.has(Flags::TC));
    }
}

#[test]
fn a_reply_of_several_messages_is_one_reply() {
    let served = serve("127.0.0.1:0", LaneSettings::default());
    let mut stream = served.tcp();
    stream.write_all(&framed(&query(1, "many.test"))).unwrap();
    read_many(&mut stream, 1);
    stream.write_all(&framed(&query(2, "late.test"))).unwrap();
    served.go.notify_one();
    read_many(&mut stream, 2);
    let sizes: Vec<_> = (0..2).map(|_| served.sizes.recv().unwrap()).collect();
    assert!(sizes.iter().all(|size| (30_000..65_536).contains(size)), "{sizes:?}");
    assert!(served.sizes.try_recv().is_err(), "each is counted once");
}

#[test]
fn a_long_reply_goes_on_when_the_client_has_closed_its_side() {
    let served = serve("127.0.0.1:0", LaneSettings::default());
    let mut stream = served.tcp();
    stream.write_all(&framed(&query(1, "many.test"))).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    read_many(&mut stream, 1);
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn a_long_reply_does_not_hold_up_the_others() {
    let served = serve("127.0.0.1:0", LaneSettings::default());
    let mut stream = served.tcp();
    let queries = [query(1, "endless.test"), query(2, "now.test"), query(3, "endless.test")];
    stream.write_all(&queries.map(|query| framed(&query)).concat()).unwrap();
    let mut ids: Vec<_> = (0..40).map(|_| read_framed(&mut stream).id).collect();
    assert!(ids[..4].contains(&2), "{ids:?}");
    stream.write_all(&framed(&query(4, "now.test"))).unwrap();
    while ids.last() != Some(&4) {
        ids.push(read_framed(&mut stream).id);
    }
    let count = |id| ids[..40].iter().filter(|known| **known == id).count();
    assert!(count(1).abs_diff(count(3)) <= 3, "long replies take turns: {ids:?}");
}

#[test]
fn a_client_that_reads_nothing_is_cut_and_disturbs_nobody() {
    let tcp = TcpSettings { write: Duration::from_millis(300), ..TcpSettings::default() };
    let served = serve_with("127.0.0.1:0", LaneSettings::default(), tcp);
    let mut silent = served.tcp();
    silent.write_all(&framed(&query(1, "endless.test"))).unwrap();
    let mut other = served.tcp();
    for id in 0..20 {
        other.write_all(&framed(&query(id, "now.test"))).unwrap();
        assert_eq!(read_framed(&mut other).id, id);
    }
    until(|| count(&served.service.stats.connections) == 1);
    other.write_all(&framed(&query(21, "now.test"))).unwrap();
    assert_eq!(read_framed(&mut other).id, 21);
}

#[test]
fn a_reply_that_cannot_be_finished_ends_the_connection() {
    let served = serve("127.0.0.1:0", LaneSettings::default());
    let mut stream = served.tcp();
    stream.write_all(&framed(&query(1, "broken.test"))).unwrap();
    for _ in 0..2 {
        assert_eq!(read_framed(&mut stream).id, 1);
    }
    assert!(matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_)));
}
