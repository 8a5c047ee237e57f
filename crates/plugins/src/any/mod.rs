//! `any`: answers questions for all types of a name with next to nothing.

use crate::directive::{Built, Directive};
use crate::env::Env;
use chain::{Exchange, Plugin, Step};
use corefile::{Accepted, Block, Mistakes, Property, Repeats, Syntax};
use wire::{RecordType, Section};

/// The directive and the plugin.
pub(crate) struct Any;

const SYNTAX: Syntax<()> = Syntax {
    directive: Property {
        name: "any",
        usage: "any",
        default: "",
        doc: "Answers questions of type ANY with one small record that refers to RFC 8482.",
        repeats: Repeats::Adds,
        read: |(), _| Ok(()),
    },
    properties: &[],
    otherwise: None,
};

/// RFC 8482 §4.2: "conventional HINFO". CoreDNS's texts, and its TTL.
const HINFO: &[u8] = b"\x0dANY obsoleted\x0cSee RFC 8482";
const TTL: u32 = 8482;

impl Directive for Any {
    const NAME: &'static str = "any";
    type Config = ();

    fn read(block: &Block<'_>) -> Result<Accepted<()>, Mistakes> {
        SYNTAX.read(block, &mut ()).accept(())
    }

    fn build((): (), _: &mut Env<'_>) -> Built {
        Ok(Some(Box::new(Self)))
    }
}

impl Plugin for Any {
    fn query(&self, x: &mut Exchange) -> Step {
        if x.question.rtype != RecordType::ANY {
            return Step::Next;
        }
        x.reply.body.push(Section::Answer, x.question.name(), TTL, RecordType::HINFO, HINFO);
        x.note(|| "has one small record for ANY".to_owned());
        Step::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Rig, answers};

    #[test]
    fn one_small_record() {
        assert_eq!(SYNTAX.faults(), Vec::<String>::new());
        let rig = Rig::new(". {\n any\n canned\n}");
        let x = rig.ask("a.test ANY");
        assert_eq!(answers(&x), ["a.test. 8482 HINFO \rANY obsoleted\u{c}See RFC 8482"]);
        assert_eq!(rig.ask("a.test A").answered_by().unwrap().0, "canned");
    }
}
