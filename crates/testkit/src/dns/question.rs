//! A question as one line, and the message that it becomes.

use super::record::unhex;
use crate::scenario::Mistake;
use std::net::IpAddr;
use wire::{Class, Edns, Flags, HEADER_LEN, NameBuf, Opcode, RecordType};

/// What is asked, how, and of whom.
///
/// `www.Example.org A +tcp +do +bufsize=4096 from=127.0.0.2`. Without any word behind the type it
/// is what a pod's libc sends: UDP, recursion desired, no EDNS.
#[derive(Clone, Debug)]
pub struct Question {
    /// The name, with its case.
    pub name: NameBuf,
    /// The type.
    pub rtype: RecordType,
    /// IN unless `class=` says otherwise.
    pub class: Class,
    /// QUERY unless `opcode=` says otherwise.
    pub opcode: Opcode,
    /// RD unless `+norec`; `+cd`, `+ad`.
    pub flags: Flags,
    /// The id of the exchange, where `id=` fixes it.
    pub id: Option<u16>,
    /// The OPT record, if there shall be one.
    pub edns: Option<Edns>,
    /// The UDP payload size of the OPT record, where `+bufsize=` says one.
    pub bufsize: Option<u16>,
    /// The EDNS version, `+ednsver=`.
    pub edns_version: u8,
    /// `+padding=N`: the message is filled up to this many octets (RFC 7830).
    pub padded_to: usize,
    /// UDP, or TCP with `+tcp`.
    pub transport: Transport,
    /// The address that asks, `from=`.
    pub from: Option<IpAddr>,
    /// The address that is asked, `server=`; 127.0.0.1 without.
    pub server: Option<IpAddr>,
    /// The port that is asked, `port=`; the scenario's without.
    pub port: Option<u16>,
    /// `raw=`: the whole message in place of all the above but the addresses.
    pub raw: Option<Vec<u8>>,
    /// `+leave`: the client does not wait for the reply.
    pub leave: bool,
    /// `+ordered`: the order of records matters even inside an RRset.
    pub ordered: bool,
    /// `+case`: the case of names in the reply matters.
    pub exact_case: bool,
    /// The line as written, for messages.
    pub text: String,
}

/// Over what a question travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A datagram from a new socket.
    Udp,
    /// A new connection.
    Tcp,
    /// `connection=NAME`: a connection that stays open for later questions with the same word.
    KeptTcp(String),
}

impl Question {
    /// Reads a question; the mistake has no position yet.
    pub fn read(line: &str) -> Result<Self, Mistake> {
        let mut words = line.split_whitespace();
        let mut question = Self::unasked(line);
        let first = words.next().unwrap_or_default();
        if let Some(octets) = first.strip_prefix("raw=") {
            question.raw = Some(unhex(octets).ok_or_else(|| wrong("raw", octets, "hexadecimal"))?);
        } else {
            question.name = first
                .parse()
                .map_err(|bad| Mistake::new(format!("`{first}` is no domain name: {bad}")))?;
            let rtype = words.next().unwrap_or("nothing");
            question.rtype = rtype.parse().map_err(|_| {
                Mistake::new(format!("a question is `NAME TYPE …`, and `{rtype}` is no type"))
            })?;
        }
        for word in words {
            question.set(word)?;
        }
        Ok(question)
    }

    fn unasked(line: &str) -> Self {
        Self {
            name: NameBuf::root(),
            rtype: RecordType::A,
            class: Class::IN,
            opcode: Opcode::QUERY,
            flags: Flags::RD,
            id: None,
            edns: None,
            bufsize: None,
            edns_version: 0,
            padded_to: 0,
            transport: Transport::Udp,
            from: None,
            server: None,
            port: None,
            raw: None,
            leave: false,
            ordered: false,
            exact_case: false,
            text: line.split_whitespace().collect::<Vec<_>>().join(" "),
        }
    }

    /// Obeys one word behind name and type.
    fn set(&mut self, word: &str) -> Result<(), Mistake> {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match (key, value) {
            ("+tcp", "") => self.transport = Transport::Tcp,
            ("+norec", "") => self.flags.set(Flags::RD, false),
            ("+cd", "") => self.flags.set(Flags::CD, true),
            ("+ad", "") => self.flags.set(Flags::AD, true),
            ("+edns", "") => {
                self.edns();
            }
            ("+do", "") => self.edns().dnssec_ok = true,
            ("+leave", "") => self.leave = true,
            ("+ordered", "") => self.ordered = true,
            ("+case", "") => self.exact_case = true,
            ("+bufsize", _) => {
                let size = parsed(word, "a number of octets")?;
                self.edns().udp_size = size;
                self.bufsize = Some(size);
            }
            ("+ednsver", _) => {
                self.edns();
                self.edns_version = parsed(word, "a number below 256")?;
            }
            ("+padding", _) => {
                self.edns();
                self.padded_to = parsed(word, "a number of octets")?;
            }
            ("option", _) => self.push_option(value)?,
            ("class", _) => self.class = parsed(word, "a class such as CH")?,
            ("opcode", _) => self.opcode = Opcode(parsed::<u8>(word, "a number below 16")? & 0xf),
            ("id", _) => self.id = Some(parsed(word, "a number of 16 bits")?),
            ("from", _) => self.from = Some(parsed(word, "an address")?),
            ("server", _) => self.server = Some(parsed(word, "an address")?),
            ("port", _) => self.port = Some(parsed(word, "a port")?),
            ("connection", name) if !name.is_empty() => {
                self.transport = Transport::KeptTcp(name.to_owned());
            }
            _ => return Err(Mistake::new(format!("`{word}` is nothing that a question can say"))),
        }
        Ok(())
    }

    /// The OPT record, made if there is none: with the size that most resolvers send.
    fn edns(&mut self) -> &mut Edns {
        self.edns.get_or_insert_with(|| Edns { udp_size: 1232, ..Edns::default() })
    }

    fn push_option(&mut self, value: &str) -> Result<(), Mistake> {
        let wrong = || wrong("option", value, "`option=CODE:HEX`");
        let (code, data) = value.split_once(':').ok_or_else(wrong)?;
        let code = code.parse().map_err(|_| wrong())?;
        self.edns().options.push(code, &unhex(data).ok_or_else(wrong)?);
        Ok(())
    }

    /// The message, with `id` where the question fixes none.
    pub fn message(&self, id: u16) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let flags = self.flags.word() | u16::from(self.opcode.0) << 11;
        let opt = u16::from(self.edns.is_some());
        let header = [self.id.unwrap_or(id), flags, 1, 0, 0, opt];
        let mut message: Vec<u8> = header.iter().flat_map(|word| word.to_be_bytes()).collect();
        message.extend_from_slice(self.name.octets());
        message.extend_from_slice(&self.rtype.0.to_be_bytes());
        message.extend_from_slice(&self.class.0.to_be_bytes());
        if let Some(edns) = &self.edns {
            self.push_opt(edns, &mut message);
        }
        message
    }

    fn push_opt(&self, edns: &Edns, message: &mut Vec<u8>) {
        const FIXED: usize = 11;
        const PADDING: u16 = 12;
        let mut options = edns.options.octets().to_vec();
        let filled = message.len() + FIXED + options.len();
        if self.padded_to >= filled + 4 {
            let length = self.padded_to - filled - 4;
            options.extend_from_slice(&PADDING.to_be_bytes());
            options.extend_from_slice(&(length as u16).to_be_bytes());
            options.resize(options.len() + length, 0);
        }
        let [size0, size1] = edns.udp_size.to_be_bytes();
        let [length0, length1] = (options.len() as u16).to_be_bytes();
        let dnssec_ok = u8::from(edns.dnssec_ok) << 7;
        let version = self.edns_version;
        let fixed = [0, 0, 41, size0, size1, 0, version, dnssec_ok, 0, length0, length1];
        message.extend_from_slice(&fixed);
        message.extend_from_slice(&options);
    }
}

/// The octets of a message's only question, which a reply must echo as they are; none if the
/// message has another number of questions, or none that can be read.
pub(super) fn question_octets(message: &[u8]) -> Option<&[u8]> {
    let rest = message.get(HEADER_LEN..)?;
    if message[4..6] != [0, 1] {
        return None;
    }
    let length = wire::Name::prefix_of(rest).ok()?.len() + 4;
    rest.get(..length)
}

/// The value of `key=value`.
fn parsed<T: std::str::FromStr>(word: &str, what: &str) -> Result<T, Mistake> {
    let (key, value) = word.split_once('=').unwrap_or((word, ""));
    value.parse().map_err(|_| wrong(key, value, what))
}

fn wrong(key: &str, value: &str, what: &str) -> Mistake {
    Mistake::new(format!("the value of `{key}`, `{value}`, is not {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::Request;

    fn request(line: &str) -> Request {
        let mut request = Request::new();
        request.read(&Question::read(line).unwrap().message(7)).unwrap();
        request
    }

    #[test]
    fn a_plain_question_has_no_edns() {
        let request = request("wWw.example.org AAAA");
        assert_eq!((request.id, request.flags, request.has_edns), (7, Flags::RD, false));
        assert_eq!(request.asked.octets(), b"\x03wWw\x07example\x03org\x00");
        assert_eq!((request.rtype, request.class), (RecordType::AAAA, Class::IN));
    }

    #[test]
    fn every_word_arrives() {
        let request = request(
            "x.test TYPE65280 +norec +cd +ad +do +bufsize=4096 option=10:0102 \
             class=CH id=9 opcode=4",
        );
        assert_eq!((request.id, request.opcode), (9, Opcode::NOTIFY));
        assert_eq!(request.flags, Flags::CD.with(Flags::AD));
        assert_eq!((request.rtype, request.class), (RecordType(65_280), Class::CH));
        assert!(request.edns.dnssec_ok && request.edns.udp_size == 4096);
        assert_eq!(request.edns.options.find(10), Some(&[1, 2][..]));
    }

    #[test]
    fn padding_fills_the_message() {
        let question = Question::read("x.test A +padding=600").unwrap();
        assert_eq!(question.message(1).len(), 600);
        assert_eq!(question_octets(&question.message(1)).unwrap().len(), 8 + 4);
    }

    #[test]
    fn where_it_goes() {
        let line = "x.test A +tcp from=127.0.0.2 server=::1 port=5300";
        let question = Question::read(line).unwrap();
        assert_eq!(question.from, Some("127.0.0.2".parse().unwrap()));
        assert_eq!(question.server, Some("::1".parse().unwrap()));
        assert_eq!((question.port, question.transport), (Some(5300), Transport::Tcp));
        let question = Question::read("raw=0001 +ordered").unwrap();
        assert_eq!(question.message(3), [0, 1]);
        assert!(question.ordered && question_octets(&[0, 1]).is_none());
    }

    #[test]
    fn what_is_no_question() {
        for (line, part) in [
            ("", "no domain name"),
            ("x.test", "`NAME TYPE …`"),
            ("x.test AAAAA", "no type"),
            ("x.test A +tcpp", "nothing that a question"),
            ("x.test A +bufsize=big", "the value of `+bufsize`"),
            ("x.test A option=10", "CODE:HEX"),
            ("raw=xx", "hexadecimal"),
        ] {
            let mistake = Question::read(line).unwrap_err();
            assert!(mistake.message.contains(part), "{line}: {}", mistake.message);
        }
    }
}
