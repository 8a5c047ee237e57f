//! Whole Corefiles: what they say, what is wrong with them, and what people get to see.

mod any;
mod golden;
mod legacy;
mod observed;
mod reading;

use corefile::{
    Line, Mistakes, Parsed, ServerBlock, Surroundings, Unreadable, check_directives, parse,
};
use std::collections::BTreeMap;

/// The plugins of these tests: what Corefiles of clusters have.
const KNOWN: &[&str] = &[
    "auto",
    "bind",
    "cache",
    "chaos",
    "errors",
    "etcd",
    "file",
    "forward",
    "grpc",
    "header",
    "health",
    "hosts",
    "kubernetes",
    "loadbalance",
    "log",
    "loop",
    "on",
    "prometheus",
    "ready",
    "reload",
    "rewrite",
    "secondary",
    "template",
    "transfer",
    "whoami",
];

/// Files and variables in memory. Whatever ends with a slash is a directory.
#[derive(Default)]
struct World {
    files: BTreeMap<&'static str, Vec<u8>>,
    variables: BTreeMap<&'static str, &'static str>,
}

impl World {
    fn with(files: &[(&'static str, &str)], variables: &[(&'static str, &'static str)]) -> Self {
        let files = files.iter().map(|&(path, text)| (path, text.as_bytes().to_vec()));
        Self { files: files.collect(), variables: variables.iter().copied().collect() }
    }
}

impl Surroundings for World {
    fn read(&self, path: &str) -> Result<Vec<u8>, Unreadable> {
        if let Some(octets) = self.files.get(path) {
            return Ok(octets.clone());
        }
        let inside = format!("{path}/");
        if self.files.keys().any(|file| file.starts_with(&inside)) {
            return Err(Unreadable::Directory);
        }
        Err(Unreadable::Missing)
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let inside = format!("{}/", directory.trim_end_matches('/'));
        let names =
            self.files.keys().filter_map(|file| file.strip_prefix(&inside)?.split('/').next());
        let mut names: Vec<_> = names.map(str::to_owned).collect();
        names.dedup();
        names
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|&value| value.to_owned())
    }
}

/// Reads a Corefile and looks at the names of its directives too.
fn check(text: &[u8], world: &World) -> Parsed {
    let mut parsed = parse("/etc/coredns/Corefile", text, world);
    parsed.mistakes.append(check_directives(&parsed.blocks, KNOWN));
    parsed
}

fn codes(mistakes: &Mistakes) -> Vec<&'static str> {
    mistakes.iter().map(|mistake| mistake.code.slug()).collect()
}

/// One line for each server block: `a.test. .:53 | errors; cache 30 {success 100}`.
fn outline(blocks: &[ServerBlock]) -> String {
    let mut lines = Vec::new();
    for block in blocks {
        let keys: Vec<_> = block.keys.iter().map(|key| key.word.to_string()).collect();
        let directives: Vec<_> = block
            .directives
            .iter()
            .map(|directive| {
                let words = std::iter::once(&directive.name).chain(&directive.args);
                let words: Vec<_> = words.map(ToString::to_string).collect();
                words.join(" ") + &body(directive.body.as_deref())
            })
            .collect();
        lines.push(format!("{} | {}", keys.join(" "), directives.join("; ")));
    }
    lines.join("\n")
}

fn body(lines: Option<&[Line]>) -> String {
    let Some(lines) = lines else { return String::new() };
    let shown = lines.iter().map(|line| {
        let words: Vec<_> = line.words.iter().map(ToString::to_string).collect();
        words.join(" ") + &body(line.body.as_deref())
    });
    format!(" {{{}}}", shown.collect::<Vec<_>>().join("; "))
}
