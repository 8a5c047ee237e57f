//! How much a DNS server costs: CPU time for each answer, losses, memory, time to start.
//!
//! **What this is.** `bench blast` is a load generator that checks every answer. `bench echo` is the
//! limit, a server that does nothing. `bench compare` starts Rutter, CoreDNS and others in turns,
//! loads each in the same way, and holds the figures against the project's limits.
//!
//! **What this is not.** No test of what is answered (that is `scenarios/`), and nothing for other
//! machines: only loopback addresses are loaded.
//!
//! **Where to start reading.** `blast::run` for the method, `compare::workload` for what is measured.
#![expect(clippy::disallowed_methods, reason = "a tool has no clock but the real one")]
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "a command tells its progress and its failure")]

mod arguments;
mod blast;
mod cluster;
mod compare;
mod echo;
mod histogram;
mod meter;
mod queries;
mod server;
mod statistics;
mod table;

use std::io::{self, Write};
use std::process::ExitCode;

use arguments::Arguments;

const USAGE: &str = "\
bench compare        measure Rutter, CoreDNS and others in turns
bench cluster        measure Rutter and CoreDNS with large clusters that change
bench blast          load one server on a loopback address and measure it
bench echo PORT      be the cheapest server there can be

`bench COMMAND --help` says more.";

/// What a command prints, and whether it succeeded.
struct Output {
    text: String,
    success: bool,
}

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(Output { text, success }) => {
            // Whoever reads may have had enough.
            let _ = writeln!(io::stdout(), "{text}");
            if success { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::from(2)
        }
    }
}

fn run(mut words: impl Iterator<Item = String>) -> Result<Output, String> {
    let command = words.next().unwrap_or_default();
    let words: Vec<String> = words.collect();
    let help = |word: &String| word == "-h" || word == "--help";
    let usage = match command.as_str() {
        "cluster" => cluster::USAGE,
        "compare" => compare::USAGE,
        "blast" => blast::command::USAGE,
        "echo" => echo::USAGE,
        _ if help(&command) => return Ok(USAGE.to_owned().into()),
        _ => return Err(USAGE.to_owned()),
    };
    if words.iter().any(help) {
        return Ok(usage.to_owned().into());
    }
    let arguments = Arguments::new(words);
    match command.as_str() {
        "cluster" => cluster::run(arguments),
        "compare" => compare::run(arguments),
        "blast" => blast::command::run(arguments).map(Output::from),
        _ => Err(echo::run(arguments)),
    }
}

impl From<String> for Output {
    fn from(text: String) -> Self {
        Self { text, success: true }
    }
}
