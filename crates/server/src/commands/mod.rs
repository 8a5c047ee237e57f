//! What the program can be told to do, one file for each.

pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod serve;

use std::io::Write;

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
