//! Routes of the Gateway API: what is kept of them, and their JSON.
//!
//! HTTPRoute, GRPCRoute and TLSRoute differ in nothing that a name is made of.

use super::document::{Metadata, Shape, null_as_default};
use super::{Kind, Object};
use serde::{Deserialize, Serialize};

/// A route: names, and the gateways that serve them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Route {
    /// `metadata.namespace`, a DNS label.
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
    /// `spec.hostnames`: names, perhaps with `*` as the first label.
    pub hostnames: Vec<String>,
    /// `spec.parentRefs`, as far as they are gateways.
    pub parents: Vec<Parent>,
}

/// A gateway that a route belongs to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Parent {
    /// Its namespace; that of the route where the route names none.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

#[derive(Deserialize)]
struct RouteShape {
    metadata: Metadata,
    #[serde(default, deserialize_with = "null_as_default")]
    spec: Spec,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    #[serde(deserialize_with = "null_as_default")]
    hostnames: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    parent_refs: Vec<ParentShape>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ParentShape {
    group: Option<String>,
    kind: Option<String>,
    namespace: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    name: String,
}

impl ParentShape {
    /// A parent may also be a service of a mesh, which is no way in from outside.
    fn into_parent(self, route_namespace: &str) -> Option<Parent> {
        let is_group = self.group.is_none_or(|group| group == "gateway.networking.k8s.io");
        let is_kind = self.kind.is_none_or(|kind| kind == "Gateway");
        let namespace = self.namespace.unwrap_or_else(|| route_namespace.to_owned());
        (is_group && is_kind).then_some(Parent { namespace, name: self.name })
    }
}

impl RouteShape {
    fn into_route(self) -> Route {
        let namespace = self.metadata.namespace;
        let parents = self.spec.parent_refs.into_iter();
        Route {
            parents: parents.filter_map(|parent| parent.into_parent(&namespace)).collect(),
            namespace,
            name: self.metadata.name,
            hostnames: self.spec.hostnames,
        }
    }
}

macro_rules! shape {
    ($shape:ident, $kind:ident) => {
        #[derive(Deserialize)]
        #[serde(transparent)]
        pub(super) struct $shape(RouteShape);

        impl Shape for $shape {
            const KIND: Kind = Kind::$kind;

            fn metadata(&self) -> &Metadata {
                &self.0.metadata
            }

            fn into_object(self) -> Option<Object> {
                Some(Object::$kind(self.0.into_route()))
            }
        }
    };
}

shape!(HttpRouteShape, HttpRoute);
shape!(GrpcRouteShape, GrpcRoute);
shape!(TlsRouteShape, TlsRoute);
shape!(OldTlsRouteShape, OldTlsRoute);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Document;

    fn route(kind: Kind, json: &str) -> Route {
        let document = Document::from_json(kind, json).unwrap();
        assert_eq!(document.key.kind, kind);
        match document.object {
            Some(
                Object::HttpRoute(it)
                | Object::GrpcRoute(it)
                | Object::TlsRoute(it)
                | Object::OldTlsRoute(it),
            ) => it,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn parents_are_gateways_in_some_namespace() {
        let json = r#"{"metadata": {"name": "r", "namespace": "shop"},
            "spec": {"hostnames": ["a.example.com", "*.example.com"], "rules": [{}], "parentRefs": [
                {"name": "one"}, {"name": "two", "namespace": "infra", "sectionName": "https"},
                {"kind": "Service", "group": "", "name": "web"},
                {"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "three"}]}}"#;
        let parent = |namespace: &str, name: &str| Parent {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        for kind in [Kind::HttpRoute, Kind::GrpcRoute, Kind::TlsRoute, Kind::OldTlsRoute] {
            let route = route(kind, json);
            assert_eq!(route.hostnames, ["a.example.com", "*.example.com"]);
            let parents = [parent("shop", "one"), parent("infra", "two"), parent("shop", "three")];
            assert_eq!(route.parents, parents);
        }
    }

    #[test]
    fn a_route_with_nothing() {
        let json = r#"{"metadata": {"name": "r", "namespace": "shop"}, "spec": {"hostnames": null, "parentRefs": null}}"#;
        let route = route(Kind::HttpRoute, json);
        assert!(route.hostnames.is_empty() && route.parents.is_empty());
    }
}
