//! Messages: what is read is written and read again, and comes out the same.
#![cfg_attr(fuzzing, no_main)]

use wire::{Encoder, Flags, Message, Reply, Request, Section};

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|octets: &[u8]| check(octets));

pub(crate) fn check(octets: &[u8]) {
    let mut request = Request::new();
    let read = request.read(octets);
    let Ok(message) = Message::read(octets) else { return };
    let reply = Reply {
        flags: message.flags,
        rcode: message.rcode,
        body: message.body.clone(),
        ..Reply::default()
    };
    if read.is_err() {
        request = Request::new();
    }
    let mut out = vec![0; wire::MESSAGE_MAX];
    let length = Encoder::new().reply(&request, &reply, wire::MESSAGE_MAX, &mut out);
    let again = Message::read(&out[..length]).expect("what we write can be read");
    if message.body.overflowed() || again.flags.has(Flags::TC) {
        return;
    }
    for section in Section::ALL {
        let (first, second) = (message.body.section(section), again.body.section(section));
        assert_eq!(first.len(), second.len());
        for (first, second) in first.iter().zip(second) {
            assert_eq!(message.body.owner(first), again.body.owner(second));
            let data = (message.body.rdata(first), again.body.rdata(second));
            assert!(data.0.eq_ignore_ascii_case(data.1));
        }
    }
}
