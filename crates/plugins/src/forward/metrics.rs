//! What the servers of all lines have counted, as Prometheus shall see it.

use super::servers::Servers;
use crate::env::Env;
use crate::metrics::{Collect, Exposition, Kind, labels};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use upstream::{BUCKET_LIMITS, ConnectionUse, Histogram, ServerStats, Transport, Upstreams};
use wire::Rcode;

/// All `forward` lines of the process. Several may ask one server: their numbers are added up.
#[derive(Default)]
pub(crate) struct Ledger {
    lines: Mutex<Vec<Weak<Servers>>>,
    registered: OnceLock<()>,
}

impl Ledger {
    /// The one of this process.
    pub(crate) fn of(env: &mut Env<'_>) -> Arc<Self> {
        let ledger = env.keep(String::new(), Self::default);
        ledger.registered.get_or_init(|| env.process.metrics.collect(&ledger));
        ledger
    }

    /// Counts `servers` for as long as somebody holds them.
    pub(crate) fn add(&self, servers: &Arc<Servers>) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|line| line.strong_count() > 0);
        let servers = Arc::downgrade(servers);
        if lines.iter().all(|line| !line.ptr_eq(&servers)) {
            lines.push(servers);
        }
    }

    fn sum(&self) -> Sum {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut sum = Sum::default();
        for servers in lines.iter().filter_map(Weak::upgrade) {
            let Some(stats) = servers.upstreams().map(Upstreams::stats) else {
                continue;
            };
            sum.healthcheck_broken += stats.healthcheck_broken;
            sum.max_concurrent_rejects += stats.max_concurrent_rejects;
            sum.coalesced += stats.coalesced;
            sum.uncoalesced += stats.uncoalesced;
            sum.left_out += stats.left_out;
            for server in stats.servers {
                sum.servers.entry(server.server).or_default().add(&server);
            }
        }
        sum
    }
}

impl Collect for Ledger {
    fn collect(&self, exposition: &mut Exposition) {
        let sum = self.sum();
        for (name, help, value) in [
            (
                "coredns_forward_healthcheck_broken_total",
                "Questions for which every server failed its probes.",
                sum.healthcheck_broken,
            ),
            (
                "coredns_forward_max_concurrent_rejects_total",
                "Questions refused because of `max_concurrent`.",
                sum.max_concurrent_rejects,
            ),
            (
                "rutter_forward_coalesced_total",
                "Questions that shared the answer to an equal one on its way.",
                sum.coalesced,
            ),
            (
                "rutter_forward_uncoalesced_total",
                "Questions that could not share an answer because too many were on their way.",
                sum.uncoalesced,
            ),
        ] {
            exposition.family(name, Kind::Counter, help).value("", value);
        }
        let (name, help) = ("rutter_forward_servers_left_out", LEFT_OUT_HELP);
        exposition.family(name, Kind::Gauge, help).value("", sum.left_out);
        for (server, sum) in &sum.servers {
            sum.show(&server.to_string(), exposition);
        }
    }
}

#[derive(Default)]
struct Sum {
    healthcheck_broken: u64,
    max_concurrent_rejects: u64,
    coalesced: u64,
    uncoalesced: u64,
    left_out: usize,
    servers: BTreeMap<SocketAddr, ServerSum>,
}

/// One server, for all lines.
#[derive(Default)]
struct ServerSum {
    durations: BTreeMap<Option<Rcode>, Histogram>,
    healthcheck_failures: u64,
    connections: [ConnectionUse; 2],
    strays: u64,
    down: u64,
}

impl ServerSum {
    fn add(&mut self, stats: &ServerStats) {
        for (rcode, histogram) in &stats.durations {
            let sum = self.durations.entry(*rcode).or_default();
            for (count, more) in sum.counts.iter_mut().zip(histogram.counts) {
                *count += more;
            }
            sum.sum += histogram.sum;
        }
        self.healthcheck_failures += stats.healthcheck_failures;
        for (sum, more) in self.connections.iter_mut().zip([stats.udp, stats.tcp]) {
            sum.reused += more.reused;
            sum.opened += more.opened;
            sum.live += more.live;
            sum.busy += more.busy;
        }
        self.strays += stats.strays;
        self.down += u64::from(stats.down);
    }

    /// Shows each number under CoreDNS's name of today and, where dashboards still ask for it, under
    /// the one that it had until 1.10.
    fn show(&self, to: &str, exposition: &mut Exposition) {
        let proxy = ("proxy_name", "forward");
        let server = ("to", to);
        let mut all = 0;
        for (rcode, histogram) in &self.durations {
            let rcode = rcode.map_or("OTHER".to_owned(), |rcode| rcode.to_string());
            let rcode = ("rcode", rcode.as_str());
            let old = labels(&[rcode, server]);
            for (name, labels) in
                [(PROXY_DURATION, labels(&[proxy, rcode, server])), (FORWARD_DURATION, old.clone())]
            {
                let mut family = exposition.family(name, Kind::Histogram, DURATION_HELP);
                let seconds = histogram.sum.as_secs_f64();
                family.buckets(&labels, &BUCKET_LIMITS, &histogram.counts, seconds);
            }
            let answers: u64 = histogram.counts.iter().sum();
            let mut family = exposition.family(
                "coredns_forward_responses_total",
                Kind::Counter,
                "Answers of a server, by response code.",
            );
            family.value(&old, answers);
            all += answers;
        }
        let (new, old) = (labels(&[proxy, server]), labels(&[server]));
        let mut show = |name, kind, help, labels: &str, value: u64| {
            exposition.family(name, kind, help).value(labels, value);
        };
        let counter = Kind::Counter;
        show("coredns_forward_requests_total", counter, REQUESTS_HELP, &old, all);
        let fails = self.healthcheck_failures;
        show("coredns_proxy_healthcheck_failures_total", counter, PROBES_HELP, &new, fails);
        show("coredns_forward_healthcheck_failures_total", counter, PROBES_HELP, &old, fails);
        show("rutter_forward_strays_total", counter, STRAYS_HELP, &old, self.strays);
        show("rutter_forward_server_down", Kind::Gauge, DOWN_HELP, &old, self.down);
        for (connections, over) in self.connections.iter().zip([Transport::Udp, Transport::Tcp]) {
            let proto = ("proto", over.as_str());
            let (new, old) = (labels(&[proto, proxy, server]), labels(&[proto, server]));
            let ConnectionUse { reused, opened, live, busy } = *connections;
            show("coredns_proxy_conn_cache_hits_total", counter, HITS_HELP, &new, reused);
            show("coredns_forward_conn_cache_hits_total", counter, HITS_HELP, &old, reused);
            show("coredns_proxy_conn_cache_misses_total", counter, MISSES_HELP, &new, opened);
            show("coredns_forward_conn_cache_misses_total", counter, MISSES_HELP, &old, opened);
            show("rutter_forward_connections", Kind::Gauge, LIVE_HELP, &old, live as u64);
            show("rutter_forward_busy_total", counter, BUSY_HELP, &old, busy);
        }
    }
}

const PROXY_DURATION: &str = "coredns_proxy_request_duration_seconds";
const FORWARD_DURATION: &str = "coredns_forward_request_duration_seconds";
const DURATION_HELP: &str = "Time from a question to its answer.";
const REQUESTS_HELP: &str = "Questions that a server has answered.";
const PROBES_HELP: &str = "Probes that a server did not answer.";
const STRAYS_HELP: &str = "Messages of a server that answered nothing: late, or forged.";
const DOWN_HELP: &str = "How many `forward` lines leave this server alone: its probes fail.";
const HITS_HELP: &str = "Questions that went over a connection that was there.";
const MISSES_HELP: &str = "Connections that had to be opened.";
const BUSY_HELP: &str = "Questions that found all connections full.";
const LEFT_OUT_HELP: &str = "Servers that are not asked because a line has more than 64.";
const LIVE_HELP: &str = "Open connections and sockets.";
