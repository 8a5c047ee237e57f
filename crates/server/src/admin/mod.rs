//! What operators and probes talk to beside DNS: HTTP for health, readiness and metrics.

pub(crate) mod http;
pub(crate) mod limits;
