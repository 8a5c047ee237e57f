//! `$GENERATE`: one line that stands for many, as BIND and CoreDNS have it.

use crate::mistake::GenerateFault;
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use wire::Word;

/// The most records of one directive, as in CoreDNS.
const COUNT_MAX: u64 = 65_536;
/// The largest number that can be written.
const NUMBER_MAX: i64 = i32::MAX as i64;

/// The numbers of a directive: `START-STOP` or `START-STOP/STEP`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Range {
    start: i64,
    stop: i64,
    step: usize,
}

impl Range {
    pub(super) fn read(text: &[u8]) -> Result<Self, GenerateFault> {
        let text = std::str::from_utf8(text).map_err(|_| GenerateFault::Range)?;
        let (bounds, step) = text.split_once('/').unwrap_or((text, "1"));
        let (start, stop) = bounds.split_once('-').ok_or(GenerateFault::Range)?;
        let valid = 0..=NUMBER_MAX;
        let read = |text| number(text, valid.clone()).ok_or(GenerateFault::Range);
        let (start, stop, step) = (read(start)?, read(stop)?, read(step)?);
        let step = usize::try_from(step).ok().filter(|step| *step > 0);
        let range = Self { start, stop, step: step.ok_or(GenerateFault::Range)? };
        if start > stop {
            return Err(GenerateFault::Range);
        }
        if (stop - start) as u64 / range.step as u64 >= COUNT_MAX {
            return Err(GenerateFault::TooMany);
        }
        Ok(range)
    }

    pub(super) fn numbers(self) -> impl Iterator<Item = i64> {
        (self.start..=self.stop).step_by(self.step)
    }
}

fn number(text: &str, valid: RangeInclusive<i64>) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|number| is_number && valid.contains(number))
}

/// Writes the line for one number into `line`.
///
/// `$` stands for the number, `${OFFSET,WIDTH,BASE}` for the number with an offset, zeros in front
/// and another base; `$$` and `\$` are a dollar sign.
pub(super) fn write_line(
    words: &[Word<'_>],
    number: i64,
    line: &mut String,
) -> Result<(), GenerateFault> {
    line.clear();
    for word in words {
        if !line.is_empty() && !word.joined {
            line.push(' ');
        }
        let quote = if word.quoted { "\"" } else { "" };
        line.push_str(quote);
        write_word(word.text, number, line)?;
        line.push_str(quote);
    }
    Ok(())
}

fn write_word(text: &[u8], number: i64, line: &mut String) -> Result<(), GenerateFault> {
    let mut rest = text;
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        match (octet, behind) {
            (b'\\' | b'$', [b'$', behind @ ..]) => {
                line.push('$');
                rest = behind;
            }
            (b'\\', [escaped, behind @ ..]) => {
                push_escaped(*escaped, line);
                rest = behind;
            }
            (b'$', [b'{', behind @ ..]) => {
                let end = behind.iter().position(|&octet| octet == b'}');
                let (modifier, behind) = behind.split_at(end.ok_or(GenerateFault::Modifier)?);
                Modifier::read(modifier)?.write(number, line)?;
                rest = &behind[1..];
            }
            (b'$', _) => Modifier::PLAIN.write(number, line)?,
            (0x20..=0x7e, _) => line.push(octet as char),
            _ => push_octet(octet, line),
        }
    }
    Ok(())
}

/// An escaped character stays one.
fn push_escaped(octet: u8, line: &mut String) {
    match octet {
        b'!'..=b'~' => {
            line.push('\\');
            line.push(octet as char);
        }
        _ => push_octet(octet, line),
    }
}

/// An octet that is no printable character, as three digits.
fn push_octet(octet: u8, line: &mut String) {
    // Writing to a string does not fail.
    let _ = write!(line, "\\{octet:03}");
}

/// How a number is written.
struct Modifier {
    offset: i64,
    width: usize,
    base: u8,
}

impl Modifier {
    const PLAIN: Self = Self { offset: 0, width: 0, base: b'd' };

    fn read(text: &[u8]) -> Result<Self, GenerateFault> {
        let text = std::str::from_utf8(text).map_err(|_| GenerateFault::Modifier)?;
        let mut parts = text.split(',');
        let mut part = || parts.next();
        let offset = part().and_then(|text| number(text, -NUMBER_MAX..=NUMBER_MAX));
        let width = part().map_or(Some(0), |text| number(text, 0..=255));
        let base = match part() {
            None => Some(b'd'),
            Some("d") => Some(b'd'),
            Some("o") => Some(b'o'),
            Some("x") => Some(b'x'),
            Some("X") => Some(b'X'),
            Some(_) => None,
        };
        match (offset, width, base, part()) {
            (Some(offset), Some(width), Some(base), None) => {
                Ok(Self { offset, width: width as usize, base })
            }
            _ => Err(GenerateFault::Modifier),
        }
    }

    fn write(&self, number: i64, line: &mut String) -> Result<(), GenerateFault> {
        let number = number + self.offset;
        if !(0..=NUMBER_MAX).contains(&number) {
            return Err(GenerateFault::Number);
        }
        let width = self.width;
        let written = match self.base {
            b'o' => write!(line, "{number:0width$o}"),
            b'x' => write!(line, "{number:0width$x}"),
            b'X' => write!(line, "{number:0width$X}"),
            _ => write!(line, "{number:0width$}"),
        };
        written.map_err(|_| GenerateFault::Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wire::Entries;

    fn line(template: &str, number: i64) -> Result<String, GenerateFault> {
        let mut entries = Entries::new(template.as_bytes());
        let mut line = String::new();
        let entry = entries.next().unwrap().unwrap();
        write_line(entry.words, number, &mut line).map(|()| line)
    }

    #[test]
    fn ranges() {
        let numbers =
            |text: &str| Range::read(text.as_bytes()).map(|r| r.numbers().collect::<Vec<_>>());
        assert_eq!(numbers("1-3"), Ok(vec![1, 2, 3]));
        assert_eq!(numbers("0-10/5"), Ok(vec![0, 5, 10]));
        assert_eq!(numbers("7-7"), Ok(vec![7]));
        for bad in ["", "1", "1-", "-1-2", "2-1", "1-2/0", "1-2/", "a-b", "1-9999999999", "+1-2"] {
            assert_eq!(numbers(bad), Err(GenerateFault::Range), "{bad}");
        }
        assert_eq!(numbers("0-65535").map(|numbers| numbers.len()), Ok(65_536));
        assert_eq!(numbers("0-65536"), Err(GenerateFault::TooMany));
        assert_eq!(numbers("0-2147483647/65536").map(|numbers| numbers.len()), Ok(32_768));
    }

    #[test]
    fn numbers_take_the_place_of_dollars() {
        for (template, expected) in [
            ("host$ A 10.0.0.$", "host11 A 10.0.0.11"),
            ("h${1,4,x} TXT \"n $\" x", "h000c TXT \"n 11\" x"),
            ("h${-11} A ${0,3}", "h0 A 011"),
            ("h${0,0,o}-${0,0,X}", "h13-B"),
            (r"a$$b\$c\.d\065", r"a$b$c\.d\065"),
            ("x SVCB 1 . alpn=\"h$\"", "x SVCB 1 . alpn=\"h11\""),
        ] {
            assert_eq!(line(template, 11).as_deref(), Ok(expected), "{template}");
        }
        for bad in ["${", "${}", "${a}", "${1,2,3}", "${1,256}", "${1,2,d,4}", "${+1}", "${1,-2}"] {
            assert_eq!(line(bad, 1), Err(GenerateFault::Modifier), "{bad}");
        }
        assert_eq!(line("${-2}", 1), Err(GenerateFault::Number));
        assert_eq!(line("${2147483647}", 1), Err(GenerateFault::Number));
    }

    proptest! {
        #[test]
        fn any_words_are_taken_without_a_panic(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Range::read(&text);
            let mut out = String::new();
            let _ = write_word(&text, 5, &mut out);
        }
    }
}
