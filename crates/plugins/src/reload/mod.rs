//! `reload`: looks for a changed Corefile. It answers nothing; the process does the reloading.

use crate::directive::{Built, Directive};
use crate::env::Env;
use corefile::{Accepted, Block, Mistakes, Property, Repeats, Syntax, kind};
use std::time::Duration;

/// The directive.
pub(crate) struct Reload;

/// How often.
#[derive(Clone, Copy)]
pub(crate) struct Config {
    interval: Duration,
    jitter: Duration,
}

const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "reload",
        usage: "reload [INTERVAL [JITTER]]",
        default: "",
        doc: "Looks for a changed Corefile every INTERVAL (30s), spread by JITTER (15s).",
        repeats: Repeats::LastWins,
        read: |config, args| {
            let interval = args.optional(kind::duration(Duration::from_secs(2)..))?;
            config.interval = interval.unwrap_or(config.interval);
            let jitter = args.optional(kind::duration(Duration::ZERO..))?;
            if jitter.is_some_and(|jitter| !jitter.is_zero() && jitter < Duration::from_secs(1)) {
                return Err(args.wrong("0s, or at least 1s"));
            }
            config.jitter = jitter.unwrap_or(config.jitter);
            Ok(())
        },
    },
    properties: &[],
    otherwise: None,
};

impl Directive for Reload {
    const NAME: &'static str = "reload";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        let mut config =
            Config { interval: Duration::from_secs(30), jitter: Duration::from_secs(15) };
        SYNTAX.read(block, &mut config).accept(config)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        let jitter = config.jitter.min(config.interval / 2);
        env.parts.reload = Some((config.interval, jitter));
        Ok(None)
    }
}
