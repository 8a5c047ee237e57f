//! Reads one query and writes one reply again and again, to count instructions:
//!
//! `valgrind --tool=callgrind target/release/examples/encode denial|address COUNT`
#![expect(clippy::unwrap_used, reason = "a measurement that fails may panic")]

use std::hint::black_box;
use wire::{Encoder, Flags, NameBuf, Rcode, RecordType, Reply, Request, Section};

const QUERY: &[u8] = b"\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\
    \x03www\x07example\x03com\x07default\x03svc\x07cluster\x05local\x00\x00\x01\x00\x01\
    \x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";

fn name(text: &str) -> NameBuf {
    text.parse().unwrap()
}

fn main() {
    let mut words = std::env::args().skip(1);
    let denial = words.next().unwrap() == "denial";
    let count: usize = words.next().unwrap().parse().unwrap();
    let (mut request, mut reply, mut encoder) = (Request::new(), Reply::default(), Encoder::new());
    let mut out = vec![0; 4096];
    let asked = name("www.example.com.default.svc.cluster.local");
    let zone = name("cluster.local");
    let mut soa = name("ns.dns.cluster.local").octets().to_vec();
    soa.extend_from_slice(name("hostmaster.cluster.local").octets());
    soa.extend([0; 20]);
    for _ in 0..count {
        request.read(black_box(QUERY)).unwrap();
        reply.clear();
        reply.flags = Flags::AA;
        if denial {
            reply.rcode = Rcode::NXDOMAIN;
            reply.body.push(Section::Authority, zone.as_name(), 5, RecordType::SOA, &soa);
        } else {
            let address = [10, 0, 0, 1];
            reply.body.push(Section::Answer, asked.as_name(), 5, RecordType::A, &address);
        }
        black_box(encoder.reply(&request, &reply, 1232, &mut out));
    }
}
