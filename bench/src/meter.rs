//! What the server under test uses, read from /proc.

use std::fs;
use std::time::Duration;

/// A server: the processes that it consists of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Processes {
    pids: Vec<u32>,
}

/// CPU time of a server: all threads of all its processes since they started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuTime {
    /// What the scheduler counted, to the nanosecond.
    pub(crate) run: Duration,
    /// Time in user space and in the kernel, in clock ticks. Sampled: good for the proportion only.
    pub(crate) user_ticks: u64,
    pub(crate) system_ticks: u64,
}

impl Processes {
    /// The processes `roots` and all that descend from them, now.
    pub(crate) fn with_descendants(roots: &[u32]) -> Self {
        let mut pids = roots.to_vec();
        let parents = parents();
        let mut at = 0;
        // Each process has one parent, so none is added twice and this ends.
        while let Some(&parent) = pids.get(at) {
            at += 1;
            let children = parents.iter().filter(|(_, its_parent)| *its_parent == parent);
            pids.extend(children.map(|(child, _)| *child));
        }
        Self { pids }
    }

    /// The CPU time so far. A process or thread that has ended no longer counts.
    pub(crate) fn cpu(&self) -> CpuTime {
        let mut cpu = CpuTime::default();
        for pid in &self.pids {
            if let Some(stat) = Stat::of(*pid) {
                cpu.user_ticks += stat.user_ticks;
                cpu.system_ticks += stat.system_ticks;
            }
            let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
            for thread in threads.flatten() {
                let schedstat = fs::read_to_string(thread.path().join("schedstat"));
                cpu.run += schedstat.ok().and_then(|text| run_time(&text)).unwrap_or_default();
            }
        }
        cpu
    }

    /// Forgets the most memory that each had, so that [`Processes::peak_rss_kib`] begins anew
    /// (proc_pid_clear_refs(5)).
    pub(crate) fn forget_peak(&self) -> std::io::Result<()> {
        self.pids.iter().try_for_each(|pid| fs::write(format!("/proc/{pid}/clear_refs"), "5"))
    }

    /// The memory in KiB that they have now (RSS).
    pub(crate) fn rss_kib(&self) -> u64 {
        self.status_kib("VmRSS:")
    }

    /// The most that they had of it since they started, or since [`Processes::forget_peak`].
    pub(crate) fn peak_rss_kib(&self) -> u64 {
        self.status_kib("VmHWM:")
    }

    fn status_kib(&self, field: &str) -> u64 {
        let status = |pid| fs::read_to_string(format!("/proc/{pid}/status")).ok();
        self.pids.iter().filter_map(|pid| kib(&status(pid)?, field)).sum()
    }

    /// The memory in KiB that only these processes use, plus their part of what they share (PSS).
    pub(crate) fn pss_kib(&self) -> u64 {
        let rollup = |pid| fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
        self.pids.iter().filter_map(|pid| kib(&rollup(pid)?, "Pss:")).sum()
    }
}

impl CpuTime {
    /// The time used since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            run: self.run.saturating_sub(before.run),
            user_ticks: self.user_ticks.saturating_sub(before.user_ticks),
            system_ticks: self.system_ticks.saturating_sub(before.system_ticks),
        }
    }

    /// The part of it, 0 to 1, that was spent in user space.
    pub(crate) fn user_part(self) -> f64 {
        self.user_ticks as f64 / (self.user_ticks + self.system_ticks).max(1) as f64
    }
}

/// The machine and how busy it is, in a line: figures mean little without it.
pub(crate) fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown CPU", |(_, model)| model);
    let count = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("unknown");
    format!("{count} x {model}, Linux {}, load average {load}", kernel.trim())
}

/// Every process and its parent.
fn parents() -> Vec<(u32, u32)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, Stat::of(pid)?.parent))).collect()
}

/// Three fields of `/proc/PID/stat` (proc_pid_stat(5)).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    user_ticks: u64,
    system_ticks: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        Self::read(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn read(text: &str) -> Option<Self> {
        // The second field is the command in parentheses, which may hold spaces and parentheses.
        let (_, behind_command) = text.rsplit_once(')')?;
        let fields: Vec<&str> = behind_command.split_ascii_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            user_ticks: number(14)?,
            system_ticks: number(15)?,
        })
    }
}

/// The first field of a `schedstat` file: nanoseconds on a CPU.
fn run_time(schedstat: &str) -> Option<Duration> {
    schedstat.split_ascii_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// A field of a file of /proc that is counted in KiB.
fn kib(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_stat_of_a_command_with_parentheses() {
        let text = "42 (a) b (c)) S 7 42 42 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 99 1 1";
        let stat = Stat { parent: 7, user_ticks: 150, system_ticks: 50 };
        assert_eq!(Stat::read(text), Some(stat));
        assert_eq!(Stat::read("42 (a) S 7"), None);
        assert_eq!(Stat::read(""), None);
    }

    #[test]
    fn reads_run_time_and_memory() {
        assert_eq!(run_time("1234567 89 10\n"), Some(Duration::from_nanos(1_234_567)));
        assert_eq!(run_time(""), None);
        let rollup =
            "55d0-7ffd ---p 0 00:00 0 [rollup]\nRss:  9000 kB\nPss:   2048 kB\nPss_Dirty: 1 kB\n";
        assert_eq!(kib(rollup, "Pss:"), Some(2048));
        assert_eq!(kib("Rss: 1 kB", "Pss:"), None);
    }

    #[test]
    fn this_process_is_seen_to_work() {
        let this = Processes::with_descendants(&[std::process::id()]);
        let worked = || {
            let before = this.cpu();
            let sum = (0..2_000_000u64).fold(0, |sum: u64, i| std::hint::black_box(sum ^ i));
            std::hint::black_box(sum);
            let used = this.cpu().since(before);
            assert!((0.0..=1.0).contains(&used.user_part()));
            used.run > Duration::ZERO
        };
        // What threads of other tests have used is gone when they end.
        assert!((0..100).any(|_| worked()));
        assert!(this.pss_kib() > 100);
        this.forget_peak().unwrap();
        assert!(this.rss_kib() > 100 && this.peak_rss_kib() >= this.pss_kib());
        assert!(parents().contains(&(std::process::id(), std::os::unix::process::parent_id())));
    }

    #[test]
    fn the_machine_is_known() {
        let text = machine();
        assert!(text.contains(", Linux ") && !text.starts_with("0 x"), "{text}");
    }

    #[test]
    fn usage_never_runs_backwards() {
        let later = CpuTime { run: Duration::from_secs(1), user_ticks: 1, system_ticks: 1 };
        assert_eq!(CpuTime::default().since(later), CpuTime::default());
    }
}
