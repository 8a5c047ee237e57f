//! A cluster out of YAML, and answers as text.

use cluster::manifests::{File, Manifests};
use cluster::{Cluster, Event, Found, Kinds, Model, Options, View};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use wire::{Name, NameBuf, Question, RecordType, Reply, Section};

/// Every kind.
pub(crate) fn all_kinds() -> Kinds {
    Kinds::all()
}

/// The events of a manifest; panics on any mistake.
pub(crate) fn events(yaml: &str) -> Vec<Event> {
    let mut manifests = Manifests::default();
    let mistakes = manifests.read(&[File { path: "cluster.yaml", text: Some(yaml) }]);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    manifests.events()
}

/// A synced cluster that holds the manifest.
pub(crate) fn cluster(yaml: &str) -> Arc<Cluster> {
    let mut model = Model::new(all_kinds());
    model.apply(events(yaml), 1_700_000_000);
    model.cluster().clone()
}

/// Options for `cluster.local` and the reverse zones, as kubeadm configures them.
pub(crate) fn options() -> Options {
    let zones = ["cluster.local", "in-addr.arpa", "ip6.arpa"];
    Options::new(zones.iter().map(|zone| zone.parse().unwrap()).collect())
}

/// A view with these options.
pub(crate) fn view(options: Options) -> View {
    View::new(options).unwrap()
}

/// Asks `NAME TYPE`; gives what was found and the records as sorted lines, those of the
/// additional section behind a `+`.
pub(crate) fn ask(cluster: &Cluster, view: &View, question: &str) -> (Found, Vec<String>) {
    let (name, rtype) = question.split_once(' ').unwrap();
    let name: NameBuf = name.parse().unwrap();
    let question = Question::new(name.as_name(), rtype.trim().parse().unwrap());
    let mut reply = Reply::default();
    let found = cluster.answer(view, &question, &mut reply);
    let positive = matches!(found, Found::Answer | Found::Elsewhere);
    assert_eq!(positive, !reply.body.answer.is_empty(), "{question}: {found:?}");
    if !positive {
        assert!(reply.body.is_empty(), "{question}: a denial with records");
    }
    (found, lines(&reply))
}

/// The records of a reply as lines; each section sorted.
pub(crate) fn lines(reply: &Reply) -> Vec<String> {
    let mut lines = Vec::new();
    for (section, mark) in
        [(Section::Answer, ""), (Section::Authority, "! "), (Section::Additional, "+ ")]
    {
        let records = reply.body.section(section).iter();
        let mut texts: Vec<_> = records
            .map(|record| {
                let data = data(record.rtype, reply.body.rdata(record));
                let owner = reply.body.owner(record);
                format!("{mark}{owner} {} {} {data}", record.ttl, record.rtype)
            })
            .collect();
        texts.sort();
        lines.extend(texts);
    }
    lines
}

fn data(rtype: RecordType, rdata: &[u8]) -> String {
    let word = |at: usize| u16::from_be_bytes([rdata[at], rdata[at + 1]]);
    match rtype {
        RecordType::A => Ipv4Addr::from(<[u8; 4]>::try_from(rdata).unwrap()).to_string(),
        RecordType::AAAA => Ipv6Addr::from(<[u8; 16]>::try_from(rdata).unwrap()).to_string(),
        RecordType::CNAME | RecordType::NS | RecordType::PTR => {
            Name::from_octets(rdata).unwrap().to_string()
        }
        RecordType::SRV => {
            format!(
                "{} {} {} {}",
                word(0),
                word(2),
                word(4),
                Name::from_octets(&rdata[6..]).unwrap()
            )
        }
        RecordType::TXT => format!("{:?}", std::str::from_utf8(&rdata[1..]).unwrap()),
        RecordType::SOA => {
            let mname = Name::prefix_of(rdata).unwrap();
            let rname = Name::prefix_of(&rdata[mname.len()..]).unwrap();
            let numbers = rdata[mname.len() + rname.len()..].chunks_exact(4);
            let numbers = numbers.map(|it| u32::from_be_bytes(it.try_into().unwrap()).to_string());
            format!("{mname} {rname} {}", numbers.collect::<Vec<_>>().join(" "))
        }
        other => panic!("{other} in an answer"),
    }
}

/// Checks a table: a question a line, what is expected behind `=`: `NODATA`, `NXDOMAIN`,
/// `SERVFAIL` or records, separated by `;`, in which `~` stands for the name asked for and its
/// TTL of 5.
pub(crate) fn check(cluster: &Cluster, view: &View, table: &str) {
    let mut failures = Vec::new();
    for row in table.lines().map(str::trim).filter(|row| !row.is_empty() && !row.starts_with('#')) {
        let (question, expected) = row.split_once('=').unwrap();
        let (found, lines) = ask(cluster, view, question.trim());
        let got = match found {
            Found::NoData => vec!["NODATA".to_owned()],
            Found::NoSuchName => vec!["NXDOMAIN".to_owned()],
            Found::NotSynced => vec!["SERVFAIL".to_owned()],
            Found::Refused => vec!["REFUSED".to_owned()],
            Found::NotHere => vec!["NOTHERE".to_owned()],
            Found::Answer | Found::Elsewhere => lines,
        };
        let owner = format!("{} 5", question.split_once(' ').unwrap().0.to_lowercase() + ".");
        let mut expected: Vec<_> =
            expected.split(';').map(|text| text.trim().replace('~', &owner)).collect();
        let (mut answers, mut additional): (Vec<_>, Vec<_>) =
            expected.drain(..).partition(|text| !text.starts_with('+'));
        answers.sort();
        additional.sort();
        answers.extend(additional);
        if got != answers {
            failures.push(format!("{question}\n  expected {answers:#?}\n  got {got:#?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
