//! An answer under construction.

use crate::{Body, Flags, Options, Rcode};

/// Everything of a reply that is not echoed from its request.
///
/// Made once and cleared for every query, so that answering costs no allocation.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The flags; QR is set when it is written.
    pub flags: Flags,
    /// The response code.
    pub rcode: Rcode,
    /// The records.
    pub body: Body,
    /// Options for the OPT record; they go out only to clients that sent one.
    pub options: Options,
}

impl Reply {
    /// Forgets everything but its memory.
    pub fn clear(&mut self) {
        self.flags = Flags::none();
        self.rcode = Rcode::NOERROR;
        self.body.clear();
        self.options.clear();
    }

    /// Becomes `other`, in its own memory.
    pub fn copy_from(&mut self, other: &Self) {
        self.flags = other.flags;
        self.rcode = other.rcode;
        self.body.copy_from(&other.body);
        self.options.copy_from(&other.options);
    }
}
