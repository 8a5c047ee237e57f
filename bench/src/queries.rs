//! The questions of a load, encoded once, and whether an answer belongs to one of them.

use std::fmt;
use std::ops::Range;

use wire::{Class, Flags, HEADER_LEN, Name, NameBuf, RecordType};

/// The most octets of a query: header, name, type and class, and an OPT record.
pub(crate) const QUERY_MAX: usize = HEADER_LEN + wire::NAME_MAX + 4 + OPT_LEN;

/// The octets of an OPT record without options.
const OPT_LEN: usize = 11;

/// Queries as they are sent, except for the id.
#[derive(Debug)]
pub(crate) struct Queries {
    /// All of them, one behind the other.
    octets: Vec<u8>,
    /// Where each begins and, at last, where they end.
    bounds: Vec<usize>,
    options: QueryOptions,
}

/// What queries carry beside their question.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueryOptions {
    /// The UDP size told in an OPT record (RFC 6891 §6.2.3), or no such record.
    pub(crate) edns_size: Option<u16>,
    /// Whether the flag RD is set.
    pub(crate) recursion_desired: bool,
}

/// A line of a queries file that cannot be read.
#[derive(Debug)]
pub(crate) struct BadLine {
    /// Counted from 1.
    line: usize,
    text: String,
}

impl Queries {
    pub(crate) fn new(options: QueryOptions) -> Self {
        Self { octets: Vec::new(), bounds: vec![0], options }
    }

    /// Reads lines of `NAME [TYPE]`; the type is A if left out. `;` and `#` open comment lines.
    pub(crate) fn read(text: &str, options: QueryOptions) -> Result<Self, BadLine> {
        let mut queries = Self::new(options);
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with([';', '#']) {
                continue;
            }
            let (name, rtype) =
                question(line).ok_or_else(|| BadLine { line: index + 1, text: line.to_owned() })?;
            queries.push(name.as_name(), rtype);
        }
        Ok(queries)
    }

    pub(crate) fn push(&mut self, name: Name<'_>, rtype: RecordType) {
        let QueryOptions { edns_size, recursion_desired } = self.options;
        let mut flags = Flags::none();
        flags.set(Flags::RD, recursion_desired);
        let words = [0, flags.word(), 1, 0, 0, u16::from(edns_size.is_some())];
        self.octets.extend(words.into_iter().flat_map(u16::to_be_bytes));
        self.octets.extend(name.octets());
        self.octets.extend([rtype.0, Class::IN.0].into_iter().flat_map(u16::to_be_bytes));
        if let Some(size) = edns_size {
            self.octets.push(0);
            self.octets
                .extend([RecordType::OPT.0, size, 0, 0, 0].into_iter().flat_map(u16::to_be_bytes));
        }
        self.bounds.push(self.octets.len());
    }

    pub(crate) fn len(&self) -> usize {
        self.bounds.len() - 1
    }

    /// Query `i` with an id of zero.
    pub(crate) fn octets(&self, i: usize) -> &[u8] {
        &self.octets[self.bounds[i]..self.bounds[i + 1]]
    }

    /// Whether `answer` is a response to query `i`: QR is set and it repeats the question, whose
    /// name may differ in case.
    pub(crate) fn is_answered(&self, i: usize, answer: &[u8]) -> bool {
        let Range { start, end } = self.question(i);
        let (name, fixed) = self.octets[start..end].split_at(end - start - 4);
        let Some(asked) = answer.get(HEADER_LEN..HEADER_LEN + end - start) else { return false };
        let (asked_name, asked_fixed) = asked.split_at(name.len());
        answer[2] & 0x80 != 0
            && answer[4..6] == [0, 1]
            && asked_fixed == fixed
            && asked_name.eq_ignore_ascii_case(name)
    }

    fn question(&self, i: usize) -> Range<usize> {
        let opt = if self.options.edns_size.is_some() { OPT_LEN } else { 0 };
        self.bounds[i] + HEADER_LEN..self.bounds[i + 1] - opt
    }
}

fn question(line: &str) -> Option<(NameBuf, RecordType)> {
    let mut words = line.split_ascii_whitespace();
    let name = NameBuf::from_text(words.next()?.as_bytes(), Name::ROOT).ok()?;
    let rtype = words.next().map_or(Ok(RecordType::A), str::parse).ok()?;
    words.next().is_none().then_some((name, rtype))
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, text } = self;
        write!(f, "line {line}: `{text}` is not `NAME [TYPE]`, as in `www.example.org AAAA`")
    }
}

/// In which order queries are sent.
pub(crate) enum Order {
    /// Each time any of them, with the same chance.
    Random(Random),
    /// One after the other, then again from the first.
    InTurn(usize),
}

impl Order {
    /// The next of `count` queries.
    pub(crate) fn next(&mut self, count: usize) -> usize {
        match self {
            Self::Random(random) => random.below(count),
            Self::InTurn(at) => {
                let this = *at % count;
                *at = this + 1;
                this
            }
        }
    }
}

/// Random numbers that repeat with the seed: splitmix64, with good distribution and no state worth
/// a cache line.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // The high half of the product is below `limit` and needs no division.
        ((u128::from(mixed) * limit as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wire::{Message, Request};

    use super::*;

    const PLAIN: QueryOptions = QueryOptions { edns_size: None, recursion_desired: false };
    const WITH_EDNS: QueryOptions = QueryOptions { edns_size: Some(1232), recursion_desired: true };

    #[test]
    fn queries_are_what_was_asked_for() {
        let queries =
            Queries::read("# two\nwww.example.org\n\n_x._tcp.b. SRV\n", WITH_EDNS).unwrap();
        assert_eq!(queries.len(), 2);
        let mut request = Request::new();
        request.read(queries.octets(1)).unwrap();
        assert_eq!(request.asked.to_string(), "_x._tcp.b.");
        assert_eq!(request.rtype, RecordType::SRV);
        assert!(request.flags.has(Flags::RD));
        assert_eq!((request.has_edns, request.edns.udp_size), (true, 1232));
        Message::read(queries.octets(0)).unwrap();
    }

    #[test]
    fn bad_lines_are_named() {
        for bad in ["www.example.org BOGUS", "a..b A", "a A IN"] {
            let error = Queries::read(&format!("ok A\n{bad}"), PLAIN).unwrap_err();
            assert_eq!(error.line, 2, "{error}");
            assert!(error.to_string().contains(bad));
        }
    }

    #[test]
    fn only_the_answer_to_the_question_counts() {
        for options in [PLAIN, WITH_EDNS] {
            let queries = Queries::read("www.a.example A", options).unwrap();
            let mut answer = queries.octets(0).to_vec();
            assert!(!queries.is_answered(0, &answer), "QR is clear");
            answer[2] |= 0x80;
            assert!(queries.is_answered(0, &answer));
            answer[13] = b'W';
            assert!(queries.is_answered(0, &answer), "case does not matter");
            answer[HEADER_LEN + 15 + 1] ^= 0x20;
            assert!(
                !queries.is_answered(0, &answer),
                "the type does, though 'A' and 'a' look alike"
            );
            answer[HEADER_LEN + 15 + 1] ^= 0x20;
            answer[14] = b'x';
            assert!(!queries.is_answered(0, &answer), "another name");
            assert!(!queries.is_answered(0, &answer[..20]), "cut");
            assert!(!queries.is_answered(0, b""));
        }
    }

    #[test]
    fn orders_reach_every_query() {
        for mut order in [Order::InTurn(0), Order::Random(Random(1))] {
            let mut seen = [0; 7];
            (0..7000).for_each(|_| seen[order.next(7)] += 1);
            assert!(seen.iter().all(|count| (800..1200).contains(count)), "{seen:?}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_judged_without_a_panic(answer in proptest::collection::vec(any::<u8>(), 0..64)) {
            let queries = Queries::read("www.a.example A", WITH_EDNS).unwrap();
            let _ = queries.is_answered(0, &answer);
        }
    }
}
