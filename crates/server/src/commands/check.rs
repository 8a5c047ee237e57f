//! `rutter check [FILE]`: find every mistake of a configuration, and what will hurt, without
//! serving.

mod input;
mod kubernetes;
mod report;
mod sarif;
mod setting;

use crate::commands::serve::new_engine;
use crate::commands::{complain, print, read, stderr_has_colors};
use input::Input;
use plugins::lines::Lines;
use report::{Checked, Report};
use setting::{Setting, quantity};
use std::io;
use std::net::IpAddr;
use std::process::ExitCode;

/// Find what is wrong with a configuration: everything that keeps `serve` from starting, and what
/// starts and will hurt.
///
/// Builds everything that a Corefile says, as a start would, but opens no socket and asks no API
/// server. Each finding has a code; `--explain CODE` tells more.
///
/// FILE is a Corefile, a directory of Corefiles, or YAML: what `kubectl get configmap -o yaml` or
/// `helm template` print. Of YAML the ConfigMaps with a key `Corefile` are checked, with the other
/// keys as files beside it, `coredns-custom` as /etc/coredns/custom, and workloads, limits and
/// Services of the same stream taken into account.
///
/// An error keeps `serve` from starting, but for three codes: with `forward-to-self`,
/// `forward-to-cluster-dns` and `no-fallthrough` it starts, and leaves names without answers. A
/// warning keeps nothing from starting.
///
/// Exit code 0: nothing was found. 1: something was, see `--severity`. 2: the command line is wrong.
#[derive(clap::Parser)]
struct Options {
    /// How findings are shown. For people they go to standard error, for programs to standard output.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// What makes the exit code 1.
    #[arg(long, value_enum, default_value_t = Level::Warning, value_name = "SEVERITY")]
    severity: Level,
    /// The page on a code: what it means, an example, and the example put right.
    #[arg(long, value_name = "CODE")]
    explain: Option<String>,
    /// An address of the Service through which pods ask this server; may be given several times.
    #[arg(long, value_name = "ADDRESS")]
    cluster_ip: Vec<IpAddr>,
    /// Memory that the server may use, such as 170Mi. Else the limit of the container in the YAML.
    #[arg(long, value_name = "QUANTITY", value_parser = quantity)]
    memory: Option<u64>,
    /// The port of keys that name none.
    #[arg(short = 'p', long = "dns.port", value_name = "PORT", default_value_t = 53,
        value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The Corefile, directory or YAML; `-` is standard input.
    #[arg(default_value = "Corefile")]
    file: String,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Lines of the file with what is wrong beneath.
    Human,
    /// An array with an object for each finding.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Workflow commands of GitHub Actions, which become annotations.
    Github,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Level {
    /// Errors and warnings.
    Warning,
    /// Errors only.
    Error,
}

/// Checks a configuration.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let options: Options = match read("check", words) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if let Some(code) = &options.explain {
        return explain(code);
    }
    match check(&options) {
        Ok(report) => show(&report, &options),
        Err(error) => {
            complain(&format!("rutter check: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn explain(code: &str) -> ExitCode {
    if let Some(page) = lint::page(code) {
        print(page);
        return ExitCode::SUCCESS;
    }
    let codes: Vec<_> = lint::PAGES.iter().map(|(code, _)| *code).collect();
    let codes = codes.join("\n  ");
    complain(&format!("rutter check: there is no code {code:?}. The codes are\n  {codes}\n"));
    ExitCode::from(2)
}

/// Everything that is found in all configurations that the input holds.
fn check(options: &Options) -> io::Result<Report> {
    // Building starts nothing; the engine only needs to know where it would.
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let engine =
        new_engine(Lines::new(), std::sync::Arc::default(), runtime.handle(), options.port);
    let known = Setting::new(options.port, &options.cluster_ip, options.memory);
    let mut report = Report::default();
    for input in Input::read(&options.file)? {
        let checked = match input {
            Input::Corefile(source) => Checked::of_source(&source, &engine, known.here())?,
            Input::Mounted(mounted) => Checked::of_mounted(&mounted, &engine, &known),
        };
        if checked.is_empty {
            complain(&format!(
                "warning: {} has no server block: `whoami` and `log` on port {} would be served\n",
                checked.name, options.port
            ));
        }
        report.checked.push(checked);
    }
    Ok(report)
}

fn show(report: &Report, options: &Options) -> ExitCode {
    match options.format {
        Format::Human => complain(&report.for_people(stderr_has_colors())),
        Format::Json => print(&report.json()),
        Format::Sarif => print(&sarif::log(report)),
        Format::Github => print(&report.workflow_commands()),
    }
    let (errors, warnings) = report.counts();
    let counted = if options.severity == Level::Error { errors } else { errors + warnings };
    if counted == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use corefile::Severity;

    #[test]
    fn the_help_names_the_errors_that_serve_does_not_have() {
        let help = Options::command().render_long_help().to_string();
        let errors = lint::LINTS.iter().filter(|lint| lint.severity == Severity::Error);
        let named: Vec<_> = errors.map(|lint| help.contains(lint.code.slug())).collect();
        assert_eq!(named, [true; 3]);
    }
}
