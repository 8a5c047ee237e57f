//! What a log line looks like: a text with placeholders.

use crate::reply_kind::ReplyKind;
use chain::{Exchange, Transport};
use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;
use wire::{Flags, HEADER_LEN, Name};

/// The format without another one; what it looks like is known to every collector of logs.
pub(super) const COMMON: &str = "{remote}:{port} - {>id} \
    \"{type} {class} {name} {proto} {size} {>do} {>bufsize}\" \
    {rcode} {>rflags} {rsize} {duration}";
/// The same with the opcode.
pub(super) const COMBINED: &str = "{remote}:{port} - {>id} \
    \"{type} {class} {name} {proto} {size} {>do} {>bufsize}\" \
    {rcode} {>rflags} {rsize} {duration} \"{>opcode}\"";

/// A format, taken apart once.
pub(super) struct Format {
    parts: Box<[Part]>,
}

/// What is known of a question only when its line is written.
#[derive(Clone, Copy)]
pub(super) struct Outcome {
    pub(super) kind: ReplyKind,
    /// From when it came in until now.
    pub(super) taken: Duration,
}

enum Part {
    Text(Box<str>),
    Field(Field),
    /// A label that other plugins offer through `metadata`.
    Label(Box<str>),
}

#[derive(Clone, Copy)]
enum Field {
    Type,
    Name,
    Class,
    Transport,
    Size,
    Remote,
    Port,
    Local,
    Id,
    Opcode,
    DnssecOk,
    BufferSize,
    Rcode,
    Flags,
    ReplySize,
    Duration,
    /// The labels that this plugin itself offers.
    ReplyKind,
    ReplyClass,
}

impl Field {
    const WORDS: &[(&str, Self)] = &[
        ("type", Self::Type),
        ("name", Self::Name),
        ("class", Self::Class),
        ("proto", Self::Transport),
        ("size", Self::Size),
        ("remote", Self::Remote),
        ("port", Self::Port),
        ("local", Self::Local),
        (">id", Self::Id),
        (">opcode", Self::Opcode),
        (">do", Self::DnssecOk),
        (">bufsize", Self::BufferSize),
        ("rcode", Self::Rcode),
        (">rflags", Self::Flags),
        ("rsize", Self::ReplySize),
        ("duration", Self::Duration),
        ("/log/type", Self::ReplyKind),
        ("/log/class", Self::ReplyClass),
    ];
}

impl Format {
    /// Any text is a format. What is in braces but no placeholder is text, a brace alone as well.
    pub(super) fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        let mut literal = String::new();
        while let Some(close) = rest.find('}') {
            let (before, after) = rest.split_at(close + 1);
            rest = after;
            let open = before.rfind('{').unwrap_or(before.len());
            let placeholder = before.get(open + 1..before.len() - 1).and_then(Part::placeholder);
            let Some(part) = placeholder else {
                literal.push_str(before);
                continue;
            };
            literal.push_str(&before[..open]);
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal).into()));
            }
            parts.push(part);
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal.into()));
        }
        Self { parts: parts.into() }
    }

    /// Appends the line about `x`, without a newline.
    pub(super) fn write(&self, line: &mut Vec<u8>, x: &Exchange, outcome: Outcome) {
        for part in &self.parts {
            match part {
                Part::Text(text) => line.extend_from_slice(text.as_bytes()),
                Part::Field(field) => field.write(line, x, outcome),
                Part::Label(label) => write_label(line, x, label),
            }
        }
    }
}

impl Part {
    /// The placeholder that a text in braces is.
    fn placeholder(inside: &str) -> Option<Self> {
        let field = Field::WORDS.iter().find(|(word, _)| *word == inside);
        match field {
            Some((_, field)) => Some(Self::Field(*field)),
            None => inside.strip_prefix('/').map(|label| Self::Label(label.into())),
        }
    }
}

impl Field {
    fn write(self, line: &mut Vec<u8>, x: &Exchange, outcome: Outcome) {
        // Writing into memory cannot fail.
        let _ = match self {
            Self::Type => write!(line, "{}", x.question.rtype),
            Self::Class => write!(line, "{}", x.question.class),
            Self::Name => return write_name(line, x.question.name()),
            Self::Transport => match x.client.transport {
                Transport::Udp => line.write_all(b"udp"),
                Transport::Tcp => line.write_all(b"tcp"),
            },
            Self::Size => write!(line, "{}", x.request.size),
            Self::Remote => write_address(line, x.client.peer.ip()),
            Self::Port => write!(line, "{}", x.client.peer.port()),
            Self::Local => write_address(line, x.client.local.ip()),
            Self::Id => write!(line, "{}", x.request.id),
            Self::Opcode => write!(line, "{}", x.request.opcode.0),
            Self::DnssecOk => write!(line, "{}", x.request.dnssec_ok()),
            Self::BufferSize => write!(line, "{}", buffer_size(x)),
            Self::Rcode | Self::Flags if x.is_dropped() => line.write_all(b"-"),
            Self::Rcode => match x.reply.rcode.mnemonic() {
                Some(mnemonic) => line.write_all(mnemonic.as_bytes()),
                None => write!(line, "{}", x.reply.rcode.0),
            },
            Self::Flags => return write_flags(line, x.reply.flags),
            Self::ReplySize => write!(line, "{}", reply_size(x)),
            Self::Duration => return write_seconds(line, outcome.taken),
            Self::ReplyKind | Self::ReplyClass if x.labels.is_none() => line.write_all(b"-"),
            Self::ReplyKind => line.write_all(outcome.kind.word().as_bytes()),
            Self::ReplyClass => line.write_all(outcome.kind.class().word().as_bytes()),
        };
    }
}

/// The name, without looking for a formatter for each of its letters.
fn write_name(line: &mut Vec<u8>, name: Name<'_>) {
    let plain = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    if name.is_root() || !name.labels().flatten().all(plain) {
        let _ = write!(line, "{name}"); // into memory
        return;
    }
    for label in name.labels() {
        line.extend_from_slice(label);
        line.push(b'.');
    }
}

fn write_address(line: &mut Vec<u8>, ip: IpAddr) -> std::io::Result<()> {
    match ip {
        IpAddr::V4(ip) => write!(line, "{ip}"),
        IpAddr::V6(ip) => write!(line, "[{ip}]"),
    }
}

fn write_flags(line: &mut Vec<u8>, flags: Flags) {
    line.extend_from_slice(b"qr");
    for (flag, word) in [
        (Flags::AA, ",aa"),
        (Flags::TC, ",tc"),
        (Flags::RD, ",rd"),
        (Flags::RA, ",ra"),
        (Flags::AD, ",ad"),
        (Flags::CD, ",cd"),
    ] {
        if flags.has(flag) {
            line.extend_from_slice(word.as_bytes());
        }
    }
}

/// Seconds without trailing zeros: `0.000126259s`, `2s`.
fn write_seconds(line: &mut Vec<u8>, taken: Duration) {
    let _ = write!(line, "{}.{:09}", taken.as_secs(), taken.subsec_nanos()); // into memory
    while line.last() == Some(&b'0') {
        line.pop();
    }
    if line.last() == Some(&b'.') {
        line.pop();
    }
    line.push(b's');
}

/// A label's value, `-` without one. Values can come from anywhere: control characters are escaped,
/// so that a line stays a line.
fn write_label(line: &mut Vec<u8>, x: &Exchange, label: &str) {
    let labels = x.labels.iter().flatten();
    let Some((_, value)) = labels.rev().find(|(name, _)| name == label) else {
        return line.push(b'-');
    };
    for character in value.chars() {
        let _ = if character.is_control() {
            write!(line, "{}", character.escape_default())
        } else {
            write!(line, "{character}")
        };
    }
}

/// The size of message that the client can take, as CoreDNS counts it.
fn buffer_size(x: &Exchange) -> u16 {
    match x.client.transport {
        Transport::Tcp => u16::MAX,
        Transport::Udp if x.request.has_edns => x.request.edns.udp_size.max(512),
        Transport::Udp => 512,
    }
}

/// The octets of the reply as it stands: uncompressed, uncut and without an OPT record. CoreDNS logs
/// the same; what the client gets is known only when the reply leaves.
fn reply_size(x: &Exchange) -> usize {
    if x.is_dropped() {
        return 0;
    }
    let body = &x.reply.body;
    let records = body.records().map(|r| body.owner(r).len() + 10 + body.rdata(r).len());
    HEADER_LEN + x.request.asked.octets().len() + 4 + records.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Asker, Rig};
    use chain::Client;
    use proptest::prelude::*;
    use wire::Edns;

    const ANSWERS: &str = "canned {\n answer www.test A 192.0.2.1\n }";

    /// The line of a question in a block with `log` lines, a microsecond after it came in.
    fn line(log: &str, source: &str, question: &str, change: impl FnOnce(&mut Asker)) -> String {
        let rig = Rig::new(&format!("test {{\n {log}\n {source}\n}}"));
        rig.ask_as(question, change);
        rig.process.lines.take()
    }

    #[test]
    fn the_common_line() {
        assert_eq!(
            line("log", ANSWERS, "WWW.test A", |asker| asker.id = 2255),
            "[INFO] 10.0.0.7:4000 - 2255 \"A IN www.test. udp 26 false 512\" \
             NOERROR qr,aa,rd 50 0s\n"
        );
        let tcp = Client {
            peer: "[2001:db8::1]:5".parse().unwrap(),
            local: "[::1]:53".parse().unwrap(),
            transport: Transport::Tcp,
        };
        assert_eq!(
            line("log . {combined}", ANSWERS, "www.test TYPE999", |asker| {
                asker.client = tcp;
                asker.edns = Some(Edns { dnssec_ok: true, udp_size: 1232, ..Edns::default() });
            }),
            "[INFO] [2001:db8::1]:5 - 1 \"TYPE999 IN www.test. tcp 37 true 65535\" \
             NOERROR qr,aa,rd 50 0s \"0\"\n"
        );
    }

    #[test]
    fn failures_and_silence_have_lines_too() {
        let ask = |source| line("log . \"{rcode} {>rflags} {rsize}\"", source, "x.test MX", |_| {});
        assert_eq!(ask("canned {\n fail x\n }"), "[INFO] SERVFAIL qr,rd 24\n");
        assert_eq!(ask("canned {\n drop\n }"), "[INFO] - - 0\n");
        assert_eq!(ask("canned {\n rcode 24\n }"), "[INFO] 24 qr,aa,rd 24\n");
    }

    #[test]
    fn the_first_rule_whose_name_fits_decides() {
        let log = "log quiet.test {\n class error\n }\n log x.test y.test \"x {name}\"\n log";
        let rig = Rig::new(&format!("test {{\n {log}\n {ANSWERS}\n}}"));
        for question in ["a.quiet.test A", "a.y.test A", "x.test A"] {
            rig.ask(question);
        }
        assert_eq!(rig.process.lines.take(), "[INFO] x a.y.test.\n[INFO] x x.test.\n");
        rig.ask("z.test A");
        assert!(rig.process.lines.take().contains("z.test."));
    }

    #[test]
    fn placeholders_and_what_only_looks_like_one() {
        let shown = |format: &str| {
            let rig = Rig::new("test {\n canned\n}");
            let mut x = rig.ask("a.test A");
            x.labels = Some(vec![("k/v".into(), "1\n2".into()), ("k/v".into(), "é\n".into())]);
            let outcome =
                Outcome { kind: ReplyKind::NoName, taken: Duration::from_nanos(1_000_026_900) };
            let mut line = Vec::new();
            Format::new(format).write(&mut line, &x, outcome);
            String::from_utf8(line).unwrap()
        };
        assert_eq!(shown("{type}{name}"), "Aa.test.");
        assert_eq!(shown("{ {type} } {typ} {TYPE} {} } {"), "{ A } {typ} {TYPE} {} } {");
        assert_eq!(shown("{/k/v} {/no/such} {/log/type} {/log/class}"), "é\\n - NXDOMAIN denial");
        assert_eq!(shown("{duration} {local} {>opcode}"), "1.0000269s 127.0.0.1 0");
    }

    #[test]
    fn labels_of_the_log_itself_need_metadata_as_well() {
        let log = "log . \"{/log/type} {/log/class}\"";
        assert_eq!(line(log, ANSWERS, "www.test A", |_| {}), "[INFO] - -\n");
    }

    #[test]
    fn seconds() {
        for (nanos, shown) in
            [(0, "0s"), (126_259, "0.000126259s"), (26_900, "0.0000269s"), (10_000_000_000, "10s")]
        {
            let mut line = Vec::new();
            write_seconds(&mut line, Duration::from_nanos(nanos));
            assert_eq!(line, shown.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_format_that_is_one_line(text in "(\\PC|\\{(/?[a-z>]{0,8})\\}){0,20}") {
            let rig = Rig::new("test {\n canned\n}");
            let x = rig.ask("a\\010b.test A");
            let mut line = Vec::new();
            let outcome = Outcome { kind: ReplyKind::Success, taken: Duration::ZERO };
            Format::new(&text).write(&mut line, &x, outcome);
            prop_assert!(!line.contains(&b'\n'));
        }

        #[test]
        fn a_plain_name_is_written_as_any_other(name in "([-_a-z0-9.]|\\\\[.09]{3}){0,30}") {
            if let Ok(name) = name.parse::<wire::NameBuf>() {
                let mut line = Vec::new();
                write_name(&mut line, name.as_name());
                prop_assert_eq!(String::from_utf8(line).unwrap(), name.to_string());
            }
        }
    }
}
