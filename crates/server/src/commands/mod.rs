//! What the program can be told to do, one file for each.

pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod explain;
pub(crate) mod fmt;
pub(crate) mod migrate;
pub(crate) mod plan;
pub(crate) mod serve;
pub(crate) mod status;

use clap::error::ErrorKind;
use std::io::Write;
use std::process::ExitCode;

/// What a command does with the words behind its name.
type Run = fn(&[String]) -> ExitCode;

/// The commands, by name. Without one of them the words are flags of `serve`, as CoreDNS has them.
pub(crate) const COMMANDS: &[(&str, Run)] = &[
    ("check", check::run),
    ("compare", compare::run),
    ("config", config::run),
    ("demo", demo::run),
    ("explain", explain::run),
    ("fmt", fmt::run),
    ("migrate", migrate::run),
    ("plan", plan::run),
    ("serve", serve::run),
    ("status", status::run),
];

/// The options of the command `name`; or the exit code, once help or what is wrong has been printed.
///
/// The flags that name a Corefile's port are those of `serve`: they may have a single hyphen.
pub(crate) fn read<T: clap::Parser>(name: &'static str, words: &[String]) -> Result<T, ExitCode> {
    let words = words.iter().map(|word| match word.strip_prefix("-dns.port") {
        Some(value) => format!("--dns.port{value}"),
        None => word.clone(),
    });
    let command = T::command().name(name).bin_name(format!("rutter {name}"));
    let given = std::iter::once(name.to_owned()).chain(words);
    let read = command.try_get_matches_from(given).and_then(|found| T::from_arg_matches(&found));
    read.map_err(|error| {
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            print(&error.to_string());
            return ExitCode::SUCCESS;
        }
        complain(&error.to_string());
        ExitCode::from(2)
    })
}

/// Prints to standard output. That nobody reads it any more is no error of a command.
pub(crate) fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Prints to standard error.
pub(crate) fn complain(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Whether standard error shows colours.
pub(crate) fn stderr_has_colors() -> bool {
    use std::io::IsTerminal;
    std::io::stderr().is_terminal()
}
