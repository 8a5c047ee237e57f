//! What record data are made of: the one table of types and their fields.
//!
//! Everything that takes record data apart derives from it: reading and writing messages (the
//! [`Part`]s, worked out at compile time) and reading and writing text (the [`Field`]s). A type that
//! is not listed is octets without a form (RFC 3597 §2).

use crate::RecordType;
use crate::rdata::Part;

/// A field of record data, in the order of both the octets and the text.
#[derive(Debug)]
pub(crate) struct Field {
    /// What the type's RFC calls it, for messages about mistakes.
    pub name: &'static str,
    /// How it is written.
    pub kind: Kind,
}

/// How a field is written, in octets and in text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A name that RFC 1035 allows to be compressed.
    Name,
    /// A name that must not be compressed (RFC 3597 §4).
    PlainName,
    /// One octet as a number.
    U8,
    /// Two octets as a number.
    U16,
    /// Four octets as a number.
    U32,
    /// Four octets of seconds; the text may have units (`1h30m`).
    Seconds,
    /// Four octets of seconds since 1970; the text may be `YYYYMMDDHHmmSS` (RFC 4034 §3.2).
    Time,
    /// Two octets: a record type.
    Type,
    /// One octet: a DNSSEC algorithm, read by number or mnemonic.
    Algorithm,
    /// Two octets: a certificate type (RFC 4398 §2.1), read by number or mnemonic.
    CertificateType,
    /// Four octets in dotted form.
    Ipv4,
    /// Sixteen octets in the form of RFC 5952.
    Ipv6,
    /// Eight octets as four groups of hexadecimal digits (RFC 6742 §2.1).
    Locator64,
    /// This many octets as pairs of hexadecimal digits with dashes between (RFC 7043).
    Eui(usize),
    /// A character string: a length octet and as many octets (RFC 1035 §3.3).
    String,
    /// The same, written without quotes where that reads the same.
    Word,
    /// The same, of letters and digits alone (RFC 8659 §4.1).
    Tag,
    /// A character string that may be left out at the end.
    OptionalString,
    /// One character string or more, up to the end.
    Strings,
    /// All remaining octets as one quoted string, without a length octet.
    Text,
    /// All remaining octets, at least one, in hexadecimal.
    Hex,
    /// All remaining octets, at least one, in Base64.
    Base64,
    /// The same, or nothing.
    OptionalBase64,
    /// A length octet and as many octets in hexadecimal, `-` for none (RFC 5155 §3.3).
    Salt,
    /// A length octet and as many octets in Base32 (RFC 5155 §3.3).
    Hash,
    /// The bitmaps of types of RFC 4034 §4.1.2, up to the end.
    Types,
    /// The single bitmap of RFC 2535 §5.2, up to the end.
    OldTypes,
    /// The parameters of RFC 9460 §2.1, up to the end.
    Parameters,
    /// All of a LOC record (RFC 1876).
    Location,
    /// All of an APL record (RFC 3123).
    Prefixes,
    /// Gateway type, algorithm and gateway of an IPSECKEY record (RFC 4025 §2.1).
    Gateway,
    /// Discovery bit, relay type and relay of an AMTRELAY record (RFC 8777 §4.2).
    Relay,
    /// All of a HIP record (RFC 8005 §5).
    HostIdentity,
}

macro_rules! forms {
    ($($rtype:ident $($same:ident)*: $($name:literal $kind:expr),+;)+) => {
        /// The fields of the data of `rtype`; none if there is no text form but that of RFC 3597.
        pub(crate) const fn fields(rtype: RecordType) -> &'static [Field] {
            match rtype {
                $(RecordType::$rtype $(| RecordType::$same)* => {
                    use Kind::*;
                    const { &[$(Field { name: $name, kind: $kind }),+] }
                })+
                _ => &[],
            }
        }

        /// Where names lie in the data of `rtype`. Types without names are one [`Part::Rest`].
        #[inline]
        pub(crate) const fn parts(rtype: RecordType) -> &'static [Part] {
            match rtype {
                $(RecordType::$rtype $(| RecordType::$same)* => {
                    static PARTS: Parts = Parts::of(fields(RecordType::$rtype));
                    const { PARTS.list() }
                })+
                _ => &[Part::Rest],
            }
        }

        /// Every type that has fields.
        #[cfg(test)]
        pub(crate) const TYPES: &[RecordType] =
            &[$(RecordType::$rtype, $(RecordType::$same,)*)+];
    };
}

forms! {
    A: "address" Ipv4;
    AAAA: "address" Ipv6;
    NS MD MF CNAME MB MG MR PTR: "target" Name;
    SOA: "primary server" Name, "mailbox" Name, "serial" U32, "refresh" Seconds, "retry" Seconds,
        "expire" Seconds, "minimum" Seconds;
    MX: "preference" U16, "exchange" Name;
    TXT SPF AVC NINFO RESINFO: "text" Strings;
    SRV: "priority" U16, "weight" U16, "port" U16, "target" PlainName;
    SVCB HTTPS: "priority" U16, "target" PlainName, "parameters" Parameters;
    CAA: "flags" U8, "tag" Tag, "value" Text;
    DNAME NSAP_PTR: "target" PlainName;
    NAPTR: "order" U16, "preference" U16, "flags" String, "services" String, "regexp" String,
        "replacement" PlainName;
    URI: "priority" U16, "weight" U16, "target" Text;

    DS CDS TA DLV: "key tag" U16, "algorithm" Algorithm, "digest type" U8, "digest" Hex;
    DNSKEY CDNSKEY KEY RKEY: "flags" U16, "protocol" U8, "algorithm" Algorithm,
        "public key" Base64;
    RRSIG SIG: "type covered" Type, "algorithm" Algorithm, "labels" U8, "original TTL" U32,
        "expiration" Time, "inception" Time, "key tag" U16, "signer" PlainName,
        "signature" Base64;
    NSEC: "next name" PlainName, "types" Types;
    NXT: "next name" PlainName, "types" OldTypes;
    NSEC3: "hash algorithm" U8, "flags" U8, "iterations" U16, "salt" Salt, "next hashed name" Hash,
        "types" Types;
    NSEC3PARAM: "hash algorithm" U8, "flags" U8, "iterations" U16, "salt" Salt;
    CSYNC: "serial" U32, "flags" U16, "types" Types;
    ZONEMD: "serial" U32, "scheme" U8, "hash algorithm" U8, "digest" Hex;

    TLSA SMIMEA: "usage" U8, "selector" U8, "matching type" U8, "certificate data" Hex;
    SSHFP: "algorithm" U8, "fingerprint type" U8, "fingerprint" Hex;
    CERT: "type" CertificateType, "key tag" U16, "algorithm" Algorithm, "certificate" Base64;
    OPENPGPKEY: "public key" Base64;
    IPSECKEY: "precedence" U8, "gateway" Gateway, "public key" OptionalBase64;
    AMTRELAY: "precedence" U8, "relay" Relay;
    HIP: "host identity" HostIdentity;
    DHCID: "digest" Base64;

    LOC: "location" Location;
    GPOS: "longitude" Word, "latitude" Word, "altitude" Word;
    APL: "prefixes" Prefixes;
    NID: "preference" U16, "node id" Locator64;
    L64: "preference" U16, "locator" Locator64;
    L32: "preference" U16, "locator" Ipv4;
    LP: "preference" U16, "target" PlainName;
    EUI48: "address" Eui(6);
    EUI64: "address" Eui(8);

    HINFO: "processor" String, "operating system" String;
    MINFO: "responsible mailbox" Name, "error mailbox" Name;
    RP: "mailbox" PlainName, "text name" PlainName;
    AFSDB: "subtype" U16, "host" PlainName;
    RT: "preference" U16, "host" PlainName;
    KX: "preference" U16, "exchanger" PlainName;
    PX: "preference" U16, "RFC 822 name" PlainName, "X.400 name" PlainName;
    TALINK: "previous name" PlainName, "next name" PlainName;
    X25: "address" Word;
    ISDN: "address" String, "subaddress" OptionalString;
    EID: "endpoint" Hex;
    NIMLOC: "locator" Hex;
    UINFO: "text" String;
    UID: "user id" U32;
    GID: "group id" U32;
}

/// A list of parts that is made at compile time.
struct Parts {
    list: [Part; Self::MAX],
    count: usize,
}

impl Parts {
    const MAX: usize = 8;

    /// What remains of `fields` if only names are of interest: fixed fields run together, and
    /// everything behind the last name is one part.
    const fn of(fields: &[Field]) -> Self {
        let names = names_in(fields);
        let mut parts = Self { list: [Part::Rest; Self::MAX], count: 0 };
        let (mut at, mut seen, mut fixed) = (0, 0, 0);
        while at < fields.len() {
            let kind = fields[at].kind;
            at += 1;
            if let Some(length) = fixed_length(kind) {
                fixed += length;
                continue;
            }
            if fixed > 0 && seen < names {
                parts.push(Part::Fixed(fixed));
                fixed = 0;
            }
            match kind {
                Kind::Name => parts.push(Part::Name),
                Kind::PlainName => parts.push(Part::PlainName),
                Kind::String if seen < names => {
                    parts.push(Part::String);
                    continue;
                }
                _ => {
                    parts.push(Part::Rest);
                    return parts;
                }
            }
            seen += 1;
        }
        if names == 0 {
            parts.push(Part::Rest);
        } else if fixed > 0 {
            parts.push(Part::Fixed(fixed));
        }
        parts
    }

    const fn push(&mut self, part: Part) {
        self.list[self.count] = part;
        self.count += 1;
    }

    const fn list(&'static self) -> &'static [Part] {
        self.list.split_at(self.count).0
    }
}

const fn names_in(fields: &[Field]) -> usize {
    let (mut at, mut names) = (0, 0);
    while at < fields.len() {
        names += matches!(fields[at].kind, Kind::Name | Kind::PlainName) as usize;
        at += 1;
    }
    names
}

/// The octets of a field that always has the same number of them.
const fn fixed_length(kind: Kind) -> Option<usize> {
    match kind {
        Kind::U8 | Kind::Algorithm => Some(1),
        Kind::U16 | Kind::Type | Kind::CertificateType => Some(2),
        Kind::U32 | Kind::Seconds | Kind::Time | Kind::Ipv4 => Some(4),
        Kind::Locator64 => Some(8),
        Kind::Ipv6 => Some(16),
        Kind::Eui(length) => Some(length),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_from_fields() {
        use Part::{Fixed, Name, PlainName, Rest, String};
        let expected: [(RecordType, &[Part]); 14] = [
            (RecordType::A, &[Rest]),
            (RecordType::CNAME, &[Name]),
            (RecordType::SOA, &[Name, Name, Fixed(20)]),
            (RecordType::MINFO, &[Name, Name]),
            (RecordType::MX, &[Fixed(2), Name]),
            (RecordType::RP, &[PlainName, PlainName]),
            (RecordType::PX, &[Fixed(2), PlainName, PlainName]),
            (RecordType::RRSIG, &[Fixed(18), PlainName, Rest]),
            (RecordType::NSEC, &[PlainName, Rest]),
            (RecordType::NAPTR, &[Fixed(4), String, String, String, PlainName]),
            (RecordType::SRV, &[Fixed(6), PlainName]),
            (RecordType::HTTPS, &[Fixed(2), PlainName, Rest]),
            (RecordType::TXT, &[Rest]),
            (RecordType::HIP, &[Rest]),
        ];
        for (rtype, expected) in expected {
            assert_eq!(parts(rtype), expected, "{rtype}");
        }
        assert_eq!(parts(RecordType(65_280)), [Rest]);
        for rtype in TYPES {
            assert!(names_in(fields(*rtype)) > 0 || parts(*rtype) == [Rest], "{rtype}");
        }
    }

    /// RFC 3597 §4: only the types of RFC 1035 may have compressed names.
    #[test]
    fn no_newer_type_is_compressed() {
        for rtype in TYPES {
            let compressed = parts(*rtype).contains(&Part::Name);
            assert!(!compressed || rtype.0 <= RecordType::TXT.0, "{rtype}");
        }
    }
}
