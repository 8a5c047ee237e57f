//! `{$NAME}`: what only the runner knows, such as ports.

use super::markdown::Section;
use crate::ports::PortBlock;
use std::net::IpAddr;
use std::path::Path;

/// Names and values. The server gets them as its environment, so that a Corefile can use them;
/// everywhere else in a scenario the runner puts them in.
#[derive(Clone, Debug)]
pub(super) struct Variables {
    values: Vec<(&'static str, String)>,
}

/// The ports of a scenario, by their place in its block.
pub(super) const DNS_PORT: u16 = 0;
pub(super) const UPSTREAM_PORTS: [u16; 2] = [6, 7];
pub(super) const KUBERNETES_PORT: u16 = 8;

/// The variable that not every machine has a value for.
const ADDRESS: &str = "ADDRESS";

/// The names of the fake upstreams.
pub(super) const UPSTREAMS: [&str; 2] = ["UPSTREAM", "UPSTREAM2"];

impl Variables {
    pub(super) fn new(ports: &PortBlock, folder: &Path) -> Self {
        let mut variables = Self::with(folder, |index| ports.port(index));
        variables.values.extend(own_address().map(|address| (ADDRESS, address.to_string())));
        variables
    }

    /// Values that stand for those of no real scenario.
    #[cfg(test)]
    pub(super) fn placeholders() -> Self {
        Self::with(Path::new("/folder"), |index| index + 1)
    }

    fn with(folder: &Path, port: impl Fn(u16) -> u16) -> Self {
        let address = |index| format!("127.0.0.1:{}", port(index));
        let values = vec![
            ("DIR", folder.display().to_string()),
            ("PORT", port(DNS_PORT).to_string()),
            ("PORT2", port(1).to_string()),
            ("PORT3", port(2).to_string()),
            ("HEALTH", address(3)),
            ("READY", address(4)),
            ("METRICS", address(5)),
            (UPSTREAMS[0], address(UPSTREAM_PORTS[0])),
            (UPSTREAMS[1], address(UPSTREAM_PORTS[1])),
            ("KUBERNETES", format!("http://{}", address(KUBERNETES_PORT))),
        ];
        Self { values }
    }

    /// The text with every `{$NAME}` that has a value replaced.
    pub(super) fn expand(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if text.contains("{$") {
            for (name, value) in &self.values {
                text = text.replace(&format!("{{${name}}}"), value);
            }
        }
        text
    }

    /// Why a section cannot be played here, if it needs what this machine does not have.
    pub(super) fn lacking(&self, section: &Section) -> Option<&'static str> {
        let variable = format!("{{${ADDRESS}}}");
        let needed = section.fences.iter().any(|fence| fence.body.contains(&variable));
        let lacking = needed && self.value(ADDRESS).is_empty();
        lacking.then_some("this machine has no IPv4 address but loopback and link-local ones")
    }

    pub(super) fn value(&self, name: &str) -> &str {
        self.values.iter().find(|(each, _)| *each == name).map_or("", |(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values.iter().map(|(name, value)| (*name, &value[..]))
    }
}

/// An address that an interface has, and others could ask.
fn own_address() -> Option<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses = interfaces.iter().filter_map(|interface| match interface.ip() {
        IpAddr::V4(ip) if !ip.is_loopback() && !ip.is_link_local() => Some(IpAddr::V4(ip)),
        _ => None,
    });
    addresses.next()
}

#[cfg(test)]
mod tests {
    use super::super::markdown::Document;
    use super::*;

    #[test]
    fn names_are_expanded_and_others_left_alone() {
        let variables = Variables::placeholders();
        assert_eq!(variables.expand("{$PORT} {$HEALTH}/x"), "1 127.0.0.1:4/x");
        assert_eq!(variables.expand("{$OTHER} {$ {{$x}}"), "{$OTHER} {$ {{$x}}");
        assert_eq!(variables.value("DIR"), "/folder");
        assert_eq!(variables.value("NONE"), "");
    }

    #[test]
    fn a_machine_without_an_address_plays_what_needs_none() {
        let document = Document::read(
            "# T\n## Needs\n```query\nx. A\n;; NOERROR\nx. 5 IN A {$ADDRESS}\n```\n\
             ## Needs none\n```corefile\n{$PORT} ADDRESS\n```\n",
        )
        .unwrap();
        let [needs, needs_none] = &document.sections[..] else { panic!("{document:?}") };
        let mut variables = Variables::placeholders();
        assert!(variables.lacking(needs).is_some());
        assert_eq!(variables.lacking(needs_none), None);
        variables.values.push((ADDRESS, "192.0.2.1".to_owned()));
        assert_eq!(variables.lacking(needs), None);
    }
}
