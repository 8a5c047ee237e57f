//! A message out of its parts, written once.

use crate::header::HEADER_LEN;
use crate::rdata::{self, Part};
use crate::{
    Body, Class, Edns, Flags, NAME_MAX, Name, Opcode, Rcode, Record, RecordType, Reply, Request,
    Section,
};

/// The most octets of a message: what the length in front of it can say over TCP.
pub const MESSAGE_MAX: usize = 65_535;

/// The UDP payload that we say we can take: what passes nearly every path in one piece.
const UDP_SIZE: u16 = 1232;

/// The most octets of a question.
const QUESTION_MAX: usize = NAME_MAX + 4;

/// Writes messages; keeps the compression table between them so that writing allocates nothing.
pub struct Encoder {
    seen: Seen,
}

/// What stands in front of the records.
struct Head<'a> {
    id: u16,
    opcode: Opcode,
    flags: Flags,
    rcode: Rcode,
    question: Option<(Name<'a>, RecordType, Class)>,
}

impl Encoder {
    /// An encoder with an empty table.
    pub fn new() -> Self {
        Self { seen: Seen::new() }
    }

    /// Writes the reply to `request` into `out` and returns its length.
    ///
    /// Records that pass `limit` octets are left out from the end and TC is set, except for
    /// additional records that are only a courtesy (RFC 2181 §9, which would leave out whole sets; like
    /// CoreDNS we cut within them, too). An OPT record goes out if and only if one came in (RFC 6891
    /// §7); it always fits: `limit` and `out` must be 512 octets or more.
    pub fn reply(
        &mut self,
        request: &Request,
        reply: &Reply,
        limit: usize,
        out: &mut [u8],
    ) -> usize {
        let head = Head {
            id: request.id,
            opcode: request.opcode,
            flags: reply.flags.with(Flags::QR),
            rcode: reply.rcode,
            question: Some((request.asked.as_name(), request.rtype, request.class)),
        };
        let opt = request.has_edns.then(|| Opt {
            udp_size: UDP_SIZE,
            dnssec_ok: request.edns.dnssec_ok,
            options: reply.options.octets(),
        });
        self.message(&head, &reply.body, opt, limit, out)
    }

    /// Whether the last message had as many names as an encoder can point at: names behind them are
    /// compressed less than they could be.
    pub fn is_table_full(&self) -> bool {
        self.seen.count == Seen::MAX
    }

    /// Writes a reply without records to a message that was rejected, see [`crate::Reject`].
    /// Writes a reply without records to a message that was rejected, see [`crate::Reject`], into
    /// `out`, which has 512 octets or more, and returns its length.
    pub fn rejection(
        &mut self,
        request: &Request,
        rcode: Rcode,
        with_question: bool,
        out: &mut [u8],
    ) -> usize {
        let question = (request.asked.as_name(), request.rtype, request.class);
        let head = Head {
            id: request.id,
            opcode: request.opcode,
            flags: request.flags.only(Flags::RD).with(Flags::QR),
            rcode,
            question: with_question.then_some(question),
        };
        let opt =
            request.has_edns.then_some(Opt { udp_size: UDP_SIZE, dnssec_ok: false, options: &[] });
        self.message(&head, &Body::new(), opt, HEADER_LEN + QUESTION_MAX + Opt::LEN_MIN, out)
    }

    /// Writes a query of our own into `out`, which has 512 octets or more, and returns its length.
    ///
    /// Options that do not fit into `out` are left out.
    pub fn query(
        &mut self,
        id: u16,
        flags: Flags,
        question: (Name<'_>, RecordType, Class),
        edns: Option<&Edns>,
        out: &mut [u8],
    ) -> usize {
        let rcode = Rcode::NOERROR;
        let head = Head { id, opcode: Opcode::QUERY, flags, rcode, question: Some(question) };
        let opt = edns.map(|edns| Opt {
            udp_size: edns.udp_size,
            dnssec_ok: edns.dnssec_ok,
            options: edns.options.octets(),
        });
        self.message(&head, &Body::new(), opt, out.len(), out)
    }

    /// Writes a message that says that a zone has changed (RFC 1996 §3.7) into `out`, which has 512
    /// octets or more, and returns its length.
    pub fn notify(&mut self, id: u16, zone: Name<'_>, out: &mut [u8]) -> usize {
        let head = Head {
            id,
            opcode: Opcode::NOTIFY,
            flags: Flags::AA,
            rcode: Rcode::NOERROR,
            question: Some((zone, RecordType::SOA, Class::IN)),
        };
        self.message(&head, &Body::new(), None, out.len(), out)
    }

    fn message(
        &mut self,
        head: &Head<'_>,
        body: &Body,
        opt: Option<Opt<'_>>,
        limit: usize,
        out: &mut [u8],
    ) -> usize {
        let limit = limit.min(out.len());
        let opt = opt.map(|opt| opt.within(limit - HEADER_LEN - QUESTION_MAX));
        let opt_len = opt.as_ref().map_or(0, Opt::len);
        self.seen.clear();
        let mut at = HEADER_LEN;
        if let Some((name, rtype, class)) = head.question {
            self.seen.question_len = name.len();
            let fixed = [rtype.0.to_be_bytes(), class.0.to_be_bytes()];
            put(out, &mut at, name.octets());
            put(out, &mut at, fixed.as_flattened());
        }
        let mut writer = Writer { out, at, limit: limit - opt_len, seen: &mut self.seen };
        let mut counts = [0u16; 3];
        let mut truncated = body.overflowed();
        'sections: for (section, count) in Section::ALL.into_iter().zip(&mut counts) {
            for record in body.section(section) {
                let before = writer.at;
                if writer.record(body, record).is_none() {
                    writer.at = before;
                    truncated |= section != Section::Additional || is_referral(body);
                    break 'sections;
                }
                *count += 1;
            }
        }
        let mut at = writer.at;
        let additional = counts[2] + u16::from(opt.is_some());
        if let Some(opt) = opt {
            opt.put(head.rcode, out, &mut at);
        }
        // RFC 6891 §6.1.3: the upper bits of a code have their place in the OPT record alone.
        let is_told = head.rcode.0 <= 0xf || additional > counts[2];
        let rcode = if is_told { head.rcode } else { Rcode::SERVFAIL };
        head.put(rcode, truncated, [counts[0], counts[1], additional], out);
        at
    }
}

impl Head<'_> {
    fn put(&self, rcode: Rcode, truncated: bool, counts: [u16; 3], out: &mut [u8]) {
        let mut flags = self.flags;
        flags.set(Flags::TC, truncated || flags.has(Flags::TC));
        let low = u16::from(self.opcode.0 & 0xf) << 11 | flags.word() | rcode.0 & 0xf;
        let questions = u16::from(self.question.is_some());
        let words = [self.id, low, questions, counts[0], counts[1], counts[2]];
        for (slot, word) in out.chunks_exact_mut(2).zip(words) {
            slot.copy_from_slice(&word.to_be_bytes());
        }
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

/// RFC 9471 §3: the addresses of a referral's servers are not a courtesy.
fn is_referral(body: &Body) -> bool {
    body.answer.is_empty() && body.authority.first().is_some_and(|r| r.rtype == RecordType::NS)
}

fn put(out: &mut [u8], at: &mut usize, octets: &[u8]) {
    out[*at..*at + octets.len()].copy_from_slice(octets);
    *at += octets.len();
}

/// An OPT record to write (RFC 6891 §6.1.2).
struct Opt<'a> {
    udp_size: u16,
    dnssec_ok: bool,
    options: &'a [u8],
}

impl Opt<'_> {
    /// Octets of a record without options.
    const LEN_MIN: usize = 11;

    fn len(&self) -> usize {
        Self::LEN_MIN + self.options.len()
    }

    /// The record within so many octets: without its options if they do not fit.
    fn within(mut self, room: usize) -> Self {
        if self.len() > room {
            self.options = &[];
        }
        self
    }

    fn put(&self, rcode: Rcode, out: &mut [u8], at: &mut usize) {
        let size = self.udp_size.to_be_bytes();
        let length = (self.options.len() as u16).to_be_bytes();
        let flags = u8::from(self.dnssec_ok) << 7;
        let high = (rcode.0 >> 4) as u8;
        put(out, at, &[0, 0, 41, size[0], size[1], high, 0, flags, 0, length[0], length[1]]);
        put(out, at, self.options);
    }
}

struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
    limit: usize,
    seen: &'a mut Seen,
}

impl Writer<'_> {
    /// Appends a record; none if it passes the limit, with part of it written.
    fn record(&mut self, body: &Body, record: &Record) -> Option<()> {
        let owner = body.owner(record);
        let place = self.name(owner, true)?;
        let [t0, t1] = record.rtype.0.to_be_bytes();
        let [c0, c1] = record.class.0.to_be_bytes();
        let [l0, l1, l2, l3] = record.ttl.to_be_bytes();
        self.octets(&[t0, t1, c0, c1, l0, l1, l2, l3, 0, 0])?;
        let begin = self.at;
        let rdata = body.rdata(record);
        if record.rtype == RecordType::SOA {
            self.soa(rdata, owner, place)?;
        } else {
            self.rdata(record.rtype, rdata)?;
        }
        let length = (self.at - begin) as u16;
        self.out[begin - 2..begin].copy_from_slice(&length.to_be_bytes());
        Some(())
    }

    /// The data of an SOA record, whose names nearly always end with its owner, which stands at
    /// `place`. Every denial has one, so it is worth not looking them up.
    fn soa(&mut self, rdata: &[u8], owner: Name<'_>, place: u16) -> Option<()> {
        let mut rest = rdata;
        for _ in 0..2 {
            let name = Name::prefix_of(rest).ok()?;
            rest = &rest[name.len()..];
            match name.labels_above(owner) {
                Some(labels) if !owner.is_root() && place <= Seen::PLACE_MAX => {
                    self.octets(labels)?;
                    self.octets(&(0xc000 | place).to_be_bytes())?;
                }
                _ => _ = self.name(name, true)?,
            }
        }
        self.octets(rest)
    }

    fn rdata(&mut self, rtype: RecordType, rdata: &[u8]) -> Option<()> {
        let mut rest = rdata;
        for part in rdata::parts(rtype) {
            let length = match part {
                Part::Fixed(length) => *length,
                Part::String => 1 + *rest.first()? as usize,
                Part::Rest => rest.len(),
                Part::Name | Part::PlainName => {
                    let name = Name::prefix_of(rest).ok()?;
                    self.name(name, *part == Part::Name)?;
                    rest = &rest[name.len()..];
                    continue;
                }
            };
            let (octets, after) = rest.split_at_checked(length)?;
            self.octets(octets)?;
            rest = after;
        }
        Some(())
    }

    fn octets(&mut self, octets: &[u8]) -> Option<()> {
        let end = self.at + octets.len();
        if end > self.limit {
            return None;
        }
        self.out[self.at..end].copy_from_slice(octets);
        self.at = end;
        Some(())
    }

    /// Writes a name, ending it with a pointer to where its longest known suffix stands. Where the
    /// name itself can be pointed at.
    fn name(&mut self, name: Name<'_>, compress: bool) -> Option<u16> {
        let octets = name.octets();
        // Nearly every owner is the name that was asked for, or a zone that it lies in.
        if compress && let Some(place) = self.seen.in_question(self.out, octets) {
            self.octets(&(0xc000 | place).to_be_bytes())?;
            return Some(place);
        }
        self.seen.add_question(self.out);
        let begin = self.at;
        let (split, pointer) =
            if compress { self.longest_known(octets) } else { (octets.len() - 1, None) };
        self.seen.add_labels(begin, &octets[..split], octets.len());
        self.octets(&octets[..split])?;
        match pointer {
            Some(place) => {
                self.octets(&(0xc000 | place).to_be_bytes())?;
                Some(if split == 0 { place } else { begin as u16 })
            }
            None => {
                self.octets(&[0])?;
                Some(begin as u16)
            }
        }
    }

    /// Where in the name its longest suffix begins that stands in the message, and where that is.
    fn longest_known(&self, octets: &[u8]) -> (usize, Option<u16>) {
        let mut at = 0;
        while octets[at] != 0 {
            if let Some(place) = self.seen.find(self.out, &octets[at..]) {
                return (at, Some(place));
            }
            at += 1 + octets[at] as usize;
        }
        (at, None)
    }
}

/// Where names stand in the message, so that later ones can point at them.
///
/// Each label has an entry, up to 255 of them: a message with more names is compressed a little less.
/// Entries hang together by the length of the name that begins at them, which nearly always tells
/// names apart.
struct Seen {
    entries: [Entry; Self::MAX],
    count: usize,
    /// The latest entry for a name of this length, if its bit is set in `present`.
    latest: [u8; 256],
    present: [u64; 4],
    /// Octets of the name that was asked for, which stands behind the header; 0 if there is none.
    question_len: usize,
    /// Whether there are entries for it: only names that are not it need them.
    has_question: bool,
}

#[derive(Clone, Copy)]
struct Entry {
    place: u16,
    /// The entry before for a name of the same length; itself if there is none.
    before: u8,
}

impl Seen {
    const MAX: usize = 255;
    /// The last place that a pointer can name (RFC 1035 §4.1.4).
    const PLACE_MAX: u16 = 0x3fff;

    fn new() -> Self {
        Self {
            entries: [Entry { place: 0, before: 0 }; Self::MAX],
            count: 0,
            latest: [0; 256],
            present: [0; 4],
            question_len: 0,
            has_question: false,
        }
    }

    fn clear(&mut self) {
        self.count = 0;
        self.present = [0; 4];
        self.question_len = 0;
        self.has_question = false;
    }

    /// Where `name` stands if it is the name that was asked for, or one above it, but not the root.
    fn in_question(&self, out: &[u8], name: &[u8]) -> Option<u16> {
        let split = self.question_len.checked_sub(name.len()).filter(|_| name.len() > 1)?;
        let question = &out[HEADER_LEN..HEADER_LEN + self.question_len];
        let tail = &question[split..];
        if tail != name && !tail.eq_ignore_ascii_case(name) {
            return None;
        }
        // The tail may begin inside of a label: only a label's beginning counts.
        let mut at = 0;
        while at < split {
            at += 1 + usize::from(question[at]);
        }
        (at == split).then_some((HEADER_LEN + split) as u16)
    }

    /// Remembers the labels of the name that was asked for, once.
    fn add_question(&mut self, out: &[u8]) {
        if !self.has_question && self.question_len > 0 {
            self.has_question = true;
            let length = self.question_len;
            self.add_labels(HEADER_LEN, &out[HEADER_LEN..HEADER_LEN + length - 1], length);
        }
    }

    /// Remembers each label of `labels`, which is written at `place` and begins a name of
    /// `length` octets.
    fn add_labels(&mut self, place: usize, labels: &[u8], length: usize) {
        let (mut rest, mut at) = (labels, 0);
        while let Some(&label) = rest.first() {
            let Some(entry) = self.entries.get_mut(self.count) else { return };
            if place + at > usize::from(Self::PLACE_MAX) {
                return;
            }
            let length = (length - at) as u8;
            let (word, bit) = (usize::from(length / 64), 1 << (length % 64));
            let index = self.count as u8;
            let is_first = self.present[word] & bit == 0;
            let before = if is_first { index } else { self.latest[usize::from(length)] };
            *entry = Entry { place: (place + at) as u16, before };
            self.present[word] |= bit;
            self.latest[usize::from(length)] = index;
            self.count += 1;
            let step = 1 + usize::from(label);
            at += step;
            rest = rest.get(step..).unwrap_or_default();
        }
    }

    /// Where a name equal to `suffix` (whole labels and root) stands.
    fn find(&self, out: &[u8], suffix: &[u8]) -> Option<u16> {
        let length = suffix.len() as u8;
        if self.present[usize::from(length / 64)] & 1 << (length % 64) == 0 {
            return None;
        }
        let mut index = self.latest[usize::from(length)];
        loop {
            let Entry { place, before } = *self.entries.get(usize::from(index))?;
            if stands_at(out, usize::from(place), suffix) {
                return Some(place);
            }
            if before == index {
                return None;
            }
            index = before;
        }
    }
}

/// Whether the name at `place`, pointers followed, is `name` (RFC 4343: whatever its case).
fn stands_at(out: &[u8], place: usize, name: &[u8]) -> bool {
    // It nearly always stands there in one piece, and in the same case.
    out.get(place..place + name.len()) == Some(name) || stands_in_pieces_at(out, place, name)
}

fn stands_in_pieces_at(out: &[u8], mut place: usize, mut name: &[u8]) -> bool {
    loop {
        let length = out[place];
        if length >= 0xc0 {
            // Pointers only lead backwards, so this ends.
            place = (usize::from(length) & 0x3f) << 8 | out[place + 1] as usize;
            continue;
        }
        let size = 1 + length as usize;
        if name.len() < size || !out[place..place + size].eq_ignore_ascii_case(&name[..size]) {
            return false;
        }
        if length == 0 {
            return true;
        }
        name = &name[size..];
        place += size;
    }
}
