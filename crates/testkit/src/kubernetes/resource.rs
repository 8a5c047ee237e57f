//! The resources that the fake API serves.

/// A resource: where its objects are found.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Resource {
    pub(super) kind: &'static str,
    /// `v1`, or group and version.
    pub(super) api_version: &'static str,
    /// The last word of the path.
    pub(super) plural: &'static str,
    pub(super) namespaced: bool,
}

const fn namespaced(
    kind: &'static str,
    api_version: &'static str,
    plural: &'static str,
) -> Resource {
    Resource { kind, api_version, plural, namespaced: true }
}

/// Everything that a DNS server of a cluster may want to know.
pub(super) const RESOURCES: &[Resource] = &[
    namespaced("Service", "v1", "services"),
    Resource { kind: "Namespace", api_version: "v1", plural: "namespaces", namespaced: false },
    namespaced("Pod", "v1", "pods"),
    namespaced("EndpointSlice", "discovery.k8s.io/v1", "endpointslices"),
    namespaced("ServiceImport", "multicluster.x-k8s.io/v1alpha1", "serviceimports"),
    namespaced("Ingress", "networking.k8s.io/v1", "ingresses"),
    namespaced("Gateway", "gateway.networking.k8s.io/v1", "gateways"),
    namespaced("HTTPRoute", "gateway.networking.k8s.io/v1", "httproutes"),
    namespaced("GRPCRoute", "gateway.networking.k8s.io/v1", "grpcroutes"),
    namespaced("TLSRoute", "gateway.networking.k8s.io/v1", "tlsroutes"),
    namespaced("TLSRoute", "gateway.networking.k8s.io/v1alpha2", "tlsroutes"),
    namespaced("DNSEndpoint", "externaldns.k8s.io/v1alpha1", "dnsendpoints"),
    Resource { kind: "Node", api_version: "v1", plural: "nodes", namespaced: false },
];

impl Resource {
    /// The one of this kind.
    pub(super) fn of_kind(kind: &str) -> Option<&'static Self> {
        RESOURCES.iter().find(|resource| resource.kind == kind)
    }

    /// The one with this plural.
    pub(super) fn of_plural(plural: &str) -> Option<&'static Self> {
        RESOURCES.iter().find(|resource| resource.plural == plural)
    }

    /// The one whose objects of all namespaces lie under this path.
    pub(super) fn of_path(path: &str) -> Option<&'static Self> {
        RESOURCES.iter().find(|resource| {
            let root = if resource.api_version.contains('/') { "/apis/" } else { "/api/" };
            let (group, plural) = (resource.api_version, resource.plural);
            path.strip_prefix(root)
                .and_then(|path| path.strip_prefix(group))
                .and_then(|path| path.strip_prefix('/'))
                == Some(plural)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let kind = |path| Resource::of_path(path).map(|resource| resource.kind);
        assert_eq!(kind("/api/v1/services"), Some("Service"));
        assert_eq!(kind("/apis/discovery.k8s.io/v1/endpointslices"), Some("EndpointSlice"));
        for path in ["/api/v1/secrets", "/apis/v1/services", "/api/v1/services/x", "", "/api/v1"] {
            assert_eq!(kind(path), None, "{path}");
        }
    }
}
