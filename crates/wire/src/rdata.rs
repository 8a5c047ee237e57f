//! Where names lie in record data.
//!
//! Record data is kept uncompressed. To read it out of a message, to write it compressed and to
//! change a name inside of it, one has to know where its names are; of everything else only the
//! length matters here.

pub(crate) use crate::forms::parts;
use crate::{Name, RecordType};

/// A part of record data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// This many octets.
    Fixed(usize),
    /// A length octet and as many octets.
    String,
    /// A name that RFC 1035 allows to be compressed.
    Name,
    /// A name that must not be compressed, but is read compressed all the same (RFC 3597 §4).
    PlainName,
    /// Whatever remains.
    Rest,
}

/// Whether `rdata` are made of the parts of `rtype` and nothing else, so that they can be sent,
/// compressed and renamed.
pub(crate) fn is_whole(rtype: RecordType, rdata: &[u8]) -> bool {
    let length = address_length(rtype);
    length.is_none_or(|length| rdata.len() == length) && rest_of(rtype, rdata) == Some(0)
}

/// The octets of an address, if data of `rtype` are one.
pub(crate) fn address_length(rtype: RecordType) -> Option<usize> {
    match rtype {
        RecordType::A => Some(4),
        RecordType::AAAA => Some(16),
        _ => None,
    }
}

/// How many octets remain behind the last part.
fn rest_of(rtype: RecordType, rdata: &[u8]) -> Option<usize> {
    let mut rest = rdata;
    for part in parts(rtype) {
        let length = match part {
            Part::Fixed(length) => *length,
            Part::String => 1 + *rest.first()? as usize,
            Part::Name | Part::PlainName => Name::prefix_of(rest).ok()?.len(),
            Part::Rest => rest.len(),
        };
        rest = rest.get(length..)?;
    }
    Some(rest.len())
}

/// The first name inside the data of `rtype` (the target of a CNAME, NS, MX, SRV, PTR, SVCB …), if
/// it has one.
pub(crate) fn first_name(rtype: RecordType, rdata: &[u8]) -> Option<Name<'_>> {
    let mut at = 0;
    for part in parts(rtype) {
        match part {
            Part::Fixed(length) => at += length,
            Part::String => at += 1 + *rdata.get(at)? as usize,
            Part::Name | Part::PlainName => return Name::prefix_of(rdata.get(at..)?).ok(),
            Part::Rest => return None,
        }
    }
    None
}

impl RecordType {
    /// The first name in data of this type (the target of CNAME, NS, MX, SRV, PTR, SVCB …), if it
    /// has one.
    pub fn target(self, rdata: &[u8]) -> Option<Name<'_>> {
        first_name(self, rdata)
    }
}
