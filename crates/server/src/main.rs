//! `rutter`: a DNS server for Kubernetes that takes the place of CoreDNS.
//!
//! **What this is.** The process: its command line ([`commands`]), where the Corefile comes from
//! ([`settings`]), what listens and how one configuration follows another ([`engine`], [`reload`]),
//! and what probes and operators see ([`admin`], [`log`]).
//!
//! **What this is not.** It answers no question: the plugins do.
//!
//! **Where to start reading.** `main`, then [`commands::serve`].
#![forbid(unsafe_code)]

mod admin;
mod clock;
mod commands;
mod engine;
mod figures;
mod log;
mod privileges;
mod reload;
mod settings;

use std::process::ExitCode;

fn main() -> ExitCode {
    privileges::take_low_ports();
    let mut words = std::env::args().skip(1).peekable();
    match words.peek().map(String::as_str) {
        Some("check") => commands::check::run(words.skip(1)),
        Some("demo") => commands::demo::run(words.skip(1)),
        Some("serve") => commands::serve::run(words.skip(1)),
        _ => commands::serve::run(words),
    }
}
