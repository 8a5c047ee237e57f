//! Names of pods, which are made of their addresses.

use super::{Asking, Found};
use crate::address::Address;
use crate::view::Pods;

impl Asking<'_> {
    /// `NS.pod`
    pub(super) fn pods(&self, namespace: &[u8]) -> Found {
        match self.view.pods {
            Pods::Disabled => self.absent(),
            Pods::Insecure | Pods::Verified => self.namespace(namespace),
        }
    }

    /// `1-2-3-4.NS.pod`
    pub(super) fn pod(&mut self, namespace: &[u8], label: &[u8]) -> Found {
        let Some(address) = Address::from_label(label) else { return self.absent() };
        let exists = match self.view.pods {
            Pods::Disabled => false,
            Pods::Insecure => self.exposes(namespace),
            Pods::Verified => self.exposes(namespace) && self.cluster.has_pod(namespace, address),
        };
        if !exists {
            return self.absent();
        }
        let before = self.body.answer.len();
        self.push_if_asked(address);
        self.result(before)
    }
}
