//! Bitmaps of record types.

use super::DataFault;
use super::printer::Printer;
use super::reader::{Reader, parse};
use crate::RecordType;

/// The types of one window of a bitmap.
const WINDOW: usize = 256;

/// Reads all remaining words as types into the bitmaps of RFC 4034 §4.1.2.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Result<(), DataFault> {
    let types = read_types(reader, u16::MAX)?;
    for window in types.chunk_by(|a, b| a >> 8 == b >> 8) {
        let mut bitmap = [0u8; WINDOW / 8];
        let mut length = 0;
        for code in window {
            let bit = (code & 0xff) as usize;
            bitmap[bit / 8] |= 0x80 >> (bit % 8);
            length = bit / 8 + 1;
        }
        // "Blocks with no types present MUST NOT be included. Trailing zero octets in the bitmap
        // MUST be omitted."
        reader.out.extend_from_slice(&[(window[0] >> 8) as u8, length as u8]);
        reader.out.extend_from_slice(&bitmap[..length]);
    }
    Ok(())
}

/// Prints the types of the remaining bitmaps.
pub(super) fn print(printer: &mut Printer<'_>) -> Option<()> {
    while !printer.is_done() {
        let [window] = printer.take()?;
        let bitmap = printer.counted()?;
        print_bits(printer, u16::from(window) << 8, bitmap)?;
    }
    Some(())
}

/// RFC 2535 §5.2: one bit a type up to type 127, the first bit zero.
pub(super) fn read_old(reader: &mut Reader<'_, '_>) -> Result<(), DataFault> {
    let begin = reader.out.len();
    for code in read_types(reader, 127)? {
        let at = begin + code as usize / 8;
        if reader.out.len() <= at {
            reader.out.resize(at + 1, 0);
        }
        reader.out[at] |= 0x80 >> (code % 8);
    }
    Ok(())
}

/// Prints the types of the one bitmap that remains.
pub(super) fn print_old(printer: &mut Printer<'_>) -> Option<()> {
    let bitmap = printer.rest();
    print_bits(printer, 0, bitmap)
}

fn print_bits(printer: &mut Printer<'_>, base: u16, bitmap: &[u8]) -> Option<()> {
    for (bit, octet) in bitmap.iter().take(WINDOW / 8).enumerate() {
        for low in (0..8).filter(|low| octet & 0x80 >> low != 0) {
            printer.word(RecordType(base + bit as u16 * 8 + low))?;
        }
    }
    Some(())
}

/// The types of all remaining words, sorted and each once.
fn read_types(reader: &mut Reader<'_, '_>, max: u16) -> Result<Vec<u16>, DataFault> {
    let mut types = Vec::new();
    while reader.peek().is_some() {
        let rtype = |text: &[u8]| parse::<RecordType>(text).filter(|rtype| rtype.0 <= max);
        types.push(reader.word("record types, such as A MX TYPE1234", rtype)?.0);
    }
    types.sort_unstable();
    types.dedup();
    Ok(types)
}
