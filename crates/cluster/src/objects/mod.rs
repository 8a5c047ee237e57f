//! What the cluster tells, cut down to what names and records are made of.
//!
//! **What this is.** [`Object`] and [`Event`], which sources produce and [`crate::Model`] takes;
//! [`Document`] reads one object out of JSON or Protocol Buffers.
//!
//! **What this is not.** No copy of the Kubernetes API: a field that no answer depends on is
//! skipped while reading and never stored.

mod dns_endpoint;
mod document;
mod endpoint_slice;
mod gateway;
mod imported_slice;
mod ingress;
mod kind;
mod namespace;
mod node;
mod pod;
pub(crate) mod protobuf;
mod route;
mod service;
mod service_import;

pub use dns_endpoint::{DnsEndpoint, DnsEntry, DnsTargets};
pub use document::{Document, Odd};
pub use endpoint_slice::{Endpoint, EndpointSlice};
pub use gateway::Gateway;
pub(crate) use imported_slice::IMPORTED_LABEL;
pub use imported_slice::ImportedSlice;
pub use ingress::IngressObject;
pub use kind::{Kind, Kinds};
pub use namespace::Namespace;
pub use node::Node;
pub use pod::Pod;
pub use route::{Parent, Route};
pub use service::{Exposure, Ingress, Port, Service, Target};

use serde::{Deserialize, Serialize};

/// What tells an object from the others of its kind.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Key {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; empty for a namespace and a node.
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
    /// A service of a set of clusters. Its target are addresses or endpoints.
    ServiceImport(Service),
    ImportedSlice(ImportedSlice),
    Ingress(IngressObject),
    Gateway(Gateway),
    HttpRoute(Route),
    GrpcRoute(Route),
    TlsRoute(Route),
    OldTlsRoute(Route),
    DnsEndpoint(DnsEndpoint),
    Node(Node),
}

impl Object {
    /// What tells it from others.
    pub fn key(&self) -> Key {
        let (kind, namespace, name) = match self {
            Self::Namespace(it) => (Kind::Namespace, "", &it.name),
            Self::Service(it) => (Kind::Service, it.namespace.as_str(), &it.name),
            Self::EndpointSlice(it) => (Kind::EndpointSlice, it.namespace.as_str(), &it.name),
            Self::Pod(it) => (Kind::Pod, it.namespace.as_str(), &it.name),
            Self::ServiceImport(it) => (Kind::ServiceImport, it.namespace.as_str(), &it.name),
            Self::ImportedSlice(ImportedSlice { slice, .. }) => {
                (Kind::ImportedSlice, slice.namespace.as_str(), &slice.name)
            }
            Self::Ingress(it) => (Kind::Ingress, it.namespace.as_str(), &it.name),
            Self::Gateway(it) => (Kind::Gateway, it.namespace.as_str(), &it.name),
            Self::HttpRoute(it) => (Kind::HttpRoute, it.namespace.as_str(), &it.name),
            Self::GrpcRoute(it) => (Kind::GrpcRoute, it.namespace.as_str(), &it.name),
            Self::TlsRoute(it) => (Kind::TlsRoute, it.namespace.as_str(), &it.name),
            Self::OldTlsRoute(it) => (Kind::OldTlsRoute, it.namespace.as_str(), &it.name),
            Self::DnsEndpoint(it) => (Kind::DnsEndpoint, it.namespace.as_str(), &it.name),
            Self::Node(it) => (Kind::Node, "", &it.name),
        };
        Key { kind, namespace: namespace.to_owned(), name: name.clone() }
    }

    /// Whether it is named as [`Document::from_json`] lets pass, for objects that come another way.
    #[cfg(feature = "watch")]
    pub(crate) fn check(&self) -> Result<(), String> {
        document::check_names(&self.key())?;
        let is_label = |what: &str, text: &str| match endpoint_slice::is_one_label(text) {
            true => Ok(()),
            false => Err(format!("a slice of the {what} {text:?}, which is no label")),
        };
        match self {
            Self::EndpointSlice(it) => is_label("service", &it.service),
            Self::ImportedSlice(it) => {
                is_label("service", &it.slice.service)?;
                is_label("cluster", &it.cluster)
            }
            Self::Namespace(_)
            | Self::Service(_)
            | Self::Pod(_)
            | Self::ServiceImport(_)
            | Self::Ingress(_)
            | Self::Gateway(_)
            | Self::HttpRoute(_)
            | Self::GrpcRoute(_)
            | Self::TlsRoute(_)
            | Self::OldTlsRoute(_)
            | Self::DnsEndpoint(_)
            | Self::Node(_) => Ok(()),
        }
    }
}
