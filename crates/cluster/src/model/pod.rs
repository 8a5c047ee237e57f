//! A pod as it is stored.

use super::packed::{Octets, push_address, push_text};
use super::table::Value;
use crate::address::Address;
use crate::objects::Pod;
use std::sync::Arc;

/// A pod in one run of octets: address, namespace and name, each with its length.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PackedPod(Arc<[u8]>);

impl PackedPod {
    pub(crate) fn new(pod: &Pod) -> Self {
        let mut out = Vec::new();
        push_address(&mut out, pod.address.into());
        push_text(&mut out, &pod.namespace);
        push_text(&mut out, &pod.name);
        Self(out.into())
    }

    /// The pod as a source would tell it.
    pub(super) fn unpack(&self) -> Pod {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Pod {
            namespace: text(self.namespace()),
            name: text(self.name()),
            address: self.address().into(),
        }
    }

    pub(crate) fn address(&self) -> Address {
        Octets(&self.0).address()
    }

    /// The label of its namespace.
    pub(crate) fn namespace(&self) -> &[u8] {
        let mut octets = Octets(&self.0);
        octets.address();
        octets.text()
    }

    pub(crate) fn name(&self) -> &[u8] {
        let mut octets = Octets(&self.0);
        octets.address();
        octets.text();
        octets.text()
    }
}

impl Value for PackedPod {
    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}
