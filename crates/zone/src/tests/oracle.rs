//! A second look-up, slow and as the RFCs put it, against the one that is used.
//!
//! It knows a zone as a list of records and searches all of it at each step: RFC 1034 §4.3.2 with
//! the closest encloser of RFC 4592 §3.3.1 and the redirection of RFC 6672 §3.2.

use super::{ask, name, zone};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Labels from the apex down; the apex has none.
type Path = Vec<&'static str>;

/// What a name owns. One of these a name, so that nothing is left out when the zone is loaded.
#[derive(Clone, Debug)]
enum Data {
    Address,
    Text,
    Alias(Target),
    Redirection(Target),
    Delegation { secure: bool },
}

#[derive(Clone, Debug)]
enum Target {
    Inside(Path),
    Outside,
}

impl Target {
    fn text(&self) -> String {
        match self {
            Self::Inside(path) => text(path),
            Self::Outside => "out.other.".to_owned(),
        }
    }
}

struct Records(Vec<(Path, Data)>);

/// The answer as the real one is shown, apart from the additional section.
#[derive(Default)]
struct Slow {
    lines: Vec<String>,
    wildcard: Option<Path>,
}

enum End {
    Found(&'static str),
    Follow(Target),
}

fn text(path: &[&str]) -> String {
    path.iter().rev().map(|label| format!("{label}.")).collect::<String>() + "q.test."
}

impl Records {
    fn owns(&self, path: &[&str], wanted: fn(&Data) -> bool) -> Option<&Data> {
        self.0.iter().find(|(owner, data)| owner == path && wanted(data)).map(|(_, data)| data)
    }

    /// RFC 4592 §2.2.2: a name exists if it or a name below it owns records.
    fn exists(&self, path: &[&str]) -> bool {
        path.is_empty() || self.0.iter().any(|(owner, _)| owner.starts_with(path))
    }

    fn answer(&self, asked: &Path, rtype: &str) -> String {
        let mut slow = Slow::default();
        let mut name = Target::Inside(asked.clone());
        let (mut followed, mut cut) = (BTreeSet::new(), "");
        let found = loop {
            let Target::Inside(path) = &name else { break "Elsewhere" };
            let is_first = followed.is_empty();
            if followed.len() == 10 {
                cut = " cut";
            }
            if !cut.is_empty() || !followed.insert(path.clone()) {
                slow.servers();
                break "Answer";
            }
            match self.step(&mut slow, path, rtype) {
                End::Follow(target) => name = target,
                End::Found(found) if is_first => break found,
                End::Found("NoSuchName NXDOMAIN") => break "Answer NXDOMAIN",
                End::Found("Elsewhere") => break "Elsewhere",
                End::Found(_) => break "Answer",
            }
        };
        let by = slow.wildcard.map(|path| format!(" by {}", text(&path))).unwrap_or_default();
        [vec![format!("{found}{by}{cut}")], slow.lines].concat().join("\n")
    }

    fn step(&self, slow: &mut Slow, path: &Path, rtype: &str) -> End {
        // "Start matching down, label by label, in the zone."
        for depth in 0..=path.len() {
            let (node, is_name) = (&path[..depth], depth == path.len());
            let redirection = self.owns(node, |data| matches!(data, Data::Redirection(_)));
            if let (Some(Data::Redirection(target)), false) = (redirection, is_name) {
                return slow.redirect(node, target, path, rtype);
            }
            let cut = self.owns(node, |data| matches!(data, Data::Delegation { .. }));
            if cut.is_some() && !(is_name && rtype == "DS") {
                slow.lines.push(format!("auth {} 300 NS ns.other.", text(node)));
                return End::Found("Referral");
            }
        }
        if self.exists(path) {
            return self.records(slow, path, path, rtype);
        }
        // The closest encloser is the longest ancestor that exists.
        let depth = (0..path.len()).rev().find(|depth| self.exists(&path[..*depth])).unwrap();
        let wildcard = [&path[..depth], &["*"]].concat();
        if !self.exists(&wildcard) {
            slow.start();
            return End::Found("NoSuchName NXDOMAIN");
        }
        slow.wildcard = Some(wildcard.clone());
        match self.records(slow, &wildcard, path, rtype) {
            End::Found("Empty") => End::Found("NoData"),
            end => end,
        }
    }

    /// The records of `node`, given to `owner`.
    fn records(&self, slow: &mut Slow, node: &[&str], owner: &[&str], rtype: &str) -> End {
        let owner = text(owner);
        for (path, data) in &self.0 {
            let data = match data {
                _ if path != node => continue,
                Data::Address => ("A", "192.0.2.1".to_owned()),
                Data::Text => ("TXT", "\"x\"".to_owned()),
                Data::Alias(target) => ("CNAME", target.text()),
                Data::Redirection(target) => ("DNAME", target.text()),
                Data::Delegation { secure: true } => ("DS", "1 8 2 AA".to_owned()),
                Data::Delegation { secure: false } => continue,
            };
            if data.0 == rtype {
                let line = format!("{owner} 300 {} {}", data.0, data.1);
                if !slow.lines.contains(&line) {
                    slow.lines.push(line);
                }
                slow.servers();
                return End::Found("Answer");
            }
        }
        if let Some(Data::Alias(target)) = self.owns(node, |data| matches!(data, Data::Alias(_))) {
            slow.lines.push(format!("{owner} 300 CNAME {}", target.text()));
            return End::Follow(target.clone());
        }
        slow.start();
        let is_empty = !self.0.iter().any(|(path, _)| path == node);
        End::Found(if is_empty { "Empty" } else { "NoData" })
    }
}

impl Slow {
    fn redirect(&mut self, node: &[&str], target: &Target, path: &Path, rtype: &str) -> End {
        let dname = format!("{} 300 DNAME {}", text(node), target.text());
        if !self.lines.contains(&dname) {
            self.lines.push(dname);
        }
        let labels = &path[node.len()..];
        let new = match target {
            Target::Inside(target) => Target::Inside([target, labels].concat()),
            Target::Outside => Target::Outside,
        };
        let below: String = labels.iter().rev().map(|label| format!("{label}.")).collect();
        self.lines.push(format!("{} 300 CNAME {below}{}", text(path), target.text()));
        if rtype == "CNAME" {
            self.servers();
            return End::Found("Answer");
        }
        End::Follow(new)
    }

    fn servers(&mut self) {
        self.lines.push("auth q.test. 300 NS ns.other.".to_owned());
    }

    fn start(&mut self) {
        self.lines.push("auth q.test. 300 SOA ns.other. a.other. 1 2 3 4 5".to_owned());
    }
}

fn any_path(labels: std::ops::Range<usize>) -> impl Strategy<Value = Path> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "*"]), labels)
}

fn any_data() -> impl Strategy<Value = Data> {
    let target = prop_oneof![
        8 => any_path(1..5).prop_map(Target::Inside),
        1 => Just(Target::Outside),
        1 => Just(Target::Inside(Vec::new())),
    ];
    prop_oneof![
        4 => Just(Data::Address),
        4 => Just(Data::Text),
        4 => target.clone().prop_map(Data::Alias),
        1 => target.prop_map(Data::Redirection),
        1 => any::<bool>().prop_map(|secure| Data::Delegation { secure }),
    ]
}

fn line(owner: &[&str], data: &Data) -> String {
    let owner = text(owner);
    match data {
        Data::Address => format!("{owner} A 192.0.2.1\n"),
        Data::Text => format!("{owner} TXT x\n"),
        Data::Alias(target) => format!("{owner} CNAME {}\n", target.text()),
        Data::Redirection(target) => format!("{owner} DNAME {}\n", target.text()),
        Data::Delegation { secure: false } => format!("{owner} NS ns.other.\n"),
        Data::Delegation { secure: true } => {
            format!("{owner} NS ns.other.\n{owner} DS 1 8 2 AA\n")
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn both_give_the_same_answer(
        owners in prop::collection::btree_map(any_path(1..5), any_data(), 0..12),
        asked in prop::collection::vec(any_path(0..6), 1..8),
    ) {
        let leads_home = |owner: &Path, data: &Data| {
            matches!(data, Data::Redirection(Target::Inside(path)) if path == owner)
        };
        let records: Vec<(Path, Data)> =
            owners.into_iter().filter(|(owner, data)| !leads_home(owner, data)).collect();
        let lines: String = records.iter().map(|(owner, data)| line(owner, data)).collect();
        let text_of_zone =
            format!("$TTL 300\n@ SOA ns.other. a.other. 1 2 3 4 5\n@ NS ns.other.\n{lines}");
        let fast = zone(&text_of_zone);
        // The names that own something, besides random ones.
        let asked: Vec<Path> =
            records.iter().map(|(owner, _)| owner.clone()).chain(asked).collect();
        let slow = Records(records);
        for path in asked {
            for rtype in ["A", "TXT", "CNAME", "DNAME", "DS", "MX"] {
                let question = format!("{} {rtype}", name(&text(&path)));
                prop_assert_eq!(
                    ask(&fast, &question),
                    slow.answer(&path, rtype),
                    "{}\n{}", question, text_of_zone
                );
            }
        }
    }
}
