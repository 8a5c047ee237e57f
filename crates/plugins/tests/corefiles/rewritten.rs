//! `fmt` and `migrate` over the corpus and its mutants: the text changes, what it says does not.

use super::{Example, World, check, examples};
use crate::mutants::{mutant, whole};
use corefile::{Migration, content, format, migrate, modernise, parse};
use proptest::prelude::*;

/// What a text says, its variables set in and its imports followed.
fn said(path: &str, text: &str) -> Vec<u8> {
    let mut parsed = parse(path, text.as_bytes(), &World);
    modernise(&mut parsed.blocks);
    content(&parsed.blocks)
}

/// A Corefile that can be read is laid out, says the same, and stays as it is from then on.
fn formatted(path: &str, text: &str) -> Option<String> {
    let laid_out = format(path, text.as_bytes()).ok()?;
    let (before, after) =
        (parse(path, text.as_bytes(), &World), parse(path, laid_out.as_bytes(), &World));
    assert_eq!(content(&before.blocks), content(&after.blocks), "{laid_out}");
    assert!(after.mistakes.iter().count() <= before.mistakes.iter().count(), "{laid_out}");
    assert_eq!(format(path, laid_out.as_bytes()).ok().as_ref(), Some(&laid_out));
    let comments = |text: &str| text.matches('#').count();
    assert_eq!(comments(text), comments(&laid_out), "{laid_out}");
    Some(laid_out)
}

#[test]
fn the_corpus_keeps_its_meaning_when_it_is_laid_out() {
    let folders = ["corpus", "corpus/old", "corpus/lacking"];
    for Example { name, path, text } in folders.into_iter().flat_map(examples) {
        let laid_out = formatted(&path, &text).unwrap_or_else(|| panic!("{name} is refused"));
        // One is written as nobody should, one has blanks before comments.
        assert_eq!(
            laid_out == text,
            !["grammar", "company-2018"].contains(&name.as_str()),
            "{name}:\n{laid_out}"
        );
        // Without any layout at all, it comes back.
        let flat: String = text.lines().map(|line| line.trim_start().to_owned() + "\n").collect();
        if !["grammar", "company-2018"].contains(&name.as_str()) {
            assert_eq!(formatted(&path, &flat), Some(text), "{name}");
        }
    }
}

#[test]
fn old_corefiles_are_migrated_and_mean_what_they_meant() {
    for Example { name, path, text } in examples("corpus/old") {
        let Migration { text: new, undecided, sources, .. } =
            migrate(&path, text.as_bytes(), &World, None).unwrap();
        assert!(undecided.is_empty(), "{name}:\n{}", undecided.render(&sources, false));
        assert_eq!(said(&path, &new), said(&path, &text), "{name}:\n{new}");
        let old_words = check(&path, new.as_bytes());
        let old_words = old_words.mistakes.iter().filter(|it| it.code.slug() == "legacy").count();
        assert_eq!(old_words, 0, "{name}:\n{new}");
        let again = migrate(&path, new.as_bytes(), &World, None).unwrap();
        assert_eq!((again.text, again.changes), (new, 0), "{name}");
    }
}

#[test]
fn corefiles_of_today_are_not_changed() {
    for Example { name, path, text } in examples("corpus") {
        // Of these words CoreDNS still takes one, and makes nothing of it.
        if !["errors", "grammar"].contains(&name.as_str()) {
            let migration = migrate(&path, text.as_bytes(), &World, None).unwrap();
            assert_eq!((migration.text, migration.changes), (text, 0), "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn mutants_that_can_be_read_keep_their_meaning(seed in any::<u64>()) {
        let examples = whole();
        let Some((example, mutant)) = mutant(&examples, seed) else { return Ok(()) };
        formatted(&example.path, &mutant.text);
        // A Corefile that begins with a directive would be read as one that is imported.
        if example.text.lines().next() != mutant.text.lines().next() {
            return Ok(());
        }
        if let Ok(migration) = migrate(&example.path, mutant.text.as_bytes(), &World, None) {
            prop_assert_eq!(said(&example.path, &migration.text), said(&example.path, &mutant.text));
        }
    }
}
