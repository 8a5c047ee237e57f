//! Plays one scenario against one server.

use super::report::{Difference, Failure};
use super::server::{Kind, Server};
use super::stage::Stage;
use super::step::{Action, Count, Scenario, Step};
use super::{
    markdown::Section,
    pattern,
    sample::{ExpectedSample, repeated},
};
use crate::dns::{self, Client, Expected, Question};
use crate::http;
use crate::process::Process;
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long a server may take until it answers, or ends.
const START: Duration = Duration::from_secs(15);
/// How long between two looks at what shall become so.
const PAUSE: Duration = Duration::from_millis(20);
/// Failures of one scenario that are told; what follows mostly follows from them.
const FAILURES_MAX: usize = 5;
/// Lines of a server's output that are shown with a failure.
const LOG_TAIL: usize = 40;

/// What became of a scenario.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Steps that saw whether something is so.
    pub(super) steps: usize,
    pub(super) differences: Vec<Difference>,
    pub(super) failures: Vec<Failure>,
    /// Why it was not played at all, where this machine lacks what it needs.
    pub(super) lacking: Option<&'static str>,
}

/// How often a scenario is tried whose server found one of its ports taken.
const TRIES: usize = 3;

/// Plays a section; none if it has nothing for this server.
///
/// The ports were free when they were chosen, but not everybody on a machine knows whose they are.
pub(super) fn play(section: &Section, server: &Server) -> Option<Outcome> {
    let taken = |failure: &Failure| {
        failure.log.iter().any(|line| line.to_lowercase().contains("address already in use"))
    };
    for _ in 1..TRIES {
        let outcome = play_once(section, server)?;
        if !outcome.failures.iter().any(taken) {
            return Some(outcome);
        }
    }
    play_once(section, server)
}

fn play_once(section: &Section, server: &Server) -> Option<Outcome> {
    let mut outcome = Outcome::default();
    let at = section.fences.first().map_or(0, |fence| fence.line);
    let unplayable = |line, what: String| Failure::new(line, &section.title, what);
    let staged = Stage::set_up();
    let stage = match staged {
        Ok(stage) => stage,
        Err(error) => {
            outcome.failures.push(unplayable(at, format!("cannot set up: {error}")));
            return Some(outcome);
        }
    };
    if let Some(lacking) = stage.variables.lacking(section) {
        return Some(Outcome { lacking: Some(lacking), ..outcome });
    }
    let scenario = match Scenario::read(section, &stage.variables) {
        Ok(scenario) => scenario,
        Err(mistake) => {
            outcome.failures.push(unplayable(mistake.line, mistake.message));
            return Some(outcome);
        }
    };
    if !scenario.is_for(server.kind) {
        return None;
    }
    let port = stage.variables.value("PORT").parse().unwrap_or_default();
    let client = Client::new(port);
    let mut play = Play { server, scenario: &scenario, stage, client, process: None, log_at: 0 };
    for step in scenario.steps_for(server.kind) {
        outcome.steps += step.action.sights();
        let difference = |reason: &String| Difference { line: step.line, reason: reason.clone() };
        outcome.differences.extend(step.reason.as_ref().map(difference));
        let Err(what) = play.step(step) else { continue };
        let failure = Failure::new(step.line, &scenario.title, what);
        outcome.failures.push(failure.with_log(play.log_tail()));
        let ended = play.process.as_mut().is_none_or(Process::has_ended);
        if ended || outcome.failures.len() == FAILURES_MAX {
            break;
        }
    }
    Some(outcome)
}

struct Play<'a> {
    server: &'a Server,
    scenario: &'a Scenario,
    stage: Stage,
    client: Client,
    process: Option<Process>,
    /// Lines before this one have been seen by a `log` step.
    log_at: usize,
}

impl Action {
    /// How often it looks whether something is so.
    fn sights(&self) -> usize {
        match self {
            Self::Query(questions, _) => questions.len(),
            Self::Asked(..)
            | Self::Log(_)
            | Self::NotInLog(_)
            | Self::Metrics(_)
            | Self::Http { .. }
            | Self::Exit { .. }
            | Self::Check(_) => 1,
            Self::Corefile(_)
            | Self::File { .. }
            | Self::RemoveFile(_)
            | Self::Cluster(_)
            | Self::Upstream(..)
            | Self::Wait(_)
            | Self::Signal(_) => 0,
        }
    }

    /// Whether it needs a server that runs.
    fn needs_server(&self) -> bool {
        let others = matches!(self, Self::Wait(_) | Self::Signal(_));
        others || (self.sights() > 0 && !matches!(self, Self::Check(_)))
    }
}

impl Play<'_> {
    fn step(&mut self, step: &Step) -> Result<(), String> {
        let action = step.action_for(self.server.kind);
        if action.needs_server() && self.process.is_none() {
            self.start(matches!(action, Action::Exit { .. }))?;
        }
        let deadline = Instant::now() + step.within;
        let io = |error: io::Error| error.to_string();
        match action {
            Action::Corefile(text) => self.stage.write("Corefile", text).map_err(io),
            Action::File { name, text } => self.stage.write(name, text).map_err(io),
            Action::RemoveFile(name) => self.stage.remove(name).map_err(io),
            Action::Cluster(change) => self.stage.cluster(change).map_err(|m| m.message),
            Action::Upstream(index, change) => self.stage.upstream(*index, change).map_err(io),
            Action::Query(questions, expected) => self.ask_all(questions, expected, step.within),
            Action::Asked(upstream, lines) => {
                until(deadline, || asked(&self.stage, *upstream, lines))
            }
            Action::Wait(time) => {
                std::thread::sleep(*time);
                Ok(())
            }
            Action::Log(lines) => self.log(lines, deadline),
            Action::NotInLog(lines) => self.not_in_log(lines),
            Action::Metrics(samples) => {
                let address = self.stage.variables.value("METRICS");
                until(deadline, || metrics(address, samples))
            }
            Action::Http { url, expected } => until(deadline, || fetch(url, expected)),
            Action::Signal(signal) => self.running()?.signal(*signal).map_err(io),
            Action::Exit { code, stderr } => self.exit(*code, stderr),
            Action::Check(lines) => self.check(lines),
        }
    }

    /// Asks each question; what is wrong with any of them is told.
    fn ask_all(
        &mut self,
        questions: &[Question],
        expected: &Expected,
        within: Duration,
    ) -> Result<(), String> {
        let client = &mut self.client;
        let wrong = questions.iter().filter_map(|question| {
            let deadline = Instant::now() + within;
            until(deadline, || client.compare(question, expected)).err()
        });
        let wrong: Vec<String> = wrong.collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n\n")) }
    }

    fn running(&mut self) -> Result<&mut Process, String> {
        self.process.as_mut().ok_or_else(|| "no server runs".to_owned())
    }

    /// Starts the server and, unless it shall end by itself, waits until it answers.
    fn start(&mut self, shall_end: bool) -> Result<(), String> {
        let port = self.stage.variables.value("PORT");
        let started = Process::start(self.command(&["-conf", "Corefile", "-dns.port", port]));
        let binary = self.server.binary.display();
        let process = started.map_err(|error| format!("cannot start {binary}: {error}"))?;
        let process = self.process.insert(process);
        if shall_end {
            return Ok(());
        }
        let deadline = Instant::now() + START;
        for address in addresses(self.scenario, self.server.kind, &self.client) {
            while !dns::answers(address) {
                if process.has_ended() {
                    // Read to the end what it wrote, so that the failure can show it.
                    let _ = process.wait(Instant::now());
                    return Err("the server has ended instead of starting".to_owned());
                }
                if Instant::now() >= deadline {
                    return Err(format!("nothing answers at {address}"));
                }
                std::thread::sleep(PAUSE / 4);
            }
        }
        process.has_answered();
        Ok(())
    }

    /// The server, in the scenario's folder and with no environment but its variables.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.server.binary);
        command.args(arguments).current_dir(self.stage.folder());
        command.env_clear().envs(self.stage.variables.iter());
        command
    }

    fn log(&mut self, lines: &[String], deadline: Instant) -> Result<(), String> {
        let mut at = self.log_at;
        let process = self.running()?;
        for line in lines {
            let found = process.find_line(at, line, deadline);
            at = 1 + found.ok_or_else(|| format!("the log lacks\n{line}"))?;
        }
        self.log_at = at;
        Ok(())
    }

    fn not_in_log(&mut self, lines: &[String]) -> Result<(), String> {
        let at = self.log_at;
        let process = self.running()?;
        match lines.iter().find(|line| process.find_line(at, line, Instant::now()).is_some()) {
            Some(line) => Err(format!("the log has\n{line}")),
            None => Ok(()),
        }
    }

    /// The server that ends is gone: a later step starts another.
    fn exit(&mut self, code: i32, stderr: &[String]) -> Result<(), String> {
        let deadline = Instant::now() + START;
        let process = self.running()?;
        let status = process.wait(deadline).map_err(|error| error.to_string())?;
        let status = status.ok_or("the server goes on")?;
        let errors = process.errors();
        if status.code() != Some(code) {
            return Err(format!("the server ended with {status}"));
        }
        let missing = stderr.iter().find(|line| !errors.iter().any(|e| pattern::fits(line, e)));
        if let Some(line) = missing {
            let errors = errors.join("\n");
            return Err(format!("expected on stderr\n{line}\ngot\n{errors}"));
        }
        self.process = None;
        self.log_at = 0;
        Ok(())
    }

    fn check(&self, lines: &[String]) -> Result<(), String> {
        let io = |error: io::Error| error.to_string();
        let mut process = Process::start(self.command(&["check", "Corefile"])).map_err(io)?;
        let ended = process.wait(Instant::now() + START).map_err(io)?;
        ended.ok_or("`check` goes on and on")?;
        let got = process.lines();
        match lines.iter().find(|line| !got.iter().any(|got| pattern::fits(line, got))) {
            Some(line) => Err(format!("expected of `check`\n{line}\ngot\n{}", got.join("\n"))),
            None => Ok(()),
        }
    }

    fn log_tail(&self) -> Vec<String> {
        let mut lines = self.process.as_ref().map(Process::lines).unwrap_or_default();
        lines.split_off(lines.len().saturating_sub(LOG_TAIL))
    }
}

/// The addresses that a scenario asks, or the one that it would.
fn addresses(scenario: &Scenario, kind: Kind, client: &Client) -> BTreeSet<SocketAddr> {
    let mut addresses = BTreeSet::new();
    for step in scenario.steps_for(kind) {
        if let Action::Query(questions, _) = &step.action {
            addresses.extend(questions.iter().map(|question| client.server(question)));
        }
    }
    if addresses.is_empty() {
        let port = client.port();
        addresses.insert(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    addresses
}

/// Tries until it goes well or the deadline has passed; tries once in any case.
fn until(deadline: Instant, mut attempt: impl FnMut() -> Result<(), String>) -> Result<(), String> {
    loop {
        let result = attempt();
        if result.is_ok() || Instant::now() >= deadline {
            return result;
        }
        std::thread::sleep(PAUSE);
    }
}

fn asked(stage: &Stage, upstream: usize, lines: &[(Question, Count)]) -> Result<(), String> {
    let upstream = stage.fake_upstream(upstream).map_err(|mistake| mistake.message)?;
    for (question, count) in lines {
        let times = upstream.count(question);
        if !count.holds(times) {
            let requests = upstream.asked();
            let all = requests.iter().map(|asked| {
                let over = if asked.over_tcp { "tcp" } else { "udp" };
                format!("{} {} over {over}", asked.request.asked, asked.request.rtype)
            });
            let all = all.collect::<Vec<_>>().join("\n");
            return Err(format!("`{}` was asked {times} times; in all\n{all}", question.text));
        }
    }
    Ok(())
}

fn metrics(address: &str, samples: &[ExpectedSample]) -> Result<(), String> {
    let address = address.parse().map_err(|_| format!("`{address}` is no address"))?;
    let page = http::get(address, "/metrics").map_err(|error| format!("/metrics: {error}"))?;
    if let Some(sample) = repeated(&page.body) {
        return Err(format!("the metrics have the same series twice:\n{sample}"));
    }
    match samples.iter().find(|sample| !sample.holds(&page.body)) {
        Some(sample) => {
            let kin = sample.kin(&page.body).join("\n");
            Err(format!("the metrics lack\n{}\nthey have\n{kin}", sample.text))
        }
        None => Ok(()),
    }
}

/// Fetches and compares with a status and, below it, a body; or expects that it is `refused`.
fn fetch(url: &str, expected: &[String]) -> Result<(), String> {
    let url = url.strip_prefix("http://").unwrap_or(url);
    let (address, path) = url.split_at(url.find('/').unwrap_or(url.len()));
    let address = address.parse().map_err(|_| format!("`{address}` is no address and port"))?;
    let got = match http::get(address, if path.is_empty() { "/" } else { path }) {
        Ok(response) => format!("{}\n{}", response.status, response.body),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => "refused".to_owned(),
        Err(error) => error.to_string(),
    };
    if pattern::fits(&expected.join("\n"), got.trim_end()) {
        return Ok(());
    }
    Err(format!("expected\n{}\ngot\n{got}", expected.join("\n")))
}
