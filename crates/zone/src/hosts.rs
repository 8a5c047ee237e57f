//! The format of `/etc/hosts`: names of one machine, or of a company without a DNS server.

use std::net::{IpAddr, Ipv6Addr};
use wire::{Name, NameBuf};

/// Reads lines: an address and its names, `#` begins a comment. Lines that are anything else are
/// left out, as every resolver does.
pub fn read(octets: &[u8], mut each: impl FnMut(IpAddr, NameBuf)) {
    for line in octets.split(|octet| *octet == b'\n') {
        let code = line.split(|octet| *octet == b'#').next().unwrap_or_default();
        let mut words = code.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let Some(address) = words.next().and_then(address) else { continue };
        for name in words.filter_map(name) {
            each(address, name);
        }
    }
}

/// An address; the zone of an IPv6 address (`fe80::1%eth0`) is left out.
pub fn address(word: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(word).ok()?;
    match text.split_once('%') {
        Some((address, _)) => address.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

/// An absolute name, with or without its final dot.
pub fn name(word: &[u8]) -> Option<NameBuf> {
    NameBuf::from_text(word, Name::ROOT).ok().filter(|name| !name.as_name().is_root())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        read(text.as_bytes(), |address, name| found.push(format!("{address} {name}")));
        found
    }

    #[test]
    fn lines_as_every_resolver_reads_them() {
        let text = "127.0.0.1\tlocalhost  a.test # b.test\r\n# x\nfe80::1%lo0 v6.test.\n\
                    10.0.0.300 bad\n10.0.0.1\nnonsense\n  10.0.0.2 c.test#d.test";
        assert_eq!(
            lines(text),
            ["127.0.0.1 localhost.", "127.0.0.1 a.test.", "fe80::1 v6.test.", "10.0.0.2 c.test."]
        );
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_a_panic(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            read(&octets, |_, name| assert!(!name.as_name().is_root()));
        }
    }
}
