//! `minimal`: leaves out of answers what nobody asked for.

use crate::directive::{Built, Directive};
use crate::env::Env;
use crate::reply_kind::ReplyKind;
use chain::{Exchange, Plugin};
use corefile::{Accepted, Block, Mistakes, Property, Repeats, Syntax};

/// The directive and the plugin.
pub(crate) struct Minimal;

const SYNTAX: Syntax<()> = Syntax {
    directive: Property {
        name: "minimal",
        usage: "minimal",
        default: "",
        doc: "Sends only the answer section of answers. Denials and delegations, which are made of \
              the others, stay as they are.",
        repeats: Repeats::Adds,
        read: |(), _| Ok(()),
    },
    properties: &[],
    otherwise: None,
};

impl Directive for Minimal {
    const NAME: &'static str = "minimal";
    type Config = ();

    fn read(block: &Block<'_>) -> Result<Accepted<()>, Mistakes> {
        SYNTAX.read(block, &mut ()).accept(())
    }

    fn build((): (), _: &mut Env<'_>) -> Built {
        Ok(Some(Box::new(Self)))
    }
}

impl Plugin for Minimal {
    fn response(&self, x: &mut Exchange) {
        if ReplyKind::of(x) == ReplyKind::Success {
            x.reply.body.authority.clear();
            x.reply.body.additional.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Rig;

    #[test]
    fn only_answers_lose_their_other_sections() {
        assert_eq!(SYNTAX.faults(), Vec::<String>::new());
        for (reply, left) in [
            ("answer a.t A 192.0.2.1\n authority t NS ns.t\n additional ns.t A 192.0.2.2", 1),
            ("additional ns.t A 192.0.2.2", 0),
            ("authority t NS ns.t\n additional ns.t A 192.0.2.2", 2),
            ("authority t SOA ns.t", 1),
            ("rcode NXDOMAIN\n authority t SOA ns.t", 1),
            ("rcode SERVFAIL\n additional ns.t A 192.0.2.2", 1),
            ("drop", 0),
        ] {
            let rig = Rig::new(&format!("t {{\n minimal\n canned {{\n {reply}\n }}\n}}"));
            assert_eq!(rig.ask("a.t A").reply.body.len(), left, "{reply}");
        }
    }
}
