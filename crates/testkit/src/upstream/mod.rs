//! A DNS server with canned replies, over UDP and TCP, that remembers what it was asked.
//!
//! Not a resolver: what the script does not know it refuses. Start with [`FakeUpstream::start`].

mod script;

pub use script::{Behaviour, Canned, Script};

use crate::dns::{Question, Transport};
use crate::net::TcpServer;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use wire::{Encoder, Flags, MESSAGE_MAX, Rcode, Reject, Reply, Request, Section};

/// Questions that are remembered; what comes later is answered and forgotten.
const ASKED_MAX: usize = 100_000;

/// A running fake upstream; its ports close when it is dropped.
pub struct FakeUpstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    stopping: Arc<AtomicBool>,
    tcp: Option<TcpServer>,
    udp: Option<JoinHandle<()>>,
}

/// A question that a fake upstream was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The query.
    pub request: Request,
    /// Whether it came over TCP.
    pub over_tcp: bool,
}

struct Shared {
    script: Mutex<Script>,
    asked: Mutex<Vec<Asked>>,
}

impl FakeUpstream {
    /// Listens on a port of 127.0.0.1; port 0 lets the system choose one.
    pub fn start(port: u16, script: Script) -> io::Result<Self> {
        let shared = Arc::new(Shared { script: Mutex::new(script), asked: Mutex::default() });
        let serving = Arc::clone(&shared);
        let tcp = TcpServer::start((Ipv4Addr::LOCALHOST, port).into(), move |stream| {
            serve_tcp(&serving, stream);
        })?;
        let address = tcp.address();
        let socket = UdpSocket::bind(address)?;
        let stopping = Arc::new(AtomicBool::new(false));
        let (serving, stop) = (Arc::clone(&shared), Arc::clone(&stopping));
        let udp = std::thread::Builder::new()
            .name("testkit-upstream".to_owned())
            .spawn(move || serve_udp(&serving, socket, &stop))?;
        Ok(Self { address, shared, stopping, tcp: Some(tcp), udp: Some(udp) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds canned replies, which go before those for the same questions.
    pub fn add(&self, script: Script) {
        lock(&self.shared.script).add(script);
    }

    /// Every question so far, in the order in which they came.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }

    /// How often a question like this one came.
    ///
    /// Name (without case unless `+case`) and type must be the same; of `+tcp`, `+do`, `+cd`,
    /// `+ad`, `+bufsize=` and `option=` those that are said must hold, the others may.
    pub fn count(&self, question: &Question) -> usize {
        lock(&self.shared.asked).iter().filter(|asked| asked.fits(question)).count()
    }
}

impl Drop for FakeUpstream {
    fn drop(&mut self) {
        self.tcp = None;
        self.stopping.store(true, Ordering::SeqCst);
        // A datagram wakes the thread that receives, which then sees that it shall stop.
        if let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) {
            let _ = socket.send_to(&[], self.address);
        }
        if let Some(thread) = self.udp.take() {
            let _ = thread.join();
        }
    }
}

impl Asked {
    fn fits(&self, question: &Question) -> bool {
        let (request, name) = (&self.request, &question.name);
        let same_case = request.asked.octets() == name.octets();
        let edns_fits = question.edns.as_ref().is_none_or(|wanted| {
            let mut options = wanted.options.iter();
            request.has_edns
                && request.edns.dnssec_ok >= wanted.dnssec_ok
                && question.bufsize.is_none_or(|size| size == request.edns.udp_size)
                && options.all(|(code, data)| request.edns.options.find(code) == Some(data))
        });
        request.asked == *name
            && (same_case || !question.exact_case)
            && (request.rtype, request.class) == (question.rtype, question.class)
            && request.flags.has(question.flags.without(Flags::RD))
            && (self.over_tcp || question.transport == Transport::Udp)
            && edns_fits
    }
}

/// What goes out for one query, in order.
struct Sending {
    after: Duration,
    replies: Vec<Vec<u8>>,
    close: bool,
}

impl Shared {
    /// Notes the query and makes its replies.
    fn reply(&self, query: &[u8], over_tcp: bool) -> Sending {
        let mut sending = Sending { after: Duration::ZERO, replies: Vec::new(), close: false };
        let mut request = Request::new();
        match request.read(query) {
            Ok(()) => {}
            Err(Reject::Silence) => return sending,
            Err(Reject::Code(rcode) | Reject::CodeWithQuestion(rcode)) => {
                let canned = Canned::with(rcode);
                sending.replies.push(encode(&request, &canned, over_tcp));
                return sending;
            }
        }
        let mut asked = lock(&self.asked);
        if asked.len() < ASKED_MAX {
            asked.push(Asked { request: request.clone(), over_tcp });
        }
        drop(asked);
        let refused = Canned::with(Rcode::REFUSED);
        let canned = lock(&self.script).find(&request).cloned().unwrap_or(refused);
        let whole = || encode(&request, &canned, over_tcp);
        match canned.behaviour {
            Behaviour::Drop => {}
            Behaviour::Close => sending.close = true,
            Behaviour::Prompt => sending.replies.push(whole()),
            Behaviour::Slow(time) => {
                sending.after = time;
                sending.replies.push(whole());
            }
            Behaviour::Truncated if over_tcp => sending.replies.push(whole()),
            Behaviour::Truncated => sending.replies.push(truncated(&request)),
            Behaviour::Garbage => {
                let [high, low] = request.id.to_be_bytes();
                sending.replies.push(vec![high, low, 0x80, 0, 0, 9, 0, 9, 0, 9, 0, 9, 0xff]);
            }
            Behaviour::ForgedId => {
                let forger = Request { id: !request.id, ..request.clone() };
                let forged = encode(&forger, &Canned::with(Rcode::NXDOMAIN), over_tcp);
                sending.replies.extend([forged, whole()]);
            }
            Behaviour::ForgedQuestion => {
                let rtype = wire::RecordType(!request.rtype.0);
                let forger = Request { rtype, ..request.clone() };
                let forged = encode(&forger, &Canned::with(Rcode::NXDOMAIN), over_tcp);
                sending.replies.extend([forged, whole()]);
            }
        }
        sending
    }
}

impl Canned {
    fn with(rcode: Rcode) -> Self {
        let mut canned = Self::default();
        canned.reply.rcode = rcode;
        canned
    }
}

fn encode(request: &Request, canned: &Canned, over_tcp: bool) -> Vec<u8> {
    let flags = canned.reply.flags.with(request.flags.only(Flags::RD));
    let mut reply = Reply { flags, rcode: canned.reply.rcode, ..Reply::default() };
    reply.options = canned.reply.opt.options();
    for section in Section::ALL {
        for record in &canned.reply.sections[section as usize] {
            // A record with a wildcard cannot be sent; the scenario that has one sees it missing.
            let _ = record.push_to(&mut reply.body, section);
        }
    }
    let client = if request.has_edns { request.edns.udp_size.max(512) } else { 512 };
    let limit = if over_tcp { MESSAGE_MAX } else { client as usize };
    let mut octets = vec![0; MESSAGE_MAX];
    let length = Encoder::new().reply(request, &reply, limit, &mut octets);
    octets.truncate(length);
    octets
}

fn truncated(request: &Request) -> Vec<u8> {
    let mut canned = Canned::default();
    canned.reply.flags = Flags::TC.with(Flags::RA);
    encode(request, &canned, false)
}

fn serve_udp(shared: &Arc<Shared>, socket: UdpSocket, stopping: &AtomicBool) {
    let socket = Arc::new(socket);
    let mut octets = vec![0; MESSAGE_MAX];
    while let received = socket.recv_from(&mut octets)
        && !stopping.load(Ordering::SeqCst)
    {
        let Ok((length, client)) = received else { continue };
        let sending = shared.reply(&octets[..length], false);
        let socket = Arc::clone(&socket);
        at_its_time(sending.after, move || {
            for reply in sending.replies {
                let _ = socket.send_to(&reply, client);
            }
        });
    }
}

fn serve_tcp(shared: &Arc<Shared>, mut stream: TcpStream) {
    let Ok(writer) = stream.try_clone() else { return };
    let writer = Arc::new(Mutex::new(writer));
    loop {
        let mut length = [0; 2];
        if stream.read_exact(&mut length).is_err() {
            return;
        }
        let mut query = vec![0; u16::from_be_bytes(length) as usize];
        if stream.read_exact(&mut query).is_err() {
            return;
        }
        let sending = shared.reply(&query, true);
        if sending.close {
            return;
        }
        let writer = Arc::clone(&writer);
        at_its_time(sending.after, move || {
            for reply in sending.replies {
                let length = (reply.len() as u16).to_be_bytes();
                let _ = lock(&writer).write_all(&[&length, &reply[..]].concat());
            }
        });
    }
}

/// Does the work now, or in a thread that waits, so that slow replies do not hold up others.
fn at_its_time(after: Duration, work: impl FnOnce() + Send + 'static) {
    if after.is_zero() {
        return work();
    }
    let waiting = std::thread::Builder::new().name("testkit-slow-reply".to_owned());
    // A thread that cannot be started loses its reply, as a busy network would.
    let _ = waiting.spawn(move || {
        std::thread::sleep(after);
        work();
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Client, Expected};

    const SCRIPT: &str = "\
www.test A
;; NOERROR ra
www.test. 300 A 192.0.2.1

big.test TXT truncated
;; NOERROR ra
big.test. 300 TXT big

slow.test A slow 40ms
;; NXDOMAIN ra

lost.test A drop

shut.test A close

odd.test A garbage

fake.test A forged-id
;; NOERROR
fake.test. 1 A 192.0.2.2";

    fn ask(upstream: &FakeUpstream, asked: &str, expected: &str) -> String {
        let question = Question::read(asked).unwrap();
        let expected = Expected::read(expected.lines().enumerate()).unwrap();
        let mut client = Client::new(upstream.address().port());
        client.ask(&question, &expected).unwrap().received.text()
    }

    #[test]
    fn canned_replies_over_udp_and_tcp() {
        let upstream = FakeUpstream::start(0, Script::read(SCRIPT, 1).unwrap()).unwrap();
        let whole = ";; NOERROR rd ra\nwww.test. 300 IN A 192.0.2.1";
        assert_eq!(ask(&upstream, "wWw.test A", whole), whole.replace("www", "wWw"));
        assert_eq!(ask(&upstream, "www.test A +tcp", whole), whole);
        let refused = ";; REFUSED rd";
        assert_eq!(ask(&upstream, "www.test AAAA", refused), refused);
        let question = |text| Question::read(text).unwrap();
        assert_eq!(upstream.count(&question("www.test A")), 2);
        assert_eq!(upstream.count(&question("www.test A +tcp")), 1);
        assert_eq!(upstream.count(&question("wWw.test A +case")), 1);
        assert_eq!(upstream.count(&question("www.test A +do")), 0);
        assert_eq!(upstream.asked().len(), 3);
    }

    #[test]
    fn behaviours() {
        let upstream = FakeUpstream::start(0, Script::read(SCRIPT, 1).unwrap()).unwrap();
        let cut = ";; NOERROR tc rd ra";
        assert_eq!(ask(&upstream, "big.test TXT", cut), cut);
        let whole = ";; NOERROR rd ra\nbig.test. 300 IN TXT \"big\"";
        assert_eq!(ask(&upstream, "big.test TXT +tcp", whole), whole);
        let late = ";; NXDOMAIN rd ra";
        assert_eq!(ask(&upstream, "slow.test A", late), late);
        let nothing = ";; no reply";
        assert_eq!(ask(&upstream, "lost.test A", nothing), nothing);
        assert_eq!(ask(&upstream, "shut.test A +tcp", nothing), nothing);
        assert!(ask(&upstream, "odd.test A", late).starts_with(";; malformed"));
        // The client looks at ids, so it sees the second reply.
        let real = ";; NOERROR rd\nfake.test. 1 IN A 192.0.2.2";
        assert_eq!(ask(&upstream, "fake.test A", real), real);
    }

    #[test]
    fn what_is_added_goes_first_and_dropping_closes_the_port() {
        let upstream = FakeUpstream::start(0, Script::read(SCRIPT, 1).unwrap()).unwrap();
        upstream.add(Script::read("www.test A\n;; SERVFAIL", 1).unwrap());
        let failed = ";; SERVFAIL rd";
        assert_eq!(ask(&upstream, "www.test A", failed), failed);
        let port = upstream.address().port();
        drop(upstream);
        let question = Question::read("www.test A").unwrap();
        let expected = Expected::read([(0, failed)].into_iter()).unwrap();
        let refused = Client::new(port).ask(&question, &expected);
        assert!(refused.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused));
    }
}
