//! A server of any make that runs somewhere, asked over plain DNS.

use super::outcome::{End, Heed, Outcome};
use super::questions::Asked;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use wire::{Class, Edns, Encoder, Flags, Message};

/// The most octets of an answer over UDP that we say we can take.
const UDP_SIZE: u16 = 1232;
/// The most datagrams that may come for one question: only one is the answer, others are strays.
const STRAYS_MAX: usize = 16;

/// A server, and how it is asked.
pub(crate) struct Remote {
    pub(crate) address: SocketAddr,
    /// How long one try may take.
    pub(crate) timeout: Duration,
    /// How often a question is sent in all; not zero.
    pub(crate) tries: u32,
}

impl Remote {
    /// Asks once, and again while nothing comes.
    pub(crate) async fn ask(&self, asked: &Asked, heed: Heed) -> Outcome {
        let mut why = String::new();
        for _ in 0..self.tries {
            match tokio::time::timeout(self.timeout, self.try_once(asked)).await {
                Ok(Ok(message)) => return Outcome::of_message(asked.name(), &message, heed),
                Ok(Err(error)) => why = error.to_string(),
                Err(_) => why = format!("nothing within {:?}", self.timeout),
            }
        }
        Outcome::without_reply(End::Silent(why))
    }

    async fn try_once(&self, asked: &Asked) -> io::Result<Message> {
        let id: u16 = rand::random();
        let mut query = [0; 512];
        let edns = Edns { udp_size: UDP_SIZE, ..Edns::default() };
        let question = (asked.name(), asked.rtype, Class::IN);
        let length = Encoder::new().query(id, Flags::RD, question, Some(&edns), &mut query);
        let message = self.over_udp(&query[..length], id, asked).await?;
        if message.flags.has(Flags::TC) {
            return self.over_tcp(&query[..length], id, asked).await;
        }
        Ok(message)
    }

    async fn over_udp(&self, query: &[u8], id: u16, asked: &Asked) -> io::Result<Message> {
        let any = match self.address.ip() {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        // A socket for each question: another port makes an answer hard to guess.
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect(self.address).await?;
        socket.send(query).await?;
        let mut answer = vec![0; 4096];
        for _ in 0..STRAYS_MAX {
            let length = socket.recv(&mut answer).await?;
            if let Some(message) = answer_to(asked, id, &answer[..length]) {
                return Ok(message);
            }
        }
        Err(io::Error::other("answers to other questions"))
    }

    async fn over_tcp(&self, query: &[u8], id: u16, asked: &Asked) -> io::Result<Message> {
        let mut stream = TcpStream::connect(self.address).await?;
        let length = (query.len() as u16).to_be_bytes();
        stream.write_all(&[&length[..], query].concat()).await?;
        let mut answer = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut answer).await?;
        answer_to(asked, id, &answer)
            .ok_or_else(|| io::Error::other("an answer to another question"))
    }
}

/// The message, if it answers this question. A server that refuses may leave the question out.
fn answer_to(asked: &Asked, id: u16, octets: &[u8]) -> Option<Message> {
    let message = Message::read(octets).ok()?;
    let is_same = message.question.as_ref().is_none_or(|(name, rtype, class)| {
        name.as_name() == asked.name() && *rtype == asked.rtype && *class == Class::IN
    });
    (message.id == id && message.flags.has(Flags::QR) && is_same).then_some(message)
}
