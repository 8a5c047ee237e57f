//! A cluster of 5,000 Services, 100,000 endpoints and 50,000 pods: memory, at rest and while
//! everything is listed again.
//!
//! A fake API server stands in for the real one, which would take minutes and gigabytes for it.

use std::time::Duration;

use testkit::FakeApi;

use super::apply;
use super::figures::Figures;
use super::objects::{self, HEADLESS_EVERY};
use super::site::{Program, Site, Source, Subject};
use crate::blast::Pace;

const SERVICES: usize = 5_000;
const SLICES: usize = 2_000;
const ENDPOINTS: usize = 50;
const PODS: usize = 50_000;

const LOAD: Duration = Duration::from_secs(3);

/// The cluster's API.
pub(super) struct Large {
    api: FakeApi,
}

impl Large {
    pub(super) fn new() -> Result<Self, String> {
        let api = FakeApi::start(0).map_err(|error| error.to_string())?;
        apply(&api, objects::namespaces())?;
        apply(&api, (0..SERVICES).map(objects::service))?;
        let slices = (0..SLICES).map(|i| {
            let ips: Vec<_> = (0..ENDPOINTS).map(|e| objects::pod_ip(i * ENDPOINTS + e)).collect();
            objects::slice(i, &ips)
        });
        apply(&api, slices)?;
        apply(&api, (0..PODS).map(objects::pod))?;
        // What was before is of no interest to anybody.
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
        let mut subject = site.start(program, &Source::Endpoint(&self.api.url()), "verified")?;
        subject.wait_until_synced(objects::pod_answer(PODS - 1))?;
        subject.load(SERVICES, Pace::Outstanding(128), LOAD)?;
        let steady = subject.memory();
        figures.add("large-memory", program.name, steady);
        let processes = subject.server.processes();
        processes.forget_peak().map_err(|error| error.to_string())?;
        let before = processes.rss_kib();
        self.relist(&mut subject, round)?;
        let more = processes.peak_rss_kib().saturating_sub(before) as f64 / 1024.0;
        figures.add("large-peak", program.name, steady + more);
        figures.add("large-relist", program.name, (steady + more) / steady);
        Ok(())
    }

    /// Has everything listed again, and waits until that is done: until an object of each kind that
    /// came later is known.
    fn relist(&self, subject: &mut Subject, round: usize) -> Result<(), String> {
        self.api.expire();
        let service = SERVICES + 1 + round;
        let pod = PODS + ENDPOINTS * SLICES + round;
        let headless = round * HEADLESS_EVERY + SLICES - HEADLESS_EVERY;
        let ip = objects::address(14, round);
        let slice = objects::slice(headless, &[ip]);
        apply(&self.api, [objects::service(service), objects::pod(pod), slice])?;
        subject.wait_for_reply(&objects::service_answer(service, objects::cluster_ip(service)))?;
        subject.wait_for_reply(&objects::service_answer(headless, ip))?;
        subject.wait_for_reply(&objects::pod_answer(pod))
    }
}
