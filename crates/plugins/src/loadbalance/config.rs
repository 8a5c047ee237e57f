//! The directive `loadbalance`.

use corefile::kind::Network;
use corefile::{Accepted, Block, Code, Mistake, Mistakes, Property, Repeats, Span, Syntax, kind};
use std::time::Duration;

/// What `loadbalance` says.
pub(crate) struct Config {
    pub(super) policy: Policy,
    pub(super) prefer: Vec<Network>,
    /// How often to look whether the file of weights has changed; zero for never.
    pub(super) reload: Duration,
}

/// How the first address is chosen.
pub(super) enum Policy {
    RoundRobin,
    Weighted { file: String, at: Span },
}

#[derive(Clone, Copy)]
enum Word {
    RoundRobin,
    Weighted,
}

pub(crate) const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "loadbalance",
        usage: "loadbalance [POLICY] [FILE]",
        default: "round_robin",
        doc: "Changes the order of answers, so that clients spread over the addresses of a name: \
              by chance, or by the weights in FILE.",
        repeats: Repeats::LastWins,
        read: |config, args| {
            let words = [("round_robin", Word::RoundRobin), ("weighted", Word::Weighted)];
            config.policy = match args.optional(kind::keyword(&words))? {
                None | Some(Word::RoundRobin) => Policy::RoundRobin,
                Some(Word::Weighted) => {
                    let file = args.one(kind::path())?;
                    Policy::Weighted { file, at: args.at() }
                }
            };
            Ok(())
        },
    },
    properties: &[
        Property {
            name: "reload",
            usage: "reload DURATION",
            default: "30s",
            doc: "With `weighted`: how often to look whether FILE has changed; `0s` for never.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                if let Policy::RoundRobin = config.policy {
                    let message = "`reload` has a meaning only with `weighted`";
                    let mistake = Mistake::error(Code::Conflict, args.name().at, message);
                    while args.word().is_some() {}
                    return Err(mistake.help("remove it, or write `loadbalance weighted FILE`"));
                }
                config.reload = args.one(kind::duration(Duration::ZERO..))?;
                Ok(())
            },
        },
        Property {
            name: "prefer",
            usage: "prefer NETWORKS...",
            default: "",
            doc: "With `round_robin`: puts addresses in the first of NETWORKS before those in the \
                  second, and so on, and all others behind them.",
            repeats: Repeats::Adds,
            read: |config, args| {
                if let Policy::Weighted { .. } = config.policy {
                    let message = "`prefer` has a meaning only with `round_robin`";
                    let mistake = Mistake::error(Code::Conflict, args.name().at, message);
                    while args.word().is_some() {}
                    return Err(mistake.help("remove it, or write `loadbalance round_robin`"));
                }
                config.prefer.extend(args.rest(kind::network()));
                Ok(())
            },
        },
    ],
    otherwise: None,
};

impl Config {
    /// Reads the directive.
    pub(crate) fn read(block: &Block<'_>) -> Result<Accepted<Self>, Mistakes> {
        let mut config = Self {
            policy: Policy::RoundRobin,
            prefer: Vec::new(),
            reload: Duration::from_secs(30),
        };
        SYNTAX.read(block, &mut config).accept(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::mistakes;

    #[test]
    fn the_table_is_sound() {
        assert_eq!(SYNTAX.faults(), Vec::<String>::new());
    }

    #[test]
    fn what_is_refused() {
        for (line, mistake) in [
            ("loadbalance random", "must be `round_robin` or `weighted`"),
            ("loadbalance round_robin x", "has too many arguments"),
            ("loadbalance weighted", "`loadbalance` lacks FILE"),
            ("loadbalance weighted a b", "has too many arguments"),
            ("loadbalance weighted a {\n reload -1s\n }", "must be at least 0s"),
            ("loadbalance weighted a {\n prefer 10.0.0.0/8\n }", "only with `round_robin`"),
            ("loadbalance {\n reload 5s\n }", "only with `weighted`"),
            ("loadbalance {\n prefer 10.0.0.0/33\n }", "must be an IP address or a network"),
            ("loadbalance {\n policy x\n }", "`policy` is not a property of `loadbalance`"),
        ] {
            let found = mistakes(&format!(". {{\n {line}\n}}"));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(mistake), "{found:?}");
        }
    }
}
