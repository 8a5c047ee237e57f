//! Addresses and prefixes that are more than an `Ipv4Addr`.

use super::DataFault;
use super::numbers::number;
use super::printer::Printer;
use super::reader::{Reader, parse};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// RFC 6742 §2.1.2: half of an IPv6 address, without `::`.
pub(super) fn locator(text: &[u8]) -> Option<[u8; 8]> {
    let mut octets = [0; 8];
    let mut groups = text.split(|&octet| octet == b':');
    for pair in octets.chunks_exact_mut(2) {
        let group = groups.next().filter(|group| group.len() <= 4)?;
        pair.copy_from_slice(&hexadecimal(group)?.to_be_bytes());
    }
    groups.next().is_none().then_some(octets)
}

pub(super) fn print_locator(printer: &mut Printer<'_>) -> Option<()> {
    let [a, b, c, d, e, f, g, h] = printer.take()?;
    printer.word(format_args!("{a:02x}{b:02x}:{c:02x}{d:02x}:{e:02x}{f:02x}:{g:02x}{h:02x}"))
}

/// RFC 7043 §3.2: "six two-digit hexadecimal numbers separated by hyphens"; eight in §4.2.
pub(super) fn read_eui(reader: &mut Reader<'_, '_>, length: usize) -> Result<(), DataFault> {
    let octets = reader.word("pairs of hexadecimal digits such as 00-00-5e-00-53-2a", |text| {
        let pairs = text.split(|&octet| octet == b'-');
        let octet = |pair: &[u8]| {
            let value = hexadecimal(pair).filter(|_| pair.len() == 2)?;
            u8::try_from(value).ok()
        };
        pairs.map(octet).collect::<Option<Vec<u8>>>().filter(|octets| octets.len() == length)
    })?;
    reader.out.extend_from_slice(&octets);
    Ok(())
}

pub(super) fn print_eui(printer: &mut Printer<'_>, length: usize) -> Option<()> {
    let octets = printer.octets(length)?;
    let mut text = String::new();
    for octet in octets {
        let dash = if text.is_empty() { "" } else { "-" };
        write!(text, "{dash}{octet:02x}").ok()?;
    }
    printer.word(text)
}

fn hexadecimal(text: &[u8]) -> Option<u16> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(text).ok().filter(|_| digits)?;
    u16::from_str_radix(text, 16).ok()
}

/// RFC 3123 §5: `[!]family:address/length`, none or more.
pub(super) fn read_prefixes(reader: &mut Reader<'_, '_>) -> Result<(), DataFault> {
    while reader.peek().is_some() {
        let prefix = reader.word("prefixes such as 1:192.0.2.0/24 !2:2001:db8::/32", prefix)?;
        reader.out.extend_from_slice(&prefix);
    }
    Ok(())
}

fn prefix(text: &[u8]) -> Option<Vec<u8>> {
    let (negated, text) = match text.strip_prefix(b"!") {
        Some(text) => (0x80, text),
        None => (0, text),
    };
    let (family, text) = text.split_at_checked(2)?;
    let slash = text.iter().position(|&octet| octet == b'/')?;
    let address = parse::<IpAddr>(&text[..slash])?;
    let (code, max, octets) = match (family, address) {
        (b"1:", IpAddr::V4(address)) => (1, 32, address.octets().to_vec()),
        (b"2:", IpAddr::V6(address)) => (2, 128, address.octets().to_vec()),
        _ => return None,
    };
    let length = number(&text[slash + 1..], max)?;
    // RFC 3123 §4: "implementations MUST NOT include trailing zero octets in the AFDPART".
    let used = octets.iter().rposition(|&octet| octet != 0).map_or(0, |at| at + 1);
    let mut item = vec![0, code, length as u8, negated | used as u8];
    item.extend_from_slice(&octets[..used]);
    Some(item)
}

pub(super) fn print_prefixes(printer: &mut Printer<'_>) -> Option<()> {
    while !printer.is_done() {
        let family = u16::from_be_bytes(printer.take()?);
        let [length, used] = printer.take()?;
        let sign = if used & 0x80 != 0 { "!" } else { "" };
        let octets = printer.octets((used & 0x7f) as usize)?;
        let address = match family {
            1 => IpAddr::V4(Ipv4Addr::from(padded::<4>(octets)?)),
            2 => IpAddr::V6(Ipv6Addr::from(padded::<16>(octets)?)),
            _ => return None,
        };
        printer.word(format_args!("{sign}{family}:{address}/{length}"))?;
    }
    Some(())
}

fn padded<const LENGTH: usize>(octets: &[u8]) -> Option<[u8; LENGTH]> {
    let mut whole = [0; LENGTH];
    whole.get_mut(..octets.len())?.copy_from_slice(octets);
    Some(whole)
}
