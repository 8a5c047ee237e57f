//! How a plugin reads its directive: one table says what every line looks like.
//!
//! A plugin writes a [`Syntax`] as a constant. Reading, messages, manual and completion all come
//! from it, so that they cannot disagree.
//!
//! ```
//! use corefile::{Accepted, Args, Block, Mistakes, Property, Repeats, Syntax, kind};
//!
//! #[derive(Default)]
//! struct Config {
//!     zones: Vec<String>,
//!     ttl: u32,
//!     fallthrough: Vec<String>,
//! }
//!
//! const SYNTAX: Syntax<Config> = Syntax {
//!     directive: Property {
//!         name: "example",
//!         usage: "example [ZONES...]",
//!         default: "the zones of the server block",
//!         doc: "Answers everything in ZONES.",
//!         repeats: Repeats::Never,
//!         read: |config, args| {
//!             config.zones = args.zones();
//!             Ok(())
//!         },
//!     },
//!     properties: &[
//!         Property {
//!             name: "ttl",
//!             usage: "ttl SECONDS",
//!             default: "3600",
//!             doc: "The TTL of every answer.",
//!             repeats: Repeats::LastWins,
//!             read: |config, args| {
//!                 config.ttl = args.one(kind::seconds(1..=65_535))?;
//!                 Ok(())
//!             },
//!         },
//!         Property {
//!             name: "fallthrough",
//!             usage: "fallthrough [ZONES...]",
//!             default: "",
//!             doc: "Asks the next plugin for names in ZONES that do not exist here.",
//!             repeats: Repeats::LastWins,
//!             read: |config, args| {
//!                 config.fallthrough = args.fallthrough();
//!                 Ok(())
//!             },
//!         },
//!     ],
//!     otherwise: None,
//! };
//!
//! fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
//!     let mut config = Config { ttl: 3600, ..Config::default() };
//!     let mistakes = SYNTAX.read(block, &mut config);
//!     mistakes.accept(config)
//! }
//!
//! let text = b"example.org {\n    example {\n        ttl 0\n    }\n}\n";
//! let parsed = corefile::parse("Corefile", text, &());
//! let block = parsed.blocks[0].block("example").unwrap();
//! let mistakes = read(&block).err().unwrap();
//! assert!(mistakes.render(&parsed.sources, false).starts_with(
//!     "error: `ttl` must be between 1 and 65535 seconds\n --> Corefile:3:13\n"
//! ));
//! ```

mod args;
mod syntax;

pub use args::Args;
pub use syntax::{Form, Property, Reader, Repeats, Syntax};
