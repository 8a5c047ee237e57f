//! A reply as text: what a scenario expects, and what a fake upstream sends.

use super::record::{RecordLine, unhex};
use crate::scenario::Mistake;
use wire::{Flags, Options, Rcode, Section};

/// What shall come back.
#[derive(Clone, Debug)]
pub enum Expected {
    /// `;; no reply`: silence.
    Silence,
    /// A message.
    Message(Box<ExpectedMessage>),
}

/// A message that shall come back, or be sent.
#[derive(Clone, Debug, Default)]
pub struct ExpectedMessage {
    /// The response code.
    pub rcode: Rcode,
    /// The flags, exactly these, besides QR.
    pub flags: Flags,
    /// `no-question`: the question is not echoed.
    pub no_question: bool,
    /// Answer, authority, additional.
    pub sections: [Vec<RecordLine>; 3],
    /// For each section: whether a line of `…` allows other records besides.
    pub open: [bool; 3],
    /// What is said about the OPT record.
    pub opt: ExpectedOpt,
    /// All of it as written, for messages.
    pub text: String,
}

/// What is said about the OPT record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ExpectedOpt {
    /// Nothing: it must be there if, and only if, the question had one (RFC 6891 §7).
    #[default]
    Fitting,
    /// `;; no OPT`
    Absent,
    /// `;; OPT size=1232 do option=CODE:HEX …`
    Present {
        /// The UDP payload size, if it matters.
        size: Option<u16>,
        /// The DO bit.
        dnssec_ok: bool,
        /// The options, in this order.
        options: Vec<ExpectedOption>,
        /// `…`: whether other options may follow.
        open: bool,
    },
}

/// An EDNS option of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedOption {
    /// Its code.
    pub code: u16,
    /// What its data begin with, or are.
    pub data: Vec<u8>,
    /// Whether more may follow (`…` behind the octets).
    pub open: bool,
}

impl Expected {
    /// Reads the lines of a reply; a mistake says which line, counted from `first`.
    pub fn read<'a>(lines: impl Iterator<Item = (usize, &'a str)>) -> Result<Self, Mistake> {
        let mut lines = lines.filter(|(_, line)| !line.trim().is_empty());
        let Some((at, head)) = lines.next() else {
            return Err(Mistake::new(
                "say what shall come back: `;; NOERROR aa rd` and records, or `;; no reply`",
            ));
        };
        if head.trim() == NO_REPLY {
            return match lines.next() {
                None => Ok(Self::Silence),
                Some((at, _)) => Err(Mistake::new("nothing can follow `;; no reply`").at(at)),
            };
        }
        let mut message = ExpectedMessage::head(head).map_err(|mistake| mistake.at(at))?;
        let mut section = Section::Answer;
        for (at, line) in lines {
            message.read_line(line, &mut section).map_err(|mistake| mistake.at(at))?;
            message.text.push('\n');
            message.text.push_str(line);
        }
        Ok(Self::Message(Box::new(message)))
    }

    /// The reply as written.
    pub fn text(&self) -> &str {
        match self {
            Self::Silence => NO_REPLY,
            Self::Message(message) => &message.text,
        }
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub enum Received {
    /// Nothing.
    Silence,
    /// A message, and the octets that it was read from.
    Message(Box<wire::Message>, Vec<u8>),
    /// Octets that are no message.
    Malformed(Vec<u8>),
}

impl ExpectedMessage {
    /// Reads `;; RCODE flags`.
    fn head(line: &str) -> Result<Self, Mistake> {
        let mut words = line.trim().strip_prefix(";;").unwrap_or_default().split_whitespace();
        let rcode = words.next().unwrap_or_default();
        let rcode = rcode
            .parse()
            .map_err(|_| Mistake::new(format!("a reply begins `;; RCODE flags`, not `{line}`")))?;
        let mut message = Self { rcode, text: line.trim().to_owned(), ..Self::default() };
        for word in words {
            if word == "no-question" {
                message.no_question = true;
                continue;
            }
            let flag = FLAGS.iter().find(|(name, _)| *name == word).ok_or_else(|| {
                Mistake::new(format!("`{word}` is no flag; there are aa tc rd ra ad cd"))
            })?;
            message.flags.set(flag.1, true);
        }
        Ok(message)
    }

    fn read_line(&mut self, line: &str, section: &mut Section) -> Result<(), Mistake> {
        if line.trim() == "…" {
            self.open[*section as usize] = true;
            return Ok(());
        }
        let Some(mark) = line.trim().strip_prefix(";;") else {
            self.sections[*section as usize].push(RecordLine::read(line)?);
            return Ok(());
        };
        match mark.trim() {
            "AUTHORITY" => *section = Section::Authority,
            "ADDITIONAL" => *section = Section::Additional,
            "no OPT" => self.opt = ExpectedOpt::Absent,
            other => {
                let words = other.strip_prefix("OPT").ok_or_else(|| {
                    Mistake::new(format!(
                        "`;; {other}` is none of AUTHORITY, ADDITIONAL, OPT …, no OPT"
                    ))
                })?;
                self.opt = ExpectedOpt::read(words)?;
            }
        }
        Ok(())
    }
}

impl ExpectedOpt {
    fn read(words: &str) -> Result<Self, Mistake> {
        let (mut size, mut dnssec_ok, mut open, mut options) = (None, false, false, Vec::new());
        for word in words.split_whitespace() {
            let wrong = || {
                Mistake::new(format!(
                    "`{word}` is none of size=N, do, option=CODE:HEX, option=CODE:HEX…, …"
                ))
            };
            match word.split_once('=') {
                None if word == "do" => dnssec_ok = true,
                None if word == "…" => open = true,
                Some(("size", number)) => size = Some(number.parse().map_err(|_| wrong())?),
                Some(("option", text)) => {
                    options.push(ExpectedOption::read(text).ok_or_else(wrong)?);
                }
                _ => return Err(wrong()),
            }
        }
        Ok(Self::Present { size, dnssec_ok, options, open })
    }

    /// The options to send.
    pub fn options(&self) -> Options {
        let mut options = Options::default();
        if let Self::Present { options: expected, .. } = self {
            for option in expected {
                options.push(option.code, &option.data);
            }
        }
        options
    }
}

impl ExpectedOption {
    fn read(text: &str) -> Option<Self> {
        let (code, data) = text.split_once(':')?;
        let (data, open) = data.strip_suffix('…').map_or((data, false), |data| (data, true));
        Some(Self { code: code.parse().ok()?, data: unhex(data)?, open })
    }

    /// Whether an option with this code and these data is the one.
    pub fn is(&self, code: u16, data: &[u8]) -> bool {
        let whole = self.open || data.len() == self.data.len();
        self.code == code && whole && data.starts_with(&self.data)
    }
}

/// How silence is written.
pub(super) const NO_REPLY: &str = ";; no reply";

/// The flags that a reply can name; QR is always meant.
pub(super) const FLAGS: [(&str, Flags); 6] = [
    ("aa", Flags::AA),
    ("tc", Flags::TC),
    ("rd", Flags::RD),
    ("ra", Flags::RA),
    ("ad", Flags::AD),
    ("cd", Flags::CD),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Expected, Mistake> {
        Expected::read(text.lines().enumerate())
    }

    #[test]
    fn sections_flags_and_opt() {
        let text = ";; NXDOMAIN aa rd\n;; AUTHORITY\nx.test. 5 NS a.test.\n…\n;; ADDITIONAL\n\
                    a.test. 5 A 192.0.2.1\n\n;; OPT size=1232 do option=15:000f…";
        let Ok(Expected::Message(message)) = read(text) else { panic!("no message") };
        assert_eq!(message.rcode, Rcode::NXDOMAIN);
        assert_eq!(message.flags, Flags::AA.with(Flags::RD));
        assert_eq!(message.sections.each_ref().map(Vec::len), [0, 1, 1]);
        assert_eq!(message.open, [false, true, false]);
        let option = ExpectedOption { code: 15, data: vec![0, 15], open: true };
        let opt = ExpectedOpt::Present {
            size: Some(1232),
            dnssec_ok: true,
            options: vec![option],
            open: false,
        };
        assert_eq!(message.opt, opt);
    }

    #[test]
    fn silence() {
        assert!(matches!(read(";; no reply"), Ok(Expected::Silence)));
        assert_eq!(read(";; no reply\n;; NOERROR").unwrap_err().line, 1);
    }

    #[test]
    fn mistakes_have_their_line_and_say_what_to_write() {
        for (text, line, part) in [
            ("", 0, ";; NOERROR aa rd"),
            ("x.test. 5 A 192.0.2.1", 0, "begins `;; RCODE flags`"),
            (";; NOERROR xx", 0, "no flag"),
            (";; NOERROR\n;; ANSWERS", 1, "none of AUTHORITY"),
            (";; NOERROR\n\n;; OPT size", 2, "none of size=N"),
            (";; NOERROR\nx.test. A", 1, "a TTL is"),
        ] {
            let mistake = read(text).unwrap_err();
            assert_eq!(mistake.line, line, "{text}");
            assert!(mistake.message.contains(part), "{text}: {}", mistake.message);
        }
    }
}
