//! Lines out of pieces.

/// The longest line that is read. An object has 1.5 MiB at most in etcd's form.
const LINE_MAX: usize = 8 << 20;

/// Puts lines together that come in pieces. Holds one unfinished line.
#[derive(Default)]
pub(super) struct Lines {
    unfinished: Vec<u8>,
    /// The line is too long: what comes until its end is dropped.
    is_long: bool,
}

impl Lines {
    /// Takes a piece and gives `each` the lines that it finishes; in the place of a line that is
    /// too long, nothing.
    pub(super) fn feed(&mut self, piece: &[u8], mut each: impl FnMut(Option<&[u8]>)) {
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
            // One large object is no reason to keep its memory for ever.
            self.unfinished.shrink_to(1 << 16);
        }
    }

    fn hold(&mut self, piece: &[u8]) {
        self.is_long |= self.unfinished.len() + piece.len() > LINE_MAX;
        if self.is_long {
            self.unfinished.clear();
        } else {
            self.unfinished.extend_from_slice(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(pieces: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.feed(piece, |line| out.push(line.map(<[u8]>::to_vec)));
        }
        out
    }

    #[test]
    fn a_line_that_is_too_long_is_one_nothing() {
        let long = vec![b'x'; LINE_MAX];
        let found = lines(&[&long, b"x", &long, b"\nshort\n", &long, b"\n"]);
        assert_eq!(found.len(), 3);
        assert_eq!((&found[0], found[1].as_deref()), (&None, Some(&b"short"[..])));
        assert_eq!(found[2].as_ref().map(Vec::len), Some(LINE_MAX));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(pieces in prop::collection::vec("[ab\n]{0,6}", 0..10)) {
            let text = pieces.concat();
            let expected: Vec<_> = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(|line| Some(line.as_bytes().to_vec())).collect();
            let pieces: Vec<_> = pieces.iter().map(|piece| piece.as_bytes()).collect();
            prop_assert_eq!(lines(&pieces), expected);
        }
    }
}
