//! Findings in the Static Analysis Results Interchange Format, version 2.1.0 (OASIS).

use super::report::{Report, in_full};
use corefile::{Sources, Span};
use serde_json::{Value, json};
use std::fmt::Write;

/// A log with one run.
pub(super) fn log(report: &Report) -> String {
    let rules: Vec<_> = lint::PAGES.iter().map(|(code, page)| rule(code, page)).collect();
    let index = |code: &str| lint::PAGES.iter().position(|(known, _)| *known == code);
    let results = report.findings().map(|(mistake, sources)| {
        let related = mistake.notes.iter().filter_map(|note| {
            let mut location = location(note.at?, sources);
            location["message"] = json!({ "text": note.text });
            Some(location)
        });
        json!({
            "ruleId": mistake.code.slug(),
            "ruleIndex": index(mistake.code.slug()),
            "level": mistake.severity.name(),
            "message": { "text": in_full(mistake) },
            "locations": [location(mistake.at, sources)],
            "relatedLocations": related.collect::<Vec<_>>(),
        })
    });
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "rutter", "version": plugins::VERSION, "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results.collect::<Vec<_>>(),
        }],
    });
    format!("{log:#}\n")
}

fn rule(code: &str, page: &str) -> Value {
    let text = page.lines().find(|line| !line.is_empty() && !line.starts_with('#'));
    json!({
        "id": code,
        "shortDescription": { "text": text.unwrap_or(code) },
        "help": { "text": page, "markdown": page },
    })
}

fn location(at: Span, sources: &Sources) -> Value {
    let position = sources.position(at);
    json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(sources.path(at)) },
            "region": {
                "startLine": position.line,
                "startColumn": position.column,
                "endColumn": position.column_end,
            },
        },
    })
}

/// A path as a reference (RFC 3986 §4.1): relative ones stay relative.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for octet in path.bytes() {
        let is_plain = octet.is_ascii_alphanumeric() || b"-._~/".contains(&octet);
        match is_plain {
            true => uri.push(char::from(octet)),
            false => _ = write!(uri, "%{octet:02X}"),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_path_is_a_reference() {
        assert_eq!(super::uri("my files/Corefile"), "my%20files/Corefile");
        assert_eq!(super::uri("kube-system/coredns:Corefile"), "kube-system/coredns%3ACorefile");
    }
}
