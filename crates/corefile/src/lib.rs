//! Corefiles: text to a tree with positions, and everything that is wrong with them at once.
//!
//! **What this is.** The language of CoreDNS's configuration, with all its corners: words, server
//! blocks, snippets, imports, environment variables ([`parse()`]); what was written for an old
//! CoreDNS put into today's words ([`modernise`], and [`migrate()`] in its text); its layout
//! ([`format()`]); and the pieces from which plugins read their directives ([`Syntax`], [`Property`],
//! [`Args`], [`kind`]).
//!
//! **What this is not.** It reads no file and no environment: [`Surroundings`] does. It knows no
//! plugin: a plugin's own table says what its directive looks like.
//!
//! **Where to start reading.** [`parse()`] for the way in, [`ServerBlock`] for what comes out,
//! [`Syntax`] for how a plugin reads its directive, [`Mistakes`] for what the operator sees.
#![forbid(unsafe_code)]

mod code;
mod directives;
mod effective;
mod key;
pub mod kind;
mod layout;
mod legacy;
mod migrate;
mod mistake;
mod parse;
mod read;
mod render;
mod source;
mod suggest;
mod surroundings;
mod tree;
mod zone;

pub use code::Code;
pub use directives::check_directives;
pub use effective::effective;
pub use key::{Claim, Claims, Key, Scheme};
pub use layout::format;
pub use legacy::{Release, modernise};
pub use migrate::{Migration, migrate};
pub use mistake::{Accepted, Mistake, Mistakes, Note, Severity, shown};
pub use parse::{Parsed, parse};
pub use read::{Args, Form, Property, Reader, Repeats, Syntax};
pub use source::{Position, Sources, Span};
pub use surroundings::{Surroundings, Unreadable};
pub use tree::{Block, Directive, Line, ServerBlock, Word, content};
pub use zone::{BadZone, zones};
