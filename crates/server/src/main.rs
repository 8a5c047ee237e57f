//! `rutter`: a DNS server for Kubernetes that takes the place of CoreDNS.
//!
//! **What this is.** The process: its command line ([`commands`]), where the Corefile comes from
//! ([`settings`]), what listens and how one configuration follows another ([`engine`], [`reload`],
//! [`last_good`]),
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
mod last_good;
mod log;
mod plan;
mod privileges;
mod reload;
mod settings;

use std::process::ExitCode;

fn main() -> ExitCode {
    privileges::take_low_ports();
    let words: Vec<_> = std::env::args().skip(1).collect();
    let named =
        commands::COMMANDS.iter().find(|(name, _)| words.first().is_some_and(|w| w == name));
    match named {
        Some((_, run)) => run(&words[1..]),
        None => commands::serve::run(&words),
    }
}
