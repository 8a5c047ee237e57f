//! Tests of whole zones: text in, answers out.

mod answers;
mod builder;
mod dnssec;
mod files;
mod oracle;

use crate::{Found, Included, Loaded, Mistakes, Outcome, Source, Zone, load};
use std::fmt::Write as _;
use wire::{Flags, NameBuf, Question, Rcode, Reply, Section};

fn name(text: &str) -> NameBuf {
    text.parse().unwrap()
}

/// Loads the zone `q.test` from a text that includes nothing.
fn try_load(text: &str) -> Result<Loaded, Mistakes> {
    let apex = name("q.test");
    let source = Source { file: "db", text: text.as_bytes(), origin: apex.as_name(), ttl: None };
    load(apex.as_name(), source, &mut |_| Err("no such file".to_owned()))
}

/// The zone of a text without mistakes.
fn zone(text: &str) -> Zone {
    let Loaded { zone, warnings } = try_load(text).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(warnings.is_empty(), "{warnings}");
    zone
}

/// The answer as text: what was found, code, wildcard and whether it was cut, then the sections.
fn ask(zone: &Zone, question: &str) -> String {
    let mut words = question.split(' ');
    let asked = name(words.next().unwrap());
    let rtype = words.next().unwrap().parse().unwrap();
    let dnssec_ok = words.next() == Some("do");
    let mut reply = Reply::default();
    let outcome = zone.answer(&Question::new(asked.as_name(), rtype), dnssec_ok, &mut reply);
    let mut text = summary(&outcome, &reply);
    for section in Section::ALL {
        for record in reply.body.section(section) {
            let mark = match section {
                Section::Answer => "",
                Section::Authority => "auth ",
                Section::Additional => "add ",
            };
            let line = reply.body.text(record).to_string().replace(" IN ", " ");
            write!(text, "\n{mark}{line}").unwrap();
        }
    }
    text
}

fn summary(outcome: &Outcome<'_>, reply: &Reply) -> String {
    let mut text = format!("{:?}", outcome.found);
    if reply.rcode != Rcode::NOERROR {
        write!(text, " {}", reply.rcode).unwrap();
    }
    let authoritative = outcome.found != Found::Referral
        && outcome.found != Found::NotHere
        && outcome.found != Found::Refused;
    assert_eq!(reply.flags.has(Flags::AA), authoritative);
    if let Some(wildcard) = outcome.wildcard {
        write!(text, " by {wildcard}").unwrap();
    }
    if outcome.cut {
        text.push_str(" cut");
    }
    text
}

/// Checks an answer against lines that may be indented.
#[track_caller]
fn check(zone: &Zone, question: &str, expected: &str) {
    let expected = expected.lines().map(str::trim).filter(|line| !line.is_empty());
    assert_eq!(ask(zone, question), expected.collect::<Vec<_>>().join("\n"), "{question}");
}

/// A finder that knows these files.
fn files<'f>(
    files: &'f [(&str, &str)],
) -> impl FnMut(crate::Include<'_>) -> Result<Included, String> + 'f {
    move |include| {
        let found = files.iter().find(|(file, _)| *file == include.path);
        let text = found.map(|(_, text)| text.as_bytes().to_vec());
        text.map(|text| Included { file: include.path.to_owned(), text })
            .ok_or_else(|| format!("not beside {}", include.from))
    }
}
