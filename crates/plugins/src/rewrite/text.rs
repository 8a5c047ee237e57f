//! Names as the text that rules look at.

use std::cell::OnceCell;
use wire::{BadName, NAME_MAX, Name, NameBuf};

/// The most octets of the text of a name: each octet may take four characters.
const TEXT_MAX: usize = 4 * NAME_MAX;

/// The text of a name, or of what a rule makes of one.
///
/// In place, unless escapes make it longer than a name without them can be.
pub(super) struct Text {
    short: [u8; NAME_MAX],
    length: usize,
    /// All of a text that is longer.
    long: Vec<u8>,
    /// More was to be written than a name has.
    overflowed: bool,
}

impl Text {
    /// No text yet.
    pub(super) fn new() -> Self {
        Self { short: [0; NAME_MAX], length: 0, long: Vec::new(), overflowed: false }
    }

    /// The text of a name in lower case: with its final dot, and with the escapes that CoreDNS's rules
    /// see.
    pub(super) fn of(name: Name<'_>) -> Self {
        let mut text = Self::new();
        if is_plain(name) {
            text.push_plain(name);
        } else {
            for label in name.labels() {
                label.iter().for_each(|octet| text.push_octet(octet.to_ascii_lowercase()));
                text.push(b".");
            }
            if name.is_root() {
                text.push(b".");
            }
        }
        text
    }

    /// The octets of a plain name are its text, but for the dots.
    fn push_plain(&mut self, name: Name<'_>) {
        let octets = name.octets();
        self.length = octets.len() - 1;
        self.short[..self.length].copy_from_slice(&octets[1..]);
        let mut at = 0;
        while octets[at] != 0 {
            at += 1 + usize::from(octets[at]);
            self.short[at - 1] = b'.';
        }
    }

    fn push_octet(&mut self, octet: u8) {
        match octet {
            b'.' | b' ' | b'\'' | b'@' | b';' | b'(' | b')' | b'"' | b'\\' => {
                self.push(&[b'\\', octet]);
            }
            0x21..=0x7e => self.push(&[octet]),
            _ => {
                let digit = |value: u8| b'0' + value % 10;
                self.push(&[b'\\', digit(octet / 100), digit(octet / 10), digit(octet)]);
            }
        }
    }

    /// Appends to the text.
    pub(super) fn push(&mut self, text: &[u8]) {
        if self.as_bytes().len() + text.len() > TEXT_MAX {
            self.overflowed = true;
            return;
        }
        match self.short.get_mut(self.length..self.length + text.len()) {
            Some(room) if self.long.is_empty() => {
                room.copy_from_slice(text);
                self.length += text.len();
            }
            _ => {
                if self.long.is_empty() {
                    self.long.extend_from_slice(&self.short[..self.length]);
                }
                self.long.extend_from_slice(text);
            }
        }
    }

    /// The text.
    pub(super) fn as_bytes(&self) -> &[u8] {
        if self.long.is_empty() { &self.short[..self.length] } else { &self.long }
    }

    /// The name that the text says, with or without a final dot.
    pub(super) fn to_name(&self) -> Result<NameBuf, BadName> {
        if self.overflowed {
            return Err(BadName::Long);
        }
        NameBuf::from_text(self.as_bytes(), Name::ROOT)
    }
}

/// Whether no octet of a name needs an escape, as in nearly all names. The root's text is no copy.
fn is_plain(name: Name<'_>) -> bool {
    let plain = |label: &[u8]| label.iter().all(|octet| PLAIN[usize::from(*octet)]);
    !name.is_root() && name.labels().all(plain)
}

/// The octets that stand for themselves everywhere.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut octet = 0;
    while octet < plain.len() {
        plain[octet] = matches!(octet as u8, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'*');
        octet += 1;
    }
    plain
};

/// What is wrong is shown as CoreDNS shows it.
impl From<&Text> for Box<str> {
    fn from(text: &Text) -> Self {
        String::from_utf8_lossy(text.as_bytes()).into()
    }
}

/// A name that rules look at, in lower case; its text is made only if one wants it.
pub(super) struct Subject<'n> {
    pub(super) name: Name<'n>,
    text: OnceCell<Text>,
}

impl<'n> Subject<'n> {
    /// A name in lower case.
    pub(super) fn new(name: Name<'n>) -> Self {
        debug_assert!(name.is_lower());
        Self { name, text: OnceCell::new() }
    }

    /// Its text, with a final dot.
    pub(super) fn text(&self) -> &[u8] {
        self.text.get_or_init(|| Text::of(self.name)).as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(name: &str) -> String {
        let name: NameBuf = name.parse().unwrap();
        String::from_utf8(Text::of(name.as_name()).as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn names_look_as_in_coredns() {
        assert_eq!(text("."), ".");
        assert_eq!(text("WWW.Example.org"), "www.example.org.");
        assert_eq!(text(r"a\.b\'c$*.\000\032\200"), r"a\.b\'c$*.\000\ \200.");
    }

    #[test]
    fn more_than_a_name_is_none() {
        let mut text = Text::new();
        for _ in 0..TEXT_MAX + 1 {
            text.push(b"a");
        }
        assert_eq!(text.to_name(), Err(BadName::Long));
        let long = [
            &[63][..],
            &[0xff; 63],
            &[63],
            &[0xff; 63],
            &[63],
            &[0xff; 63],
            &[61],
            &[0xff; 61],
            &[0],
        ];
        let long = long.concat();
        let long = Name::from_octets(&long).unwrap();
        assert_eq!(Text::of(long).to_name().unwrap().as_name(), long);
    }

    proptest! {
        #[test]
        fn text_is_read_back(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..9)) {
            let mut name = NameBuf::root();
            for label in labels {
                name = NameBuf::child(&label, name.as_name()).unwrap();
            }
            prop_assert_eq!(Text::of(name.as_name()).to_name().unwrap(), name);
        }
    }
}
