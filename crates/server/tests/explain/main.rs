//! What `rutter explain` prints, word for word: the transcripts beside this file, and those of the
//! manual.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use testkit::upstream::{FakeUpstream, Script};

const UPSTREAM: &str = "\
www.example.org A
;; NOERROR ra rd
www.example.org. 60 IN A 192.0.2.80

gone.new.test A
;; NXDOMAIN ra rd
;; AUTHORITY
new.test. 60 IN SOA ns.new.test. root.new.test. 1 2 3 4 5

a.next.test A
;; NXDOMAIN ra rd

found.b.test A
;; NOERROR ra rd
found.b.test. 60 IN A 192.0.2.81

mail.example.org A
;; SERVFAIL ra rd
";

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explain")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_decision_is_told() {
    check(&here().join("transcripts.md"), &here().join("world"));
}

#[test]
fn the_manual_shows_what_is_printed() {
    check(&repository().join("docs/operate/explain.md"), &repository().join("examples/company"));
}

/// What programs read has names that stay: each is in the manual.
#[test]
fn every_field_is_in_the_manual() {
    let manual = fs::read_to_string(repository().join("docs/operate/explain.md")).unwrap();
    let (_, fields) = manual.split_once("## For programs").unwrap();
    let told: BTreeSet<_> = fields.split('`').skip(1).step_by(2).collect();
    let upstream = FakeUpstream::start(0, Script::read(UPSTREAM, 1).unwrap()).unwrap();
    let mut used = BTreeSet::new();
    for words in ["www.company.test A --from shop/web-1 -o json", "mail.example.org A -o json"] {
        for line in printed(words, &here().join("world"), &upstream).lines() {
            if let Some((name, _)) = line.trim_start().split_once("\": ") {
                used.insert(name.trim_start_matches('"').to_owned());
            }
        }
    }
    assert!(used.contains("steps"), "{used:?}");
    let missing: Vec<_> = used.iter().filter(|name| !told.contains(name.as_str())).collect();
    assert_eq!(missing, Vec::<&String>::new());
}

/// Runs every command of a file in `folder` and compares what it prints.
fn check(file: &Path, folder: &Path) {
    let upstream = FakeUpstream::start(0, Script::read(UPSTREAM, 1).unwrap()).unwrap();
    let before = fs::read_to_string(file).unwrap();
    let mut after = String::new();
    let mut count = 0;
    for (index, part) in before.split("```").enumerate() {
        let words = part.strip_prefix("console\n$ rutter explain ").filter(|_| index % 2 == 1);
        after += if index > 0 { "```" } else { "" };
        let Some((words, _)) = words.and_then(|part| part.split_once('\n')) else {
            after += part;
            continue;
        };
        after +=
            &format!("console\n$ rutter explain {words}\n{}", printed(words, folder, &upstream));
        count += 1;
    }
    assert!(count > 0, "{} has no transcript", file.display());
    if std::env::var_os("EXPLAIN_BLESS").is_some() {
        fs::write(file, &after).unwrap();
    }
    let differing = before.lines().zip(after.lines()).find(|(old, new)| old != new);
    assert!(before == after, "{} differs first in {differing:#?}\n{after}", file.display());
}

/// What the program prints, with what differs from run to run put aside.
fn printed(words: &str, folder: &Path, upstream: &FakeUpstream) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_rutter"))
        .arg("explain")
        .args(words.split(' '))
        .current_dir(folder)
        .env("UPSTREAM", upstream.address().to_string())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    text += &String::from_utf8(output.stderr).unwrap();
    match output.status.code() {
        Some(0) => {}
        code => text += &format!("(exit code {})\n", code.unwrap()),
    }
    let mut lines: Vec<String> = text.lines().map(|line| steady(line, upstream)).collect();
    // The order of addresses is another each time.
    lines.chunk_by_mut(|one, next| is_address(one) && is_address(next)).for_each(<[_]>::sort);
    lines.join("\n") + "\n"
}

fn is_address(line: &str) -> bool {
    line.contains(" IN A ") && !line.contains("->")
}

/// A line without ports that the system has chosen, and without times.
fn steady(line: &str, upstream: &FakeUpstream) -> String {
    let line = line.replace(&upstream.address().to_string(), "UPSTREAM");
    let words: Vec<&str> = line.split(' ').collect();
    let words = words.iter().enumerate().map(|(at, word)| {
        let is_time = words.get(at + 1).is_some_and(|next| next.trim_end_matches(';') == "ms")
            && word.parse::<f64>().is_ok();
        let is_port = word.starts_with("127.0.0.1:") && word.contains("->");
        match word {
            _ if is_time => "?".to_owned(),
            _ if is_port => format!("127.0.0.1:?{}", &word[word.find("->").unwrap()..]),
            word => (*word).to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
