//! `nsid`: tells clients that ask for it which server has answered (RFC 5001).

use crate::directive::{Built, Directive};
use crate::env::Env;
use crate::hostname;
use chain::{Exchange, Plugin};
use corefile::{Accepted, Block, Mistakes, Property, Repeats, Syntax, kind};
use wire::OPT_NSID;

/// The directive and the plugin.
pub(crate) struct Nsid {
    id: Box<[u8]>,
}

/// What `nsid` says.
#[derive(Default)]
pub(crate) struct Config {
    words: Vec<String>,
}

const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "nsid",
        usage: "nsid [TEXT...]",
        default: "the name of the host",
        doc: "Tells TEXT to clients that ask for the identifier of the server.",
        repeats: Repeats::Never,
        read: |config, args| {
            config.words = args.rest(kind::text());
            Ok(())
        },
    },
    properties: &[],
    otherwise: None,
};

impl Directive for Nsid {
    const NAME: &'static str = "nsid";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        let mut config = Config::default();
        SYNTAX.read(block, &mut config).accept(config)
    }

    fn build(config: Config, _: &mut Env<'_>) -> Built {
        let id = if config.words.is_empty() { hostname() } else { config.words.join(" ") };
        Ok(Some(Box::new(Self { id: id.into_bytes().into() })))
    }
}

impl Plugin for Nsid {
    fn response(&self, x: &mut Exchange) {
        // RFC 5001 §2.1: the option in a query asks; a server does not tell without.
        if !x.request.has_edns || x.request.edns.options.find(OPT_NSID).is_none() {
            return;
        }
        // An upstream server may have told its own.
        x.reply.options.retain(|code| code != OPT_NSID);
        x.reply.options.push(OPT_NSID, &self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Asker, Rig};
    use wire::Edns;

    fn ask(rig: &Rig, question: &str, option: Option<u16>) -> Option<String> {
        let mut edns = Edns { udp_size: 1232, ..Edns::default() };
        if let Some(option) = option {
            edns.options.push(option, b"");
        }
        let x = rig.ask_as(question, |asker: &mut Asker| asker.edns = Some(edns));
        let told = x.reply.options.find(OPT_NSID)?;
        Some(String::from_utf8(told.to_vec()).unwrap())
    }

    #[test]
    fn who_asks_is_told() {
        assert_eq!(SYNTAX.faults(), Vec::<String>::new());
        let rig = Rig::new(". {\n nsid fleet 7\n canned\n}\nx {\n nsid\n canned {\n fail x\n }\n}");
        assert_eq!(ask(&rig, "a A", Some(OPT_NSID)).as_deref(), Some("fleet 7"));
        assert_eq!(ask(&rig, "a A", Some(10)), None);
        assert_eq!(ask(&rig, "a A", None), None);
        assert_eq!(ask(&rig, "a.x A", Some(OPT_NSID)), Some(hostname()));
    }
}
