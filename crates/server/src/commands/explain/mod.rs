//! `rutter explain NAME`: why does this name get this answer.
//!
//! **What this is.** The configuration, built in this process but without a socket to serve, or a
//! server that runs and is asked (`mod.rs`); who asks for what (`inquiry`), the names that a pod asks
//! for (`search`), one question walked (`walked`), all of them (`account`), and how that is shown
//! (`text`). A running server answers with the same code.
//!
//! **What this is not.** Without a running server nothing is known of what one has in its cache.

mod account;
pub(crate) mod inquiry;
mod search;
mod text;
pub(crate) mod walked;

use crate::admin::client;
use crate::commands::serve::new_engine;
use crate::commands::{complain, print, read, stderr_has_colors};
use crate::settings::source::Source;
use account::Account;
use inquiry::{Configured, Habits, Inquiry, Wanted};
use plugins::assemble::Assembly;
use plugins::env::Parts;
use plugins::lines::Lines;
use plugins::rutter_admin::Address;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Say why a name gets the answer that it gets: every question that a pod sends for it, and for each
/// the server block, what each plugin decides and on which line of the Corefile it stands.
///
/// The configuration is built here as a start would build it, and asked without a socket. Other servers
/// are really asked, unless `--offline`. With `--server` the server that runs there is asked instead, and
/// what it has in its cache counts.
///
/// Exit code 0: there is an answer. 1: there is none. 2: the command line is wrong. 3: nobody answers at
/// `--server`.
#[derive(clap::Parser)]
struct Options {
    #[command(flatten)]
    inquiry: Inquiry,
    #[command(flatten)]
    habits: Habits,
    /// The Corefile; `-` is standard input.
    #[arg(long, default_value = "Corefile", value_name = "FILE")]
    conf: String,
    /// The port of keys that name none.
    #[arg(short = 'p', long = "dns.port", value_name = "PORT", default_value_t = 53,
        value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// How many seconds to wait for what is known of the cluster.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = seconds)]
    wait: Duration,
    /// Ask the server that runs there, where its `rutter_admin` listens.
    #[arg(long, value_name = "ADDRESS:PORT|unix:PATH",
        conflicts_with_all = ["conf", "port", "wait", "ndots", "search", "resolv_conf"])]
    server: Option<Address>,
    /// How it is shown.
    #[arg(short = 'o', long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

/// `5s`, or `5`.
fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text);
    let seconds = number.parse::<u16>().map_err(|_| "write a number of seconds, such as `5s`")?;
    Ok(Duration::from_secs(seconds.into()))
}

/// Explains a name.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let options: Options = match read("explain", words) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let wanted = match Wanted::of(&options.inquiry, &options.habits) {
        Ok(wanted) => wanted,
        Err(wrong) => {
            complain(&format!("rutter explain: {wrong}\n"));
            return ExitCode::from(2);
        }
    };
    if let Some(server) = &options.server {
        return ask(server, &options);
    }
    match explain(&options, wanted) {
        Ok(Some(account)) => {
            print(&shown(&account, options.output));
            if account.answered { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Ok(None) => ExitCode::FAILURE,
        Err(error) => {
            complain(&format!("rutter explain: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn shown(account: &Account, output: Output) -> String {
    match output {
        Output::Text => text::text(account),
        // Its fields are strings and numbers, which are always JSON.
        Output::Json => serde_json::to_string_pretty(account).unwrap_or_default() + "\n",
    }
}

/// Asks the server that runs there.
fn ask(server: &Address, options: &Options) -> ExitCode {
    let json = options.output == Output::Json;
    let answer = match client::ask(server, &options.inquiry.target(json)) {
        Ok(answer) => answer,
        Err(error) => {
            complain(&format!("rutter explain: nobody answers at {server}: {error}\n"));
            return ExitCode::from(3);
        }
    };
    if answer.status != 200 {
        complain(&format!("rutter explain: {}\n", answer.error()));
        return ExitCode::FAILURE;
    }
    print(&answer.body);
    if answer.answered { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Builds the configuration and asks it; none if it is wrong, which has been told.
fn explain(options: &Options, wanted: Wanted) -> io::Result<Option<Account>> {
    let source = match &*options.conf {
        "-" => Source::stdin()?,
        file => Source::file(file),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut engine = new_engine(Lines::new(), Arc::default(), runtime.handle(), options.port);
    engine.process.serves = false;
    let unreadable = |error| io::Error::other(format!("cannot read {}: {error}", source.name()));
    let built = engine.build(&source).map_err(unreadable)?;
    let Some(Assembly { servers, mut parts }) = built.assembly else {
        complain(&built.mistakes.render(&built.sources, stderr_has_colors()));
        return Ok(None);
    };
    let account = runtime.block_on(async {
        parts.start(runtime.handle()).map_err(io::Error::other)?;
        let late = !is_ready_in_time(&mut parts, options.wait).await;
        let listeners = servers.iter().map(|server| (server.address, &server.router)).collect();
        let clock = &*engine.process.clock;
        let configured = Configured { listeners, blocks: &parts.blocks, clock };
        let account = configured.account(&options.inquiry, &options.habits, wanted).await?;
        Ok::<_, io::Error>((account, late))
    });
    runtime.shutdown_background();
    let (mut account, late) = account?;
    if late {
        let wait = options.wait.as_secs();
        account.remarks.push(format!(
            "not all of the cluster or of the servers' names was known after {wait} s"
        ));
    }
    Ok(Some(account))
}

/// Waits for what a start waits for.
async fn is_ready_in_time(parts: &mut Parts, patience: Duration) -> bool {
    let ready = async {
        for task in parts.take_before_serving() {
            task.await;
        }
    };
    tokio::time::timeout(patience, ready).await.is_ok()
}
