//! DNS as a scenario writes it: questions, expected replies, records in text; and the client that
//! asks.
//!
//! Not a resolver and not a zone-file reader: one question goes to one server, and what comes back
//! is compared with what was written down. Start with [`Question::read`] and [`Expected::read`].

mod client;
mod compare;
mod expected;
mod question;
mod record;

pub(crate) use client::answers;
pub use client::{Answer, Client};
pub use expected::{Expected, ExpectedMessage, ExpectedOpt, ExpectedOption, Received};
pub use question::{Question, Transport};
pub use record::{Field, RecordLine, TtlRange};
