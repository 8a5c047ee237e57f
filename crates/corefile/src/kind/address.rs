//! Addresses, networks, and where to listen or send to.

use super::{Kind, Wrong, by};
use crate::zone;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// An IPv4 or IPv6 address: `10.0.0.1`, `fd00::1`.
pub fn address() -> impl Kind<Value = IpAddr> {
    by("an IP address", |word| word.parse().ok())
}

/// A network in CIDR notation, or one address: `10.0.0.0/8`, `fd00::1`.
pub fn network() -> impl Kind<Value = Network> {
    by("an IP address or a network such as `10.0.0.0/8`", |word| {
        let alone = || {
            let address: IpAddr = word.parse().ok()?;
            Some((address, if address.is_ipv4() { 32 } else { 128 }))
        };
        let (address, prefix) = zone::network(word).or_else(alone)?;
        Some(Network { address, prefix })
    })
}

/// An address with a port; without one, this port: `10.0.0.1`, `10.0.0.1:53`, `[fd00::1]:53`.
pub fn socket_address(port: u16) -> impl Kind<Value = SocketAddr> {
    by("an IP address, perhaps with a port", move |word| {
        let alone = || Some(SocketAddr::new(word.parse().ok()?, port));
        word.parse().ok().or_else(alone)
    })
}

/// Where an HTTP server listens: host and port, where no host means every address: `:8080`,
/// `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`.
pub fn host_port() -> impl Kind<Value = HostPort> {
    Listen
}

/// An address and how many of its first bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The address, with whatever bits follow the prefix.
    pub address: IpAddr,
    /// How many bits count: up to 32 for IPv4, up to 128 for IPv6.
    pub prefix: u8,
}

impl Network {
    /// Whether an address of the same family lies in it.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.leading_zeros() >= self.prefix.into()
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.leading_zeros() >= self.prefix.into()
            }
            _ => false,
        }
    }
}

/// `10.0.0.0/8`
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// A host and a port, as they stand in a URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// A name or an address without brackets; empty for every address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// `localhost:8080`, `:8080`, `[::1]:8080`
impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

struct Listen;

impl Kind for Listen {
    type Value = HostPort;

    fn read(&self, word: &str) -> Result<HostPort, Wrong> {
        if let Some(listen) = split(word) {
            return Ok(listen);
        }
        let wrong = Wrong::must_be("a host and a port, such as `:8080` or `127.0.0.1:8080`");
        Err(match word.parse::<u16>() {
            Ok(port) => wrong.hint(format!("write `:{port}`")),
            Err(_) => wrong,
        })
    }
}

fn split(word: &str) -> Option<HostPort> {
    let (host, port) = word.rsplit_once(':')?;
    let port = port.bytes().all(|octet| octet.is_ascii_digit()).then(|| port.parse().ok())??;
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = |host: &str| !host.contains([':', '[', ']', '/']);
    let host = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().ok().map(|_| address)?,
        None => Some(host).filter(|host| is_host(host))?,
    };
    Some(HostPort { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_addresses() {
        let read = |word| network().read(word).unwrap();
        let contains = |word, address: &str| read(word).contains(address.parse().unwrap());
        assert!(contains("10.1.2.3/8", "10.255.0.0"));
        assert!(!contains("10.0.0.0/8", "11.0.0.0"));
        assert!(contains("0.0.0.0/0", "255.0.0.0") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("fd00::1", "fd00::1") && !contains("fd00::1", "fd00::2"));
        assert_eq!(read("10.0.0.1").to_string(), "10.0.0.1/32");
        assert!(network().read("10.0.0.0/33").is_err());
    }

    #[test]
    fn ports_have_a_default_where_they_may_be_left_out() {
        let read = |word| socket_address(53).read(word).unwrap().to_string();
        assert_eq!(read("10.0.0.1"), "10.0.0.1:53");
        assert_eq!(read("10.0.0.1:54"), "10.0.0.1:54");
        assert_eq!(read("fd00::1"), "[fd00::1]:53");
        assert_eq!(read("[fd00::1]:54"), "[fd00::1]:54");
        assert!(socket_address(53).read("localhost").is_err());
    }

    #[test]
    fn a_place_to_listen_has_a_port() {
        let read = |word| host_port().read(word).unwrap().to_string();
        for word in [":8080", "127.0.0.1:8080", "[::1]:8080", "localhost:8080"] {
            assert_eq!(read(word), word);
        }
        for word in ["127.0.0.1", "::1:8080", "x:", ":+1", "[x]:1", "http://x:1", ":65536", ""] {
            assert!(host_port().read(word).is_err(), "{word}");
        }
        assert_eq!(host_port().read("9153").unwrap_err().hint, "write `:9153`");
    }
}
