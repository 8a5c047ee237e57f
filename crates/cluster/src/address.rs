//! Addresses, and the labels and reverse names that are made of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use wire::{Name, RecordType};

/// An address of either family in 16 octets; IPv4 as `::ffff:a.b.c.d`.
///
/// Go's `net.IP` has the same form, so that an IPv4-mapped address counts as IPv4 as in CoreDNS.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Address([u8; 16]);

const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

impl Address {
    /// Reads 4 or 16 octets.
    pub(crate) fn from_octets(octets: &[u8]) -> Option<Self> {
        if let Ok(four) = <[u8; 4]>::try_from(octets) {
            return Some(Ipv4Addr::from(four).into());
        }
        octets.try_into().ok().map(Self)
    }

    /// The data of its record: 4 or 16 octets.
    pub(crate) fn rdata(&self) -> &[u8] {
        if self.is_ipv4() { &self.0[12..] } else { &self.0 }
    }

    /// The type of its record: A or AAAA.
    pub(crate) fn rtype(&self) -> RecordType {
        if self.is_ipv4() { RecordType::A } else { RecordType::AAAA }
    }

    fn is_ipv4(&self) -> bool {
        self.0[..12] == MAPPED
    }

    /// Reads the label that names a pod or an endpoint by its address.
    ///
    /// Exactly three dashes and no two in a row are IPv4, everything else is IPv6 with `-` for
    /// `:`. The label may spell the address in any way that a parser takes.
    pub(crate) fn from_label(label: &[u8]) -> Option<Self> {
        let dashes = label.iter().filter(|&&octet| octet == b'-').count();
        let is_ipv4 = dashes == 3 && !label.windows(2).any(|pair| pair == b"--");
        let mut text = [0; wire::LABEL_MAX];
        let text = text.get_mut(..label.len())?;
        text.copy_from_slice(label);
        let separator = if is_ipv4 { b'.' } else { b':' };
        for octet in text.iter_mut().filter(|octet| **octet == b'-') {
            *octet = separator;
        }
        let text = std::str::from_utf8(text).ok()?;
        if is_ipv4 {
            return text.parse::<Ipv4Addr>().ok().map(Self::from);
        }
        text.parse::<Ipv6Addr>().ok().map(Self::from)
    }

    /// The label that names an endpoint by its address: `172-20-1-12`, `fd00-20--1`.
    ///
    /// A label may not end in a dash (RFC 952), so `fd00::` is `fd00--0`.
    pub(crate) fn label(&self) -> AddressLabel {
        let mut label = AddressLabel { octets: [0; 40], length: 0 };
        if let [a, b, c, d] = *self.rdata() {
            for (index, octet) in [a, b, c, d].into_iter().enumerate() {
                if index > 0 {
                    label.push(b'-');
                }
                label.push_decimal(octet);
            }
            return label;
        }
        label.push_groups(&Ipv6Addr::from(self.0).segments());
        label
    }

    /// Reads the address that a whole reverse name stands for (RFC 1035 §3.5, RFC 3596 §2.5).
    pub(crate) fn from_reverse(name: Name<'_>) -> Option<Self> {
        // Nearly every question ends here.
        if !name.octets().last_chunk::<6>()?.eq_ignore_ascii_case(b"\x04arpa\0") {
            return None;
        }
        let above = |zone| name.labels_above(Name::from_octets(zone).ok()?);
        if let Some(labels) = above(IN_ADDR_ARPA) {
            return from_decimal_labels(labels);
        }
        from_nibbles(above(IP6_ARPA)?)
    }
}

/// The zone of IPv4 reverse names, in wire form.
pub(crate) const IN_ADDR_ARPA: &[u8] = b"\x07in-addr\x04arpa\0";
/// The zone of IPv6 reverse names, in wire form.
pub(crate) const IP6_ARPA: &[u8] = b"\x03ip6\x04arpa\0";

/// Four labels of one to three digits, the last octet first.
fn from_decimal_labels(mut labels: &[u8]) -> Option<Address> {
    let mut octets = [0; 4];
    for octet in octets.iter_mut().rev() {
        let (&length, rest) = labels.split_first()?;
        let (label, rest) = rest.split_at_checked(length as usize)?;
        // `01` might be octal, so a parser of addresses refuses it; one of integers takes `+1`.
        if label.len() > 1 && !matches!(label[0], b'1'..=b'9') {
            return None;
        }
        *octet = std::str::from_utf8(label).ok()?.parse().ok()?;
        labels = rest;
    }
    labels.is_empty().then(|| Ipv4Addr::from(octets).into())
}

/// Thirty-two labels of one hexadecimal digit, the last one first.
fn from_nibbles(labels: &[u8]) -> Option<Address> {
    if labels.len() != 64 {
        return None;
    }
    let mut octets = [0; 16];
    for (index, label) in labels.chunks_exact(2).enumerate() {
        if label[0] != 1 {
            return None;
        }
        let nibble = (label[1] as char).to_digit(16)? as u8;
        octets[15 - index / 2] |= nibble << (4 * (index % 2));
    }
    Some(Address(octets))
}

impl From<Ipv4Addr> for Address {
    fn from(address: Ipv4Addr) -> Self {
        Self(address.to_ipv6_mapped().octets())
    }
}

impl From<Ipv6Addr> for Address {
    fn from(address: Ipv6Addr) -> Self {
        Self(address.octets())
    }
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        Ipv6Addr::from(address.0).to_canonical()
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => address.into(),
        }
    }
}

/// The label of an address, in place: at most 39 characters and a final `0`.
#[derive(Clone, Copy)]
pub(crate) struct AddressLabel {
    octets: [u8; 40],
    length: u8,
}

impl AddressLabel {
    /// The characters, without a length octet.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.octets[..self.length as usize]
    }

    fn push(&mut self, octet: u8) {
        self.octets[self.length as usize] = octet;
        self.length += 1;
    }

    fn push_decimal(&mut self, value: u8) {
        if value >= 100 {
            self.push(b'0' + value / 100);
        }
        if value >= 10 {
            self.push(b'0' + value / 10 % 10);
        }
        self.push(b'0' + value % 10);
    }

    /// RFC 5952 §4: no leading zeros; the first of the longest runs of two or more zero groups
    /// shrinks to `::`.
    fn push_groups(&mut self, groups: &[u16; 8]) {
        let run = longest_zero_run(groups);
        let mut index = 0;
        while index < 8 {
            if index == run.start && run.len() >= 2 {
                self.push(b'-');
                if index == 0 {
                    self.push(b'-');
                }
                index = run.end;
                continue;
            }
            self.push_hexadecimal(groups[index]);
            index += 1;
            if index < 8 {
                self.push(b'-');
            }
        }
        if self.as_bytes().ends_with(b"-") {
            self.push(b'0');
        }
    }

    fn push_hexadecimal(&mut self, group: u16) {
        let digits = (16 - (group | 1).leading_zeros()).div_ceil(4);
        for digit in (0..digits).rev() {
            self.push(b"0123456789abcdef"[usize::from(group >> (4 * digit) & 0xf)]);
        }
    }
}

fn longest_zero_run(groups: &[u16; 8]) -> std::ops::Range<usize> {
    let mut longest = 0..0;
    let mut start = 0;
    for end in 1..=groups.len() {
        if groups[end - 1] != 0 {
            start = end;
        } else if end - start > longest.len() {
            longest = start..end;
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wire::NameBuf;

    fn address(text: &str) -> Address {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn labels_of_addresses() {
        for (text, label) in [
            ("172.20.1.12", "172-20-1-12"),
            ("0.100.99.9", "0-100-99-9"),
            ("fd00:20::1", "fd00-20--1"),
            ("fd00::", "fd00--0"),
            ("::", "--0"),
            ("::1", "--1"),
            ("1:0:0:2:0:0:0:3", "1-0-0-2--3"),
            ("1:0:2:0:3:0:4:0", "1-0-2-0-3-0-4-0"),
        ] {
            assert_eq!(address(text).label().as_bytes(), label.as_bytes(), "{text}");
            assert_eq!(Address::from_label(label.as_bytes()), Some(address(text)), "{label}");
        }
    }

    #[test]
    fn labels_that_are_no_address() {
        for label in ["", "web", "1-2-3", "1-2-3-256", "1-2--3-4-x", "01-2-3-4", "1.2.3.4", "-"] {
            assert_eq!(Address::from_label(label.as_bytes()), None, "{label}");
        }
    }

    #[test]
    fn reverse_names() {
        let read = |text: &str| Address::from_reverse(text.parse::<NameBuf>().unwrap().as_name());
        assert_eq!(read("1.10.96.10.in-addr.arpa"), Some(address("10.96.10.1")));
        let fd00 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.0.0.0.0.d.f.ip6.arpa";
        assert_eq!(read(fd00), Some(address("fd00:20::1")));
        for other in [
            "10.96.10.in-addr.arpa",
            "1.1.10.96.10.in-addr.arpa",
            "01.10.96.10.in-addr.arpa",
            "256.10.96.10.in-addr.arpa",
            "x.10.96.10.in-addr.arpa",
            "+1.10.96.10.in-addr.arpa",
            "0.0.d.f.ip6.arpa",
            "in-addr.arpa",
            "web.shop.svc.cluster.local",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_label_is_the_text_with_dashes(octets in any::<[u8; 16]>(), mask in any::<u8>()) {
            let mut octets = octets;
            for (index, pair) in octets.chunks_exact_mut(2).enumerate() {
                if mask >> index & 1 == 0 {
                    pair.fill(0);
                }
            }
            let six = Ipv6Addr::from(octets);
            prop_assume!(six.to_ipv4_mapped().is_none());
            let mut text = six.to_string().replace(':', "-");
            if text.ends_with('-') {
                text.push('0');
            }
            let address = Address::from(six);
            let label = address.label();
            prop_assert_eq!(std::str::from_utf8(label.as_bytes()).unwrap(), text);
            prop_assert_eq!(Address::from_label(label.as_bytes()), Some(address));
        }

        #[test]
        fn any_label_is_read_without_a_panic(label in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Address::from_label(&label);
        }

        #[test]
        fn any_reverse_name_is_read_without_a_panic(
            labels in prop::collection::vec("[0-9a-f]{1,3}", 0..34),
        ) {
            let name: NameBuf = format!("{}.ip6.arpa", labels.join(".")).parse().unwrap_or(NameBuf::root());
            let _ = Address::from_reverse(name.as_name());
        }
    }
}
