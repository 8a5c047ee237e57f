//! Objects of Kubernetes in both forms: the first octet chooses the kind, and what can be read agrees
//! with its own key.
#![cfg_attr(fuzzing, no_main)]

use cluster::{Document, Kind};

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|octets: &[u8]| check(octets));

pub(crate) fn check(octets: &[u8]) {
    let Some((&first, octets)) = octets.split_first() else { return };
    let kind = Kind::ALL[usize::from(first) % Kind::ALL.len()];
    if let Ok(document) = Document::from_protobuf(kind, octets) {
        agrees(kind, document);
    }
    if let Ok(text) = std::str::from_utf8(octets)
        && let Ok(document) = Document::from_json(kind, text)
    {
        agrees(kind, document);
    }
}

fn agrees(kind: Kind, document: Document) {
    assert_eq!(document.key.kind, kind);
    assert!(document.object.is_none_or(|object| object.key() == document.key));
}
