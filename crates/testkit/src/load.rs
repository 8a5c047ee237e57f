//! A steady load that notices every answer that does not come.
//!
//! A few clients, each with one question on its way at a time, so that no queue of the kernel
//! overflows: what is lost, the server has lost. They ask as stub resolvers do: over UDP from a new
//! port each time, which reaches every worker of the server, over TCP connections that stay open, and
//! over TCP connections for a single question.

use crate::dns::Question;
use crate::scenario::Mistake;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Clients that ask over UDP.
const UDP: usize = 6;
/// Clients that ask over one TCP connection for long.
const KEPT: usize = 2;
/// Clients that connect for each question.
const CONNECTING: usize = 1;
/// Between two questions of a client.
const PAUSE: Duration = Duration::from_millis(2);
/// The same where each question takes a connection: the kernel keeps their ports for a minute.
const CONNECTING_PAUSE: Duration = Duration::from_millis(20);
/// An answer that takes longer is lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// Failures of a client that are told one by one.
const TOLD_MAX: usize = 5;

/// Clients at work.
pub struct Load {
    stopping: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Tally>>,
}

/// What came of the questions.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Good answers.
    pub answered: u64,
    /// No answer came.
    pub lost: u64,
    /// Answers of another kind: another question, a failure, no records.
    pub wrong: u64,
    /// Nobody listened.
    pub refused: u64,
    /// TCP connections that the server closed while it was asked; RFC 7766 §6.2.4 has clients ask
    /// again.
    pub closed: u64,
    /// The longest that a good answer took.
    pub slowest: Duration,
    /// What happened, for the first failures.
    pub told: Vec<String>,
}

/// How a question ended that was not answered well.
enum Failure {
    Lost,
    Wrong(String),
    Refused,
    Closed,
}

impl Load {
    /// Asks the server these questions, as scenarios write them, over and over. Each must be one that
    /// has records.
    pub fn start(server: SocketAddr, questions: &[&str]) -> Result<Self, Mistake> {
        let questions: Vec<_> =
            questions.iter().map(|question| Question::read(question)).collect::<Result<_, _>>()?;
        let questions: Arc<[Question]> = questions.into();
        let stopping = Arc::new(AtomicBool::new(false));
        let ways = std::iter::repeat_with(|| Way::Udp).take(UDP);
        let ways = ways.chain(std::iter::repeat_with(|| Way::Kept(None)).take(KEPT));
        let ways = ways.chain(std::iter::repeat_with(|| Way::Connecting).take(CONNECTING));
        let clients = ways.enumerate().map(|(number, way)| {
            let (questions, stopping) = (Arc::clone(&questions), Arc::clone(&stopping));
            let client = Client { server, way, number, tally: Tally::default() };
            std::thread::spawn(move || client.ask_until(&stopping, &questions))
        });
        Ok(Self { clients: clients.collect(), stopping })
    }

    /// Waits for the answers that are still to come and adds up.
    pub fn stop(self) -> Tally {
        self.stopping.store(true, Ordering::Relaxed);
        let mut sum = Tally::default();
        for client in self.clients {
            match client.join() {
                Ok(tally) => sum.add(tally),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        sum
    }
}

impl Tally {
    /// Whether there were answers and nothing else.
    pub fn is_clean(&self) -> bool {
        self.answered > 0 && self.lost + self.wrong + self.refused + self.closed == 0
    }

    fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.lost += other.lost;
        self.wrong += other.wrong;
        self.refused += other.refused;
        self.closed += other.closed;
        self.slowest = self.slowest.max(other.slowest);
        self.told.extend(other.told);
    }

    fn count(&mut self, outcome: Result<Duration, Failure>, question: &Question) {
        let what = match outcome {
            Ok(took) => {
                self.answered += 1;
                self.slowest = self.slowest.max(took);
                return;
            }
            Err(Failure::Lost) => {
                self.lost += 1;
                "no answer".to_owned()
            }
            Err(Failure::Wrong(what)) => {
                self.wrong += 1;
                what
            }
            Err(Failure::Refused) => {
                self.refused += 1;
                "nobody listens".to_owned()
            }
            Err(Failure::Closed) => {
                self.closed += 1;
                "the connection was closed".to_owned()
            }
        };
        if self.told.len() < TOLD_MAX {
            self.told.push(format!("{}: {what}", question.text));
        }
    }
}

/// How a client asks.
enum Way {
    Udp,
    Kept(Option<TcpStream>),
    Connecting,
}

struct Client {
    server: SocketAddr,
    way: Way,
    number: usize,
    tally: Tally,
}

impl Client {
    fn ask_until(mut self, stopping: &AtomicBool, questions: &[Question]) -> Tally {
        let pause = if matches!(self.way, Way::Connecting) { CONNECTING_PAUSE } else { PAUSE };
        let turns = questions.iter().cycle().skip(self.number);
        for (id, question) in (0..=u16::MAX).cycle().zip(turns) {
            if stopping.load(Ordering::Relaxed) {
                break;
            }
            let begun = Instant::now();
            let outcome = self.ask(&question.message(id)).map(|()| begun.elapsed());
            self.tally.count(outcome, question);
            std::thread::sleep(pause);
        }
        self.tally
    }

    fn ask(&mut self, query: &[u8]) -> Result<(), Failure> {
        let answer = match &mut self.way {
            Way::Udp => ask_udp(self.server, query),
            Way::Connecting => connect(self.server).and_then(|stream| ask_tcp(&stream, query)),
            Way::Kept(kept) => {
                let stream = match kept.take() {
                    Some(stream) => stream,
                    None => connect(self.server).map_err(Failure::from)?,
                };
                let answer = ask_tcp(&stream, query);
                *kept = answer.is_ok().then_some(stream);
                answer
            }
        };
        check(query, &answer?)
    }
}

fn ask_udp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // A connected socket is told when nobody listens.
    socket.connect(server)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send(query)?;
    let mut answer = vec![0; 4096];
    let length = socket.recv(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn ask_tcp(mut stream: &TcpStream, query: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(&[&(query.len() as u16).to_be_bytes(), query].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// The id, the question as it was asked, NOERROR and at least one record.
fn check(query: &[u8], answer: &[u8]) -> Result<(), Failure> {
    let question = query.get(12..).unwrap_or_default();
    let (Some(header), Some(rest)) = (answer.get(..12), answer.get(12..)) else {
        return Err(Failure::Wrong("the answer is no message".to_owned()));
    };
    if header[..2] != query[..2] || !rest.starts_with(question) {
        return Err(Failure::Wrong("an answer to another question".to_owned()));
    }
    match (header[3] & 15, header[6] | header[7]) {
        (0, 1..) => Ok(()),
        (0, 0) => Err(Failure::Wrong("no records".to_owned())),
        (rcode, _) => Err(Failure::Wrong(format!("response code {rcode}"))),
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Lost,
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                Self::Closed
            }
            _ => Self::Wrong(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FakeUpstream;
    use crate::upstream::Script;

    const SCRIPT: &str = "\
a.test A
;; NOERROR
a.test. 5 A 192.0.2.1

fails.test A
;; SERVFAIL
";

    fn tally(questions: &[&str], server: SocketAddr, until: impl Fn()) -> Tally {
        let load = Load::start(server, questions).unwrap();
        until();
        load.stop()
    }

    #[test]
    fn every_outcome_is_counted() {
        let server = FakeUpstream::start(0, Script::read(SCRIPT, 1).unwrap()).unwrap();
        let address = server.address();
        let hundred = || while server.asked().len() < 100 {};
        let good = tally(&["a.test A"], address, hundred);
        assert!(good.is_clean() && good.answered >= 90, "{good:?}");
        let two_hundred = || while server.asked().len() < 200 {};
        let bad = tally(&["a.test A", "fails.test A"], address, two_hundred);
        assert!(bad.wrong > 10 && bad.answered > 10, "{bad:?}");
        assert!(bad.told.contains(&"fails.test A: response code 2".to_owned()), "{bad:?}");
        drop(server);
        let gone = tally(&["a.test A"], address, || std::thread::sleep(PAUSE));
        assert!(gone.refused > 0 && gone.answered + gone.lost == 0, "{gone:?}");
    }
}
