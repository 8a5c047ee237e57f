//! How a plugin reads its directive: one table says what every line looks like.
//!
//! Reading, messages, manual and completion all come from the table, so that they cannot disagree.
//! [`Syntax`] is the table, [`Args`] the words of one line, and [`crate::kind`] what a word can be.

mod args;
mod syntax;

pub use args::Args;
pub use syntax::{Form, Property, Reader, Repeats, Syntax};
