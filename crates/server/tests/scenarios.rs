//! Every scenario, of `scenarios/` and of the plugins' manuals, against this server.
//!
//! `cargo test -p server --test scenarios -- hosts cache` runs the files with these words in their
//! paths.
#![expect(clippy::print_stdout, reason = "the report is what this test is for")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use testkit::scenario::files_of;
use testkit::{Server, run};

fn main() -> ExitCode {
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let mut files = files();
    files.retain(|file| {
        let path = file.to_string_lossy();
        let inside = path.rsplit_once("crates/").map_or(&*path, |(_, inside)| inside);
        words.is_empty() || words.iter().any(|word| inside.contains(word))
    });
    let report = run(&files, &Server::rutter(env!("CARGO_BIN_EXE_rutter")));
    println!("{report}");
    if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace");
    let mut files = files_of(&root.join("scenarios")).expect("the scenarios lie in the workspace");
    let plugins = std::fs::read_dir(root.join("crates/plugins/src")).expect("the plugins as well");
    let manuals = plugins.flatten().map(|entry| entry.path().join("README.md"));
    files.extend(manuals.filter(|manual| manual.exists()));
    files.sort_unstable();
    files
}
