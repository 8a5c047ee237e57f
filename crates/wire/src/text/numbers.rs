//! Numbers, durations, dates and mnemonics.

/// A number in digits alone, at most `max`.
pub(super) fn number(text: &[u8], max: u64) -> Option<u64> {
    let mut value = 0u64;
    for octet in text {
        let digit = octet.is_ascii_digit().then(|| u64::from(octet - b'0'))?;
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    (!text.is_empty() && value <= max).then_some(value)
}

/// Reads seconds: a number, or numbers with the units `w`, `d`, `h`, `m` and `s` in any case, such
/// as `1h30m`. A last number without a unit counts seconds.
///
/// The most is 2³²-1, as a field of an SOA record can hold it.
pub fn seconds(text: &[u8]) -> Option<u32> {
    let mut total = 0u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
        let (count, behind) = rest.split_at(digits);
        let unit = match behind.first().map(u8::to_ascii_lowercase) {
            None | Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 3_600,
            Some(b'd') => 86_400,
            Some(b'w') => 604_800,
            Some(_) => return None,
        };
        // Neither factor passes 2³², so this cannot overflow.
        total += number(count, u64::from(u32::MAX))? * unit;
        if total > u64::from(u32::MAX) {
            return None;
        }
        rest = behind.get(1..).unwrap_or_default();
    }
    (!text.is_empty()).then_some(total as u32)
}

const DAY: u64 = 86_400;

/// RFC 4034 §3.2: "as an unsigned decimal integer indicating seconds since 1 January 1970 00:00:00
/// UTC, ignoring leap seconds, or in the form YYYYMMDDHHmmSS in UTC".
pub(super) fn time(text: &[u8]) -> Option<u32> {
    if text.len() != 14 {
        return number(text, u64::from(u32::MAX)).map(|seconds| seconds as u32);
    }
    let part = |from: usize, to: usize, max: u64| number(&text[from..to], max);
    let (year, month, day) = (part(0, 4, 9_999)?, part(4, 6, 12)?, part(6, 8, 31)?);
    let (hour, minute, second) = (part(8, 10, 23)?, part(10, 12, 59)?, part(12, 14, 59)?);
    let days = days_since_1970(year, month, day)?;
    // RFC 4034 §3.1.5: the fields are serial numbers, so what passes 2106 wraps around.
    Some((days * DAY + hour * 3_600 + minute * 60 + second) as u32)
}

/// The text of [`time`]: always `YYYYMMDDHHmmSS`, between 1970 and 2106.
pub(super) fn time_text(seconds: u32) -> String {
    let seconds = u64::from(seconds);
    let (mut days, mut year, mut month) = (seconds / DAY, 1970, 1);
    while days >= days_of_year(year) {
        days -= days_of_year(year);
        year += 1;
    }
    while days >= days_of_month(year, month) {
        days -= days_of_month(year, month);
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{:02}{hour:02}{minute:02}{second:02}", days + 1)
}

fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || month == 0 || day == 0 || day > days_of_month(year, month) {
        return None;
    }
    let years: u64 = (1970..year).map(days_of_year).sum();
    let months: u64 = (1..month).map(|month| days_of_month(year, month)).sum();
    Some(years + months + day - 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of_year(year: u64) -> u64 {
    365 + u64::from(is_leap(year))
}

fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The DNSSEC algorithms by mnemonic (the IANA registry); they are written as numbers.
pub(super) const ALGORITHMS: &[(&str, u16)] = &[
    ("RSAMD5", 1),
    ("DH", 2),
    ("DSA", 3),
    ("RSASHA1", 5),
    ("DSA-NSEC3-SHA1", 6),
    ("RSASHA1-NSEC3-SHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECC-GOST", 12),
    ("ECDSAP256SHA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
    ("INDIRECT", 252),
    ("PRIVATEDNS", 253),
    ("PRIVATEOID", 254),
];

/// The certificate types by mnemonic (RFC 4398 §2.1); they are written as numbers.
pub(super) const CERTIFICATE_TYPES: &[(&str, u16)] = &[
    ("PKIX", 1),
    ("SPKI", 2),
    ("PGP", 3),
    ("IPKIX", 4),
    ("ISPKI", 5),
    ("IPGP", 6),
    ("ACPKIX", 7),
    ("IACPKIX", 8),
    ("URI", 253),
    ("OID", 254),
];

/// A number up to `max`, or one of the mnemonics in any case.
pub(super) fn mnemonic(text: &[u8], names: &[(&str, u16)], max: u64) -> Option<u64> {
    let named = names.iter().find(|(name, _)| text.eq_ignore_ascii_case(name.as_bytes()));
    named.map(|(_, code)| u64::from(*code)).or_else(|| number(text, max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn seconds_with_and_without_units() {
        for (text, expected) in [
            ("0", Some(0)),
            ("3600", Some(3_600)),
            ("1h30m", Some(5_400)),
            ("1H30", Some(3_630)),
            ("2w1d", Some(15 * 86_400)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("7102w", None),
            ("", None),
            ("h", None),
            ("1y", None),
            ("-1", None),
            ("1h ", None),
        ] {
            assert_eq!(seconds(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn times_of_signatures() {
        // The example of RFC 4034 §3.3.
        assert_eq!(time(b"20030322173103"), Some(1_048_354_263));
        assert_eq!(time_text(1_048_354_263), "20030322173103");
        assert_eq!(time(b"19700101000000"), Some(0));
        assert_eq!(time_text(u32::MAX), "21060207062815");
        assert_eq!(time(b"21060207062816"), Some(0));
        for bad in ["20030229000000", "20031301000000", "20030322240000", "19691231235959", "x"] {
            assert_eq!(time(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_time_is_read_back(seconds in any::<u32>()) {
            prop_assert_eq!(time(time_text(seconds).as_bytes()), Some(seconds));
        }
    }
}
