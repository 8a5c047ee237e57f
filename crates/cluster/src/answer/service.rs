//! Names of services, of their ports and of their endpoints.

use super::{Asking, Found};
use crate::address::Address;
use crate::model::entry::{Entry, PackedService, ServiceKind, namespace_of};
use crate::model::packed::PackedPort;
use crate::model::slice::{PackedEndpoint, PackedSlice};
use crate::path::without_underscore;
use wire::{Class, Name, NameBuf, RecordType, Section};

/// Which part of a service was asked for.
pub(super) enum Wanted<'a> {
    /// The whole.
    All,
    /// A port, by name and protocol in lower case.
    Port { port: &'a [u8], protocol: &'a [u8] },
    /// The endpoints with this label, given or made of an address, in the cluster with this id;
    /// an empty one is this cluster's.
    Endpoint { label: &'a [u8], address: Option<Address>, cluster: &'a [u8] },
    /// The endpoints in a topology zone, whose labels are in lower case and wire form.
    Zone(&'a [u8]),
}

impl<'a> Wanted<'a> {
    pub(super) fn endpoint(label: &'a [u8]) -> Self {
        Self::endpoint_of(label, b"")
    }

    pub(super) fn endpoint_of(label: &'a [u8], cluster: &'a [u8]) -> Self {
        // An address has one label, though a parser takes several spellings.
        let is_made_of = |address: &Address| address.label().as_bytes() == label;
        Self::Endpoint { label, address: Address::from_label(label).filter(is_made_of), cluster }
    }

    pub(super) fn takes_port(&self, it: &PackedPort<'_>) -> bool {
        match self {
            // A port without a name has no name of its own below the service.
            Self::Port { port, protocol } => {
                it.name == *port && it.protocol == *protocol && !port.is_empty()
            }
            _ => true,
        }
    }

    /// A port by the two labels of its name. As in CoreDNS underscores need not be there.
    pub(super) fn port(port: &'a [u8], protocol: &'a [u8]) -> Self {
        Self::Port { port: without_underscore(port), protocol: without_underscore(protocol) }
    }

    /// Whether the label can be one of an endpoint: those have no underscores.
    pub(super) fn is_endpoint(&self) -> bool {
        matches!(self, Self::Endpoint { label, .. } if !label.starts_with(b"_"))
    }

    fn takes_slice(&self, slice: &PackedSlice) -> bool {
        match self {
            Self::All | Self::Zone(_) => true,
            Self::Port { .. } => slice.ports().any(|port| self.takes_port(&port)),
            Self::Endpoint { cluster, .. } => slice.cluster() == *cluster,
        }
    }

    fn takes_endpoint(&self, endpoint: &PackedEndpoint<'_>, pod_names: bool) -> bool {
        match self {
            Self::Endpoint { label, address, .. } => match endpoint.given_label(pod_names) {
                Some(given) => given == *label,
                None => *address == Some(endpoint.address),
            },
            Self::Zone(labels) => endpoint.is_in_zone(labels),
            _ => true,
        }
    }
}

impl Asking<'_> {
    /// `SVC.NS.svc` and the names below it.
    pub(super) fn service(&mut self, key: &[u8], wanted: &Wanted<'_>) -> Found {
        if !self.exposes(namespace_of(key)) {
            return self.absent();
        }
        let found = self.entry(key, |asking, entry| {
            let Some(service) = entry.service() else { return asking.absent() };
            match service.kind() {
                ServiceKind::External => asking.external(service, wanted),
                ServiceKind::ClusterIp if !matches!(wanted, Wanted::Endpoint { .. }) => {
                    asking.cluster_ip(entry, service, wanted)
                }
                ServiceKind::ClusterIp | ServiceKind::Headless => asking.endpoints(entry, wanted),
            }
        });
        found.unwrap_or_else(|| self.absent())
    }

    /// What `look` makes of the entry with this key, in a zone of imported services of that.
    fn entry<R>(&mut self, key: &[u8], mut look: impl FnMut(&mut Self, &Entry) -> R) -> Option<R> {
        let cluster = self.cluster;
        if self.zone.is_imported {
            return cluster.import(key, |entry| look(self, entry));
        }
        cluster.entry(key, |entry| look(self, entry))
    }

    /// The endpoints of a headless service in one topology zone, or of all if it is empty and only
    /// preferred. Without any labels of a zone the name lies between: nothing is at it.
    pub(super) fn zonal(&mut self, key: &[u8], topology: &[u8], prefers: bool) -> Found {
        if !self.exposes(namespace_of(key)) {
            return self.absent();
        }
        let found = self.entry(key, |asking, entry| {
            let is_headless = |it: PackedService<'_>| it.kind() == ServiceKind::Headless;
            let has_endpoints = asking.view.endpoints && entry.endpoints().next().is_some();
            if !entry.service().is_some_and(is_headless) || !has_endpoints {
                return asking.absent();
            }
            if topology.is_empty() {
                return Found::NoData;
            }
            if entry.endpoints().any(|endpoint| endpoint.is_in_zone(topology)) {
                return asking.endpoints(entry, &Wanted::Zone(topology));
            }
            match prefers {
                true => asking.endpoints(entry, &Wanted::All),
                // The endpoint may be in a slice that has not come yet.
                false if !asking.synced => Found::NotSynced,
                false => Found::NoData,
            }
        });
        found.unwrap_or_else(|| self.absent())
    }

    /// An ExternalName service. As in CoreDNS only questions for addresses and for the CNAME
    /// itself see it, and nothing exists below it.
    fn external(&mut self, service: PackedService<'_>, wanted: &Wanted<'_>) -> Found {
        let Some(target) = service.external().filter(|_| matches!(wanted, Wanted::All)) else {
            return self.absent();
        };
        if !self.rtype.is_address() && self.rtype != RecordType::CNAME {
            return Found::NoData;
        }
        self.push(RecordType::CNAME, target.octets());
        if self.rtype == RecordType::CNAME { Found::Answer } else { Found::Elsewhere }
    }

    /// A service with addresses of its own, or one of its ports.
    fn cluster_ip(
        &mut self,
        entry: &Entry,
        service: PackedService<'_>,
        wanted: &Wanted<'_>,
    ) -> Found {
        let has_endpoint = || self.view.endpoints && entry.endpoints().next().is_some();
        if self.view.ignore_empty_services && !has_endpoint() {
            return self.absent();
        }
        let mut ports = service.ports().filter(|port| wanted.takes_port(port));
        if matches!(wanted, Wanted::Port { .. }) && ports.next().is_none() {
            return self.absent();
        }
        let before = self.body.answer.len();
        match self.rtype {
            RecordType::A | RecordType::AAAA => {
                for address in service.addresses() {
                    self.push_if_asked(address);
                }
            }
            RecordType::SRV => self.push_service_srv(entry, service, wanted),
            _ => {}
        }
        self.result(before)
    }

    fn push_service_srv(&mut self, entry: &Entry, service: PackedService<'_>, wanted: &Wanted<'_>) {
        let Ok(target) = NameBuf::join(entry.key(), self.zone.services()) else { return };
        let begin = self.body.answer.len();
        let ports = || service.ports().filter(|port| wanted.takes_port(port));
        let weight = weight(ports().count() * service.addresses().count());
        for port in ports().filter(|_| service.addresses().next().is_some()) {
            self.push_srv(weight, port.number, target.as_name());
        }
        if self.body.answer.len() == begin {
            return;
        }
        self.drop_repeats(Section::Answer, begin);
        for address in service.addresses() {
            self.push_additional(target.as_name(), address);
        }
    }

    /// The endpoints of a headless service, or the named ones of any service.
    ///
    /// The specification wants a headless service without endpoints to be denied.
    pub(super) fn endpoints(&mut self, entry: &Entry, wanted: &Wanted<'_>) -> Found {
        if !self.view.endpoints
            || chosen(entry, wanted, self.view.endpoint_pod_names).next().is_none()
        {
            return self.no_endpoint(entry, wanted);
        }
        let before = self.body.answer.len();
        match self.rtype {
            RecordType::A | RecordType::AAAA => self.push_addresses(entry, wanted),
            RecordType::SRV => self.push_endpoint_srv(entry, wanted),
            _ => return Found::NoData,
        }
        match self.result(before) {
            // The other family may be in a slice that has not come yet.
            Found::NoData if !self.synced => Found::NotSynced,
            found => found,
        }
    }

    /// `_tcp.SVC.NS.svc` lies between a service and its ports, `CLUSTER.SVC.NS.svc` between an
    /// imported one and its endpoints: there are names below them, so they exist, though CoreDNS
    /// denies them (RFC 8020 §2).
    fn no_endpoint(&self, entry: &Entry, wanted: &Wanted<'_>) -> Found {
        let Wanted::Endpoint { label, cluster: b"", .. } = wanted else { return self.absent() };
        let has_endpoints = |slice: &PackedSlice| slice.endpoints().next().is_some();
        let is_of_cluster = |slice: &PackedSlice| slice.cluster() == *label && has_endpoints(slice);
        if self.view.endpoints && entry.slices().iter().any(is_of_cluster) {
            return Found::NoData;
        }
        let [b'_', protocol @ ..] = *label else { return self.absent() };
        let has_port = |port: PackedPort<'_>| port.protocol == protocol && !port.name.is_empty();
        let is_headless = |service: PackedService<'_>| service.kind() == ServiceKind::Headless;
        let exists = if entry.service().is_some_and(is_headless) {
            self.view.endpoints
                && entry
                    .slices()
                    .iter()
                    .filter(|slice| has_endpoints(slice))
                    .flat_map(PackedSlice::ports)
                    .any(has_port)
        } else {
            entry.service().into_iter().flat_map(PackedService::ports).any(has_port)
        };
        if exists { Found::NoData } else { self.absent() }
    }

    fn push_addresses(&mut self, entry: &Entry, wanted: &Wanted<'_>) {
        let begin = self.body.answer.len();
        for (_, endpoint) in chosen(entry, wanted, self.view.endpoint_pod_names) {
            self.push_if_asked(endpoint.address);
        }
        if entry.repeats() {
            self.drop_repeats(Section::Answer, begin);
        }
    }

    /// Appends an SRV record for each endpoint and port, and the endpoints' addresses.
    fn push_endpoint_srv(&mut self, entry: &Entry, wanted: &Wanted<'_>) {
        let Ok(service) = NameBuf::join(entry.key(), self.zone.services()) else { return };
        let (begin, additional) = (self.body.answer.len(), self.body.additional.len());
        let pod_names = self.view.endpoint_pod_names;
        let weight = weight(pairs(entry, wanted, pod_names));
        for (slice, endpoint) in chosen(entry, wanted, pod_names) {
            let label = endpoint.label(pod_names);
            let Some(parent) = cluster_name(slice, service) else { continue };
            let Ok(target) = NameBuf::child(label.as_bytes(), parent.as_name()) else { continue };
            let before = self.body.answer.len();
            for port in slice.ports().filter(|port| wanted.takes_port(port)) {
                self.push_srv(weight, port.number, target.as_name());
            }
            if self.body.answer.len() > before {
                self.push_additional(target.as_name(), endpoint.address);
            }
        }
        self.drop_repeats(Section::Answer, begin);
        if entry.repeats() {
            self.drop_repeats(Section::Additional, additional);
        }
    }

    /// Appends an SRV record with CoreDNS's priority, unless the port has no number.
    pub(super) fn push_srv(&mut self, weight: u16, port: u16, target: Name<'_>) {
        if port == 0 {
            return;
        }
        let (section, ttl) = (Section::Answer, self.view.ttl);
        self.body.push_with(section, self.name, ttl, RecordType::SRV, Class::IN, |out| {
            for number in [0, weight, port] {
                out.extend_from_slice(&number.to_be_bytes());
            }
            out.extend_from_slice(target.octets());
        });
    }
}

/// The name that those of a slice's endpoints are made of: the service's, behind the id of the
/// cluster if it is another.
fn cluster_name(slice: &PackedSlice, service: NameBuf) -> Option<NameBuf> {
    match slice.cluster() {
        b"" => Some(service),
        id => NameBuf::child(id, service.as_name()).ok(),
    }
}

/// The endpoints that are wanted, with their slices.
fn chosen<'a>(
    entry: &'a Entry,
    wanted: &'a Wanted<'_>,
    pod_names: bool,
) -> impl Iterator<Item = (&'a PackedSlice, PackedEndpoint<'a>)> {
    let slices = entry.slices().iter().filter(|slice| wanted.takes_slice(slice));
    let endpoints = slices.flat_map(|slice| slice.endpoints().map(move |it| (slice, it)));
    endpoints.filter(move |(_, endpoint)| wanted.takes_endpoint(endpoint, pod_names))
}

/// How many pairs of endpoint and port are wanted.
pub(super) fn pairs(entry: &Entry, wanted: &Wanted<'_>, pod_names: bool) -> usize {
    let ports = |slice: &PackedSlice| slice.ports().filter(|port| wanted.takes_port(port)).count();
    chosen(entry, wanted, pod_names).map(|(slice, _)| ports(slice).max(1)).sum()
}

/// CoreDNS shares 100 out among the pairs of address and port, before it drops repeated records;
/// the specification leaves weights open.
pub(super) fn weight(pairs: usize) -> u16 {
    (100 / pairs.max(1)).max(1) as u16
}
