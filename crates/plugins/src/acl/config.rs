//! The directive `acl`.

use super::networks::Networks;
use crate::zones::Zones;
use corefile::{Accepted, Args, Block, Code, Mistake, Mistakes, Property, Repeats, Syntax, kind};
use std::net::IpAddr;
use wire::{Name, NameBuf, RecordType};

/// What all `acl` lines of a block say.
pub(crate) struct Config {
    pub(super) rules: Vec<Rule>,
}

/// What one `acl` says.
#[derive(Default)]
pub(crate) struct Rule {
    pub(super) zones: Vec<NameBuf>,
    pub(super) policies: Vec<Policy>,
}

/// What to do with some questions.
pub(super) struct Policy {
    pub(super) action: Action,
    /// None for every type.
    types: Option<Vec<RecordType>>,
    /// None for everybody.
    networks: Option<Networks>,
}

/// What to do with a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    /// Ask the next plugin.
    Allow,
    /// Answer REFUSED.
    Block,
    /// Answer that there is nothing.
    Filter,
    /// Do not answer.
    Drop,
}

impl Rule {
    /// Which of the rule's zones the name is in: the longest.
    pub(super) fn zone_of(&self, name: Name<'_>) -> Option<usize> {
        let zones = self.zones.iter().enumerate();
        let within = zones.filter(|(_, zone)| name.is_at_or_below(zone.as_name()));
        within.max_by_key(|(_, zone)| zone.as_name().len()).map(|(at, _)| at)
    }
}

impl Policy {
    /// Whether it is about this type and this client.
    pub(super) fn covers(&self, rtype: RecordType, client: IpAddr) -> bool {
        self.types.as_ref().is_none_or(|types| types.contains(&rtype))
            && self.networks.as_ref().is_none_or(|networks| networks.contain(client))
    }
}

pub(crate) const SYNTAX: Syntax<Rule> = Syntax {
    directive: Property {
        name: "acl",
        usage: "acl [ZONES...]",
        default: "",
        doc: "Decides which clients may ask for names in ZONES: the first line that fits, of the \
              first `acl` that has one.",
        repeats: Repeats::Adds,
        read: |rule, args| {
            rule.zones = Zones::new(&args.zones()).names().to_vec();
            Ok(())
        },
    },
    properties: &[
        Property {
            name: "allow",
            usage: "allow [type TYPES...] [net NETWORKS...]",
            default: "",
            doc: "Lets the question pass, and asks no other `acl` of this block.",
            repeats: Repeats::Adds,
            read: |rule, args| rule.policy(Action::Allow, args),
        },
        Property {
            name: "block",
            usage: "block [type TYPES...] [net NETWORKS...]",
            default: "",
            doc: "Answers REFUSED.",
            repeats: Repeats::Adds,
            read: |rule, args| rule.policy(Action::Block, args),
        },
        Property {
            name: "filter",
            usage: "filter [type TYPES...] [net NETWORKS...]",
            default: "",
            doc: "Answers that there is no record.",
            repeats: Repeats::Adds,
            read: |rule, args| rule.policy(Action::Filter, args),
        },
        Property {
            name: "drop",
            usage: "drop [type TYPES...] [net NETWORKS...]",
            default: "",
            doc: "Does not answer.",
            repeats: Repeats::Adds,
            read: |rule, args| rule.policy(Action::Drop, args),
        },
    ],
    // CoreDNS takes these words in any case.
    otherwise: Some(|rule, args| {
        let word = args.name().text.to_ascii_lowercase();
        match ACTIONS.iter().find(|(name, _)| *name == word) {
            Some((_, action)) => rule.policy(*action, args),
            None => Err(args.unknown()),
        }
    }),
};

const ACTIONS: &[(&str, Action)] = &[
    ("allow", Action::Allow),
    ("block", Action::Block),
    ("filter", Action::Filter),
    ("drop", Action::Drop),
];

impl Config {
    /// Reads the directives.
    pub(crate) fn read(block: &Block<'_>) -> Result<Accepted<Self>, Mistakes> {
        let (rules, mistakes) = SYNTAX.read_each(block, Rule::default);
        mistakes.accept(Self { rules })
    }
}

impl Rule {
    fn policy(&mut self, action: Action, args: &mut Args<'_>) -> Result<(), Mistake> {
        let (mut types, mut networks) = (Selection::default(), Selection::default());
        while let Some(word) = args.word() {
            match word.text.to_ascii_lowercase().as_str() {
                "type" => types.read(args, || kind::parsed("a record type such as `A`, or `*`"))?,
                "net" => networks.read(args, kind::network)?,
                _ => return Err(args.wrong("`type` or `net`")),
            }
        }
        let networks = networks.listed().map(|networks| Networks::new(&networks));
        self.policies.push(Policy { action, types: types.listed(), networks });
        Ok(())
    }
}

/// The words of `type` or of `net`.
struct Selection<T> {
    listed: Option<Vec<T>>,
    everything: bool,
}

impl<T> Default for Selection<T> {
    fn default() -> Self {
        Self { listed: None, everything: false }
    }
}

impl<T> Selection<T> {
    /// The words up to the next `type` or `net`; `*` is everything, whatever stands beside it.
    fn read<K: kind::Kind<Value = T>>(
        &mut self,
        args: &mut Args<'_>,
        kind: impl Fn() -> K,
    ) -> Result<(), Mistake> {
        let listed = self.listed.get_or_insert_default();
        let mut is_empty = true;
        let is_section =
            |text: &str| text.eq_ignore_ascii_case("type") || text.eq_ignore_ascii_case("net");
        while args.peek().is_some_and(|word| !is_section(&word.text)) {
            is_empty = false;
            if args.take("*") {
                self.everything = true;
            } else {
                listed.push(args.one(kind())?);
            }
        }
        if is_empty {
            let message = "`type` and `net` need a word behind them";
            return Err(Mistake::error(Code::ArgumentCount, args.at(), message)
                .help("write `*` for everything, or leave the word out"));
        }
        Ok(())
    }

    /// What was listed; none for everything.
    fn listed(self) -> Option<Vec<T>> {
        if self.everything { None } else { self.listed }
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
            ("deny net 10.0.0.0/8", "`deny` is not a property of `acl`"),
            ("block 10.0.0.0/8", "must be `type` or `net`"),
            ("block net", "need a word behind them"),
            ("block type net 10.0.0.1", "need a word behind them"),
            ("block type QQ", "must be a record type"),
            ("block net 10.0.0.0/33", "NETWORKS of `block` must be an IP address or a network"),
            ("block type A AAAA net x", "NETWORKS of `block` must be an IP address or a network"),
            ("block type A net ::1 type x", "TYPES of `block` must be a record type"),
        ] {
            let found = mistakes(&format!(". {{\n acl {{\n {line}\n }}\n}}"));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(mistake), "{found:?}");
        }
        assert!(mistakes(". {\n acl {\n drop type A net * 10.0.0.1 type MX\n }\n}").is_empty());
    }
}
