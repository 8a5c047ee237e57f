//! Answers a question again and again, for `cargo xtask instructions` to count what that takes.
//!
//! `hotpath` lists the cases. `hotpath CASE COUNT` answers one so often, from memory:
//! `valgrind --tool=callgrind target/release/hotpath hosts 10000` shows where the instructions go.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a measurement that fails may panic")]
#![expect(clippy::disallowed_methods, reason = "a measurement has no clock but the real one")]
#![expect(clippy::print_stdout, reason = "a command prints")]

#[path = "../../tests/bench/mod.rs"]
mod bench;

use bench::Bench;
use wire::{Rcode, RecordType};

/// What is asked for, with the response code and the number of records that answer.
struct Case {
    name: &'static str,
    asked: (&'static str, RecordType),
    outcome: (Rcode, usize),
}

/// A case of addresses.
const fn case(name: &'static str, asked: &'static str, rcode: Rcode, answers: usize) -> Case {
    Case { name, asked: (asked, RecordType::A), outcome: (rcode, answers) }
}

const CASES: &[Case] = &[
    case("hosts", "web.hosts.test", Rcode::NOERROR, 1),
    case("kubernetes", "my-nginx.default.svc.cluster.local", Rcode::NOERROR, 2),
    case("kubernetes-nxdomain", "www.example.com.default.svc.cluster.local", Rcode::NXDOMAIN, 0),
    case("file", "www.example.org", Rcode::NOERROR, 2),
    case("file-nxdomain", "gone.example.org", Rcode::NXDOMAIN, 0),
    case("file-cname-kubernetes", "nginx.company.com", Rcode::NOERROR, 3),
    case("cache", "www.upstream.test", Rcode::NOERROR, 1),
];

fn main() {
    let words: Vec<_> = std::env::args().skip(1).collect();
    match words.as_slice() {
        [] => CASES.iter().for_each(|case| println!("{}", case.name)),
        [name, count] => {
            let case = CASES.iter().find(|case| case.name == name);
            answer(case.expect("no such case"), count.parse().expect("COUNT is a number"));
        }
        _ => panic!("usage: hotpath [CASE COUNT]"),
    }
}

fn answer(case: &Case, count: usize) {
    let mut bench = Bench::new("");
    bench.prepare(case.asked.0, case.asked.1);
    for _ in 0..count {
        bench.ask();
    }
    assert_eq!(bench.outcome(), case.outcome, "{}", case.name);
}
