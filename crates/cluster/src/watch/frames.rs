//! Frames out of pieces: what a server sends of a watch comes cut up anywhere.

use super::encoding::Encoding;

/// The most octets of a frame that is read. An object has 1.5 MiB at most in etcd's form.
const FRAME_MAX: usize = 8 << 20;
/// One large object is no reason to keep its memory for ever.
const KEPT_MAX: usize = 1 << 16;

/// Puts the frames of a watch together. Holds one that is unfinished.
pub(super) enum Frames {
    /// JSON: a line each.
    Lines(Lines),
    /// Protocol Buffers: each behind its length.
    Counted(Counted),
}

impl Frames {
    pub(super) fn new(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Json => Self::Lines(Lines::default()),
            Encoding::Protobuf => Self::Counted(Counted::default()),
        }
    }

    /// Takes a piece and gives `each` the frames that it finishes; in the place of a frame that is
    /// too long, nothing.
    pub(super) fn feed(&mut self, piece: &[u8], each: impl FnMut(Option<&[u8]>)) {
        match self {
            Self::Lines(lines) => lines.feed(piece, each),
            Self::Counted(counted) => counted.feed(piece, each),
        }
    }

    /// Whether nothing is left over: a stream that ends elsewhere has been cut.
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Self::Lines(lines) => lines.unfinished.is_empty() && !lines.is_long,
            Self::Counted(counted) => counted.head_len == 0 && counted.missing == 0,
        }
    }
}

/// Frames that end with a line feed.
#[derive(Default)]
pub(super) struct Lines {
    unfinished: Vec<u8>,
    /// The line is too long: what comes until its end is dropped.
    is_long: bool,
}

impl Lines {
    fn feed(&mut self, piece: &[u8], mut each: impl FnMut(Option<&[u8]>)) {
        let mut rest = piece;
        while let Some(end) = rest.iter().position(|&octet| octet == b'\n') {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            rest = after;
            if self.unfinished.is_empty() && !self.is_long {
                each(Some(line));
                continue;
            }
            self.hold(line);
            each(Some(&self.unfinished[..]).filter(|_| !self.is_long));
            self.unfinished.clear();
            self.is_long = false;
        }
        self.hold(rest);
        if rest.is_empty() && self.unfinished.is_empty() {
            self.unfinished.shrink_to(KEPT_MAX);
        }
    }

    fn hold(&mut self, piece: &[u8]) {
        self.is_long |= self.unfinished.len() + piece.len() > FRAME_MAX;
        if self.is_long {
            self.unfinished.clear();
        } else {
            self.unfinished.extend_from_slice(piece);
        }
    }
}

/// Frames behind their length: four octets, the highest first.
#[derive(Default)]
pub(super) struct Counted {
    head: [u8; 4],
    /// How much of the head is there; four while a frame is read.
    head_len: usize,
    /// How much of the frame is still to come.
    missing: usize,
    /// The frame is too long: what comes of it is dropped.
    is_long: bool,
    unfinished: Vec<u8>,
}

impl Counted {
    fn feed(&mut self, piece: &[u8], mut each: impl FnMut(Option<&[u8]>)) {
        let mut rest = piece;
        loop {
            if self.head_len < self.head.len() {
                rest = self.read_head(rest);
            }
            if self.head_len < self.head.len() {
                break;
            }
            let (part, after) = rest.split_at(rest.len().min(self.missing));
            rest = after;
            self.missing -= part.len();
            if self.missing > 0 {
                self.hold(part);
                break;
            }
            self.head_len = 0;
            if self.is_long {
                each(None);
            } else if self.unfinished.is_empty() {
                each(Some(part));
            } else {
                self.hold(part);
                each(Some(&self.unfinished[..]));
            }
            self.is_long = false;
            self.unfinished.clear();
        }
        if self.head_len == 0 {
            self.unfinished.shrink_to(KEPT_MAX);
        }
    }

    /// Takes what belongs to the head; gives back what follows.
    fn read_head<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let wanted = self.head.len() - self.head_len;
        let (part, rest) = piece.split_at(piece.len().min(wanted));
        self.head[self.head_len..self.head_len + part.len()].copy_from_slice(part);
        self.head_len += part.len();
        if self.head_len == self.head.len() {
            self.missing = u32::from_be_bytes(self.head) as usize;
            self.is_long = self.missing > FRAME_MAX;
        }
        rest
    }

    fn hold(&mut self, part: &[u8]) {
        if !self.is_long {
            self.unfinished.extend_from_slice(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames(encoding: Encoding, pieces: &[&[u8]]) -> (Vec<Option<Vec<u8>>>, bool) {
        let (mut frames, mut out) = (Frames::new(encoding), Vec::new());
        for piece in pieces {
            frames.feed(piece, |frame| out.push(frame.map(<[u8]>::to_vec)));
        }
        (out, frames.is_whole())
    }

    #[test]
    fn a_frame_that_is_too_long_is_one_nothing() {
        let long = vec![b'x'; FRAME_MAX];
        let lines: &[&[u8]] = &[&long, b"x", &long, b"\nshort\n", &long, b"\n"];
        let head = |len: usize| (len as u32).to_be_bytes();
        let (too_long, longest) = (head(FRAME_MAX + 1), head(FRAME_MAX));
        let counted: &[&[u8]] = &[&too_long, b"x", &long, &head(5), b"short", &longest, &long];
        for (encoding, pieces) in [(Encoding::Json, lines), (Encoding::Protobuf, counted)] {
            let (found, whole) = frames(encoding, pieces);
            assert!(whole);
            assert_eq!(found.len(), 3);
            assert_eq!((&found[0], found[1].as_deref()), (&None, Some(&b"short"[..])));
            assert_eq!(found[2].as_ref().map(Vec::len), Some(FRAME_MAX));
        }
    }

    #[test]
    fn a_stream_that_is_cut_is_not_whole() {
        for (encoding, text) in
            [(Encoding::Json, &b"one\n"[..]), (Encoding::Protobuf, b"\0\0\0\x03one")]
        {
            for end in 0..=text.len() {
                let (_, whole) = frames(encoding, &[&text[..end]]);
                assert_eq!(whole, end == 0 || end == text.len(), "{encoding:?} {end}");
            }
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(pieces in prop::collection::vec("[ab\n]{0,6}", 0..10)) {
            let text = pieces.concat();
            let expected: Vec<_> = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(|line| Some(line.as_bytes().to_vec())).collect();
            let pieces: Vec<_> = pieces.iter().map(|piece| piece.as_bytes()).collect();
            prop_assert_eq!(frames(Encoding::Json, &pieces).0, expected);
        }

        #[test]
        fn nor_do_they_behind_lengths(
            contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..6), cut in 1_usize..12,
        ) {
            let framed = |it: &Vec<u8>| [&(it.len() as u32).to_be_bytes()[..], it].concat();
            let octets = contents.iter().flat_map(framed).collect::<Vec<_>>();
            let pieces: Vec<_> = octets.chunks(cut).collect();
            let expected: Vec<_> = contents.into_iter().map(Some).collect();
            prop_assert_eq!(frames(Encoding::Protobuf, &pieces), (expected, true));
        }
    }
}
