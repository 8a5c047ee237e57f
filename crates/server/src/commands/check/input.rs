//! What is to be checked: Corefiles of this machine, or ConfigMaps in YAML.

use super::kubernetes::{self, Mounted};
use crate::settings::source::Source;
use std::io;
use std::path::Path;

/// One configuration to be checked.
pub(super) enum Input {
    /// A Corefile of this machine, or of standard input.
    Corefile(Source),
    /// A Corefile in a ConfigMap.
    Mounted(Box<Mounted>),
}

impl Input {
    /// Every configuration that a word of the command line means; never none.
    pub(super) fn read(word: &str) -> io::Result<Vec<Self>> {
        if word == "-" {
            return Self::of(Source::stdin()?);
        }
        if !Path::new(word).is_dir() {
            return Self::of(Source::file(word));
        }
        let mut inputs = Vec::new();
        for path in corefiles(word)? {
            inputs.extend(Self::of(Source::file(path))?);
        }
        if inputs.is_empty() {
            return Err(io::Error::other(format!("there is no `Corefile` in {word}")));
        }
        Ok(inputs)
    }

    /// The configurations that a file holds.
    fn of(source: Source) -> io::Result<Vec<Self>> {
        let name = source.name();
        let octets = source
            .read()
            .map_err(|error| io::Error::other(format!("cannot read {name}: {error}")))?;
        let Some(text) = std::str::from_utf8(&octets).ok().filter(|text| is_manifest(text)) else {
            return Ok(vec![Self::Corefile(source)]);
        };
        let mounted = kubernetes::read(name, text)
            .map_err(|error| io::Error::other(format!("{name}: {error}")))?;
        Ok(mounted.into_iter().map(|mounted| Self::Mounted(Box::new(mounted))).collect())
    }
}

/// `Corefile` in a directory, or else everything whose name begins so, in order.
fn corefiles(directory: &str) -> io::Result<Vec<String>> {
    let path = |name: &str| format!("{}/{name}", directory.trim_end_matches('/'));
    if Path::new(&path("Corefile")).is_file() {
        return Ok(vec![path("Corefile")]);
    }
    let entries = std::fs::read_dir(directory)?.flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let named = names.filter(|name| name.starts_with("Corefile") && !name.ends_with('~'));
    let mut paths: Vec<_> = named.map(|name| path(&name)).collect();
    paths.retain(|path| Path::new(path).is_file());
    paths.sort_unstable();
    Ok(paths)
}

/// Whether a text is an object of Kubernetes, or several of them: what no Corefile looks like.
fn is_manifest(text: &str) -> bool {
    let begins = |word: &str| text.lines().any(|line| line.starts_with(word));
    let is_json = text.trim_start().starts_with('{') && text.contains("\"apiVersion\"");
    is_json || (begins("apiVersion:") && begins("kind:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_told_from_a_corefile() {
        assert!(is_manifest("# made by helm\n---\napiVersion: v1\nkind: ConfigMap\n"));
        assert!(is_manifest("{\n \"apiVersion\": \"v1\"\n}"));
        assert!(!is_manifest(". {\n    whoami\n}\n"));
        assert!(!is_manifest("kind: {\n    whoami\n}\n"));
    }
}
