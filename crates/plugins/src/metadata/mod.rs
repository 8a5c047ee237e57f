//! `metadata`: lets plugins tell each other, and the log, more about a question.

use crate::directive::{Built, Directive};
use crate::env::{Describe, Env, Whole};
use crate::zones::Zones;
use chain::{Exchange, Plugin, Step};
use corefile::{Accepted, Block, Mistakes, Property, Repeats, Syntax};
use std::sync::{Arc, OnceLock};

/// The directive and the plugin.
pub(crate) struct Metadata {
    zones: Zones,
    /// Who offers labels: plugins of this block, most of them built later.
    whole: Arc<OnceLock<Whole>>,
}

/// What `metadata` says.
#[derive(Default)]
pub(crate) struct Config {
    zones: Vec<String>,
}

const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "metadata",
        usage: "metadata [ZONES...]",
        default: "",
        doc: "Collects what plugins know of questions for names in ZONES, for `log`, `rewrite` and \
              `view`.",
        repeats: Repeats::Never,
        read: |config, args| {
            config.zones = args.zones();
            Ok(())
        },
    },
    properties: &[],
    otherwise: None,
};

impl Directive for Metadata {
    const NAME: &'static str = "metadata";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        let mut config = Config::default();
        SYNTAX.read(block, &mut config).accept(config)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        Ok(Some(Box::new(Self { zones: Zones::new(&config.zones), whole: env.whole() })))
    }
}

impl Plugin for Metadata {
    fn query(&self, x: &mut Exchange) -> Step {
        if self.zones.cover(x.question.name()) {
            let mut labels = Vec::new();
            let whole = self.whole.get().into_iter();
            for (_, describer) in whole.flat_map(|whole| whole.capabilities.of::<dyn Describe>()) {
                describer.describe(x, &mut labels);
            }
            x.labels = Some(labels);
        }
        Step::Next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Rig, mistakes};

    #[test]
    fn labels_reach_the_log() {
        assert_eq!(SYNTAX.faults(), Vec::<String>::new());
        let rig = Rig::new(
            "test other.test {\n metadata test\n \
             log . \"{name} {/canned/type} {/log/type} {/log/class} {/no/such}\"\n \
             canned {\n label\n rcode NXDOMAIN\n }\n}\n\
             plain {\n log . \"{/canned/type} {/log/type}\"\n canned {\n label\n }\n}\n\
             elsewhere {\n metadata test\n log . \"{/canned/type} {/log/type}\"\n canned {\n label\n }\n}",
        );
        for question in ["a.test MX", "a.plain A", "a.elsewhere A"] {
            rig.ask(question);
        }
        assert_eq!(
            rig.process.lines.take(),
            "[INFO] a.test. MX NXDOMAIN denial -\n[INFO] - -\n[INFO] - -\n"
        );
    }

    #[test]
    fn once_a_block() {
        let found = mistakes(". {\n metadata\n metadata a\n}");
        assert!(found[0].contains("`metadata` may be given only once"), "{found:?}");
    }
}
