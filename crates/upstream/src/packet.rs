//! A query in wire form, and whether a message answers it.

use crate::{Query, Transport};
use wire::{Encoder, Flags, HEADER_LEN, Malformed, Message, Opcode};

/// Octets of the length in front of a message on a stream (RFC 1035 §4.2.2).
const FRAME_LEN: usize = 2;
/// Room for header, question and the largest OPT record that `wire` keeps.
const QUERY_MAX: usize = 4608;

/// An encoded query. The id is open: each connection that carries it puts in one of its own.
#[derive(Debug)]
pub(crate) struct Packet {
    /// Length, message.
    framed: Box<[u8]>,
    name_len: usize,
}

impl Packet {
    pub(crate) fn new(query: &Query<'_>) -> Self {
        let mut buffer = [0; FRAME_LEN + QUERY_MAX];
        let mut sent = Flags::RD.with(Flags::AD).with(Flags::CD);
        if query.opcode == Opcode::NOTIFY {
            sent = sent.with(Flags::AA); // who notifies is an authority
        }
        let flags = query.flags.only(sent);
        let question = (query.name, query.rtype, query.class);
        let message = &mut buffer[FRAME_LEN..];
        let length = Encoder::new().query(0, flags, question, query.edns, message);
        message[2] |= query.opcode.0 << 3;
        buffer[..FRAME_LEN].copy_from_slice(&(length as u16).to_be_bytes());
        Self { framed: buffer[..FRAME_LEN + length].into(), name_len: query.name.len() }
    }

    /// The message with `id`, its length in front.
    pub(crate) fn framed(&self, id: u16) -> Vec<u8> {
        let mut framed = self.framed.to_vec();
        framed[FRAME_LEN..FRAME_LEN + 2].copy_from_slice(&id.to_be_bytes());
        framed
    }

    /// The message with `id`.
    pub(crate) fn datagram(&self, id: u16) -> Vec<u8> {
        let mut message = self.message().to_vec();
        message[..2].copy_from_slice(&id.to_be_bytes());
        message
    }

    /// The same for two queries that ask the same in the same way, whatever the case of the name.
    pub(crate) fn key(&self, over: Transport) -> Vec<u8> {
        let mut key = self.message().to_vec();
        key[HEADER_LEN..HEADER_LEN + self.name_len].make_ascii_lowercase();
        key.push(over as u8);
        key
    }

    /// Whether `message` is a response to this question, whatever its id.
    ///
    /// RFC 5452 §9.1: a response is not accepted unless its question section is that of the
    /// query. Servers that could not read a query may answer it with a bare header; that is taken
    /// for an error, because it can bring no data into a cache.
    pub(crate) fn is_answered_by(&self, message: &[u8]) -> bool {
        let Some((header, body)) = message.split_first_chunk::<HEADER_LEN>() else { return false };
        if header[2] & 0x80 == 0 {
            return false;
        }
        match u16::from_be_bytes([header[4], header[5]]) {
            1 => self.has_question(body),
            0 => header[3] & 0xf != 0 && header[6..10] == [0; 4],
            _ => false,
        }
    }

    /// Whether `body` begins with the question that was sent.
    fn has_question(&self, body: &[u8]) -> bool {
        let (name, fixed) = self.question().split_at(self.name_len);
        let Some((their_name, rest)) = body.split_at_checked(name.len()) else { return false };
        // Length octets are below 64 and so never letters; types and classes may look like some.
        their_name.eq_ignore_ascii_case(name) && rest.starts_with(fixed)
    }

    fn question(&self) -> &[u8] {
        &self.message()[HEADER_LEN..HEADER_LEN + self.name_len + 4]
    }

    fn message(&self) -> &[u8] {
        &self.framed[FRAME_LEN..]
    }

    /// Reads a message that answers this query, even if it is larger than the query allowed: there
    /// is room for it, where CoreDNS makes an empty truncated answer out of it.
    ///
    /// Some servers cut a datagram in the middle of a record when they set TC. CoreDNS makes an
    /// empty truncated answer out of these too, so that the client comes again over TCP; so do we.
    pub(crate) fn read(&self, message: &[u8]) -> Result<Message, Malformed> {
        let read = Message::read(message);
        let end = HEADER_LEN + self.name_len + 4;
        if read.is_ok() || message.len() < end || !flags_of(message).has(Flags::TC) {
            return read;
        }
        let mut cut = message[..end].to_vec();
        cut[6..HEADER_LEN].fill(0);
        Message::read(&cut)
    }
}

/// The flags of a message of at least a header.
fn flags_of(message: &[u8]) -> Flags {
    Flags::from_word(u16::from_be_bytes([message[2], message[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wire::{Class, Edns, NameBuf, RecordType};

    fn name(text: &str) -> NameBuf {
        text.parse().unwrap()
    }

    fn packet(text: &str, rtype: RecordType) -> Packet {
        let name = name(text);
        let (flags, over) = (Flags::RD, Transport::Udp);
        let (name, class, opcode) = (name.as_name(), Class::IN, Opcode::QUERY);
        Packet::new(&Query { name, rtype, class, opcode, flags, edns: None, over })
    }

    fn answer_to(packet: &Packet, id: u16) -> Vec<u8> {
        let mut message = packet.datagram(id);
        message[2] |= 0x80;
        message
    }

    #[test]
    fn the_question_decides_and_not_its_case() {
        let asked = packet("Www.Example", RecordType::HTTPS);
        assert!(asked.is_answered_by(&answer_to(&packet("wWW.exAMple", RecordType::HTTPS), 1)));
        assert!(!asked.is_answered_by(&answer_to(&packet("www.examplf", RecordType::HTTPS), 1)));
        assert!(!asked.is_answered_by(&answer_to(&packet("www.example", RecordType::A), 1)));
        // HTTPS is 65, an `A`; 97 is an `a`.
        assert!(!asked.is_answered_by(&answer_to(&packet("www.example", RecordType(97)), 1)));
        assert!(!asked.is_answered_by(&asked.datagram(1)), "a query is no answer");
    }

    #[test]
    fn a_bare_header_is_an_error_or_nothing() {
        let asked = packet("a.b", RecordType::A);
        let bare = |rcode: u8, answers: u8| {
            asked.is_answered_by(&[0, 1, 0x80, rcode, 0, 0, 0, answers, 0, 0, 0, 0])
        };
        assert!(bare(1, 0) && bare(5, 0));
        assert!(!bare(0, 0) && !bare(1, 1));
    }

    #[test]
    fn flags_options_and_transport_tell_queries_apart() {
        let name = name("a.b");
        let edns = Edns { udp_size: 1232, ..Edns::default() };
        let query = Query {
            name: name.as_name(),
            rtype: RecordType::A,
            class: Class::IN,
            opcode: Opcode::QUERY,
            flags: Flags::RD.with(Flags::AA),
            edns: Some(&edns),
            over: Transport::Udp,
        };
        let key = Packet::new(&query).key(Transport::Udp);
        let upper: NameBuf = "A.B".parse().unwrap();
        let same = Query { name: upper.as_name(), flags: Flags::RD, ..query };
        assert_eq!(Packet::new(&same).key(Transport::Udp), key);
        assert_ne!(Packet::new(&query).key(Transport::Tcp), key);
        assert_ne!(Packet::new(&Query { edns: None, ..query }).key(Transport::Udp), key);
        assert_ne!(
            Packet::new(&Query { opcode: Opcode::NOTIFY, ..query }).key(Transport::Udp),
            key
        );
        assert_ne!(Packet::new(&Query { flags: Flags::CD, ..query }).key(Transport::Udp), key);
    }

    #[test]
    fn a_truncated_answer_may_end_anywhere() {
        let asked = packet("a.b", RecordType::A);
        let mut message = answer_to(&asked, 1);
        message[7] = 1;
        message.extend([0xc0, 12, 0]);
        assert!(asked.read(&message).is_err());
        message[2] |= 0x02;
        let read = asked.read(&message).unwrap();
        assert!(read.flags.has(Flags::TC) && read.body.is_empty() && read.question.is_some());
    }

    proptest! {
        #[test]
        fn any_octets_are_judged_without_a_panic(
            octets in prop::collection::vec(any::<u8>(), 0..80),
            truncated in any::<bool>(),
        ) {
            let asked = packet("a.b", RecordType::A);
            let mut answer = answer_to(&asked, 1);
            answer[2] |= if truncated { 2 } else { 0 };
            answer[7] = 3;
            answer.extend(&octets);
            for message in [&octets, &answer] {
                if asked.is_answered_by(message) {
                    let _ = asked.read(message);
                }
            }
        }
    }
}
