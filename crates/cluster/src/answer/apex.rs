//! The zone itself: SOA, NS and the names that exist in every zone.

use super::{Asking, Found};
use crate::address::Address;
use crate::cluster::Cluster;
use crate::model::entry::{Entry, PackedService, ServiceKind};
use crate::view::{View, Zone};
use wire::{Body, Class, Name, NameBuf, RecordType, Section};

/// Seconds: secondaries are not part of this, so nobody acts on the first three.
const REFRESH: u32 = 7200;
const RETRY: u32 = 1800;
const EXPIRE: u32 = 86_400;
/// The longest that a denial is kept, whatever `ttl` says; CoreDNS's limit.
const DENIAL_TTL_MAX: u32 = 300;

/// The version of the specification that these names follow.
const VERSION_TXT: &[u8] = b"\x051.1.0";
const VERSION_TTL: u32 = 28_800;

/// Appends the SOA of a zone.
pub(super) fn push_soa(
    cluster: &Cluster,
    view: &View,
    zone: &Zone,
    (section, body): (Section, &mut Body),
) {
    let ttl = view.ttl.min(DENIAL_TTL_MAX);
    let apex = zone.apex();
    body.push_with(section, apex, ttl, RecordType::SOA, Class::IN, |out| {
        out.extend_from_slice(b"\x02ns\x03dns");
        out.extend_from_slice(apex.octets());
        out.extend_from_slice(b"\x0ahostmaster");
        out.extend_from_slice(apex.octets());
        let serial = if zone.is_imported { cluster.imports_serial() } else { cluster.serial() };
        for number in [serial, REFRESH, RETRY, EXPIRE, view.ttl] {
            out.extend_from_slice(&number.to_be_bytes());
        }
    });
}

impl Asking<'_> {
    /// The zone's own name.
    pub(super) fn apex(&mut self) -> Found {
        let before = self.body.answer.len();
        match self.rtype {
            RecordType::SOA => {
                push_soa(self.cluster, self.view, self.zone, (Section::Answer, self.body));
            }
            RecordType::NS => self.push_ns(),
            _ => {}
        }
        self.result(before)
    }

    /// `dns-version`. CoreDNS denies the name for every other type.
    pub(super) fn dns_version(&mut self) -> Found {
        if self.rtype != RecordType::TXT {
            return Found::NoData;
        }
        self.body.push(Section::Answer, self.name, VERSION_TTL, RecordType::TXT, VERSION_TXT);
        Found::Answer
    }

    /// `ns.dns`: the same addresses as those of the NS records' targets.
    pub(super) fn name_server(&mut self) -> Found {
        let before = self.body.answer.len();
        self.each_name_server(|asking, _, address| asking.push_if_asked(address));
        self.drop_repeats(Section::Answer, before);
        self.result(before)
    }

    fn push_ns(&mut self) {
        let (answers, additional) = (self.body.answer.len(), self.body.additional.len());
        self.each_name_server(|asking, server, address| {
            asking.push(RecordType::NS, server.octets());
            asking.push_additional(server, address);
        });
        self.drop_repeats(Section::Answer, answers);
        self.drop_repeats(Section::Additional, additional);
    }

    /// The names and addresses under which this server is asked: those of the services whose
    /// endpoint it is, or else its own.
    fn each_name_server(&mut self, mut each: impl FnMut(&mut Self, Name<'_>, Address)) {
        let (cluster, view) = (self.cluster, self.view);
        let mut is_endpoint = false;
        // The services of this cluster have no names in a zone of imported ones.
        let serving = view.own_addresses.iter().filter(|_| !self.zone.is_imported);
        for &own in serving {
            cluster.each_holder(own, |entry| {
                if let Some(service) = self.serving(entry, own) {
                    is_endpoint = true;
                    self.each_address(entry, service, &mut each);
                }
            });
        }
        if is_endpoint {
            return;
        }
        let Ok(name) = NameBuf::join(b"\x02ns\x03dns", self.zone.apex()) else { return };
        for &own in &view.own_addresses {
            each(self, name.as_name(), own);
        }
    }

    /// The service of an entry, if it is to be seen and has an endpoint with this address.
    fn serving<'e>(&self, entry: &'e Entry, own: Address) -> Option<PackedService<'e>> {
        let is_endpoint =
            self.view.endpoints && entry.endpoints().any(|endpoint| endpoint.address == own);
        entry.service().filter(|_| is_endpoint && self.exposes(entry.namespace()))
    }

    /// The names and addresses of a service whose endpoint this server is. As in CoreDNS those of a
    /// headless one are the names of its endpoints, of which each is a server like this.
    fn each_address(
        &mut self,
        entry: &Entry,
        service: PackedService<'_>,
        each: &mut impl FnMut(&mut Self, Name<'_>, Address),
    ) {
        let Ok(name) = NameBuf::join(entry.key(), self.zone.services()) else { return };
        if service.kind() == ServiceKind::ClusterIp {
            for address in service.addresses() {
                each(self, name.as_name(), address);
            }
            return;
        }
        let pod_names = self.view.endpoint_pod_names;
        for endpoint in entry.endpoints() {
            let label = endpoint.label(pod_names);
            if let Ok(name) = NameBuf::child(label.as_bytes(), name.as_name()) {
                each(self, name.as_name(), endpoint.address);
            }
        }
    }
}
