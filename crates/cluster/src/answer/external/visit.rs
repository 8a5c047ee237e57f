//! Everything that there is in an external zone, for a transfer.

use super::ExternalView;
use crate::answer::service::Wanted;
use crate::answer::{Asking, Found};
use crate::cluster::Cluster;
use crate::model::entry::{Entry, ServiceKind};
use crate::model::external::PackedExternal;
use crate::view::Zone;
use wire::{Body, Name, NameBuf, RecordType, Section};

/// A record, as [`Cluster::visit_external`] shows it.
#[derive(Clone, Copy, Debug)]
pub struct VisitedRecord<'a> {
    /// The name that it is at.
    pub owner: Name<'a>,
    /// Its type; the class is IN.
    pub rtype: RecordType,
    /// In seconds.
    pub ttl: u32,
    /// Its data, uncompressed.
    pub rdata: &'a [u8],
}

impl Cluster {
    /// Shows `each` all records of a zone of the view, but its SOA: what the zone answers, asked
    /// for one by one. Nothing for what is no zone of the view.
    ///
    /// Services may change meanwhile; each is shown as it was at one moment. Left out are labels below
    /// a service that are answered like the service itself, which have no end, and what stands beside
    /// a CNAME.
    pub fn visit_external(
        &self,
        view: &ExternalView,
        zone: Name<'_>,
        each: &mut dyn FnMut(VisitedRecord<'_>),
    ) {
        let Some((zone, above)) = view.services.find_zone(zone) else { return };
        if !above.is_empty() {
            return;
        }
        let mut visit = Visit { cluster: self, view, zone, body: Body::default(), each };
        visit.name_server();
        self.external.visit(|service| visit.exposed(service));
        if view.headless {
            self.entries.visit(|entry| visit.headless(entry));
        }
    }
}

/// The types that services and endpoints with addresses have.
const TYPES: &[RecordType] = &[RecordType::A, RecordType::AAAA, RecordType::SRV];

struct Visit<'a> {
    cluster: &'a Cluster,
    view: &'a ExternalView,
    zone: &'a Zone,
    body: Body,
    each: &'a mut dyn FnMut(VisitedRecord<'_>),
}

impl Visit<'_> {
    fn name_server(&mut self) {
        let view = self.view;
        let apex = self.zone.apex();
        self.show(apex, &[RecordType::NS], |asking| asking.external_apex(view));
        let Ok(server) = NameBuf::join(&view.name_server, apex) else { return };
        self.show(server.as_name(), &[RecordType::A, RecordType::AAAA], |asking| {
            asking.below_apex(view).unwrap_or(Found::NotHere)
        });
    }

    fn exposed(&mut self, service: &PackedExternal) {
        if !self.shows(service.namespace()) {
            return;
        }
        self.reverse(service);
        let Some(name) = self.service_name(service.key()) else { return };
        // Who takes a zone over refuses one that has anything beside a CNAME.
        let types = if service.hostname().is_some() { &[RecordType::CNAME] } else { TYPES };
        self.show(name.as_name(), types, |asking| asking.exposed(service, &Wanted::All));
        let ports = service.ports().map(|port| (port.name.to_vec(), port.protocol.to_vec()));
        self.ports(&name, ports.collect(), |asking, wanted| asking.exposed(service, wanted));
    }

    /// The PTR records that lead to a service; those of others at its addresses are theirs.
    fn reverse(&mut self, service: &PackedExternal) {
        let services = &self.view.services;
        let Ok(target) = NameBuf::join(service.key(), services.primary().services()) else {
            return;
        };
        for address in service.addresses() {
            let owner = wire::reverse::name(address.into());
            if owner.as_name().is_at_or_below(self.zone.apex()) {
                (self.each)(VisitedRecord {
                    owner: owner.as_name(),
                    rtype: RecordType::PTR,
                    ttl: services.ttl,
                    rdata: target.octets(),
                });
            }
        }
    }

    /// A headless service and its endpoints, unless it is reached from outside.
    fn headless(&mut self, entry: &Entry) {
        let is_headless =
            entry.service().is_some_and(|service| service.kind() == ServiceKind::Headless);
        let is_exposed = self.cluster.external(entry.key(), |_| ()).is_some();
        if !is_headless || is_exposed || !self.shows(entry.namespace()) {
            return;
        }
        let Some(name) = self.service_name(entry.key()) else { return };
        self.show(name.as_name(), TYPES, |asking| asking.endpoints(entry, &Wanted::All));
        let ports = entry.slices().iter().flat_map(|slice| slice.ports());
        let ports = ports.map(|port| (port.name.to_vec(), port.protocol.to_vec())).collect();
        self.ports(&name, ports, |asking, wanted| asking.endpoints(entry, wanted));
        let pod_names = self.view.services.endpoint_pod_names;
        let mut labels: Vec<_> =
            entry.endpoints().map(|it| it.label(pod_names).as_bytes().to_vec()).collect();
        labels.sort_unstable();
        labels.dedup();
        for label in labels {
            let Ok(name) = NameBuf::child(&label, name.as_name()) else { continue };
            let wanted = Wanted::endpoint(&label);
            self.show(name.as_name(), TYPES, |asking| asking.endpoints(entry, &wanted));
        }
    }

    fn shows(&self, namespace: &[u8]) -> bool {
        self.view.services.shows(namespace) && self.cluster.has_namespace(namespace)
    }

    /// The name of a service in this zone, unless another zone of the view or the name server's part
    /// of it hides it.
    fn service_name(&self, key: &[u8]) -> Option<NameBuf> {
        let name = NameBuf::join(key, self.zone.apex()).ok()?;
        let is_hidden = |apex: &NameBuf| name.as_name().is_at_or_below(apex.as_name());
        let is_here = self.view.services.zone_of(name.as_name()) == Some(self.zone.apex());
        (is_here && !self.view.below.iter().any(is_hidden)).then_some(name)
    }

    /// The names of ports, given as name and protocol; those without a name have none.
    fn ports(
        &mut self,
        service: &NameBuf,
        mut ports: Vec<(Vec<u8>, Vec<u8>)>,
        mut ask: impl FnMut(&mut Asking<'_>, &Wanted<'_>) -> Found,
    ) {
        ports.retain(|(port, _)| !port.is_empty());
        ports.sort_unstable();
        ports.dedup();
        for (port, protocol) in &ports {
            let underscored = |label: &[u8]| [b"_", label].concat();
            let Ok(below) = NameBuf::child(&underscored(protocol), service.as_name()) else {
                continue;
            };
            let Ok(name) = NameBuf::child(&underscored(port), below.as_name()) else { continue };
            let wanted = Wanted::Port { port, protocol };
            self.show(name.as_name(), &[RecordType::SRV], |asking| ask(asking, &wanted));
        }
    }

    /// Asks `name` for each type and shows what answers.
    fn show(
        &mut self,
        name: Name<'_>,
        types: &[RecordType],
        mut ask: impl FnMut(&mut Asking<'_>) -> Found,
    ) {
        for &rtype in types {
            self.body.clear();
            let mut asking = Asking {
                cluster: self.cluster,
                synced: true,
                view: &self.view.services,
                zone: self.zone,
                name,
                rtype,
                body: &mut self.body,
            };
            // A CNAME answers questions for addresses as well, but is one record.
            if ask(&mut asking) != Found::Answer {
                continue;
            }
            for record in self.body.section(Section::Answer) {
                (self.each)(VisitedRecord {
                    owner: self.body.owner(record),
                    rtype: record.rtype,
                    ttl: record.ttl,
                    rdata: self.body.rdata(record),
                });
            }
        }
    }
}
