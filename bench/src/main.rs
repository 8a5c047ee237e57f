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
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command prints its result")]

mod arguments;
mod blast;
mod echo;
mod histogram;
mod meter;
mod queries;

use std::process::ExitCode;

use arguments::Arguments;

const USAGE: &str = "\
bench blast ...      load a server on a loopback address and measure it
bench echo PORT      be the cheapest server there can be

`bench COMMAND --help` says more.";

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let help = words.iter().any(|word| word == "-h" || word == "--help");
    let command = if words.is_empty() { String::new() } else { words.remove(0) };
    let result = match command.as_str() {
        "blast" if help => Ok(blast::command::USAGE.to_owned()),
        "blast" => blast::command::run(Arguments::new(words)),
        "echo" if help => Ok(echo::USAGE.to_owned()),
        "echo" => echo::run(Arguments::new(words)),
        _ if help => Ok(USAGE.to_owned()),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::from(2)
        }
    }
}
