//! The directive `errors`.

use super::Level;
use crate::go_regex::GoRegex;
use corefile::{Accepted, Args, Block, Code, Mistake, Mistakes, Property, Repeats, Syntax, kind};
use std::time::Duration;

/// What `errors` says.
#[derive(Default)]
pub(crate) struct Config {
    pub(super) consolidations: Vec<Consolidation>,
}

/// Errors that are counted instead of logged one by one.
pub(super) struct Consolidation {
    pub(super) period: Duration,
    /// The pattern as it is written.
    pub(super) text: String,
    pub(super) pattern: GoRegex,
    pub(super) level: Level,
    /// Whether the first error of a period is logged as it is.
    pub(super) show_first: bool,
}

pub(crate) const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "errors",
        usage: "errors [stdout]",
        default: "",
        doc: "Logs why a question failed.",
        repeats: Repeats::Never,
        read: |_, args| {
            args.optional(kind::keyword(&[("stdout", ())]))?;
            Ok(())
        },
    },
    properties: &[
        Property {
            name: "stacktrace",
            usage: "stacktrace",
            default: "",
            doc: "Has no effect: the line about a panic always says where in the source it arose.",
            repeats: Repeats::LastWins,
            read: |_, _| Ok(()),
        },
        Property {
            name: "consolidate",
            usage: "consolidate DURATION REGEXP [warning|error|info|debug] [show_first]",
            default: "",
            doc: "Counts the errors whose text REGEXP matches, and logs their number once DURATION \
                  after the first of them.",
            repeats: Repeats::Adds,
            read: |config, args| {
                config.consolidations.push(consolidation(args)?);
                Ok(())
            },
        },
    ],
    otherwise: None,
};

impl Config {
    /// Reads the directive.
    pub(crate) fn read(block: &Block<'_>) -> Result<Accepted<Self>, Mistakes> {
        let mut config = Self::default();
        SYNTAX.read(block, &mut config).accept(config)
    }
}

fn consolidation(args: &mut Args<'_>) -> Result<Consolidation, Mistake> {
    let period = args.one(kind::duration(..))?;
    let text = args.one(kind::text())?;
    let pattern = match GoRegex::new(&text) {
        Ok(pattern) => pattern,
        Err(bad) => return Err(args.wrong(format!("a regular expression: {bad}"))),
    };
    let mut consolidation =
        Consolidation { period, text, pattern, level: Level::Error, show_first: false };
    read_options(&mut consolidation, args)?;
    Ok(consolidation)
}

/// CoreDNS wants the level in front of `show_first`, and both at most once.
fn read_options(consolidation: &mut Consolidation, args: &mut Args<'_>) -> Result<(), Mistake> {
    if args.peek().is_some_and(|word| word.text != "show_first") {
        consolidation.level = args.one(kind::keyword(Level::WORDS))?;
    }
    consolidation.show_first = args.take("show_first");
    match args.peek() {
        Some(word) if Level::WORDS.iter().any(|(name, _)| *name == word.text) => {
            let message = "the level stands behind `show_first`, or twice";
            Err(Mistake::error(Code::BadValue, word.at, message)
                .help("write one level, and in front of `show_first`"))
        }
        _ => Ok(()),
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
    fn what_is_read() {
        let text = ". {\n errors stdout {\n stacktrace\n consolidate 5m \"a b\"\n \
                    consolidate 1s x debug show_first\n consolidate 1s y show_first\n }\n}";
        let parsed = corefile::parse("Corefile", text.as_bytes(), &());
        let block = parsed.blocks[0].block("errors").unwrap();
        let Ok(accepted) = Config::read(&block) else { panic!("refused") };
        let read = accepted.config.consolidations.iter();
        let read: Vec<_> =
            read.map(|c| (c.period.as_secs(), c.text.as_str(), c.level, c.show_first)).collect();
        assert_eq!(
            read,
            [
                (300, "a b", Level::Error, false),
                (1, "x", Level::Debug, true),
                (1, "y", Level::Error, true)
            ]
        );
    }

    #[test]
    fn what_is_refused() {
        for (line, mistake) in [
            ("errors stderr", "`errors` must be `stdout`"),
            ("errors\n errors", "`errors` may be given only once"),
            ("errors {\n consolidate 5m\n }", "`consolidate` lacks REGEXP"),
            ("errors {\n consolidate 5 x\n }", "DURATION of `consolidate` must be a duration"),
            ("errors {\n consolidate 5s (\n }", "REGEXP of `consolidate` must be a regular"),
            ("errors {\n consolidate 5s x loud\n }", "must be `warning`, `error`"),
            ("errors {\n consolidate 5s x show_first info\n }", "the level stands behind"),
            ("errors {\n consolidate 5s x info info\n }", "the level stands behind"),
            ("errors {\n consolidate 5s x info show_first y\n }", "has too many arguments"),
            ("errors {\n file x\n }", "`file` is not a property of `errors`"),
        ] {
            let found = mistakes(&format!(". {{\n {line}\n}}"));
            assert!(found.iter().any(|found| found.contains(mistake)), "{line}: {found:?}");
        }
        let long = format!(". {{\n errors {{\n consolidate 1s {}\n }}\n}}", "x".repeat(10_001));
        assert!(mistakes(&long)[0].contains("more than 10000 octets"));
    }
}
