//! Every scenario of `scenarios/` against CoreDNS: what they say of it must be true.
//!
//! `cargo test -p testkit --test scenarios -- hosts cache` runs the files with these words in their
//! names.

#![expect(clippy::print_stdout, reason = "the report is what this test is for")]

use std::path::Path;
use std::process::ExitCode;
use testkit::scenario::files_of;
use testkit::{Server, run};

fn main() -> ExitCode {
    let Some(server) = Server::coredns() else {
        println!("SKIPPED: no CoreDNS at target/peers/coredns, and $COREDNS names none");
        return ExitCode::SUCCESS;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let mut files = files_of(&folder).expect("the scenarios lie in the workspace");
    files.retain(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        words.is_empty() || words.iter().any(|word| name.contains(word))
    });
    let report = run(&files, &server);
    println!("{report}");
    if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
