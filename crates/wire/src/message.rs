//! A message as another server sent it.

use crate::header::{HEADER_LEN, opcode_of};
use crate::rdata::{self, Part};
use crate::{
    Body, Class, Edns, Flags, NAME_MAX, Name, NameBuf, Opcode, Rcode, RecordType, Section,
};
use std::fmt;

/// A message that was read whole: a response of another server, or anything in a test.
#[derive(Clone, Debug)]
pub struct Message {
    /// The id of the exchange.
    pub id: u16,
    /// The flags.
    pub flags: Flags,
    /// The opcode.
    pub opcode: Opcode,
    /// The response code, with the OPT record's part of it.
    pub rcode: Rcode,
    /// The question as written, if there is exactly one.
    pub question: Option<(NameBuf, RecordType, Class)>,
    /// The records, decompressed, without the OPT record.
    pub body: Body,
    /// What the OPT record said.
    pub edns: Option<Edns>,
}

/// The octets are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The octet at which reading stopped.
    pub at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed message at octet {}", self.at)
    }
}

impl std::error::Error for Malformed {}

impl Message {
    /// Reads all of `octets`. What follows the last record is ignored.
    pub fn read(octets: &[u8]) -> Result<Self, Malformed> {
        let Some(header) = octets.first_chunk::<HEADER_LEN>() else {
            return Err(Malformed { at: octets.len() });
        };
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let mut message = Self {
            id: word(0),
            flags: Flags::from_word(word(2)),
            opcode: opcode_of(word(2)),
            rcode: Rcode(word(2) & 0xf),
            question: None,
            body: Body::new(),
            edns: None,
        };
        let mut reader = Reader { octets, at: HEADER_LEN };
        let whole = message.read_rest(&mut reader, word(4), [word(6), word(8), word(10)]);
        whole.map(|()| message).ok_or(Malformed { at: reader.at })
    }

    fn read_rest(
        &mut self,
        reader: &mut Reader<'_>,
        questions: u16,
        counts: [u16; 3],
    ) -> Option<()> {
        for _ in 0..questions {
            let name = reader.name()?;
            let question = (name, RecordType(reader.word()?), Class(reader.word()?));
            self.question = (questions == 1).then_some(question);
        }
        for (section, count) in Section::ALL.into_iter().zip(counts) {
            for _ in 0..count {
                self.read_record(reader, section)?;
            }
        }
        Some(())
    }

    fn read_record(&mut self, reader: &mut Reader<'_>, section: Section) -> Option<()> {
        let owner = reader.name()?;
        let (rtype, class) = (RecordType(reader.word()?), Class(reader.word()?));
        let ttl = u32::from(reader.word()?) << 16 | u32::from(reader.word()?);
        let length = reader.word()? as usize;
        if rtype == RecordType::OPT && section == Section::Additional {
            let data = reader.take(length)?;
            let mut edns =
                Edns { udp_size: class.0, dnssec_ok: ttl & 0x8000 != 0, ..Edns::default() };
            if !edns.options.read(data) {
                return None;
            }
            self.rcode.0 |= (ttl >> 24 << 4) as u16;
            self.edns = Some(edns);
            return Some(());
        }
        let end = reader.at + length;
        if end > reader.octets.len() {
            return None;
        }
        let mut inside = Reader { octets: &reader.octets[..end], at: reader.at };
        reader.at = end;
        let mut whole = None;
        // RFC 2181 §8: a TTL with its highest bit set is zero.
        let ttl = if ttl > i32::MAX as u32 { 0 } else { ttl };
        self.body.push_with(section, owner.as_name(), ttl, rtype, class, |out| {
            whole = inside.rdata(rtype, out);
        });
        whole
    }
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.octets.get(self.at..self.at + length)?;
        self.at += length;
        Some(taken)
    }

    fn word(&mut self) -> Option<u16> {
        self.take(2).map(|octets| u16::from_be_bytes([octets[0], octets[1]]))
    }

    /// Reads a name, following pointers.
    ///
    /// Each pointer must lead to before the place that it was read from (RFC 1035 §4.1.4: "a prior
    /// occurrence"), so that reading ends.
    fn name(&mut self) -> Option<NameBuf> {
        let mut octets = [0; NAME_MAX];
        let mut length = 0;
        let (mut at, mut end) = (self.at, None);
        let mut before = at;
        loop {
            let size = *self.octets.get(at)? as usize;
            match size {
                0..=63 => {
                    let label = self.octets.get(at..=at + size)?;
                    octets.get_mut(length..=length + size)?.copy_from_slice(label);
                    length += 1 + size;
                    at += 1 + size;
                    if size == 0 {
                        break;
                    }
                }
                192..=255 => {
                    let low = *self.octets.get(at + 1)? as usize;
                    end = end.or(Some(at + 2));
                    at = (size & 0x3f) << 8 | low;
                    if at >= before {
                        return None;
                    }
                    before = at;
                }
                _ => return None,
            }
        }
        self.at = end.unwrap_or(at);
        Some(Name::trusted(&octets[..length]).to_buf())
    }

    /// Reads the rest as data of `rtype` and appends it, decompressed.
    fn rdata(&mut self, rtype: RecordType, out: &mut Vec<u8>) -> Option<()> {
        let length = self.octets.len() - self.at;
        // Addresses have their length (RFC 1035 §3.4.1, RFC 3596 §2.2), and everybody relies on it;
        // other data are checked by who reads them.
        if rdata::address_length(rtype).is_some_and(|right| length != right) {
            return None;
        }
        for part in rdata::parts(rtype) {
            let length = match part {
                Part::Fixed(length) => *length,
                Part::String => 1 + *self.octets.get(self.at)? as usize,
                Part::Rest => self.octets.len() - self.at,
                Part::Name | Part::PlainName => {
                    out.extend_from_slice(self.name()?.octets());
                    continue;
                }
            };
            out.extend_from_slice(self.take(length)?);
        }
        (self.at == self.octets.len()).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Encoder, Reply, Request};
    use proptest::prelude::*;

    fn name(text: &str) -> NameBuf {
        text.parse().unwrap()
    }

    fn request(asked: &str) -> Request {
        let mut request = Request::new();
        (request.id, request.asked) = (7, name(asked));
        request
    }

    fn encode(request: &Request, body: &Body, limit: usize) -> Vec<u8> {
        let reply = Reply {
            flags: Flags::AA.with(Flags::RD),
            rcode: Rcode::NXDOMAIN,
            body: body.clone(),
            ..Reply::default()
        };
        let mut out = vec![0; 65_535];
        let length = Encoder::new().reply(request, &reply, limit, &mut out);
        out.truncate(length);
        out
    }

    fn soa(body: &mut Body) {
        let mut data = Vec::new();
        data.extend(name("ns.dns.cluster.local").octets());
        data.extend(name("hostmaster.cluster.local").octets());
        data.extend([0; 20]);
        let owner = name("cluster.local");
        body.push(Section::Authority, owner.as_name(), 5, RecordType::SOA, &data);
    }

    #[test]
    fn a_denial_is_compressed_and_read_back() {
        let mut body = Body::new();
        soa(&mut body);
        let edns = Edns { udp_size: 1232, dnssec_ok: true, ..Edns::default() };
        let mut request = request("www.Default.svc.Cluster.local");
        (request.has_edns, request.edns) = (true, edns.clone());
        let octets = encode(&request, &body, 512);
        // 12 + 31 + 4; a pointer, 10, "ns" "dns" and a pointer, "hostmaster" and a pointer, 20; OPT.
        assert_eq!(octets.len(), 47 + 2 + 10 + 9 + 13 + 20 + 11);
        let message = Message::read(&octets).unwrap();
        assert_eq!(
            message.question.unwrap().0.octets(),
            name("www.Default.svc.Cluster.local").octets()
        );
        assert_eq!((message.id, message.rcode), (7, Rcode::NXDOMAIN));
        assert!(message.flags.has(Flags::QR.with(Flags::AA).with(Flags::RD)));
        let record = message.body.authority[0];
        assert_eq!(message.body.owner(&record), name("cluster.local").as_name());
        // A pointer to the question brings its case.
        let sent = body.rdata(&body.authority[0]);
        assert!(message.body.rdata(&record).eq_ignore_ascii_case(sent));
        assert_eq!(message.edns, Some(edns));
    }

    #[test]
    fn what_does_not_fit_is_cut_from_the_end() {
        let mut body = Body::new();
        for octet in 0..100 {
            body.push(
                Section::Answer,
                name("web.a").as_name(),
                5,
                RecordType::A,
                &[10, 0, 0, octet],
            );
        }
        let mut request = request("web.a");
        request.has_edns = true;
        let message = Message::read(&encode(&request, &body, 512)).unwrap();
        assert!(message.flags.has(Flags::TC));
        assert_eq!(message.body.answer.len(), (512 - 12 - 11 - 11) / 16);
        assert!(message.edns.is_some());
    }

    #[test]
    fn courtesy_records_are_cut_in_silence() {
        let mut body = Body::new();
        body.push(Section::Answer, name("web.a").as_name(), 5, RecordType::A, &[10, 0, 0, 1]);
        for octet in 0..100 {
            body.push(
                Section::Additional,
                name("web.a").as_name(),
                5,
                RecordType::A,
                &[10, 0, 0, octet],
            );
        }
        let message = Message::read(&encode(&request("web.a"), &body, 512)).unwrap();
        assert!(!message.flags.has(Flags::TC));
        assert!(message.body.additional.len() > 20);
    }

    #[test]
    fn pointers_that_do_not_lead_back_are_refused() {
        let header = b"\x00\x01\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00";
        for name in [
            &b"\xc0\x0c\x00\x01\x00\x01"[..],
            b"\x01a\xc0\x0e\x00\x01\x00\x01",
            b"\xc0\x20\x00\x01\x00\x01",
        ] {
            assert!(Message::read(&[header, name].concat()).is_err());
        }
    }

    #[test]
    fn an_address_of_another_length_is_refused() {
        let message = |rtype: RecordType, length: usize| {
            let header = *b"\x00\x01\x80\x00\x00\x00\x00\x01\x00\x00\x00\x00";
            let [high, low] = rtype.0.to_be_bytes();
            let fixed = [high, low, 0, 1, 0, 0, 0, 5, 0, length as u8];
            Message::read(
                &[&header, &b"\x03www\x07example\x00"[..], &fixed, &[1; 17][..length]].concat(),
            )
        };
        for length in 0..=17 {
            assert_eq!(message(RecordType::A, length).is_ok(), length == 4, "A {length}");
            assert_eq!(message(RecordType::AAAA, length).is_ok(), length == 16, "AAAA {length}");
        }
    }

    fn any_name() -> impl Strategy<Value = NameBuf> {
        prop::collection::vec("[a-cA-C]{1,3}", 0..5).prop_map(|labels| {
            if labels.is_empty() { NameBuf::root() } else { labels.join(".").parse().unwrap() }
        })
    }

    fn any_record() -> impl Strategy<Value = (u8, NameBuf, RecordType, Vec<u8>)> {
        (0..3u8, any_name(), any_name(), 0..7usize).prop_map(|(section, owner, target, kind)| {
            let target = target.octets();
            let (rtype, rdata) = match kind {
                0 => (RecordType::A, vec![1, 2, 3, 4]),
                1 => (RecordType::CNAME, target.to_vec()),
                2 => (RecordType::MX, [&[0, 9], target].concat()),
                3 => (RecordType::SOA, [target, target, &[1; 20]].concat()),
                4 => (RecordType::SRV, [&[1; 6], target].concat()),
                5 => {
                    (RecordType::NAPTR, [&[0, 1, 0, 2, 1, b's', 0, 2, b'a', b'b'], target].concat())
                }
                _ => (RecordType::TXT, vec![3, b'a', b'b', b'c']),
            };
            (section, owner, rtype, rdata)
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            asked in any_name(),
            records in prop::collection::vec(any_record(), 0..60),
        ) {
            let mut body = Body::new();
            for (section, owner, rtype, rdata) in &records {
                body.push(Section::ALL[*section as usize], owner.as_name(), 60, *rtype, rdata);
            }
            let mut request = Request::new();
            request.asked = asked;
            let message = Message::read(&encode(&request, &body, 65_535)).unwrap();
            for section in Section::ALL {
                let (sent, got) = (body.section(section), message.body.section(section));
                prop_assert_eq!(sent.len(), got.len());
                for (sent, got) in sent.iter().zip(got) {
                    prop_assert_eq!(body.owner(sent), message.body.owner(got));
                    prop_assert_eq!((sent.rtype, sent.ttl), (got.rtype, got.ttl));
                    // A pointer may bring the case of an earlier name.
                    prop_assert!(body.rdata(sent).eq_ignore_ascii_case(message.body.rdata(got)));
                }
            }
        }

        #[test]
        fn any_octets_are_read_without_a_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::read(&octets);
        }
    }
}
