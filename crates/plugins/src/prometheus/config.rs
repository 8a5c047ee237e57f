//! The directive `prometheus`.

use corefile::{Accepted, Block, Code, Mistake, Mistakes, Property, Repeats, Syntax, kind};

/// What `prometheus` says.
pub(crate) struct Config {
    /// `host:port`.
    pub(super) address: String,
}

pub(crate) const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "prometheus",
        usage: "prometheus [ADDRESS]",
        default: "localhost:9153",
        doc: "Counts the questions of this block, and shows all metrics over HTTP at `/metrics`.",
        repeats: Repeats::Never,
        read: |config, args| {
            if let Some(address) = args.optional(kind::host_port())? {
                config.address = address.to_string();
            }
            Ok(())
        },
    },
    properties: &[
        Property {
            name: "runtime_metrics",
            usage: "runtime_metrics",
            default: "",
            doc: "Has no effect: it asks for figures of Go's runtime, and there is none.",
            repeats: Repeats::LastWins,
            read: |_, _| Ok(()),
        },
        Property {
            name: "tls",
            usage: "tls FILE",
            default: "",
            doc: "Is refused: the metrics are not served over TLS.",
            repeats: Repeats::Never,
            read: |_, args| {
                let message = "the metrics are not served over TLS";
                while args.word().is_some() {}
                Err(Mistake::error(Code::UnsupportedDirective, args.at(), message)
                    .help("remove `tls`, and let nobody but Prometheus reach the port"))
            },
        },
    ],
    otherwise: None,
};

impl Config {
    /// Reads the directive.
    pub(crate) fn read(block: &Block<'_>) -> Result<Accepted<Self>, Mistakes> {
        let mut config = Self { address: "localhost:9153".into() };
        SYNTAX.read(block, &mut config).accept(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::mistakes;

    #[test]
    fn the_table_is_sound() {
        assert_eq!(SYNTAX.faults(), Vec::<String>::new());
    }

    #[test]
    fn what_is_refused() {
        for (line, mistake) in [
            ("prometheus 9153", "must be a host and a port"),
            ("prometheus\n prometheus", "may be given only once"),
            ("prometheus a:1 b:2", "has too many arguments"),
            ("prometheus {\n tls web.yaml\n }", "the metrics are not served over TLS"),
            ("prometheus {\n go\n }", "`go` is not a property of `prometheus`"),
        ] {
            let found = mistakes(&format!(". {{\n {line}\n}}"));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(mistake), "{found:?}");
        }
        assert!(mistakes(". {\n prometheus {\n runtime_metrics\n }\n}").is_empty());
    }
}
