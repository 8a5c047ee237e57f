//! What fuzzing found once stays found: every file of `fuzz/corpus/` goes through the check of its
//! target again.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "../../../fuzz/targets/corefile.rs"]
mod corefile;
#[path = "../../../fuzz/targets/hosts.rs"]
mod hosts;
#[path = "../../../fuzz/targets/message.rs"]
mod message;
#[path = "../../../fuzz/targets/objects.rs"]
mod objects;
#[path = "../../../fuzz/targets/zone.rs"]
mod zone;

/// A name of a target, and what it does with the octets that it is given.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 5] = [
    ("corefile", corefile::check),
    ("hosts", hosts::check),
    ("message", message::check),
    ("objects", objects::check),
    ("zone", zone::check),
];

fn files(folder: &str) -> Vec<PathBuf> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let entries = fs::read_dir(fuzz.join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn every_file_of_every_corpus_passes() {
    for (name, check) in TARGETS {
        let corpus = files(&format!("corpus/{name}"));
        assert!(!corpus.is_empty(), "{name} has no corpus");
        for file in corpus {
            println!("{}", file.display());
            check(&fs::read(file).unwrap());
        }
    }
}

#[test]
fn every_target_is_replayed() {
    let named = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let targets: BTreeSet<_> = files("targets").into_iter().map(named).collect();
    assert_eq!(targets, TARGETS.map(|(name, _)| name.to_owned()).into());
}
