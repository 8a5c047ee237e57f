//! The directive `hosts`.

use corefile::{
    Accepted, Args, Block, Code, Mistake, Mistakes, Property, Repeats, Syntax, kind, shown,
};
use std::net::IpAddr;
use std::time::Duration;
use wire::NameBuf;

/// What `hosts` says.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) file: String,
    pub(crate) zones: Vec<String>,
    /// The lines in the block, in their order.
    pub(crate) inline: Vec<(IpAddr, NameBuf)>,
    pub(crate) ttl: u32,
    pub(crate) reverse: bool,
    /// How often to look whether the file has changed; zero for never.
    pub(crate) reload: Duration,
    pub(crate) fallthrough: Option<Vec<String>>,
    pub(crate) fallthrough_unsupported: bool,
}

pub(crate) const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "hosts",
        usage: "hosts [FILE [ZONES...]]",
        default: "/etc/hosts",
        doc: "Answers from a file in the format of `/etc/hosts`, and from lines in the block.",
        repeats: Repeats::Never,
        read: |config, args| {
            if let Some(file) = args.optional(kind::path())? {
                config.file = file;
            }
            config.zones = args.zones();
            Ok(())
        },
    },
    properties: &[
        Property {
            name: "ttl",
            usage: "ttl SECONDS",
            default: "3600",
            doc: "The TTL of every answer.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.ttl = args.one(kind::seconds(1..=65_535))?;
                Ok(())
            },
        },
        Property {
            name: "no_reverse",
            usage: "no_reverse",
            default: "",
            doc: "Does not answer PTR questions for the addresses.",
            repeats: Repeats::LastWins,
            read: |config, _| {
                config.reverse = false;
                Ok(())
            },
        },
        Property {
            name: "reload",
            usage: "reload DURATION",
            default: "5s",
            doc: "How often to look whether the file has changed; `0s` for never.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.reload = args.one(kind::duration(Duration::ZERO..))?;
                Ok(())
            },
        },
        Property {
            name: "fallthrough",
            usage: "fallthrough [ZONES...]",
            default: "",
            doc: "Asks the next plugin for names in ZONES that are not here; without ZONES, for all.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                config.fallthrough = Some(args.fallthrough());
                Ok(())
            },
        },
        Property {
            name: "fallthrough_unsupported",
            usage: "fallthrough_unsupported",
            default: "",
            doc: "With `fallthrough`: asks the next plugin also for types other than A, AAAA and PTR \
                  of names that are here.",
            repeats: Repeats::LastWins,
            read: |config, _| {
                config.fallthrough_unsupported = true;
                Ok(())
            },
        },
    ],
    otherwise: Some(read_line),
};

/// A line of the block that begins with none of the properties: an address and its names.
///
/// CoreDNS takes any such line for one of `/etc/hosts` and leaves out what it cannot read without a
/// word, until `fallthrough` was there.
fn read_line(config: &mut Config, args: &mut Args<'_>) -> Result<(), Mistake> {
    if config.fallthrough.is_some() {
        return Err(args.unknown());
    }
    let first = args.name();
    let Some(address) = zone::hosts::address(first.text.as_bytes()) else {
        let message =
            format!("{} is neither an address nor a property of `hosts`", shown(&first.text));
        let mistake =
            Mistake::warning(Code::Ignored, args.at(), message).label("this line is ignored");
        args.keep(mistake.help("write `ADDRESS NAME...`, or one of the properties of `hosts`"));
        while args.word().is_some() {}
        return Ok(());
    };
    if args.peek().is_none() {
        let message = format!("{} has no name", shown(&first.text));
        args.keep(
            Mistake::warning(Code::Ignored, args.at(), message).label("this line is ignored"),
        );
    }
    while let Some(word) = args.word() {
        match zone::hosts::name(word.text.as_bytes()) {
            Some(name) => config.inline.push((address, name)),
            None => {
                let message = format!("{} is no name", shown(&word.text));
                args.keep(Mistake::warning(Code::Ignored, word.at, message).label("ignored"));
            }
        }
    }
    Ok(())
}

impl Config {
    /// Reads the directive.
    pub(crate) fn read(block: &Block<'_>) -> Result<Accepted<Self>, Mistakes> {
        let mut config = Self {
            file: "/etc/hosts".into(),
            zones: Vec::new(),
            inline: Vec::new(),
            ttl: 3600,
            reverse: true,
            reload: Duration::from_secs(5),
            fallthrough: None,
            fallthrough_unsupported: false,
        };
        let mut mistakes = SYNTAX.read(block, &mut config);
        if config.fallthrough_unsupported && config.fallthrough.is_none() {
            let line = block.property("fallthrough_unsupported");
            let at = line.map_or(block.at(), |line| line.at());
            let message = "`fallthrough_unsupported` needs `fallthrough`";
            mistakes.push(Mistake::error(Code::Missing, at, message).help("add `fallthrough`"));
        }
        mistakes.accept(config)
    }
}
