//! EndpointSlices: what is kept of them, and their JSON.

use super::document::{Labels, Metadata, Shape, null_as_default};
use super::service::PortShape;
use super::{Kind, Object, Port};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A part of the endpoints of a service.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
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
    #[serde(skip)]
    pub triggered: Option<Timestamp>,
}

/// A ready endpoint.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its addresses; nearly always one.
    pub addresses: Vec<IpAddr>,
    /// `hostname`: the label that names it.
    pub hostname: Option<String>,
    /// `targetRef.name`: the name of its pod.
    pub pod: Option<String>,
    /// `zone`: where in the cluster's topology it is.
    pub zone: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct SliceShape {
    metadata: Metadata,
    #[serde(default, deserialize_with = "null_as_default")]
    endpoints: Vec<EndpointShape>,
    #[serde(default, deserialize_with = "null_as_default")]
    ports: Vec<PortShape>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointShape {
    #[serde(default, deserialize_with = "null_as_default")]
    addresses: Vec<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    conditions: Conditions,
    hostname: Option<String>,
    target_ref: Option<TargetRef>,
    zone: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Conditions {
    /// Absent means ready; `serving` and `terminating` are ignored, as by CoreDNS.
    ready: Option<bool>,
}

#[derive(Deserialize)]
struct TargetRef {
    name: Option<String>,
}

impl EndpointShape {
    fn into_endpoint(self) -> Option<Endpoint> {
        if self.conditions.ready == Some(false) {
            return None;
        }
        // Slices of type FQDN hold names here, which have no place in an answer.
        let parsed = self.addresses.iter().filter_map(|text| text.parse::<IpAddr>().ok());
        Some(Endpoint {
            addresses: parsed.collect(),
            hostname: self.hostname.filter(|name| !name.is_empty()),
            pod: self.target_ref.and_then(|target| target.name).filter(|name| !name.is_empty()),
            zone: self.zone.filter(|name| !name.is_empty()),
        })
    }
}

impl SliceShape {
    pub(super) fn labels(&mut self) -> &mut Labels {
        &mut self.metadata.labels
    }

    /// The slice, if it belongs to a service.
    pub(super) fn into_slice(self) -> Option<EndpointSlice> {
        let triggered = self.metadata.annotations.triggered.as_deref();
        Some(EndpointSlice {
            service: self.metadata.labels.service.filter(|name| is_one_label(name))?,
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            endpoints: self
                .endpoints
                .into_iter()
                .filter_map(EndpointShape::into_endpoint)
                .collect(),
            ports: self.ports.into_iter().map(Port::from).collect(),
            triggered: triggered.and_then(|text| text.parse::<Timestamp>().ok()),
        })
    }
}

impl Shape for SliceShape {
    const KIND: Kind = Kind::EndpointSlice;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn into_object(self) -> Option<Object> {
        self.into_slice().map(Object::EndpointSlice)
    }
}

/// The length that the API allows for the values of labels is the one of labels in names.
pub(super) fn is_one_label(name: &str) -> bool {
    (1..=wire::LABEL_MAX).contains(&name.len())
}
