//! The second word of the header: opcode and flags (RFC 1035 §4.1.1, RFC 4035 §3.1.6).

/// Octets of a message's header.
pub const HEADER_LEN: usize = 12;

/// What kind of request a message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Opcode(pub u8);

impl Opcode {
    /// A standard query.
    pub const QUERY: Self = Self(0);
    /// A zone has changed (RFC 1996).
    pub const NOTIFY: Self = Self(4);
}

/// The flags without opcode and response code, as they stand in the header.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Flags(u16);

impl Flags {
    /// This is a response.
    pub const QR: Self = Self(0x8000);
    /// Authoritative answer.
    pub const AA: Self = Self(0x0400);
    /// Truncated.
    pub const TC: Self = Self(0x0200);
    /// Recursion desired.
    pub const RD: Self = Self(0x0100);
    /// Recursion available.
    pub const RA: Self = Self(0x0080);
    /// Authentic data.
    pub const AD: Self = Self(0x0020);
    /// Checking disabled.
    pub const CD: Self = Self(0x0010);

    const ALL: u16 = 0x87b0;

    /// No flag set.
    pub const fn none() -> Self {
        Self(0)
    }

    /// The flags of a header's second word.
    pub const fn from_word(word: u16) -> Self {
        Self(word & Self::ALL)
    }

    /// The bits in their places.
    pub const fn word(self) -> u16 {
        self.0
    }

    /// Whether all of `flags` are set.
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These and `flags`.
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    /// These without `flags`.
    #[must_use]
    pub const fn without(self, flags: Self) -> Self {
        Self(self.0 & !flags.0)
    }

    /// Of these, only the ones that are among `flags`.
    #[must_use]
    pub const fn only(self, flags: Self) -> Self {
        Self(self.0 & flags.0)
    }

    /// Sets or clears `flags`.
    pub const fn set(&mut self, flags: Self, on: bool) {
        *self = if on { self.with(flags) } else { self.without(flags) };
    }
}

/// The opcode of a header's second word.
pub(crate) const fn opcode_of(word: u16) -> Opcode {
    Opcode((word >> 11 & 0xf) as u8)
}
