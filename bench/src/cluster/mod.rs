//! `bench cluster`: Rutter and CoreDNS with clusters that are large and that change.
//!
//! **The method.** One server after the other, in rounds, against the same API server: a real one, and
//! for what a real one cannot hold here a fake one. The API server, the generator and the server share
//! two cores, so that a time is an upper bound.
//!
//! **Where to start reading.** [`figures`] for what is measured and the limits; [`real`], [`large`]
//! and [`changing`] for how.

mod changing;
mod client;
mod figures;
mod large;
mod objects;
mod real;
mod site;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use testkit::FakeApi;

use crate::arguments::Arguments;
use crate::{Output, meter};
use changing::Changing;
use figures::Figures;
use large::Large;
use real::Real;
use site::{Program, Site};

pub(crate) const USAGE: &str = "\
bench cluster --rutter FILE [OPTION...]

Measures Rutter, and CoreDNS beside it, with large clusters. `cargo xtask bench cluster` starts a real
API server for it; without one, only a fake one takes part.

  --rutter FILE           the program under test
  --coredns FILE          CoreDNS, which it is held against
  --api ADDRESS:PORT      an empty cluster's API, over plain HTTP: `kubectl proxy`
  --kubeconfig FILE       with which the servers find the same cluster
  --directory DIR         for the servers' files and logs (target/bench)
  --services N            Services in the real cluster, with a slice each (10000)
  --seconds S             change slices for this long (10)
  --rounds N              how often each server has its turn (2)
  --only PART             only `real`, `large` or `changing`
  --gate                  fail if a limit is passed or could not be checked";

/// Documents that are read at once.
const BATCH: usize = 200;

struct Options {
    programs: Vec<Program>,
    api: Option<SocketAddr>,
    kubeconfig: Option<PathBuf>,
    directory: PathBuf,
    services: usize,
    changing: Duration,
    rounds: usize,
    only: Option<String>,
    gate: bool,
}

/// Runs the command and gives what it prints.
pub(crate) fn run(arguments: Arguments) -> Result<Output, String> {
    let options = Options::read(arguments)?;
    let machine = meter::machine();
    let mut site = Site::new(options.directory.clone())?;
    let mut figures = Figures::default();
    if let (Some(api), Some(kubeconfig)) = (options.api, &options.kubeconfig)
        && options.does("real")
    {
        let (services, changing) = (options.services, options.changing);
        let real = Real { api, kubeconfig, services, changing };
        eprintln!("creating {services} Services with a slice each");
        real.fill()?;
        for (round, program) in options.turns() {
            let number = round * options.programs.len() + usize::from(program.name == "rutter");
            real.measure(&mut site, program, number, &mut figures)?;
        }
    }
    if options.does("large") {
        eprintln!("filling the fake API server");
        let large = Large::new()?;
        for (number, (_, program)) in options.turns().enumerate() {
            large.measure(&mut site, program, number, &mut figures)?;
        }
    }
    if options.does("changing") {
        eprintln!("filling the fake API server");
        site.cores.take_generator_core()?;
        let changing = Changing::new()?;
        for (number, (_, program)) in options.turns().enumerate() {
            changing.measure(&mut site, program, number, &mut figures)?;
        }
    }
    let text = format!("{machine}\n\n{}", figures.text());
    Ok(Output { text, success: figures.are_within_limits() || !options.gate })
}

/// Hands objects over to a fake API server.
fn apply(api: &FakeApi, objects: impl IntoIterator<Item = Value>) -> Result<(), String> {
    let documents: Vec<String> = objects.into_iter().map(|object| object.to_string()).collect();
    documents
        .chunks(BATCH)
        .try_for_each(|batch| api.apply(&batch.join("\n---\n")))
        .map_err(|mistake| mistake.to_string())
}

impl Options {
    fn read(mut arguments: Arguments) -> Result<Self, String> {
        let mut options = Self {
            programs: Vec::new(),
            api: None,
            kubeconfig: None,
            directory: PathBuf::from("target/bench"),
            services: 10_000,
            changing: Duration::from_secs(10),
            rounds: 2,
            only: None,
            gate: false,
        };
        while let Some(word) = arguments.next() {
            options.read_option(&word, &mut arguments)?;
        }
        if options.programs.iter().any(|program| program.name == "rutter") {
            return Ok(options);
        }
        Err(USAGE.to_owned())
    }

    fn read_option(&mut self, word: &str, arguments: &mut Arguments) -> Result<(), String> {
        match word {
            "--rutter" => {
                self.programs.push(Program { name: "rutter", path: arguments.value(word)? });
            }
            "--coredns" => {
                self.programs.push(Program { name: "coredns", path: arguments.value(word)? });
            }
            "--api" => self.api = Some(arguments.value(word)?),
            "--kubeconfig" => self.kubeconfig = Some(arguments.value(word)?),
            "--directory" => self.directory = arguments.value(word)?,
            // As many as there are cluster addresses for.
            "--services" => self.services = arguments.value_within(word, (100, 60_000))?,
            "--seconds" => {
                self.changing = Duration::from_secs(arguments.value_within(word, (1, 600))?);
            }
            "--rounds" => self.rounds = arguments.value_within(word, (1, 20))?,
            "--only" => self.only = Some(arguments.value(word)?),
            "--gate" => self.gate = true,
            _ => return Err(format!("`{word}` is no option of `bench cluster`\n\n{USAGE}")),
        }
        Ok(())
    }

    fn does(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only == part)
    }

    /// The servers in turns.
    fn turns(&self) -> impl Iterator<Item = (usize, &Program)> {
        let rounds = (0..self.rounds).flat_map(|n| self.programs.iter().map(move |it| (n, it)));
        rounds.inspect(|(n, it)| eprintln!("round {} of {}: {}", n + 1, self.rounds, it.name))
    }
}
