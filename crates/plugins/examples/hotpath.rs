//! Answers one question again and again, to count instructions:
//!
//! `valgrind --tool=callgrind target/release/examples/hotpath NAME TYPE COUNT`
#![expect(clippy::unwrap_used, reason = "a measurement that fails may panic")]
#![expect(clippy::disallowed_methods, reason = "a measurement has no clock but the real one")]

#[path = "../tests/bench/mod.rs"]
mod bench;

fn main() {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap();
    let rtype = words.next().unwrap().parse().unwrap();
    let count: usize = words.next().unwrap().parse().unwrap();
    let mut bench = bench::Bench::new();
    bench.prepare(&name, rtype);
    for _ in 0..count {
        bench.ask();
    }
}
