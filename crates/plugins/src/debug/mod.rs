//! `debug`: debug lines, and no mercy for bugs. It answers nothing.

use crate::directive::{Built, Directive};
use crate::env::Env;
use corefile::{Accepted, Block, Mistakes, Property, Repeats, Syntax};

/// The directive.
pub(crate) struct Debug;

const SYNTAX: Syntax<()> = Syntax {
    directive: Property {
        name: "debug",
        usage: "debug",
        default: "",
        doc: "Logs debug lines, and ends the process at the first panic instead of going on.",
        repeats: Repeats::Adds,
        read: |(), _| Ok(()),
    },
    properties: &[],
    otherwise: None,
};

impl Directive for Debug {
    const NAME: &'static str = "debug";
    type Config = ();

    fn read(block: &Block<'_>) -> Result<Accepted<()>, Mistakes> {
        SYNTAX.read(block, &mut ()).accept(())
    }

    fn build((): (), env: &mut Env<'_>) -> Built {
        env.parts.debug = true;
        Ok(None)
    }
}
