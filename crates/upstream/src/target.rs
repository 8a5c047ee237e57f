//! Servers as a configuration writes them: the `TO` of `forward`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use wire::{BadName, NameBuf};

/// The port of DNS.
const PORT: u16 = 53;
/// The one scheme that is understood here.
const SCHEME: &str = "dns";

/// A server, or a name that stands for servers.
///
/// Reads `ADDRESS`, `ADDRESS:PORT`, `[ADDRESS]:PORT`, `NAME`, `NAME:PORT`, each with `dns://` in
/// front or without. IPv6 zone ids (`%eth0`) are dropped, as CoreDNS does. A file in the format of
/// `resolv.conf` is a matter for the caller, who may look for one before or after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A server.
    Address(SocketAddr),
    /// A name whose addresses are servers.
    Host(Box<Host>),
}

/// A name whose addresses are servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The name.
    pub name: NameBuf,
    /// The port on each of its addresses.
    pub port: u16,
}

/// The text is no [`Target`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadTarget {
    /// There is no server in the text.
    Empty,
    /// A scheme other than `dns`.
    Scheme {
        /// What stands in front of `://`.
        scheme: String,
    },
    /// What stands behind the colon is no port.
    Port {
        /// What stands there.
        text: String,
    },
    /// It looks like an address, but is none.
    Address {
        /// The text without scheme, brackets and port.
        text: String,
    },
    /// It looks like the path of a file.
    Path,
    /// It is no name either.
    Name(BadName),
}

impl FromStr for Target {
    type Err = BadTarget;

    fn from_str(text: &str) -> Result<Self, BadTarget> {
        let rest = match text.split_once("://") {
            Some((SCHEME, rest)) => rest,
            Some((scheme, _)) => return Err(BadTarget::Scheme { scheme: scheme.to_owned() }),
            None => text,
        };
        if rest.contains('/') {
            return Err(BadTarget::Path);
        }
        let (host, port) = split_port(rest)?;
        if host.is_empty() {
            return Err(BadTarget::Empty);
        }
        match parse_address(host) {
            Some(address) => Ok(Self::Address(SocketAddr::new(address, port))),
            None => parse_name(host).map(|name| Self::Host(Box::new(Host { name, port }))),
        }
    }
}

/// `ADDRESS`, with a zone id or without.
pub(crate) fn parse_address(text: &str) -> Option<IpAddr> {
    let (address, zone) = text.split_once('%').unwrap_or((text, ""));
    let address = address.parse::<IpAddr>().ok()?;
    (zone.is_empty() || address.is_ipv6()).then_some(address)
}

fn parse_name(text: &str) -> Result<NameBuf, BadTarget> {
    // No top level domain is a number, so `10.0.0.256` and `1:2:3` were meant to be addresses.
    let last = text.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    if text.contains([':', '[', ']', '%']) || last.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(BadTarget::Address { text: text.to_owned() });
    }
    text.parse().map_err(BadTarget::Name)
}

/// The host, without brackets, and the port.
fn split_port(text: &str) -> Result<(&str, u16), BadTarget> {
    if let Some(inside) = text.strip_prefix('[')
        && let Some((host, behind)) = inside.split_once(']')
    {
        return match behind.strip_prefix(':') {
            Some(port) => Ok((host, parse_port(port)?)),
            None if behind.is_empty() => Ok((host, PORT)),
            None => Err(BadTarget::Address { text: text.to_owned() }),
        };
    }
    match text.split_once(':') {
        // Two colons or more: an IPv6 address.
        Some((_, behind)) if behind.contains(':') => Ok((text, PORT)),
        Some((host, port)) => Ok((host, parse_port(port)?)),
        None => Ok((text, PORT)),
    }
}

fn parse_port(text: &str) -> Result<u16, BadTarget> {
    let port = text.parse().ok().filter(|&port| port > 0);
    port.ok_or_else(|| BadTarget::Port { text: text.to_owned() })
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.port)
    }
}

impl fmt::Display for BadTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("expected a server: an address, a name or a file"),
            Self::Scheme { scheme } => {
                write!(f, "`{scheme}://` is not supported; write `dns://` or an address alone")
            }
            Self::Port { text } => write!(f, "`{text}` is no port; write 1 to 65535"),
            Self::Address { text } => {
                write!(f, "`{text}` is no address; write `192.0.2.1`, `192.0.2.1:53`, ")?;
                f.write_str("`2001:db8::1` or `[2001:db8::1]:53`")
            }
            Self::Path => f.write_str("expected an address or a name, or the path of a file"),
            Self::Name(bad) => write!(f, "neither an address nor a name: {bad}"),
        }
    }
}

impl std::error::Error for BadTarget {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(text: &str) -> Option<String> {
        match text.parse() {
            Ok(Target::Address(address)) => Some(address.to_string()),
            _ => None,
        }
    }

    fn host(text: &str) -> Option<String> {
        match text.parse() {
            Ok(Target::Host(host)) => Some(host.to_string()),
            _ => None,
        }
    }

    fn bad(text: &str) -> BadTarget {
        text.parse::<Target>().unwrap_err()
    }

    #[test]
    fn addresses() {
        for (text, read) in [
            ("10.0.0.1", "10.0.0.1:53"),
            ("10.0.0.1:5353", "10.0.0.1:5353"),
            ("dns://10.0.0.1", "10.0.0.1:53"),
            ("dns://[::1]:54", "[::1]:54"),
            ("::1", "[::1]:53"),
            ("[::1]", "[::1]:53"),
            ("fe80::1%eth0", "[fe80::1]:53"),
            ("[fe80::1%2]:54", "[fe80::1]:54"),
        ] {
            assert_eq!(address(text).as_deref(), Some(read), "{text}");
        }
    }

    #[test]
    fn names() {
        assert_eq!(host("ns.example.org").as_deref(), Some("ns.example.org.:53"));
        assert_eq!(host("dns://ns.example.org.:54").as_deref(), Some("ns.example.org.:54"));
        assert_eq!(host("localhost").as_deref(), Some("localhost.:53"));
    }

    #[test]
    fn what_is_neither_says_why() {
        assert_eq!(bad(""), BadTarget::Empty);
        assert_eq!(bad("dns://"), BadTarget::Empty);
        assert_eq!(bad(":53"), BadTarget::Empty);
        assert_eq!(bad("tls://1.1.1.1"), BadTarget::Scheme { scheme: "tls".into() });
        assert_eq!(bad("/etc/resolv.conf"), BadTarget::Path);
        for port in ["0", "65536", "", "x"] {
            assert_eq!(bad(&format!("10.0.0.1:{port}")), BadTarget::Port { text: port.into() });
        }
        for text in ["10.0.0.256", "1.2.3", "1:2:3", "[::1]x", "10.0.0.1%eth0"] {
            assert!(matches!(bad(text), BadTarget::Address { .. }), "{text}");
        }
        assert_eq!(bad("a..b"), BadTarget::Name(BadName::EmptyLabel));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,40}", near in "[a-f0-9:.%\\[\\]]{0,20}") {
            let _ = text.parse::<Target>();
            let _ = near.parse::<Target>();
        }

        #[test]
        fn every_address_is_read_back(octets: [u8; 16], port in 1..=u16::MAX, four: bool) {
            let ip: IpAddr = match four {
                true => <[u8; 4]>::try_from(&octets[..4]).unwrap().into(),
                false => octets.into(),
            };
            let server = SocketAddr::new(ip, port);
            prop_assert_eq!(server.to_string().parse(), Ok(Target::Address(server)));
        }
    }
}
