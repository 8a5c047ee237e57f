//! The directive `transfer`.

use crate::zones::Zones;
use corefile::{Accepted, Block, Code, Mistake, Mistakes, Property, Repeats, Syntax, kind};
use std::net::{IpAddr, SocketAddr};
use wire::{Name, NameBuf};

/// What all `transfer` lines of a block say.
pub(crate) struct Config {
    pub(super) rules: Vec<Rule>,
}

/// What one `transfer` says.
#[derive(Default)]
pub(super) struct Rule {
    zones: Vec<NameBuf>,
    to: Vec<To>,
    /// The address that secondaries are told from.
    pub(super) source: Option<IpAddr>,
}

/// A word of `to`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum To {
    Everybody,
    Secondary(SocketAddr),
}

impl Rule {
    /// The rule for a name: that with the longest zone which the name is in; of equal ones the first.
    pub(super) fn of<'a>(rules: &'a [Self], name: Name<'_>) -> Option<&'a Self> {
        let mut longest = None;
        for rule in rules {
            let zones = rule.zones.iter().filter(|zone| name.is_at_or_below(zone.as_name()));
            let Some(length) = zones.map(|zone| zone.octets().len()).max() else { continue };
            if longest.is_none_or(|(known, _)| length > known) {
                longest = Some((length, rule));
            }
        }
        longest.map(|(_, rule)| rule)
    }

    /// Whether this client may have the zones. As in CoreDNS its port does not count.
    pub(super) fn allows(&self, client: IpAddr) -> bool {
        self.to.iter().any(|to| match to {
            To::Everybody => true,
            To::Secondary(address) => address.ip().to_canonical() == client,
        })
    }

    /// Who is told when a zone changes.
    pub(super) fn secondaries(&self) -> impl Iterator<Item = SocketAddr> {
        self.to.iter().filter_map(|to| match to {
            To::Everybody => None,
            To::Secondary(address) => Some(*address),
        })
    }
}

pub(crate) const SYNTAX: Syntax<Rule> = Syntax {
    directive: Property {
        name: "transfer",
        usage: "transfer [ZONES...]",
        default: "",
        doc: "Hands ZONES over to other servers, and tells those when a zone has changed.",
        repeats: Repeats::Adds,
        read: |rule, args| {
            rule.zones = Zones::new(&args.zones()).names().to_vec();
            Ok(())
        },
    },
    properties: &[
        Property {
            name: "to",
            usage: "to ADDRESSES...",
            default: "",
            doc: "Who may have the zones; `*` for everybody.",
            repeats: Repeats::Adds,
            read: |rule, args| {
                let to = kind::by("`*` or an IP address, perhaps with a port", |word| {
                    use kind::Kind;
                    match word {
                        "*" => Some(To::Everybody),
                        _ => kind::socket_address(53).read(word).ok().map(To::Secondary),
                    }
                });
                rule.to.extend(args.some(to)?);
                Ok(())
            },
        },
        Property {
            name: "source",
            usage: "source ADDRESS",
            default: "",
            doc: "The address of this machine that changes are told from.",
            repeats: Repeats::LastWins,
            read: |rule, args| {
                rule.source = Some(args.one(kind::address())?);
                Ok(())
            },
        },
    ],
    otherwise: None,
};

impl Config {
    /// Reads the directives.
    pub(crate) fn read(block: &Block<'_>) -> Result<Accepted<Self>, Mistakes> {
        let (rules, mut mistakes) = SYNTAX.read_each(block, Rule::default);
        if !mistakes.has_errors() {
            let lines = rules.iter().zip(&block.directives);
            for (_, line) in lines.filter(|(rule, _)| rule.to.is_empty()) {
                let message = "`transfer` needs `to`: without it nobody may have the zones";
                let help = "write `to ADDRESS`, or `to *` for everybody";
                mistakes.push(Mistake::error(Code::Missing, line.at(), message).help(help));
            }
        }
        mistakes.accept(Self { rules })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, mistakes};

    #[test]
    fn the_table_is_sound() {
        assert_eq!(SYNTAX.faults(), Vec::<String>::new());
    }

    #[test]
    fn what_is_refused() {
        for (lines, mistake) in [
            ("", "`transfer` needs `to`"),
            ("source 10.0.0.1", "`transfer` needs `to`"),
            ("to", "`to`"),
            ("to ns.test", "must be `*` or an IP address"),
            ("to 10.0.0.0/8", "must be `*` or an IP address"),
            ("to *\n source eth0", "must be an IP address"),
            ("to *\n from 10.0.0.1", "`from` is not a property of `transfer`"),
        ] {
            let found = mistakes(&format!("t {{\n transfer {{\n {lines}\n }}\n whoami\n}}"));
            assert_eq!(found.len(), 1, "{lines}: {found:?}");
            assert!(found[0].contains(mistake), "{found:?}");
        }
        let complaints = World::complaints::<super::super::Transfer>(
            "t {\n transfer {\n to 10.0.0.1:5353 fd00::1 [fd00::2]:54\n to *\n }\n}",
        );
        assert_eq!(complaints, "");
    }

    #[test]
    fn the_longest_zone_counts_and_ports_do_not() {
        let rule = |zones: &[&str], to: &[&str]| Rule {
            zones: zones.iter().map(|zone| zone.parse().unwrap()).collect(),
            to: to.iter().map(|to| To::Secondary(to.parse().unwrap())).collect(),
            source: None,
        };
        let rules = [
            rule(&["test"], &["10.0.0.1:53"]),
            rule(&["a.test", "b.test"], &["[::ffff:10.0.0.2]:5353"]),
            rule(&["test"], &["10.0.0.3:53"]),
        ];
        let allowed = |zone: &str, client: &str| {
            let zone: NameBuf = zone.parse().unwrap();
            Rule::of(&rules, zone.as_name()).map(|rule| rule.allows(client.parse().unwrap()))
        };
        assert_eq!(allowed("test", "10.0.0.1"), Some(true));
        assert_eq!(allowed("test", "10.0.0.3"), Some(false), "the first of two equal ones");
        assert_eq!(allowed("x.b.test", "10.0.0.2"), Some(true));
        assert_eq!(allowed("b.test", "10.0.0.1"), Some(false));
        assert_eq!(allowed("org", "10.0.0.1"), None);
    }
}
