//! Nodes: what is kept of them, and their JSON.

use super::document::{Metadata, Shape, null_as_default};
use super::{Kind, Object};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A node of the cluster.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Node {
    /// `metadata.name`
    pub name: String,
    /// `status.addresses` of type Hostname.
    pub hosts: Vec<String>,
    /// Those of type InternalIP.
    pub internal: Vec<IpAddr>,
    /// Those of type ExternalIP.
    pub external: Vec<IpAddr>,
}

#[derive(Deserialize)]
pub(super) struct NodeShape {
    metadata: Metadata,
    #[serde(default, deserialize_with = "null_as_default")]
    status: Status,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    #[serde(deserialize_with = "null_as_default")]
    addresses: Vec<AddressShape>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct AddressShape {
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    kind: String,
    #[serde(deserialize_with = "null_as_default")]
    address: String,
}

impl Shape for NodeShape {
    const KIND: Kind = Kind::Node;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn into_object(self) -> Option<Object> {
        let of_type = |kind| {
            let addresses = self.status.addresses.iter().filter(move |it| it.kind == kind);
            addresses.map(|it| it.address.as_str())
        };
        let ips = |kind| of_type(kind).filter_map(|text| text.parse().ok()).collect();
        let hosts = of_type("Hostname").map(str::to_owned).collect();
        let (internal, external) = (ips("InternalIP"), ips("ExternalIP"));
        Some(Object::Node(Node { name: self.metadata.name, hosts, internal, external }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Document;

    fn node(json: &str) -> Node {
        let document = Document::from_json(Kind::Node, json).unwrap();
        match document.object {
            Some(Object::Node(node)) => node,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn addresses_of_every_type() {
        let node = node(
            r#"{"metadata": {"name": "n1.example.com"}, "status": {"images": [{}], "addresses": [
                {"type": "InternalIP", "address": "10.0.0.1"}, {"type": "InternalIP", "address": "fd00::1"},
                {"type": "ExternalIP", "address": "192.0.2.1"}, {"type": "ExternalIP", "address": "odd"},
                {"type": "Hostname", "address": "n1"}, {"type": "InternalDNS", "address": "n1.internal"}]}}"#,
        );
        assert_eq!((node.name.as_str(), &*node.hosts), ("n1.example.com", &["n1".to_owned()][..]));
        let ips = |texts: &[&str]| -> Vec<IpAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        assert_eq!(node.internal, ips(&["10.0.0.1", "fd00::1"]));
        assert_eq!(node.external, ips(&["192.0.2.1"]));
    }

    #[test]
    fn a_node_with_nothing() {
        for status in ["null", "{}", r#"{"addresses": [{"type": null, "address": null}]}"#] {
            let node = node(&format!(r#"{{"metadata": {{"name": "n"}}, "status": {status}}}"#));
            assert!(node.hosts.is_empty() && node.internal.is_empty() && node.external.is_empty());
        }
    }
}
