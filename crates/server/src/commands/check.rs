//! `rutter check [FILE]`: find every mistake of a Corefile, without serving.

use crate::commands::serve::new_engine;
use crate::commands::{complain, print, stderr_has_colors};
use crate::settings::source::Source;
use plugins::lines::Lines;
use std::io;
use std::process::ExitCode;

const USAGE: &str = "\
Usage: rutter check [--format human|json] [-dns.port PORT] [FILE]

Reads FILE (default ./Corefile; `-` is standard input) and builds everything that it says, as a
start would, but opens no socket and asks no API server.

Exit code 0: it can serve. 1: it cannot; every mistake is shown. 2: the command line is wrong.
";

/// Checks a Corefile.
pub(crate) fn run(words: impl Iterator<Item = String>) -> ExitCode {
    let options = match Options::read(words) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print(USAGE);
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            complain(&format!("{wrong}\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    match check(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&format!("rutter check: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

struct Options {
    file: String,
    json: bool,
    port: u16,
}

impl Options {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self { file: "Corefile".into(), json: false, port: 53 };
        let mut files = 0;
        while let Some(word) = words.next() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (word.clone(), None),
            };
            let mut value =
                || value.clone().or_else(|| words.next()).ok_or(format!("{word} needs a value"));
            match name.as_str() {
                "-h" | "-help" | "--help" => return Ok(None),
                "-format" | "--format" => match value()?.as_str() {
                    "human" => options.json = false,
                    "json" => options.json = true,
                    other => return Err(format!("there is no format `{other}`: human or json")),
                },
                "-dns.port" | "--dns.port" | "-p" => {
                    let port = value()?.parse().ok().filter(|port| *port > 0);
                    options.port = port.ok_or("the port must be between 1 and 65535")?;
                }
                file if file == "-" || !file.starts_with('-') => {
                    options.file = word;
                    files += 1;
                }
                _ => return Err(format!("unknown option {word}")),
            }
        }
        if files > 1 { Err("one file at a time".into()) } else { Ok(Some(options)) }
    }
}

/// Whether the Corefile can serve.
fn check(options: &Options) -> io::Result<bool> {
    let source = if options.file == "-" { Source::stdin()? } else { Source::file(&options.file) };
    // Building starts nothing; the engine only needs to know where it would.
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let engine =
        new_engine(Lines::new(), std::sync::Arc::default(), runtime.handle(), options.port);
    let unreadable = |error| io::Error::other(format!("cannot read {}: {error}", source.name()));
    let built = engine.build(&source).map_err(unreadable)?;
    if built.is_empty {
        complain(&format!(
            "warning: {} has no server block: `whoami` and `log` on port {} would be served\n",
            source.name(),
            options.port
        ));
    }
    if options.json {
        print(&built.mistakes.to_json(&built.sources));
    } else {
        complain(&built.mistakes.render(&built.sources, stderr_has_colors()));
    }
    Ok(built.assembly.is_some())
}
