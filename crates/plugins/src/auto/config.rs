//! The directive `auto`.

use corefile::{Accepted, Block, Code, Mistake, Mistakes, Property, Repeats, Span, Syntax, kind};
use std::time::Duration;

/// What all `auto` lines of a block say together.
pub(crate) struct Config {
    pub(crate) zones: Vec<String>,
    pub(crate) directory: Option<String>,
    /// What the name of a zone file looks like, and where that was written.
    pub(crate) pattern: String,
    pub(crate) pattern_at: Span,
    /// The zone of a file, with `{1}` for the first group of the pattern.
    pub(crate) template: String,
    /// How often to look for changes; zero for never.
    pub(crate) reload: Duration,
}

pub(crate) const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "auto",
        usage: "auto [ZONES...]",
        default: "the zones of the server block",
        doc: "Serves every zone file of a directory whose zone is in ZONES.",
        repeats: Repeats::Adds,
        read: |config, args| {
            config.zones.extend(args.zones());
            Ok(())
        },
    },
    properties: &[
        Property {
            name: "directory",
            usage: "directory DIR [REGEXP ORIGIN_TEMPLATE]",
            default: "",
            doc: "Where the zone files are. A file whose name REGEXP (`db\\.(.*)`) matches is the zone \
                  ORIGIN_TEMPLATE (`{1}`), where `{1}` stands for the first group.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.directory = Some(args.one(kind::path())?);
                if let Some(word) = args.word() {
                    config.pattern = word.text.clone();
                    config.pattern_at = word.at;
                    config.template = args.one(kind::text())?;
                }
                Ok(())
            },
        },
        Property {
            name: "reload",
            usage: "reload DURATION",
            default: "1m",
            doc: "How often to look for new, changed and vanished files; `0s` for never.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.reload = args.one(kind::duration(Duration::ZERO..))?;
                Ok(())
            },
        },
    ],
    otherwise: None,
};

impl Config {
    /// Reads the directives.
    pub(crate) fn read(block: &Block<'_>) -> Result<Accepted<Self>, Mistakes> {
        let mut config = Self {
            zones: Vec::new(),
            directory: None,
            pattern: r"db\.(.*)".into(),
            pattern_at: block.at(),
            template: "{1}".into(),
            reload: Duration::from_secs(60),
        };
        let mut mistakes = SYNTAX.read(block, &mut config);
        if config.directory.is_none() {
            let message = "`auto` lacks `directory`";
            let mistake = Mistake::error(Code::Missing, block.at(), message);
            mistakes.push(mistake.help("add `directory DIR`"));
        }
        mistakes.accept(config)
    }
}
