//! Transcripts in the manual are what the program prints: every `console` block of a page is run, in
//! a folder with the page's `corefile NAME` blocks. `UPDATE=1` writes what it prints into the page.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The pages that are run.
const PAGES: &[&str] = &["fmt.md", "migrate.md", "mistakes.md"];

/// What a command of a shell prints, to either stream.
fn run(command: &str, folder: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_rutter"));
    let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
    let command = format!("{{ {command}; }} 2>&1");
    let mut shell = Command::new("sh");
    shell.args(["-c", &command]).current_dir(folder).env_clear().env("PATH", path);
    String::from_utf8(shell.output().unwrap().stdout).unwrap()
}

/// A page with everything run that it says.
fn regenerated(page: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut new = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        new += &format!("{line}\n");
        let Some(kind) = line.strip_prefix("```").filter(|kind| !kind.is_empty()) else { continue };
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        if kind == "console" {
            for command in block.iter().filter_map(|line| line.strip_prefix("$ ")) {
                new += &format!("$ {command}\n{}", run(command, folder.path()));
            }
        } else {
            let text: String = block.iter().map(|line| format!("{line}\n")).collect();
            if let Some(name) = kind.strip_prefix("corefile ") {
                fs::write(folder.path().join(name), &text).unwrap();
            }
            new += &text;
        }
        new += "```\n";
    }
    new
}

#[test]
fn transcripts_of_the_manual_are_what_is_printed() {
    let manual = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/operate");
    for page in PAGES {
        let path = manual.join(page);
        let written = fs::read_to_string(&path).unwrap();
        let new = regenerated(&written);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, new).unwrap();
        } else {
            assert_eq!(written, new, "{page}: run this test with UPDATE=1");
        }
    }
}
