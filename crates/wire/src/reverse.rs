//! Names for addresses: `in-addr.arpa` (RFC 1035 §3.5) and `ip6.arpa` (RFC 3596 §2.5).

use crate::{Name, NameBuf};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address that a reverse name stands for; none if it is not the name of a whole address.
pub fn address(name: Name<'_>) -> Option<IpAddr> {
    let count = name.label_count();
    let labels = name.labels();
    let suffix = name.skip_labels(count.checked_sub(2)?)?.octets();
    if suffix.eq_ignore_ascii_case(b"\x07in-addr\x04arpa\0") && count == 6 {
        let mut octets = [0; 4];
        for (octet, label) in octets.iter_mut().rev().zip(labels) {
            *octet = decimal(label)?;
        }
        return Some(Ipv4Addr::from(octets).into());
    }
    if suffix.eq_ignore_ascii_case(b"\x03ip6\x04arpa\0") && count == 34 {
        let mut octets = [0; 16];
        for (index, label) in labels.take(32).enumerate() {
            octets[15 - index / 2] |= hexadecimal(label)? << (4 * (index % 2));
        }
        return Some(Ipv6Addr::from(octets).into());
    }
    None
}

/// The reverse name of an address.
pub fn name(address: IpAddr) -> NameBuf {
    let mut text = String::new();
    match address {
        IpAddr::V4(ip) => {
            for octet in ip.octets().iter().rev() {
                text.push_str(&format!("{octet}."));
            }
            text.push_str("in-addr.arpa.");
        }
        IpAddr::V6(ip) => {
            for octet in ip.octets().iter().rev() {
                text.push_str(&format!("{:x}.{:x}.", octet & 0xf, octet >> 4));
            }
            text.push_str("ip6.arpa.");
        }
    }
    // Numbers and dots are always a name.
    text.parse().unwrap_or_else(|_| NameBuf::root())
}

/// A number up to 255 without leading zeros.
fn decimal(label: &[u8]) -> Option<u8> {
    let plain = label.len() == 1 || label.first() != Some(&b'0');
    let digits = label.iter().all(u8::is_ascii_digit);
    (plain && digits).then(|| std::str::from_utf8(label).ok()?.parse().ok()).flatten()
}

fn hexadecimal(label: &[u8]) -> Option<u8> {
    let [digit] = label else { return None };
    (*digit as char).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_whole_address() {
        for text in [
            "2.0.10.in-addr.arpa",
            "x.2.0.10.in-addr.arpa",
            "256.2.0.10.in-addr.arpa",
            "01.2.0.10.in-addr.arpa",
            "5.1.2.0.10.in-addr.arpa",
            "1.2.3.4.example",
            "arpa",
            ".",
        ] {
            assert_eq!(address(text.parse::<NameBuf>().unwrap().as_name()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_address_has_its_name(ip: IpAddr) {
            prop_assert_eq!(address(name(ip).as_name()), Some(ip));
        }
    }
}
