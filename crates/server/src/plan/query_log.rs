//! Questions out of a query log, as `log` of CoreDNS writes it.

use std::io::{self, BufRead, Read};
use std::net::{IpAddr, SocketAddr};
use wire::{NameBuf, RecordType};

/// The most octets of a line that are looked at: a name is at most four times 255 octets of text.
const LINE_MAX: u64 = 8 << 10;

/// What a line of the log says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) client: IpAddr,
    pub(crate) name: NameBuf,
    pub(crate) rtype: RecordType,
}

/// What was in a log.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Lines {
    /// Lines about questions.
    pub(crate) questions: u64,
    /// Lines about something else.
    pub(crate) others: u64,
}

/// Reads a log to its end.
pub(crate) fn read(log: impl Read, mut each: impl FnMut(&Logged)) -> io::Result<Lines> {
    let mut log = io::BufReader::new(log);
    let (mut line, mut lines) = (Vec::new(), Lines::default());
    loop {
        line.clear();
        let length = log.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok(lines);
        }
        match std::str::from_utf8(&line).ok().and_then(question) {
            Some(logged) => {
                each(&logged);
                lines.questions += 1;
            }
            None => lines.others += 1,
        }
    }
}

/// The question that a line is about. What stands in front of the client (the level, or what
/// collectors of logs put there) does not matter:
///
/// `[INFO] 10.244.1.7:41234 - 55321 "A IN www.example.org. udp 42 false 512" NOERROR …`
fn question(line: &str) -> Option<Logged> {
    let (before, rest) = line.split_once(" - ")?;
    let client = before.split_whitespace().next_back()?.parse::<SocketAddr>().ok()?.ip();
    let (_, quoted) = rest.split_once('"')?;
    let mut words = quoted.split(' ');
    let rtype = words.next()?.parse().ok()?;
    if words.next()? != "IN" {
        return None;
    }
    let name = words.next()?.parse().ok()?;
    Some(Logged { client: client.to_canonical(), name, rtype })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(line: &str) -> Option<String> {
        question(line).map(|Logged { client, name, rtype }| format!("{client} {name} {rtype}"))
    }

    #[test]
    fn lines_of_coredns_and_of_those_who_collect_them() {
        for (line, expected) in [
            (
                r#"[INFO] 10.244.1.7:41234 - 55321 "A IN www.example.org. udp 42 false 512" NOERROR qr,rd 91 0.0001s"#,
                "10.244.1.7 www.example.org. A",
            ),
            (
                r#"[pod/coredns-1/coredns] [INFO] [fd00::7]:41234 - 1 "TYPE65 IN a. tcp 42 false 65535" NXDOMAIN qr,aa 91 0.1s"#,
                "fd00::7 a. HTTPS",
            ),
            (
                r#"2026-01-01T00:00:00Z [INFO] [::ffff:10.0.0.1]:5 - 1 "PTR IN 1.0.0.10.in-addr.arpa. udp 1 true 1232" NOERROR - 0 0s"#,
                "10.0.0.1 1.0.0.10.in-addr.arpa. PTR",
            ),
        ] {
            assert_eq!(shown(line).as_deref(), Some(expected), "{line}");
        }
        for other in [
            "",
            "[INFO] plugin/reload: Running configuration SHA512 = 1",
            r#"[ERROR] plugin/errors: 2 www.example.org. A: read udp 10.0.0.1:1->10.0.0.2:53: i/o timeout"#,
            r#"[INFO] 10.0.0.1:5 - 1 "TXT CH version.bind. udp 1 true 1232" NOERROR - 0 0s"#,
            r#"[INFO] somebody - 1 "A IN a. udp 1 true 1232" NOERROR - 0 0s"#,
        ] {
            assert_eq!(shown(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_question_is_counted() {
        let log = "[INFO] 10.0.0.1:5 - 1 \"A IN a. udp 1 true 1232\" NOERROR - 0 0s\nnothing\n\n";
        let mut seen = 0;
        let lines = read(log.as_bytes(), |_| seen += 1).unwrap();
        assert_eq!((lines, seen), (Lines { questions: 1, others: 2 }, 1));
    }

    proptest! {
        #[test]
        fn any_octets(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            read(octets.as_slice(), |_| {}).unwrap();
        }

        #[test]
        fn nearly_a_line(line in "(\\[INFO\\] )?[0-9.:]{0,20} - [0-9]{0,3} \"(A|AAAA|X)? ?(IN|CH)? ?[a-z.\\\\]{0,20}[\" ]?") {
            let _ = question(&line);
        }
    }
}
