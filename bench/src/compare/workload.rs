//! What is measured, and within which limits Rutter must stay. This page is the whole policy.

use std::time::Duration;

use crate::blast::{Load, Pace, Transport};

/// A server that takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Echo,
    Rutter,
    CoreDns,
    Nsd,
    Unbound,
}

impl Kind {
    pub(super) const ALL: [Self; 5] =
        [Self::Echo, Self::Rutter, Self::CoreDns, Self::Nsd, Self::Unbound];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Rutter => "rutter",
            Self::CoreDns => "coredns",
            Self::Nsd => "nsd",
            Self::Unbound => "unbound",
        }
    }
}

/// What a server is set up to answer from: 10,000 names each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Setup {
    /// A hosts file.
    Hosts,
    /// Services with one EndpointSlice each, from an API server; the Corefile of a new cluster.
    Kubernetes,
    /// A zone file.
    Zone,
    /// A cache in front of another server, filled before.
    Cache,
}

impl Setup {
    pub(super) const ALL: [Self; 4] = [Self::Hosts, Self::Kubernetes, Self::Zone, Self::Cache];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hosts => "hosts",
            Self::Kubernetes => "kubernetes",
            Self::Zone => "zone",
            Self::Cache => "cache",
        }
    }

    /// The servers that can be set up so.
    pub(super) fn suits(self, kind: Kind) -> bool {
        match kind {
            Kind::Echo | Kind::Rutter | Kind::CoreDns => true,
            Kind::Nsd => self == Self::Zone,
            Kind::Unbound => self == Self::Cache,
        }
    }
}

/// One figure of each server.
#[derive(Debug)]
pub(super) struct Workload {
    pub(super) name: &'static str,
    pub(super) setup: Setup,
    pub(super) measure: Measure,
}

/// How the figure comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// CPU time for each answer, in microseconds, under this traffic.
    Cpu(Traffic),
    /// Queries without an answer, at so many a second for half a minute.
    Lost { per_second: u32 },
    /// Memory after all traffic of the set-up, in MiB: PSS.
    Memory,
    /// From start to the first answer, in milliseconds.
    Start,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Traffic {
    /// As many queries over UDP as are answered, for names that exist.
    Saturated,
    /// The same for names that a resolver makes with its search list, which do not exist.
    SearchList,
    /// 20 TCP connections with 10 queries on their way on each.
    Pipelined,
    /// So many a second over UDP, for names that exist.
    Rate { per_second: u32 },
}

/// All workloads, in the order in which they are measured and shown.
pub(super) const WORKLOADS: &[Workload] = &[
    cpu("hosts", Setup::Hosts, Traffic::Saturated),
    Workload { name: "hosts-start", setup: Setup::Hosts, measure: Measure::Start },
    cpu("kubernetes", Setup::Kubernetes, Traffic::Saturated),
    cpu("nxdomain", Setup::Kubernetes, Traffic::SearchList),
    cpu("tcp", Setup::Kubernetes, Traffic::Pipelined),
    cpu("rate-5k", Setup::Kubernetes, Traffic::Rate { per_second: 5_000 }),
    cpu("rate-20k", Setup::Kubernetes, Traffic::Rate { per_second: 20_000 }),
    Workload {
        name: "rate-50k-lost",
        setup: Setup::Kubernetes,
        measure: Measure::Lost { per_second: 50_000 },
    },
    Workload { name: "memory", setup: Setup::Kubernetes, measure: Measure::Memory },
    cpu("zone", Setup::Zone, Traffic::Saturated),
    Workload { name: "zone-start", setup: Setup::Zone, measure: Measure::Start },
    cpu("cache", Setup::Cache, Traffic::Saturated),
];

const fn cpu(name: &'static str, setup: Setup, traffic: Traffic) -> Workload {
    Workload { name, setup, measure: Measure::Cpu(traffic) }
}

impl Workload {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        WORKLOADS.iter().find(|workload| workload.name == name)
    }

    /// Whether the figure of `kind` means something.
    pub(super) fn suits(&self, kind: Kind) -> bool {
        let is_echo = kind == Kind::Echo;
        let echo_too = match self.measure {
            Measure::Cpu(Traffic::Saturated | Traffic::Rate { .. }) | Measure::Lost { .. } => true,
            Measure::Cpu(_) | Measure::Memory | Measure::Start => false,
        };
        self.setup.suits(kind) && (!is_echo || echo_too)
    }

    /// Whether one round is enough, because it is long.
    pub(super) fn once(&self) -> bool {
        matches!(self.measure, Measure::Lost { .. })
    }

    /// Whether a multiple of another server's figure says something: losses can be none.
    pub(super) fn has_ratios(&self) -> bool {
        !matches!(self.measure, Measure::Lost { .. })
    }

    pub(super) fn unit(&self) -> &'static str {
        match self.measure {
            Measure::Cpu(_) => "us",
            Measure::Lost { .. } => "lost",
            Measure::Memory => "MiB",
            Measure::Start => "ms",
        }
    }
}

impl Traffic {
    /// The load, without server and processes.
    pub(super) fn load(self, measured: Duration) -> Load {
        let load = Load { measured, warm_up: measured / 6, ..Load::default() };
        match self {
            Self::Saturated | Self::SearchList => load,
            Self::Rate { per_second } => {
                Load { pace: Pace::PerSecond(f64::from(per_second)), ..load }
            }
            Self::Pipelined => Load {
                transport: Transport::Tcp,
                connections: 20,
                pace: Pace::Outstanding(200),
                ..load
            },
        }
    }
}

/// The most that Rutter's figure in a workload may be.
#[derive(Debug)]
pub(super) struct Limit {
    pub(super) workload: &'static str,
    /// In the unit of the workload, or as a multiple of the figure of another server or workload.
    pub(super) at_most: f64,
    pub(super) times: Option<(&'static str, Kind)>,
}

/// All limits. Multiples are taken within a round, and the median of the rounds counts.
pub(super) const LIMITS: &[Limit] = &[
    times("hosts", 1.25, "hosts", Kind::Echo),
    times("hosts", 0.35, "hosts", Kind::CoreDns),
    absolute("hosts-start", 150.0),
    times("kubernetes", 1.25, "kubernetes", Kind::Echo),
    times("kubernetes", 0.28, "kubernetes", Kind::CoreDns),
    // With the usual `ndots:5` most queries of a cluster end so: they must cost what a hit costs.
    times("nxdomain", 1.05, "kubernetes", Kind::Rutter),
    times("tcp", 0.6, "kubernetes", Kind::Echo),
    times("tcp", 0.2, "tcp", Kind::CoreDns),
    times("rate-5k", 1.25, "rate-5k", Kind::Echo),
    times("rate-5k", 0.5, "rate-5k", Kind::CoreDns),
    times("rate-20k", 1.25, "rate-20k", Kind::Echo),
    times("rate-20k", 0.5, "rate-20k", Kind::CoreDns),
    absolute("rate-50k-lost", 0.0),
    absolute("memory", 20.0),
    times("zone", 1.25, "zone", Kind::Echo),
    times("zone", 0.15, "zone", Kind::CoreDns),
    absolute("zone-start", 150.0),
    times("cache", 1.35, "cache", Kind::Echo),
    times("cache", 0.32, "cache", Kind::CoreDns),
];

const fn times(workload: &'static str, at_most: f64, reference: &'static str, kind: Kind) -> Limit {
    Limit { workload, at_most, times: Some((reference, kind)) }
}

const fn absolute(workload: &'static str, at_most: f64) -> Limit {
    Limit { workload, at_most, times: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_name_workloads_whose_figures_mean_something() {
        for limit in LIMITS {
            let workload = Workload::named(limit.workload).unwrap();
            assert!(workload.suits(Kind::Rutter), "{limit:?}");
            let Some((reference, kind)) = limit.times else { continue };
            let reference = Workload::named(reference).unwrap();
            assert!(reference.suits(kind), "{limit:?}");
            assert_eq!(reference.setup, workload.setup, "a ratio needs one round: {limit:?}");
            assert_eq!(reference.unit(), workload.unit(), "{limit:?}");
        }
    }

    #[test]
    fn every_workload_has_a_limit() {
        for workload in WORKLOADS {
            assert!(LIMITS.iter().any(|limit| limit.workload == workload.name), "{workload:?}");
        }
    }
}
