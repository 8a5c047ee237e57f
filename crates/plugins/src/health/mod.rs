//! `health`: tells liveness probes that the process runs. It answers no question.

mod self_test;

use crate::directive::{Built, Directive};
use crate::env::{Endpoint, Env, HttpAnswer, IfTaken};
use corefile::{Accepted, Block, Mistakes, Property, Repeats, Syntax, kind};
use self_test::SelfTest;
use std::sync::Arc;
use std::time::Duration;

/// The directive.
pub(crate) struct Health;

/// Where, and how long to go on after SIGTERM.
pub(crate) struct Config {
    address: String,
    lameduck: Duration,
}

const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "health",
        usage: "health [ADDRESS]",
        default: ":8080",
        doc: "Answers `/health` over HTTP with `OK` while the process runs.",
        repeats: Repeats::LastWins,
        read: |config, args| {
            if let Some(address) = args.optional(kind::host_port())? {
                config.address = address.to_string();
            }
            Ok(())
        },
    },
    properties: &[Property {
        name: "lameduck",
        usage: "lameduck DURATION",
        default: "0s",
        doc: "After SIGTERM, goes on answering for DURATION, so that clients can turn away.",
        repeats: Repeats::LastWins,
        read: |config, args| {
            config.lameduck = args.one(kind::duration(..))?;
            Ok(())
        },
    }],
    otherwise: None,
};

impl Directive for Health {
    const NAME: &'static str = "health";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        let mut config = Config { address: ":8080".into(), lameduck: Duration::ZERO };
        SYNTAX.read(block, &mut config).accept(config)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        env.parts.lameduck = env.parts.lameduck.max(config.lameduck);
        let process = env.process;
        let test = env.keep(config.address.clone(), || SelfTest::new(&config.address, process));
        env.on_serving(move |runtime| test.start(runtime));
        env.serve_http(Endpoint {
            address: config.address,
            path: "/health",
            answer: Arc::new(|| HttpAnswer::text(200, "OK")),
            if_taken: IfTaken::Fail,
        });
        Ok(None)
    }
}
