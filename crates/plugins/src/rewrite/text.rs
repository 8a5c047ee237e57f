//! Names as the text that rules look at.

use std::cell::OnceCell;
use wire::{BadName, NAME_MAX, Name, NameBuf};

/// The most octets of the text of a name: each octet may take four characters.
const TEXT_MAX: usize = 4 * NAME_MAX;

/// The text of a name, or of what a rule makes of one. In place: no allocation.
pub(super) struct Text {
    octets: [u8; TEXT_MAX],
    length: usize,
    /// More was to be written than a name has.
    overflowed: bool,
}

impl Text {
    /// No text yet.
    pub(super) fn new() -> Self {
        Self { octets: [0; TEXT_MAX], length: 0, overflowed: false }
    }

    /// The name in lower case with its final dot, and with the escapes that CoreDNS's rules see.
    pub(super) fn of(name: Name<'_>) -> Self {
        let mut text = Self::new();
        for label in name.labels() {
            for octet in label {
                text.push_octet(octet.to_ascii_lowercase());
            }
            text.push(b".");
        }
        if name.is_root() {
            text.push(b".");
        }
        text
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
        match self.octets.get_mut(self.length..self.length + text.len()) {
            Some(room) => {
                room.copy_from_slice(text);
                self.length += text.len();
            }
            None => self.overflowed = true,
        }
    }

    /// The text.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.octets[..self.length]
    }

    /// The name that the text says, with or without a final dot.
    pub(super) fn to_name(&self) -> Result<NameBuf, BadName> {
        if self.overflowed {
            return Err(BadName::Long);
        }
        NameBuf::from_text(self.as_bytes(), Name::ROOT)
    }
}

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
