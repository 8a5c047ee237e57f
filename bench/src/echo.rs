//! `bench echo`: a UDP server that sends every query back as its own answer. What it costs is what
//! the kernel costs, so no DNS server on UDP sockets can cost less.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;

use listen::mmsg::{Batch, Wait};
use socket2::SockRef;

use crate::arguments::Arguments;

pub(crate) const USAGE: &str = "\
bench echo PORT [--batch N]

Answers every UDP datagram on 127.0.0.1:PORT with itself, the flag QR set. Takes and sends at most N
(32) with one system call.";

/// Datagrams longer than this are cut.
const SIZE_MAX: usize = 2048;

/// Room for queries that wait to be received, in octets.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Runs the command, which ends only by a failure: this.
pub(crate) fn run(arguments: Arguments) -> String {
    let (port, batch) = match read(arguments) {
        Ok(options) => options,
        Err(mistake) => return mistake,
    };
    match UdpSocket::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(socket) => serve(&socket, batch).to_string(),
        Err(error) => format!("127.0.0.1:{port}: {error}"),
    }
}

/// Reads port and batch.
fn read(mut arguments: Arguments) -> Result<(u16, usize), String> {
    let (mut port, mut batch) = (None, 32);
    while let Some(word) = arguments.next() {
        match word.as_str() {
            "--batch" => batch = arguments.value_within("--batch", (1, 1024))?,
            _ if port.is_none() && word.parse::<u16>().is_ok() => port = word.parse().ok(),
            _ => return Err(format!("`{word}` is no port and no option\n\n{USAGE}")),
        }
    }
    port.map(|port| (port, batch)).ok_or_else(|| USAGE.to_owned())
}

/// Answers until the socket fails.
pub(crate) fn serve(socket: &UdpSocket, count: usize) -> io::Error {
    if let Err(error) = SockRef::from(socket).set_recv_buffer_size(RECEIVE_BUFFER) {
        return error;
    }
    let mut batch = Batch::new(count, SIZE_MAX, SIZE_MAX);
    loop {
        let received = match batch.receive(socket.as_fd(), Wait::ForOne) {
            Ok(received) => received,
            Err(error) => return error,
        };
        for i in 0..received {
            let (query, answer) = batch.received_and_answer(i);
            let length = query.len();
            answer[..length].copy_from_slice(query);
            if let Some(flags) = answer[..length].get_mut(2) {
                *flags |= 0x80;
            }
            batch.push_answer(length);
        }
        // What the kernel refuses is lost, as datagrams may be; the generator counts it.
        let _ = batch.send(socket.as_fd());
    }
}
