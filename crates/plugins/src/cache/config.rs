//! The directive `cache`.

use super::Cache;
use crate::directive::Directive;
use corefile::{
    Accepted, Args, Block, Code, Mistake, Mistakes, Property, Repeats, Syntax, Word, kind, shown,
};
use std::time::Duration;

/// What the directive says, and its neighbours.
pub(crate) struct Config {
    /// The zones whose names are looked up.
    pub(super) zones: Vec<String>,
    /// The zones whose answers, and those whose denials are not kept.
    pub(super) disabled: Disabled,
    pub(super) settings: Settings,
    /// All other directives of the server block: their names, and all their words.
    pub(super) others: Vec<(String, String)>,
}

/// What is kept, and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) success: Limits,
    pub(super) denial: Limits,
    /// Seconds for which a SERVFAIL or NOTIMP of an upstream server is kept; 0 keeps none.
    pub(super) servfail: u32,
    pub(super) prefetch: Prefetch,
    pub(super) stale: Option<Stale>,
    /// Whether an answer is preferred to a denial that is newer, while it may be served stale.
    pub(super) prefer_positive: bool,
    /// Whether hits have the whole TTL.
    pub(super) keep_ttl: bool,
}

/// Limits of one kind of replies. TTLs are in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) capacity: usize,
    pub(super) ttl_min: u32,
    pub(super) ttl_max: u32,
}

/// When an entry is asked for again before its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefetch {
    /// Hits that make it worth it; 0: never.
    pub(super) amount: u32,
    /// The longest time between two of them.
    pub(super) gap: Duration,
    /// How much of its TTL may be left, in percent.
    pub(super) percent: u8,
}

/// How entries are served whose time is over (RFC 8767).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stale {
    /// How long after their time.
    pub(super) window: Duration,
    /// Whether upstream servers are asked first, and how long they have; none: as long as they take.
    pub(super) verify: Option<Option<Duration>>,
    /// Seconds that clients may keep them.
    pub(super) ttl: u32,
    /// How long after a failure nobody is asked again.
    pub(super) recheck: Duration,
}

/// Zones whose replies are not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Disabled {
    pub(super) success: Vec<String>,
    pub(super) denial: Vec<String>,
}

/// The longest that an error may be kept (RFC 2308 §7.1), and that nobody is asked after one.
const ERROR_MAX: Duration = Duration::from_secs(300);
/// The most entries of each kind.
const CAPACITY_MAX: u32 = 100_000_000;
/// The largest TTL (RFC 2181 §8).
const TTL_MAX: u32 = i32::MAX as u32;

impl Default for Settings {
    fn default() -> Self {
        let limits = Limits { capacity: 10_000, ttl_min: 5, ttl_max: 3600 };
        Self {
            success: limits,
            denial: Limits { ttl_max: 1800, ..limits },
            servfail: 5,
            prefetch: Prefetch { amount: 0, gap: Duration::from_secs(60), percent: 10 },
            stale: None,
            prefer_positive: false,
            keep_ttl: false,
        }
    }
}

impl Settings {
    /// How long an entry may be served after its time.
    pub(super) fn stale_window(&self) -> Duration {
        self.stale.map_or(Duration::ZERO, |stale| stale.window)
    }
}

pub(super) const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "cache",
        usage: "cache [TTL] [ZONES...]",
        default: "the zones of the server block, at most 3600 seconds, denials 1800",
        doc: "Keeps what upstream servers say about names in ZONES, at most TTL seconds.",
        repeats: Repeats::Never,
        read: read_directive,
    },
    properties: &[
        Property {
            name: "success",
            usage: "success CAPACITY [TTL] [MINTTL]",
            default: "10000 3600 5",
            doc: "How many answers are kept, and how many seconds at the most and at the least.",
            repeats: Repeats::LastWins,
            read: |config, args| read_limits(&mut config.settings.success, args),
        },
        Property {
            name: "denial",
            usage: "denial CAPACITY [TTL] [MINTTL]",
            default: "10000 1800 5",
            doc: "The same for replies that deny a name or its data.",
            repeats: Repeats::LastWins,
            read: |config, args| read_limits(&mut config.settings.denial, args),
        },
        Property {
            name: "prefetch",
            usage: "prefetch AMOUNT [DURATION [PERCENTAGE]]",
            default: "0 1m 10%",
            doc: "Asks again, before the time is over, for what was asked for AMOUNT times with no \
                  longer than DURATION between, once PERCENTAGE of its TTL is left.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                let Prefetch { gap, percent, .. } = Settings::default().prefetch;
                config.settings.prefetch = Prefetch {
                    amount: args.one(kind::integer(0..=u32::MAX))?,
                    gap: args.optional(kind::duration(..))?.unwrap_or(gap),
                    percent: args.optional(kind::percent(10..=90))?.unwrap_or(percent),
                };
                Ok(())
            },
        },
        Property {
            name: "serve_stale",
            usage: "serve_stale [DURATION [immediate [TTL [RECHECK]]|verify [TIMEOUT [TTL [RECHECK]]]]]",
            default: "",
            doc: "Serves what is older than its TTL, by DURATION (1h) at the most, when there is \
                  nothing newer.",
            repeats: Repeats::LastWins,
            read: read_stale,
        },
        Property {
            name: "serve_stale_policy",
            usage: "serve_stale_policy prefer_positive",
            default: "",
            doc: "Prefers the last answer to newer replies that answer nothing.",
            repeats: Repeats::Never,
            read: |config, args| {
                let word = args.one(kind::text())?;
                if !word.eq_ignore_ascii_case("prefer_positive") {
                    return Err(args.wrong("`prefer_positive`"));
                }
                config.settings.prefer_positive = true;
                Ok(())
            },
        },
        Property {
            name: "servfail",
            usage: "servfail DURATION",
            default: "5s",
            doc: "How long a SERVFAIL or NOTIMP of an upstream server is kept, in whole seconds.",
            repeats: Repeats::LastWins,
            read: |config, args| {
                let duration = args.one(kind::duration(Duration::ZERO..=ERROR_MAX))?;
                config.settings.servfail = duration.as_secs() as u32; // at most 300
                Ok(())
            },
        },
        Property {
            name: "disable",
            usage: "disable success|denial [ZONES...]",
            default: "",
            doc: "Keeps no answers, or no denials, of names in ZONES.",
            repeats: Repeats::Adds,
            read: |config, args| {
                let denial = args.one(kind::keyword(&[("success", false), ("denial", true)]))?;
                let zones = args.fallthrough();
                let Disabled { success, denial: denials } = &mut config.disabled;
                *(if denial { denials } else { success }) = zones;
                Ok(())
            },
        },
        Property {
            name: "keepttl",
            usage: "keepttl",
            default: "",
            doc: "Gives out the whole TTL until the time is over, and does not count it down.",
            repeats: Repeats::LastWins,
            read: |config, _| {
                config.settings.keep_ttl = true;
                Ok(())
            },
        },
    ],
    otherwise: None,
};

/// Reads the directive of a server block.
pub(super) fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
    let directives = block.server_block.directives.iter();
    let others = directives.filter(|directive| directive.name.text != Cache::NAME);
    let mut config = Config {
        zones: Vec::new(),
        disabled: Disabled::default(),
        settings: Settings::default(),
        others: others.map(|other| (other.name.text.clone(), other.to_string())).collect(),
    };
    let mut mistakes = SYNTAX.read(block, &mut config);
    if let Some(policy) = block.property("serve_stale_policy")
        && config.settings.stale.is_none()
    {
        let message = "`serve_stale_policy` has no effect without `serve_stale`";
        let mistake = Mistake::error(Code::Missing, policy.at(), message);
        mistakes.push(mistake.help("add `serve_stale`, or remove this line"));
    }
    mistakes.accept(config)
}

fn read_directive(config: &mut Config, args: &mut Args<'_>) -> Result<(), Mistake> {
    if let Some(ttl) = args.peek().and_then(|word| ttl_of(word, args)) {
        args.word();
        let ttl = ttl?;
        (config.settings.success.ttl_max, config.settings.denial.ttl_max) = (ttl, ttl);
    }
    config.zones = args.zones();
    Ok(())
}

/// The TTL that a word says, if it says one.
fn ttl_of(word: &Word, args: &mut Args<'_>) -> Option<Result<u32, Mistake>> {
    let text = &word.text;
    if text.parse::<i128>().is_ok() {
        let ttl = text.parse().ok().filter(|ttl| (1..=TTL_MAX).contains(ttl));
        return Some(ttl.ok_or_else(|| {
            let message = format!("TTL of `cache` must be between 1 and {TTL_MAX} seconds");
            Mistake::error(Code::BadValue, word.at, message).about(word)
        }));
    }
    // CoreDNS takes `30s` for a zone of this name, and keeps nothing.
    let seconds = kind::Kind::read(&kind::duration(..), text).ok()?.as_secs();
    let ttl = u32::try_from(seconds).ok().filter(|ttl| (1..=TTL_MAX).contains(ttl))?;
    let message = format!("{} is read as a TTL here, and as a zone by CoreDNS", shown(text));
    let warning = Mistake::warning(Code::BadValue, word.at, message).about(word);
    args.keep(warning.help(format!("write `cache {ttl}`")));
    Some(Ok(ttl))
}

fn read_limits(limits: &mut Limits, args: &mut Args<'_>) -> Result<(), Mistake> {
    limits.capacity = args.one(kind::integer(0..=CAPACITY_MAX))? as usize;
    if let Some(ttl) = args.optional(kind::seconds(1..=TTL_MAX))? {
        limits.ttl_max = ttl;
    }
    if let Some(ttl) = args.optional(kind::seconds(0..=TTL_MAX))? {
        limits.ttl_min = ttl;
    }
    args.ignore_rest();
    Ok(())
}

fn read_stale(config: &mut Config, args: &mut Args<'_>) -> Result<(), Mistake> {
    let window = args.optional(kind::duration(..))?.unwrap_or(Duration::from_secs(3600));
    let mut verify = None;
    if let Some(mode) = args.optional(kind::text())? {
        match mode.to_ascii_lowercase().as_str() {
            "immediate" => {}
            "verify" => {
                let timeout = args.optional(kind::duration(..))?;
                verify = Some(timeout.filter(|timeout| !timeout.is_zero()));
            }
            _ => return Err(args.wrong("`immediate` or `verify`")),
        }
    }
    let ttl = args.optional(kind::duration(..=Duration::from_secs(u32::MAX.into())))?;
    let ttl = ttl.unwrap_or_default();
    if ttl.subsec_nanos() > 0 {
        return Err(args.wrong("a whole number of seconds, such as `7s`"));
    }
    let recheck = args.optional(kind::duration(Duration::ZERO..=ERROR_MAX))?;
    config.settings.stale = Some(Stale {
        window,
        verify,
        ttl: ttl.as_secs() as u32, // within its range, as just read
        recheck: recheck.unwrap_or_default(),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;
    use proptest::prelude::*;

    fn config(lines: &str) -> Config {
        let parsed = corefile::parse("Corefile", format!("a.test {{\n{lines}\n}}").as_bytes(), &());
        let block = parsed.blocks[0].block("cache").unwrap();
        match read(&block) {
            Ok(accepted) => accepted.config,
            Err(mistakes) => panic!("{}", mistakes.render(&parsed.sources, false)),
        }
    }

    #[test]
    fn the_table_is_sound() {
        assert_eq!(SYNTAX.faults(), [""; 0]);
    }

    #[test]
    fn what_is_left_out_has_the_defaults_of_coredns() {
        assert_eq!(config("cache").zones, ["a.test."]);
        assert_eq!(config("cache").settings, Settings::default());
        let thirty = config("cache 30 b.test. 10.0.0.0/8");
        assert_eq!(thirty.zones, ["b.test.", "10.in-addr.arpa."]);
        assert_eq!((thirty.settings.success.ttl_max, thirty.settings.denial.ttl_max), (30, 30));
        let limits = Limits { capacity: 7, ttl_max: 30, ttl_min: 0 };
        assert_eq!(config("cache {\n success 7 30 0\n}").settings.success, limits);
    }

    #[test]
    fn stale_answers_have_two_modes() {
        let stale = |words: &str| {
            let Stale { window, verify, ttl, recheck } =
                config(&format!("cache {{\n serve_stale {words}\n}}")).settings.stale.unwrap();
            (window.as_secs(), verify.map(|t| t.map(|t| t.as_millis())), ttl, recheck.as_secs())
        };
        assert_eq!(stale(""), (3600, None, 0, 0));
        assert_eq!(stale("10m immediate 7s 30s"), (600, None, 7, 30));
        assert_eq!(stale("1h verify"), (3600, Some(None), 0, 0));
        assert_eq!(stale("1h VERIFY 300ms 5s 1m"), (3600, Some(Some(300)), 5, 60));
        assert_eq!(stale("1h verify 0s"), (3600, Some(None), 0, 0));
    }

    #[test]
    fn mistakes_have_a_place_and_a_hint() {
        for (lines, expected) in [
            ("cache 0", "TTL of `cache` must be between 1 and 2147483647 seconds"),
            ("cache -5", "TTL of `cache` must be between 1 and 2147483647 seconds"),
            ("cache 30s", "warning: `30s` is read as a TTL here, and as a zone by CoreDNS"),
            ("cache {\n succes 5\n}", "did you mean `success`?"),
            ("cache {\n success\n}", "`success` lacks CAPACITY"),
            ("cache {\n success 5 0\n}", "TTL of `success` must be between 1 and"),
            ("cache {\n denial 5 30s\n}", "write `30`"),
            ("cache {\n success 5 6 7 8\n}", "warning: `success` does not look at these words"),
            ("cache {\n prefetch 5 1m 5%\n}", "PERCENTAGE of `prefetch` must be a percentage"),
            ("cache {\n prefetch 5 1m 50\n}", "write `50%`"),
            ("cache {\n servfail 6m\n}", "`servfail` must be between 0s and 5m"),
            ("cache {\n disable all\n}", "must be `success` or `denial`"),
            ("cache {\n serve_stale 1h often\n}", "must be `immediate` or `verify`"),
            ("cache {\n serve_stale 1h immediate 1500ms\n}", "a whole number of seconds"),
            ("cache {\n serve_stale 1h immediate 1s 6m\n}", "between 0s and 5m"),
            ("cache {\n serve_stale 1h immediate 1s 1m 1m\n}", "has too many arguments"),
            ("cache {\n serve_stale_policy prefer_positive\n}", "without `serve_stale`"),
            ("cache {\n serve_stale\n serve_stale_policy x\n}", "must be `prefer_positive`"),
            ("cache {\n keepttl on\n}", "`keepttl` takes no arguments"),
            ("cache\ncache", "`cache` may be given only once"),
        ] {
            let found = World::complaints::<Cache>(&format!(". {{\n{lines}\n}}"));
            assert!(found.contains(expected), "{lines}: {found}");
        }
        for fine in
            ["cache 30 a.test b.test", "cache {\n disable denial a.test\n disable success\n}"]
        {
            assert_eq!(World::complaints::<Cache>(&format!(". {{\n{fine}\n}}")), "", "{fine}");
        }
    }

    proptest! {
        #[test]
        fn any_words_are_read_without_a_panic(
            words in prop::collection::vec(r"success|denial|prefetch|serve_stale|servfail|verify|[-+]?[0-9]{1,12}[smh%]?|[a-z.]{1,5}", 0..7),
        ) {
            let words = words.join(" ");
            for corefile in [format!("cache {words}"), format!("cache {{\n {words}\n}}")] {
                World::complaints::<Cache>(&format!(". {{\n{corefile}\n}}"));
            }
        }
    }
}
