//! Names that ingresses, routes and services ask for, and where they are reached from outside.
//!
//! **What this is.** What `k8s_gateway` answers from: `kept` is what matters of an object, `claims`
//! knows which object asks for which name and publishes a `host` for each, [`View::answer`] finds the
//! records for a question.
//!
//! ```text
//! Ingress ─────────────────────┐
//! Service (LoadBalancer) ──────┤
//! Service ─ its EndpointSlices ┼─ claims ─ host ─ View::answer ─ records
//! HTTPRoute … ─ its Gateways ──┤
//! DNSEndpoint, Node ───────────┘
//! ```
//!
//! **What this is not.** It looks up no name of a load balancer: the answer is an alias to it.
//!
//! **Where to start reading.** [`View::answer`], then `Claims::take`.

mod answer;
pub(crate) mod claims;
pub(crate) mod host;
mod kept;
mod view;

pub use answer::Found;
pub use view::{BadOptions, NodeAddresses, Options, View};

use crate::Cluster;
use wire::Name;

impl Cluster {
    /// Shows every name that an ingress, a route or a service asks for, in lower case.
    pub fn visit_hosts(&self, show: &mut dyn FnMut(Name<'_>)) {
        self.hosts.visit(|host| {
            if let Some(name) = host.name() {
                show(name.as_name());
            }
        });
    }
}
