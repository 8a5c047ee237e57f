//! An answer from memory allocates nothing.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]
#![expect(clippy::disallowed_methods, reason = "a test has no clock but the real one")]

mod bench;

use bench::Bench;
use testkit::alloc::{Counting, count};
use wire::{Rcode, RecordType};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Rules of every kind that works without waiting.
const RULES: &str = r"
    rewrite name exact old.hosts.test web.hosts.test
    rewrite name exact never.hosts.test web.hosts.test
    rewrite name suffix .shop.test .hosts.test answer auto
    rewrite name prefix beta. www. answer auto
    rewrite name substring -eu. . answer auto
    rewrite name regex ^never-(.*)\.hosts\.test\.$ {1}.hosts.test
    rewrite name regex \.fixed\.test\.$ web.hosts.test answer auto
    rewrite name regex ^(\w+)-(\w+)\.test\.$ {2}.{1}.test answer auto
    rewrite stop {
        name regex (.*)\.alias\.test {1}.hosts.test
        answer name (.*)\.hosts\.test {1}.alias.test
    }
    rewrite continue ttl suffix .example.org 60
    rewrite continue type HINFO A
    rewrite rcode exact nobody.example.org NXDOMAIN NOERROR
";

/// Zones that others see.
const OUTSIDE: &str = r"
outside.test {
    prometheus
    k8s_gateway outside.test {
        manifests BENCH/gateway
        resources HTTPRoute Ingress Service
    }
}
example.net 113.0.203.in-addr.arpa {
    prometheus
    k8s_external {
        headless
    }
    kubernetes cluster.test {
        manifests BENCH/manifests
    }
}
";

/// How often a question was asked when it has been counted: to fill the cache, until everything has
/// found its size, and while allocations are counted.
const ASKED: usize = 1 + 100 + COUNTED;
const COUNTED: usize = 1000;

/// A question, and the response code and number of records that answer it.
type Case = (&'static str, RecordType, (Rcode, usize));

/// The allocations of [`COUNTED`] answers.
fn allocations(bench: &mut Bench, (name, rtype, outcome): Case) -> usize {
    bench.prepare(name, rtype);
    assert_eq!(bench.outcome(), outcome, "{name} {rtype}");
    for _ in 0..100 {
        bench.ask();
    }
    let (allocations, _) = count(|| {
        for _ in 0..COUNTED {
            bench.ask();
        }
    });
    assert_eq!(bench.outcome(), outcome, "{name} {rtype}");
    allocations as usize
}

const FOUND: Rcode = Rcode::NOERROR;
const NO_NAME: Rcode = Rcode::NXDOMAIN;

#[test]
fn answers_and_denials_from_memory() {
    use RecordType as T;
    let cases: &[Case] = &[
        // hosts
        ("web.hosts.test", T::A, (FOUND, 1)),
        ("web.hosts.test", T::AAAA, (FOUND, 0)),
        ("1.2.0.192.in-addr.arpa", T::PTR, (FOUND, 1)),
        // kubernetes
        ("my-nginx.default.svc.cluster.local", T::A, (FOUND, 2)),
        ("my-nginx.default.svc.cluster.local", T::SRV, (FOUND, 2)),
        ("billing.default.svc.cluster.local", T::AAAA, (FOUND, 0)),
        ("www.example.com.default.svc.cluster.local", T::A, (NO_NAME, 0)),
        ("17.1.244.10.in-addr.arpa", T::PTR, (FOUND, 1)),
        // k8s_external
        ("web.shop.example.net", T::A, (FOUND, 2)),
        ("web.shop.example.net", T::AAAA, (FOUND, 0)),
        ("_https._tcp.web.shop.example.net", T::SRV, (FOUND, 1)),
        ("nosuch.shop.example.net", T::A, (NO_NAME, 0)),
        ("_pg._tcp.db.shop.example.net", T::SRV, (FOUND, 2)),
        ("example.net", T::NS, (FOUND, 1)),
        ("8.113.0.203.in-addr.arpa", T::PTR, (FOUND, 1)),
        // k8s_external, then hosts
        ("alias.shop.example.net", T::A, (FOUND, 2)),
        // k8s_gateway
        ("www.outside.test", T::A, (FOUND, 2)),
        ("www.outside.test", T::AAAA, (FOUND, 0)),
        ("any.apps.outside.test", T::A, (FOUND, 1)),
        ("a.b.nosuch.outside.test", T::A, (NO_NAME, 0)),
        ("outside.test", T::NS, (FOUND, 1)),
        // k8s_gateway, then hosts
        ("alias.outside.test", T::A, (FOUND, 2)),
        // file
        ("www.example.org", T::A, (FOUND, 2)),
        ("docs.example.org", T::A, (FOUND, 3)),
        ("any.pages.example.org", T::A, (FOUND, 1)),
        ("any.pages.example.org", T::MX, (FOUND, 0)),
        ("www.example.org", T::MX, (FOUND, 0)),
        ("gone.example.org", T::A, (NO_NAME, 0)),
        ("www.child.example.org", T::A, (FOUND, 0)),
        // file, then kubernetes
        ("nginx.company.com", T::A, (FOUND, 3)),
        ("nginx.company.com", T::MX, (FOUND, 1)),
        // cache
        ("www.upstream.test", T::A, (FOUND, 1)),
        ("nobody.upstream.test", T::A, (NO_NAME, 0)),
        // rewrite: to hosts and file, and around the reply of the cache
        ("old.hosts.test", T::A, (FOUND, 1)),
        ("web.shop.test", T::A, (FOUND, 1)),
        ("beta.example.org", T::A, (FOUND, 2)),
        ("web-eu.hosts.test", T::A, (FOUND, 1)),
        ("ns.example.org", T::HINFO, (FOUND, 1)),
        ("nobody.example.org", T::A, (FOUND, 0)),
        ("old.upstream.test", T::A, (FOUND, 1)),
    ];
    let mut bench = Bench::with_blocks(RULES, OUTSIDE);
    for &case in cases {
        assert_eq!(allocations(&mut bench, case), 0, "{case:?}");
    }
    assert_eq!(counted(&bench), cases.len() * ASKED);
}

/// Whatever an element or a short-cut leads to is in memory.
#[test]
fn searches() {
    use RecordType as T;
    let autopath: &[Case] = &[
        ("my-nginx.default.svc.cluster.local", T::A, (FOUND, 2)),
        // hosts
        ("web.default.svc.cluster.local", T::A, (FOUND, 2)),
        ("web.default.svc.cluster.local", T::AAAA, (FOUND, 0)),
        // cache
        ("www.upstream.test.default.svc.cluster.local", T::A, (FOUND, 2)),
        // nothing, everywhere
        ("nobody.default.svc.cluster.local", T::A, (NO_NAME, 0)),
    ];
    let shortcut: &[Case] = &[
        ("web.hosts.test.default.svc.cluster.local", T::A, (FOUND, 2)),
        ("web.hosts.test.default.svc.cluster.local", T::AAAA, (FOUND, 1)),
        ("www.upstream.test.default.svc.cluster.local", T::A, (FOUND, 2)),
        ("nobody.upstream.test.default.svc.cluster.local", T::A, (NO_NAME, 0)),
        ("typo.default.svc.cluster.local", T::A, (NO_NAME, 0)),
    ];
    let resolv_conf = "autopath BENCH/resolv.conf";
    for (lines, cases) in [(resolv_conf, autopath), ("kubernetes:\nsearch_shortcut", shortcut)] {
        let mut bench = Bench::new(lines);
        for &case in cases {
            assert_eq!(allocations(&mut bench, case), 0, "{case:?}");
        }
    }
}

/// The questions that `prometheus` has counted.
fn counted(bench: &Bench) -> usize {
    let text = bench.process.metrics.text();
    let samples = text.lines().filter(|line| line.starts_with("coredns_dns_requests_total{"));
    samples.map(|line| line.rsplit_once(' ').unwrap().1.parse::<usize>().unwrap()).sum()
}

#[test]
fn lines_of_the_log() {
    let cases = [
        ("web.hosts.test", RecordType::A, (FOUND, 1)),
        ("www.example.com.default.svc.cluster.local", RecordType::A, (NO_NAME, 0)),
        ("www.upstream.test", RecordType::A, (FOUND, 1)),
    ];
    let mut bench = Bench::new("log");
    for case in cases {
        assert_eq!(allocations(&mut bench, case), 0, "{case:?}");
    }
    assert_eq!(bench.process.lines.take().lines().count(), cases.len() * ASKED);
}

/// What `regex` finds for groups it writes only into a list that it allocates: one for each time that
/// an expression makes a name, which is on the way down, again on the way up, and for each name in the
/// answer. A list to be used again would have to be shared by all workers.
#[test]
fn a_list_for_each_name_that_groups_make() {
    let cases = [
        // No group is asked for.
        (0, ("x.fixed.test", RecordType::A, (FOUND, 1))),
        (2, ("hosts-web.test", RecordType::A, (FOUND, 1))),
        // With `answer name`.
        (3, ("web.alias.test", RecordType::A, (FOUND, 1))),
    ];
    let mut bench = Bench::new(RULES);
    for (lists, case) in cases {
        assert_eq!(allocations(&mut bench, case), lists * COUNTED, "{case:?}");
    }
}
