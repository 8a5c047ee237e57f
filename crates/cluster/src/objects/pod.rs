//! Pods: what is kept of them, and their JSON.

use super::document::{Metadata, Shape, null_as_default};
use super::{Kind, Object};
use jiff::Timestamp;
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
    /// `status.startTime`, or else `metadata.creationTimestamp`: of several pods with one address the
    /// youngest has it, and the others are on their way out.
    pub started: Option<Timestamp>,
    /// Whether its address is that of its node (`spec.hostNetwork`), and so of other pods as well.
    pub shares_node: bool,
}

#[derive(Deserialize)]
pub(super) struct PodShape {
    metadata: Metadata,
    #[serde(default, deserialize_with = "null_as_default")]
    spec: PodSpec,
    #[serde(default, deserialize_with = "null_as_default")]
    status: PodStatus,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct PodSpec {
    host_network: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct PodStatus {
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    #[serde(rename = "hostIP")]
    host_ip: Option<String>,
    start_time: Option<String>,
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
        let node = self.status.host_ip.and_then(|text| text.parse().ok());
        let shares_node = self.spec.host_network == Some(true) || node == Some(address);
        let Metadata { namespace, name, creation_timestamp, .. } = self.metadata;
        let started = self.status.start_time.or(creation_timestamp);
        let started = started.and_then(|text| text.parse().ok());
        Some(Object::Pod(Pod { namespace, name, address, started, shares_node }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Document;

    fn pod(metadata: &str, spec: &str, status: &str) -> Pod {
        let json = format!(
            r#"{{"metadata": {{"name": "p", "namespace": "shop" {metadata}}}, "spec": {spec},
                "status": {{"podIP": "10.0.0.1" {status}}}}}"#
        );
        let object = Document::from_json(Kind::Pod, &json).unwrap().object;
        let Some(Object::Pod(pod)) = object else { panic!("no pod: {json}") };
        pod
    }

    #[test]
    fn a_pod_is_as_old_as_its_start() {
        let created = r#", "creationTimestamp": "2026-01-01T00:00:00Z""#;
        let started = r#", "startTime": "2026-01-01T00:00:09Z""#;
        let seconds =
            |metadata, status| pod(metadata, "null", status).started.map(Timestamp::as_second);
        assert_eq!(seconds(created, started), Some(1_767_225_609));
        assert_eq!(seconds(created, ""), Some(1_767_225_600));
        assert_eq!(seconds("", ""), None);
        assert_eq!(seconds("", r#", "startTime": "yesterday""#), None);
    }

    #[test]
    fn the_address_of_a_node_is_no_pods_own() {
        let shares = |spec, status| pod("", spec, status).shares_node;
        assert!(shares(r#"{"hostNetwork": true}"#, ""));
        assert!(shares("{}", r#", "hostIP": "10.0.0.1""#));
        assert!(!shares(r#"{"hostNetwork": null}"#, r#", "hostIP": "10.0.0.2""#));
        assert!(!shares("null", r#", "hostIP": null"#));
    }
}
