//! Asks one question over a real socket.

use chain::Transport;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;
use wire::{Class, Edns, Encoder, Flags, Message, NameBuf, RecordType};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks `server`, as a resolver library would.
pub(super) fn ask(
    server: SocketAddr,
    name: NameBuf,
    rtype: RecordType,
    transport: Transport,
) -> io::Result<Message> {
    let id: u16 = rand::random();
    let mut query = [0; 512];
    let edns = Edns { udp_size: 1232, ..Edns::default() };
    let question = (name.as_name(), rtype, Class::IN);
    let length = Encoder::new().query(id, Flags::RD, question, Some(&edns), &mut query);
    let answer = match transport {
        Transport::Udp => over_udp(server, &query[..length])?,
        Transport::Tcp => over_tcp(server, &query[..length])?,
    };
    let message = Message::read(&answer).map_err(io::Error::other)?;
    if message.id != id {
        return Err(io::Error::other("an answer to another question"));
    }
    Ok(message)
}

fn over_udp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(server)?;
    socket.send(query)?;
    let mut answer = vec![0; 4096];
    let length = socket.recv(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

fn over_tcp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&[&(query.len() as u16).to_be_bytes()[..], query].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
