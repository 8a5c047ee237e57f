//! What a plugin can know of the search lists of clients.

use chain::Exchange;
use std::net::IpAddr;
use wire::{Name, NameBuf};

/// Somebody who knows in which domains a client looks for a name before it asks for the name as it
/// stands (resolv.conf(5), `search`).
pub trait SearchPath: Send + Sync {
    /// The first of the domains of this client; none if it is not known.
    fn first(&self, x: &Exchange) -> Option<NameBuf>;

    /// The others, in their order, for a name in the first; the last is the root, which stands for
    /// the name as it is. They are the same for all clients.
    fn others(&self, name: Name<'_>) -> &[NameBuf];
}

/// Somebody who knows the pods of a cluster, for who wants to ask as one of them would.
pub trait Pods: Send + Sync {
    /// The domain of the cluster, which the search lists of its pods are made of.
    fn domain(&self) -> NameBuf;

    /// The address of a pod; none if it is not known, or pods are not watched.
    fn address_of(&self, namespace: &str, name: &str) -> Option<IpAddr>;
}

/// A list that all clients have.
pub(crate) struct Fixed(Vec<NameBuf>);

impl Fixed {
    /// These domains, and then the root; none if there is no domain.
    pub(crate) fn new(domains: Vec<NameBuf>) -> Option<Self> {
        let has_some = domains.iter().any(|domain| !domain.as_name().is_root());
        has_some.then(|| Self(with_root(domains)))
    }
}

impl SearchPath for Fixed {
    fn first(&self, _: &Exchange) -> Option<NameBuf> {
        self.0.first().copied()
    }

    fn others(&self, _: Name<'_>) -> &[NameBuf] {
        self.0.get(1..).unwrap_or_default()
    }
}

/// These domains without what stands for the name as it is, and that as the last.
pub(crate) fn with_root(mut domains: Vec<NameBuf>) -> Vec<NameBuf> {
    domains.retain(|domain| !domain.as_name().is_root());
    domains.push(NameBuf::root());
    domains
}
