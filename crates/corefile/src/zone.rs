//! Zone names in a Corefile: domain names as text, and networks that stand for reverse zones.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why a text is no zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadZone {
    /// Nothing at all.
    Empty,
    /// A dot at the beginning, or two in a row.
    EmptyLabel,
    /// A label of more than 63 octets.
    LongLabel,
    /// A name of more than 255 octets.
    Long,
    /// A backslash at the end.
    Escape,
    /// A network that CoreDNS refuses: IPv6 with a prefix that begins with zeros.
    Network,
}

/// What is wrong with it.
impl fmt::Display for BadZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the name is empty; the root is written `.`",
            Self::EmptyLabel => "a name neither begins with a dot nor has two dots in a row",
            Self::LongLabel => "a label is longer than 63 octets",
            Self::Long => "the name is longer than 255 octets",
            Self::Escape => "the name ends in the middle of an escape",
            Self::Network => {
                "no reverse zones are made for this network; write the zone below `ip6.arpa` itself"
            }
        })
    }
}

/// The zones that a name or a network stands for: in lower case, with a final dot.
///
/// A network in CIDR notation becomes the reverse zones that cover exactly it, as CoreDNS has them:
/// `10.0.0.0/22` becomes four zones of 256 addresses each, because a zone can only be cut between
/// two labels. That is at most 128 zones for IPv4 and 8 for IPv6. Bits behind the prefix are
/// ignored. Whatever is not quite a network is a name.
pub fn zones(text: &str) -> Result<Vec<String>, BadZone> {
    check_name(text)?;
    match network(text) {
        Some((IpAddr::V4(address), prefix)) => Ok(reverse_v4(address, prefix)),
        // CoreDNS 1.14.7 takes a colon or zero in front for a missing zone: `::/0` is an error.
        Some((IpAddr::V6(_), _)) if text.starts_with([':', '0']) => Err(BadZone::Network),
        Some((IpAddr::V6(address), prefix)) => Ok(reverse_v6(address, prefix)),
        None => Ok(vec![absolute(text)]),
    }
}

/// Whether the name follows the "preferred name syntax" of RFC 1035 §2.3.1; the root and everything
/// below `in-addr.arpa.` and `ip6.arpa.` count as if they did.
pub(crate) fn is_preferred(zone: &str) -> bool {
    let reverse = [".in-addr.arpa.", ".ip6.arpa."];
    if zone == "." || reverse.iter().any(|end| zone.ends_with(end) || zone == &end[1..]) {
        return true;
    }
    // "They must start with a letter, end with a letter or digit, and have as interior characters
    // only letters, digits, and hyphen."
    zone.strip_suffix('.').is_some_and(|labels| {
        labels.split('.').all(|label| {
            label.starts_with(|c: char| c.is_ascii_alphabetic())
                && label.ends_with(|c: char| c.is_ascii_alphanumeric())
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        })
    })
}

/// An address with a prefix length, if the text is exactly that.
pub(crate) fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    if prefix.is_empty() || !prefix.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let prefix: u8 = prefix.parse().ok()?;
    (prefix <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, prefix))
}

fn absolute(name: &str) -> String {
    let mut zone = name.to_ascii_lowercase();
    if !ends_with_dot(&zone) {
        zone.push('.');
    }
    zone
}

/// Whether the last character is a dot that is not escaped.
fn ends_with_dot(name: &str) -> bool {
    let Some(rest) = name.strip_suffix('.') else { return false };
    (rest.len() - rest.trim_end_matches('\\').len()).is_multiple_of(2)
}

/// Checks lengths and dots of a name in text form (RFC 1035 §5.1: `\.` and `\DDD` are one octet).
fn check_name(name: &str) -> Result<(), BadZone> {
    if name.is_empty() {
        return Err(BadZone::Empty);
    }
    if name == "." {
        return Ok(());
    }
    // RFC 1035 §2.3.4: labels have 63 octets or less, names 255 octets or less, length octets and
    // the root included.
    let (mut label, mut total) = (0, 1);
    let mut rest = name.as_bytes();
    while let [octet, tail @ ..] = rest {
        rest = tail;
        match (octet, tail) {
            (b'.', _) if label == 0 => return Err(BadZone::EmptyLabel),
            (b'.', _) => {
                total += label + 1;
                label = 0;
                continue;
            }
            (b'\\', []) => return Err(BadZone::Escape),
            (b'\\', [a, b, c, tail @ ..]) if [a, b, c].iter().all(|d| d.is_ascii_digit()) => {
                rest = tail;
            }
            (b'\\', [_, tail @ ..]) => rest = tail,
            _ => {}
        }
        label += 1;
        if label > 63 {
            return Err(BadZone::LongLabel);
        }
    }
    if label > 0 {
        total += label + 1;
    }
    if total > 255 { Err(BadZone::Long) } else { Ok(()) }
}

/// The zones of an IPv4 network, cut between octets.
fn reverse_v4(address: Ipv4Addr, prefix: u8) -> Vec<String> {
    let octets = prefix.div_ceil(8);
    let masked = address.to_bits() & mask(prefix, 32) as u32;
    let zone = |index: u32| {
        // No octets are left of a network of all addresses, and nothing is to be added.
        let base = masked | index.checked_shl(32 - u32::from(octets) * 8).unwrap_or(0);
        let labels = base.to_be_bytes();
        let mut zone = String::new();
        for octet in labels[..octets as usize].iter().rev() {
            zone += &format!("{octet}.");
        }
        zone + "in-addr.arpa."
    };
    (0..1 << (octets * 8 - prefix)).map(zone).collect()
}

/// The zones of an IPv6 network, cut between nibbles.
fn reverse_v6(address: Ipv6Addr, prefix: u8) -> Vec<String> {
    let nibbles = prefix.div_ceil(4);
    let masked = address.to_bits() & mask(prefix, 128);
    let zone = |index: u128| {
        let base = masked | index.checked_shl(128 - u32::from(nibbles) * 4).unwrap_or(0);
        let mut zone = String::new();
        for nibble in (0..nibbles).rev() {
            zone += &format!("{:x}.", base >> (124 - nibble * 4) & 0xf);
        }
        zone + "ip6.arpa."
    };
    (0..1 << (nibbles * 4 - prefix)).map(zone).collect()
}

/// The bits of a prefix, in a number of `width` bits.
fn mask(prefix: u8, width: u8) -> u128 {
    let all = u128::MAX >> (128 - width);
    all & !(all.checked_shr(prefix.into()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(text: &str) -> String {
        let zones = zones(text).unwrap();
        assert_eq!(zones.len(), 1, "{zones:?}");
        zones[0].clone()
    }

    /// What CoreDNS 1.14.7 printed as the zones of these keys when it was started with them.
    #[test]
    fn networks_become_the_zones_that_core_dns_makes_of_them() {
        assert_eq!(one("10.0.0.0/24"), "0.0.10.in-addr.arpa.");
        assert_eq!(one("0.0.0.0/0"), "in-addr.arpa.");
        assert_eq!(one("10.0.0.1/32"), "1.0.0.10.in-addr.arpa.");
        assert_eq!(zones("10.0.0.0/15").unwrap(), ["0.10.in-addr.arpa.", "1.10.in-addr.arpa."]);
        assert_eq!(zones("10.0.0.0/7").unwrap(), ["10.in-addr.arpa.", "11.in-addr.arpa."]);
        let four = [
            "0.1.10.in-addr.arpa.",
            "1.1.10.in-addr.arpa.",
            "2.1.10.in-addr.arpa.",
            "3.1.10.in-addr.arpa.",
        ];
        assert_eq!(zones("10.1.2.3/22").unwrap(), four);
        assert_eq!(zones("10.0.0.0/27").unwrap().len(), 32);
        assert_eq!(zones("10.0.0.0/25").unwrap().len(), 128);
        assert_eq!(zones("10.0.0.0/9").unwrap()[127], "127.10.in-addr.arpa.");
        assert_eq!(one("2001:db8::/32"), "8.b.d.0.1.0.0.2.ip6.arpa.");
        assert_eq!(zones("2001:db8::/33").unwrap().len(), 8);
        assert_eq!(zones("2001:db8::/33").unwrap()[7], "7.8.b.d.0.1.0.0.2.ip6.arpa.");
        assert_eq!(one("fd00::/8"), "d.f.ip6.arpa.");
        assert_eq!(zones("fd00::/7").unwrap(), ["c.f.ip6.arpa.", "d.f.ip6.arpa."]);
        assert_eq!(
            one("2001:db8::1/128"),
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa."
        );
        for refused in ["::/0", "::ffff:1.2.3.0/120", "0::/4"] {
            assert_eq!(zones(refused), Err(BadZone::Network), "{refused}");
        }
    }

    /// The same, for what is almost a network and therefore served as a name.
    #[test]
    fn what_is_almost_a_network_is_a_name() {
        for text in [
            "10.0.0.0/33",
            "010.0.0.0/8",
            "10.0.0/8",
            "fe80::%eth0/64",
            "10.0.0.0/24/24",
            "10.0.0.0/+8",
            "10.0.0.0/",
        ] {
            assert_eq!(one(text), format!("{text}."));
        }
    }

    #[test]
    fn names_are_put_into_lower_case_and_made_absolute() {
        assert_eq!(one("A.Test"), "a.test.");
        assert_eq!(one("a.test."), "a.test.");
        assert_eq!(one("."), ".");
        assert_eq!(one("a\\."), "a\\..");
        assert_eq!(one("a\\\\."), "a\\\\.");
        assert_eq!(one("BÜCHER.test"), "bÜcher.test.");
    }

    #[test]
    fn names_have_limits() {
        let label = "a".repeat(63);
        assert_eq!(one(&label), format!("{label}."));
        assert_eq!(zones(&"a".repeat(64)), Err(BadZone::LongLabel));
        assert_eq!(one(&"\\097".repeat(63)).len(), 63 * 4 + 1);
        let longest = format!("{label}.{label}.{label}.{}", "b".repeat(61));
        assert!(zones(&longest).is_ok());
        // CoreDNS lets one octet more pass, but nobody can ask for such a name.
        assert_eq!(zones(&format!("{longest}b")), Err(BadZone::Long));
        assert_eq!(zones("a..b"), Err(BadZone::EmptyLabel));
        assert_eq!(zones(".a"), Err(BadZone::EmptyLabel));
        assert_eq!(zones(""), Err(BadZone::Empty));
        assert_eq!(zones("a\\"), Err(BadZone::Escape));
    }

    /// Which of these names CoreDNS 1.14.7 warns about at its start.
    #[test]
    fn preferred_syntax_is_what_core_dns_thinks_it_is() {
        for zone in
            [".", "a.test.", "a-b.test.", "3.in-addr.arpa.", "_x.ip6.arpa.", "in-addr.arpa."]
        {
            assert!(is_preferred(zone), "{zone}");
        }
        for zone in [
            "_x.test.",
            "1a.test.",
            "a-.test.",
            "bücher.test.",
            "30.",
            "*.test.",
            "a b.test.",
            "1.2.3.4.",
        ] {
            assert!(!is_preferred(zone), "{zone}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,40}|[0-9a-f:./\\\\]{0,24}") {
            if let Ok(zones) = zones(&text) {
                prop_assert!(!zones.is_empty() && zones.len() <= 128);
                prop_assert!(zones.iter().all(|zone| zone.ends_with('.')));
            }
        }

        #[test]
        fn the_zones_of_a_network_cover_it_and_nothing_else(address: u32, prefix in 0..=32u8) {
            let network = Ipv4Addr::from_bits(address);
            let zones = zones(&format!("{network}/{prefix}")).unwrap();
            let octets = |zone: &String| zone.split('.').count() as u64 - 3;
            let addresses: u64 = zones.iter().map(|zone| 1 << (32 - 8 * octets(zone))).sum();
            prop_assert_eq!(addresses, 1 << (32 - prefix));
        }
    }
}
