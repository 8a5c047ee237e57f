//! A whole configuration as lints look at it: who listens where, and for which names.

use crate::Scene;
use corefile::{Block, Directive, Scheme, ServerBlock, Word};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The server blocks, and what lints ask about them.
pub(crate) struct Whole<'a> {
    pub(crate) sites: Vec<Site<'a>>,
    pub(crate) scene: &'a Scene<'a>,
    /// The blocks that have a zone as key.
    keyed: HashMap<&'a str, Vec<usize>>,
}

/// A server block and where it listens.
pub(crate) struct Site<'a> {
    pub(crate) block: &'a ServerBlock,
    /// Its zones, each once.
    pub(crate) zones: Vec<&'a str>,
    /// Its ports, each once, in order.
    pub(crate) ports: Vec<u16>,
    /// The addresses of `bind`, as far as they are addresses; none without `bind`.
    pub(crate) bound: Option<Vec<IpAddr>>,
}

impl<'a> Whole<'a> {
    /// The blocks in their scene.
    pub(crate) fn new(blocks: &'a [ServerBlock], scene: &'a Scene<'a>) -> Self {
        let sites: Vec<_> = blocks.iter().map(|block| Site::new(block, scene.port)).collect();
        let mut keyed: HashMap<_, Vec<_>> = HashMap::new();
        for (index, site) in sites.iter().enumerate() {
            for zone in &site.zones {
                keyed.entry(*zone).or_default().push(index);
            }
        }
        Self { sites, scene, keyed }
    }

    /// The block that is asked for `name` at `server`, if that is this configuration.
    pub(crate) fn route(&self, server: SocketAddr, name: &str) -> Option<usize> {
        let listens = |site: &Site<'_>| site.ports.contains(&server.port());
        let is_bound = |site: &Site<'_>| {
            listens(site) && site.bound.as_ref().is_some_and(|bound| bound.contains(&server.ip()))
        };
        // A datagram to an address that somebody has bound never reaches those who listen to all.
        let somebody_bound = self.sites.iter().any(is_bound);
        let is_local = server.ip().is_loopback() || server.ip().is_unspecified();
        let hears = |site: &Site<'_>| match somebody_bound {
            true => is_bound(site),
            false => is_local && listens(site) && site.bound.is_none(),
        };
        self.routes(name).map(|(_, index)| index).find(|index| hears(&self.sites[*index]))
    }

    /// Every block that has `name` or a zone above it as key, the longest zone first.
    pub(crate) fn routes<'n>(&'n self, name: &'n str) -> impl Iterator<Item = (&'n str, usize)> {
        let found = |zone: &'n str| self.keyed.get(zone).map(|indices| (zone, indices));
        let found = ancestors(name).filter_map(found);
        found.flat_map(|(zone, indices)| indices.iter().map(move |index| (zone, *index)))
    }
}

impl<'a> Site<'a> {
    fn new(block: &'a ServerBlock, port: u16) -> Self {
        let keys = block.keys.iter().filter(|key| key.scheme == Scheme::Dns);
        let mut ports: Vec<_> = keys.map(|key| key.port.unwrap_or(port)).collect();
        ports.sort_unstable();
        ports.dedup();
        let bound = block.block("bind").map(|bind| {
            let words = bind.directives.iter().flat_map(|directive| &directive.args);
            words.flat_map(|word| addresses(&word.text)).collect()
        });
        Self { block, zones: block.zones(), ports, bound }
    }

    /// Every directive of this name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &'a Directive> {
        self.block.directives.iter().filter(move |directive| directive.name.text == name)
    }

    /// Every directive of this name as one; `None` if there is none.
    pub(crate) fn merged(&self, name: &str) -> Option<Block<'a>> {
        self.block.block(name)
    }

    /// Whether there is a directive of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// Whether it listens at the same places as another block.
    pub(crate) fn shares_listener(&self, other: &Self) -> bool {
        self.bound == other.bound && self.ports.iter().any(|port| other.ports.contains(port))
    }

    /// The zones for which a source is asked: those of its arguments or else of the block, none
    /// outside of the block.
    pub(crate) fn asked(&self, directive: &Directive) -> Vec<String> {
        let mut asked = Vec::new();
        let written: Vec<_> = zone_words(directive)
            .iter()
            .filter_map(|word| corefile::zones(&word.text).ok())
            .collect();
        if written.is_empty() {
            return self.zones.iter().map(|zone| (*zone).to_owned()).collect();
        }
        for zone in written.iter().flatten() {
            for own in &self.zones {
                asked.extend(narrower(zone, own).map(str::to_owned));
            }
        }
        asked.sort_unstable();
        asked.dedup();
        asked
    }
}

/// The addresses that a word of `bind` means; of interfaces only that of the machine to itself.
fn addresses(text: &str) -> Vec<IpAddr> {
    match text {
        "lo" => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        _ => text.split('%').next().and_then(|text| text.parse().ok()).into_iter().collect(),
    }
}

/// The arguments of a source that name its zones.
pub(crate) fn zone_words(directive: &Directive) -> &[Word] {
    let args = directive.args.as_slice();
    match directive.name.text.as_str() {
        "hosts" | "file" => args.get(1..),
        "template" => args.get(2..),
        "forward" | "grpc" => args.get(..1),
        "autopath" => args.get(..args.len().saturating_sub(1)),
        _ => Some(args),
    }
    .unwrap_or_default()
}

/// The zones for which a source hands on what it does not know; nothing if it hands on nothing.
pub(crate) fn fallthrough(directive: &Directive) -> Vec<String> {
    let lines = directive.body.iter().flatten();
    let mut zones = Vec::new();
    for line in lines.filter(|line| line.words.first().is_some_and(|w| w.text == "fallthrough")) {
        match &line.words[1..] {
            [] => zones.push(".".to_owned()),
            words => zones.extend(words.iter().flat_map(|w| corefile::zones(&w.text)).flatten()),
        }
    }
    zones
}

/// Whether `name` is `zone` or below it; both in lower case with a final dot.
pub(crate) fn is_within(name: &str, zone: &str) -> bool {
    let Some(above) = name.strip_suffix(zone) else { return zone == "." };
    zone == "." || above.is_empty() || above.ends_with('.')
}

/// The names that are in both zones, as a zone.
pub(crate) fn narrower<'z>(a: &'z str, b: &'z str) -> Option<&'z str> {
    match (is_within(a, b), is_within(b, a)) {
        (true, _) => Some(a),
        (false, true) => Some(b),
        (false, false) => None,
    }
}

/// The name itself, its parent, and so on up to the root.
pub(crate) fn ancestors(name: &str) -> impl Iterator<Item = &str> {
    let root = (name != ".").then_some(".");
    let cuts = name.match_indices('.').map(|(at, _)| &name[at + 1..]);
    let above = cuts.filter(|rest| !rest.is_empty());
    std::iter::once(name).chain(above).chain(root)
}

/// The server that a word of `forward` names, if it is an address asked in plain DNS.
pub(crate) fn upstream(text: &str) -> Option<SocketAddr> {
    let text = text.strip_prefix("dns://").unwrap_or(text);
    if let Ok(server) = text.parse() {
        return Some(server);
    }
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = bare.split('%').next()?.parse().ok()?;
    Some(SocketAddr::new(address, 53))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_their_zones() {
        assert!(is_within("a.b.", "b.") && is_within("b.", "b.") && is_within("b.", "."));
        assert!(!is_within("ab.", "b.") && !is_within("b.", "a.b.") && !is_within(".", "b."));
        assert_eq!(ancestors("a.b.").collect::<Vec<_>>(), ["a.b.", "b.", "."]);
        assert_eq!(ancestors(".").collect::<Vec<_>>(), ["."]);
        assert_eq!(narrower("a.b.", "b."), Some("a.b."));
        assert_eq!(narrower("a.", "b."), None);
    }

    #[test]
    fn upstreams_that_are_addresses() {
        let text = |word| upstream(word).map(|server| server.to_string());
        assert_eq!(text("10.0.0.1").as_deref(), Some("10.0.0.1:53"));
        assert_eq!(text("dns://10.0.0.1:1053").as_deref(), Some("10.0.0.1:1053"));
        assert_eq!(text("[::1]:54").as_deref(), Some("[::1]:54"));
        assert_eq!(text("::1").as_deref(), Some("[::1]:53"));
        assert_eq!(text("tls://10.0.0.1"), None);
        assert_eq!(text("/etc/resolv.conf"), None);
    }
}
