//! Corefiles: any octets give a tree and mistakes, both of which can be shown; laid out and migrated
//! they stay so.
#![cfg_attr(fuzzing, no_main)]

use corefile::Unreadable;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|octets: &[u8]| check(octets));

/// What stands behind each NUL is a file that can be imported: `0`, `1`, `2` …
struct Files<'o>(Vec<&'o [u8]>);

impl corefile::Surroundings for Files<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, Unreadable> {
        let number: Option<usize> = path.parse().ok();
        let file = number.and_then(|number| self.0.get(number + 1));
        file.map(|octets| octets.to_vec()).ok_or(Unreadable::Missing)
    }

    fn list(&self, _directory: &str) -> Vec<String> {
        (0..self.0.len()).map(|number| number.to_string()).collect()
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name.len() < 4).then(|| name.to_lowercase())
    }
}

pub(crate) fn check(octets: &[u8]) {
    let files = Files(octets.split(|&octet| octet == 0).collect());
    let text = files.0[0];
    let mut parsed = corefile::parse("Corefile", text, &files);
    let legacy = corefile::modernise(&mut parsed.blocks);
    parsed.mistakes.append(legacy);
    parsed.mistakes.append(corefile::check_directives(&parsed.blocks, &["forward", "hosts"]));
    let _ = parsed.mistakes.render(&parsed.sources, false);
    let _ = parsed.mistakes.to_json(&parsed.sources);
    let _ = corefile::content(&parsed.blocks);
    if let Ok(laid_out) = corefile::format("Corefile", text) {
        let again = corefile::format("Corefile", laid_out.as_bytes());
        assert_eq!(again.ok(), Some(laid_out));
    }
    if let Ok(migration) = corefile::migrate("Corefile", text, &files, None) {
        let again = corefile::migrate("Corefile", migration.text.as_bytes(), &files, None);
        let again = again.unwrap_or_else(|_| panic!("{}", migration.text));
        assert_eq!(again.text, migration.text);
    }
}
