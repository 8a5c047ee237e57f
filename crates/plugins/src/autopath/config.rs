//! The directive `autopath`.

use corefile::{Accepted, Block, Mistakes, Property, Repeats, Span, Syntax, Word, kind};

/// What `autopath` says.
#[derive(Debug, Default)]
pub(crate) struct Config {
    pub(crate) zones: Vec<String>,
    /// What is last on the line.
    pub(crate) list: Option<List>,
}

/// Who knows the search list.
#[derive(Debug)]
pub(crate) enum List {
    /// A file in the format of resolv.conf(5).
    File(Span, String),
    /// A plugin of the same server block.
    Plugin(Span, String),
}

pub(crate) const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "autopath",
        usage: "autopath [ZONES...] RESOLV-CONF|@PLUGIN",
        default: "the zones of the server block",
        doc: "Goes through the search list of the client in its place: the first question of a list \
              gets the answer that the client would find in the end.",
        repeats: Repeats::LastWins,
        read: |config, args| {
            let mut zones = Vec::new();
            for _ in 1..args.left() {
                zones.extend(args.one(kind::zones())?);
            }
            let at = args.peek().map_or(args.at(), |word: &Word| word.at);
            let text = args.one(kind::path())?;
            config.zones = if zones.is_empty() { args.zones() } else { zones };
            config.list = Some(match text.strip_prefix('@') {
                Some(plugin) => List::Plugin(at, plugin.to_owned()),
                None => List::File(at, text),
            });
            Ok(())
        },
    },
    properties: &[],
    otherwise: None,
};

impl Config {
    /// Reads the directive.
    pub(crate) fn read(block: &Block<'_>) -> Result<Accepted<Self>, Mistakes> {
        let mut config = Self::default();
        SYNTAX.read(block, &mut config).accept(config)
    }
}
