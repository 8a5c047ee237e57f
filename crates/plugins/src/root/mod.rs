//! `root`: where relative file names begin. It answers nothing.

use crate::directive::{Built, Directive};
use crate::env::Env;
use corefile::{Accepted, Block, Mistakes, Property, Repeats, Syntax, kind};

/// The directive.
pub(crate) struct Root;

/// The directory.
#[derive(Default)]
pub(crate) struct Config {
    path: String,
}

const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "root",
        usage: "root PATH",
        default: "the directory in which the server was started",
        doc: "Names the directory at which relative file names of this block begin.",
        repeats: Repeats::LastWins,
        read: |config, args| {
            config.path = args.one(kind::path())?;
            Ok(())
        },
    },
    properties: &[],
    otherwise: None,
};

impl Directive for Root {
    const NAME: &'static str = "root";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        let mut config = Config::default();
        SYNTAX.read(block, &mut config).accept(config)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        *env.root = config.path.into();
        if !env.root.is_dir() {
            let missing = format!("Root path does not exist: {}", env.root.display());
            env.warn("root", missing);
        }
        Ok(None)
    }
}
