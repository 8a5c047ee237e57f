//! The fields of a message, one after the other.
//!
//! Protocol Buffers, "Encoding": a message is a row of fields, each with a number, a wire type, and a
//! value whose length follows from the type.

use super::Malformed;

/// The fields of a message. Ends after the first that is malformed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(&'a [u8]);

/// The value of a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Value<'a> {
    /// Wire type 0: an integer, a boolean.
    Number(u64),
    /// Wire type 2: text, a message, an entry of a map.
    Octets(&'a [u8]),
    /// Wire types 1 and 5, which no field that we know has.
    Fixed,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn read(&mut self) -> Result<(u32, Value<'a>), Malformed> {
        let key = self.number()?;
        let number = u32::try_from(key >> 3).map_err(|_| Malformed::Field)?;
        let value = match key & 7 {
            0 => Value::Number(self.number()?),
            1 => self.octets(8).map(|_| Value::Fixed)?,
            2 => {
                let len = self.number()?;
                Value::Octets(self.octets(usize::try_from(len).map_err(|_| Malformed::Truncated)?)?)
            }
            5 => self.octets(4).map(|_| Value::Fixed)?,
            // Groups were given up before Kubernetes began.
            _ => return Err(Malformed::Field),
        };
        Ok((number, value))
    }

    /// A number of one to ten octets, seven bits in each, the lowest first.
    fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (&octet, rest) = self.0.split_first().ok_or(Malformed::Truncated)?;
            self.0 = rest;
            number |= u64::from(octet & 0x7f) << shift;
            if octet < 0x80 {
                return Ok(number);
            }
        }
        Err(Malformed::Field)
    }

    fn octets(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (octets, rest) = self.0.split_at_checked(len).ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(octets)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Value<'a> {
    pub(crate) fn octets(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Octets(octets) => Ok(octets),
            _ => Err(Malformed::Type),
        }
    }

    pub(crate) fn number(self) -> Result<u64, Malformed> {
        match self {
            Self::Number(number) => Ok(number),
            _ => Err(Malformed::Type),
        }
    }
}

/// The last value of a field: the one that counts if there are several.
pub(super) fn last(message: &[u8], number: u32) -> Result<Option<Value<'_>>, Malformed> {
    let mut found = None;
    for field in Fields::of(message) {
        let (each, value) = field?;
        if each == number {
            found = Some(value);
        }
    }
    Ok(found)
}

/// Octets that are text.
pub(crate) fn text(octets: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(octets).map_err(|_| Malformed::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(octets: &[u8]) -> Result<Vec<(u32, Value<'_>)>, Malformed> {
        Fields::of(octets).collect()
    }

    #[test]
    fn each_wire_type() {
        let octets = b"\x08\x96\x01\x12\x03abc\x19\0\0\0\0\0\0\0\0\x25\0\0\0\0\xc0\x3e\x7f";
        let expected = [
            (1, Value::Number(150)),
            (2, Value::Octets(b"abc")),
            (3, Value::Fixed),
            (4, Value::Fixed),
            (1000, Value::Number(127)),
        ];
        assert_eq!(all(octets).unwrap(), expected);
        let largest = [0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        assert_eq!(all(&largest).unwrap(), [(1, Value::Number(u64::MAX))]);
        assert_eq!(last(b"\x08\x01\x10\x02\x08\x03", 1).unwrap(), Some(Value::Number(3)));
        assert_eq!(last(b"\x08\x01", 2).unwrap(), None);
    }

    #[test]
    fn what_is_cut_off_or_unknown_is_malformed() {
        for octets in [
            &b"\x08"[..],
            b"\x08\x80",
            b"\x12\x04abc",
            b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x19\0\0\0",
            b"\x25\0",
        ] {
            assert!(matches!(all(octets), Err(Malformed::Truncated)), "{octets:?}");
        }
        for octets in
            [&b"\x0b"[..], b"\x0c", b"\x0f", &[0x80; 11], &[0xf8, 255, 255, 255, 255, 255, 1]]
        {
            assert!(matches!(all(octets), Err(Malformed::Field)), "{octets:?}");
        }
    }
}
