//! How much memory all caches of the process may take.

use crate::metrics::{Collect, Exposition, Kind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Octets that all caches share.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    used: AtomicUsize,
}

/// Nobody can tell how much memory there is.
const UNKNOWN: usize = 64 << 20;
/// However much there is, this is enough: some three million entries.
const LIMIT_MAX: usize = 1 << 30;

impl Budget {
    /// At most so many octets.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0) }
    }

    /// A quarter of the memory that this process may use.
    pub(super) fn of_process() -> Self {
        let share = memory_limit().map_or(UNKNOWN, |limit| limit / 4);
        Self::new(share.min(LIMIT_MAX))
    }

    /// Takes so many octets, also if there are not as many.
    pub(super) fn take(&self, octets: usize) {
        self.used.fetch_add(octets, Relaxed);
    }

    /// Gives them back.
    pub(super) fn give(&self, octets: usize) {
        self.used.fetch_sub(octets, Relaxed);
    }

    /// Whether more is taken than there is.
    pub(super) fn is_exceeded(&self) -> bool {
        self.used.load(Relaxed) > self.limit
    }
}

impl Collect for Budget {
    fn collect(&self, exposition: &mut Exposition) {
        let mut gauge = |name, help, value| {
            exposition.family(name, Kind::Gauge, help).value("", value);
        };
        let help = "Octets that the entries of all caches take.";
        gauge("rutter_cache_memory_bytes", help, self.used.load(Relaxed));
        let help = "Octets that they may take; what is over leaves.";
        gauge("rutter_cache_memory_max_bytes", help, self.limit);
    }
}

/// The memory limit of this process's cgroup, or else what the machine has.
fn memory_limit() -> Option<usize> {
    let read = |path| std::fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| total(&text));
    // In a container the process's own group is the root of what it sees. Without a limit it says
    // `max` (version 2), or a number that no machine has (version 1).
    let group = read("/sys/fs/cgroup/memory.max")
        .or_else(|| read("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
        .and_then(|text| text.trim().parse().ok());
    machine.into_iter().chain(group).min()
}

/// `MemTotal:       16384 kB`
fn total(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_the_machine_is_found() {
        assert_eq!(total("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
        assert_eq!(total("nothing"), None);
        assert!(memory_limit().is_some_and(|limit| limit > 16 << 20));
    }
}
