//! Where to find a host by other means: IPSECKEY (RFC 4025), AMTRELAY (RFC 8777), HIP (RFC 8005).

use super::DataFault;
use super::printer::Printer;
use super::radix::{BASE64, HEX};
use super::reader::{Reader, digits, parse};
use std::net::{Ipv4Addr, Ipv6Addr};

const TYPE: &str = "a type: 0 for none, 1 for IPv4, 2 for IPv6, 3 for a name";

/// Reads gateway type, algorithm and gateway.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Result<(), DataFault> {
    let kind = reader.word(TYPE, gateway_type)?;
    reader.out.push(kind);
    reader.number::<1>("an algorithm number from 0 to 255")?;
    read_gateway(reader, kind)
}

pub(super) fn print(printer: &mut Printer<'_>) -> Option<()> {
    let [kind, algorithm] = printer.take()?;
    printer.word(kind)?;
    printer.word(algorithm)?;
    print_gateway(printer, kind)
}

/// Reads the discovery bit, which shares its octet with the type, and the relay.
pub(super) fn read_relay(reader: &mut Reader<'_, '_>) -> Result<(), DataFault> {
    let discovery = reader.word("0 or 1 for the discovery bit", |text| match text {
        b"0" => Some(0),
        b"1" => Some(0x80),
        _ => None,
    })?;
    let kind = reader.word(TYPE, gateway_type)?;
    reader.out.push(discovery | kind);
    read_gateway(reader, kind)
}

pub(super) fn print_relay(printer: &mut Printer<'_>) -> Option<()> {
    let [octet] = printer.take()?;
    printer.word(octet >> 7)?;
    printer.word(octet & 0x7f)?;
    print_gateway(printer, octet & 0x7f)
}

fn gateway_type(text: &[u8]) -> Option<u8> {
    parse(text).filter(|kind| *kind <= 3 && text.len() == 1)
}

fn read_gateway(reader: &mut Reader<'_, '_>, kind: u8) -> Result<(), DataFault> {
    match kind {
        0 => reader.fixed("a dot for no gateway", |text| (text == b".").then_some([])),
        1 => reader.fixed("an IPv4 address", |text| parse(text).map(|a: Ipv4Addr| a.octets())),
        2 => reader.fixed("an IPv6 address", |text| parse(text).map(|a: Ipv6Addr| a.octets())),
        _ => reader.name(),
    }
}

fn print_gateway(printer: &mut Printer<'_>, kind: u8) -> Option<()> {
    match kind {
        0 => printer.word("."),
        1 => {
            let octets = printer.take::<4>()?;
            printer.word(Ipv4Addr::from(octets))
        }
        2 => {
            let octets = printer.take::<16>()?;
            printer.word(Ipv6Addr::from(octets))
        }
        3 => printer.name(),
        _ => None,
    }
}

/// RFC 8005 §5: the lengths of tag and key come first in the octets and not at all in the text.
pub(super) fn read_host_identity(reader: &mut Reader<'_, '_>) -> Result<(), DataFault> {
    let begin = reader.out.len();
    reader.out.push(0);
    reader.number::<1>("an algorithm number from 0 to 255")?;
    let tag = reader.word("the tag in hexadecimal", |text| digits(&HEX, text))?;
    let key = reader.word("the key in Base64, without blanks", |text| digits(&BASE64, text))?;
    reader.out[begin] = u8::try_from(tag.len()).map_err(|_| DataFault::TooLong)?;
    let key_length = u16::try_from(key.len()).map_err(|_| DataFault::TooLong)?;
    reader.out.extend_from_slice(&key_length.to_be_bytes());
    reader.out.extend_from_slice(&tag);
    reader.out.extend_from_slice(&key);
    while reader.peek().is_some() {
        reader.name()?;
    }
    Ok(())
}

pub(super) fn print_host_identity(printer: &mut Printer<'_>) -> Option<()> {
    let [tag_length, algorithm] = printer.take()?;
    let key_length = u16::from_be_bytes(printer.take()?);
    let tag = printer.octets(tag_length as usize)?;
    let key = printer.octets(key_length as usize)?;
    printer.word(algorithm)?;
    printer.word(HEX.text(tag))?;
    printer.word(BASE64.text(key))?;
    while !printer.is_done() {
        printer.name()?;
    }
    Some(())
}
