//! `rutter check [FILE]`: find every mistake of a Corefile, without serving.

use crate::commands::serve::new_engine;
use crate::commands::{complain, print, read, stderr_has_colors};
use crate::settings::source::Source;
use plugins::lines::Lines;
use std::io;
use std::process::ExitCode;

/// Read a Corefile and build everything that it says, as a start would, but open no socket and ask no
/// API server.
///
/// Exit code 0: it can serve. 1: it cannot; every mistake is shown. 2: the command line is wrong.
#[derive(clap::Parser)]
struct Options {
    /// How mistakes are shown.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// The port of keys that name none.
    #[arg(short = 'p', long = "dns.port", value_name = "PORT", default_value_t = 53,
        value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The Corefile; `-` is standard input.
    #[arg(default_value = "Corefile")]
    file: String,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Human,
    Json,
}

/// Checks a Corefile.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let options: Options = match read("check", words) {
        Ok(options) => options,
        Err(code) => return code,
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
    if options.format == Format::Json {
        print(&built.mistakes.to_json(&built.sources));
    } else {
        complain(&built.mistakes.render(&built.sources, stderr_has_colors()));
    }
    Ok(built.assembly.is_some())
}
