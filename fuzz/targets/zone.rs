//! Zone files: what is loaded is found again, answers fit into messages, and records written as text
//! are read as the same records.
#![cfg_attr(fuzzing, no_main)]

use wire::{Body, Encoder, Message, Name, NameBuf, Question, Reply, Request, Section};
use zone::{Found, Included, Loaded, Source, Zone};

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|octets: &[u8]| check(octets));

/// The most sets of records of a zone that are looked at.
const RRSETS_MAX: usize = 200;

/// What every `$INCLUDE` finds: a file that includes others.
const INCLUDED: &str = "included 300 IN A 192.0.2.1\n$INCLUDE another\n";

pub(crate) fn check(octets: &[u8]) {
    if generates_much(octets) {
        return;
    }
    let apex: NameBuf = "example.org".parse().expect("this is a name");
    let source = Source { file: "db", text: octets, origin: apex.as_name(), ttl: Some(60) };
    let found = |file: &str| Included { file: file.to_owned(), text: INCLUDED.into() };
    match zone::load(apex.as_name(), source, &mut |include| Ok(found(include.path))) {
        Ok(Loaded { zone, warnings }) => {
            let _ = warnings.to_string();
            records_are_found(&zone);
        }
        Err(mistakes) => assert!(mistakes.has_errors() && !mistakes.to_string().is_empty()),
    }
}

/// A line may make a million records. They are bounded, but would take all the time there is.
fn generates_much(octets: &[u8]) -> bool {
    let generates = octets.windows(9).any(|word| word.eq_ignore_ascii_case(b"$generate"));
    let mut numbers = octets.split(|octet| !octet.is_ascii_digit());
    generates && numbers.any(|digits| digits.len() > 3)
}

fn records_are_found(zone: &Zone) {
    let (mut reply, mut encoder) = (Reply::default(), Encoder::new());
    let mut out = vec![0; wire::MESSAGE_MAX];
    for rrset in zone.rrsets().take(RRSETS_MAX) {
        let (owner, rtype) = (rrset.owner(), rrset.rtype());
        assert!(zone.find(owner, rtype).is_some(), "{owner} {rtype}");
        reply.clear();
        let question = Question::new(owner, rtype);
        let found = zone.answer(&question, true, &mut reply).found;
        assert!(!matches!(found, Found::NotHere | Found::NoSuchName), "{owner} {rtype}: {found:?}");
        let mut request = Request::new();
        request.ask(&question);
        let length = encoder.reply(&request, &reply, wire::MESSAGE_MAX, &mut out);
        Message::read(&out[..length]).expect("what we write can be read");
        for data in rrset.records() {
            text_is_read_as_the_record(owner, &rrset, data);
        }
    }
}

fn text_is_read_as_the_record(owner: Name<'_>, rrset: &zone::Rrset<'_>, data: &[u8]) {
    let (ttl, mut body) = (rrset.ttl(), Body::default());
    body.push(Section::Answer, owner, ttl, rrset.rtype(), data);
    let Some(record) = body.section(Section::Answer).first() else { return };
    let text = body.text(record).to_string();
    let source = Source { file: "text", text: text.as_bytes(), origin: Name::ROOT, ttl: None };
    let mut again = 0;
    let mistakes =
        zone::read(source, &mut |_| Err("nothing is included".to_owned()), &mut |read| {
            assert_eq!((read.owner, read.rtype, read.ttl), (owner, rrset.rtype(), ttl), "{text}");
            assert_eq!(read.data, data, "{text}");
            again += 1;
        });
    assert_eq!(again, 1, "{text}: {mistakes}");
}
