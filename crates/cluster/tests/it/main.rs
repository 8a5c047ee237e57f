//! Tests of the whole crate, in one binary.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod answers;
mod api;
mod common;
mod order;
mod watch;
