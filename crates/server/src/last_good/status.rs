//! What metrics say of the configuration that serves.

use chain::Clock;
use plugins::env::Process;
use plugins::metrics::{Collect, Exposition, Gauge, Kind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which configuration serves, and which one should.
pub(crate) struct Status {
    degraded: Arc<Gauge>,
    active: Arc<Gauge>,
    desired: Arc<Gauge>,
    age: Arc<Age>,
}

/// The age of the kept configuration, while it serves.
struct Age {
    /// The Unix time at which it was kept; zero while another one serves.
    kept: AtomicU64,
    clock: Arc<dyn Clock>,
}

impl Status {
    /// Nothing serves yet.
    pub(crate) fn new(process: &Process) -> Self {
        let gauge = |name, help| process.metrics.gauge(name, help, "");
        let age = Arc::new(Age { kept: AtomicU64::new(0), clock: process.clock.clone() });
        process.metrics.collect(&age);
        let degraded = "Whether what is on the disk was refused, and something older serves.";
        let active = "The hash of the Corefile that serves, with its imports.";
        let desired = "The same of the one on the disk; 0 if it cannot be read.";
        Self {
            degraded: gauge("rutter_config_degraded", degraded),
            active: gauge("rutter_config_active_hash", active),
            desired: gauge("rutter_config_desired_hash", desired),
            age,
        }
    }

    /// What is on the disk serves, or what can of it.
    pub(crate) fn serves(&self, hash: i64, desired: i64) {
        self.active.set(hash);
        self.desired.set(desired);
        self.degraded.set(i64::from(hash != desired));
        self.age.kept.store(0, Ordering::Relaxed);
    }

    /// This is on the disk.
    pub(crate) fn wants(&self, hash: i64) {
        self.desired.set(hash);
    }

    /// This is on the disk, and is refused.
    pub(crate) fn refused(&self, hash: i64) {
        self.wants(hash);
        self.degraded.set(1);
    }

    /// What was kept at this Unix time serves instead.
    pub(crate) fn serves_kept(&self, hash: i64, kept: u64) {
        self.active.set(hash);
        self.degraded.set(1);
        self.age.kept.store(kept, Ordering::Relaxed);
    }

    /// Whether the kept configuration serves.
    pub(crate) fn is_kept(&self) -> bool {
        self.age.kept.load(Ordering::Relaxed) != 0
    }
}

impl Collect for Age {
    fn collect(&self, exposition: &mut Exposition) {
        let kept = self.kept.load(Ordering::Relaxed);
        if kept != 0 {
            let age = self.clock.unix_seconds().saturating_sub(kept);
            let help = "Time since the configuration was kept that serves.";
            let name = "rutter_config_kept_age_seconds";
            exposition.family(name, Kind::Gauge, help).value("", age);
        }
    }
}
