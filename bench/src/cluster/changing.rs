//! A cluster whose slices change a thousand times a second while the server is asked.
//!
//! A fake API server tells of the changes: on two cores a real one would leave no time for answers.
//! It shares the generator's core, so that the slowest answers also show how they get along there.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use testkit::FakeApi;

use super::apply;
use super::figures::Figures;
use super::objects::{self, HEADLESS_EVERY};
use super::site::{Program, Site, Source, Subject};
use crate::blast::Pace;
use crate::blast::report::Report;

const SERVICES: usize = 10_000;

/// Changes of slices in a second.
const CHANGES_PER_SECOND: u32 = 1_000;

/// Changes that the API server learns of at once.
const AT_ONCE: u32 = 10;

const CAPACITY: Duration = Duration::from_secs(2);
const LOAD: Duration = Duration::from_secs(4);

/// Queries a second at which the tail of the latencies is compared.
const RATE: f64 = 20_000.0;

/// The cluster's API.
pub(super) struct Changing {
    api: FakeApi,
}

impl Changing {
    pub(super) fn new() -> Result<Self, String> {
        let api = FakeApi::start(0).map_err(|error| error.to_string())?;
        apply(&api, objects::namespaces())?;
        apply(&api, (0..SERVICES).map(objects::service))?;
        apply(&api, (0..SERVICES).map(|i| objects::slice(i, &[objects::address(12, i)])))?;
        api.expire();
        Ok(Self { api })
    }

    /// Measures one server.
    pub(super) fn measure(
        &self,
        site: &mut Site,
        program: &Program,
        round: usize,
        figures: &mut Figures,
    ) -> Result<(), String> {
        let mut subject = site.start(program, &Source::Endpoint(&self.api.url()), "insecure")?;
        let last = SERVICES - 1;
        subject.wait_until_synced(objects::service_answer(last, objects::cluster_ip(last)))?;
        let capacity = subject.load(SERVICES, Pace::Outstanding(128), CAPACITY)?;
        let half = Pace::PerSecond(capacity.answers_per_second() / 2.0);
        let quiet = subject.load(SERVICES, half, LOAD)?;
        let busy = self.load_while_changing(&subject, half, round)?;
        let loss = 100.0 * (1.0 - busy.answers_per_second() / quiet.answers_per_second());
        figures.add("busy-loss", program.name, loss.max(0.0));
        figures.add("quiet-max", program.name, quiet.tally.slowest_for_certain as f64 / 1e6);
        figures.add("busy-max", program.name, busy.tally.slowest_for_certain as f64 / 1e6);
        figures.add("busy-seen", program.name, busy.tally.latency.max_ns() as f64 / 1e6);
        let tail = self.load_while_changing(&subject, Pace::PerSecond(RATE), round)?;
        let ms = |part| tail.tally.latency.quantile_ns(part) as f64 / 1e6;
        figures.add("tail-p99", program.name, ms(0.99));
        figures.add("tail-p999", program.name, ms(0.999));
        Ok(())
    }

    /// The load, with changes beside it; fewer than were meant are an error.
    fn load_while_changing(
        &self,
        subject: &Subject,
        pace: Pace,
        round: usize,
    ) -> Result<Report, String> {
        let (stop, stopped) = channel();
        let (report, changes) = thread::scope(|scope| {
            let changing = scope.spawn(move || self.change(&stopped, round));
            let report = subject.load(SERVICES, pace, LOAD);
            drop(stop);
            let changes = changing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (report, changes)
        });
        let (report, changes) = (report?, changes?);
        if changes < f64::from(CHANGES_PER_SECOND) * 0.9 {
            return Err(format!("only {changes:.0} slices a second were changed"));
        }
        Ok(report)
    }

    /// Changes slices until it is stopped, and says how many it was in a second.
    fn change(&self, stopped: &Receiver<()>, round: usize) -> Result<f64, String> {
        let begun = Instant::now();
        let every = Duration::from_secs(1) / CHANGES_PER_SECOND * AT_ONCE;
        let mut batch = 0;
        loop {
            let due = begun + every * batch;
            let left = due.saturating_duration_since(Instant::now());
            if stopped.recv_timeout(left) != Err(RecvTimeoutError::Timeout) {
                return Ok(f64::from(batch * AT_ONCE) / begun.elapsed().as_secs_f64());
            }
            let numbers = batch * AT_ONCE..(batch + 1) * AT_ONCE;
            apply(
                &self.api,
                numbers.map(|number| {
                    let i = number as usize * HEADLESS_EVERY % SERVICES;
                    objects::slice(i, &[objects::address(13 + round as u8, number as usize)])
                }),
            )?;
            batch += 1;
        }
    }
}
