//! What the Corefile that Kubernetes ships has gained over the years.

use super::Release;
use crate::ServerBlock;

/// A line of today's Corefile that an older one lacks.
struct Default {
    directive: &'static str,
    /// The property in its block, if it is about one.
    property: Option<&'static str>,
    since: Release,
    /// The first release of Kubernetes with it.
    kubernetes: &'static str,
    write: &'static str,
}

const fn line(
    directive: &'static str,
    property: Option<&'static str>,
    since: Release,
    kubernetes: &'static str,
    write: &'static str,
) -> Default {
    Default { directive, property, since, kubernetes, write }
}

/// In the order of the releases.
const DEFAULTS: &[Default] = &[
    line("loop", None, Release::new(1, 2, 2), "1.12", "loop"),
    line("loadbalance", None, Release::new(1, 2, 2), "1.12", "loadbalance"),
    line("kubernetes", Some("ttl"), Release::new(1, 3, 1), "1.14", "ttl 30"),
    line("ready", None, Release::new(1, 6, 2), "1.16", "ready"),
    line("health", Some("lameduck"), Release::new(1, 6, 5), "1.17", "lameduck 5s"),
    line("forward", Some("max_concurrent"), Release::new(1, 7, 0), "1.19", "max_concurrent 1000"),
];

/// What server blocks with `kubernetes` lack of the lines that Kubernetes ships, as far as `to`, one
/// sentence each. Nothing of it has to be there, and a migration does not add it.
pub(crate) fn missing(blocks: &[ServerBlock], to: Option<Release>) -> Vec<String> {
    let mut missing = Vec::new();
    for block in blocks.iter().filter(|block| block.block("kubernetes").is_some()) {
        let key = block.keys.first().map_or("", |key| key.word.text.as_str());
        let is_there = |default: &&Default| match (block.block(default.directive), default.property)
        {
            (Some(directives), Some(property)) => directives.property(property).is_some(),
            // Without the directive there is nothing to put the property into.
            (None, Some(_)) => true,
            (directives, None) => directives.is_some(),
        };
        let due = DEFAULTS.iter().filter(|default| to.is_none_or(|to| default.since <= to));
        missing.extend(due.filter(|default| !is_there(default)).map(|default| {
            let Default { directive, property, since, kubernetes, write } = default;
            let place = match property {
                Some(_) => format!("the block of `{directive}`"),
                None => format!("the block of `{key}`"),
            };
            format!("Kubernetes {kubernetes} (CoreDNS {since}) and later have `{write}` in {place}")
        }));
    }
    missing
}
