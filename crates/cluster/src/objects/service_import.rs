//! ServiceImports of the Multi-Cluster Services API: their JSON. What is kept of them is a
//! [`Service`].

use super::document::{Metadata, Shape, null_as_default};
use super::service::PortShape;
use super::{Exposure, Kind, Object, Port, Service, Target};
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct ImportShape {
    metadata: Metadata,
    #[serde(default, deserialize_with = "null_as_default")]
    spec: ImportSpec,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ImportSpec {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    ips: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    ports: Vec<PortShape>,
}

impl Shape for ImportShape {
    const KIND: Kind = Kind::ServiceImport;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn into_object(self) -> Option<Object> {
        let ImportSpec { kind, ips, ports } = self.spec;
        let target = match kind.as_deref() {
            Some("Headless") => Target::Endpoints,
            // `ClusterSetIP`, and whatever may come to be that has addresses.
            _ => Target::ClusterIps(ips.iter().filter_map(|ip| ip.parse().ok()).collect()),
        };
        Some(Object::ServiceImport(Service {
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            target,
            ports: ports.into_iter().map(Port::from).collect(),
            exposure: Exposure::default(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Document;

    #[test]
    fn types_of_imports() {
        let target = |spec: &str| {
            let json =
                format!(r#"{{"metadata": {{"name": "db", "namespace": "shop"}}, "spec": {spec}}}"#);
            match Document::from_json(Kind::ServiceImport, &json).unwrap().object {
                Some(Object::ServiceImport(service)) => service.target,
                other => panic!("{other:?}"),
            }
        };
        let ips = Target::ClusterIps(vec!["10.112.0.1".parse().unwrap()]);
        assert_eq!(target(r#"{"type": "ClusterSetIP", "ips": ["10.112.0.1", "odd"]}"#), ips);
        assert_eq!(target(r#"{"type": "Headless", "ips": null}"#), Target::Endpoints);
        assert_eq!(target("null"), Target::ClusterIps(vec![]));
    }
}
