//! Where names lie in record data.
//!
//! Record data is kept uncompressed. To read it out of a message, to write it compressed and to
//! change a name inside of it, one has to know where its names are; of everything else only the
//! length matters here.

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

/// The parts of the data of `rtype`. Types without names are one [`Part::Rest`].
pub(crate) const fn parts(rtype: RecordType) -> &'static [Part] {
    use Part::{Fixed, Name as Compressed, PlainName, Rest, String as Text};
    match rtype {
        RecordType::NS
        | RecordType::MD
        | RecordType::MF
        | RecordType::CNAME
        | RecordType::MB
        | RecordType::MG
        | RecordType::MR
        | RecordType::PTR => &[Compressed],
        RecordType::SOA => &[Compressed, Compressed, Fixed(20)],
        RecordType::MINFO => &[Compressed, Compressed],
        RecordType::MX => &[Fixed(2), Compressed],
        RecordType::RP | RecordType::TALINK => &[PlainName, PlainName],
        RecordType::AFSDB | RecordType::RT | RecordType::KX | RecordType::LP => {
            &[Fixed(2), PlainName]
        }
        RecordType::SIG | RecordType::RRSIG => &[Fixed(18), PlainName, Rest],
        RecordType::PX => &[Fixed(2), PlainName, PlainName],
        RecordType::NXT | RecordType::NSEC => &[PlainName, Rest],
        RecordType::NAPTR => &[Fixed(4), Text, Text, Text, PlainName],
        RecordType::SRV => &[Fixed(6), PlainName],
        RecordType::DNAME | RecordType::NSAP_PTR => &[PlainName],
        RecordType::SVCB | RecordType::HTTPS => &[Fixed(2), PlainName, Rest],
        _ => &[Rest],
    }
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
