//! LOC: where something is on earth (RFC 1876).

use super::DataFault;
use super::numbers::number;
use super::printer::Printer;
use super::reader::Reader;
use std::fmt;

/// RFC 1876 §2: "expressed as a 32-bit integer, most significant octet first (network standard byte
/// order), in thousandths of a second of arc. 2^31 represents the equator".
const ZERO_ANGLE: u32 = 1 << 31;
/// "From a base of 100,000m below the [WGS 84] reference spheroid", in centimetres.
const BASE_ALTITUDE: i64 = 10_000_000;
/// The most centimetres of a size or precision: "90000000.00".
const SIZE_MAX: u64 = 9_000_000_000;

const DEGREE: u64 = 3_600_000;
const MINUTE: u64 = 60_000;

/// Reads all of the data: latitude, longitude, altitude, and up to three sizes.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Result<(), DataFault> {
    let latitude = read_angle(reader, 90, [b'N', b'S'])?;
    let longitude = read_angle(reader, 180, [b'E', b'W'])?;
    let altitude = reader.word("an altitude in metres such as -2.00m", altitude)?;
    // RFC 1876 §3: a size of 1 m, precisions of 10,000 m and 10 m if they are left out.
    let mut sizes = [0x12, 0x16, 0x13];
    for slot in &mut sizes {
        if reader.peek().is_some() {
            *slot = reader.word("metres such as 10m or 0.5m", size)?;
        }
    }
    reader.out.push(0);
    reader.out.extend_from_slice(&sizes);
    for word in [latitude, longitude, altitude] {
        reader.out.extend_from_slice(&word.to_be_bytes());
    }
    Ok(())
}

/// Reads degrees, minutes and seconds, of which the last two may be left out, and the hemisphere.
fn read_angle(
    reader: &mut Reader<'_, '_>,
    degrees_max: u64,
    [positive, negative]: [u8; 2],
) -> Result<u32, DataFault> {
    const HEMISPHERE: &str = "N, S, E or W behind the degrees, minutes and seconds";
    let hemisphere = |text: &[u8]| match text {
        [octet] if octet.eq_ignore_ascii_case(&positive) => Some(true),
        [octet] if octet.eq_ignore_ascii_case(&negative) => Some(false),
        _ => None,
    };
    let is_next =
        |reader: &Reader<'_, '_>| reader.peek().is_some_and(|word| hemisphere(word.text).is_some());
    let mut angle = DEGREE * reader.word("whole degrees", |text| number(text, degrees_max))?;
    if !is_next(reader) {
        angle += MINUTE * reader.word("whole minutes up to 59", |text| number(text, 59))?;
    }
    if !is_next(reader) {
        let seconds = |text: &[u8]| decimal(text, 3).filter(|seconds| *seconds < MINUTE);
        angle += reader.word("seconds below 60 with up to 3 decimals", seconds)?;
    }
    if angle > degrees_max * DEGREE {
        return Err(DataFault::Expected("an angle within the hemisphere"));
    }
    // At most 180 degrees: 648,000,000 thousandths.
    let angle = angle as u32;
    let is_positive = reader.word(HEMISPHERE, hemisphere)?;
    Ok(if is_positive { ZERO_ANGLE + angle } else { ZERO_ANGLE - angle })
}

fn altitude(text: &[u8]) -> Option<u32> {
    let text = without_unit(text);
    let (sign, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let centimetres = i64::try_from(decimal(digits, 2)?).ok()?;
    u32::try_from(BASE_ALTITUDE + sign * centimetres).ok()
}

/// RFC 1876 §2: "a pair of four-bit unsigned integers, each ranging from zero to nine, with the most
/// significant four bits representing the base and the second number representing the power of ten".
fn size(text: &[u8]) -> Option<u8> {
    let mut base = decimal(without_unit(text), 2).filter(|size| *size <= SIZE_MAX)?;
    let mut power = 0;
    while base > 9 {
        base /= 10;
        power += 1;
    }
    Some((base as u8) << 4 | power)
}

fn without_unit(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"m").or_else(|| text.strip_suffix(b"M")).unwrap_or(text)
}

/// A number with up to so many decimals, in units of the last of them.
fn decimal(text: &[u8], places: usize) -> Option<u64> {
    const MAX: u64 = u32::MAX as u64;
    let (whole, fraction) = match text.iter().position(|&octet| octet == b'.') {
        Some(dot) => (&text[..dot], &text[dot + 1..]),
        None => (text, &[][..]),
    };
    if fraction.len() > places || whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = if whole.is_empty() { 0 } else { number(whole, MAX)? };
    for place in 0..places {
        let digit = fraction.get(place).copied().unwrap_or(b'0');
        value = value * 10 + number(&[digit], 9)?;
    }
    Some(value)
}

pub(super) fn print(printer: &mut Printer<'_>) -> Option<()> {
    let [version, size, horizontal, vertical] = printer.take()?;
    let latitude = u32::from_be_bytes(printer.take()?);
    let longitude = u32::from_be_bytes(printer.take()?);
    let altitude = i64::from(u32::from_be_bytes(printer.take()?)) - BASE_ALTITUDE;
    if version != 0 {
        return None;
    }
    printer.word(Angle { angle: latitude, hemispheres: ['N', 'S'] })?;
    printer.word(Angle { angle: longitude, hemispheres: ['E', 'W'] })?;
    let sign = if altitude < 0 { "-" } else { "" };
    let altitude = altitude.unsigned_abs();
    printer.word(format_args!("{sign}{}.{:02}m", altitude / 100, altitude % 100))?;
    for size in [size, horizontal, vertical] {
        printer.word(Size(size))?;
    }
    Some(())
}

struct Angle {
    angle: u32,
    hemispheres: [char; 2],
}

impl fmt::Display for Angle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hemisphere = self.hemispheres[usize::from(self.angle < ZERO_ANGLE)];
        let angle = u64::from(self.angle.abs_diff(ZERO_ANGLE));
        let (degrees, minutes, seconds) = (angle / DEGREE, angle % DEGREE / MINUTE, angle % MINUTE);
        let (whole, thousandths) = (seconds / 1_000, seconds % 1_000);
        write!(f, "{degrees} {minutes} {whole}.{thousandths:03} {hemisphere}")
    }
}

struct Size(u8);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let centimetres = u64::from(self.0 >> 4) * 10u64.pow(u32::from(self.0 & 0xf));
        write!(f, "{}.{:02}m", centimetres / 100, centimetres % 100)
    }
}
