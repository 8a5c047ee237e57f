//! An answer from memory allocates nothing.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]
#![expect(clippy::disallowed_methods, reason = "a test has no clock but the real one")]

mod bench;

use bench::Bench;
use testkit::alloc::{Counting, count};
use wire::RecordType;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Asks until everything has found its size, then counts.
fn allocations(bench: &mut Bench, name: &str, rtype: RecordType) -> u64 {
    bench.prepare(name, rtype);
    for _ in 0..100 {
        bench.ask();
    }
    let (allocations, _) = count(|| {
        for _ in 0..1000 {
            bench.ask();
        }
    });
    allocations
}

#[test]
fn answers_and_denials_from_memory() {
    let mut bench = Bench::new();
    let questions = [
        ("web.hosts.test", RecordType::A),
        ("web.hosts.test", RecordType::MX),
        ("1.2.0.192.in-addr.arpa", RecordType::PTR),
        ("my-nginx.default.svc.cluster.local", RecordType::A),
        ("my-nginx.default.svc.cluster.local", RecordType::SRV),
        ("billing.default.svc.cluster.local", RecordType::AAAA),
        ("www.example.com.default.svc.cluster.local", RecordType::A),
        ("17.1.244.10.in-addr.arpa", RecordType::PTR),
    ];
    for (name, rtype) in questions {
        assert_eq!(allocations(&mut bench, name, rtype), 0, "{name} {rtype}");
    }
}
