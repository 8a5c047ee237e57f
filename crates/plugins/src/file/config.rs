//! The directive `file`.

use corefile::{Accepted, Block, Mistakes, Property, Repeats, Span, Syntax, kind};
use std::time::Duration;

/// What one `file` line says.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) path: String,
    pub(crate) at: Span,
    pub(crate) zones: Vec<String>,
    /// How often to look whether the file has changed; zero for never.
    pub(crate) reload: Duration,
    pub(crate) fallthrough: Option<Vec<String>>,
}

/// All `file` lines of a block.
pub(crate) struct Config {
    pub(crate) lines: Vec<Line>,
    /// The zones of the last `fallthrough`: CoreDNS has one for all lines of a block.
    pub(crate) fallthrough: Option<Vec<String>>,
}

pub(crate) const SYNTAX: Syntax<Line> = Syntax {
    directive: Property {
        name: "file",
        usage: "file DBFILE [ZONES...]",
        default: "the zones of the server block",
        doc: "Serves ZONES from a zone file.",
        repeats: Repeats::Adds,
        read: |line, args| {
            line.path = args.one(kind::path())?;
            line.zones = args.zones();
            Ok(())
        },
    },
    properties: &[
        Property {
            name: "reload",
            usage: "reload DURATION",
            default: "1m",
            doc: "How often to look whether the file has changed; `0s` for never.",
            repeats: Repeats::LastWins,
            read: |line, args| {
                line.reload = args.one(kind::duration(Duration::ZERO..))?;
                Ok(())
            },
        },
        Property {
            name: "reload_by_mtime",
            usage: "reload_by_mtime",
            default: "",
            doc: "Read for CoreDNS's sake: any change of the content is seen, whatever the serial.",
            repeats: Repeats::LastWins,
            read: |_, _| Ok(()),
        },
        Property {
            name: "fallthrough",
            usage: "fallthrough [ZONES...]",
            default: "",
            doc: "Asks the next plugin for names in ZONES that do not exist; without ZONES, for all.",
            repeats: Repeats::LastWins,
            read: |line, args| {
                line.fallthrough = Some(args.fallthrough());
                Ok(())
            },
        },
    ],
    otherwise: None,
};

impl Config {
    /// Reads the directives.
    pub(crate) fn read(block: &Block<'_>) -> Result<Accepted<Self>, Mistakes> {
        let new = || Line {
            path: String::new(),
            at: block.at(),
            zones: Vec::new(),
            reload: Duration::from_secs(60),
            fallthrough: None,
        };
        let (mut lines, mistakes) = SYNTAX.read_each(block, new);
        for (line, directive) in lines.iter_mut().zip(&block.directives) {
            line.at = directive.at();
        }
        let fallthrough = lines.iter().rev().find_map(|line| line.fallthrough.clone());
        mistakes.accept(Self { lines, fallthrough })
    }
}
