//! Character strings (RFC 1035 §3.3 and §5.1).

use crate::name::unescape;
use std::fmt::{self, Write as _};

/// The most octets of one character string.
pub(super) const STRING_MAX: usize = 255;

/// Appends the octets that `text` stands for. None if an escape is broken.
pub(super) fn unescape_into(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = text;
    while let Some(&octet) = rest.first() {
        let (octet, length) = if octet == b'\\' { unescape(rest).ok()? } else { (octet, 1) };
        out.push(octet);
        rest = &rest[length..];
    }
    Some(())
}

/// Octets as a string in quotes.
pub(super) struct Quoted<'a>(pub &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for &octet in self.0 {
            match octet {
                b'"' | b'\\' => write!(f, "\\{}", octet as char)?,
                b' '..=b'~' => f.write_char(octet as char)?,
                _ => write!(f, "\\{octet:03}")?,
            }
        }
        f.write_char('"')
    }
}

/// Octets as a word without quotes if they can be one, else in quotes.
pub(super) struct Bare<'a>(pub &'a [u8]);

impl fmt::Display for Bare<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |octet: &u8| octet.is_ascii_alphanumeric() || b"+-._".contains(octet);
        match std::str::from_utf8(self.0) {
            Ok(text) if !text.is_empty() && self.0.iter().all(plain) => f.write_str(text),
            _ => Quoted(self.0).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_printed_bare() {
        assert_eq!(Bare(b"-32.6882").to_string(), "-32.6882");
        assert_eq!(Bare(b"a b").to_string(), r#""a b""#);
        assert_eq!(Bare(b"").to_string(), r#""""#);
        assert_eq!(Quoted(b"a\"\\\x07;").to_string(), r#""a\"\\\007;""#);
    }

    proptest! {
        #[test]
        fn every_string_is_read_back(octets in prop::collection::vec(any::<u8>(), 0..40)) {
            let text = Quoted(&octets).to_string();
            let mut back = Vec::new();
            unescape_into(&text.as_bytes()[1..text.len() - 1], &mut back).unwrap();
            prop_assert_eq!(back, octets);
        }
    }
}
