//! Response codes (RFC 1035 §4.1.1, RFC 6895 §2.3).

use std::fmt;
use std::str::FromStr;

/// A response code: four bits in the header, eight more in the OPT record (RFC 6891 §6.1.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Rcode(pub u16);

macro_rules! rcodes {
    ($($name:ident $text:literal $code:literal,)+) => {
        #[expect(missing_docs, reason = "the mnemonics of the registry")]
        impl Rcode {
            $(pub const $name: Self = Self($code);)+

            /// The mnemonic, where the registry has one.
            pub fn mnemonic(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($text),)+
                    _ => None,
                }
            }
        }

        /// The mnemonic in any case.
        impl FromStr for Rcode {
            type Err = UnknownRcode;

            fn from_str(text: &str) -> Result<Self, UnknownRcode> {
                $(if text.eq_ignore_ascii_case($text) {
                    return Ok(Self($code));
                })+
                Err(UnknownRcode)
            }
        }
    };
}

rcodes! {
    NOERROR "NOERROR" 0, FORMERR "FORMERR" 1, SERVFAIL "SERVFAIL" 2, NXDOMAIN "NXDOMAIN" 3,
    NOTIMP "NOTIMP" 4, REFUSED "REFUSED" 5, YXDOMAIN "YXDOMAIN" 6, YXRRSET "YXRRSET" 7,
    NXRRSET "NXRRSET" 8, NOTAUTH "NOTAUTH" 9, NOTZONE "NOTZONE" 10, BADVERS "BADVERS" 16,
    BADKEY "BADKEY" 17, BADTIME "BADTIME" 18, BADMODE "BADMODE" 19, BADNAME "BADNAME" 20,
    BADALG "BADALG" 21, BADTRUNC "BADTRUNC" 22, BADCOOKIE "BADCOOKIE" 23,
}

/// The mnemonic, or `RCODE` and the number, as CoreDNS's metrics and log have it.
impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(text) => f.write_str(text),
            None => write!(f, "RCODE{}", self.0),
        }
    }
}

impl fmt::Debug for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no response code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownRcode;

impl fmt::Display for UnknownRcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown response code")
    }
}

impl std::error::Error for UnknownRcode {}
