//! Record data as text: every type both ways, and what is refused.

use super::vectors::VECTORS;
use crate::text::{DataText, Entries, Place, RecordText, Word};
use crate::{Body, Class, Name, NameBuf, RecordType, Section};
use std::collections::BTreeSet;

fn read(rtype: &str, text: &str) -> Result<Vec<u8>, String> {
    let origin: NameBuf = "example".parse().unwrap();
    let rtype: RecordType = rtype.parse().unwrap();
    let mut entries = Entries::new(text.as_bytes());
    let words = entries.next().map_or(&[][..], |entry| entry.unwrap().words);
    let mut octets = b"before".to_vec();
    match rtype.read_data(words, origin.as_name(), &mut octets) {
        Ok(()) => Ok(octets[6..].to_vec()),
        Err(bad) => {
            assert_eq!(octets, b"before", "{rtype} {text}");
            Err(format!("{} {bad}", bad.word))
        }
    }
}

fn octets(hexadecimal: &str) -> Vec<u8> {
    let digits: String = hexadecimal.split_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn every_vector_is_read_and_printed() {
    for (rtype, text, printed, hexadecimal) in VECTORS {
        let expected = octets(hexadecimal);
        assert_eq!(read(rtype, text).as_deref(), Ok(&expected[..]), "{rtype} {text}");
        let printed = if printed.is_empty() { text } else { printed };
        let found = DataText::new(rtype.parse().unwrap(), &expected).to_string();
        assert_eq!(found, *printed, "{rtype} {text}");
    }
}

#[test]
fn every_type_with_a_text_form_has_a_vector() {
    // Types that only stand in questions and in messages between servers.
    let without =
        ["OPT", "UNSPEC", "NXNAME", "TKEY", "TSIG", "IXFR", "AXFR", "MAILB", "MAILA", "ANY"];
    let tested: BTreeSet<&str> = VECTORS.iter().map(|vector| vector.0).collect();
    for mnemonic in (0..=u16::MAX).filter_map(|code| RecordType(code).mnemonic()) {
        assert_ne!(tested.contains(mnemonic), without.contains(&mnemonic), "{mnemonic}");
    }
}

#[test]
fn mistakes_name_the_field_and_what_was_expected() {
    for (rtype, text, expected) in [
        ("A", "", "0 address: missing, expected an IPv4 address such as 192.0.2.1"),
        ("A", "192.0.2.256", "0 address: expected an IPv4 address such as 192.0.2.1"),
        ("A", "192.0.2.01", "0 address: expected an IPv4 address such as 192.0.2.1"),
        ("A", "\"192.0.2.1\"", "0 address: expected an IPv4 address such as 192.0.2.1"),
        ("A", "192.0.2.1 x", "1 more words than the type has fields"),
        ("AAAA", "192.0.2.1", "0 address: expected an IPv6 address such as 2001:db8::1"),
        ("MX", "mail", "0 preference: expected a number from 0 to 65535"),
        ("MX", "+1 mail", "0 preference: expected a number from 0 to 65535"),
        ("MX", "65536 mail", "0 preference: expected a number from 0 to 65535"),
        ("MX", "10", "1 exchange: missing, expected a name such as www.example.org."),
        ("MX", "10 a..b", "1 exchange: a label is empty"),
        ("MX", "10 \"a\"", "1 exchange: expected a name such as www.example.org."),
        ("SOA", "a b 1h 1 1 1 1", "2 serial: expected a number from 0 to 4294967295"),
        ("SOA", "a b 1 1x 1 1 1", "3 refresh: expected seconds, such as 3600 or 1h30m"),
        ("TXT", "", "0 text: missing, expected text, in quotes if it has blanks"),
        ("TXT", "a\\300", "0 text: expected a character or three digits up to 255 behind \\"),
        ("CAA", "0 is-sue x", "1 tag: expected letters and digits, such as issue"),
        ("DS", "1 8 2 ABC", "3 digest: expected pairs of hexadecimal digits"),
        ("DS", "1 8 2", "3 digest: missing, expected pairs of hexadecimal digits"),
        ("DS", "1 XYZ 2 AA", "1 algorithm: expected an algorithm such as 13 or ECDSAP256SHA256"),
        ("DNSKEY", "256 3 8 AQI", "3 public key: expected Base64 with its padding"),
        (
            "RRSIG",
            "A 5 3 1 20031322173103 0 1 a. AA==",
            "4 expiration: expected a time such as 20260131235959",
        ),
        ("NSEC", "a. A BOGUS", "2 types: expected record types, such as A MX TYPE1234"),
        ("SVCB", "1 . alpn=", "2 parameters: expected alpn=ID,ID such as alpn=h2,h3"),
        ("SVCB", "1 . port=1 port=2", "3 parameters: the same key for the second time"),
        ("SVCB", "1 . key3=1", "2 parameters: expected parameters such as alpn=h2 port=8443"),
        ("SVCB", "1 . key09=1", "2 parameters: expected parameters such as alpn=h2 port=8443"),
        (
            "SVCB",
            "1 . mandatory=port",
            "3 parameters: missing, expected the parameters that mandatory names",
        ),
        (
            "SVCB",
            "1 . mandatory=port,port port=1",
            "2 parameters: expected mandatory=KEY,KEY with each key once",
        ),
        (
            "SVCB",
            "1 . no-default-alpn",
            "3 parameters: missing, expected alpn, since no-default-alpn is there",
        ),
        ("SVCB", "1 . ohttp=x", "2 parameters: expected a key without a value"),
        ("LOC", "91 N 0 E 0", "0 location: expected whole degrees"),
        ("LOC", "90 1 N 0 E 0", "2 location: expected an angle within the hemisphere"),
        ("LOC", "42 60 N 0 E 0", "1 location: expected whole minutes up to 59"),
        ("LOC", "42 1 60 N 0 E 0", "2 location: expected seconds below 60 with up to 3 decimals"),
        (
            "LOC",
            "42 1 2 E 0 E 0",
            "3 location: expected N, S, E or W behind the degrees, minutes and seconds",
        ),
        (
            "APL",
            "1:10.0.0.0/33",
            "0 prefixes: expected prefixes such as 1:192.0.2.0/24 !2:2001:db8::/32",
        ),
        (
            "EUI48",
            "00-00-5e-00-53",
            "0 address: expected pairs of hexadecimal digits such as 00-00-5e-00-53-2a",
        ),
        (
            "IPSECKEY",
            "1 4 1 .",
            "1 gateway: expected a type: 0 for none, 1 for IPv4, 2 for IPv6, 3 for a name",
        ),
        ("TYPE731", "abc", "0 data: expected \\# and a length, since the type has no other form"),
        ("A", "\\# 4 0a0000", "2 data: expected as many octets in hexadecimal as the length says"),
        ("A", "\\# 3 0a0000", "2 data: expected octets of the form of the type"),
        ("MX", "\\# 3 000a03", "2 data: expected octets of the form of the type"),
        ("A", "\\# 0 00", "2 more words than the type has fields"),
    ] {
        assert_eq!(read(rtype, text), Err(expected.to_owned()), "{rtype} {text}");
    }
}

#[test]
fn long_text_is_cut_into_strings() {
    let long = "x".repeat(300);
    let octets = read("TXT", &format!("\"{long}\"")).unwrap();
    assert_eq!((octets[0], octets[256], octets.len()), (255, 45, 302));
    assert!(read("HINFO", &format!("a \"{long}\"")).unwrap_err().starts_with("1 operating system"));
    let words = vec!["\"".to_owned() + &long + "\""; 220].join(" ");
    assert_eq!(read("TXT", &words), Err("0 data: too long".to_owned()));
}

/// Malformed octets come from the network; what is not of the type's form has a text all the same.
#[test]
fn malformed_data_have_the_generic_form() {
    for (rtype, octets, expected) in [
        (RecordType::A, &[1, 2, 3][..], "\\# 3 010203"),
        (RecordType::MX, &[0], "\\# 1 00"),
        (RecordType::TXT, &[], "\\# 0"),
        (RecordType::TXT, &[5, b'a'], "\\# 2 0561"),
        // A bitmap with a trailing zero octet: valid to read, but not what we would write.
        (RecordType::CSYNC, &[0, 0, 0, 1, 0, 0, 0, 2, 0x40, 0], "\\# 10 00000001000000024000"),
        // Two keys out of order.
        (RecordType::SVCB, &[0, 1, 0, 0, 9, 0, 0, 0, 8, 0, 0], "\\# 11 0001000009000000080000"),
        (RecordType::DS, &[0, 1, 8, 2], "\\# 4 00010802"),
    ] {
        assert_eq!(DataText::new(rtype, octets).to_string(), expected);
    }
}

#[test]
fn a_record_is_a_line() {
    let owner: NameBuf = "a b.example".replace(' ', "\\032").parse().unwrap();
    let record = RecordText {
        owner: owner.as_name(),
        ttl: 60,
        class: Class::IN,
        rtype: RecordType::TXT,
        data: b"\x01x",
    };
    assert_eq!(record.to_string(), r#"a\ b.example. 60 IN TXT "x""#);
    let mut body = Body::new();
    body.push(Section::Answer, Name::ROOT, 5, RecordType(999), &[1]);
    assert_eq!(body.text(&body.answer[0]).to_string(), ". 5 IN TYPE999 \\# 1 01");
}

#[test]
fn keywords_are_never_in_quotes() {
    let word = |quoted| Word { text: b"in", quoted, joined: false, place: Place::default() };
    assert!(word(false).is("IN") && !word(true).is("IN"));
}
