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

    /// The one whose objects lie under this path: all, or those of the namespace that comes with it.
    pub(super) fn of_path(path: &str) -> Option<(&'static Self, Option<&str>)> {
        RESOURCES.iter().find_map(|resource| {
            let root = if resource.api_version.contains('/') { "/apis/" } else { "/api/" };
            let path = path.strip_prefix(root)?.strip_prefix(resource.api_version)?;
            let path = path.strip_prefix('/')?;
            let within = path.strip_prefix("namespaces/").and_then(|path| path.split_once('/'));
            match within {
                Some((namespace, plural)) => (resource.namespaced && plural == resource.plural)
                    .then_some((resource, Some(namespace))),
                None => (path == resource.plural).then_some((resource, None)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let kind = |path| Resource::of_path(path).map(|(resource, within)| (resource.kind, within));
        assert_eq!(kind("/api/v1/services"), Some(("Service", None)));
        assert_eq!(kind("/api/v1/namespaces"), Some(("Namespace", None)));
        assert_eq!(kind("/api/v1/namespaces/shop/services"), Some(("Service", Some("shop"))));
        let slices = "/apis/discovery.k8s.io/v1/endpointslices";
        assert_eq!(kind(slices), Some(("EndpointSlice", None)));
        for path in [
            "/api/v1/secrets",
            "/apis/v1/services",
            "/api/v1/services/x",
            "/api/v1/namespaces/shop/namespaces",
            "/api/v1/namespaces/shop",
            "",
            "/api/v1",
        ] {
            assert_eq!(kind(path), None, "{path}");
        }
    }
}
