//! `rutter demo`: a small company on loopback.

use std::process::ExitCode;

/// Serves the demo.
pub(crate) fn run(_words: impl Iterator<Item = String>) -> ExitCode {
    ExitCode::FAILURE
}
