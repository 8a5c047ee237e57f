//! A query as it came in.

use crate::header::{HEADER_LEN, opcode_of};
use crate::{Class, Edns, Flags, Name, NameBuf, Opcode, Question, Rcode, RecordType};

/// A query: everything that outlives the packet it came in.
///
/// Made once and read into again and again, so that reading costs no allocation.
#[derive(Clone, Debug)]
pub struct Request {
    /// The id that the answer must carry.
    pub id: u16,
    /// The flags as sent.
    pub flags: Flags,
    /// QUERY or NOTIFY; others are rejected while reading.
    pub opcode: Opcode,
    /// The name as the client wrote it: the answer echoes it octet for octet, so that clients can
    /// put randomness into its case.
    pub asked: NameBuf,
    /// The type asked for.
    pub rtype: RecordType,
    /// The class asked for.
    pub class: Class,
    /// What the OPT record says; meaningful if [`Request::has_edns`].
    pub edns: Edns,
    /// Whether there is an OPT record.
    pub has_edns: bool,
    /// The serial of the SOA record in the authority section: the zone that the client of an IXFR has
    /// (RFC 1995 §3). Other types do not read it.
    pub serial: Option<u32>,
    /// Octets of the message, for the metrics.
    pub size: u16,
}

/// Why a message gets no ordinary answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// No answer at all: a response (two servers could answer each other for ever), or no header.
    Silence,
    /// An answer with this code and an empty body; [`Request::id`], `flags` and `opcode` are set.
    Code(Rcode),
    /// The same, but the question could be read and is echoed.
    CodeWithQuestion(Rcode),
}

impl Request {
    /// An empty request to read into.
    pub fn new() -> Self {
        Self {
            id: 0,
            flags: Flags::none(),
            opcode: Opcode::QUERY,
            asked: NameBuf::root(),
            rtype: RecordType::A,
            class: Class::IN,
            edns: Edns::default(),
            has_edns: false,
            serial: None,
            size: 0,
        }
    }

    /// Becomes a question that nobody sent: the server's own.
    pub fn ask(&mut self, question: &Question) {
        self.id = 0;
        self.flags = Flags::RD;
        self.opcode = Opcode::QUERY;
        self.asked.set(question.name());
        self.rtype = question.rtype;
        self.class = question.class;
        self.edns.clear();
        self.has_edns = false;
        self.serial = None;
        self.size = (HEADER_LEN + question.name().len() + 4) as u16;
    }

    /// Becomes `other`, in its own memory.
    pub fn copy_from(&mut self, other: &Self) {
        self.id = other.id;
        self.flags = other.flags;
        self.opcode = other.opcode;
        self.asked.set(other.asked.as_name());
        self.rtype = other.rtype;
        self.class = other.class;
        self.edns.copy_from(&other.edns);
        self.has_edns = other.has_edns;
        self.serial = other.serial;
        self.size = other.size;
    }

    /// Whether the client wants DNSSEC records.
    pub fn dnssec_ok(&self) -> bool {
        self.has_edns && self.edns.dnssec_ok
    }

    /// Reads `message`, checking all of it.
    ///
    /// Counts that promise more records than are there, and octets behind the last record, are
    /// tolerated within the limits of one question, one answer, one authority and two additional
    /// records, as CoreDNS does.
    #[inline]
    pub fn read(&mut self, message: &[u8]) -> Result<(), Reject> {
        let Some((header, body)) = message.split_first_chunk::<HEADER_LEN>() else {
            return Err(Reject::Silence);
        };
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let flags = Flags::from_word(word(2));
        if flags.has(Flags::QR) {
            return Err(Reject::Silence);
        }
        self.id = word(0);
        self.flags = flags;
        self.opcode = opcode_of(word(2));
        self.has_edns = false;
        self.serial = None;
        self.size = message.len().min(u16::MAX as usize) as u16;
        if self.opcode != Opcode::QUERY && self.opcode != Opcode::NOTIFY {
            return Err(Reject::Code(Rcode::NOTIMP));
        }
        let (answers, authorities, additionals) = (word(6), word(8), word(10));
        if word(4) != 1 || answers > 1 || authorities > 1 || additionals > 2 {
            return Err(Reject::Code(Rcode::FORMERR));
        }
        let rest = self.read_question(body).ok_or(Reject::Code(Rcode::FORMERR))?;
        let at = message.len() - rest.len();
        self.read_records(message, at, [answers, authorities, additionals])
    }

    fn read_question<'a>(&mut self, body: &'a [u8]) -> Option<&'a [u8]> {
        let name = Name::prefix_of(body).ok()?;
        let (fixed, rest) = body[name.len()..].split_first_chunk::<4>()?;
        self.asked.set(name);
        self.rtype = RecordType(u16::from_be_bytes([fixed[0], fixed[1]]));
        self.class = Class(u16::from_be_bytes([fixed[2], fixed[3]]));
        Some(rest)
    }

    /// Walks over the records behind the question to find the OPT record, and the SOA record of an
    /// IXFR.
    fn read_records(
        &mut self,
        message: &[u8],
        mut at: usize,
        [answers, authorities, additionals]: [u16; 3],
    ) -> Result<(), Reject> {
        const MALFORMED: Reject = Reject::CodeWithQuestion(Rcode::FORMERR);
        let before = answers + authorities;
        for index in 0..before + additionals {
            if at == message.len() {
                break; // counted, but not there
            }
            let owner_is_root = message[at] == 0;
            at = skip_name(message, at).ok_or(MALFORMED)?;
            let fixed = message.get(at..at + 10).ok_or(MALFORMED)?;
            let word = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
            at += 10;
            let data = message.get(at..at + word(8) as usize).ok_or(MALFORMED)?;
            if self.rtype == RecordType::IXFR && index >= answers && index < before {
                let is_soa = RecordType(word(0)) == RecordType::SOA;
                self.serial = is_soa.then(|| serial_at(message, at, data.len())).flatten();
            }
            at += data.len();
            if RecordType(word(0)) != RecordType::OPT || index < before {
                continue;
            }
            // RFC 6891 §6.1.1: the root as owner, and a second OPT is a format error.
            if !owner_is_root || self.has_edns {
                return Err(MALFORMED);
            }
            self.has_edns = true;
            self.edns.udp_size = word(2);
            self.edns.dnssec_ok = fixed[6] & 0x80 != 0;
            // RFC 6891 §6.1.3: a version that we do not know.
            if fixed[5] != 0 {
                self.edns.options.clear();
                return Err(Reject::CodeWithQuestion(Rcode::BADVERS));
            }
            if !self.edns.options.read(data) {
                self.has_edns = false;
                return Err(MALFORMED);
            }
        }
        Ok(())
    }
}

impl Default for Request {
    fn default() -> Self {
        Self::new()
    }
}

/// The serial of the SOA data at `at`: two names, compressed or not, then five numbers.
fn serial_at(message: &[u8], at: usize, length: usize) -> Option<u32> {
    let numbers = skip_name(message, skip_name(message, at)?)?;
    let serial = message.get(numbers..)?.first_chunk()?;
    (numbers + 20 == at + length).then(|| u32::from_be_bytes(*serial))
}

/// Where the name at `at` ends, compressed or not, without following it.
fn skip_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + length as usize,
            192..=255 => return (at + 2 <= message.len()).then_some(at + 2),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUERY: &[u8] = b"\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x03wWw\x07example\x03org\x00\x00\x1c\x00\x01";
    const OPT: &[u8] = b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x04\x00\x0a\x00\x00";

    fn read(message: &[u8]) -> Result<Request, Reject> {
        let mut request = Request::new();
        request.read(message).map(|()| request)
    }

    #[test]
    fn a_query_with_edns() {
        let request = read(&[QUERY, OPT].concat()).unwrap();
        assert_eq!(request.id, 0xabcd);
        assert!(request.flags.has(Flags::RD) && request.dnssec_ok());
        assert_eq!(request.asked.octets(), b"\x03wWw\x07example\x03org\x00");
        assert_eq!(request.rtype, RecordType::AAAA);
        assert_eq!(request.edns.udp_size, 1232);
        assert_eq!(request.edns.options.find(10), Some(&[][..]));
    }

    #[test]
    fn what_is_not_answered_normally() {
        let patched = |at: usize, octet: u8| {
            let mut message = [QUERY, OPT].concat();
            message[at] = octet;
            read(&message).unwrap_err()
        };
        assert_eq!(patched(2, 0x81), Reject::Silence);
        assert_eq!(read(&QUERY[..11]).unwrap_err(), Reject::Silence);
        assert_eq!(patched(2, 5 << 3), Reject::Code(Rcode::NOTIMP));
        assert_eq!(patched(5, 2), Reject::Code(Rcode::FORMERR));
        assert_eq!(patched(12, 0xc0), Reject::Code(Rcode::FORMERR));
        assert_eq!(patched(QUERY.len() + 6, 1), Reject::CodeWithQuestion(Rcode::BADVERS));
        assert_eq!(patched(QUERY.len() + 14, 9), Reject::CodeWithQuestion(Rcode::FORMERR));
        let two = [QUERY, OPT, OPT].concat();
        let mut two = two;
        two[11] = 2;
        assert_eq!(read(&two).unwrap_err(), Reject::CodeWithQuestion(Rcode::FORMERR));
    }

    #[test]
    fn promised_records_may_be_missing() {
        assert!(!read(QUERY).unwrap().has_edns);
    }

    /// A query for IXFR with an authority section of one record: its type and data.
    fn ixfr(rtype: u8, data: &[u8]) -> Vec<u8> {
        let mut message = QUERY.to_vec();
        let at = message.len() - 3;
        message[at] = 251;
        message[9] = 1; // one record in the authority section
        message.extend_from_slice(&[0xc0, 12, 0, rtype, 0, 1, 0, 0, 0, 0, 0, data.len() as u8]);
        message.extend_from_slice(data);
        message[11] = 1;
        message.extend_from_slice(OPT);
        message
    }

    #[test]
    fn the_serial_of_an_incremental_transfer() {
        let numbers = [&[1, 2, 3, 4][..], &[0; 16]].concat();
        let soa = [&b"\x02ns\xc0\x0c\x00"[..], &numbers].concat();
        let serial = |message: &[u8]| read(message).unwrap().serial;
        assert_eq!(serial(&ixfr(6, &soa)), Some(0x0102_0304));
        assert!(read(&ixfr(6, &soa)).unwrap().has_edns);
        assert_eq!(serial(&ixfr(6, &[&b"\x00\x00"[..], &numbers].concat())), Some(0x0102_0304));
        for (what, message) in [
            ("another type", ixfr(1, &soa)),
            ("an octet too few", ixfr(6, &soa[..soa.len() - 1])),
            ("an octet too many", ixfr(6, &[&soa[..], &[0]].concat())),
            ("names that fill the data", ixfr(6, &[1; 22])),
            ("no data", ixfr(6, b"")),
        ] {
            assert_eq!(serial(&message), None, "{what}");
        }
        let mut other = ixfr(6, &soa);
        other[QUERY.len() - 3] = 252;
        assert_eq!(serial(&other), None, "an AXFR has none");
        let mut request = read(&ixfr(6, &soa)).unwrap();
        request.read(QUERY).unwrap();
        assert_eq!(request.serial, None);
    }

    proptest! {
        #[test]
        fn any_data_of_an_soa_are_read_without_a_panic(data in prop::collection::vec(any::<u8>(), 0..60), cut in 0..80usize) {
            let message = ixfr(6, &data);
            let _ = read(&message);
            let _ = read(&message[..message.len() - cut.min(message.len())]);
        }

        #[test]
        fn any_octets_are_read_without_a_panic(message in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = read(&message);
            let _ = read(&[&QUERY[..12], &message].concat());
        }
    }
}
