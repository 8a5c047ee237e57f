//! Corefiles: any octets give a tree and mistakes, both of which can be shown.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|octets: &[u8]| check(octets));

pub(crate) fn check(octets: &[u8]) {
    let mut parsed = corefile::parse("Corefile", octets, &());
    let legacy = corefile::modernise(&mut parsed.blocks);
    parsed.mistakes.append(legacy);
    parsed.mistakes.append(corefile::check_directives(&parsed.blocks, &["forward", "hosts"]));
    let _ = parsed.mistakes.render(&parsed.sources, false);
    let _ = parsed.mistakes.to_json(&parsed.sources);
    let _ = corefile::content(&parsed.blocks);
}
