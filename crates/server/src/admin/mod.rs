//! What operators and probes talk to beside DNS.
//!
//! `http` serves probes and metrics. `api` is what `rutter_admin` opens, on a `socket`; `answers` has its
//! paths, `parameters` reads what stands behind them, `situation` and `inspected` are what is told there, and `history`
//! what came of reloads. `client` asks such a server, for the commands.

mod answers;
pub(crate) mod api;
pub(crate) mod client;
pub(crate) mod history;
pub(crate) mod http;
mod inspected;
mod parameters;
pub(crate) mod situation;
mod socket;
