//! Which fields are known, by which numbers, and what they are called in JSON.
//!
//! The numbers are those of the `generated.proto` files of `k8s.io/api` and `k8s.io/apimachinery`. They
//! never change: a number that was given up is not used again. A field that a shape asks for must stand
//! here, or it is always absent in this form.

use crate::objects::Kind;

/// The fields of a message.
pub(crate) type Schema = [Field];

/// A field.
#[derive(Debug)]
pub(crate) struct Field {
    pub(super) number: u32,
    /// Its name in JSON.
    pub(super) name: &'static str,
    pub(super) holds: Type,
    pub(super) repeated: bool,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Type {
    /// Empty text counts as none, as in JSON, where it is left out. Only inside of lists it does not.
    Text,
    Integer,
    Boolean,
    /// `meta/v1` `Time`, in JSON a text as RFC 3339 has it.
    Time,
    Message(&'static Schema),
    /// From text to text.
    Map,
}

const fn one(number: u32, name: &'static str, holds: Type) -> Field {
    Field { number, name, holds, repeated: false }
}

const fn many(number: u32, name: &'static str, holds: Type) -> Field {
    Field { number, name, holds, repeated: true }
}

/// The schema of a kind; none if the API server has no binary form of it, as of all that
/// CustomResourceDefinitions define.
pub(crate) fn of_kind(kind: Kind) -> Option<&'static Schema> {
    match kind {
        Kind::Namespace => Some(NAMESPACE),
        Kind::Service => Some(SERVICE),
        Kind::EndpointSlice | Kind::ImportedSlice => Some(ENDPOINT_SLICE),
        Kind::Pod => Some(POD),
        Kind::Node => Some(NODE),
        // Ingress has one, but there are few and JSON will do.
        Kind::ServiceImport
        | Kind::Ingress
        | Kind::Gateway
        | Kind::HttpRoute
        | Kind::GrpcRoute
        | Kind::TlsRoute
        | Kind::OldTlsRoute
        | Kind::DnsEndpoint => None,
    }
}

/// The object of a bookmark: of any kind, with little in it.
pub(crate) const BOOKMARK: &Schema = NAMESPACE;

/// `meta/v1` `ListMeta`.
pub(crate) const LIST_METADATA: &Schema =
    &[one(2, "resourceVersion", Type::Text), one(3, "continue", Type::Text)];

/// `meta/v1` `Status`.
pub(crate) const STATUS: &Schema = &[one(3, "message", Type::Text), one(6, "code", Type::Integer)];

const METADATA: Field = one(
    1,
    "metadata",
    Type::Message(&[
        one(1, "name", Type::Text),
        one(3, "namespace", Type::Text),
        one(5, "uid", Type::Text),
        one(6, "resourceVersion", Type::Text),
        one(8, "creationTimestamp", Type::Time),
        one(9, "deletionTimestamp", Type::Time),
        one(11, "labels", Type::Map),
        one(12, "annotations", Type::Map),
    ]),
);

const NAMESPACE: &Schema = &[METADATA];

const SERVICE: &Schema = &[
    METADATA,
    one(
        2,
        "spec",
        Type::Message(&[
            many(1, "ports", Type::Message(PORT)),
            one(3, "clusterIP", Type::Text),
            one(4, "type", Type::Text),
            many(5, "externalIPs", Type::Text),
            one(10, "externalName", Type::Text),
            many(18, "clusterIPs", Type::Text),
        ]),
    ),
    one(3, "status", Type::Message(&[one(1, "loadBalancer", Type::Message(LOAD_BALANCER))])),
];

/// `ServicePort` and `EndpointPort` agree in what is needed.
const PORT: &Schema =
    &[one(1, "name", Type::Text), one(2, "protocol", Type::Text), one(3, "port", Type::Integer)];

const LOAD_BALANCER: &Schema = &[many(
    1,
    "ingress",
    Type::Message(&[one(1, "ip", Type::Text), one(2, "hostname", Type::Text)]),
)];

const ENDPOINT_SLICE: &Schema = &[
    METADATA,
    many(
        2,
        "endpoints",
        Type::Message(&[
            many(1, "addresses", Type::Text),
            one(2, "conditions", Type::Message(&[one(1, "ready", Type::Boolean)])),
            one(3, "hostname", Type::Text),
            one(
                4,
                "targetRef",
                Type::Message(&[
                    one(1, "kind", Type::Text),
                    one(2, "namespace", Type::Text),
                    one(3, "name", Type::Text),
                ]),
            ),
            one(6, "nodeName", Type::Text),
            one(7, "zone", Type::Text),
        ]),
    ),
    many(3, "ports", Type::Message(PORT)),
    one(4, "addressType", Type::Text),
];

const POD: &Schema = &[
    METADATA,
    one(2, "spec", Type::Message(&[one(11, "hostNetwork", Type::Boolean)])),
    one(
        3,
        "status",
        Type::Message(&[
            one(1, "phase", Type::Text),
            one(5, "hostIP", Type::Text),
            one(6, "podIP", Type::Text),
            one(7, "startTime", Type::Time),
            many(12, "podIPs", Type::Message(&[one(1, "ip", Type::Text)])),
        ]),
    ),
];

const NODE: &Schema = &[
    METADATA,
    one(
        3,
        "status",
        Type::Message(&[many(
            5,
            "addresses",
            Type::Message(&[one(1, "type", Type::Text), one(2, "address", Type::Text)]),
        )]),
    ),
];
