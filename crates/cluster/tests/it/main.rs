//! Tests of the whole crate, in one binary.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::disallowed_methods, reason = "a test has no clock but the real one")]

mod answers;
mod api;
mod common;
mod external;
mod forms;
mod histories;
mod order;
mod transfer;
mod watch;
mod watch_faults;
mod watch_flapping;
mod watch_streams;
