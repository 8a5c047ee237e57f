//! What is different between the reply that was expected and the one that came.

use super::client::Answer;
use super::expected::{Expected, ExpectedMessage, ExpectedOpt, FLAGS, NO_REPLY, Received};
use super::question::{Question, Transport, question_octets};
use super::record::{Field, RecordLine, fields_of, hex, line_of};
use std::fmt::Write as _;
use wire::{Body, Flags, Message, Record, Section};

impl Expected {
    /// Everything in which the answer differs, a line each; none if it is as expected.
    ///
    /// Whatever is expected, a reply must have the id and, octet for octet, the question of the
    /// query, and no UDP reply may be larger than the client can take.
    pub fn differences(&self, question: &Question, answer: &Answer) -> Vec<String> {
        match (self, &answer.received) {
            (Self::Silence, Received::Silence) => Vec::new(),
            (Self::Silence, _) => vec!["there is a reply".to_owned()],
            (_, Received::Silence) => vec!["there is no reply".to_owned()],
            (_, Received::Malformed(_)) => vec!["the reply is no DNS message".to_owned()],
            (Self::Message(expected), Received::Message(message, octets)) => {
                let sent = &answer.sent;
                let found = Vec::new();
                let mut comparison = Comparison { expected, question, sent, message, found };
                comparison.check_echo(octets);
                comparison.check_head();
                comparison.check_opt();
                for section in Section::ALL {
                    comparison.check_section(section);
                }
                comparison.found
            }
        }
    }
}

impl Received {
    /// The reply in the form in which a scenario expects one.
    pub fn text(&self) -> String {
        let message = match self {
            Self::Silence => return NO_REPLY.to_owned(),
            Self::Malformed(octets) => return format!(";; malformed: {}", hex(octets)),
            Self::Message(message, _) => message,
        };
        let mut text = format!(";; {}", message.rcode);
        text.push_str(&flags_text(message.flags));
        if message.question.is_none() {
            text.push_str(" no-question");
        }
        for (section, title) in Section::ALL.into_iter().zip(["", "AUTHORITY", "ADDITIONAL"]) {
            let records = message.body.section(section);
            if !title.is_empty() && !records.is_empty() {
                let _ = write!(text, "\n;; {title}");
            }
            for record in records {
                let _ = write!(text, "\n{}", line_of(&message.body, record));
            }
        }
        if let Some(edns) = &message.edns {
            let _ = write!(text, "\n;; OPT size={}", edns.udp_size);
            text.push_str(if edns.dnssec_ok { " do" } else { "" });
            for (code, data) in edns.options.iter() {
                let _ = write!(text, " option={code}:{}", hex(data));
            }
        }
        text
    }
}

fn flags_text(flags: Flags) -> String {
    let set = FLAGS.iter().filter(|(_, flag)| flags.has(*flag));
    set.fold(String::new(), |text, (name, _)| text + " " + name)
}

struct Comparison<'a> {
    expected: &'a ExpectedMessage,
    question: &'a Question,
    sent: &'a [u8],
    message: &'a Message,
    found: Vec<String>,
}

impl Comparison<'_> {
    fn check_echo(&mut self, octets: &[u8]) {
        if octets.get(..2) != self.sent.get(..2) {
            self.found.push("the id is another".to_owned());
        }
        if octets.get(2).is_some_and(|octet| octet & 0x80 == 0) {
            self.found.push("QR is not set".to_owned());
        }
        let without = self.expected.no_question;
        if without && octets.get(4..6) != Some(&[0, 0]) {
            self.found.push("the question is echoed".to_owned());
        } else if !without && question_octets(self.sent) != question_octets(octets) {
            self.found.push("the question is not echoed octet for octet".to_owned());
        }
        let limit = self.question.edns.as_ref().map_or(512, |edns| edns.udp_size.max(512));
        let bounded = self.question.transport == Transport::Udp && self.question.raw.is_none();
        if bounded && octets.len() > limit as usize {
            let length = octets.len();
            self.found.push(format!("{length} octets are more than the client's {limit}"));
        }
    }

    fn check_head(&mut self) {
        let (expected, message) = (self.expected, self.message);
        if message.rcode != expected.rcode {
            self.found.push(format!("the rcode is {}, not {}", message.rcode, expected.rcode));
        }
        let flags = message.flags.without(Flags::QR);
        if flags != expected.flags {
            let (has, wants) = (flags_text(flags), flags_text(expected.flags));
            self.found.push(format!("the flags are `{}`, not `{}`", has.trim(), wants.trim()));
        }
    }

    fn check_opt(&mut self) {
        let there = self.message.edns.is_some();
        let wanted = match &self.expected.opt {
            // What an odd message of a scenario's own making holds is not known here.
            ExpectedOpt::Fitting if self.question.raw.is_some() => there,
            ExpectedOpt::Fitting => self.question.edns.is_some(),
            ExpectedOpt::Absent => false,
            ExpectedOpt::Present { .. } => true,
        };
        if there != wanted {
            let there = if there { "an" } else { "no" };
            self.found.push(format!("there is {there} OPT record"));
        }
        let ExpectedOpt::Present { size, dnssec_ok, options, open } = &self.expected.opt else {
            return;
        };
        let Some(edns) = &self.message.edns else { return };
        if size.is_some_and(|size| size != edns.udp_size) {
            self.found.push(format!("the OPT record's size is {}", edns.udp_size));
        }
        if *dnssec_ok != edns.dnssec_ok {
            let set = if edns.dnssec_ok { "set" } else { "not set" };
            self.found.push(format!("DO is {set}"));
        }
        let count = edns.options.iter().count();
        let enough = count == options.len() || (*open && count > options.len());
        let mut pairs = options.iter().zip(edns.options.iter());
        if !enough || !pairs.all(|(option, (code, data))| option.is(code, data)) {
            self.found.push("the EDNS options are others".to_owned());
        }
    }

    fn check_section(&mut self, section: Section) {
        let lines = &self.expected.sections[section as usize];
        let body = &self.message.body;
        let records = body.section(section);
        let exact_case = self.question.exact_case;
        let mut unmatched: Vec<&Record> = records.iter().collect();
        let mut missing: Vec<&RecordLine> = Vec::new();
        // Lines with wildcards choose last, so that they leave the others what only those can take.
        let mut choosers: Vec<&RecordLine> = lines.iter().collect();
        choosers.sort_by_key(|line| wildcards(line));
        for line in choosers {
            match unmatched.iter().position(|record| matches(line, body, record, exact_case)) {
                Some(at) => drop(unmatched.remove(at)),
                None => missing.push(line),
            }
        }
        let lacks = missing.iter().map(|line| format!("{section:?} lacks {}", line.text));
        self.found.extend(lacks);
        if self.expected.open[section as usize] {
            return;
        }
        let surplus = unmatched.iter().map(|record| line_of(body, record));
        self.found.extend(surplus.map(|line| format!("{section:?} has besides {line}")));
        if !missing.is_empty() || !unmatched.is_empty() {
            return;
        }
        let mut pairs = lines.iter().zip(records);
        if self.question.ordered {
            if !pairs.all(|(line, record)| matches(line, body, record, exact_case)) {
                self.found.push(format!("the order of records in {section:?} is another"));
            }
        } else if section == Section::Answer && !rrsets_in_order(lines, body, records) {
            // A CNAME stands before what it leads to; elsewhere no RRset leads to another.
            self.found.push(format!("the order of RRsets in {section:?} is another"));
        }
    }
}

fn wildcards(line: &RecordLine) -> usize {
    let any = line.fields.iter().filter(|field| **field == Field::Any).count();
    any + usize::from(line.ttl.first != line.ttl.last)
}

fn matches(line: &RecordLine, body: &Body, record: &Record, exact_case: bool) -> bool {
    let same_name = |one: wire::Name<'_>, other: wire::Name<'_>| {
        one == other && (!exact_case || one.octets() == other.octets())
    };
    if (line.rtype, line.class) != (record.rtype, record.class)
        || !line.ttl.holds(record.ttl)
        || !same_name(line.owner.as_name(), body.owner(record))
    {
        return false;
    }
    let Some(fields) = fields_of(record.rtype, body.rdata(record)) else { return false };
    let same_field = |(expected, found): (&Field, &Field)| match (expected, found) {
        (Field::Any, _) => true,
        (Field::Name(expected), Field::Name(found)) => {
            same_name(expected.as_name(), found.as_name())
        }
        (expected, found) => expected == found,
    };
    line.fields.len() == fields.len() && line.fields.iter().zip(&fields).all(same_field)
}

/// Whether the RRsets, each told by its owner and type, follow each other as the lines do.
fn rrsets_in_order(lines: &[RecordLine], body: &Body, records: &[Record]) -> bool {
    let expected = lines.iter().map(|line| (line.owner.as_name(), line.rtype));
    let found = records.iter().map(|record| (body.owner(record), record.rtype));
    let (mut expected, mut found): (Vec<_>, Vec<_>) = (expected.collect(), found.collect());
    expected.dedup();
    found.dedup();
    expected == found
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::{Encoder, Reply, Request};

    /// The reply that `given` describes, compared with `expected`.
    fn compare(asked: &str, expected: &str, given: &str) -> Vec<String> {
        let question = Question::read(asked).unwrap();
        let read = |text: &str| Expected::read(text.lines().enumerate()).unwrap();
        let sent = question.message(7);
        let mut request = Request::new();
        request.read(&sent).unwrap();
        let Expected::Message(given) = read(given) else { panic!("nothing given") };
        let mut reply = Reply { flags: given.flags, rcode: given.rcode, ..Reply::default() };
        reply.options = given.opt.options();
        for section in Section::ALL {
            for line in &given.sections[section as usize] {
                line.push_to(&mut reply.body, section).unwrap();
            }
        }
        let mut octets = vec![0; 65_535];
        let length = Encoder::new().reply(&request, &reply, 65_535, &mut octets);
        octets.truncate(length);
        let message = Box::new(Message::read(&octets).unwrap());
        let answer = Answer { sent, received: Received::Message(message, octets) };
        read(expected).differences(&question, &answer)
    }

    const TWO: &str = ";; NOERROR aa rd\nx.test. 5 A 192.0.2.1\nx.test. 5 A 192.0.2.2";
    const TURNED: &str = ";; NOERROR aa rd\nx.test. 5 A 192.0.2.2\nx.test. 5 A 192.0.2.1";

    #[test]
    fn order_inside_an_rrset_is_free_unless_asked_for() {
        assert_eq!(compare("x.test A", TWO, TURNED), [""; 0]);
        let found = compare("x.test A +ordered", TWO, TURNED);
        assert_eq!(found, ["the order of records in Answer is another"]);
    }

    #[test]
    fn a_cname_stands_before_its_target() {
        let right = ";; NOERROR\na.test. 5 CNAME x.test.\nx.test. 5 A 192.0.2.1";
        let wrong = ";; NOERROR\nx.test. 5 A 192.0.2.1\na.test. 5 CNAME x.test.";
        assert_eq!(compare("a.test A +norec", right, right), [""; 0]);
        let found = compare("a.test A +norec", right, wrong);
        assert_eq!(found, ["the order of RRsets in Answer is another"]);
    }

    #[test]
    fn an_open_section_may_hold_more() {
        let open = ";; NOERROR aa rd\nx.test. 5 A 192.0.2.2\n…";
        assert_eq!(compare("x.test A", open, TWO), [""; 0]);
        let other = ";; NOERROR aa rd\nx.test. 5 A 192.0.2.3\n…";
        assert_eq!(compare("x.test A", other, TWO).len(), 1);
    }

    #[test]
    fn every_difference_is_told() {
        let found = compare(
            "x.test A",
            ";; NXDOMAIN aa rd\nx.test. 5 A 192.0.2.1",
            ";; NOERROR rd ra\nx.test. 6 A 192.0.2.1",
        );
        let expected = [
            "the rcode is NOERROR, not NXDOMAIN",
            "the flags are `rd ra`, not `aa rd`",
            "Answer lacks x.test. 5 A 192.0.2.1",
            "Answer has besides x.test. 6 IN A 192.0.2.1",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn wildcards_leave_the_rest_to_those_that_need_it() {
        let expected =
            ";; NOERROR rd\nx.test. 5 MX * *\nx.test. 1-9 MX 1 a.test.\nx.test. 5 MX 1 a.test.";
        let given =
            ";; NOERROR rd\nx.test. 5 MX 1 a.test.\nx.test. 7 MX 1 A.test.\nx.test. 5 MX 2 b.test.";
        assert_eq!(compare("x.test MX", expected, given), [""; 0]);
    }

    #[test]
    fn case_matters_when_asked_for() {
        let (upper, lower) =
            (";; NOERROR rd\nx.test. 5 NS N.a.", ";; NOERROR rd\nx.test. 5 NS n.a.");
        assert_eq!(compare("x.test NS", upper, lower), [""; 0]);
        assert_eq!(compare("x.test NS +case", upper, lower).len(), 2);
    }

    #[test]
    fn the_opt_record_fits_the_question_or_is_as_written() {
        let opt = ";; NOERROR rd\n;; OPT size=1232 do option=3:6e73";
        assert_eq!(compare("x.test A +do", ";; NOERROR rd", opt), [""; 0]);
        assert_eq!(compare("x.test A +do", opt, opt), [""; 0]);
        let open = ";; NOERROR rd\n;; OPT do option=3:6e…";
        assert_eq!(compare("x.test A +do", open, opt), [""; 0]);
        let found = compare("x.test A +edns", opt, ";; NOERROR rd");
        assert_eq!(found, ["DO is not set", "the EDNS options are others"]);
        let more = compare("x.test A +do", ";; NOERROR rd\n;; OPT do …", opt);
        assert_eq!(more, [""; 0]);
        let found = compare("x.test A +edns", ";; NOERROR rd\n;; no OPT", opt);
        assert_eq!(found, ["there is an OPT record"]);
    }

    #[test]
    fn the_echo_is_checked_whatever_is_expected() {
        let question = Question::read("X.test A").unwrap();
        let sent = question.message(7);
        let mut octets = Question::read("x.test A").unwrap().message(8);
        octets[2] |= 0x80;
        octets.resize(600, 0);
        let message = Box::new(Message::read(&octets).unwrap());
        let answer = Answer { sent, received: Received::Message(message, octets) };
        let expected = Expected::read([(0, ";; NOERROR rd")].into_iter()).unwrap();
        let found = [
            "the id is another",
            "the question is not echoed octet for octet",
            "600 octets are more than the client's 512",
        ];
        assert_eq!(expected.differences(&question, &answer), found);
        let silence = Expected::read([(0, ";; no reply")].into_iter()).unwrap();
        assert_eq!(silence.differences(&question, &answer), ["there is a reply"]);
    }

    #[test]
    fn what_came_is_shown_in_the_form_that_is_expected() {
        let text = ";; NOERROR aa rd\nx.test. 5 IN A 192.0.2.1\n;; AUTHORITY\n\
                    test. 5 IN NS a.test.\n;; OPT size=1232 do option=3:6e73";
        let found = {
            let question = Question::read("x.test A +do").unwrap();
            let Expected::Message(given) = Expected::read(text.lines().enumerate()).unwrap() else {
                panic!("nothing given")
            };
            let mut request = Request::new();
            request.read(&question.message(7)).unwrap();
            let mut reply = Reply { flags: given.flags, ..Reply::default() };
            reply.options = given.opt.options();
            for section in Section::ALL {
                for line in &given.sections[section as usize] {
                    line.push_to(&mut reply.body, section).unwrap();
                }
            }
            let mut octets = vec![0; 512];
            let length = Encoder::new().reply(&request, &reply, 512, &mut octets);
            let message = Message::read(&octets[..length]).unwrap();
            Received::Message(Box::new(message), octets).text()
        };
        assert_eq!(found, text);
        assert_eq!(Received::Silence.text(), ";; no reply");
    }
}
