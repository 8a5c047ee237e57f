//! Where a service is reached from outside of the cluster, as it is stored.
//!
//! Most services are not, so that this is no part of an [`Entry`](super::entry::Entry): those pay
//! nothing for it.

use super::Model;
use super::entry::{entry_name, namespace_of};
use super::holdings::Keyed;
use super::packed::{Octets, Ports, push_address, push_port};
use super::services::{entry_key, move_addresses};
use super::table::{Edit, Value};
use crate::address::Address;
use crate::objects::{Exposure, Ingress, Port, Service};
use std::net::IpAddr;
use std::sync::Arc;
use wire::{Name, NameBuf};

/// A service that is reached from outside, in one run of octets, which the writer and the readers
/// share. It has all that an answer needs, so that no answer mixes two states of a service.
///
/// ```text
/// length of the key (1 octet)  key, as an Entry has it
/// number of addresses (2 octets)  addresses, in order
/// length of the name (1 octet)  name in wire form, if there is no address
/// ports
/// ```
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PackedExternal(Arc<[u8]>);

impl PackedExternal {
    /// None for a service that nobody reaches from outside.
    ///
    /// RFC 1034 §3.6.2: "If a CNAME RR is present at a node, no other data should be present". So
    /// addresses win over the names of load balancers, and of several names the first one does;
    /// CoreDNS answers with all of them at once.
    pub(crate) fn new(service: &Service) -> Option<Self> {
        let addresses = addresses(service);
        let name = if addresses.is_empty() { hostname(service) } else { None };
        if addresses.is_empty() && name.is_none() {
            return None;
        }
        let key = entry_key(service.name.as_bytes(), service.namespace.as_bytes());
        let mut out = vec![key.len() as u8]; // two labels: 128 octets at most
        out.extend_from_slice(&key);
        out.extend_from_slice(&(addresses.len() as u16).to_be_bytes());
        for address in addresses {
            push_address(&mut out, address);
        }
        let name = name.as_ref().map_or(&[][..], NameBuf::octets);
        out.push(name.len() as u8);
        out.extend_from_slice(name);
        for port in &service.ports {
            push_port(&mut out, port);
        }
        Some(Self(out.into()))
    }

    /// As much of the exposure that it was made of as answers need, and the ports.
    pub(super) fn unpack(&self) -> (Exposure, Vec<Port>) {
        let hostname = self.hostname().map(|name| Ingress::Hostname(name.to_string()));
        let exposure = Exposure {
            external_ips: self.addresses().map(IpAddr::from).collect(),
            ingress: hostname.into_iter().collect(),
            ..Exposure::default()
        };
        (exposure, self.ports().map(|port| port.unpack()).collect())
    }

    /// The labels of service and namespace as they stand in a name, in lower case.
    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        Octets(&self.0).text()
    }

    /// The label of the namespace.
    pub(crate) fn namespace(&self) -> &[u8] {
        namespace_of(self.key())
    }

    fn parts(&self) -> (u16, Octets<'_>) {
        let mut octets = Octets(&self.0);
        octets.text();
        (octets.word(), octets)
    }

    fn behind_addresses(&self) -> Octets<'_> {
        let (count, mut octets) = self.parts();
        for _ in 0..count {
            octets.address();
        }
        octets
    }

    /// Its addresses, in order, each once.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = Address> + Clone + '_ {
        let (count, mut octets) = self.parts();
        (0..count).map(move |_| octets.address())
    }

    /// The name that it is reached by, if it has no address.
    pub(crate) fn hostname(&self) -> Option<Name<'_>> {
        Name::from_octets(self.behind_addresses().text()).ok()
    }

    pub(crate) fn ports(&self) -> Ports<'_> {
        let mut octets = self.behind_addresses();
        octets.text();
        Ports(octets)
    }
}

/// The addresses in order, each once. As in CoreDNS the type of the service does not matter.
fn addresses(service: &Service) -> Vec<Address> {
    let exposure = &service.exposure;
    let ingress = exposure.ingress.iter().filter_map(|way| match way {
        Ingress::Address(address) => Some(*address),
        // CoreDNS takes an address for one wherever it stands.
        Ingress::Hostname(text) => text.parse::<IpAddr>().ok(),
    });
    let all = exposure.external_ips.iter().copied().chain(ingress);
    let mut all: Vec<_> = all.map(Address::from).collect();
    all.sort_unstable();
    all.dedup();
    all.truncate(u16::MAX.into());
    all
}

fn hostname(service: &Service) -> Option<NameBuf> {
    service.exposure.ingress.iter().find_map(|way| match way {
        Ingress::Address(_) => None,
        Ingress::Hostname(text) => entry_name(text),
    })
}

impl Value for PackedExternal {
    fn is_same(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Keyed for PackedExternal {
    fn identity(&self) -> (&[u8], &[u8]) {
        (self.key(), &[])
    }
}

impl Model {
    /// Takes note of where the service with this key is reached from outside now.
    pub(super) fn change_external(&mut self, key: &[u8], new: Option<PackedExternal>) {
        if self.external.find((key, &[])) == new.as_ref() {
            return;
        }
        match new {
            Some(new) => self.external.put(new),
            None => self.external.remove((key, &[])),
        };
        self.pending.external.push(key.into());
    }

    /// Makes the services with these keys visible as they are now; how many have changed.
    pub(super) fn publish_external(&self, touched: &mut Vec<Box<[u8]>>) -> usize {
        touched.sort_unstable();
        touched.dedup();
        let (mut services, mut addresses) = (Vec::new(), Vec::new());
        for key in touched.drain(..) {
            let place = self.cluster.place(&*key);
            let old = self.cluster.external(&key, PackedExternal::clone);
            let new = self.external.find((&key, &[]));
            if old.as_ref() == new {
                continue;
            }
            let all = |it: Option<&PackedExternal>| -> Vec<Address> {
                it.into_iter().flat_map(PackedExternal::addresses).collect()
            };
            move_addresses(&self.cluster, place, (&all(old.as_ref()), &all(new)), &mut addresses);
            let stays = new.is_some();
            services.extend(new.cloned().or(old).map(|value| Edit { place, value, stays }));
        }
        let count = services.len();
        self.cluster.external.publish(services);
        self.cluster.external_addresses.publish(addresses);
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{Event, Kinds, Object, Target};

    fn service(external_ips: &[&str], ingress: &[&str]) -> Service {
        let address = |text: &str| text.parse::<IpAddr>();
        let way = |text: &&str| match address(text) {
            Ok(address) => Ingress::Address(address),
            Err(_) => Ingress::Hostname((*text).to_owned()),
        };
        Service {
            namespace: "Shop".into(),
            name: "web".into(),
            target: Target::ClusterIps(Vec::new()),
            ports: vec![Port { name: "HTTP".into(), protocol: "TCP".into(), number: Some(80) }],
            exposure: Exposure {
                external_ips: external_ips.iter().map(|text| address(text).unwrap()).collect(),
                ingress: ingress.iter().map(way).collect(),
                ..Exposure::default()
            },
        }
    }

    /// Addresses and name, as text.
    fn packed(external_ips: &[&str], ingress: &[&str]) -> Option<(usize, Option<String>)> {
        let packed = PackedExternal::new(&service(external_ips, ingress))?;
        assert_eq!(packed.key(), b"\x03web\x04shop");
        assert_eq!(packed.namespace(), b"shop");
        let ports: Vec<_> = packed.ports().map(|port| (port.number, port.name)).collect();
        assert_eq!(ports, [(80, &b"http"[..])]);
        let name = packed.hostname().map(|name| name.to_string());
        Some((packed.addresses().count(), name))
    }

    #[test]
    fn what_is_packed_is_read_back() {
        let name = |text: &str| Some(text.to_owned());
        assert_eq!(packed(&[], &[]), None);
        assert_eq!(packed(&["203.0.113.7"], &["203.0.113.7", "2001:db8::8"]), Some((2, None)));
        assert_eq!(packed(&[], &["LB.example.net"]), Some((0, name("LB.example.net."))));
        assert_eq!(packed(&[], &["lb.example.net", "203.0.113.8"]), Some((1, None)));
        assert_eq!(packed(&[], &["a..b", "b.example", "a.example"]), Some((0, name("b.example."))));
        assert_eq!(packed(&[], &[".", "a..b"]), None);
    }

    #[test]
    fn the_serial_moves_with_what_is_seen_outside_alone() {
        let mut model = Model::new(Kinds::none());
        model.apply([], 1);
        let mut now = 100;
        let mut moves = |service: &Service| {
            now += 1;
            let event = Event::Apply(Object::Service(service.clone()));
            let changes = model.apply([event], now);
            assert_eq!(changes.external, usize::from(model.cluster().external_serial() == now));
            changes.external > 0
        };
        assert!(!moves(&service(&[], &[])));
        assert!(moves(&service(&["203.0.113.7", "203.0.113.8"], &[])));
        assert!(!moves(&service(&["203.0.113.8", "203.0.113.7"], &[])));
        assert!(!moves(&Service {
            target: Target::Endpoints,
            ..service(&["203.0.113.8"], &["203.0.113.7"])
        }));
        assert!(moves(&Service {
            ports: Vec::new(),
            ..service(&["203.0.113.8"], &["203.0.113.7"])
        }));
        assert!(moves(&service(&[], &["lb.example.net"])));
        assert!(moves(&service(&[], &[])));
    }

    #[test]
    fn nothing_is_left_of_what_is_gone() {
        let mut model = Model::new(Kinds::none());
        let one = service(&["203.0.113.7"], &["203.0.113.8"]);
        let other = Service { name: "other".into(), ..one.clone() };
        let objects = [one, other].map(Object::Service);
        let sizes =
            |model: &Model| [model.cluster.external.len(), model.cluster.external_addresses.len()];
        model.apply(objects.iter().cloned().map(Event::Apply), 1);
        assert_eq!(sizes(&model), [2, 4]);
        model.apply([Event::Delete(objects[0].key())], 2);
        assert_eq!(sizes(&model), [1, 2]);
        let kind = objects[1].key().kind;
        model.apply([Event::RelistBegin(kind), Event::RelistEnd(kind)], 3);
        assert_eq!(sizes(&model), [0, 0]);
    }
}
