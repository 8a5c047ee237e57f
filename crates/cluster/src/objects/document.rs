//! Objects out of documents: the shapes that serde reads, and what is kept of them.

use super::{
    Endpoint, EndpointSlice, Event, Key, Kind, Namespace, Object, Pod, Port, Service, Target,
};
use jiff::Timestamp;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::net::IpAddr;

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
    pub reason: serde_json::Error,
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
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
        }
    }

    /// What the document says has happened.
    pub fn into_event(self) -> Event {
        self.object.map_or(Event::Delete(self.key), Event::Apply)
    }
}

fn read<S: Shape>(json: &str) -> Result<Document, Odd> {
    let read = || {
        let shape: S = serde_json::from_str(json)?;
        let metadata = shape.metadata();
        let key = Key {
            kind: S::KIND,
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone(),
        };
        check_names(&key).map_err(serde_json::Error::custom)?;
        let resource_version = metadata.resource_version.clone();
        Ok(Document { key, object: shape.into_object(), resource_version })
    };
    read().map_err(|reason| Odd { reason })
}

/// The longest name of an object that need not be a label.
const NAME_LEN_MAX: usize = 253;

/// The API server refuses names that are no labels, but a manifest may hold anything.
fn check_names(key: &Key) -> Result<(), String> {
    let is_label = |text: &str| {
        (1..=wire::LABEL_MAX).contains(&text.len())
            && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
    };
    let needs_label = matches!(key.kind, Kind::Namespace | Kind::Service);
    if needs_label && !is_label(&key.name) {
        return Err(format!("`metadata.name` {:?} is no DNS label", key.name));
    }
    if !(1..=NAME_LEN_MAX).contains(&key.name.len()) {
        return Err(format!("`metadata.name` has not 1 to {NAME_LEN_MAX} characters"));
    }
    if key.kind != Kind::Namespace && !is_label(&key.namespace) {
        return Err(format!("`metadata.namespace` {:?} is no DNS label", key.namespace));
    }
    Ok(())
}

/// A document of one kind.
trait Shape: DeserializeOwned {
    const KIND: Kind;
    fn metadata(&self) -> &Metadata;
    fn into_object(self) -> Option<Object>;
}

/// The API writes `null` for absent lists and objects now and then.
fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: String,
    #[serde(deserialize_with = "null_as_default")]
    namespace: String,
    #[serde(deserialize_with = "null_as_default")]
    resource_version: String,
    #[serde(deserialize_with = "null_as_default")]
    labels: Labels,
    #[serde(deserialize_with = "null_as_default")]
    annotations: Annotations,
    deletion_timestamp: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Labels {
    #[serde(rename = "kubernetes.io/service-name")]
    service: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Annotations {
    #[serde(rename = "endpoints.kubernetes.io/last-change-trigger-time")]
    triggered: Option<String>,
}

#[derive(Deserialize)]
struct NamespaceShape {
    metadata: Metadata,
}

impl Shape for NamespaceShape {
    const KIND: Kind = Kind::Namespace;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn into_object(self) -> Option<Object> {
        Some(Object::Namespace(Namespace { name: self.metadata.name }))
    }
}

#[derive(Deserialize)]
struct ServiceShape {
    metadata: Metadata,
    #[serde(default, deserialize_with = "null_as_default")]
    spec: ServiceSpec,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ServiceSpec {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(rename = "clusterIP")]
    cluster_ip: Option<String>,
    #[serde(rename = "clusterIPs", deserialize_with = "null_as_default")]
    cluster_ips: Vec<String>,
    #[serde(rename = "externalName")]
    external_name: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    ports: Vec<PortShape>,
}

#[derive(Deserialize)]
struct PortShape {
    name: Option<String>,
    protocol: Option<String>,
    port: Option<u16>,
}

impl From<PortShape> for Port {
    fn from(shape: PortShape) -> Self {
        Self {
            name: shape.name.unwrap_or_default(),
            protocol: shape.protocol.unwrap_or_else(|| "TCP".to_owned()),
            number: shape.port,
        }
    }
}

impl Shape for ServiceShape {
    const KIND: Kind = Kind::Service;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn into_object(self) -> Option<Object> {
        let target = self.spec.target();
        Some(Object::Service(Service {
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            target,
            ports: self.spec.ports.into_iter().map(Port::from).collect(),
        }))
    }
}

impl ServiceSpec {
    fn target(&self) -> Target {
        if self.kind.as_deref() == Some("ExternalName") {
            return Target::Name(self.external_name.clone().unwrap_or_default());
        }
        let ips = match self.cluster_ips.as_slice() {
            // Servers before dual stack know `clusterIP` alone.
            [] => self.cluster_ip.as_slice(),
            ips => ips,
        };
        if ips.first().is_some_and(|ip| ip == "None") {
            return Target::Endpoints;
        }
        Target::ClusterIps(ips.iter().filter_map(|ip| ip.parse().ok()).collect())
    }
}

#[derive(Deserialize)]
struct SliceShape {
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
        })
    }
}

impl Shape for SliceShape {
    const KIND: Kind = Kind::EndpointSlice;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn into_object(self) -> Option<Object> {
        let triggered = self.metadata.annotations.triggered.as_deref();
        Some(Object::EndpointSlice(EndpointSlice {
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
        }))
    }
}

/// The length that the API allows for the values of labels is the one of labels in names.
fn is_one_label(name: &str) -> bool {
    (1..=wire::LABEL_MAX).contains(&name.len())
}

#[derive(Deserialize)]
struct PodShape {
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

#[cfg(test)]
mod tests {
    use super::*;
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
            "status": {"loadBalancer": {}}}"#;
        let document = Document::from_json(Kind::Service, json).unwrap();
        assert_eq!(document.resource_version, "17");
        let Some(Object::Service(service)) = document.object else { panic!("{document:?}") };
        let ips = vec!["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
        assert_eq!(service.target, Target::ClusterIps(ips));
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
                {"addresses": ["172.20.2.1"], "hostname": "db-0", "conditions": {"ready": true}},
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
