//! `bench compare`: the servers in turns, under the same load, on the same core.
//!
//! **The method.** The server has one core, the generator another. In each round each server is
//! started, asked for every name once, measured in all workloads of its set-up, and stopped. The
//! machine drifts from minute to minute, so absolute figures compare only within a table, and limits
//! are multiples taken within a round; the median of the rounds counts.
//!
//! **Where to start reading.** [`workload`] for what is measured and the limits, [`Comparison`] for
//! the order of things, [`site`] for data and settings.

mod api;
mod gate;
mod samples;
mod site;
mod upstream;
mod workload;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Output;
use crate::arguments::Arguments;
use crate::blast::report::Report;
use crate::blast::{self, Load};
use crate::meter;
use crate::queries::Queries;
use crate::server::{Cores, Server};
use gate::Verdict;
use samples::{LoadFacts, Sample, Samples};
use site::{Programs, Site};
use workload::{Kind, Measure, Setup, Traffic, WORKLOADS, Workload};

pub(crate) const USAGE: &str = "\
bench compare [OPTION...]

Measures servers in turns. A server whose program is not given or found does not take part.

  --rutter FILE      the program under test
  --coredns FILE     CoreDNS, which it is held against
  --directory DIR    for the servers' files and logs (target/bench)
  --only WORKLOAD    only this one, and what its limits refer to; repeatable
  --rounds N         how often each server has its turn (5)
  --quick            two short rounds: to see that it works, not to judge by
  --gate             fail if a limit is passed or could not be checked
  --json             print the result as JSON";

struct Options {
    programs: Programs,
    directory: PathBuf,
    only: Vec<&'static Workload>,
    effort: Effort,
    gate: bool,
    json: bool,
}

/// How much time is spent.
#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    /// On each workload.
    measured: Duration,
    /// On the workload that looks for losses.
    endurance: Duration,
}

const USUAL: Effort =
    Effort { rounds: 5, measured: Duration::from_secs(3), endurance: Duration::from_secs(30) };

/// A machine that others use as well can fail a limit by chance: then its workload is measured again
/// with so many times the rounds, twice if need be.
const REPEATS: [usize; 2] = [2, 4];

const QUICK: Effort =
    Effort { rounds: 2, measured: Duration::from_millis(800), endurance: Duration::from_secs(3) };

/// Runs the command and gives what it prints.
pub(crate) fn run(arguments: Arguments) -> Result<Output, String> {
    let options = Options::read(arguments)?;
    let machine = meter::machine();
    let cores = Cores::choose()?;
    cores.take_generator_core()?;
    let Options { programs, directory, only, effort, .. } = &options;
    let kinds = Kind::ALL.into_iter().filter(|kind| programs.has(*kind)).collect();
    let site = Site::new(directory, programs.clone(), cores)?;
    let mut comparison = Comparison { site, kinds, samples: Samples::default() };
    comparison.measure(&with_references(only), *effort)?;
    let mut verdicts = gate::judge(&comparison.samples, only);
    let mut repeated = BTreeSet::new();
    for more in REPEATS {
        let again = Effort { rounds: effort.rounds * more, ..*effort };
        repeated.extend(comparison.repeat_failed(&verdicts, again)?);
        verdicts = gate::judge(&comparison.samples, only);
    }
    let passed = verdicts.iter().all(|verdict| verdict.passed() == Some(true));
    let samples = &comparison.samples;
    let text = match options.json {
        true => json!({
            "machine": machine,
            "rounds": effort.rounds,
            "repeated": repeated,
            "samples": samples.json(),
            "limits": gate::json(&verdicts),
        })
        .to_string(),
        false => format!("{machine}\n\n{}", text(samples, &verdicts, &repeated)),
    };
    Ok(Output { text, success: passed || !options.gate })
}

fn text(samples: &Samples, verdicts: &[Verdict], repeated: &BTreeSet<&str>) -> String {
    let mut text = samples.table().text();
    if !repeated.is_empty() {
        let names: Vec<_> = repeated.iter().copied().collect();
        let names = names.join(", ");
        text += &format!("\n\nMeasured again, with more rounds, because a limit failed: {names}.");
    }
    text + "\n\n" + &gate::table(verdicts).text()
}

impl Options {
    fn read(mut arguments: Arguments) -> Result<Self, String> {
        let mut options = Self {
            programs: Programs {
                nsd: find("nsd"),
                unbound: find("unbound"),
                ..Programs::default()
            },
            directory: PathBuf::from("target/bench"),
            only: Vec::new(),
            effort: USUAL,
            gate: false,
            json: false,
        };
        let mut rounds = None;
        while let Some(word) = arguments.next() {
            match word.as_str() {
                "--rutter" => options.programs.rutter = Some(arguments.value(&word)?),
                "--coredns" => options.programs.coredns = Some(arguments.value(&word)?),
                "--directory" => options.directory = arguments.value(&word)?,
                "--only" => options.only.push(workload_named(&arguments.value::<String>(&word)?)?),
                "--rounds" => rounds = Some(arguments.value_within(&word, (1, 100))?),
                "--quick" => options.effort = QUICK,
                "--gate" => options.gate = true,
                "--json" => options.json = true,
                _ => return Err(format!("`{word}` is no option of `bench compare`\n\n{USAGE}")),
            }
        }
        options.effort.rounds = rounds.unwrap_or(options.effort.rounds);
        if options.only.is_empty() {
            options.only = WORKLOADS.iter().collect();
        }
        Ok(options)
    }
}

fn workload_named(name: &str) -> Result<&'static Workload, String> {
    let names = || WORKLOADS.iter().map(|workload| workload.name).collect::<Vec<_>>().join(", ");
    Workload::named(name).ok_or_else(|| format!("`{name}` is no workload; there are {}", names()))
}

/// Where an installed server is, if it is.
fn find(program: &str) -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"];
    folders.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.exists())
}

/// `workloads` and those whose figures their limits are multiples of.
fn with_references(workloads: &[&'static Workload]) -> Vec<&'static Workload> {
    let is_named = |name| workloads.iter().any(|workload| workload.name == name);
    let is_needed = |workload: &&Workload| {
        let limits = workload::LIMITS.iter().filter(|limit| is_named(limit.workload));
        is_named(workload.name)
            || limits.filter_map(|limit| limit.times).any(|(name, _)| name == workload.name)
    };
    WORKLOADS.iter().filter(is_needed).collect()
}

struct Comparison {
    site: Site,
    /// The servers that take part.
    kinds: Vec<Kind>,
    samples: Samples,
}

impl Comparison {
    /// Measures `workloads` in rounds.
    fn measure(&mut self, workloads: &[&'static Workload], effort: Effort) -> Result<(), String> {
        let rounds = 0..effort.rounds;
        for (round, setup) in rounds.flat_map(|round| Setup::ALL.map(|setup| (round, setup))) {
            let mut kinds = self.kinds.clone();
            // Nobody always comes first.
            kinds.rotate_left(round % self.kinds.len());
            for kind in kinds {
                let here = |workload: &&&'static Workload| {
                    workload.setup == setup
                        && workload.suits(kind)
                        && (round == 0 || !workload.once())
                };
                let workloads: Vec<_> = workloads.iter().filter(here).copied().collect();
                if workloads.is_empty() {
                    continue;
                }
                let turn = format!("{} with {}", kind.name(), setup.name());
                eprintln!("round {} of {}: {turn}", round + 1, effort.rounds);
                self.measure_server(setup, kind, &workloads, effort)
                    .map_err(|error| format!("{turn}: {error}"))?;
            }
        }
        Ok(())
    }

    /// Measures the workloads with a limit that failed again, and gives their names.
    fn repeat_failed(
        &mut self,
        verdicts: &[Verdict],
        again: Effort,
    ) -> Result<Vec<&'static str>, String> {
        let failed = verdicts.iter().filter(|verdict| verdict.passed() == Some(false));
        let mut failed: Vec<_> = failed.filter_map(Verdict::workload).collect();
        failed.dedup_by_key(|workload| workload.name);
        if failed.is_empty() {
            return Ok(Vec::new());
        }
        let first = std::mem::take(&mut self.samples);
        self.measure(&with_references(&failed), again)?;
        let second = std::mem::replace(&mut self.samples, first);
        self.samples.replace_with(second);
        Ok(failed.into_iter().map(|workload| workload.name).collect())
    }

    /// Starts a server, measures `workloads`, and stops it.
    fn measure_server(
        &mut self,
        setup: Setup,
        kind: Kind,
        workloads: &[&'static Workload],
        effort: Effort,
    ) -> Result<(), String> {
        let queries = site::queries(setup)?;
        let begun = Instant::now();
        let mut server = self.site.start(setup, kind)?;
        server.wait_for_answer(queries.octets(0), |answer| {
            queries.is_answered(0, answer) && (kind == Kind::Echo || answer[6..8] != [0, 0])
        })?;
        let started = begun.elapsed();
        let mut visit = Visit { server: &mut server, kind, queries, effort };
        if kind != Kind::Echo {
            visit.ask_for_every_name()?;
        }
        let passed_on = self.site.passed_on();
        for workload in workloads {
            let sample = visit.sample(workload.measure, started)?;
            self.samples.add(workload, kind, sample);
        }
        server.check_running()?;
        let passed_on = self.site.passed_on() - passed_on;
        if passed_on > LATE_MAX {
            return Err(format!("{passed_on} queries were passed on: these are no cached answers"));
        }
        Ok(())
    }
}

/// How many queries may reach the server behind a cache that is full: repetitions of those that were
/// on their way when it became full.
const LATE_MAX: u64 = 128;

/// Measurements on a server that runs.
struct Visit<'a> {
    server: &'a mut Server,
    kind: Kind,
    /// For the names that exist.
    queries: Queries,
    effort: Effort,
}

impl Visit<'_> {
    /// Makes sure that the server knows every name, and that its cache holds them.
    fn ask_for_every_name(&mut self) -> Result<(), String> {
        const ATTEMPTS: usize = 5;
        let load = Load { once: true, measured: Duration::from_secs(60), ..Load::default() };
        let mut known = 0;
        for _ in 0..ATTEMPTS {
            known = self.load(&load, &self.queries)?.tally.kinds.records;
            if known == self.queries.len() as u64 {
                return Ok(());
            }
        }
        Err(format!("it has an address for {known} of {} names", self.queries.len()))
    }

    fn sample(&mut self, measure: Measure, started: Duration) -> Result<Sample, String> {
        let (report, figure) = match measure {
            Measure::Start => return Ok(Sample::bare(started.as_secs_f64() * 1e3)),
            Measure::Memory => {
                let kib = self.server.processes().pss_kib();
                return Ok(Sample::bare(kib as f64 / 1024.0));
            }
            Measure::Cpu(traffic) => {
                let report = self.traffic(traffic, self.effort.measured)?;
                let us = report.server_us().ok_or("no CPU time was measured")?;
                (report, us)
            }
            Measure::Lost { per_second } => {
                let report = self.traffic(Traffic::Rate { per_second }, self.effort.endurance)?;
                let lost = report.tally.lost as f64;
                (report, lost)
            }
        };
        Ok(Sample { figure, load: Some(LoadFacts::of(&report)) })
    }

    fn traffic(&mut self, traffic: Traffic, measured: Duration) -> Result<Report, String> {
        let load = traffic.load(measured);
        let report = match traffic {
            Traffic::SearchList => self.load(&load, &site::search_list_queries()?)?,
            _ => self.load(&load, &self.queries)?,
        };
        let kinds = report.tally.kinds;
        let expected = match traffic {
            _ if self.kind == Kind::Echo => kinds.empty,
            Traffic::SearchList => kinds.nxdomain,
            _ => kinds.records,
        };
        if expected == 0 || expected < report.tally.good || report.tally.bad > 0 {
            return Err(format!("these are not the answers that were expected:\n{report}"));
        }
        Ok(report)
    }

    fn load(&self, load: &Load, queries: &Queries) -> Result<Report, String> {
        let (server, processes) = (self.server.address(), self.server.processes());
        let load = Load { server, processes, ..load.clone() };
        blast::run(&load, queries).map_err(|error| error.to_string())
    }
}

impl Sample {
    /// A figure that no load stands behind.
    fn bare(figure: f64) -> Self {
        Self { figure, load: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(workloads: &[&Workload]) -> Vec<&'static str> {
        workloads.iter().map(|workload| workload.name).collect()
    }

    #[test]
    fn limits_bring_the_workloads_that_they_refer_to() {
        let only = |name| [workload_named(name).unwrap()];
        assert_eq!(names(&with_references(&only("hosts"))), ["hosts"]);
        assert_eq!(names(&with_references(&only("nxdomain"))), ["kubernetes", "nxdomain"]);
        assert_eq!(names(&with_references(&only("tcp"))), ["kubernetes", "tcp"]);
    }

    #[test]
    fn unknown_workloads_are_named_with_the_known_ones() {
        let mistake = workload_named("host").unwrap_err();
        assert!(mistake.starts_with("`host` is no workload; there are hosts, hosts-start, "));
    }
}
