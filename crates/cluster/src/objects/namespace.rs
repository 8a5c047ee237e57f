//! Namespaces: what is kept of them, and their JSON.

use super::document::{Metadata, Shape};
use super::{Kind, Object};
use serde::{Deserialize, Serialize};

/// A namespace. It exists as long as its object does, terminating or not.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Namespace {
    /// `metadata.name`, a DNS label.
    pub name: String,
}

#[derive(Deserialize)]
pub(super) struct NamespaceShape {
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
