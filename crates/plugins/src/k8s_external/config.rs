//! The directive `k8s_external`.

use crate::zones::Zones;
use cluster::{BadOptions, ExternalOptions, View};
use corefile::{Accepted, Block, Code, Mistake, Mistakes, Property, Repeats, Span, Syntax, kind};
use wire::NameBuf;

/// What `k8s_external` says.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) zones: Zones,
    /// Of the same zones.
    pub(crate) options: ExternalOptions,
    pub(crate) fallthrough: Option<Vec<String>>,
    pub(crate) at: Span,
}

pub(crate) const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "k8s_external",
        usage: "k8s_external [ZONES...]",
        default: "the zones of the server block",
        doc: "Answers for the services of a cluster with the addresses that they have outside of \
              it. Needs `kubernetes` in the same block.",
        repeats: Repeats::LastWins,
        read: |config, args| {
            config.zones = Zones::new(&args.zones());
            config.options.zones = config.zones.names().to_vec();
            Ok(())
        },
    },
    properties: &[
        Property {
            name: "apex",
            usage: "apex NAME",
            default: "dns",
            doc: "The name below a zone where its name server `ns1` and its `hostmaster` are.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.options.apex = args.one(kind::by("a name of at most 63 letters", apex))?;
                args.ignore_rest();
                Ok(())
            },
        },
        Property {
            name: "ttl",
            usage: "ttl SECONDS",
            default: "5",
            doc: "The TTL of every answer.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.options.ttl = args.one(kind::seconds(0..=3600))?;
                args.ignore_rest();
                Ok(())
            },
        },
        Property {
            name: "headless",
            usage: "headless",
            default: "",
            doc: "Answers for headless services too, with the addresses of their endpoints.",
            repeats: Repeats::LastWins,
            read: |config, _| {
                config.options.headless = true;
                Ok(())
            },
        },
        Property {
            name: "fallthrough",
            usage: "fallthrough [ZONES...]",
            default: "",
            doc: "Asks the next plugin for names in ZONES that do not exist; without ZONES, for all.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.fallthrough = Some(args.fallthrough());
                Ok(())
            },
        },
    ],
    otherwise: None,
};

fn apex(word: &str) -> Option<NameBuf> {
    let name: NameBuf = word.parse().ok()?;
    let fits = (2..=ExternalOptions::APEX_MAX).contains(&name.octets().len());
    fits.then_some(name)
}

impl Config {
    /// Reads the directive.
    pub(crate) fn read(block: &Block<'_>) -> Result<Accepted<Self>, Mistakes> {
        let options = ExternalOptions::new(Vec::new());
        let mut config =
            Self { zones: Zones::default(), options, fallthrough: None, at: block.at() };
        let mut mistakes = SYNTAX.read(block, &mut config);
        let is_long = |zone: &&NameBuf| zone.octets().len() > View::ZONE_MAX;
        if let Some(zone) = config.options.zones.iter().find(is_long) {
            let message = BadOptions::LongZone(zone.to_string()).to_string();
            mistakes.push(Mistake::error(Code::BadValue, config.at, message));
        }
        mistakes.accept(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::mistakes;

    #[test]
    fn the_syntax_has_no_fault() {
        assert_eq!(SYNTAX.faults(), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_meant() {
        let of = |lines: &str| {
            let directive = format!("k8s_external {{\n {lines}\n }}\n kubernetes cluster.local");
            mistakes(&format!("example.org {{\n {directive}\n}}")).join("\n")
        };
        assert_eq!(of("apex meta\n ttl 3600\n headless\n fallthrough"), "");
        for (lines, told) in [
            ("apex .", "a name of at most 63 letters"),
            ("apex a..b", "a name of at most 63 letters"),
            ("ttl 3601", "between 0 and 3600 seconds"),
            ("upstream", "upstream"),
        ] {
            assert!(of(lines).contains(told), "{lines}: {}", of(lines));
        }
    }

    #[test]
    fn a_zone_needs_room_for_services() {
        let zone = format!("{0}.{0}.{0}", "x".repeat(40));
        let told = mistakes(&format!("{zone} {{\n k8s_external\n kubernetes cluster.local\n}}"));
        assert!(told.join("\n").contains("too long"), "{told:?}");
    }
}
