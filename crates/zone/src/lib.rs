//! Zones: from a zone file to an answer.
//!
//! **What this is.** [`load`] reads a zone file (RFC 1035 §5 with `$TTL` of RFC 2308 and BIND's
//! `$GENERATE`) and reports every mistake with its place, [`Builder`] makes a [`Zone`] of records
//! from anywhere, and [`Zone::answer`] puts the answer to a question into a reply: delegations,
//! aliases, wildcards and denials as RFC 1034 §4.3.2, 4592 and 6672 want them, laid out as CoreDNS's
//! `file` plugin does. Where the two disagree, the comments say which one is followed.
//!
//! **What this is not.** It opens no file and reads no clock: texts come in, and whoever reloads
//! them decides when. It does not look outside of its zone: an alias that leads out of it is the
//! caller's to follow. It does not sign.
//!
//! **Where to start reading.** [`Zone::answer`] in `answer.rs`, then [`Zone`] for how records lie in
//! memory, then `file/` for the text.
#![forbid(unsafe_code)]

mod answer;
mod assembly;
mod builder;
mod file;
pub mod hosts;
mod mistake;
mod order;
mod zone;

pub use answer::{Found, Outcome};
pub use builder::{Builder, Loaded, Position, Record};
pub use file::{Finder, Include, Included, Source, load, read};
pub use mistake::{Fault, GenerateFault, Mistake, Mistakes};
pub use zone::{Records, Rrset, Zone};

#[cfg(test)]
mod tests;
