//! A real API server says the same in both of its forms, as we read them.
//!
//! `cargo xtask peers kubernetes` builds it, then `cargo test -p cluster --test it -- --ignored`.

use cluster::{Document, Kind, Object};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use xtask::cluster::{Cluster, Controllers, PlainApi};
use xtask::target_directory;

/// Resource definitions as far as the API server needs them; what they say of fields does not matter.
const DEFINITIONS: &[(&str, &str, &[&str], &str)] = &[
    ("externaldns.k8s.io", "DNSEndpoint", &["v1alpha1"], "dnsendpoints"),
    ("multicluster.x-k8s.io", "ServiceImport", &["v1alpha1"], "serviceimports"),
    ("gateway.networking.k8s.io", "Gateway", &["v1"], "gateways"),
    ("gateway.networking.k8s.io", "HTTPRoute", &["v1"], "httproutes"),
    ("gateway.networking.k8s.io", "GRPCRoute", &["v1"], "grpcroutes"),
    ("gateway.networking.k8s.io", "TLSRoute", &["v1", "v1alpha2"], "tlsroutes"),
];

/// Every field that we read, in every form that an API server lets pass.
const OBJECTS: &str = r"
{apiVersion: v1, kind: Namespace, metadata: {name: forms, labels: {team: a}}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: forms}}
---
{apiVersion: v1, kind: Node, metadata: {name: node-1}}
---
apiVersion: v1
kind: Service
metadata: {name: outside, namespace: forms, annotations: {coredns.io/hostname: 'a.example.com,b.example.com'}}
spec:
  type: LoadBalancer
  externalIPs: [192.0.2.7]
  ports: [{name: dns, port: 53, protocol: UDP, targetPort: 5353}, {name: dns-tcp, port: 53}, {name: sctp, port: 9, protocol: SCTP}]
---
apiVersion: v1
kind: Service
metadata: {name: annotated, namespace: forms, annotations: {external-dns.alpha.kubernetes.io/hostname: c.example.com}}
spec: {type: NodePort, clusterIP: 10.96.9.9, ports: [{port: 80, appProtocol: http}]}
---
{apiVersion: v1, kind: Service, metadata: {name: headless, namespace: forms}, spec: {clusterIP: None, publishNotReadyAddresses: true}}
---
{apiVersion: v1, kind: Service, metadata: {name: elsewhere, namespace: forms}, spec: {type: ExternalName, externalName: db.example.net}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: headless-1
  namespace: forms
  labels: {kubernetes.io/service-name: headless}
  annotations: {endpoints.kubernetes.io/last-change-trigger-time: '2026-01-02T03:04:05.678Z'}
addressType: IPv4
endpoints:
- addresses: [10.244.1.1, 10.244.1.2]
  hostname: db-0
  nodeName: node-1
  zone: zone-a
  hints: {forZones: [{name: zone-b}]}
  targetRef: {kind: Pod, name: db-0, namespace: forms, uid: 00000000-0000-0000-0000-000000000001}
  conditions: {ready: true, serving: true, terminating: false}
- {addresses: [10.244.1.3], conditions: {ready: false, serving: true, terminating: true}}
- {addresses: [10.244.1.4]}
ports: [{name: sql, port: 5432, protocol: TCP}, {name: '', port: 80}, {name: all}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: headless-2, namespace: forms, labels: {kubernetes.io/service-name: headless}}
addressType: IPv6
endpoints: [{addresses: ['2001:db8::1']}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: of-names, namespace: forms, labels: {kubernetes.io/service-name: headless}}
addressType: FQDN
endpoints: [{addresses: [pod.example.com]}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: imported
  namespace: forms
  labels: {multicluster.kubernetes.io/service-name: db, multicluster.kubernetes.io/source-cluster: east}
addressType: IPv4
endpoints: [{addresses: [172.30.1.1], hostname: db-0}]
ports: [{name: sql, port: 5432}]
---
{apiVersion: v1, kind: Pod, metadata: {name: runs, namespace: forms}, spec: {nodeName: node-1, containers: [{name: a, image: a}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: waits, namespace: forms}, spec: {containers: [{name: a, image: a}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: shares, namespace: forms}, spec: {nodeName: node-1, hostNetwork: true, containers: [{name: a, image: a}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: forms}
spec:
  ingressClassName: nginx
  rules: [{host: web.example.com}, {host: '*.wild.example.com'}, {http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: outside, port: {number: 53}}}}]}}]
---
apiVersion: multicluster.x-k8s.io/v1alpha1
kind: ServiceImport
metadata: {name: db, namespace: forms}
spec: {type: ClusterSetIP, ips: [10.112.0.1], ports: [{name: sql, port: 5432, protocol: TCP}]}
---
apiVersion: externaldns.k8s.io/v1alpha1
kind: DNSEndpoint
metadata: {name: more, namespace: forms}
spec: {endpoints: [{dnsName: e.example.com, recordType: A, recordTTL: 60, targets: [192.0.2.10]}, {dnsName: e.example.com, recordType: TXT, targets: [hello]}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: forms}
spec: {gatewayClassName: istio}
status: {addresses: [{type: IPAddress, value: 192.0.2.8}, {type: Hostname, value: lb.example.net}]}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r, namespace: forms}, spec: {hostnames: [h.example.com], parentRefs: [{name: gw}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: r, namespace: forms}, spec: {hostnames: [g.example.com], parentRefs: [{name: gw, namespace: infra}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: TLSRoute, metadata: {name: r, namespace: forms}, spec: {hostnames: [t.example.com], parentRefs: [{name: gw}]}}
";

/// What only a controller may write: resource, name and status.
const STATUS: &[(&str, &str, &str)] = &[
    (
        "service",
        "outside",
        r#"{"loadBalancer":{"ingress":[{"ip":"192.0.2.9"},{"hostname":"lb.example.net"}]}}"#,
    ),
    (
        "ingress",
        "web",
        r#"{"loadBalancer":{"ingress":[{"ip":"2001:db8::9"},{"hostname":"in.example.net"}]}}"#,
    ),
    (
        "node",
        "node-1",
        r#"{"addresses":[{"type":"InternalIP","address":"192.0.2.1"},{"type":"ExternalIP","address":"2001:db8::2"}]}"#,
    ),
    (
        "pod",
        "runs",
        r#"{"phase":"Running","startTime":"2026-01-02T03:04:05Z","podIP":"10.244.1.1","podIPs":[{"ip":"10.244.1.1"},{"ip":"2001:db8::1"}]}"#,
    ),
    (
        "pod",
        "shares",
        r#"{"phase":"Running","startTime":"2026-01-02T03:04:06Z","hostIP":"192.0.2.1","hostIPs":[{"ip":"192.0.2.1"}],"podIP":"192.0.2.1","podIPs":[{"ip":"192.0.2.1"}]}"#,
    ),
];

/// A control plane; it is stopped and deleted in the end.
struct World(Cluster, std::path::PathBuf);

impl World {
    fn start() -> Self {
        let target = target_directory().unwrap();
        let directory = target.join("end-to-end").join("forms");
        // Of a run that was interrupted.
        let _ = Cluster::stop(&directory, &[]);
        let _ = fs::remove_dir_all(&directory);
        let cluster =
            Cluster::start(&directory, &target.join("peers"), Controllers::Absent).unwrap();
        Self(cluster, directory)
    }

    fn fill(&self) {
        let kubectl = |words: &[&str], input: &str| self.0.kubectl(words, input).unwrap();
        let definitions: Vec<_> = DEFINITIONS.iter().map(definition).collect();
        kubectl(&["create", "--filename=-"], &definitions.join("\n---\n"));
        kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"], "");
        kubectl(&["create", "--filename=-"], OBJECTS);
        for (resource, name, status) in STATUS {
            let patch = format!(r#"{{"status":{status}}}"#);
            let words = ["patch", resource, name, "--namespace=forms", "--subresource=status"];
            kubectl(&[&words[..], &["--type=merge", "--patch", &patch]].concat(), "");
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = Cluster::stop(&self.1, &[]);
        let _ = fs::remove_dir_all(&self.1);
    }
}

fn definition((group, kind, versions, plural): &(&str, &str, &[&str], &str)) -> String {
    let version = |(index, name): (usize, &&str)| {
        let stored = index == 0;
        format!(
            "{{name: {name}, served: true, storage: {stored}, schema: {{openAPIV3Schema: \
             {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}}}"
        )
    };
    let versions: Vec<_> = versions.iter().enumerate().map(version).collect();
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
         metadata: {{name: {plural}.{group}, annotations: {{api-approved.kubernetes.io: 'https://example.com'}}}}\n\
         spec: {{group: {group}, scope: Namespaced, names: {{kind: {kind}, plural: {plural}}}, versions: [{}]}}",
        versions.join(", ")
    )
}

/// The head and the body of a response.
fn fetch(api: SocketAddr, kind: Kind, accept: &str) -> (String, Vec<u8>) {
    let root = if kind.api_version().contains('/') { "apis" } else { "api" };
    let path = format!("/{root}/{}/{}", kind.api_version(), kind.resource());
    let mut stream = TcpStream::connect(api).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    // HTTP/1.0: one response, in one piece.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {api}\r\nAccept: {accept}\r\n\r\n").unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    let end = response.windows(4).position(|octets| octets == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(response[..end].to_vec()).unwrap();
    assert!(head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"), "{path}: {head}");
    (head.to_lowercase(), response[end + 4..].to_vec())
}

/// The values of a field of a message whose fields are all counted octets.
fn field(message: &[u8], wanted: u64) -> Vec<&[u8]> {
    let (mut rest, mut values) = (message, Vec::new());
    let number = |rest: &mut &[u8]| {
        let end = rest.iter().position(|octet| octet & 0x80 == 0).unwrap() + 1;
        let (octets, after) = rest.split_at(end);
        *rest = after;
        octets.iter().rev().fold(0_u64, |sum, octet| sum << 7 | u64::from(octet & 0x7f))
    };
    while !rest.is_empty() {
        let key = number(&mut rest);
        assert_eq!(key & 7, 2, "a list and its envelope have nothing else");
        let len = number(&mut rest) as usize;
        let (value, after) = rest.split_at(len);
        if key >> 3 == wanted {
            values.push(value);
        }
        rest = after;
    }
    values
}

fn in_json(api: SocketAddr, kind: Kind) -> Vec<Document> {
    let (head, body) = fetch(api, kind, "application/json");
    assert!(head.contains("content-type: application/json"), "{head}");
    let list: Value = serde_json::from_slice(&body).unwrap();
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| Document::from_json(kind, &item.to_string()).unwrap()).collect()
}

fn in_protobuf(api: SocketAddr, kind: Kind) -> Vec<Document> {
    let (head, body) = fetch(api, kind, "application/vnd.kubernetes.protobuf");
    assert!(head.contains("content-type: application/vnd.kubernetes.protobuf"), "{head}");
    let envelope = body.strip_prefix(b"k8s\0").unwrap();
    let list = field(envelope, 2)[0];
    let items = field(list, 2).into_iter();
    items.map(|item| Document::from_protobuf(kind, item).unwrap()).collect()
}

#[test]
#[ignore = "needs `cargo xtask peers kubernetes`, and ten seconds"]
fn both_forms_of_every_kind_are_read_alike() {
    let world = World::start();
    world.fill();
    let plain = PlainApi::start(&world.0).unwrap();
    for kind in Kind::ALL {
        let documents = in_json(plain.address(), kind);
        let of_ours =
            |document: &&Document| document.key.namespace == "forms" || !kind.is_namespaced();
        let objects = documents.iter().filter(of_ours).filter(|document| document.object.is_some());
        assert!(objects.count() > 0, "{kind:?}: nothing to compare");
        // The others are read in JSON alone; most of them have no other form.
        let has_protobuf = matches!(
            kind,
            Kind::Namespace
                | Kind::Service
                | Kind::EndpointSlice
                | Kind::ImportedSlice
                | Kind::Pod
                | Kind::Node
        );
        if has_protobuf {
            assert_eq!(documents, in_protobuf(plain.address(), kind), "{kind:?}");
        }
    }
    what_is_compared_is_what_was_written(plain.address());
}

/// Both forms could lack the same.
fn what_is_compared_is_what_was_written(api: SocketAddr) {
    let documents = in_protobuf(api, Kind::Service);
    let named = |name| documents.iter().find(|document| document.key.name == name).unwrap();
    let Some(Object::Service(outside)) = &named("outside").object else { panic!() };
    assert!(outside.exposure.is_load_balancer);
    assert_eq!(outside.exposure.external_ips.len(), 1);
    assert_eq!(outside.exposure.ingress.len(), 2);
    assert_eq!(outside.exposure.hostnames, ["a.example.com", "b.example.com"]);
    assert_eq!(outside.ports.len(), 3);
    let documents = in_protobuf(api, Kind::EndpointSlice);
    let slice = documents.iter().find(|document| document.key.name == "headless-1").unwrap();
    let Some(Object::EndpointSlice(slice)) = &slice.object else { panic!() };
    let first = &slice.endpoints[0];
    assert_eq!((slice.endpoints.len(), slice.ports.len(), first.addresses.len()), (2, 3, 2));
    assert_eq!((first.hostname.as_deref(), first.pod.as_deref()), (Some("db-0"), Some("db-0")));
    assert_eq!(first.zone.as_deref(), Some("zone-a"));
    assert!(slice.triggered.is_some());
    let documents = in_protobuf(api, Kind::Pod);
    let pods = documents.iter().filter_map(|document| match &document.object {
        Some(Object::Pod(pod)) => Some((pod.started.is_some(), pod.shares_node)),
        _ => None,
    });
    assert_eq!(pods.collect::<Vec<_>>(), [(true, false), (true, true)]);
}
