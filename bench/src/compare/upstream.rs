//! The server that forwarders under test ask: it has an address for every name.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use listen::mmsg::{Batch, Wait};
use wire::{Encoder, Flags, RecordType, Reply, Request, Section};

/// An upstream that runs until the process ends.
pub(super) struct Upstream {
    address: SocketAddr,
    asked: Arc<AtomicU64>,
}

/// Long enough that nothing expires while it is measured.
const TTL: u32 = 86_400;

/// The most octets of a message in either direction.
const SIZE_MAX: usize = 1232;

impl Upstream {
    pub(super) fn start() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = socket.local_addr()?;
        let asked = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&asked);
        thread::Builder::new()
            .name("upstream".to_owned())
            .spawn(move || answer_all(&socket, &counter))?;
        Ok(Self { address, asked })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many queries it was asked so far.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

fn answer_all(socket: &UdpSocket, asked: &AtomicU64) {
    let mut batch = Batch::new(32, SIZE_MAX, SIZE_MAX);
    let (mut request, mut reply, mut encoder) = (Request::new(), Reply::default(), Encoder::new());
    loop {
        // An error tells of an earlier answer whose asker is gone; the next query can still come.
        let received = batch.receive(socket.as_fd(), Wait::ForOne).unwrap_or(0);
        asked.fetch_add(received as u64, Ordering::Relaxed);
        for i in 0..received {
            let (query, buffer) = batch.received_and_answer(i);
            let length = if request.read(query).is_ok() {
                answer(&request, &mut reply);
                encoder.reply(&request, &reply, SIZE_MAX, buffer)
            } else {
                0
            };
            batch.push_answer(length);
        }
        let _ = batch.send(socket.as_fd());
    }
}

fn answer(request: &Request, reply: &mut Reply) {
    reply.clear();
    reply.flags = request.flags.only(Flags::RD).with(Flags::RA);
    if request.rtype != RecordType::A {
        return;
    }
    // An address that depends on the name, so that a mix-up would be seen in a capture.
    let octets = request.asked.octets();
    let low = octets.iter().fold(0u16, |sum, octet| sum.rotate_left(3) ^ u16::from(*octet));
    let address = [10, 1, (low >> 8) as u8, low as u8];
    reply.body.push(Section::Answer, request.asked.as_name(), TTL, RecordType::A, &address);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blast::{self, Load};
    use crate::queries::{Queries, QueryOptions};

    #[test]
    fn every_name_has_an_address_and_every_query_is_counted() {
        let upstream = Upstream::start().unwrap();
        let options = QueryOptions { edns_size: Some(1232), recursion_desired: true };
        let queries = Queries::read("a.example A\nb.example A\nb.example AAAA", options).unwrap();
        let load = Load { server: upstream.address(), once: true, ..Load::default() };
        let kinds = blast::run(&load, &queries).unwrap().tally.kinds;
        assert_eq!((kinds.records, kinds.empty), (2, 1));
        assert_eq!(upstream.asked(), 3);
    }
}
