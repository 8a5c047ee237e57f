//! Every scenario, of `scenarios/` and of the plugins' manuals, against this server.
//!
//! `cargo test -p server --test scenarios -- hosts cache` plays the files with these words in their
//! paths.

use std::process::ExitCode;
use testkit::{Server, scenario};

fn main() -> ExitCode {
    scenario::test(&Server::rutter(env!("CARGO_BIN_EXE_rutter")))
}
