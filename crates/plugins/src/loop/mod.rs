//! `loop`: finds out whether questions that leave this server come back to it.
//!
//! At the start the server asks itself for a name that nobody else knows. If that question passes
//! here again and again, then whoever is asked sends it back, and so would every other question:
//! better no server than one that floods itself.

use crate::directive::{Built, Directive};
use crate::env::{Env, Process, Site, Tasks};
use arc_swap::ArcSwap;
use chain::{Exchange, Failure, Plugin, Step};
use corefile::{Accepted, Block, Mistakes, Property, Repeats, Syntax};
use rand::RngExt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::time::timeout;
use wire::{Class, Encoder, Flags, HEADER_LEN, NameBuf, RecordType};

/// The directive and the plugin.
pub(crate) struct Loop {
    probe: Arc<Probe>,
    process: Process,
    tasks: Tasks,
}

/// A question that only this server asks.
struct Probe {
    /// The zone that it is in, the first of the block.
    zone: NameBuf,
    /// Where this server listens for it, as log lines have it: `:53`.
    listener: String,
    /// Where this server can be asked; none if it listens nowhere.
    address: Option<SocketAddr>,
    /// What is asked now.
    attempt: ArcSwap<Attempt>,
    /// How often an attempt has come back.
    returns: AtomicU32,
    /// Told when an attempt has come back.
    returned: Notify,
    /// Whether it still matters.
    is_over: AtomicBool,
}

/// One asking, with a name of its own: what comes in late, or was sent twice, is told apart from what
/// has come back.
struct Attempt {
    name: NameBuf,
    seen: AtomicU32,
}

const SYNTAX: Syntax<()> = Syntax {
    directive: Property {
        name: "loop",
        usage: "loop",
        default: "",
        doc: "Ends the server if questions that it forwards come back to it.",
        repeats: Repeats::Never,
        read: |(), _| Ok(()),
    },
    properties: &[],
    otherwise: None,
};

/// How many attempts must come back: CoreDNS takes a question that comes in for the third time for a
/// loop. One that comes back may have met one of several upstream servers.
const RETURNS: u32 = 2;
/// How long to go on asking while nobody answers.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait for a reply, and how long between attempts.
const REPLY: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_secs(1);
/// How long a probe that was answered can still be on its way somewhere.
const AFTERMATH: Duration = Duration::from_secs(2);

impl Directive for Loop {
    const NAME: &'static str = "loop";
    type Config = ();

    fn read(block: &Block<'_>) -> Result<Accepted<()>, Mistakes> {
        SYNTAX.read(block, &mut ()).accept(())
    }

    fn build((): (), env: &mut Env<'_>) -> Built {
        let probe = Arc::new(Probe::new(env.site));
        let process = env.process.clone();
        let plugin = Arc::new(Self { probe: probe.clone(), process, tasks: Tasks::default() });
        let starting = plugin.clone();
        env.on_serving(move |runtime| starting.tasks.spawn(runtime, probe.run()));
        Ok(Some(Box::new(plugin)))
    }
}

impl Plugin for Loop {
    fn query(&self, x: &mut Exchange) -> Step {
        let probe = &*self.probe;
        if x.question.rtype != RecordType::HINFO || probe.is_over.load(Relaxed) {
            return Step::Next;
        }
        let attempt = probe.attempt.load();
        if x.question.name() != attempt.name.as_name() || !attempt.has_returned() {
            return Step::Next;
        }
        if probe.returns.fetch_add(1, Relaxed) + 1 < RETURNS {
            probe.returned.notify_one();
        } else if !probe.is_over.swap(true, Relaxed) {
            self.process.lines.push(probe.verdict(&attempt.name, x.client.peer).as_bytes());
            self.process.fatal.raise();
        }
        // Here it goes round no more.
        x.fail(Failure::TooDeep)
    }
}

impl Attempt {
    fn new(zone: &NameBuf) -> Self {
        Self { name: unheard_of(zone), seen: AtomicU32::new(0) }
    }

    /// Whether it has come in once more than it was sent. Once is enough to know.
    fn has_returned(&self) -> bool {
        self.seen.fetch_add(1, Relaxed) == 1
    }
}

impl Probe {
    fn new(site: &Site) -> Self {
        let zone = site.zones.first().copied().unwrap_or(NameBuf::root());
        let number = site.zone_names.iter().position(|name| **name == *zone.to_string());
        let served = site.served.iter().find(|(_, zone)| Some(usize::from(*zone)) == number);
        let server = served.map(|(server, _)| *server);
        let at = server.and_then(|server| site.servers.iter().position(|each| *each == server));
        let listener = server.map_or("", |server| &site.server_names[usize::from(server)]);
        Self {
            zone,
            listener: listener.trim_start_matches("dns://").into(),
            address: at.and_then(|at| site.addresses.get(at).copied()),
            attempt: ArcSwap::from_pointee(Attempt::new(&zone)),
            returns: AtomicU32::new(0),
            returned: Notify::new(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Asks until there is an answer: whatever it says, the question has come through.
    async fn run(self: Arc<Self>) {
        if let Some(address) = self.address {
            let _ = timeout(PATIENCE, self.ask_until_answered(address)).await;
        }
        self.is_over.store(true, Relaxed);
    }

    async fn ask_until_answered(&self, address: SocketAddr) {
        loop {
            let attempt = Arc::new(Attempt::new(&self.zone));
            self.attempt.store(attempt.clone());
            tokio::select! {
                biased; // what has come back is answered, too
                // Whoever asks the same again may wait for the first answer, for ever: a new
                // question goes its way alone.
                () = self.returned.notified() => continue,
                asked = timeout(REPLY, ask(&attempt.name, address)) => match asked {
                    Ok(Ok(())) => break,
                    Ok(Err(_)) | Err(_) => tokio::time::sleep(PAUSE).await,
                }
            }
        }
        tokio::time::sleep(AFTERMATH).await;
    }

    /// What to say about a loop, in CoreDNS's words: people search for them.
    fn verdict(&self, name: &NameBuf, peer: SocketAddr) -> String {
        let Self { zone, listener, .. } = self;
        format!(
            "[FATAL] plugin/loop: Loop ({peer} -> {listener}) detected for zone \"{zone}\", see \
             https://coredns.io/plugins/loop#troubleshooting. Query: \"HINFO {name}\"\n"
        )
    }
}

/// Asks the server at `address` for a name, and waits for its reply.
async fn ask(name: &NameBuf, address: SocketAddr) -> io::Result<()> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    let (id, mut message) = (rand::rng().random(), [0; 512]);
    let question = (name.as_name(), RecordType::HINFO, Class::IN);
    let length = Encoder::new().query(id, Flags::RD, question, None, &mut message);
    socket.send(&message[..length]).await?;
    loop {
        let length = socket.recv(&mut message).await?;
        if length >= HEADER_LEN && message[..2] == id.to_be_bytes() {
            return Ok(());
        }
    }
}

/// A name in `zone` that nobody can guess.
fn unheard_of(zone: &NameBuf) -> NameBuf {
    let mut name = *zone;
    for _ in 0..2 {
        let number: u64 = rand::rng().random_range(0..1 << 62);
        // A zone that leaves no room for labels has no names to forward either.
        name = NameBuf::child(number.to_string().as_bytes(), name.as_name()).unwrap_or(name);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Rig;

    /// A probe as it comes in.
    struct Asked {
        question: String,
        message: Vec<u8>,
        peer: SocketAddr,
    }

    /// The next probe.
    async fn next(socket: &UdpSocket) -> Asked {
        let mut message = vec![0; 512];
        let (length, peer) = socket.recv_from(&mut message).await.unwrap();
        message.truncate(length);
        let mut request = wire::Request::new();
        request.read(&message).unwrap();
        Asked { question: format!("{} {}", request.asked, request.rtype), message, peer }
    }

    /// A block at a socket of this test, so that its probe can be seen.
    async fn served(zone: &str) -> (Rig, UdpSocket) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let rig = Rig::new(&format!("{zone}:{port} {{\n bind 127.0.0.1\n loop\n canned\n}}"));
        (rig, socket)
    }

    #[test]
    fn the_table_is_sound() {
        assert_eq!(SYNTAX.faults(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_probe_that_comes_back_twice_ends_the_process() {
        let (mut rig, socket) = served("test").await;
        rig.start();
        for last in [false, true] {
            let Asked { question, .. } = next(&socket).await;
            let name = question.strip_suffix(" HINFO").unwrap();
            assert!(name.ends_with(".test.") && name.len() > 20, "{name}");
            rig.ask(&format!("{name} A"));
            rig.ask("1.2.test HINFO");
            assert_eq!(rig.ask(&question).answered_by().unwrap().0, "canned");
            assert_eq!(rig.process.lines.take(), "");
            assert_eq!(rig.ask(&question).failure(), Some(&Failure::TooDeep));
            if !last {
                continue;
            }
            rig.process.fatal.raised().await;
            let port = socket.local_addr().unwrap().port();
            assert_eq!(
                rig.process.lines.take(),
                format!(
                    "[FATAL] plugin/loop: Loop (10.0.0.7:4000 -> 127.0.0.1:{port}) detected for \
                     zone \"test.\", see https://coredns.io/plugins/loop#troubleshooting. Query: \
                     \"HINFO {name}\"\n"
                )
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn probes_that_are_late_are_no_loop_and_one_that_is_answered_is_over() {
        let (mut rig, socket) = served(".").await;
        rig.start();
        let mut probes = Vec::new();
        for _ in 0..4 {
            probes.push(next(&socket).await);
        }
        // The server was busy and takes all of them at once.
        for probe in &probes {
            assert!(rig.ask(&probe.question).failure().is_none());
        }
        let last = &probes[3];
        socket.send_to(&last.message, last.peer).await.unwrap();
        // Long enough to be over, too short for another attempt to be given up.
        tokio::time::sleep(AFTERMATH + PAUSE).await;
        for _ in 0..3 {
            assert!(rig.ask(&last.question).failure().is_none());
        }
        assert_eq!(rig.process.lines.take(), "");
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_answer_it_is_over_after_a_while() {
        let (mut rig, socket) = served(".").await;
        rig.start();
        let probe = next(&socket).await;
        tokio::time::sleep(PATIENCE + PAUSE).await;
        for _ in 0..4 {
            assert!(rig.ask(&probe.question).failure().is_none());
        }
    }
}
