//! Directives read by tables, as plugins have them.

use super::World;
use corefile::{
    Accepted, Args, Block, Code, Mistake, Mistakes, Parsed, Property, Repeats, Severity, Syntax,
    kind, parse,
};
use std::net::IpAddr;
use std::time::Duration;

/// A directive with one of everything.
#[derive(Clone, Debug, Default, PartialEq)]
struct Config {
    file: Option<String>,
    zones: Vec<String>,
    inline: Vec<(IpAddr, Vec<String>)>,
    ttl: u32,
    reload: Duration,
    policy: u8,
    success: (u32, Option<u32>),
    share: u8,
    except: Vec<String>,
    fallthrough: Vec<String>,
    no_reverse: bool,
    limits: Vec<Limit>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Limit {
    name: String,
    queries: u64,
}

const fn property(
    name: &'static str,
    usage: &'static str,
    default: &'static str,
    read: corefile::Reader<Config>,
) -> Property<Config> {
    Property { name, usage, default, doc: "What it does.", repeats: Repeats::LastWins, read }
}

const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "hosts",
        usage: "hosts [FILE [ZONES...]]",
        default: "",
        doc: "Names and addresses.",
        repeats: Repeats::Never,
        read: |config, args| {
            config.file = args.optional(kind::path())?;
            config.zones = args.zones();
            Ok(())
        },
    },
    properties: &[
        property("ttl", "ttl SECONDS", "3600", |config, args| {
            config.ttl = args.one(kind::seconds(1..=65_535))?;
            args.ignore_rest();
            Ok(())
        }),
        property("reload", "reload DURATION", "5s", |config, args| {
            config.reload = args.one(kind::duration(Duration::ZERO..))?;
            Ok(())
        }),
        property("policy", "policy random|round_robin|sequential", "random", |config, args| {
            config.policy =
                args.one(kind::keyword(&[("random", 0), ("round_robin", 1), ("sequential", 2)]))?;
            Ok(())
        }),
        property("success", "success CAPACITY [TTL]", "9984", |config, args| {
            config.success = (args.one(kind::integer(1..))?, args.optional(kind::seconds(..))?);
            Ok(())
        }),
        property("share", "share PERCENT", "", |config, args| {
            config.share = args.one(kind::percent(0..=100))?;
            Ok(())
        }),
        Property {
            repeats: Repeats::Adds,
            ..property("except", "except NAMES...", "", |config, args| {
                config.except.extend(args.some(kind::text())?);
                Ok(())
            })
        },
        property("fallthrough", "fallthrough [ZONES...]", "", |config, args| {
            config.fallthrough = args.fallthrough();
            Ok(())
        }),
        Property {
            repeats: Repeats::Never,
            ..property("no_reverse", "no_reverse", "", |config, _| {
                config.no_reverse = true;
                Ok(())
            })
        },
        Property {
            repeats: Repeats::Adds,
            ..property("limit", "limit NAME", "", |config, args| {
                let mut limit = Limit { name: args.one(kind::text())?, queries: 0 };
                if !args.block(LIMIT, &mut limit) {
                    return Err(Mistake::error(Code::Missing, args.at(), "`limit` needs a block"));
                }
                config.limits.push(limit);
                Ok(())
            })
        },
    ],
    otherwise: Some(inline),
};

const LIMIT: &[Property<Limit>] = &[Property {
    name: "queries",
    usage: "queries NUMBER",
    default: "",
    doc: "Queries in a second.",
    repeats: Repeats::Never,
    read: |limit, args| {
        limit.queries = args.one(kind::integer(1..=1_000_000))?;
        Ok(())
    },
}];

/// `10.0.0.1 a b`, as long as there was no `fallthrough`.
fn inline(config: &mut Config, args: &mut Args<'_>) -> Result<(), Mistake> {
    let Ok(address) = args.name().text.parse() else { return Err(args.unknown()) };
    if !config.fallthrough.is_empty() {
        return Err(args.unknown());
    }
    let names = args.some(kind::text())?;
    if let Some(long) = names.iter().find(|name| name.len() > 20) {
        return Err(args.wrong(format!("at most 20 characters long, unlike `{long}`")));
    }
    config.inline.push((address, names));
    Ok(())
}

fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
    let mut config = Config { ttl: 3600, ..Config::default() };
    let mut mistakes = SYNTAX.read(block, &mut config);
    if config.ttl == 7
        && let Some(line) = block.property("ttl")
    {
        mistakes.push(Mistake::error(Code::Conflict, line.at(), "`ttl` may not be seven"));
    }
    mistakes.accept(config)
}

fn parsed(directives: &str) -> Parsed {
    let text = format!("example.org 10.0.0.0/15 {{\n{directives}\n}}\n");
    let parsed = parse("Corefile", text.as_bytes(), &World::default());
    assert!(!parsed.mistakes.has_errors(), "{}", parsed.mistakes.render(&parsed.sources, false));
    parsed
}

fn block<'a>(parsed: &'a Parsed, name: &str) -> Block<'a> {
    parsed.blocks[0].block(name).expect("the directive is there")
}

fn accepted(directives: &str) -> Accepted<Config> {
    let parsed = parsed(directives);
    read(&block(&parsed, "hosts"))
        .unwrap_or_else(|mistakes| panic!("{}", mistakes.render(&parsed.sources, false)))
}

fn refused(directives: &str) -> String {
    let parsed = parsed(directives);
    let mistakes = read(&block(&parsed, "hosts")).expect_err("something is wrong");
    mistakes.render(&parsed.sources, false)
}

#[test]
fn a_table_has_no_faults() {
    assert_eq!(SYNTAX.faults(), [""; 0]);
    assert_eq!(SYNTAX.forms().count(), 10);
    const BAD: &[Property<Config>] = &[
        property("a", "b X", "", |_, _| Ok(())),
        Property { doc: "", ..property("a", "a", "", |_, _| Ok(())) },
    ];
    let bad = Syntax { properties: BAD, ..SYNTAX };
    assert_eq!(bad.faults().len(), 3);
}

#[test]
fn everything_is_read() {
    let Accepted { config, warnings } = accepted(
        "hosts /etc/hosts a.test tls://10.1.0.0/16:53 {\n 10.0.0.1 x y\n ttl 60\n reload 1m\n policy sequential\n success 10 20\n share 5%\n \
         except a\n except b c\n fallthrough\n no_reverse\n limit l {\n queries 7\n }\n}",
    );
    assert!(warnings.is_empty());
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let expected = Config {
        file: Some("/etc/hosts".to_owned()),
        zones: names(&["a.test.", "1.10.in-addr.arpa."]),
        inline: vec![([10, 0, 0, 1].into(), names(&["x", "y"]))],
        ttl: 60,
        reload: Duration::from_secs(60),
        policy: 2,
        success: (10, Some(20)),
        share: 5,
        except: names(&["a", "b", "c"]),
        fallthrough: names(&["."]),
        no_reverse: true,
        limits: vec![Limit { name: "l".to_owned(), queries: 7 }],
    };
    assert_eq!(config, expected);
    let zones = ["example.org.", "0.10.in-addr.arpa.", "1.10.in-addr.arpa."];
    assert_eq!(accepted("hosts").config.zones, zones);
}

#[test]
fn what_is_only_strange_is_a_warning() {
    let Accepted { config, warnings } =
        accepted("hosts f a..b {\n ttl 5 6\n ttl 8\n fallthrough ::/0 a.test\n}");
    assert_eq!((config.ttl, config.zones.len()), (8, 0));
    assert_eq!(config.fallthrough, ["a.test."]);
    let codes: Vec<_> = warnings.iter().map(|warning| warning.code.slug()).collect();
    assert_eq!(codes, ["ignored", "ignored", "repeated-property", "ignored"]);
    assert!(warnings.iter().all(|warning| warning.severity == Severity::Warning));
}

#[test]
fn each_directive_may_have_a_configuration_of_its_own() {
    let parsed = parsed("hosts a {\n ttl 1\n}\nhosts b {\n ttl x\n}\nhosts c");
    let (configs, mistakes) = SYNTAX.read_each(&block(&parsed, "hosts"), Config::default);
    let files: Vec<_> = configs.iter().filter_map(|config| config.file.as_deref()).collect();
    assert_eq!(files, ["a", "b", "c"]);
    assert_eq!((configs[0].ttl, mistakes.errors()), (1, 1));
}

#[test]
fn messages() {
    let cases = [
        "    hosts {\n        ttl 0\n        ttl 1h\n        reload 30\n        reload -1s\n        policy randm\n        policy least_conn\n    }",
        "    hosts {\n        success\n        success x\n        success 10 20s\n        success 1 2 3\n        except\n        no_reverse yes\n        share 20\n    }",
        "    hosts {\n        relod 5s\n        no_reverse\n        no_reverse\n        ttl 5 {\n            x\n        }\n        ttl 7\n    }",
        "    hosts {\n        limit a\n        limit b {\n            queris 5\n            queries 0\n        }\n        fallthrough\n        10.0.0.1 late\n    }",
        "    hosts a\n    hosts b {\n        10.0.0.1\n        10.0.0.2 a-name-that-is-much-too-long\n    }",
    ];
    let shown: Vec<_> = cases.iter().map(|case| refused(case)).collect();
    insta::assert_snapshot!(shown.join("\n========\n\n"));
}

#[test]
fn a_directive_without_properties_takes_no_block() {
    const WHOAMI: Syntax<()> = Syntax {
        directive: Property {
            name: "whoami",
            usage: "whoami",
            default: "",
            doc: "Echo.",
            repeats: Repeats::Adds,
            read: |(), _| Ok(()),
        },
        properties: &[],
        otherwise: None,
    };
    let parsed = parsed("    whoami\n    whoami x\n    whoami {\n        y\n    }");
    let mistakes = WHOAMI.read(&block(&parsed, "whoami"), &mut ());
    insta::assert_snapshot!(mistakes.render(&parsed.sources, false));
}

#[test]
fn programs_get_the_same_in_json() {
    let text = "(s) {\n hosts {\n  ttl \"0\t\"\n }\n}\n. {\n import s\n}\n";
    let parsed = parse("Core\"file", text.as_bytes(), &World::default());
    let mistakes = read(&block(&parsed, "hosts")).unwrap_err();
    insta::assert_snapshot!(mistakes.to_json(&parsed.sources));
    let lines: Vec<_> = mistakes.lines(&parsed.sources).collect();
    assert_eq!(
        lines,
        [
            "Core\"file:3:7: error: `ttl` must be a whole number of seconds between 1 and 65535, without a unit (bad-value)"
        ]
    );
    assert_eq!(Mistakes::new().to_json(&parsed.sources), "[]\n");
    assert_eq!(Mistakes::new().render(&parsed.sources, true), "");
    assert!(mistakes.render(&parsed.sources, true).contains("\u{1b}["));
}
