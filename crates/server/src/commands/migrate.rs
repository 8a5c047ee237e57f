//! `rutter migrate FILE`: a Corefile of an older CoreDNS in today's words.

use crate::commands::fmt::{replace, text_of};
use crate::commands::{complain, print, read, stderr_has_colors};
use crate::settings::footprint::Footprint;
use crate::settings::source::Machine;
use corefile::{Migration, Release};
use plugins::files::Files;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Put a Corefile of any CoreDNS since 2018 into today's words.
///
/// Only what today's CoreDNS refuses or ignores is changed, each with a comment on what was there and
/// why it had to go; everything else stays as it is written. If there was something to change, then what
/// Kubernetes ships today and the file does not have is told, and not added.
///
/// Exit code 0: done, or nothing was to do. 1: something cannot be said any more or stands in an
/// imported file, and stays as it was; or the file cannot be read. 2: the command line is wrong.
#[derive(clap::Parser)]
struct Options {
    /// A release of CoreDNS, such as 1.8.0: changes only what that one refuses or ignores.
    #[arg(long, value_name = "VERSION")]
    to: Option<Release>,
    /// Write the file, instead of printing it.
    #[arg(short, long)]
    write: bool,
    /// The Corefile; `-` is standard input.
    #[arg(default_value = "Corefile")]
    file: String,
}

/// Migrates a Corefile.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let options: Options = match read("migrate", words) {
        Ok(options) => options,
        Err(code) => return code,
    };
    match migrate(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&format!("rutter migrate: {}: {error}\n", options.file));
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing is left to be decided.
fn migrate(options: &Options) -> io::Result<bool> {
    let (name, text) = text_of(&options.file)?;
    let migration = match corefile::migrate(
        name,
        &text,
        &Machine::new(&Files::disk(false), Footprint::default()),
        options.to,
    ) {
        Ok(migration) => migration,
        Err(parsed) => {
            complain(&parsed.mistakes.render(&parsed.sources, stderr_has_colors()));
            return Ok(false);
        }
    };
    let Migration { text, changes, undecided, missing, sources } = migration;
    if options.write && options.file != "-" {
        if changes > 0 {
            replace(Path::new(&options.file), &text)?;
        }
    } else {
        print(&text);
    }
    complain(&undecided.render(&sources, stderr_has_colors()));
    for sentence in missing.iter().filter(|_| changes > 0) {
        complain(&format!("note: {sentence}\n"));
    }
    let s = if changes == 1 { "" } else { "s" };
    complain(&format!("{changes} change{s}\n"));
    if changes == 0 && !undecided.is_empty() {
        complain("nothing was changed: write by hand what is told above\n");
    }
    Ok(undecided.is_empty())
}
