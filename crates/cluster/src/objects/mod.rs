//! What the cluster tells, cut down to what names and records are made of.
//!
//! **What this is.** [`Object`] and [`Event`], which sources produce and [`crate::Model`] takes;
//! [`Document`] reads one object out of JSON.
//!
//! **What this is not.** No copy of the Kubernetes API: a field that no answer depends on is
//! skipped while reading and never stored.

mod document;
mod endpoint_slice;
mod gateway;
mod ingress;
mod kind;
mod namespace;
mod pod;
mod route;
mod service;

pub use document::{Document, Odd};
pub use endpoint_slice::{Endpoint, EndpointSlice};
pub use gateway::Gateway;
pub use ingress::IngressObject;
pub use kind::{Kind, Kinds};
pub use namespace::Namespace;
pub use pod::Pod;
pub use route::{Parent, Route};
pub use service::{Exposure, Ingress, Port, Service, Target};

use serde::{Deserialize, Serialize};

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
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variants are the kinds")]
pub enum Object {
    Namespace(Namespace),
    Service(Service),
    EndpointSlice(EndpointSlice),
    Pod(Pod),
    Ingress(IngressObject),
    Gateway(Gateway),
    HttpRoute(Route),
    GrpcRoute(Route),
    TlsRoute(Route),
    OldTlsRoute(Route),
}

impl Object {
    /// What tells it from others.
    pub fn key(&self) -> Key {
        let (kind, namespace, name) = match self {
            Self::Namespace(it) => (Kind::Namespace, "", &it.name),
            Self::Service(it) => (Kind::Service, it.namespace.as_str(), &it.name),
            Self::EndpointSlice(it) => (Kind::EndpointSlice, it.namespace.as_str(), &it.name),
            Self::Pod(it) => (Kind::Pod, it.namespace.as_str(), &it.name),
            Self::Ingress(it) => (Kind::Ingress, it.namespace.as_str(), &it.name),
            Self::Gateway(it) => (Kind::Gateway, it.namespace.as_str(), &it.name),
            Self::HttpRoute(it) => (Kind::HttpRoute, it.namespace.as_str(), &it.name),
            Self::GrpcRoute(it) => (Kind::GrpcRoute, it.namespace.as_str(), &it.name),
            Self::TlsRoute(it) => (Kind::TlsRoute, it.namespace.as_str(), &it.name),
            Self::OldTlsRoute(it) => (Kind::OldTlsRoute, it.namespace.as_str(), &it.name),
        };
        Key { kind, namespace: namespace.to_owned(), name: name.clone() }
    }
}
