//! `rutter plan OLD NEW`: which answers change from one Corefile to another.

use crate::commands::{complain, print, read};
use crate::plan::changes::Changes;
use crate::plan::outcome::Heed;
use crate::plan::query_log;
use crate::plan::questions::Questions;
use crate::plan::rehearsal::{Refusal, Rehearsal, Stage};
use crate::plan::report;
use crate::plan::trial::{Side, Trial};
use crate::settings::source::Source;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use wire::RecordType;

/// Build two Corefiles as a start would, ask both the same questions, and tell which answers change.
///
/// No socket is opened to be asked. What would be sent to other servers is not sent: whom it would be
/// sent to is compared instead. Beside questions of yours, what both configurations are about is
/// asked: zones, names of hosts, services and rules, their neighbours and their addresses.
///
/// Exit code 0: done. 1: answers change and --expect-none is given, or a Corefile cannot serve; every
/// mistake is shown. 2: the command line is wrong. 3: the API server could not be reached.
#[derive(clap::Parser)]
struct Options {
    /// Really ask other servers.
    #[arg(long)]
    ask: bool,
    #[command(flatten)]
    common: Common,
    /// The Corefile as it is; `-` is standard input.
    old: String,
    /// The Corefile as it shall be.
    new: String,
    /// Questions to ask too: names, each perhaps with a type behind it.
    #[arg(value_name = "QUESTIONS")]
    words: Vec<String>,
}

/// What `plan` and `compare` have in common.
#[derive(clap::Args)]
pub(super) struct Common {
    /// A file of questions to ask too: on each line a name, perhaps with a type.
    #[arg(long, value_name = "FILE")]
    questions: Vec<String>,
    /// A query log of CoreDNS or of this server, to ask its questions too and to tell who asks them;
    /// `-` is standard input.
    #[arg(long, value_name = "FILE")]
    log: Vec<String>,
    /// Ask what was named, and nothing that is made out of the configurations.
    #[arg(long)]
    only: bool,
    /// The most questions.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    max: usize,
    /// Compare TTLs too, by their class: seconds, up to a minute, up to an hour, longer.
    #[arg(long)]
    ttl: bool,
    /// Who asks, where no log tells it.
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    from: IpAddr,
    /// Take the objects of every cluster from the YAML and JSON files of this directory.
    #[arg(long, value_name = "DIRECTORY")]
    manifests: Option<PathBuf>,
    /// Take them from the snapshots that a server has left in this directory.
    #[arg(long, value_name = "DIRECTORY")]
    state_dir: Option<PathBuf>,
    /// How many seconds clusters may take to be known.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
    /// The most questions to other servers a second.
    #[arg(long, value_name = "COUNT", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rate: u32,
    /// The port of keys that name none.
    #[arg(short = 'p', long = "dns.port", value_name = "PORT", default_value_t = 53,
        value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Tell each change by itself, also where many are alike.
    #[arg(long)]
    each: bool,
    /// End with exit code 1 if an answer changes.
    #[arg(long)]
    expect_none: bool,
    /// How changes are shown.
    #[arg(short, long, value_enum, default_value_t = Output::Human)]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Human,
    Json,
}

/// Tells which answers change.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let options: Options = match read("plan", words) {
        Ok(options) => options,
        Err(code) => return code,
    };
    with_runtime("plan", async |runtime| plan(&options, runtime).await)
}

/// Runs a command that waits; what keeps it from its end is told.
pub(super) fn with_runtime(
    name: &str,
    command: impl AsyncFnOnce(Handle) -> Result<ExitCode, Stop>,
) -> ExitCode {
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Stop::Failed(error.to_string()).tell(name),
    };
    let ended = runtime.block_on(command(runtime.handle().clone()));
    // What is still watched is not worth waiting for.
    runtime.shutdown_background();
    ended.unwrap_or_else(|stop| stop.tell(name))
}

/// Why there is nothing to tell.
#[derive(Debug)]
pub(super) enum Stop {
    /// Questions that are none.
    Usage(String),
    /// Something that cannot be read.
    Failed(String),
    /// Sides that cannot be tried, each with its reason.
    Refused(Vec<Refusal>),
    /// The server to compare with.
    Unreachable(String),
}

impl Stop {
    fn tell(&self, name: &str) -> ExitCode {
        let (texts, code) = match self {
            Self::Usage(text) => (vec![text.clone()], 2),
            Self::Failed(text) => (vec![text.clone()], 1),
            Self::Unreachable(text) => (vec![text.clone()], 3),
            Self::Refused(refusals) => {
                let code = refusals.iter().map(Refusal::exit_code).min().unwrap_or(1);
                (refusals.iter().map(ToString::to_string).collect(), code)
            }
        };
        for text in texts {
            complain(&format!("rutter {name}: {text}\n"));
        }
        ExitCode::from(code)
    }
}

async fn plan(options: &Options, runtime: Handle) -> Result<ExitCode, Stop> {
    let Options { common, ask, .. } = options;
    common.share_stdin(&[&options.old, &options.new])?;
    let stage = common.stage(runtime, *ask)?;
    let questions = common.named(&options.words)?;
    let (old, new) = (source(&options.old)?, source(&options.new)?);
    let (old, new) = tokio::join!(Rehearsal::new(&old, &stage), Rehearsal::new(&new, &stage));
    let (old, new) = match (old, new) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            return Err(Stop::Refused([old.err(), new.err()].into_iter().flatten().collect()));
        }
    };
    let questions = common.generated(questions, &[&old, &new]);
    let trial = Trial {
        old: Side::Here(Arc::new(old)),
        new: Side::Here(Arc::new(new)),
        questions,
        client: common.from,
        heed: common.heed(),
        follows: !common.only,
        listener: None,
        rate: common.rate,
    };
    Ok(common.tell(&trial.run().await))
}

/// A Corefile, or standard input.
pub(super) fn source(name: &str) -> Result<Source, Stop> {
    match name {
        "-" => Source::stdin().map_err(|error| Stop::Failed(format!("standard input: {error}"))),
        file => Ok(Source::file(file)),
    }
}

impl Common {
    /// What surrounds the configurations.
    pub(super) fn stage(&self, runtime: Handle, asks: bool) -> Result<Stage, Stop> {
        let absolute = |path: &PathBuf| {
            let is_directory = path.is_dir();
            let found = std::path::absolute(path).ok().filter(|_| is_directory);
            found.ok_or_else(|| Stop::Usage(format!("{} is no directory", path.display())))
        };
        Ok(Stage {
            runtime,
            port: self.port,
            manifests: self.manifests.as_ref().map(absolute).transpose()?,
            snapshots: self.state_dir.as_ref().map(absolute).transpose()?,
            asks,
            patience: Duration::from_secs(self.timeout),
        })
    }

    /// Fails if more than one of the Corefiles and logs would be standard input.
    pub(super) fn share_stdin(&self, corefiles: &[&str]) -> Result<(), Stop> {
        let files = corefiles.iter().copied().chain(self.log.iter().map(String::as_str));
        match files.filter(|file| *file == "-").count() {
            0 | 1 => Ok(()),
            _ => Err(Stop::Usage("standard input can be only one of the files".to_owned())),
        }
    }

    pub(super) fn heed(&self) -> Heed {
        Heed { ttls: self.ttl }
    }

    pub(super) fn client(&self) -> IpAddr {
        self.from
    }

    pub(super) fn follows(&self) -> bool {
        !self.only
    }

    /// The questions that somebody has named: behind the Corefiles, in lists, in logs.
    pub(super) fn named(&self, words: &[String]) -> Result<Questions, Stop> {
        let mut questions = Questions::new(self.max);
        add_words(&mut questions, words)?;
        for file in &self.questions {
            let text = std::fs::read_to_string(file)
                .map_err(|error| Stop::Failed(format!("cannot read {file}: {error}")))?;
            questions.add_lines(&text).map_err(|line| {
                Stop::Usage(format!("{file}:{line}: expected a name, and perhaps a type"))
            })?;
        }
        for file in &self.log {
            let unreadable = |error| Stop::Failed(format!("cannot read {file}: {error}"));
            let log: Box<dyn Read> = match file.as_str() {
                "-" => Box::new(io::stdin().lock()),
                _ => Box::new(File::open(file).map_err(unreadable)?),
            };
            let lines = query_log::read(log, |logged| questions.add_logged(logged));
            if lines.map_err(unreadable)?.questions == 0 {
                complain(&format!("warning: {file} has no line about a question\n"));
            }
        }
        if self.only && questions.len() == 0 {
            let text = "--only needs questions: name some, or give --questions or --log";
            return Err(Stop::Usage(text.to_owned()));
        }
        Ok(questions)
    }

    /// The same, and what configurations are about.
    pub(super) fn generated(&self, mut questions: Questions, of: &[&Rehearsal]) -> Questions {
        if !self.only {
            questions.add_what_matters_to(of);
        }
        questions
    }

    /// Tells what changes; the exit code says whether that is fine.
    pub(super) fn tell(&self, changes: &Changes) -> ExitCode {
        match self.output {
            Output::Human => print(&report::text(changes, self.each)),
            Output::Json => print(&report::json(changes)),
        }
        let is_fine = changes.lost == 0 && (changes.changed == 0 || !self.expect_none);
        if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Adds names, each perhaps with a type behind it.
fn add_words(questions: &mut Questions, words: &[String]) -> Result<(), Stop> {
    let is_type = |word: &&String| word.to_ascii_uppercase().parse::<RecordType>().is_ok();
    let mut words = words.iter().peekable();
    while let Some(name) = words.next() {
        let rtype = words.next_if(is_type);
        let question: Vec<_> =
            [Some(name), rtype].into_iter().flatten().map(String::as_str).collect();
        questions.add_words(&question).ok_or_else(|| {
            Stop::Usage(format!(
                "`{}` is no question: expected a name, and perhaps a type",
                question.join(" ")
            ))
        })?;
    }
    Ok(())
}
