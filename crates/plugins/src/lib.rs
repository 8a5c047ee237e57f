//! Every directive of the Corefile, a folder each.
//!
//! **What this is.** The plugins, the list of all ([`order`]), what they are built with ([`env`])
//! and how the blocks of a Corefile become a configuration that can serve ([`assemble`]).
//!
//! **What this is not.** It opens no socket, and no plugin knows another: what one wants of others
//! it asks for as a capability, in [`env`].
//!
//! **Where to start reading.** [`directive::Directive`] and one small plugin, such as `whoami`; then
//! [`assemble::assemble`].
#![forbid(unsafe_code)]

pub mod assemble;
mod bind;
mod cache;
mod debug;
pub mod directive;
pub mod env;
mod go_regex;
mod health;
pub mod kept;
pub mod lines;
pub mod metrics;
pub mod order;
mod ready;
mod reload;
mod rewrite;
mod root;
#[cfg(test)]
mod testing;
mod whoami;
mod zones;

/// The version of this server.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of CoreDNS whose place it takes.
pub const COREDNS_VERSION: &str = "1.14.7";

/// A duration as Go prints it, which is how CoreDNS's log has it: `5s`, `1m30s`.
pub use corefile::kind::shown_duration as go_duration;
