//! `rutter config show [FILE]`: what a Corefile says once everything in it is set in.

use crate::commands::{complain, print, read, stderr_has_colors};
use crate::settings::source::Source;
use corefile::Mistakes;
use plugins::assemble::Outcome;
use std::process::ExitCode;

/// Look at the configuration.
#[derive(clap::Parser)]
struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Print the effective Corefile: imports followed, snippets and variables set in, old spellings in
    /// today's, and behind each line the file and the line that it comes from.
    ///
    /// Exit code 1: it cannot be read, or its form is wrong; `rutter check` looks at all the rest.
    Show {
        /// The Corefile; `-` is standard input.
        #[arg(default_value = "Corefile")]
        file: String,
    },
}

/// Prints the effective Corefile.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let options: Options = match read("config", words) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let What::Show { file } = options.what;
    match show(&file) {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("rutter config: cannot read {file}: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn show(file: &str) -> std::io::Result<ExitCode> {
    let source = if file == "-" { Source::stdin()? } else { Source::file(file) };
    let mut shown = String::new();
    let built = source.build(|parsed| {
        shown = corefile::effective(&parsed.blocks, &parsed.sources);
        Outcome { assembly: None, mistakes: Mistakes::new(), read: Vec::new() }
    })?;
    complain(&built.mistakes.render(&built.sources, stderr_has_colors()));
    print(&shown);
    Ok(if built.mistakes.has_errors() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
