//! `rutter status`: how the server that runs here is.

use crate::admin::client;
use crate::admin::history::Became;
use crate::admin::situation::{LastReload, State, Status};
use crate::commands::{complain, print, read};
use plugins::go_duration;
use plugins::rutter_admin::{Address, DEFAULT};
use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

/// Say how the server that runs on this machine is: since when, whether it is ready, which configuration
/// it serves and what came of the last reload.
///
/// The Corefile of that server must have `rutter_admin`.
///
/// Exit code 0: it serves, is ready, and has the configuration that its files say. 1: something of that
/// is not so. 2: the command line is wrong. 3: nobody answers.
#[derive(clap::Parser)]
struct Options {
    /// Where its `rutter_admin` listens.
    #[arg(long, value_name = "ADDRESS:PORT|unix:PATH", default_value_t = DEFAULT)]
    server: Address,
    /// How it is shown.
    #[arg(short = 'o', long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Text,
    Json,
}

/// Asks a server how it is.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let Options { server, output } = match read("status", words) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let answer = match client::ask(&server, "/v1/status") {
        Ok(answer) if answer.status == 200 => answer,
        Ok(answer) => {
            complain(&format!("rutter status: {}\n", answer.error()));
            return ExitCode::FAILURE;
        }
        Err(error) => {
            complain(&format!(
                "rutter status: nobody answers at {server}: {error}\n\
                 hint: write `rutter_admin` into the Corefile, or name another place with `--server`\n"
            ));
            return ExitCode::from(3);
        }
    };
    let status: Status = match serde_json::from_str(&answer.body) {
        Ok(status) => status,
        Err(error) => {
            complain(&format!("rutter status: {server} answers something else: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    print(&if output == Output::Json { answer.body } else { text(&status) });
    if is_well(&status) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn is_well(status: &Status) -> bool {
    let refused = |it: &LastReload| it.outcome == Became::Refused;
    status.ready
        && status.fragments_set_aside.is_empty()
        && !status.last_reload.as_ref().is_some_and(refused)
}

fn text(status: &Status) -> String {
    let mut text = String::new();
    for (name, value) in rows(status) {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{name:<14}  {value}");
    }
    text
}

/// What stands in the left column and in the right one.
fn rows(status: &Status) -> Vec<(&'static str, String)> {
    let up = go_duration(Duration::from_secs(status.uptime_seconds));
    let ready = match (status.state, status.not_ready.as_slice()) {
        (State::Starting, []) => "no: it starts".to_owned(),
        (State::Starting, missing) => {
            format!("no: it starts, and waits for {}", missing.join(", "))
        }
        (State::Serving, []) => "yes".to_owned(),
        (State::Serving, missing) => format!("no: waits for {}", missing.join(", ")),
    };
    let mut rows = vec![
        ("version", status.version.clone()),
        ("process", format!("{}, since {} ({up})", status.pid, status.started)),
        ("ready", ready),
    ];
    for listener in &status.listeners {
        rows.push(("listens", format!("{}: {}", listener.name, listener.zones.join(" "))));
    }
    let configuration = &status.configuration;
    let short: String = configuration.sha512.chars().take(SHORT).collect();
    let since = configuration.since.as_ref().map(|it| format!(", since {it}")).unwrap_or_default();
    rows.push(("configuration", format!("{short}{since}")));
    if let Some(LastReload { at, outcome, mistakes }) = &status.last_reload {
        let told = match outcome {
            Became::Reloaded => "took the new configuration",
            Became::Refused => "refused: the configuration before serves on",
        };
        rows.push(("last reload", format!("{at}, {told}")));
        rows.extend(mistakes.iter().map(|mistake| ("", mistake.clone())));
    }
    for fragment in &status.fragments_set_aside {
        let instead = if fragment.earlier_serves {
            "what it said when last it was good serves on"
        } else {
            "nothing of it is in force"
        };
        rows.push(("set aside", format!("{}: {instead}", fragment.path)));
        rows.extend(fragment.errors.iter().map(|error| ("", error.clone())));
    }
    rows
}

/// How much of a hash people compare.
const SHORT: usize = 12;
