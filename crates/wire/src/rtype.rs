//! Record types and classes with their mnemonics (RFC 1035 §3.2, RFC 3597 §5, the IANA registry).

use std::fmt;
use std::str::FromStr;

/// The type of a record, or of a question.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordType(pub u16);

/// The class of a record, or of a question.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Class(pub u16);

macro_rules! registry {
    ($of:ident, $generic:literal, $what:literal: $($name:ident $text:literal $code:literal,)+) => {
        #[expect(missing_docs, reason = "the mnemonics of the registry")]
        impl $of {
            $(pub const $name: Self = Self($code);)+

            /// The mnemonic, where the registry has one.
            pub fn mnemonic(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($text),)+
                    _ => None,
                }
            }
        }

        /// The mnemonic in any case, or the generic form of RFC 3597 §5.
        impl FromStr for $of {
            type Err = UnknownMnemonic;

            fn from_str(text: &str) -> Result<Self, UnknownMnemonic> {
                $(if text.eq_ignore_ascii_case($text) {
                    return Ok(Self($code));
                })+
                generic_code(text, $generic).map(Self).ok_or(UnknownMnemonic { what: $what })
            }
        }

        /// The mnemonic, or the generic form of RFC 3597 §5.
        impl fmt::Display for $of {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.mnemonic() {
                    Some(text) => f.write_str(text),
                    None => write!(f, concat!($generic, "{}"), self.0),
                }
            }
        }

        impl fmt::Debug for $of {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

registry! { RecordType, "TYPE", "record type":
    A "A" 1, NS "NS" 2, MD "MD" 3, MF "MF" 4, CNAME "CNAME" 5, SOA "SOA" 6, MB "MB" 7, MG "MG" 8,
    MR "MR" 9, NULL "NULL" 10, PTR "PTR" 12, HINFO "HINFO" 13, MINFO "MINFO" 14, MX "MX" 15,
    TXT "TXT" 16, RP "RP" 17, AFSDB "AFSDB" 18, X25 "X25" 19, ISDN "ISDN" 20, RT "RT" 21,
    NSAP_PTR "NSAP-PTR" 23, SIG "SIG" 24, KEY "KEY" 25, PX "PX" 26, GPOS "GPOS" 27, AAAA "AAAA" 28,
    LOC "LOC" 29, NXT "NXT" 30, EID "EID" 31, NIMLOC "NIMLOC" 32, SRV "SRV" 33, NAPTR "NAPTR" 35,
    KX "KX" 36, CERT "CERT" 37, DNAME "DNAME" 39, OPT "OPT" 41, APL "APL" 42, DS "DS" 43,
    SSHFP "SSHFP" 44, IPSECKEY "IPSECKEY" 45, RRSIG "RRSIG" 46, NSEC "NSEC" 47, DNSKEY "DNSKEY" 48,
    DHCID "DHCID" 49, NSEC3 "NSEC3" 50, NSEC3PARAM "NSEC3PARAM" 51, TLSA "TLSA" 52,
    SMIMEA "SMIMEA" 53, HIP "HIP" 55, NINFO "NINFO" 56, RKEY "RKEY" 57, TALINK "TALINK" 58,
    CDS "CDS" 59, CDNSKEY "CDNSKEY" 60, OPENPGPKEY "OPENPGPKEY" 61, CSYNC "CSYNC" 62,
    ZONEMD "ZONEMD" 63, SVCB "SVCB" 64, HTTPS "HTTPS" 65, SPF "SPF" 99, UINFO "UINFO" 100,
    UID "UID" 101, GID "GID" 102, UNSPEC "UNSPEC" 103, NID "NID" 104, L32 "L32" 105, L64 "L64" 106,
    LP "LP" 107, EUI48 "EUI48" 108, EUI64 "EUI64" 109, NXNAME "NXNAME" 128, TKEY "TKEY" 249,
    TSIG "TSIG" 250, IXFR "IXFR" 251, AXFR "AXFR" 252, MAILB "MAILB" 253, MAILA "MAILA" 254,
    ANY "ANY" 255, URI "URI" 256, CAA "CAA" 257, AVC "AVC" 258, AMTRELAY "AMTRELAY" 260,
    RESINFO "RESINFO" 261, TA "TA" 32768, DLV "DLV" 32769,
}

registry! { Class, "CLASS", "class":
    IN "IN" 1, CS "CS" 2, CH "CH" 3, HS "HS" 4, NONE "NONE" 254, ANY "ANY" 255,
}

/// The number behind `prefix`: digits alone, "with no embedded white space" (RFC 3597 §5).
fn generic_code(text: &str, prefix: &str) -> Option<u16> {
    let (head, digits) = text.split_at_checked(prefix.len())?;
    let is_generic =
        head.eq_ignore_ascii_case(prefix) && digits.bytes().all(|octet| octet.is_ascii_digit());
    is_generic.then(|| digits.parse().ok())?
}

impl RecordType {
    /// Whether records of this type hold an address.
    pub fn is_address(self) -> bool {
        matches!(self, Self::A | Self::AAAA)
    }

    /// Whether this asks for a transfer of a whole zone (RFC 5936, RFC 1995).
    pub fn is_transfer(self) -> bool {
        matches!(self, Self::AXFR | Self::IXFR)
    }
}

/// The text is no mnemonic that the registry knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownMnemonic {
    what: &'static str,
}

impl fmt::Display for UnknownMnemonic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {}", self.what)
    }
}

impl std::error::Error for UnknownMnemonic {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mnemonics_and_generic_forms() {
        assert_eq!("aaaa".parse(), Ok(RecordType::AAAA));
        assert_eq!("TYPE28".parse(), Ok(RecordType::AAAA));
        assert_eq!(RecordType(65_280).to_string(), "TYPE65280");
        assert_eq!("CLASS3".parse(), Ok(Class::CH));
        assert!("TYPE".parse::<RecordType>().is_err());
        assert!("TYPE65536".parse::<RecordType>().is_err());
        assert!("AAAAA".parse::<RecordType>().is_err());
        assert!("TYPE+28".parse::<RecordType>().is_err());
        assert!("CLASS+1".parse::<Class>().is_err());
    }
}
