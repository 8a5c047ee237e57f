//! Asks one question and waits for what comes back.

use super::expected::{Expected, Received};
use super::question::{Question, Transport};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};
use wire::Message;

/// How long a reply may take. Longer than the six seconds after which CoreDNS gives up on its
/// upstreams.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long a reply may lag behind that to a later datagram before it is held for silence.
const STRAGGLER: Duration = Duration::from_millis(60);
/// How long a connection without a reply counts as silence.
const TCP_SILENCE: Duration = Duration::from_millis(300);

/// Asks a server that listens on loopback.
pub struct Client {
    port: u16,
    kept: HashMap<String, TcpStream>,
    next_id: u16,
}

/// A question as it was sent, and what came back.
pub struct Answer {
    /// The message that asked.
    pub sent: Vec<u8>,
    /// What came back.
    pub received: Received,
}

impl Client {
    /// A client of the server on this port.
    pub fn new(port: u16) -> Self {
        // Ids need not be secret here, only different.
        Self { port, kept: HashMap::new(), next_id: std::process::id() as u16 }
    }

    /// The port that is asked where a question names none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where a question goes.
    pub fn server(&self, question: &Question) -> SocketAddr {
        let address = question.server.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        SocketAddr::new(address, question.port.unwrap_or(self.port))
    }

    /// Sends the question and waits for the reply.
    ///
    /// If silence is expected, it is not waited for long: only until the server has answered a
    /// datagram that was sent later.
    pub fn ask(&mut self, question: &Question, expected: &Expected) -> io::Result<Answer> {
        self.next_id = self.next_id.wrapping_add(1);
        let sent = question.message(self.next_id);
        let silence = matches!(expected, Expected::Silence);
        let octets = match &question.transport {
            Transport::Udp => self.ask_udp(question, &sent, silence)?,
            Transport::Tcp => {
                let mut stream = connect(question.from, self.server(question))?;
                exchange_tcp(&mut stream, &sent, silence)?
            }
            Transport::KeptTcp(name) => {
                if !self.kept.contains_key(name) {
                    let stream = connect(question.from, self.server(question))?;
                    self.kept.insert(name.clone(), stream);
                }
                let stream = self.kept.get_mut(name).expect("inserted above");
                exchange_tcp(stream, &sent, silence)?
            }
        };
        let received = match octets {
            None => Received::Silence,
            Some(octets) => match Message::read(&octets) {
                Ok(message) => Received::Message(Box::new(message), octets),
                Err(_) => Received::Malformed(octets),
            },
        };
        Ok(Answer { sent, received })
    }

    /// Asks and tells, for people, in what the reply is not as expected.
    pub fn compare(&mut self, question: &Question, expected: &Expected) -> Result<(), String> {
        let (asked, wanted) = (&question.text, expected.text());
        let answer = self.ask(question, expected);
        let answer = answer.map_err(|e| format!("asked\n{asked}\nexpected\n{wanted}\ngot\n{e}"))?;
        let differences = expected.differences(question, &answer);
        if differences.is_empty() {
            return Ok(());
        }
        let (got, why) = (answer.received.text(), differences.join("\n"));
        Err(format!("asked\n{asked}\nexpected\n{wanted}\ngot\n{got}\nthat is\n{why}"))
    }

    /// The same with question and reply as a scenario writes them: `NAME TYPE …` and `;; CODE …`.
    pub fn expect(&mut self, question: &str, reply: &str) -> Result<(), String> {
        let question = Question::read(question).map_err(|mistake| mistake.to_string())?;
        let expected =
            Expected::read((1..).zip(reply.lines())).map_err(|mistake| mistake.to_string())?;
        self.compare(&question, &expected)
    }

    fn ask_udp(
        &self,
        question: &Question,
        sent: &[u8],
        silence: bool,
    ) -> io::Result<Option<Vec<u8>>> {
        let server = self.server(question);
        let socket = UdpSocket::bind((local(question.from, server), 0))?;
        socket.connect(server)?;
        socket.send(sent)?;
        if question.leave {
            return Ok(None);
        }
        let id = sent.get(..2).unwrap_or_default();
        if !silence {
            return receive(&socket, id, Instant::now() + PATIENCE);
        }
        let probe = probe(!u16::from_be_bytes(id.try_into().unwrap_or_default()));
        socket.send(&probe)?;
        if let Some(reply) = receive(&socket, &[], Instant::now() + Duration::from_secs(1))?
            && !reply.starts_with(&probe[..2])
        {
            return Ok(Some(reply));
        }
        receive(&socket, id, Instant::now() + STRAGGLER)
    }
}

/// A message that a server answers at once with NOTIMP and that no plugin sees: a header with the
/// opcode STATUS.
fn probe(id: u16) -> [u8; 12] {
    let [high, low] = id.to_be_bytes();
    [high, low, 2 << 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

/// Whether a server answers at this address: over UDP and, if it does, over TCP.
///
/// What is asked shows in no metric and no log.
pub(crate) fn answers(server: SocketAddr) -> bool {
    let asked = || {
        let socket = UdpSocket::bind((local(None, server), 0))?;
        socket.connect(server)?;
        socket.send(&probe(1))?;
        receive(&socket, &[0, 1], Instant::now() + Duration::from_millis(200))
    };
    matches!(asked(), Ok(Some(_)))
        && TcpStream::connect_timeout(&server, Duration::from_millis(200)).is_ok()
}

fn local(from: Option<IpAddr>, server: SocketAddr) -> IpAddr {
    from.unwrap_or(match server {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    })
}

/// The first datagram that begins with `id`; none if none has come before `deadline`.
fn receive(socket: &UdpSocket, id: &[u8], deadline: Instant) -> io::Result<Option<Vec<u8>>> {
    let mut octets = vec![0; 65_535];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        socket.set_read_timeout(Some(left))?;
        match socket.recv(&mut octets) {
            Ok(length) if octets[..length].starts_with(id) => {
                octets.truncate(length);
                return Ok(Some(octets));
            }
            Ok(_) => {}
            Err(error) if is_timeout(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn connect(from: Option<IpAddr>, server: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(from) = from {
        socket.bind(&SocketAddr::new(from, 0).into())?;
    }
    socket.connect_timeout(&server.into(), Duration::from_secs(2))?;
    Ok(socket.into())
}

fn exchange_tcp(stream: &mut TcpStream, sent: &[u8], silence: bool) -> io::Result<Option<Vec<u8>>> {
    stream.set_read_timeout(Some(if silence { TCP_SILENCE } else { PATIENCE }))?;
    let length = (sent.len() as u16).to_be_bytes();
    stream.write_all(&[&length, sent].concat())?;
    let mut length = [0; 2];
    match stream.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if is_timeout(&error) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut octets = vec![0; u16::from_be_bytes(length) as usize];
    stream.read_exact(&mut octets)?;
    Ok(Some(octets))
}
