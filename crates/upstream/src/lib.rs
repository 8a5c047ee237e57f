//! Asking other DNS servers.
//!
//! **What this is.** The client side of `forward`: which server is asked (policy, health, failover),
//! over what (UDP sockets and pipelined TCP connections, shared by many questions), what counts as
//! an answer to the question that was sent, and what is reported when there is none.
//!
//! **What this is not.** It knows no plugin and no Corefile, caches nothing and changes nothing in
//! an answer. It starts tasks only on the runtime that it was given, and they end with what they
//! serve.
//!
//! **Bounds**, for each server: 512 UDP sockets with 64 open questions, 64 TCP connections with 256,
//! twice as many connections where probes and repetitions need their own. A set of servers: 64 of
//! them, 16,384 questions that others may join, `max_concurrent`.
//!
//! **Where to start reading.** [`Upstreams::ask`], then `attempts` for the order in which servers
//! are tried, `pool` and `traffic` for how questions share connections, `health` for when a server
//! is left alone.
#![forbid(unsafe_code)]

mod attempts;
mod connection;
mod failure;
mod flights;
mod health;
mod located;
mod packet;
mod plan;
mod pool;
mod query;
mod resolv_conf;
mod server;
mod settings;
mod slots;
mod stats;
mod target;
mod task;
mod tcp;
mod traffic;
mod udp;
mod upstreams;

pub use attempts::Answered;
pub use failure::{Cause, Failure, Link, Operation, OsError};
pub use located::{Located, Unresolved};
pub use query::{Query, Transport};
pub use resolv_conf::{Ignored, ResolvConf};
pub use settings::{HealthCheck, Policy, Settings, TransportRule};
pub use stats::{BUCKET_LIMITS, ConnectionUse, Histogram, ServerStats, Stats};
pub use target::{BadTarget, Host, Target};
pub use upstreams::Upstreams;

/// The target of log events: operators know what happens here by the name of the directive.
const LOG: &str = "plugin/forward";
