//! From an address back to a name.

use super::{Asking, Found};
use crate::address::Address;
use crate::model::entry::Entry;
use wire::{NameBuf, RecordType, Section};

impl Asking<'_> {
    /// A whole reverse name: the services whose cluster address it is, or else every endpoint that
    /// has it. Pods without a service have no name to lead to.
    ///
    /// CoreDNS denies the name for types other than PTR; it exists, so they get no data.
    pub(super) fn reverse(&mut self, address: Address) -> Found {
        let before = self.body.answer.len();
        let cluster = self.cluster;
        let mut exists = false;
        cluster.each_holder(address, |entry| exists |= self.push_service(entry, address));
        if !exists {
            cluster.each_holder(address, |entry| exists |= self.push_endpoints(entry, address));
        }
        if !exists {
            return self.absent();
        }
        self.drop_repeats(Section::Answer, before);
        self.result(before)
    }

    /// Appends a PTR to the service if this is its cluster address; whether it is.
    fn push_service(&mut self, entry: &Entry, address: Address) -> bool {
        let Some(service) = entry.service().filter(|_| self.exposes(entry.namespace())) else {
            return false;
        };
        let name = NameBuf::join(entry.key(), self.view.primary().services());
        let Some(name) = name.ok().filter(|_| service.addresses().any(|it| it == address)) else {
            return false;
        };
        self.push_ptr(&name);
        true
    }

    /// Appends a PTR to every endpoint of the service with this address; whether there is one. As
    /// in CoreDNS the service itself need not be known.
    fn push_endpoints(&mut self, entry: &Entry, address: Address) -> bool {
        if !self.view.endpoints || !self.exposes(entry.namespace()) {
            return false;
        }
        let services = self.view.primary().services();
        let Ok(service) = NameBuf::join(entry.key(), services) else { return false };
        let mut exists = false;
        for endpoint in entry.endpoints().filter(|endpoint| endpoint.address == address) {
            let label = endpoint.label(self.view.endpoint_pod_names);
            if let Ok(name) = NameBuf::child(label.as_bytes(), service.as_name()) {
                self.push_ptr(&name);
                exists = true;
            }
        }
        exists
    }

    pub(super) fn push_ptr(&mut self, target: &NameBuf) {
        if self.rtype == RecordType::PTR {
            self.push(RecordType::PTR, target.octets());
        }
    }
}
