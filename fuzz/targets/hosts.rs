//! Hosts files: whatever stands in them, what comes out can be written down and read again.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|octets: &[u8]| check(octets));

pub(crate) fn check(octets: &[u8]) {
    zone::hosts::read(octets, |address, name| {
        let text = name.to_string();
        assert!(text.ends_with('.') && text != ".", "{text}");
        // The format has no way to write these in a name.
        if text.contains(|c: char| c == '#' || c.is_ascii_whitespace()) {
            return;
        }
        let mut again = Vec::new();
        zone::hosts::read(format!("{address}\t{text}").as_bytes(), |address, name| {
            again.push((address, name));
        });
        assert_eq!(again, [(address, name)], "{text}");
    });
}
