//! Corefiles as people have them: all of them load; and broken in every way, the mistake is found
//! where it was made.
//!
//! `corpus/` has Corefiles of Kubernetes' installers, one for each plugin with everything that its
//! README allows, and some that use every corner of the grammar. `corpus/old/` has those of the
//! CoreDNS of 2018, `corpus/lacking/` those with plugins that this server does not have.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod mutants;
mod rewritten;

use chain::{Clock, Moment};
use corefile::{Code, Parsed, Severity, Unreadable, check_directives, modernise, parse};
use plugins::assemble::{Outcome, Surroundings, assemble};
use plugins::env::Process;
use plugins::files::Files;
use plugins::kept::Kept;
use plugins::lines::Lines;
use plugins::metrics::Registry;
use plugins::order::ORDER;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The plugins of CoreDNS that this server does not have. One that it gets is to be deleted here,
/// and its Corefile moved out of `corpus/lacking/`.
const LACKING: &[&str] = &[
    "azure",
    "bufsize",
    "cancel",
    "clouddns",
    "dns64",
    "dnssec",
    "dnstap",
    "erratic",
    "etcd",
    "geoip",
    "grpc",
    "grpc_server",
    "header",
    "https",
    "https3",
    "multisocket",
    "nomad",
    "on",
    "pprof",
    "proxyproto",
    "quic",
    "route53",
    "secondary",
    "shed",
    "sign",
    "template",
    "timeouts",
    "tls",
    "trace",
    "tsig",
    "view",
];

/// Corefiles of 2018 whose words of today this server does not have yet: upstream servers over TLS.
const LACKING_2018: &[&str] = &["google-2018"];

/// A Corefile of the corpus.
pub(crate) struct Example {
    pub(crate) name: String,
    /// Where it lies, which relative imports begin at.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The Corefiles in a folder of the corpus, by name.
pub(crate) fn examples(folder: &str) -> Vec<Example> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corefiles").join(folder);
    let paths = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let is_corefile = |path: &PathBuf| path.extension().is_some_and(|it| it == "corefile");
    let mut examples: Vec<_> = paths
        .filter(is_corefile)
        .map(|path| Example {
            name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
            text: std::fs::read_to_string(&path).unwrap(),
            path: path.to_str().unwrap().to_owned(),
        })
        .collect();
    assert!(!examples.is_empty(), "{}", folder.display());
    examples.sort_by(|a, b| a.name.cmp(&b.name));
    examples
}

/// The files of the corpus, and the variables that its Corefiles name.
pub(crate) struct World;

impl corefile::Surroundings for World {
    fn read(&self, path: &str) -> Result<Vec<u8>, Unreadable> {
        std::fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::IsADirectory => Unreadable::Directory,
            _ => Unreadable::Missing,
        })
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    fn variable(&self, name: &str) -> Option<String> {
        let value = match name {
            "TTL" => "30",
            "PORT" => "1053",
            "ZONE" => "corp.example",
            "NAME" => "www",
            "UPSTREAM" => "10.0.0.1",
            _ => return None,
        };
        Some(value.to_owned())
    }
}

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Moment {
        Moment(0)
    }

    fn unix_seconds(&self) -> u64 {
        1_800_000_000
    }
}

/// Reads and builds a Corefile as a start does; what is wrong with it is among its mistakes.
pub(crate) fn check(path: &str, text: &[u8]) -> Parsed {
    static PROCESS: LazyLock<Process> = LazyLock::new(|| Process {
        clock: Arc::new(Stopped),
        metrics: Arc::new(Registry::new(1)),
        lines: Lines::new(),
        version: plugins::VERSION,
        panics: Arc::default(),
        fatal: Arc::default(),
        state_dir: None,
        serves: false,
        rehearsal: None,
        state_interval: Duration::from_secs(60),
    });
    let mut parsed = parse(path, text, &World);
    let legacy = modernise(&mut parsed.blocks);
    let previous = Kept::default();
    let files = Files::disk(false);
    let surroundings =
        Surroundings { process: &PROCESS, port: 53, previous: &previous, files: &files };
    let Outcome { mistakes, .. } = assemble(&parsed.blocks, &parsed.sources, &surroundings);
    parsed.mistakes.append(mistakes);
    parsed.mistakes.append(legacy);
    parsed
}

#[test]
fn every_corefile_loads() {
    let mut used = BTreeSet::new();
    for Example { name, path, text } in examples("corpus") {
        let parsed = check(&path, text.as_bytes());
        let shown = parsed.mistakes.render(&parsed.sources, false);
        assert!(!parsed.mistakes.has_errors(), "{name}:\n{shown}");
        used.extend(parsed.blocks.iter().flat_map(|block| block.names()).map(str::to_owned));
    }
    let unused: Vec<_> = ORDER.iter().map(|it| it.name).filter(|&it| !used.contains(it)).collect();
    assert!(unused.is_empty(), "no Corefile has {unused:?}");
}

#[test]
fn every_corefile_of_2018_loads_and_says_what_to_write_today() {
    for Example { name, path, text } in examples("corpus/old") {
        let parsed = check(&path, text.as_bytes());
        let shown = parsed.mistakes.render(&parsed.sources, false);
        let others = parsed.mistakes.iter().filter(|mistake| mistake.code != Code::Legacy).count();
        let is_lacking = LACKING_2018.contains(&name.as_str());
        assert_eq!(others > 0, is_lacking, "{name}:\n{shown}");
    }
}

#[test]
fn every_plugin_that_is_lacking_is_called_so_and_only_that() {
    let known: Vec<_> = ORDER.iter().map(|entry| entry.name).collect();
    let mut lacking = BTreeSet::new();
    for Example { name, path, text } in examples("corpus/lacking") {
        let parsed = parse(&path, text.as_bytes(), &World);
        assert!(parsed.mistakes.is_empty(), "{name}");
        let mistakes = check_directives(&parsed.blocks, &known);
        for mistake in &mistakes {
            assert_eq!(mistake.code, Code::UnsupportedDirective, "{}", mistake.message);
            assert_eq!(mistake.severity, Severity::Error);
            lacking.insert(parsed.sources.text(mistake.at).to_owned());
        }
        let directives: usize = parsed.blocks.iter().map(|block| block.directives.len()).sum();
        assert_eq!(mistakes.iter().count(), directives, "{name} has a plugin that is there by now");
    }
    assert_eq!(lacking, LACKING.iter().map(|&name| name.to_owned()).collect());
}
