//! The kinds of objects, and sets of them.

/// The kinds of objects that answers are made of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// `v1` `Namespace`.
    Namespace,
    /// `v1` `Service`.
    Service,
    /// `discovery.k8s.io/v1` `EndpointSlice`.
    EndpointSlice,
    /// `v1` `Pod`; only for `pods verified`.
    Pod,
    /// `multicluster.x-k8s.io/v1alpha1` `ServiceImport`; only for `multicluster`.
    ServiceImport,
    /// A `discovery.k8s.io/v1` `EndpointSlice` of a service of another cluster; only for
    /// `multicluster`. It has a watch of its own, which selects by another label.
    ImportedSlice,
    /// `networking.k8s.io/v1` `Ingress`; only for `k8s_gateway`, like all that follow.
    Ingress,
    /// `gateway.networking.k8s.io/v1` `Gateway`.
    Gateway,
    /// `gateway.networking.k8s.io/v1` `HTTPRoute`.
    HttpRoute,
    /// `gateway.networking.k8s.io/v1` `GRPCRoute`.
    GrpcRoute,
    /// `gateway.networking.k8s.io/v1` `TLSRoute`.
    TlsRoute,
    /// `gateway.networking.k8s.io/v1alpha2` `TLSRoute`: what servers have that do not have `v1` of
    /// it. Of those that have both it is the same once more.
    OldTlsRoute,
    /// `externaldns.k8s.io/v1alpha1` `DNSEndpoint`.
    DnsEndpoint,
    /// `v1` `Node`.
    Node,
}

impl Kind {
    /// All, in the order in which it is useful to read them.
    pub const ALL: [Self; 14] = [
        Self::Namespace,
        Self::Service,
        Self::EndpointSlice,
        Self::Pod,
        Self::ServiceImport,
        Self::ImportedSlice,
        Self::Ingress,
        Self::Gateway,
        Self::HttpRoute,
        Self::GrpcRoute,
        Self::TlsRoute,
        Self::OldTlsRoute,
        Self::DnsEndpoint,
        Self::Node,
    ];

    /// The word of log lines and metrics, and of a manifest's `kind:` but for imported slices and the
    /// old TLSRoute, which no manifest is read as.
    pub fn name(self) -> &'static str {
        match self {
            Self::Namespace => "Namespace",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::Pod => "Pod",
            Self::ServiceImport => "ServiceImport",
            Self::ImportedSlice => "ImportedEndpointSlice",
            Self::Ingress => "Ingress",
            Self::Gateway => "Gateway",
            Self::HttpRoute => "HTTPRoute",
            Self::GrpcRoute => "GRPCRoute",
            Self::TlsRoute => "TLSRoute",
            Self::OldTlsRoute => "TLSRoute.v1alpha2",
            Self::DnsEndpoint => "DNSEndpoint",
            Self::Node => "Node",
        }
    }

    /// The group and version of the API that it belongs to, as a manifest's `apiVersion:` has it.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::Namespace | Self::Service | Self::Pod | Self::Node => "v1",
            Self::EndpointSlice | Self::ImportedSlice => "discovery.k8s.io/v1",
            Self::ServiceImport => "multicluster.x-k8s.io/v1alpha1",
            Self::Ingress => "networking.k8s.io/v1",
            Self::Gateway | Self::HttpRoute | Self::GrpcRoute | Self::TlsRoute => {
                "gateway.networking.k8s.io/v1"
            }
            Self::OldTlsRoute => "gateway.networking.k8s.io/v1alpha2",
            Self::DnsEndpoint => "externaldns.k8s.io/v1alpha1",
        }
    }

    /// Whether its objects lie in namespaces.
    pub fn is_namespaced(self) -> bool {
        !matches!(self, Self::Namespace | Self::Node)
    }

    /// Its resource, as the path of a request has it.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Namespace => "namespaces",
            Self::Service => "services",
            Self::EndpointSlice | Self::ImportedSlice => "endpointslices",
            Self::Pod => "pods",
            Self::ServiceImport => "serviceimports",
            Self::Ingress => "ingresses",
            Self::Gateway => "gateways",
            Self::HttpRoute => "httproutes",
            Self::GrpcRoute => "grpcroutes",
            Self::TlsRoute | Self::OldTlsRoute => "tlsroutes",
            Self::DnsEndpoint => "dnsendpoints",
            Self::Node => "nodes",
        }
    }
}

/// A set of [`Kind`]s.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Kinds(u16);

impl Kinds {
    /// None.
    pub const fn none() -> Self {
        Self(0)
    }

    /// Every kind.
    pub fn all() -> Self {
        Kind::ALL.into_iter().collect()
    }

    /// These and `kind`.
    #[must_use]
    pub const fn with(self, kind: Kind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    /// Whether `kind` is among them.
    pub const fn has(self, kind: Kind) -> bool {
        self.0 >> kind as u8 & 1 != 0
    }

    /// Whether all of `kinds` are among them.
    pub const fn has_all(self, kinds: Self) -> bool {
        self.0 & kinds.0 == kinds.0
    }

    /// A number for an atomic.
    pub(crate) const fn bits(self) -> u16 {
        self.0
    }

    /// What [`Kinds::bits`] gave.
    pub(crate) const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }
}

impl FromIterator<Kind> for Kinds {
    fn from_iter<T: IntoIterator<Item = Kind>>(kinds: T) -> Self {
        kinds.into_iter().fold(Self::none(), Self::with)
    }
}
