//! Every directive of the Corefile, a folder each.
//!
//! **What this is.** The plugins, the list of all ([`order`]), what they are built with ([`mod@env`])
//! and how the blocks of a Corefile become a configuration that can serve ([`assemble`]).
//!
//! **What this is not.** It opens no socket, and no plugin knows another: what one wants of others
//! it asks for as a capability, in [`mod@env`].
//!
//! **Where to start reading.** [`directive::Directive`] and one small plugin, such as `whoami`; then
//! [`assemble::assemble`].
#![forbid(unsafe_code)]

mod acl;
mod any;
pub mod assemble;
mod authority;
mod auto;
mod autopath;
mod bind;
mod cache;
pub mod capabilities;
mod chaos;
mod clusters;
mod debug;
mod dice;
pub mod directive;
pub mod env;
mod errors;
mod file;
pub mod files;
mod forward;
mod go_duration;
mod go_regex;
pub mod handover;
mod health;
mod hostname;
mod hosts;
pub mod inspect;
mod k8s_external;
mod k8s_gateway;
pub mod kept;
mod kubernetes;
pub mod lines;
mod loadbalance;
mod local;
mod log;
mod r#loop;
mod metadata;
pub mod metrics;
mod minimal;
mod nsid;
pub mod order;
mod prometheus;
mod ready;
mod reload;
mod reply_kind;
mod rewrite;
mod root;
pub mod rutter_admin;
pub mod search_path;
pub mod stamp;
pub mod state;
#[cfg(test)]
mod testing;
mod transfer;
mod whoami;
mod zones;

pub use go_duration::go_duration;
pub(crate) use hostname::hostname;

/// The version of this server.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of CoreDNS whose place it takes.
pub const COREDNS_VERSION: &str = "1.14.7";
