//! The objects of the clusters: what they are called, which addresses they have, their JSON.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

/// One Service of so many is headless: those are the ones whose endpoints are changed.
pub(super) const HEADLESS_EVERY: usize = 10;

const NAMESPACES: usize = 20;

/// The namespace of the `i`-th Service, slice or pod.
pub(super) fn namespace(i: usize) -> String {
    format!("ns-{}", i % NAMESPACES)
}

pub(super) fn namespaces() -> impl Iterator<Item = Value> {
    let object = |i| json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace(i) } });
    (0..NAMESPACES).map(object)
}

/// `octet` and the three octets below: an address for each `i` below 2^24.
pub(super) fn address(octet: u8, i: usize) -> Ipv4Addr {
    let [_, high, middle, low] = (i as u32).to_be_bytes();
    Ipv4Addr::new(octet, high, middle, low)
}

/// Inside the range of the cluster's Services, 10.96.0.0/12; its first addresses are taken.
pub(super) fn cluster_ip(i: usize) -> Ipv4Addr {
    let [_, _, middle, low] = (i as u32 + 1024).to_be_bytes();
    Ipv4Addr::new(10, 97, middle, low)
}

/// The `i`-th Service.
pub(super) fn service(i: usize) -> Value {
    let is_headless = i.is_multiple_of(HEADLESS_EVERY);
    let ip = if is_headless { "None".to_owned() } else { cluster_ip(i).to_string() };
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": format!("svc-{i}"), "namespace": namespace(i),
            "labels": { "app.kubernetes.io/name": format!("svc-{i}") } },
        "spec": { "clusterIP": ip, "clusterIPs": [ip],
            "ports": [{ "name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP" }] },
    })
}

/// The slice of the `i`-th Service with these endpoints.
pub(super) fn slice(i: usize, endpoints: &[Ipv4Addr]) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": { "name": format!("svc-{i}-x7k2p"), "namespace": namespace(i),
            "labels": { "kubernetes.io/service-name": format!("svc-{i}") } },
        "addressType": "IPv4",
        "endpoints": endpoints.iter().map(|ip| json!({
            "addresses": [ip],
            "conditions": { "ready": true, "serving": true, "terminating": false },
            "nodeName": "node-1",
            "targetRef": { "kind": "Pod", "namespace": namespace(i), "name": format!("pod-{ip}") },
        })).collect::<Vec<_>>(),
        "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }],
    })
}

/// The `i`-th pod, with an annotation of 2 KB as service meshes write them.
pub(super) fn pod(i: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": format!("pod-{i}"), "namespace": namespace(i),
            "annotations": { "example.com/status": "x".repeat(2048) } },
        "spec": { "nodeName": "node-1", "containers": [{ "name": "c", "image": "c" }] },
        "status": { "phase": "Running", "podIP": pod_ip(i), "podIPs": [{ "ip": pod_ip(i) }] },
    })
}

pub(super) fn pod_ip(i: usize) -> Ipv4Addr {
    address(11, i)
}

/// Question and reply, as scenarios write them, for the address of the `i`-th Service.
pub(super) fn service_answer(i: usize, ip: Ipv4Addr) -> (String, String) {
    answer(&format!("svc-{i}.{}.svc.cluster.local", namespace(i)), ip)
}

/// The same for the name of the `i`-th pod.
pub(super) fn pod_answer(i: usize) -> (String, String) {
    let ip = pod_ip(i);
    let label = ip.to_string().replace('.', "-");
    answer(&format!("{label}.{}.pod.cluster.local", namespace(i)), ip)
}

fn answer(name: &str, ip: Ipv4Addr) -> (String, String) {
    (format!("{name} A"), format!(";; NOERROR aa rd\n{name}. 30 IN A {ip}"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn addresses_differ() {
        let ips: HashSet<_> = (0..10_000).map(cluster_ip).collect();
        assert_eq!(ips.len(), 10_000);
        let ips: HashSet<_> = (0..100_000).map(pod_ip).collect();
        assert_eq!(ips.len(), 100_000);
    }
}
