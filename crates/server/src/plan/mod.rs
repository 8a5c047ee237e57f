//! Which answers a change of the configuration changes: what `rutter plan` and `rutter compare` do.
//!
//! **What this is.** Two sides, each a configuration that is built and serves nobody ([`rehearsal`])
//! or a server that runs somewhere ([`remote`]); questions, named or made out of what the
//! configurations say ([`questions`], [`query_log`]); what came of each ([`outcome`]), what differs
//! ([`changes`]) and how that is told ([`report`]).
//!
//! **What this is not.** No command line: `commands::plan` and `commands::compare` are. It opens no
//! socket for a configuration, and sends to other servers only what it is told to.
//!
//! **Where to start reading.** [`trial::Trial::run`].

pub(crate) mod changes;
pub(crate) mod outcome;
pub(crate) mod query_log;
pub(crate) mod questions;
pub(crate) mod rehearsal;
pub(crate) mod remote;
pub(crate) mod report;
pub(crate) mod trial;
