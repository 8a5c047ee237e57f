//! Against a real API server: start, memory, and the time from a change to its answer.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::dns;

use super::client::Client;
use super::figures::Figures;
use super::objects::{self, HEADLESS_EVERY};
use super::site::{Program, Site, Source};
use crate::blast::Pace;
use crate::histogram::Histogram;

/// Connections that create objects side by side.
const CREATORS: usize = 8;

/// Connections that change slices side by side, each as if it were alone.
const WRITERS: usize = 8;

/// Changes of slices in a second, over all connections.
const CHANGES_PER_SECOND: u32 = 100;

/// Between two questions for the same answer: the error of a time.
const ASK_EVERY: Duration = Duration::from_micros(500);

/// An answer that has not changed by then counts as changed then.
const CHANGE_MAX: Duration = Duration::from_secs(10);

const LOAD: Duration = Duration::from_secs(3);

/// A real cluster.
pub(super) struct Real<'a> {
    /// Of its API over plain HTTP.
    pub(super) api: SocketAddr,
    pub(super) kubeconfig: &'a Path,
    pub(super) services: usize,
    /// For how long slices are changed.
    pub(super) changing: Duration,
}

impl Real<'_> {
    /// Creates the objects.
    pub(super) fn fill(&self) -> Result<(), String> {
        let failed = |error: io::Error| format!("filling the cluster: {error}");
        let mut client = Client::connect(self.api).map_err(failed)?;
        for object in objects::namespaces() {
            client.ask("POST", "/api/v1/namespaces", &object.to_string()).map_err(failed)?;
        }
        thread::scope(|scope| {
            let create = |creator| self.create(creator).map_err(failed);
            let creators: Vec<_> =
                (0..CREATORS).map(|creator| scope.spawn(move || create(creator))).collect();
            creators.into_iter().try_for_each(|creator| {
                creator.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })
    }

    fn create(&self, first: usize) -> io::Result<()> {
        let mut client = Client::connect(self.api)?;
        for i in (first..self.services).step_by(CREATORS) {
            let namespace = objects::namespace(i);
            let path = format!("/api/v1/namespaces/{namespace}/services");
            client.ask("POST", &path, &objects::service(i).to_string())?;
            let slice = objects::slice(i, &[objects::address(12, i)]);
            client.ask("POST", &slices(i), &slice.to_string())?;
        }
        Ok(())
    }

    /// Measures one server.
    pub(super) fn measure(
        &self,
        site: &mut Site,
        program: &Program,
        round: usize,
        figures: &mut Figures,
    ) -> Result<(), String> {
        let mut subject = site.start(program, &Source::Kubeconfig(self.kubeconfig), "insecure")?;
        let last = self.services - 1;
        let start =
            subject.wait_until_synced(objects::service_answer(last, objects::cluster_ip(last)))?;
        figures.add("start", program.name, start.took.as_secs_f64() * 1e3);
        figures.add("start-cpu", program.name, start.cpu.as_secs_f64() * 1e3);
        subject.load(self.services, Pace::Outstanding(128), LOAD)?;
        let port = subject.server.address().port();
        let begun = Instant::now();
        let times = self.change(port, round).map_err(|error| error.to_string())?;
        let changes = f64::from(CHANGES_PER_SECOND) * self.changing.as_secs_f64();
        figures.add("change-rate", program.name, changes / begun.elapsed().as_secs_f64());
        for (figure, part) in [("change-p50", 0.5), ("change-p99", 0.99), ("change-max", 1.0)] {
            figures.add(figure, program.name, times.quantile_ns(part) as f64 / 1e6);
        }
        figures.add("memory", program.name, subject.memory());
        subject.server.check_running()
    }

    /// Changes slices and looks when their answers change.
    fn change(&self, port: u16, round: usize) -> io::Result<Histogram> {
        let mut all = Histogram::new();
        thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| scope.spawn(move || self.write(port, writer, round)))
                .collect();
            for writer in writers {
                let times =
                    writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
                times.into_iter().for_each(|took| all.add(took.as_nanos() as u64));
            }
            Ok(all)
        })
    }

    fn write(&self, port: u16, writer: usize, round: usize) -> io::Result<Vec<Duration>> {
        let (mut api, mut dns) = (Client::connect(self.api)?, dns::Client::new(port));
        let every = Duration::from_secs(1) / CHANGES_PER_SECOND * WRITERS as u32;
        // Who falls behind takes longer for as many changes.
        let count = self.changing.div_duration_f64(every) as usize;
        let headless: Vec<usize> = self.headless(writer).collect();
        let begun = Instant::now() + every / WRITERS as u32 * writer as u32;
        let mut times = Vec::new();
        for (n, i) in (0..count).zip(headless.into_iter().cycle()) {
            let due = begun + every * n as u32;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            // An address that no slice had before.
            let number = (round * count + n) * WRITERS + writer;
            times.push(change_one(&mut api, &mut dns, i, objects::address(13, number))?);
        }
        Ok(times)
    }

    /// The headless Services whose slices a connection changes; no other one does.
    fn headless(&self, writer: usize) -> std::iter::StepBy<Range<usize>> {
        (writer * HEADLESS_EVERY..self.services).step_by(WRITERS * HEADLESS_EVERY)
    }
}

/// The time from the API server's answer to the server's answer with the new address.
fn change_one(
    api: &mut Client,
    dns: &mut dns::Client,
    i: usize,
    ip: std::net::Ipv4Addr,
) -> io::Result<Duration> {
    let (question, reply) = objects::service_answer(i, ip);
    let endpoints: Value = objects::slice(i, &[ip])["endpoints"].take();
    let patch = serde_json::json!({ "endpoints": endpoints }).to_string();
    api.ask("PATCH", &format!("{}/svc-{i}-x7k2p", slices(i)), &patch)?;
    let written = Instant::now();
    while dns.expect(&question, &reply).is_err() && written.elapsed() < CHANGE_MAX {
        thread::sleep(ASK_EVERY);
    }
    Ok(written.elapsed())
}

fn slices(i: usize) -> String {
    format!("/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices", objects::namespace(i))
}
