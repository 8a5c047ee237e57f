//! Pods: what is kept of them, and their JSON.

use super::document::{Metadata, Shape, null_as_default};
use super::{Kind, Object};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A pod that is neither finished nor being deleted.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Pod {
    /// `metadata.namespace`, a DNS label.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `status.podIP`. CoreDNS knows none of `podIPs` either.
    pub address: IpAddr,
}

#[derive(Deserialize)]
pub(super) struct PodShape {
    metadata: Metadata,
    #[serde(default, deserialize_with = "null_as_default")]
    status: PodStatus,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PodStatus {
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    phase: Option<String>,
}

impl Shape for PodShape {
    const KIND: Kind = Kind::Pod;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn into_object(self) -> Option<Object> {
        let is_finished =
            matches!(self.status.phase.as_deref(), Some("Succeeded" | "Failed" | "Unknown"));
        if is_finished || self.metadata.deletion_timestamp.is_some() {
            return None;
        }
        let address = self.status.pod_ip?.parse().ok()?;
        let Metadata { namespace, name, .. } = self.metadata;
        Some(Object::Pod(Pod { namespace, name, address }))
    }
}
