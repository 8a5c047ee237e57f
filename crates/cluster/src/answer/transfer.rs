//! A whole zone, for who hands it over (AXFR).

use super::service::{self, Wanted};
use super::{Asking, apex};
use crate::cluster::Cluster;
use crate::model::Label;
use crate::model::entry::{Entry, PackedService, ServiceKind};
use crate::model::packed::PackedPort;
use crate::model::slice::{PackedEndpoint, PackedSlice};
use crate::model::table::Part;
use crate::view::{View, is_reverse};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use wire::{Body, Class, Name, NameBuf, RecordType, Section};

/// A zone of the cluster as it was at one moment, however long it takes to read it.
///
/// It has what CoreDNS hands over: the apex, and of each service its addresses, its ports and the
/// addresses of its endpoints. It has no pods, no names of addresses, and no endpoints of services
/// that have addresses of their own.
pub struct ZoneCopy {
    view: Arc<View>,
    /// Below it are the services.
    services: NameBuf,
    serial: u32,
    soa: Body,
    /// The NS records and their addresses, until they are read.
    servers: Option<Body>,
    namespaces: HashSet<Label>,
    /// What is still to be read, the last part first.
    parts: Vec<Part<Entry>>,
    /// Which entry of the last part comes next.
    at: usize,
    reading: Option<Reading>,
}

/// How much is appended at once: a little more than this at the most.
const RECORDS_AT_ONCE: usize = 500;

impl Cluster {
    /// The zone with this apex, in lower case; none if it is no zone of the view, or a reverse zone,
    /// whose records are not known one by one.
    ///
    /// Takes some microseconds, in which the cluster does not change: what is copied are pointers to
    /// what never changes.
    pub fn copy_zone(&self, view: &Arc<View>, apex: Name<'_>) -> Option<ZoneCopy> {
        let (zone, above) = view.find_zone(apex)?;
        if !above.is_empty() || is_reverse(apex) || zone.is_imported {
            return None;
        }
        let _unchanged = self.hold();
        let (mut soa, mut servers) = (Body::new(), Body::new());
        apex::push_soa(self, view, zone, (Section::Answer, &mut soa));
        let (name, rtype, body) = (zone.apex(), RecordType::NS, &mut servers);
        let _ = Asking { cluster: self, synced: true, view, zone, name, rtype, body }.apex();
        keep_glue(&mut servers, zone.apex());
        Some(ZoneCopy {
            view: view.clone(),
            services: zone.services().to_buf(),
            serial: self.serial(),
            soa,
            servers: Some(servers),
            namespaces: self.namespaces.parts().iter().flat_map(Part::values).cloned().collect(),
            parts: self.entries.parts(),
            at: 0,
            reading: None,
        })
    }
}

/// Puts the addresses of `ns.dns` behind the NS records. Other servers are services, whose addresses
/// come with them.
fn keep_glue(servers: &mut Body, apex: Name<'_>) {
    let Ok(own) = NameBuf::join(b"\x02ns\x03dns", apex) else { return };
    for record in std::mem::take(&mut servers.additional) {
        if servers.owner(&record) == own.as_name() {
            servers.answer.push(record);
        }
    }
}

impl ZoneCopy {
    /// The serial that the zone has.
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// Appends the SOA record to the answer section.
    pub fn push_soa(&self, body: &mut Body) {
        push_all(body, &self.soa);
    }

    /// Appends some hundred records to the answer section of `body`, which is empty: each of the
    /// zone, but for the SOA record, in one of the calls. False at the end, and then there may be
    /// none.
    pub fn push_some(&mut self, body: &mut Body) -> bool {
        if let Some(servers) = self.servers.take() {
            push_all(body, &servers);
        }
        while body.answer.len() < RECORDS_AT_ONCE {
            if let Some(reading) = &mut self.reading {
                if !reading.push_some(&self.view, body) {
                    self.reading = None;
                }
            } else {
                let Some(entry) = self.next_entry() else { return false };
                self.reading = self.is_shown(&entry).then(|| Reading::new(entry, self.services));
            }
        }
        true
    }

    fn next_entry(&mut self) -> Option<Entry> {
        loop {
            if let Some(entry) = self.parts.last()?.values().nth(self.at) {
                self.at += 1;
                return Some(entry.clone());
            }
            self.parts.pop();
            self.at = 0;
        }
    }

    /// Whether questions find it, too.
    fn is_shown(&self, entry: &Entry) -> bool {
        let Some(service) = entry.service() else { return false };
        let namespace = entry.namespace();
        let is_empty = || !self.view.endpoints || entry.endpoints().next().is_none();
        let is_ignored = self.view.ignore_empty_services
            && service.kind() == ServiceKind::ClusterIp
            && is_empty();
        !is_ignored && self.view.shows(namespace) && self.namespaces.contains(namespace)
    }
}

fn push_all(body: &mut Body, from: &Body) {
    for record in &from.answer {
        body.push_from(Section::Answer, from, record);
    }
}

/// A service that is being read.
struct Reading {
    entry: Entry,
    /// Its name, if it has one in this zone.
    name: Option<NameBuf>,
    /// How many ports, or endpoints, have been read.
    done: usize,
    /// Owner, type and data of what has been read. RFC 2181 §5: an RRset has no duplicates; two ports
    /// have one number, an endpoint is in two slices.
    sent: HashSet<Box<[u8]>>,
    /// The weights of SRV records of a headless service, by owner.
    weights: HashMap<Box<[u8]>, u16>,
}

impl Reading {
    fn new(entry: Entry, services: NameBuf) -> Self {
        let name = NameBuf::join(entry.key(), services.as_name()).ok();
        Self { entry, name, done: 0, sent: HashSet::new(), weights: HashMap::new() }
    }

    /// Appends what comes next; false at the end.
    fn push_some(&mut self, view: &View, body: &mut Body) -> bool {
        let entry = self.entry.clone();
        let (Some(name), Some(service)) = (self.name, entry.service()) else { return false };
        let (sent, weights) = (&mut self.sent, &mut self.weights);
        let mut out = Out { body, sent, weights, ttl: view.ttl };
        match service.kind() {
            ServiceKind::External => {
                if let Some(target) = service.external() {
                    out.push(name, RecordType::CNAME, target.octets());
                }
                false
            }
            ServiceKind::ClusterIp => out.cluster_ip(name, service, &mut self.done),
            ServiceKind::Headless if view.endpoints => {
                out.headless(name, &entry, view.endpoint_pod_names, &mut self.done)
            }
            ServiceKind::Headless => false,
        }
    }
}

/// Where records go.
struct Out<'a> {
    body: &'a mut Body,
    sent: &'a mut HashSet<Box<[u8]>>,
    weights: &'a mut HashMap<Box<[u8]>, u16>,
    ttl: u32,
}

impl Out<'_> {
    /// The addresses, then for each port an SRV record at the service and one at the port's name.
    fn cluster_ip(&mut self, name: NameBuf, service: PackedService<'_>, done: &mut usize) -> bool {
        if *done == 0 {
            for address in service.addresses() {
                self.push(name, address.rtype(), address.rdata());
            }
        }
        let addresses = service.addresses().count();
        if addresses == 0 {
            return false;
        }
        let of_all = service::weight(service.ports().count() * addresses);
        for port in service.ports().skip(*done) {
            if self.is_full() {
                return true;
            }
            *done += 1;
            self.push_srv(name, of_all, port.number, name);
            let Some(owner) = port_name(&port, name) else { continue };
            let wanted = Wanted::Port { port: port.name, protocol: port.protocol };
            let same = service.ports().filter(|port| wanted.takes_port(port)).count();
            self.push_srv(owner, service::weight(same * addresses), port.number, name);
        }
        false
    }

    /// For each endpoint its address, at the service and at its own name, and an SRV record at the name
    /// of each of its ports.
    fn headless(
        &mut self,
        name: NameBuf,
        entry: &Entry,
        pod_names: bool,
        done: &mut usize,
    ) -> bool {
        let endpoints = entry
            .slices()
            .iter()
            .flat_map(|slice| slice.endpoints().map(move |endpoint| (slice, endpoint)));
        for (slice, endpoint) in endpoints.skip(*done) {
            if self.is_full() {
                return true;
            }
            *done += 1;
            self.endpoint(name, (slice, endpoint), entry, pod_names);
        }
        false
    }

    fn endpoint(
        &mut self,
        name: NameBuf,
        (slice, endpoint): (&PackedSlice, PackedEndpoint<'_>),
        entry: &Entry,
        pod_names: bool,
    ) {
        let address = endpoint.address;
        self.push(name, address.rtype(), address.rdata());
        let label = endpoint.label(pod_names);
        let Ok(own) = NameBuf::child(label.as_bytes(), name.as_name()) else { return };
        self.push(own, address.rtype(), address.rdata());
        for port in slice.ports() {
            let Some(owner) = port_name(&port, name) else { continue };
            // Every endpoint has this port, most likely: it is enough to count them once.
            let weight = *self.weights.entry(owner.octets().into()).or_insert_with(|| {
                let wanted = Wanted::Port { port: port.name, protocol: port.protocol };
                service::weight(service::pairs(entry, &wanted, pod_names))
            });
            self.push_srv(owner, weight, port.number, own);
        }
    }

    fn push_srv(&mut self, owner: NameBuf, weight: u16, port: u16, target: NameBuf) {
        if port == 0 {
            return; // as in answers
        }
        let mut data = [0; 6].to_vec();
        data[2..4].copy_from_slice(&weight.to_be_bytes());
        data[4..].copy_from_slice(&port.to_be_bytes());
        data.extend_from_slice(target.octets());
        self.push(owner, RecordType::SRV, &data);
    }

    fn push(&mut self, owner: NameBuf, rtype: RecordType, data: &[u8]) {
        let record = [owner.octets(), &rtype.0.to_be_bytes(), data].concat();
        if self.sent.insert(record.into()) {
            let (body, owner) = (&mut self.body, owner.as_name());
            body.push_with(Section::Answer, owner, self.ttl, rtype, Class::IN, |out| {
                out.extend_from_slice(data);
            });
        }
    }

    fn is_full(&self) -> bool {
        self.body.answer.len() >= RECORDS_AT_ONCE
    }
}

/// `_PORT._PROTOCOL` in front of the service's name; none for a port without a name.
fn port_name(port: &PackedPort<'_>, service: NameBuf) -> Option<NameBuf> {
    if port.name.is_empty() {
        return None;
    }
    let mut name = service;
    for part in [port.protocol, port.name] {
        name = NameBuf::child(&[b"_", part].concat(), name.as_name()).ok()?;
    }
    Some(name)
}
