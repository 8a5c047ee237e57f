//! Objects out of documents: what the shapes of all kinds share. Each kind has its own in its file.

use super::dns_endpoint::DnsEndpointShape;
use super::endpoint_slice::SliceShape;
use super::gateway::GatewayShape;
use super::imported_slice::ImportedShape;
use super::ingress::IngressShape;
use super::namespace::NamespaceShape;
use super::node::NodeShape;
use super::pod::PodShape;
use super::route::{GrpcRouteShape, HttpRouteShape, OldTlsRouteShape, TlsRouteShape};
use super::service::ServiceShape;
use super::service_import::ImportShape;
use super::{Event, Key, Kind, Object, protobuf};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use std::fmt;

/// One object as a source gave it.
#[derive(Clone, PartialEq, Debug)]
pub struct Document {
    /// Its key, also when it holds nothing that answers need.
    pub key: Key,
    /// The object, unless it holds nothing that answers need: a slice of no service, a pod that
    /// has no address yet, is finished or is being deleted.
    pub object: Option<Object>,
    /// `metadata.resourceVersion`; empty in manifests.
    pub resource_version: String,
}

/// A document that is not an object of the kind that was expected.
#[derive(Debug)]
pub struct Odd {
    /// What was wrong, in serde's words.
    pub reason: String,
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Odd {}

impl Document {
    /// Reads JSON text. Items of lists name no kind, so the caller says which is expected.
    pub fn from_json(kind: Kind, json: &str) -> Result<Self, Odd> {
        match kind {
            Kind::Namespace => read::<NamespaceShape>(json),
            Kind::Service => read::<ServiceShape>(json),
            Kind::EndpointSlice => read::<SliceShape>(json),
            Kind::Pod => read::<PodShape>(json),
            Kind::ServiceImport => read::<ImportShape>(json),
            Kind::ImportedSlice => read::<ImportedShape>(json),
            Kind::Ingress => read::<IngressShape>(json),
            Kind::Gateway => read::<GatewayShape>(json),
            Kind::HttpRoute => read::<HttpRouteShape>(json),
            Kind::GrpcRoute => read::<GrpcRouteShape>(json),
            Kind::TlsRoute => read::<TlsRouteShape>(json),
            Kind::OldTlsRoute => read::<OldTlsRouteShape>(json),
            Kind::DnsEndpoint => read::<DnsEndpointShape>(json),
            Kind::Node => read::<NodeShape>(json),
        }
    }

    /// Reads the same object in the binary form of the API server, without an envelope. Kinds of
    /// CustomResourceDefinitions have none.
    pub fn from_protobuf(kind: Kind, message: &[u8]) -> Result<Self, Odd> {
        match kind {
            Kind::Namespace => read_message::<NamespaceShape>(message),
            Kind::Service => read_message::<ServiceShape>(message),
            Kind::EndpointSlice => read_message::<SliceShape>(message),
            Kind::Pod => read_message::<PodShape>(message),
            Kind::ServiceImport => read_message::<ImportShape>(message),
            Kind::ImportedSlice => read_message::<ImportedShape>(message),
            Kind::Ingress => read_message::<IngressShape>(message),
            Kind::Gateway => read_message::<GatewayShape>(message),
            Kind::HttpRoute => read_message::<HttpRouteShape>(message),
            Kind::GrpcRoute => read_message::<GrpcRouteShape>(message),
            Kind::TlsRoute => read_message::<TlsRouteShape>(message),
            Kind::OldTlsRoute => read_message::<OldTlsRouteShape>(message),
            Kind::DnsEndpoint => read_message::<DnsEndpointShape>(message),
            Kind::Node => read_message::<NodeShape>(message),
        }
    }

    /// What the document says has happened.
    pub fn into_event(self) -> Event {
        self.object.map_or(Event::Delete(self.key), Event::Apply)
    }
}

fn read<S: Shape>(json: &str) -> Result<Document, Odd> {
    let shape: S = serde_json::from_str(json).map_err(|error| Odd { reason: error.to_string() })?;
    document(shape)
}

fn read_message<S: Shape>(message: &[u8]) -> Result<Document, Odd> {
    let Some(schema) = protobuf::of_kind(S::KIND) else {
        return Err(Odd { reason: format!("a {} has no binary form", S::KIND.name()) });
    };
    let shape: S =
        protobuf::read(schema, message).map_err(|error| Odd { reason: error.to_string() })?;
    document(shape)
}

fn document<S: Shape>(shape: S) -> Result<Document, Odd> {
    let metadata = shape.metadata();
    // What lies in no namespace may say that it does, in a manifest.
    let namespace =
        if S::KIND.is_namespaced() { metadata.namespace.clone() } else { String::new() };
    let key = Key { kind: S::KIND, namespace, name: metadata.name.clone() };
    check_names(&key).map_err(|reason| Odd { reason })?;
    let resource_version = metadata.resource_version.clone();
    Ok(Document { key, object: shape.into_object(), resource_version })
}

/// The longest name of an object that need not be a label.
const NAME_LEN_MAX: usize = 253;

/// The API server refuses names that are no labels, but a manifest may hold anything.
pub(super) fn check_names(key: &Key) -> Result<(), String> {
    let is_label = |text: &str| {
        (1..=wire::LABEL_MAX).contains(&text.len())
            && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
    };
    let needs_label = matches!(key.kind, Kind::Namespace | Kind::Service | Kind::ServiceImport);
    if needs_label && !is_label(&key.name) {
        return Err(format!("`metadata.name` {:?} is no DNS label", key.name));
    }
    if !(1..=NAME_LEN_MAX).contains(&key.name.len()) {
        return Err(format!("`metadata.name` has not 1 to {NAME_LEN_MAX} characters"));
    }
    if key.kind.is_namespaced() && !is_label(&key.namespace) {
        return Err(format!("`metadata.namespace` {:?} is no DNS label", key.namespace));
    }
    Ok(())
}

/// A document of one kind.
pub(super) trait Shape: DeserializeOwned {
    const KIND: Kind;
    fn metadata(&self) -> &Metadata;
    fn into_object(self) -> Option<Object>;
}

/// The API writes `null` for absent lists and objects now and then.
pub(super) fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub(super) name: String,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) namespace: String,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) resource_version: String,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) labels: Labels,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) annotations: Annotations,
    pub(super) creation_timestamp: Option<String>,
    pub(super) deletion_timestamp: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Labels {
    #[serde(rename = "kubernetes.io/service-name")]
    pub(super) service: Option<String>,
    #[serde(rename = "multicluster.kubernetes.io/service-name")]
    pub(super) imported_service: Option<String>,
    #[serde(rename = "multicluster.kubernetes.io/source-cluster")]
    pub(super) source_cluster: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Annotations {
    #[serde(rename = "endpoints.kubernetes.io/last-change-trigger-time")]
    pub(super) triggered: Option<String>,
    #[serde(rename = "coredns.io/hostname")]
    hostname: Option<String>,
    #[serde(rename = "external-dns.alpha.kubernetes.io/hostname")]
    external_hostname: Option<String>,
    #[serde(rename = "k8s-gateway.dns/resolve-endpoints")]
    resolve_endpoints: Option<String>,
}

impl Annotations {
    /// The names that a service asks for, separated by commas. CoreDNS's own annotation wins.
    pub(super) fn hostnames(&self) -> Vec<String> {
        let text = self.hostname.as_deref().or(self.external_hostname.as_deref());
        let names = text.unwrap_or_default().split(',').map(str::trim);
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// Whether a service wants its names to lead to its endpoints.
    pub(super) fn resolves_endpoints(&self) -> bool {
        self.resolve_endpoints.as_deref() == Some("true")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{Ingress, Port, Target};
    use proptest::prelude::*;

    fn object(kind: Kind, json: &str) -> Option<Object> {
        Document::from_json(kind, json).unwrap().object
    }

    #[test]
    fn a_service_with_everything_else() {
        let json = r#"{"kind": "Service", "apiVersion": "v1",
            "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "17",
                         "managedFields": [{"x": {}}], "labels": {"a": "b"}, "annotations": null},
            "spec": {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1", "odd"],
                     "ports": [{"name": "http", "port": 80, "targetPort": "web"}, {"port": 53, "protocol": "UDP"}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "lb.example.net"}]}}}"#;
        let document = Document::from_json(Kind::Service, json).unwrap();
        assert_eq!(document.resource_version, "17");
        let Some(Object::Service(service)) = document.object else { panic!("{document:?}") };
        let ips = vec!["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
        assert_eq!(service.target, Target::ClusterIps(ips));
        let ingress = [
            Ingress::Address("192.0.2.1".parse().unwrap()),
            Ingress::Hostname("lb.example.net".to_owned()),
        ];
        assert_eq!(service.exposure.ingress, ingress);
        let ports: Vec<_> = service
            .ports
            .iter()
            .map(|p| (p.name.as_str(), p.protocol.as_str(), p.number))
            .collect();
        assert_eq!(ports, [("http", "TCP", Some(80)), ("", "UDP", Some(53))]);
    }

    #[test]
    fn targets() {
        let target = |spec: &str| {
            let json =
                format!(r#"{{"metadata": {{"name": "a", "namespace": "b"}}, "spec": {spec}}}"#);
            let Some(Object::Service(it)) = object(Kind::Service, &json) else { panic!("{json}") };
            it.target
        };
        let one = Target::ClusterIps(vec!["10.0.0.1".parse().unwrap()]);
        assert_eq!(target(r#"{"clusterIP": "10.0.0.1", "ports": null}"#), one);
        assert_eq!(target(r#"{"clusterIP": "None", "clusterIPs": ["None"]}"#), Target::Endpoints);
        assert_eq!(target(r#"{"clusterIP": "None"}"#), Target::Endpoints);
        assert_eq!(target(r#"{"clusterIP": ""}"#), Target::ClusterIps(vec![]));
        assert_eq!(target("null"), Target::ClusterIps(vec![]));
        let name =
            r#"{"type": "ExternalName", "externalName": "www.example.org", "clusterIP": "None"}"#;
        assert_eq!(target(name), Target::Name("www.example.org".to_owned()));
    }

    #[test]
    fn a_slice_keeps_what_is_ready() {
        let json = r#"{"metadata": {"name": "db-x1", "namespace": "shop",
                "labels": {"kubernetes.io/service-name": "db", "other": "1"},
                "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "2026-01-02T03:04:05Z"}},
            "addressType": "IPv4", "endpoints": [
                {"addresses": ["172.20.2.1"], "hostname": "db-0", "conditions": {"ready": true}, "zone": "us-west-2a"},
                {"addresses": ["172.20.2.2"], "conditions": {"ready": false, "serving": true}},
                {"addresses": ["172.20.2.3", "www.example.org"], "conditions": null,
                 "targetRef": {"kind": "Pod", "name": "db-2"}},
                {"addresses": null, "conditions": {"ready": null}}],
            "ports": [{"name": null, "port": null, "protocol": null}]}"#;
        let Some(Object::EndpointSlice(slice)) = object(Kind::EndpointSlice, json) else {
            panic!("no slice");
        };
        assert_eq!(slice.service, "db");
        assert_eq!(slice.triggered.unwrap().as_second(), 1_767_323_045);
        assert_eq!(slice.endpoints.len(), 3);
        assert_eq!(slice.endpoints[0].hostname.as_deref(), Some("db-0"));
        assert_eq!(slice.endpoints[1].addresses.len(), 1);
        assert_eq!(slice.endpoints[1].pod.as_deref(), Some("db-2"));
        let zones = slice.endpoints.iter().map(|endpoint| endpoint.zone.as_deref());
        assert_eq!(zones.collect::<Vec<_>>(), [Some("us-west-2a"), None, None]);
        let port = Port { name: String::new(), protocol: "TCP".to_owned(), number: None };
        assert_eq!(slice.ports, [port]);
    }

    #[test]
    fn what_answers_do_not_need_is_a_delete() {
        let orphan = r#"{"metadata": {"name": "x", "namespace": "shop", "labels": null}}"#;
        let event = Document::from_json(Kind::EndpointSlice, orphan).unwrap().into_event();
        assert!(matches!(event, Event::Delete(Key { kind: Kind::EndpointSlice, .. })));
        for rest in [
            r#""status": {"podIP": "10.0.0.1", "phase": "Succeeded"}"#,
            r#""status": {"phase": "Pending"}"#,
            r#""status": {"podIP": ""}"#,
        ] {
            let json = format!(r#"{{"metadata": {{"name": "p", "namespace": "shop"}}, {rest}}}"#);
            assert_eq!(object(Kind::Pod, &json), None, "{rest}");
        }
        let doomed = r#"{"metadata": {"name": "p", "namespace": "shop", "deletionTimestamp": "2026-01-01T00:00:00Z"},
            "status": {"podIP": "10.0.0.1"}}"#;
        assert_eq!(object(Kind::Pod, doomed), None);
        let live =
            r#"{"metadata": {"name": "p", "namespace": "shop"}, "status": {"podIP": "fd00::1"}}"#;
        assert!(object(Kind::Pod, live).is_some());
    }

    #[test]
    fn odd_documents_are_refused() {
        for json in [
            "",
            "[]",
            "null",
            "{}",
            r#"{"metadata": null}"#,
            r#"{"metadata": {"name": 7}}"#,
            r#"{"metadata": {"name": "", "namespace": "b"}}"#,
            r#"{"metadata": {"name": "a.b", "namespace": "b"}}"#,
            r#"{"metadata": {"name": "a"}}"#,
            r#"{"metadata": {"name": "a", "namespace": "b"}, "spec": {"ports": [{"port": 70000}]}}"#,
        ] {
            assert!(Document::from_json(Kind::Service, json).is_err(), "{json}");
        }
    }

    #[test]
    fn what_lies_in_no_namespace_has_none() {
        let json = r#"{"metadata": {"name": "a", "namespace": "b"}}"#;
        for kind in Kind::ALL.into_iter().filter(|kind| !kind.is_namespaced()) {
            let document = Document::from_json(kind, json).unwrap();
            assert_eq!(document.key.namespace, "");
            assert_eq!(document.object.unwrap().key(), document.key);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,200}", field in "[a-zA-Z]{1,12}") {
            for kind in Kind::ALL {
                let _ = Document::from_json(kind, &text);
                let json = format!(r#"{{"metadata": {{"name": "a", "namespace": "b", {field:?}: {text:?}}}}}"#);
                let _ = Document::from_json(kind, &json);
            }
        }
    }
}
