//! Tests of the whole crate, in one binary.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod answers;
mod common;
mod order;
