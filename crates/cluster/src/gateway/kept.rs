//! What matters of an object: the names that it asks for, and where they are reached.

use super::host::{Exits, HostKey};
use crate::objects::{
    DnsEndpoint, DnsTargets, EndpointSlice, Gateway, Ingress, IngressObject, Key, Kind, Node,
    Object, Parent, Route, Service,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use wire::NameBuf;

/// The classes of a node's addresses: the values of `nodeAddressType`.
pub(super) const NODE_ADDRESS_TYPES: [&str; 2] = ["InternalIP", "ExternalIP"];

/// What is kept of an object.
#[derive(PartialEq)]
pub(super) struct Kept {
    hosts: BTreeSet<HostKey>,
    reached: Reached,
    /// What those call it that are reached where it is.
    place: Option<Key>,
}

/// Where the names of an object are reached.
#[derive(PartialEq)]
pub(super) enum Reached {
    /// There, by class.
    At(Box<[(String, Exits)]>),
    /// Each somewhere else.
    AtEach(BTreeMap<HostKey, Exits>),
    /// Where these are: the gateways of a route, the slices of a service.
    Where(Box<[Key]>),
}

impl Kept {
    /// What matters of an object, if anything does.
    pub(super) fn of(object: &Object) -> Option<Self> {
        match object {
            Object::Service(service) => of_service(service),
            Object::EndpointSlice(slice) => Some(of_slice(slice)),
            Object::Ingress(IngressObject { class, hosts, ways, .. }) => {
                Some(at(read(hosts), class, exits(ways)))
            }
            Object::Gateway(gateway) => Some(of_gateway(gateway)),
            Object::HttpRoute(route)
            | Object::GrpcRoute(route)
            | Object::TlsRoute(route)
            | Object::OldTlsRoute(route) => Some(of_route(route)),
            Object::DnsEndpoint(endpoint) => Some(of_dns_endpoint(endpoint)),
            Object::Node(node) => Some(of_node(node)),
            Object::Namespace(_)
            | Object::Pod(_)
            | Object::ServiceImport(_)
            | Object::ImportedSlice(_) => None,
        }
    }

    /// The names that it asks for.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &HostKey> {
        self.hosts.iter()
    }

    pub(super) fn reached(&self) -> &Reached {
        &self.reached
    }

    /// Where to look for what it is reached at.
    pub(super) fn places(&self) -> &[Key] {
        match &self.reached {
            Reached::Where(places) => places,
            Reached::At(_) | Reached::AtEach(_) => &[],
        }
    }

    pub(super) fn place(&self) -> Option<&Key> {
        self.place.as_ref()
    }
}

fn at(hosts: BTreeSet<HostKey>, class: &str, exits: Exits) -> Kept {
    Kept { hosts, reached: Reached::At([(class.to_owned(), exits)].into()), place: None }
}

/// Services of type LoadBalancer, and those that want it: by the names of an annotation, or else by
/// their own.
fn of_service(service: &Service) -> Option<Kept> {
    let Service { exposure, namespace, name, .. } = service;
    if !exposure.is_load_balancer && !exposure.resolves_endpoints {
        return None;
    }
    let hosts = match exposure.hostnames.as_slice() {
        [] => HostKey::read(&format!("{name}.{namespace}")).into_iter().collect(),
        hostnames => read(hostnames),
    };
    if exposure.resolves_endpoints {
        let reached = Reached::Where([endpoints_of(namespace, name)].into());
        return Some(Kept { hosts, reached, place: None });
    }
    // As in the original: what people wrote counts before what the load balancer says.
    let exits = match exposure.external_ips.as_slice() {
        [] => exits(&exposure.ingress),
        addresses => addresses_of(addresses),
    };
    Some(at(hosts, "", exits))
}

/// The place of all slices of a service.
fn endpoints_of(namespace: &str, service: &str) -> Key {
    Key { kind: Kind::EndpointSlice, namespace: namespace.to_owned(), name: service.to_owned() }
}

fn of_slice(slice: &EndpointSlice) -> Kept {
    let addresses = slice.endpoints.iter().flat_map(|endpoint| &endpoint.addresses);
    let place = Some(endpoints_of(&slice.namespace, &slice.service));
    Kept { place, ..at(BTreeSet::new(), "", addresses_of(addresses)) }
}

fn of_gateway(gateway: &Gateway) -> Kept {
    let Gateway { namespace, name, class, ways } = gateway;
    let place = Key { kind: Kind::Gateway, namespace: namespace.clone(), name: name.clone() };
    Kept { place: Some(place), ..at(BTreeSet::new(), class, exits(ways)) }
}

fn of_route(route: &Route) -> Kept {
    let gateway = |Parent { namespace, name }: &Parent| Key {
        kind: Kind::Gateway,
        namespace: namespace.clone(),
        name: name.clone(),
    };
    let reached = Reached::Where(route.parents.iter().map(gateway).collect());
    Kept { hosts: read(&route.hostnames), reached, place: None }
}

fn of_dns_endpoint(endpoint: &DnsEndpoint) -> Kept {
    let mut each: BTreeMap<HostKey, Exits> = BTreeMap::new();
    for entry in &endpoint.entries {
        let Some(host) = HostKey::read(&entry.host) else { continue };
        let exits = match &entry.targets {
            DnsTargets::Addresses(addresses) => addresses_of(addresses),
            DnsTargets::Names(names) => {
                exits(&names.iter().cloned().map(Ingress::Hostname).collect::<Vec<_>>())
            }
            DnsTargets::Texts(texts) => {
                let texts = texts.iter().filter_map(|text| text_data(text)).collect();
                Exits { texts, ..Exits::default() }
            }
        };
        each.entry(host).or_default().add(&exits);
    }
    let hosts = each.keys().cloned().collect();
    Kept { hosts, reached: Reached::AtEach(each), place: None }
}

fn of_node(node: &Node) -> Kept {
    let [internal, external] = NODE_ADDRESS_TYPES.map(str::to_owned);
    let ways = [(internal, addresses_of(&node.internal)), (external, addresses_of(&node.external))];
    Kept { hosts: read(&node.hosts), reached: Reached::At(ways.into()), place: None }
}

fn read(hosts: &[String]) -> BTreeSet<HostKey> {
    hosts.iter().filter_map(|text| HostKey::read(text)).collect()
}

fn addresses_of<'a>(addresses: impl IntoIterator<Item = &'a IpAddr>) -> Exits {
    let addresses = addresses.into_iter().map(|&address| address.into()).collect();
    Exits { addresses, ..Exits::default() }
}

fn exits(ways: &[Ingress]) -> Exits {
    let mut exits = Exits::default();
    for way in ways {
        match way {
            Ingress::Address(address) => {
                exits.addresses.insert((*address).into());
            }
            // Some write an address where a name belongs.
            Ingress::Hostname(text) => match (text.parse::<IpAddr>(), text.parse::<NameBuf>()) {
                (Ok(address), _) => {
                    exits.addresses.insert(address.into());
                }
                (_, Ok(name)) if !name.as_name().is_root() => {
                    exits.aliases.insert(name.as_name().to_lower().octets().into());
                }
                _ => {}
            },
        }
    }
    exits
}

/// The data of a TXT record; none if there is no room for it in one.
///
/// RFC 1035 §3.3.14: "One or more `<character-string>`s", each of 255 octets at most.
fn text_data(text: &str) -> Option<Box<[u8]>> {
    let mut data = Vec::with_capacity(text.len() + text.len() / 255 + 1);
    for part in text.as_bytes().chunks(255) {
        data.push(part.len() as u8);
        data.extend_from_slice(part);
    }
    if data.is_empty() {
        data.push(0);
    }
    (data.len() <= usize::from(u16::MAX)).then(|| data.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_any_length() {
        assert_eq!(text_data("").as_deref(), Some(&[0][..]));
        assert_eq!(text_data("v=1").as_deref(), Some(&b"\x03v=1"[..]));
        let long = text_data(&"x".repeat(256)).unwrap();
        assert_eq!((long.len(), long[0], &long[256..]), (258, 255, &b"\x01x"[..]));
        assert!(text_data(&"x".repeat(65_279)).is_some());
        assert!(text_data(&"x".repeat(65_280)).is_none());
    }
}
