//! What the cluster tells, cut down to what names and records are made of.
//!
//! **What this is.** [`Object`] and [`Event`], which sources produce and [`crate::Model`] takes;
//! [`Document`] reads one object out of JSON.
//!
//! **What this is not.** No copy of the Kubernetes API: a field that no answer depends on is
//! skipped while reading and never stored.

mod document;

pub use document::{Document, Odd};

use jiff::Timestamp;
use std::net::IpAddr;

/// The kinds of objects that answers are made of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// `v1` `Namespace`.
    Namespace,
    /// `v1` `Service`.
    Service,
    /// `discovery.k8s.io/v1` `EndpointSlice`.
    EndpointSlice,
    /// `v1` `Pod`; only for `pods verified`.
    Pod,
}

impl Kind {
    /// All, in the order in which it is useful to read them.
    pub const ALL: [Self; 4] = [Self::Namespace, Self::Service, Self::EndpointSlice, Self::Pod];

    /// The word of a manifest's `kind:`, and of log lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Namespace => "Namespace",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::Pod => "Pod",
        }
    }
}

/// A set of [`Kind`]s.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Kinds(u8);

impl Kinds {
    /// None.
    pub const fn none() -> Self {
        Self(0)
    }

    /// These and `kind`.
    #[must_use]
    pub const fn with(self, kind: Kind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    /// Whether `kind` is among them.
    pub const fn has(self, kind: Kind) -> bool {
        self.0 >> kind as u8 & 1 != 0
    }

    /// Whether all of `kinds` are among them.
    pub const fn has_all(self, kinds: Self) -> bool {
        self.0 & kinds.0 == kinds.0
    }

    /// A number for an atomic.
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    /// What [`Kinds::bits`] gave.
    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }
}

/// What tells an object from the others of its kind.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Key {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; empty for a namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Something that happened to the cluster, as a source tells it.
///
/// Events of one object must come in their order; otherwise any order leads to the same answers.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The object is there, new or changed.
    Apply(Object),
    /// The object is gone, or holds nothing that an answer needs.
    Delete(Key),
    /// All objects of the kind follow as [`Event::Apply`], among other events of the kind or not.
    RelistBegin(Kind),
    /// They have been told: what was not among them is gone. Ends the first such list of each
    /// kind, the cluster is known.
    RelistEnd(Kind),
}

/// An object that answers are made of.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "the variants are the kinds")]
pub enum Object {
    Namespace(Namespace),
    Service(Service),
    EndpointSlice(EndpointSlice),
    Pod(Pod),
}

impl Object {
    /// What tells it from others.
    pub fn key(&self) -> Key {
        let (kind, namespace, name) = match self {
            Self::Namespace(it) => (Kind::Namespace, "", &it.name),
            Self::Service(it) => (Kind::Service, it.namespace.as_str(), &it.name),
            Self::EndpointSlice(it) => (Kind::EndpointSlice, it.namespace.as_str(), &it.name),
            Self::Pod(it) => (Kind::Pod, it.namespace.as_str(), &it.name),
        };
        Key { kind, namespace: namespace.to_owned(), name: name.clone() }
    }
}

/// A namespace. It exists as long as its object does, terminating or not.
#[derive(Clone, PartialEq, Debug)]
pub struct Namespace {
    /// `metadata.name`, a DNS label.
    pub name: String,
}

/// A service.
#[derive(Clone, PartialEq, Debug)]
pub struct Service {
    /// `metadata.namespace`, a DNS label.
    pub namespace: String,
    /// `metadata.name`, a DNS label.
    pub name: String,
    /// What its name leads to.
    pub target: Target,
    /// `spec.ports`.
    pub ports: Vec<Port>,
}

/// What the name of a service leads to.
#[derive(Clone, PartialEq, Debug)]
pub enum Target {
    /// These addresses: of types ClusterIP, NodePort and LoadBalancer. None as long as the
    /// cluster has not assigned one.
    ClusterIps(Vec<IpAddr>),
    /// The addresses of its endpoints: `clusterIP: None`.
    Endpoints,
    /// Another name: of type ExternalName.
    Name(String),
}

/// A port of a service or of an EndpointSlice.
#[derive(Clone, PartialEq, Debug)]
pub struct Port {
    /// Its name; empty if it has none.
    pub name: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// Its number; none in a slice that stands for all ports.
    pub number: Option<u16>,
}

/// A part of the endpoints of a service.
#[derive(Clone, PartialEq, Debug)]
pub struct EndpointSlice {
    /// `metadata.namespace`, a DNS label.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// The label `kubernetes.io/service-name`: the name of its service, in the same namespace.
    pub service: String,
    /// The endpoints that are ready; those whose readiness is unknown count as ready.
    pub endpoints: Vec<Endpoint>,
    /// The ports that all these endpoints have.
    pub ports: Vec<Port>,
    /// The annotation `endpoints.kubernetes.io/last-change-trigger-time`: when the change that
    /// led to this slice happened.
    pub triggered: Option<Timestamp>,
}

/// A ready endpoint.
#[derive(Clone, PartialEq, Debug)]
pub struct Endpoint {
    /// Its addresses; nearly always one.
    pub addresses: Vec<IpAddr>,
    /// `hostname`: the label that names it.
    pub hostname: Option<String>,
    /// `targetRef.name`: the name of its pod.
    pub pod: Option<String>,
}

/// A pod that is neither finished nor being deleted.
#[derive(Clone, PartialEq, Debug)]
pub struct Pod {
    /// `metadata.namespace`, a DNS label.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `status.podIP`. CoreDNS knows none of `podIPs` either.
    pub address: IpAddr,
}
