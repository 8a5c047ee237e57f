//! Properties of all types, and two other implementations as judges.

use crate::forms::{Kind, TYPES, fields};
use crate::text::reader::Reader;
use crate::text::{BadData, DataFault, DataText, Entries, types};
use crate::{LABEL_MAX, NAME_MAX, Name, NameBuf, RecordType, rdata};
use proptest::collection::vec;
use proptest::prelude::*;

/// Valid data of any type with a form.
fn any_data() -> impl Strategy<Value = (RecordType, Vec<u8>)> {
    prop::sample::select(TYPES).prop_flat_map(|rtype| {
        let fields = fields(rtype).iter().map(|field| octets_of(field.kind));
        fields.collect::<Vec<_>>().prop_map(move |fields| (rtype, fields.concat()))
    })
}

fn any_name() -> impl Strategy<Value = NameBuf> {
    let plain = vec(prop::sample::select(b"abcxyz019".to_vec()), 1..12);
    let labels = prop_oneof![vec(plain, 1..6), vec(vec(any::<u8>(), 1..12), 0..6)];
    labels.prop_map(|labels| {
        let mut octets = Vec::new();
        for label in labels {
            octets.push(label.len() as u8);
            octets.extend(label);
        }
        octets.push(0);
        Name::from_octets(&octets).unwrap().to_buf()
    })
}

fn counted(length: std::ops::Range<usize>) -> BoxedStrategy<Vec<u8>> {
    let with_length = |octets: Vec<u8>| [&[octets.len() as u8], &octets[..]].concat();
    vec(any::<u8>(), length).prop_map(with_length).boxed()
}

fn octets_of(kind: Kind) -> BoxedStrategy<Vec<u8>> {
    let fixed = |length| vec(any::<u8>(), length).boxed();
    match kind {
        Kind::Name | Kind::PlainName => any_name().prop_map(|name| name.octets().to_vec()).boxed(),
        Kind::U8 | Kind::Algorithm => fixed(1),
        Kind::U16 | Kind::Type | Kind::CertificateType => fixed(2),
        Kind::U32 | Kind::Time | Kind::Ipv4 => fixed(4),
        // Not all judges know that the fields of an SOA record are unsigned.
        Kind::Seconds => (0..1u32 << 31).prop_map(|value| value.to_be_bytes().to_vec()).boxed(),
        Kind::Locator64 => fixed(8),
        Kind::Ipv6 => fixed(16),
        Kind::Eui(length) => fixed(length),
        Kind::String | Kind::Word | Kind::OptionalString => counted(0..30),
        Kind::Tag => Just(b"\x05issue".to_vec()).boxed(),
        Kind::Strings => vec(counted(0..30), 1..4).prop_map(|all| all.concat()).boxed(),
        Kind::Text => vec(any::<u8>(), 0..40).boxed(),
        Kind::Hex | Kind::Base64 | Kind::OptionalBase64 => vec(any::<u8>(), 1..40).boxed(),
        Kind::Salt => counted(0..10),
        Kind::Hash => counted(1..30),
        Kind::Types => bitmaps(any::<u16>().boxed(), types::read),
        Kind::OldTypes => bitmaps((1..128u16).boxed(), types::read_old),
        Kind::Parameters => prop_oneof![Just(Vec::new()), parameters()].boxed(),
        Kind::Location => location(),
        Kind::Prefixes => vec(prefix(), 0..4).prop_map(|all| all.concat()).boxed(),
        Kind::Gateway => gateway(0, |kind| vec![kind, 7]),
        Kind::Relay => gateway(0x80, |kind| vec![kind]),
        Kind::HostIdentity => (vec(any::<u8>(), 1..20), vec(any::<u8>(), 1..40), any_name())
            .prop_map(|(tag, key, server)| {
                let head = [tag.len() as u8, 2, 0, key.len() as u8];
                [&head, &tag[..], &key, server.octets()].concat()
            })
            .boxed(),
    }
}

fn bitmaps(
    codes: BoxedStrategy<u16>,
    read: fn(&mut Reader<'_, '_>) -> Result<(), DataFault>,
) -> BoxedStrategy<Vec<u8>> {
    let bitmap = move |codes: Vec<u16>| {
        let text: String = codes.iter().map(|code| format!("TYPE{code} ")).collect();
        let mut out = Vec::new();
        let mut entries = Entries::new(text.as_bytes());
        let words = entries.next().map_or(&[][..], |entry| entry.unwrap().words);
        read(&mut Reader::new(words, Name::ROOT, &mut out)).unwrap();
        out
    };
    vec(codes, 0..10).prop_map(bitmap).boxed()
}

fn parameters() -> BoxedStrategy<Vec<u8>> {
    let parameter = |key: u16, value: Vec<u8>| {
        [&key.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), &value].concat()
    };
    (vec(counted(1..9), 1..3), any::<[u8; 2]>(), vec(any::<[u8; 16]>(), 1..3), counted(0..20))
        .prop_map(move |(protocols, port, hints, opaque)| {
            let mut octets = parameter(0, vec![0, 1, 0, 3]);
            octets.extend(parameter(1, protocols.concat()));
            octets.extend(parameter(2, Vec::new()));
            octets.extend(parameter(3, port.to_vec()));
            octets.extend(parameter(4, hints.as_flattened().to_vec()));
            octets.extend(parameter(6, hints.as_flattened().to_vec()));
            octets.extend(parameter(1_000, opaque));
            octets
        })
        .boxed()
}

fn location() -> BoxedStrategy<Vec<u8>> {
    // Zero has one form only, so it is left out here.
    let sizes = vec((1..10u8, 0..10u8).prop_map(|(base, power)| base << 4 | power), 3);
    let latitude = (1u32 << 31) - 324_000_000..=(1u32 << 31) + 324_000_000;
    let longitude = (1u32 << 31) - 648_000_000..=(1u32 << 31) + 648_000_000;
    (sizes, latitude, longitude, any::<u32>())
        .prop_map(|(sizes, latitude, longitude, altitude)| {
            let words = [latitude, longitude, altitude].map(u32::to_be_bytes);
            [&[0], &sizes[..], words.as_flattened()].concat()
        })
        .boxed()
}

fn prefix() -> BoxedStrategy<Vec<u8>> {
    let item = |family: u8, length: u8, negated: bool, mut octets: Vec<u8>| {
        if let Some(last) = octets.last_mut() {
            *last |= 1; // trailing zeros are not written
        }
        let used = octets.len() as u8 | u8::from(negated) << 7;
        [&[0, family, length, used], &octets[..]].concat()
    };
    prop_oneof![
        (0..=32u8, any::<bool>(), vec(any::<u8>(), 0..=4))
            .prop_map(move |(length, negated, octets)| item(1, length, negated, octets)),
        (0..=128u8, any::<bool>(), vec(any::<u8>(), 0..=16))
            .prop_map(move |(length, negated, octets)| item(2, length, negated, octets)),
    ]
    .boxed()
}

fn gateway(bit: u8, head: fn(u8) -> Vec<u8>) -> BoxedStrategy<Vec<u8>> {
    (0..4u8, any::<bool>(), any::<[u8; 16]>(), any_name())
        .prop_map(move |(kind, flag, address, name)| {
            let mut octets = head(kind | if flag { bit } else { 0 });
            octets.extend_from_slice(match kind {
                0 => &[],
                1 => &address[..4],
                2 => &address,
                _ => name.octets(),
            });
            octets
        })
        .boxed()
}

fn read_back(rtype: RecordType, text: &str) -> Result<Vec<u8>, BadData> {
    let mut out = Vec::new();
    let mut entries = Entries::new(text.as_bytes());
    let words = entries.next().map_or(&[][..], |entry| entry.unwrap().words);
    rtype.read_data(words, Name::ROOT, &mut out).map(|()| out)
}

/// What `domain` makes of the text. None for types that it does not know, be it in a bitmap, and
/// for escapes in the protocols of HTTPS records, which it refuses.
fn read_by_domain(rtype: RecordType, text: &str) -> Option<Result<Vec<u8>, String>> {
    use domain::base::rdata::ComposeRecordData as _;
    use domain::zonefile::inplace::{Entry, Zonefile};
    const KNOWN: &[&str] = &[
        "A",
        "CNAME",
        "HINFO",
        "MB",
        "MD",
        "MF",
        "MG",
        "MINFO",
        "MR",
        "MX",
        "NS",
        "PTR",
        "SOA",
        "TXT",
        "AAAA",
        "CAA",
        "CDNSKEY",
        "CDS",
        "DNAME",
        "DNSKEY",
        "RRSIG",
        "NSEC",
        "DS",
        "IPSECKEY",
        "NAPTR",
        "NSEC3",
        "NSEC3PARAM",
        "OPENPGPKEY",
        "RP",
        "SRV",
        "SSHFP",
        "SVCB",
        "HTTPS",
        "TLSA",
        "ZONEMD",
    ];
    let refused = text.contains("alpn=") && text.contains('\\') || text.contains("NSAP-PTR");
    if !KNOWN.contains(&rtype.to_string().as_str()) || refused {
        return None;
    }
    let line = format!("x. 60 IN {rtype} {text}\n");
    let mut file = Zonefile::from(line.as_bytes());
    Some(match file.next_entry() {
        Ok(Some(Entry::Record(record))) => {
            let mut octets = Vec::new();
            record.data().compose_rdata(&mut octets).unwrap();
            Ok(octets)
        }
        other => Err(format!("{other:?}")),
    })
}

/// What `hickory` makes of the text. None for types that it does not know, and for names and
/// strings that it cannot read: it treats names as international ones and does not know `\DDD`.
fn read_by_hickory(rtype: RecordType, text: &str) -> Option<Result<Vec<u8>, String>> {
    use hickory_proto::rr::{RData, RecordType as Theirs};
    use hickory_proto::serialize::binary::{BinEncodable as _, BinEncoder, NameEncoding};
    const KNOWN: &[&str] = &[
        "A",
        "AAAA",
        "CNAME",
        "HINFO",
        "MX",
        "NAPTR",
        "NS",
        "OPENPGPKEY",
        "PTR",
        "SOA",
        "SRV",
        "SSHFP",
        "TLSA",
        "SMIMEA",
        "TXT",
    ];
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b" .:\"+/=".contains(&octet);
    if !KNOWN.contains(&rtype.to_string().as_str()) || !text.bytes().all(plain) {
        return None;
    }
    let data = match RData::try_from_str(Theirs::from(rtype.0), text) {
        Err(error) if error.to_string().contains("invalid characters") => return None,
        Err(error) => return Some(Err(error.to_string())),
        Ok(data) => data,
    };
    let mut octets = Vec::new();
    let mut encoder = BinEncoder::new(&mut octets);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    data.emit(&mut encoder).unwrap();
    Some(Ok(octets))
}

proptest! {
    #[test]
    fn valid_data_have_their_own_form((rtype, data) in any_data()) {
        prop_assume!(rdata::is_whole(rtype, &data));
        let text = DataText::new(rtype, &data);
        prop_assert!(text.own_form().is_some(), "{} {}", rtype, text);
    }

    #[test]
    fn any_octets_are_printed_and_read_back(
        rtype in prop_oneof![prop::sample::select(TYPES), any::<u16>().prop_map(RecordType)],
        data in vec(prop_oneof![any::<u8>(), 0..4u8], 0..60),
    ) {
        let text = DataText::new(rtype, &data).to_string();
        let back = read_back(rtype, &text);
        if rdata::is_whole(rtype, &data) {
            prop_assert_eq!(back, Ok(data));
        } else {
            // The text tells what the octets are, but nobody can put them into a zone.
            prop_assert_eq!(back.unwrap_err().fault, DataFault::Expected("octets of the form of the type"));
        }
    }

    #[test]
    fn any_words_are_read_without_a_panic(
        rtype in prop::sample::select(TYPES),
        words in vec(prop_oneof![
            "[0-9.:a-f]{1,12}", "\"[^\"]{0,6}\"", "\\PC{1,6}", "[nswe]", "alpn=[a-z,\\\\]{0,5}",
            "[0-9]{1,6}", "[A-Za-z0-9+/=]{1,12}", "!?[12]:[0-9.:]{1,9}/[0-9]{1,3}",
        ], 0..12),
    ) {
        let text = words.join(" ");
        let mut entries = Entries::new(text.as_bytes());
        if let Some(Ok(entry)) = entries.next() {
            let mut out = Vec::new();
            if rtype.read_data(entry.words, Name::ROOT, &mut out).is_ok() {
                prop_assert!(rdata::is_whole(rtype, &out), "{} {}", rtype, text);
            }
        }
    }

    #[test]
    fn others_read_our_text_the_same((rtype, data) in any_data()) {
        prop_assume!(rdata::is_whole(rtype, &data));
        let text = DataText::new(rtype, &data).to_string();
        if let Some(theirs) = read_by_domain(rtype, &text) {
            prop_assert_eq!(theirs.as_deref(), Ok(&data[..]), "domain: {} {}", rtype, text);
        }
        if let Some(theirs) = read_by_hickory(rtype, &text) {
            // It puts names into lower case.
            let theirs = theirs.map(|octets| octets.to_ascii_lowercase());
            let data = data.to_ascii_lowercase();
            prop_assert_eq!(theirs, Ok(data), "hickory: {} {}", rtype, text);
        }
    }
}

#[test]
fn names_at_their_limits() {
    let long = "x".repeat(LABEL_MAX);
    let name = [&long[..], &long, &long, &long[..61]].join(".");
    let octets = read_back(RecordType::NS, &name).unwrap();
    assert_eq!(octets.len(), NAME_MAX);
    assert_eq!(DataText::new(RecordType::NS, &octets).to_string(), name + ".");
}
