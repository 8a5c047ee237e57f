//! What is said of the process as a whole: the figures that every program shows to Prometheus, which
//! build this is, and what does not belong to a zone.

use crate::env::Process;
use crate::lines::Lines;
use crate::metrics::{Collect, Exposition, Kind, labels};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Reads them anew at each scrape.
pub(super) struct ProcessFigures {
    version: &'static str,
    /// In seconds since 1970.
    started: u64,
    panics: Arc<AtomicU64>,
    lines: Arc<Lines>,
}

impl ProcessFigures {
    pub(super) fn new(process: &Process) -> Self {
        // The clock counts from the start of the process.
        let running = process.clock.now().since(chain::Moment::default());
        Self {
            version: process.version,
            started: process.clock.unix_seconds().saturating_sub(running.as_secs()),
            panics: process.panics.clone(),
            lines: process.lines.clone(),
        }
    }
}

impl Collect for ProcessFigures {
    fn collect(&self, exposition: &mut Exposition) {
        let build = labels(&[
            ("version", self.version),
            ("revision", option_env!("RUTTER_REVISION").unwrap_or("")),
            // Dashboards show this label; it tells the compiler, as it does for CoreDNS.
            ("goversion", concat!("rust", env!("CARGO_PKG_RUST_VERSION"))),
        ]);
        exposition
            .family("coredns_build_info", Kind::Gauge, "Which build this is.")
            .value(&build, 1_u64);
        let panics = self.panics.load(Relaxed);
        let mut counter = |name, help, value| {
            exposition.family(name, Kind::Counter, help).value("", value);
        };
        counter("coredns_panics_total", "Questions that ended in a panic.", panics);
        let help = "Questions that ended in a panic, under their name before CoreDNS 1.7.";
        counter("coredns_panic_count_total", help, panics);
        let help = "Log lines that were lost: the log is read too slowly, or cannot be written.";
        counter("rutter_log_lines_dropped_total", help, self.lines.dropped());
        self.system(exposition);
    }
}

impl ProcessFigures {
    /// What the kernel says. Where it says nothing (`/proc` is not mounted), there is no sample.
    fn system(&self, exposition: &mut Exposition) {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        let seconds = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
        let help = "Seconds of processor time.";
        exposition.family("process_cpu_seconds_total", Kind::Counter, help).value("", seconds);
        let mut gauge = |name, help, value: Option<u64>| {
            if let Some(value) = value {
                exposition.family(name, Kind::Gauge, help).value("", value);
            }
        };
        let help = "When the process started, in seconds since 1970.";
        gauge("process_start_time_seconds", help, Some(self.started));
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let help = "Octets of memory in use.";
        gauge("process_resident_memory_bytes", help, memory(&status, "VmRSS:"));
        let help = "Octets of address space in use.";
        gauge("process_virtual_memory_bytes", help, memory(&status, "VmSize:"));
        // The directory itself is open while it is read.
        let open = std::fs::read_dir("/proc/self/fd").map(|fds| fds.count() as u64 - 1);
        gauge("process_open_fds", "Open files and sockets.", open.ok());
        let help = "How many files and sockets may be open.";
        gauge("process_max_fds", help, getrlimit(Resource::Nofile).current);
    }
}

/// The octets in a line of `/proc/self/status`: `VmRSS:     1234 kB`.
fn memory(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
