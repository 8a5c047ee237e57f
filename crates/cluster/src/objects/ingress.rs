//! Ingresses: what is kept of them, and their JSON.

use super::document::{Metadata, Shape, null_as_default};
use super::service::Status;
use super::{Ingress, Kind, Object};
use serde::{Deserialize, Serialize};

/// An object of kind `Ingress`. ([`Ingress`] is what the API calls one way in of a load balancer.)
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct IngressObject {
    /// `metadata.namespace`, a DNS label.
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
    /// `spec.ingressClassName`; empty if it has none.
    pub class: String,
    /// `spec.rules[].host`: names, perhaps with `*` as the first label.
    pub hosts: Vec<String>,
    /// `status.loadBalancer.ingress`
    pub ways: Vec<Ingress>,
}

#[derive(Deserialize)]
pub(super) struct IngressShape {
    metadata: Metadata,
    #[serde(default, deserialize_with = "null_as_default")]
    spec: Spec,
    #[serde(default, deserialize_with = "null_as_default")]
    status: Status,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    ingress_class_name: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    rules: Vec<Rule>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Rule {
    host: Option<String>,
}

impl Shape for IngressShape {
    const KIND: Kind = Kind::Ingress;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn into_object(self) -> Option<Object> {
        let hosts = self.spec.rules.into_iter().filter_map(|rule| rule.host);
        Some(Object::Ingress(IngressObject {
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            class: self.spec.ingress_class_name.unwrap_or_default(),
            hosts: hosts.filter(|host| !host.is_empty()).collect(),
            ways: self.status.ingress(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Document;

    #[test]
    fn an_ingress_with_everything_else() {
        let json = r#"{"metadata": {"name": "web", "namespace": "shop"},
            "spec": {"ingressClassName": "nginx", "tls": [{"hosts": ["x.example.com"]}],
                     "rules": [{"host": "a.example.com", "http": {"paths": []}}, {"http": {}}, {"host": null}, {"host": "*.b.example.com"}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ports": []}, {"hostname": "lb.example.net"}]}}}"#;
        let document = Document::from_json(Kind::Ingress, json).unwrap();
        let Some(Object::Ingress(ingress)) = document.object else { panic!("{document:?}") };
        assert_eq!(ingress.class, "nginx");
        assert_eq!(ingress.hosts, ["a.example.com", "*.b.example.com"]);
        let ways = [
            Ingress::Address("192.0.2.1".parse().unwrap()),
            Ingress::Hostname("lb.example.net".to_owned()),
        ];
        assert_eq!(ingress.ways, ways);
    }

    #[test]
    fn an_ingress_with_nothing() {
        let json = r#"{"metadata": {"name": "web", "namespace": "shop"}, "spec": {"rules": null, "ingressClassName": null}, "status": null}"#;
        let document = Document::from_json(Kind::Ingress, json).unwrap();
        let Some(Object::Ingress(ingress)) = document.object else { panic!("{document:?}") };
        assert!(ingress.class.is_empty() && ingress.hosts.is_empty() && ingress.ways.is_empty());
    }
}
