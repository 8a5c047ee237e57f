//! How long a zone of many names takes to load, what it weighs and how fast it answers.
//!
//! `cargo run --release -p zone --example load -- 1000000`
#![expect(clippy::disallowed_methods, reason = "a measurement has no clock but the real one")]
#![expect(clippy::print_stdout, reason = "a program that prints what it measured")]

use std::fmt::Write as _;
use std::time::Instant;
use wire::{NameBuf, Question, RecordType, Reply};
use zone::{Loaded, Source, load};

fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let text = zone_text(count);
    let Ok(apex) = "example.com".parse::<NameBuf>() else { return };
    let source = Source { file: "load", text: text.as_bytes(), origin: apex.as_name(), ttl: None };
    let begin = Instant::now();
    let loaded = load(apex.as_name(), source, &mut |_| Err("nothing to include".to_owned()));
    let took = begin.elapsed();
    let Loaded { zone, warnings } = match loaded {
        Ok(loaded) => loaded,
        Err(mistakes) => return println!("{mistakes}"),
    };
    println!("{zone:?}, {} names, {} warnings", zone.name_count(), warnings.iter().count());
    println!("loaded in {took:.1?}: {} MB of text", text.len() / 1_000_000);
    let data: usize = zone.rrsets().flat_map(|set| set.records()).map(<[u8]>::len).sum();
    let over = (zone.memory() - data) / zone.name_count();
    println!("memory {} MB, {over} octets a name over its data", zone.memory() / 1_000_000);
    for (what, missing) in [("names that exist", ""), ("names that do not", "x")] {
        let questions = questions(count, missing);
        let mut reply = Reply::default();
        let begin = Instant::now();
        for question in &questions {
            reply.clear();
            zone.answer(question, false, &mut reply);
        }
        let each = begin.elapsed().as_nanos() / questions.len() as u128;
        println!("{each} ns an answer for {what}");
    }
}

/// A SOA and two NS records, and so many addresses, out of order.
fn zone_text(count: u64) -> String {
    let mut text =
        "$TTL 300\n@ SOA ns1 admin 1 7200 3600 1209600 60\n@ NS ns1\n@ NS ns2\n".to_owned();
    for number in (0..count).map(|number| scattered(number, count)) {
        let [_, a, b, c] = (number as u32).to_be_bytes();
        // Writing to a string does not fail.
        let _ = writeln!(text, "host-{number} IN A 10.{a}.{b}.{c}");
    }
    text
}

fn questions(count: u64, missing: &str) -> Vec<Question> {
    let numbers = (0..count.min(200_000)).map(|number| scattered(number * 7, count));
    numbers
        .filter_map(|number| format!("host-{number}{missing}.example.com").parse().ok())
        .map(|name: NameBuf| Question::new(name.as_name(), RecordType::A))
        .collect()
}

/// Takes every number below `count` once, in no order: the factor is a large prime.
fn scattered(number: u64, count: u64) -> u64 {
    number * 2_654_435_761 % count
}
