//! `ready`: tells readiness probes whether the data are there. It answers no question.

use crate::directive::{Built, Directive};
use crate::env::{Endpoint, Env, HttpAnswer, IfTaken, Readiness};
use corefile::{Accepted, Block, Mistakes, Property, Repeats, Syntax, kind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The directive.
pub(crate) struct Ready;

/// Where, and whether readiness can be lost again.
pub(crate) struct Config {
    address: String,
    monitor: Monitor,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Monitor {
    UntilReady,
    Continuously,
}

const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "ready",
        usage: "ready [ADDRESS]",
        default: ":8181",
        doc: "Answers `/ready` over HTTP: 200 once every plugin that has to wait is ready, else 503.",
        repeats: Repeats::Never,
        read: |config, args| {
            if let Some(address) = args.optional(kind::host_port())? {
                config.address = address.to_string();
            }
            Ok(())
        },
    },
    properties: &[Property {
        name: "monitor",
        usage: "monitor until-ready|continuously",
        default: "until-ready",
        doc: "Whether a plugin that was ready is asked again.",
        repeats: Repeats::LastWins,
        read: |config, args| {
            config.monitor = args.one(kind::keyword(&[
                ("until-ready", Monitor::UntilReady),
                ("continuously", Monitor::Continuously),
            ]))?;
            Ok(())
        },
    }],
    otherwise: None,
};

impl Directive for Ready {
    const NAME: &'static str = "ready";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        let mut config = Config { address: ":8181".into(), monitor: Monitor::UntilReady };
        SYNTAX.read(block, &mut config).accept(config)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        let probe = Probe {
            readiness: env.wait_for_readiness(),
            monitor: config.monitor,
            was_ready: AtomicBool::new(false),
        };
        env.serve_http(Endpoint {
            address: config.address,
            path: "/ready",
            answer: Arc::new(move || probe.answer()),
            if_taken: IfTaken::Warn("Failed to start readiness handler"),
        });
        Ok(None)
    }
}

struct Probe {
    readiness: Arc<Readiness>,
    monitor: Monitor,
    was_ready: AtomicBool,
}

impl Probe {
    fn answer(&self) -> HttpAnswer {
        if self.monitor == Monitor::UntilReady && self.was_ready.load(Relaxed) {
            return HttpAnswer::text(200, "OK");
        }
        let missing = self.readiness.missing();
        if missing.is_empty() {
            self.was_ready.store(true, Relaxed);
            return HttpAnswer::text(200, "OK");
        }
        let missing = missing.join(",");
        tracing::info!(target: "plugin/ready", "Plugins not ready: \"{missing}\"");
        HttpAnswer::text(503, &missing)
    }
}
