//! What operators are told about the lines of a block.

use super::servers::Servers;
use crate::inspect::{InspectUpstreams, UpstreamLine, UpstreamServer};
use std::sync::Arc;
use std::time::Duration;
use upstream::{Policy, ServerStats, Upstreams};
use wire::Rcode;

/// The lines of a block, each with the zones that it takes.
#[derive(Default)]
pub(super) struct Told {
    pub(super) lines: Vec<(String, Arc<Servers>)>,
}

impl InspectUpstreams for Told {
    fn lines(&self) -> Vec<UpstreamLine> {
        self.lines.iter().map(|(from, servers)| line(from, servers)).collect()
    }
}

fn line(from: &str, servers: &Servers) -> UpstreamLine {
    let stats = servers.upstreams().map(Upstreams::stats);
    let counted = stats.as_ref();
    UpstreamLine {
        from: from.to_owned(),
        policy: match servers.settings().policy {
            Policy::Random => "random",
            Policy::RoundRobin => "round_robin",
            Policy::Sequential => "sequential",
        },
        in_flight: counted.map_or(0, |stats| stats.waiting),
        in_flight_max: servers.settings().max_concurrent.map(Into::into),
        refused: counted.map_or(0, |stats| stats.max_concurrent_rejects),
        all_down: counted.map_or(0, |stats| stats.healthcheck_broken),
        servers: stats.iter().flat_map(|stats| &stats.servers).map(server).collect(),
    }
}

fn server(stats: &ServerStats) -> UpstreamServer {
    let count = |rcode: Option<Rcode>| -> u64 {
        let durations = stats.durations.iter().filter(|(of, _)| rcode.is_none() || *of == rcode);
        durations.flat_map(|(_, histogram)| histogram.counts).sum()
    };
    let answers = count(None);
    let time: Duration = stats.durations.iter().map(|(_, histogram)| histogram.sum).sum();
    UpstreamServer {
        address: stats.server,
        down: stats.down,
        answers,
        answer_ms: (answers > 0).then(|| time.as_secs_f64() * 1000.0 / answers as f64),
        servfail: count(Some(Rcode::SERVFAIL)),
        failed_probes: stats.healthcheck_failures,
        connections: stats.udp.live + stats.tcp.live,
    }
}
