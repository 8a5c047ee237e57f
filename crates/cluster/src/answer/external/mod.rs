//! Services by the names and addresses that they have outside of the cluster.
//!
//! **What this is.** The zones of CoreDNS's `k8s_external`: [`Cluster::answer_external`] finds the
//! records for a question in a zone where `SVC.NS` leads to the external addresses of a service, or
//! to the name of its load balancer. [`ExternalView`] says which zones, [`mod@visit`] lists them.
//!
//! **What this is not.** It asks nobody for the addresses of a load balancer's name; the walk does,
//! see [`Found::Elsewhere`].

mod view;
mod visit;

pub use view::{ExternalOptions, ExternalView};
pub use visit::VisitedRecord;

use super::{Asking, Found};
use crate::address::Address;
use crate::answer::service::{Wanted, weight};
use crate::cluster::Cluster;
use crate::model::entry::{ServiceKind, namespace_of};
use crate::model::external::PackedExternal;
use crate::view::Zone;
use wire::{Body, Class, NameBuf, Question, RecordType, Reply, Section};

/// Seconds, as in the cluster's own zones.
const REFRESH: u32 = 7200;
const RETRY: u32 = 1800;
const EXPIRE: u32 = 86_400;

/// What name server and host master are called below `apex`.
const NAME_SERVER: &[u8] = b"\x03ns1";
const HOST_MASTER: &[u8] = b"\x0ahostmaster";

impl Cluster {
    /// Finds the records for `question` in a zone that is seen outside, and appends them to the
    /// reply's body.
    ///
    /// Nothing else of the reply is touched, see [`Cluster::answer`].
    pub fn answer_external(
        &self,
        view: &ExternalView,
        question: &Question,
        reply: &mut Reply,
    ) -> Found {
        let name = question.name();
        let Some((zone, above)) = view.services.find_zone(name) else { return Found::NotHere };
        if question.rtype.is_transfer() {
            return Found::Refused;
        }
        let mut asking = Asking {
            cluster: self,
            // Before anything is looked up, as in `answer`.
            synced: self.is_synced(),
            view: &view.services,
            zone,
            name,
            rtype: question.rtype,
            body: &mut reply.body,
        };
        if above.is_empty() {
            return asking.external_apex(view);
        }
        if let Some(found) = asking.below_apex(view) {
            return found;
        }
        if let Some(address) = Address::from_reverse(name) {
            return asking.external_reverse(address);
        }
        match Labels::read(above) {
            Labels::Namespace(namespace) => asking.namespace(namespace),
            Labels::Service(key, wanted) => asking.external_service(view, key, &wanted),
            Labels::TooMany => asking.absent(),
        }
    }

    /// Appends the SOA of the zone that `question` lies in to the authority section. Without such a
    /// zone nothing happens.
    pub fn push_external_soa(&self, view: &ExternalView, question: &Question, reply: &mut Reply) {
        if let Some((zone, _)) = view.services.find_zone(question.name()) {
            push_soa(self, view, zone, (Section::Authority, &mut reply.body));
        }
    }
}

fn push_soa(
    cluster: &Cluster,
    view: &ExternalView,
    zone: &Zone,
    (section, body): (Section, &mut Body),
) {
    let (apex, ttl) = (zone.apex(), view.services.ttl);
    // The addresses of endpoints change with the cluster's own records.
    let inside = if view.headless { cluster.serial() } else { 0 };
    let serial = cluster.external_serial().max(inside);
    body.push_with(section, apex, ttl, RecordType::SOA, Class::IN, |out| {
        for labels in [&view.name_server, &view.host_master] {
            out.extend_from_slice(labels);
            out.extend_from_slice(apex.octets());
        }
        for number in [serial, REFRESH, RETRY, EXPIRE, ttl] {
            out.extend_from_slice(&number.to_be_bytes());
        }
    });
}

/// The labels in front of a zone.
enum Labels<'a> {
    Namespace(&'a [u8]),
    /// With the key of the service.
    Service(&'a [u8], Wanted<'a>),
    TooMany,
}

impl<'a> Labels<'a> {
    /// The most that mean something: port, protocol, service, namespace.
    const MAX: usize = 4;

    /// Reads one label at least.
    fn read(above: &'a [u8]) -> Self {
        let mut labels = [&above[..0]; Self::MAX];
        let mut rest = above;
        let mut count = 0;
        // Where the last two begin.
        let (mut key, mut last) = (above, above);
        while let [length, behind @ ..] = rest {
            if count == Self::MAX {
                return Self::TooMany;
            }
            (key, last) = (last, rest);
            (labels[count], rest) = behind.split_at(usize::from(*length));
            count += 1;
        }
        let [first, second, ..] = labels;
        match count {
            1 => Self::Namespace(first),
            2 => Self::Service(key, Wanted::All),
            3 => Self::Service(key, Wanted::endpoint(first)),
            _ => Self::Service(key, Wanted::port(first, second)),
        }
    }
}

impl Asking<'_> {
    /// The zone's own name.
    fn external_apex(&mut self, view: &ExternalView) -> Found {
        match self.rtype {
            RecordType::SOA => {
                push_soa(self.cluster, view, self.zone, (Section::Answer, self.body));
            }
            RecordType::NS => {
                let Ok(server) = NameBuf::join(&view.name_server, self.zone.apex()) else {
                    return Found::NoData;
                };
                self.push(RecordType::NS, server.octets());
                let begin = self.body.additional.len();
                self.each_own_address(view, |asking, address| {
                    asking.push_additional(server.as_name(), address);
                });
                self.drop_repeats(Section::Additional, begin);
            }
            _ => return Found::NoData,
        }
        Found::Answer
    }

    /// `dns` and what is below it, or whatever `apex` calls it. No namespace of this name is seen.
    fn below_apex(&mut self, view: &ExternalView) -> Option<Found> {
        let name = self.name;
        let above = view.below.iter().find_map(|apex| name.labels_above(apex.as_name()))?;
        if above.is_empty() {
            return Some(Found::NoData);
        }
        if above != NAME_SERVER {
            return Some(Found::NoSuchName);
        }
        let begin = self.body.answer.len();
        self.each_own_address(view, Self::push_if_asked);
        self.drop_repeats(Section::Answer, begin);
        Some(self.result(begin))
    }

    /// The addresses at which this server is reached from outside: those of the services whose
    /// endpoint it is, or else its own.
    ///
    /// As in CoreDNS a server that is an endpoint of services which nobody reaches from outside has
    /// none, and one of a headless service has those of all its endpoints.
    fn each_own_address(&mut self, view: &ExternalView, mut each: impl FnMut(&mut Self, Address)) {
        let (cluster, inside) = (self.cluster, self.view);
        let mut is_endpoint = false;
        for &own in inside.own_addresses.iter().filter(|_| inside.endpoints) {
            cluster.each_holder(own, |entry| {
                let has_own = entry.endpoints().any(|endpoint| endpoint.address == own);
                let service = entry.service().filter(|_| has_own);
                let Some(service) = service.filter(|_| self.exposes(entry.namespace())) else {
                    return;
                };
                is_endpoint = true;
                if view.headless && service.kind() == ServiceKind::Headless {
                    return entry.endpoints().for_each(|endpoint| each(self, endpoint.address));
                }
                cluster.external(entry.key(), |service| {
                    service.addresses().for_each(|address| each(self, address));
                });
            });
        }
        if !is_endpoint {
            inside.own_addresses.iter().for_each(|&own| each(self, own));
        }
    }

    /// `SVC.NS` and the names below it.
    fn external_service(&mut self, view: &ExternalView, key: &[u8], wanted: &Wanted<'_>) -> Found {
        if !self.exposes(namespace_of(key)) {
            return self.absent();
        }
        let cluster = self.cluster;
        if let Some(found) = cluster.external(key, |service| self.exposed(service, wanted)) {
            return found;
        }
        if !view.headless {
            return self.absent();
        }
        let found = cluster.entry(key, |entry| match entry.service().map(|it| it.kind()) {
            Some(ServiceKind::Headless) => self.endpoints(entry, wanted),
            // As in CoreDNS the endpoints of every service have names, even if it has none itself.
            Some(_) if wanted.is_endpoint() => self.endpoints(entry, wanted),
            _ => self.absent(),
        });
        found.unwrap_or_else(|| self.absent())
    }

    /// A service that is reached from outside, or one of its ports. As in CoreDNS every other label
    /// below it means the service too.
    fn exposed(&mut self, service: &PackedExternal, wanted: &Wanted<'_>) -> Found {
        let is_port = matches!(wanted, Wanted::Port { .. });
        if is_port && !service.ports().any(|port| wanted.takes_port(&port)) {
            return self.absent();
        }
        let before = self.body.answer.len();
        match self.rtype {
            RecordType::SRV => self.push_external_srv(service, wanted),
            RecordType::A | RecordType::AAAA | RecordType::CNAME => {
                // CoreDNS has a CNAME at the ports too. Whoever kept it would never again ask for
                // the SRV record that is there (RFC 1034 §3.6.2).
                let name = service.hostname().filter(|_| !is_port);
                name.into_iter().for_each(|name| self.push(RecordType::CNAME, name.octets()));
                if name.is_some() && self.rtype != RecordType::CNAME {
                    return Found::Elsewhere;
                }
                service.addresses().for_each(|address| self.push_if_asked(address));
            }
            _ => {}
        }
        self.result(before)
    }

    /// Appends an SRV record for each port, and the addresses of its target: the service, or the
    /// load balancer.
    ///
    /// Beside a CNAME no SRV record should be, but clients of CoreDNS find it there.
    fn push_external_srv(&mut self, service: &PackedExternal, wanted: &Wanted<'_>) {
        let Ok(own) = NameBuf::join(service.key(), self.zone.services()) else { return };
        let target = service.hostname().unwrap_or(own.as_name());
        let begin = self.body.answer.len();
        let ports = || service.ports().filter(|port| wanted.takes_port(port));
        let weight = weight(ports().count() * service.addresses().count().max(1));
        for port in ports() {
            self.push_srv(weight, port.number, target);
        }
        if self.body.answer.len() == begin {
            return;
        }
        self.drop_repeats(Section::Answer, begin);
        for address in service.addresses() {
            self.push_additional(target, address);
        }
    }

    /// A whole reverse name: the services that are reached at the address from outside.
    ///
    /// CoreDNS denies the name for types other than PTR; it exists, so they get no data.
    fn external_reverse(&mut self, address: Address) -> Found {
        let before = self.body.answer.len();
        let cluster = self.cluster;
        let mut exists = false;
        cluster.each_external(address, |service| {
            let is_it = service.addresses().any(|it| it == address);
            if !is_it || !self.exposes(service.namespace()) {
                return;
            }
            if let Ok(name) = NameBuf::join(service.key(), self.view.primary().services()) {
                exists = true;
                self.push_ptr(&name);
            }
        });
        if exists { self.result(before) } else { self.absent() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a name in front of a zone is read as.
    fn read(text: &str) -> String {
        let name: NameBuf = text.parse().unwrap();
        let octets = name.octets();
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).replace(['\x01', '\x02'], ".");
        match Labels::read(&octets[..octets.len() - 1]) {
            Labels::Namespace(namespace) => text(namespace),
            Labels::Service(key, Wanted::All) => text(key),
            Labels::Service(key, Wanted::Endpoint { label, .. }) => {
                format!("{} in {}", text(label), text(key))
            }
            Labels::Service(key, Wanted::Port { port, protocol }) => {
                format!("{}/{} of {}", text(port), text(protocol), text(key))
            }
            Labels::Service(_, Wanted::Zone(_)) => "a zone".to_owned(),
            Labels::TooMany => "too many".to_owned(),
        }
    }

    #[test]
    fn names_in_front_of_a_zone() {
        assert_eq!(read("ns"), "ns");
        assert_eq!(read("s.ns"), ".s.ns");
        assert_eq!(read("e.s.ns"), "e in .s.ns");
        assert_eq!(read("_p._t.s.ns"), "p/t of .s.ns");
        assert_eq!(read("p.t.s.ns"), "p/t of .s.ns");
        assert_eq!(read("a._p._t.s.ns"), "too many");
    }

    proptest! {
        #[test]
        fn any_labels_are_read_without_a_panic(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..8), 1..12)) {
            let above: Vec<u8> = labels
                .iter()
                .flat_map(|label| [&[label.len() as u8][..], label].concat())
                .collect();
            match Labels::read(&above) {
                Labels::TooMany => prop_assert!(labels.len() > Labels::MAX),
                Labels::Namespace(namespace) => prop_assert_eq!(&[namespace], &labels[..]),
                Labels::Service(key, _) => prop_assert!(above.ends_with(key) && labels.len() > 1),
            }
        }
    }
}
