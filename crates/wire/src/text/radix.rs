//! Octets as digits: hexadecimal, Base32 and Base64 (RFC 4648).

/// One way to write octets: so many bits a digit, with these digits.
pub(super) struct Radix {
    bits: u32,
    digits: &'static [u8],
    /// Whether the last group is filled up with `=`.
    padded: bool,
    /// Whether both cases of a letter are the same digit.
    caseless: bool,
}

/// RFC 4648 §8; printed in upper case as CoreDNS prints digests.
pub(super) const HEX: Radix =
    Radix { bits: 4, digits: b"0123456789ABCDEF", padded: false, caseless: true };

/// RFC 4648 §7 without padding, as RFC 5155 §3.3 has it.
pub(super) const BASE32: Radix =
    Radix { bits: 5, digits: b"0123456789ABCDEFGHIJKLMNOPQRSTUV", padded: false, caseless: true };

/// RFC 4648 §4.
pub(super) const BASE64: Radix = Radix {
    bits: 6,
    digits: b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    padded: true,
    caseless: false,
};

impl Radix {
    /// The octets as digits.
    pub(super) fn text(&self, octets: &[u8]) -> String {
        let mut text = String::with_capacity(octets.len() * 8 / self.bits as usize + 4);
        let (mut held, mut pending) = (0u32, 0u32);
        let digit = |value: u32| self.digits[(value & self.mask()) as usize] as char;
        for octet in octets {
            held = held << 8 | u32::from(*octet);
            pending += 8;
            while pending >= self.bits {
                pending -= self.bits;
                text.push(digit(held >> pending));
            }
        }
        if pending > 0 {
            text.push(digit(held << (self.bits - pending)));
        }
        while self.padded && !text.len().is_multiple_of(4) {
            text.push('=');
        }
        text
    }

    /// Appends the octets that `words`, run together, stand for.
    ///
    /// None if a digit is none, if padding is missing or misplaced, or if digits are left over.
    pub(super) fn read<'a>(
        &self,
        words: impl Iterator<Item = &'a [u8]>,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let (mut held, mut pending, mut count, mut padding) = (0u32, 0u32, 0usize, 0usize);
        for &octet in words.flatten() {
            count += 1;
            if octet == b'=' && self.padded {
                padding += 1;
                continue;
            }
            if padding > 0 {
                return None;
            }
            held = held << self.bits | self.value(octet)?;
            pending += self.bits;
            if pending >= 8 {
                pending -= 8;
                out.push((held >> pending) as u8);
            }
        }
        // What remains is less than a digit, and zero: each text has one meaning.
        let rest = held & ((1 << pending) - 1);
        let grouped = !self.padded || count.is_multiple_of(4) && padding * 2 == pending as usize;
        (pending < self.bits && rest == 0 && grouped).then_some(())
    }

    fn value(&self, octet: u8) -> Option<u32> {
        let octet = if self.caseless { octet.to_ascii_uppercase() } else { octet };
        self.digits.iter().position(|&digit| digit == octet).map(|at| at as u32)
    }

    const fn mask(&self) -> u32 {
        (1 << self.bits) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(radix: &Radix, text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        radix.read(text.split(' ').map(str::as_bytes), &mut out).map(|()| out)
    }

    /// RFC 4648 §10.
    #[test]
    fn the_vectors_of_the_rfc() {
        for (octets, hex, base32, base64) in [
            ("", "", "", ""),
            ("f", "66", "CO", "Zg=="),
            ("fo", "666F", "CPNG", "Zm8="),
            ("foo", "666F6F", "CPNMU", "Zm9v"),
            ("foob", "666F6F62", "CPNMUOG", "Zm9vYg=="),
            ("fooba", "666F6F6261", "CPNMUOJ1", "Zm9vYmE="),
            ("foobar", "666F6F626172", "CPNMUOJ1E8", "Zm9vYmFy"),
        ] {
            for (radix, text) in [(&HEX, hex), (&BASE32, base32), (&BASE64, base64)] {
                assert_eq!(radix.text(octets.as_bytes()), text);
                assert_eq!(read(radix, text).as_deref(), Some(octets.as_bytes()));
            }
        }
    }

    #[test]
    fn what_is_not_accepted() {
        assert_eq!(read(&HEX, "0a 0B"), Some(vec![10, 11]));
        assert_eq!(read(&BASE64, "Zm 9v"), Some(b"foo".to_vec()));
        for bad in ["0", "0g", "0x10", "-1"] {
            assert_eq!(read(&HEX, bad), None, "{bad}");
        }
        for bad in ["Zg", "Zg=", "Zg===", "Zh==", "=", "====", "Zg==Zg==", "Z", "Zm9v===="] {
            assert_eq!(read(&BASE64, bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn octets_are_read_back(octets in prop::collection::vec(any::<u8>(), 0..50)) {
            for radix in [&HEX, &BASE32, &BASE64] {
                prop_assert_eq!(read(radix, &radix.text(&octets)), Some(octets.clone()));
            }
        }
    }
}
