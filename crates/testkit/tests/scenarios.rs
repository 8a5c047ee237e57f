//! Every scenario against CoreDNS: what they say of it must be true.
//!
//! `cargo test -p testkit --test scenarios -- hosts cache` plays the files with these words in their
//! paths.

#![expect(clippy::print_stdout, reason = "what was not tested must be seen")]

use std::process::ExitCode;
use testkit::{Server, scenario};

fn main() -> ExitCode {
    let Some(server) = Server::coredns() else {
        println!("SKIPPED: no CoreDNS at target/peers/coredns, and $COREDNS names none");
        return ExitCode::SUCCESS;
    };
    scenario::test(&server)
}
