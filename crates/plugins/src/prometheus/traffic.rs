//! What was asked and answered for one zone at one server.

use crate::metrics::{Collect, Exposition, Kind, PerWorker, bump, labels};
use crate::order::ORDER;
use chain::{Exchange, Failure, Transport};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use wire::{Rcode, RecordType};

/// The counters of one server and zone.
///
/// Each worker has a table of its own, made when it first has something to count there: a thousand
/// zones of which ten are asked for take the memory of ten.
pub(super) struct Traffic {
    server: Arc<str>,
    zone: Arc<str>,
    tables: PerWorker<OnceLock<Box<Table>>>,
}

/// What one worker has counted. Aligned so that no two workers write to the same cache line.
#[repr(align(128))]
struct Table {
    /// By transport, family and type.
    requests: [[[AtomicU64; TYPES.len() + 1]; 2]; 2],
    dnssec_ok: AtomicU64,
    /// In nanoseconds.
    durations: Buckets<{ DURATIONS.len() + 1 }>,
    /// By transport.
    request_sizes: [Buckets<{ SIZES.len() + 1 }>; 2],
    /// By transport.
    response_sizes: [Buckets<{ SIZES.len() + 1 }>; 2],
    /// By response code, and then by who answered: nobody, or a plugin by its place in the order.
    responses: [OnceLock<Box<[AtomicU64]>>; RCODES + 1],
    /// By their place in [`Failure::KINDS`].
    failures: [AtomicU64; Failure::KINDS.len()],
}

/// Numbers sorted by size. `N` is one more than there are bounds.
struct Buckets<const N: usize> {
    counts: [AtomicU64; N],
    sum: AtomicU64,
}

/// The types that have a label of their own; all others together are `other`.
const TYPES: [RecordType; 19] = [
    RecordType::A,
    RecordType::AAAA,
    RecordType::CNAME,
    RecordType::DNSKEY,
    RecordType::DS,
    RecordType::MX,
    RecordType::NSEC,
    RecordType::NSEC3,
    RecordType::NS,
    RecordType::PTR,
    RecordType::RRSIG,
    RecordType::SOA,
    RecordType::SRV,
    RecordType::TXT,
    RecordType::HTTPS,
    RecordType::SVCB,
    RecordType::IXFR,
    RecordType::AXFR,
    RecordType::ANY,
];

/// Response codes that have a label of their own: all that the registry knows. The other four
/// thousand are for upstream servers to make up, and together are `other`.
const RCODES: usize = 24;

/// Nanoseconds: 0.25 ms, doubled up to 8.192 s.
const DURATIONS: [u64; 16] = {
    let mut bounds = [250_000; 16];
    let mut index = 1;
    while index < bounds.len() {
        bounds[index] = 2 * bounds[index - 1];
        index += 1;
    }
    bounds
};

/// Octets.
const SIZES: [u64; 14] =
    [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16_000, 32_000, 48_000, 64_000];

const TRANSPORTS: [&str; 2] = ["udp", "tcp"];
const FAMILIES: [&str; 2] = ["1", "2"];

impl Traffic {
    pub(super) fn new(server: Arc<str>, zone: Arc<str>, workers: usize) -> Self {
        Self { server, zone, tables: PerWorker::new(workers, OnceLock::new) }
    }

    /// Counts a question and its reply of `octets` octets; `answerer` is the place in the order of
    /// the plugin that answered, plus one, or 0.
    pub(super) fn count(&self, x: &Exchange, octets: usize, answerer: usize) {
        let worker = x.worker;
        let table = self.tables.of(worker).get_or_init(Table::new);
        let transport = match x.client.transport {
            Transport::Udp => 0,
            Transport::Tcp => 1,
        };
        let family = usize::from(x.client.peer.is_ipv6());
        bump(&table.requests[transport][family][type_index(x.question.rtype)], worker, 1);
        if x.request.dnssec_ok() {
            bump(&table.dnssec_ok, worker, 1);
        }
        let nanos = u64::try_from(x.elapsed().as_nanos()).unwrap_or(u64::MAX);
        table.durations.count(&DURATIONS, nanos, worker);
        let request = u64::from(x.request.size);
        table.request_sizes[transport].count(&SIZES, request, worker);
        table.response_sizes[transport].count(&SIZES, octets as u64, worker);
        let answerers = table.responses[rcode_index(x.reply.rcode)].get_or_init(new_answerers);
        if let Some(count) = answerers.get(answerer) {
            bump(count, worker, 1);
        }
        if let Some(kind) = x.failure().and_then(kind_index) {
            bump(&table.failures[kind], worker, 1);
        }
    }
}

fn new_answerers() -> Box<[AtomicU64]> {
    (0..=ORDER.len()).map(|_| AtomicU64::new(0)).collect()
}

/// Nearly every question is for one of the first two.
fn type_index(rtype: RecordType) -> usize {
    TYPES.iter().position(|known| *known == rtype).unwrap_or(TYPES.len())
}

fn kind_index(failure: &Failure) -> Option<usize> {
    let kind = failure.kind();
    Failure::KINDS.iter().position(|known| *known == kind)
}

fn rcode_index(rcode: Rcode) -> usize {
    usize::from(rcode.0).min(RCODES)
}

impl Table {
    fn new() -> Box<Self> {
        Box::new(Self {
            requests: Default::default(),
            dnssec_ok: AtomicU64::new(0),
            durations: Buckets::new(),
            request_sizes: [Buckets::new(), Buckets::new()],
            response_sizes: [Buckets::new(), Buckets::new()],
            responses: std::array::from_fn(|_| OnceLock::new()),
            failures: Default::default(),
        })
    }
}

impl<const N: usize> Buckets<N> {
    fn new() -> Self {
        Self { counts: std::array::from_fn(|_| AtomicU64::new(0)), sum: AtomicU64::new(0) }
    }

    fn count(&self, bounds: &[u64], value: u64, worker: u16) {
        let bucket = bounds.iter().position(|bound| value <= *bound).unwrap_or(bounds.len());
        bump(&self.counts[bucket], worker, 1);
        bump(&self.sum, worker, value);
    }
}

impl Collect for Traffic {
    fn collect(&self, exposition: &mut Exposition) {
        let tables: Vec<_> = self.tables.iter().filter_map(OnceLock::get).collect();
        if tables.is_empty() {
            return;
        }
        let page = Page { traffic: self, tables: tables.iter().map(|table| &***table).collect() };
        page.requests(exposition);
        page.durations(exposition);
        page.sizes(exposition);
        page.responses(exposition);
        page.failures(exposition);
    }
}

/// A look at the tables of all workers. Series that are still zero are left out.
struct Page<'a> {
    traffic: &'a Traffic,
    tables: Vec<&'a Table>,
}

impl Page<'_> {
    fn requests(&self, exposition: &mut Exposition) {
        // The names before CoreDNS 1.7, which dashboards still ask for.
        let (mut by_transport, mut by_type) = ([[0; 2]; 2], [0; TYPES.len() + 1]);
        for (transport, family, rtype) in all_requests() {
            let count = self.sum(|table| &table.requests[transport][family][rtype]);
            by_transport[transport][family] += count;
            by_type[rtype] += count;
            let labels = self.labels(&[
                ("view", ""),
                ("proto", TRANSPORTS[transport]),
                ("family", FAMILIES[family]),
                ("type", type_label(rtype)),
            ]);
            let help = "Questions.";
            show(exposition, "coredns_dns_requests_total", help, &labels, count);
        }
        let help = "Questions, under their name before CoreDNS 1.7.";
        for (transport, families) in by_transport.iter().enumerate() {
            for (family, count) in families.iter().enumerate() {
                let labels =
                    self.labels(&[("proto", TRANSPORTS[transport]), ("family", FAMILIES[family])]);
                show(exposition, "coredns_dns_request_count_total", help, &labels, *count);
            }
        }
        for (rtype, count) in by_type.iter().enumerate() {
            let labels = self.labels(&[("type", type_label(rtype))]);
            show(exposition, "coredns_dns_request_type_count_total", help, &labels, *count);
        }
        let count = self.sum(|table| &table.dnssec_ok);
        let labels = self.labels(&[("view", "")]);
        let name = "coredns_dns_do_requests_total";
        show(exposition, name, "Questions that ask for DNSSEC records.", &labels, count);
        let name = "coredns_dns_request_do_count_total";
        show(exposition, name, help, &self.labels(&[]), count);
    }

    fn durations(&self, exposition: &mut Exposition) {
        let (counts, nanos) = self.buckets(|table| &table.durations);
        let bounds = DURATIONS.map(|nanos| Duration::from_nanos(nanos).as_secs_f64());
        let help = "Seconds from a question to its reply.";
        let name = "coredns_dns_request_duration_seconds";
        let labels = self.labels(&[("view", "")]);
        let sum = Duration::from_nanos(nanos).as_secs_f64();
        exposition.family(name, Kind::Histogram, help).buckets(&labels, &bounds, &counts, sum);
    }

    fn sizes(&self, exposition: &mut Exposition) {
        for (transport, proto) in TRANSPORTS.into_iter().enumerate() {
            let labels = self.labels(&[("view", ""), ("proto", proto)]);
            let mut show = |name, help, (counts, sum): (Vec<u64>, u64)| {
                if counts.iter().any(|count| *count > 0) {
                    let bounds = SIZES.map(|bound| bound as f64);
                    let family = &mut exposition.family(name, Kind::Histogram, help);
                    family.buckets(&labels, &bounds, &counts, sum as f64);
                }
            };
            let (name, help) = ("coredns_dns_request_size_bytes", "Octets of a question.");
            show(name, help, self.buckets(|table| &table.request_sizes[transport]));
            let (name, help) = ("coredns_dns_response_size_bytes", "Octets of a reply as sent.");
            show(name, help, self.buckets(|table| &table.response_sizes[transport]));
        }
    }

    fn responses(&self, exposition: &mut Exposition) {
        for rcode in 0..=RCODES {
            let label = rcode_label(rcode);
            let mut of_all = 0;
            for answerer in 0..=ORDER.len() {
                let rows = self.tables.iter().filter_map(|table| table.responses[rcode].get());
                let count = rows.map(|row| row[answerer].load(Relaxed)).sum::<u64>();
                of_all += count;
                let plugin = answerer.checked_sub(1).map_or("", |place| ORDER[place].name);
                let labels = self.labels(&[("view", ""), ("rcode", &label), ("plugin", plugin)]);
                let help = "Replies, by response code and the plugin that answered.";
                show(exposition, "coredns_dns_responses_total", help, &labels, count);
            }
            let labels = self.labels(&[("rcode", &label)]);
            let help = "Replies, under their name before CoreDNS 1.7.";
            show(exposition, "coredns_dns_response_rcode_count_total", help, &labels, of_all);
        }
    }

    fn failures(&self, exposition: &mut Exposition) {
        for (index, kind) in Failure::KINDS.into_iter().enumerate() {
            let labels = self.labels(&[("kind", kind)]);
            let help = "Questions without a proper answer, by what was in the way.";
            let count = self.sum(|table| &table.failures[index]);
            show(exposition, "rutter_dns_failures_total", help, &labels, count);
        }
    }

    fn labels(&self, more: &[(&str, &str)]) -> String {
        let mut all = vec![("server", &*self.traffic.server), ("zone", &*self.traffic.zone)];
        all.extend_from_slice(more);
        labels(&all)
    }

    fn sum(&self, of: impl Fn(&Table) -> &AtomicU64) -> u64 {
        self.tables.iter().map(|table| of(table).load(Relaxed)).sum()
    }

    fn buckets<const N: usize>(&self, of: impl Fn(&Table) -> &Buckets<N>) -> (Vec<u64>, u64) {
        let counts = (0..N).map(|bucket| self.sum(|table| &of(table).counts[bucket])).collect();
        (counts, self.sum(|table| &of(table).sum))
    }
}

fn all_requests() -> impl Iterator<Item = (usize, usize, usize)> {
    let types = 0..=TYPES.len();
    (0..TRANSPORTS.len()).flat_map(move |transport| {
        let types = types.clone();
        (0..FAMILIES.len())
            .flat_map(move |family| types.clone().map(move |rtype| (transport, family, rtype)))
    })
}

fn type_label(index: usize) -> &'static str {
    TYPES.get(index).and_then(|rtype| rtype.mnemonic()).unwrap_or("other")
}

fn rcode_label(index: usize) -> String {
    if index == RCODES { "other".into() } else { Rcode(index as u16).to_string() }
}

fn show(
    exposition: &mut Exposition,
    name: &'static str,
    help: &'static str,
    labels: &str,
    count: u64,
) {
    if count > 0 {
        exposition.family(name, Kind::Counter, help).value(labels, count);
    }
}
