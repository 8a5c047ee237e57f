//! Gateways of the Gateway API: what is kept of them, and their JSON.

use super::document::{Metadata, Shape, null_as_default};
use super::{Ingress, Kind, Object};
use serde::{Deserialize, Serialize};

/// A gateway: where what its routes ask for is reached.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Gateway {
    /// `metadata.namespace`, a DNS label.
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
    /// `spec.gatewayClassName`
    pub class: String,
    /// `status.addresses`
    pub ways: Vec<Ingress>,
}

#[derive(Deserialize)]
pub(super) struct GatewayShape {
    metadata: Metadata,
    #[serde(default, deserialize_with = "null_as_default")]
    spec: Spec,
    #[serde(default, deserialize_with = "null_as_default")]
    status: Status,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    #[serde(deserialize_with = "null_as_default")]
    gateway_class_name: String,
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
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    value: String,
}

impl AddressShape {
    /// The API's default type is `IPAddress`. Implementations have types of their own, which no
    /// record can be made of.
    fn into_way(self) -> Option<Ingress> {
        match self.kind.as_deref() {
            None | Some("IPAddress") => self.value.parse().ok().map(Ingress::Address),
            Some("Hostname") if !self.value.is_empty() => Some(Ingress::Hostname(self.value)),
            Some(_) => None,
        }
    }
}

impl Shape for GatewayShape {
    const KIND: Kind = Kind::Gateway;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn into_object(self) -> Option<Object> {
        let ways = self.status.addresses.into_iter().filter_map(AddressShape::into_way);
        Some(Object::Gateway(Gateway {
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            class: self.spec.gateway_class_name,
            ways: ways.collect(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Document;

    #[test]
    fn addresses_of_every_type() {
        let json = r#"{"metadata": {"name": "gw", "namespace": "infra"},
            "spec": {"gatewayClassName": "istio", "listeners": [{"name": "http"}]},
            "status": {"addresses": [{"value": "192.0.2.1"}, {"type": "IPAddress", "value": "2001:db8::1"},
                {"type": "Hostname", "value": "lb.example.net"}, {"type": "example.com/vip", "value": "7"},
                {"type": "IPAddress", "value": "odd"}, {"type": null, "value": null}]}}"#;
        let document = Document::from_json(Kind::Gateway, json).unwrap();
        let Some(Object::Gateway(gateway)) = document.object else { panic!("{document:?}") };
        assert_eq!(gateway.class, "istio");
        let ways = [
            Ingress::Address("192.0.2.1".parse().unwrap()),
            Ingress::Address("2001:db8::1".parse().unwrap()),
            Ingress::Hostname("lb.example.net".to_owned()),
        ];
        assert_eq!(gateway.ways, ways);
    }

    #[test]
    fn a_gateway_with_nothing() {
        let json = r#"{"metadata": {"name": "gw", "namespace": "infra"}, "spec": null, "status": {"addresses": null}}"#;
        let document = Document::from_json(Kind::Gateway, json).unwrap();
        let Some(Object::Gateway(gateway)) = document.object else { panic!("{document:?}") };
        assert!(gateway.class.is_empty() && gateway.ways.is_empty());
    }
}
