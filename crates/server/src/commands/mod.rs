//! What the program can be told to do; a file each.

pub mod check;
pub mod demo;
pub mod serve;

use std::io::Write;

/// Prints to standard output. That nobody reads it any more is no error of a command.
pub fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Prints to standard error.
pub fn complain(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Whether standard error shows colours.
pub fn stderr_has_colors() -> bool {
    use std::io::IsTerminal;
    std::io::stderr().is_terminal()
}
