//! Services: what is kept of them, and their JSON.

use super::document::{Metadata, Shape, null_as_default};
use super::{Kind, Object};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A service.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Service {
    /// `metadata.namespace`, a DNS label.
    pub namespace: String,
    /// `metadata.name`, a DNS label.
    pub name: String,
    /// What its name leads to.
    pub target: Target,
    /// `spec.ports`.
    pub ports: Vec<Port>,
    /// Where it is reached from outside of the cluster.
    pub exposure: Exposure,
}

/// Where a service is reached from outside of the cluster, and by which names.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct Exposure {
    /// Whether `spec.type` is LoadBalancer.
    pub is_load_balancer: bool,
    /// `spec.externalIPs`
    pub external_ips: Vec<IpAddr>,
    /// `status.loadBalancer.ingress`
    pub ingress: Vec<Ingress>,
    /// The names of the annotation `coredns.io/hostname`, or else of
    /// `external-dns.alpha.kubernetes.io/hostname`.
    pub hostnames: Vec<String>,
    /// The annotation `k8s-gateway.dns/resolve-endpoints`: whether these names lead to the
    /// endpoints, whatever the type of the service is. Snapshots have no use for it.
    #[serde(skip)]
    pub resolves_endpoints: bool,
}

/// A way in that a load balancer or an ingress controller offers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Ingress {
    /// `ip`
    Address(IpAddr),
    /// `hostname`
    Hostname(String),
}

/// What the name of a service leads to.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Target {
    /// These addresses: of types ClusterIP, NodePort and LoadBalancer. None as long as the
    /// cluster has not assigned one.
    ClusterIps(Vec<IpAddr>),
    /// The addresses of its endpoints: `clusterIP: None`.
    Endpoints,
    /// Another name: of type ExternalName.
    Name(String),
}

/// A port of a service or of an EndpointSlice.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Port {
    /// Its name; empty if it has none.
    pub name: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// Its number; none in a slice that stands for all ports.
    pub number: Option<u16>,
}

#[derive(Deserialize)]
pub(super) struct ServiceShape {
    metadata: Metadata,
    #[serde(default, deserialize_with = "null_as_default")]
    spec: ServiceSpec,
    #[serde(default, deserialize_with = "null_as_default")]
    status: Status,
}

/// The `status` of services and ingresses.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Status {
    #[serde(deserialize_with = "null_as_default")]
    load_balancer: LoadBalancer,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct LoadBalancer {
    #[serde(deserialize_with = "null_as_default")]
    ingress: Vec<IngressShape>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct IngressShape {
    ip: Option<String>,
    hostname: Option<String>,
}

impl Status {
    /// The ways in; one that has an address and a name is two.
    pub(super) fn ingress(self) -> Vec<Ingress> {
        let ways =
            self.load_balancer.ingress.into_iter().flat_map(|IngressShape { ip, hostname }| {
                let address = ip.and_then(|text| text.parse().ok()).map(Ingress::Address);
                let hostname = hostname.filter(|name| !name.is_empty()).map(Ingress::Hostname);
                [address, hostname]
            });
        ways.flatten().collect()
    }
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
    #[serde(rename = "externalIPs", deserialize_with = "null_as_default")]
    external_ips: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    ports: Vec<PortShape>,
}

#[derive(Deserialize)]
pub(super) struct PortShape {
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
        let addresses = self.spec.external_ips.iter().filter_map(|text| text.parse().ok());
        let exposure = Exposure {
            is_load_balancer: self.spec.kind.as_deref() == Some("LoadBalancer"),
            external_ips: addresses.collect(),
            ingress: self.status.ingress(),
            hostnames: self.metadata.annotations.hostnames(),
            resolves_endpoints: self.metadata.annotations.resolves_endpoints(),
        };
        Some(Object::Service(Service {
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            target,
            ports: self.spec.ports.into_iter().map(Port::from).collect(),
            exposure,
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
