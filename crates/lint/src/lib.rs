//! Corefiles that load and will hurt.
//!
//! **What this is.** Lints over the tree of a Corefile ([`lint()`]): each finds one way in which a
//! configuration that `serve` accepts fails its cluster, and says what to write instead. And a page
//! on every kind of mistake, those of the parser included ([`page`]).
//!
//! **What this is not.** It reads no file and builds no plugin; what is known of the place where the
//! Corefile will run comes in with a [`Scene`].
//!
//! **Where to start reading.** [`LINTS`], the table of all, then one small file under `lints/`.
#![forbid(unsafe_code)]

mod lints;
mod pages;
mod rules;
mod scene;
mod whole;

pub use lints::{LINTS, Lint, lint};
pub use pages::{PAGES, page};
pub use scene::{Scene, Sizes};
