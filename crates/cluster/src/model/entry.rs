//! A service with its endpoints: what a question for a service's name needs.

use super::packed::{Octets, PackedPort, Ports, push_address, push_port};
use super::slice::{PackedEndpoint, PackedSlice};
use super::table::Value;
use crate::address::Address;
use crate::objects::{Exposure, Service, Target};
use std::net::IpAddr;
use triomphe::ThinArc;
use wire::{Name, NameBuf};

/// A service and its EndpointSlices under their common name. Never changes: a change makes a new
/// one, which shares the slices.
///
/// The octets are the labels of service and namespace as they stand in a name in wire form, in lower
/// case; then the service, if it is known. All is in one piece of memory, as a look-up reads all.
#[derive(Clone, PartialEq)]
pub(crate) struct Entry(ThinArc<Head, u8>);

#[derive(PartialEq)]
struct Head {
    key_len: u8,
    slices: Box<[PackedSlice]>,
    /// Whether an address has more than one endpoint.
    repeats: bool,
}

impl Entry {
    /// A name of which nothing is known yet.
    pub(crate) fn empty(key: &[u8]) -> Self {
        // Two labels with their lengths: 128 octets at most.
        let head = Head { key_len: key.len() as u8, slices: Box::default(), repeats: false };
        Self(ThinArc::from_header_and_slice(head, key))
    }

    /// Whether nothing is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.service().is_none() && self.slices().is_empty()
    }

    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        &self.0.slice[..self.head().key_len as usize]
    }

    /// The label of the namespace.
    pub(crate) fn namespace(&self) -> &[u8] {
        namespace_of(self.key())
    }

    #[inline]
    pub(crate) fn service(&self) -> Option<PackedService<'_>> {
        let service = &self.0.slice[self.head().key_len as usize..];
        (!service.is_empty()).then_some(PackedService(service))
    }

    /// The service as a source would tell it, if it is known.
    pub(super) fn unpack(&self) -> Option<Service> {
        let service = self.service()?;
        let key = self.key();
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Some(Service {
            namespace: text(self.namespace()),
            name: text(&key[1..=key[0] as usize]),
            target: service.target(),
            ports: service.ports().map(PackedPort::unpack).collect(),
            exposure: Exposure::default(), // is not stored
        })
    }

    pub(crate) fn slices(&self) -> &[PackedSlice] {
        &self.head().slices
    }

    /// Whether an address has more than one endpoint.
    pub(crate) fn repeats(&self) -> bool {
        self.head().repeats
    }

    pub(crate) fn endpoints(&self) -> impl Iterator<Item = PackedEndpoint<'_>> {
        self.slices().iter().flat_map(PackedSlice::endpoints)
    }

    /// The same with another service, as [`pack_service`] makes it, or none.
    pub(crate) fn with_service(&self, service: Option<&[u8]>) -> Self {
        let octets = [self.key(), service.unwrap_or_default()].concat();
        let Head { key_len, slices, repeats } = self.head();
        let head = Head { key_len: *key_len, slices: slices.clone(), repeats: *repeats };
        Self(ThinArc::from_header_and_slice(head, &octets))
    }

    /// The same with `new` in the place of `old`; either may be absent.
    pub(crate) fn with_slice(&self, old: Option<&PackedSlice>, new: Option<&PackedSlice>) -> Self {
        let kept = self.slices().iter().filter(|slice| Some(*slice) != old);
        let slices: Box<[_]> = kept.chain(new).cloned().collect();
        let mut addresses: Vec<_> =
            slices.iter().flat_map(PackedSlice::endpoints).map(|it| it.address).collect();
        addresses.sort_unstable();
        let repeats = addresses.windows(2).any(|pair| pair[0] == pair[1]);
        let head = Head { key_len: self.head().key_len, slices, repeats };
        Self(ThinArc::from_header_and_slice(head, &self.0.slice))
    }

    #[inline]
    fn head(&self) -> &Head {
        &self.0.header.header
    }

    /// Every address that leads back here, once and in order.
    pub(crate) fn addresses(&self) -> Vec<Address> {
        let cluster_ips = self.service().into_iter().flat_map(PackedService::addresses);
        let mut all: Vec<_> = cluster_ips.chain(self.endpoints().map(|it| it.address)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// The label of the namespace in an entry's key: what is behind the first label and the length.
pub(crate) fn namespace_of(key: &[u8]) -> &[u8] {
    &key[2 + key[0] as usize..]
}

impl Value for Entry {
    fn is_same(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

/// What a service's name leads to, without its parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ServiceKind {
    ClusterIp,
    Headless,
    External,
}

/// A service in one run of octets.
///
/// ```text
/// kind (1 octet)
/// number of addresses (1 octet)  addresses  ports      ClusterIp, Headless
/// name in wire form, or nothing if it is none          External
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PackedService<'a>(&'a [u8]);

/// Makes the octets of a [`PackedService`].
pub(crate) fn pack_service(service: &Service) -> Vec<u8> {
    let mut out = Vec::new();
    let addresses: &[IpAddr] = match &service.target {
        Target::Name(name) => {
            out.push(ServiceKind::External as u8);
            out.extend_from_slice(entry_name(name).as_ref().map_or(&[], NameBuf::octets));
            return out;
        }
        Target::Endpoints => &[],
        // The API gives two at most.
        Target::ClusterIps(addresses) => &addresses[..addresses.len().min(255)],
    };
    let is_headless = service.target == Target::Endpoints;
    let kind = if is_headless { ServiceKind::Headless } else { ServiceKind::ClusterIp };
    out.extend_from_slice(&[kind as u8, addresses.len() as u8]);
    for &address in addresses {
        push_address(&mut out, address.into());
    }
    for port in &service.ports {
        push_port(&mut out, port);
    }
    out
}

impl<'a> PackedService<'a> {
    pub(crate) fn octets(self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn kind(self) -> ServiceKind {
        match self.0[0] {
            0 => ServiceKind::ClusterIp,
            1 => ServiceKind::Headless,
            _ => ServiceKind::External,
        }
    }

    fn parts(self) -> (u8, Octets<'a>) {
        if self.kind() == ServiceKind::External {
            return (0, Octets(&[]));
        }
        (self.0[1], Octets(&self.0[2..]))
    }

    fn target(self) -> Target {
        match self.kind() {
            ServiceKind::ClusterIp => {
                Target::ClusterIps(self.addresses().map(IpAddr::from).collect())
            }
            ServiceKind::Headless => Target::Endpoints,
            // One that is no name leads nowhere, as none does.
            ServiceKind::External => {
                Target::Name(self.external().map(|name| name.to_string()).unwrap_or_default())
            }
        }
    }

    /// Its cluster addresses.
    pub(crate) fn addresses(self) -> impl Iterator<Item = Address> + Clone + 'a {
        let (count, mut octets) = self.parts();
        (0..count).map(move |_| octets.address())
    }

    pub(crate) fn ports(self) -> Ports<'a> {
        let (count, mut octets) = self.parts();
        for _ in 0..count {
            octets.address();
        }
        Ports(octets)
    }

    /// The name that an ExternalName service leads to.
    pub(crate) fn external(self) -> Option<Name<'a>> {
        let is_external = self.kind() == ServiceKind::External;
        Name::from_octets(&self.0[1..]).ok().filter(|_| is_external)
    }
}

/// A name that a service leads to.
///
/// CoreDNS gives no record for an `externalName` that is an address; one that is no name cannot
/// have any.
pub(super) fn entry_name(text: &str) -> Option<NameBuf> {
    if text.parse::<IpAddr>().is_ok() {
        return None;
    }
    text.parse().ok().filter(|name: &NameBuf| !name.as_name().is_root())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Port;

    fn service(target: Target) -> Vec<u8> {
        let port = |name: &str, number| Port { name: name.into(), protocol: "TCP".into(), number };
        pack_service(&Service {
            namespace: "shop".into(),
            name: "web".into(),
            target,
            ports: vec![port("http", Some(80)), port("", None)],
            exposure: Exposure::default(),
        })
    }

    #[test]
    fn what_is_packed_is_read_back() {
        let ips: Vec<IpAddr> = vec!["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
        let octets = service(Target::ClusterIps(ips.clone()));
        let cluster_ip = PackedService(&octets);
        assert_eq!(cluster_ip.kind(), ServiceKind::ClusterIp);
        assert!(cluster_ip.addresses().eq(ips.into_iter().map(Address::from)));
        assert_eq!(cluster_ip.ports().map(|port| port.number).collect::<Vec<_>>(), [80, 0]);
        assert!(cluster_ip.external().is_none());

        let octets = service(Target::Endpoints);
        let headless = PackedService(&octets);
        assert_eq!(headless.kind(), ServiceKind::Headless);
        assert_eq!((headless.addresses().count(), headless.ports().count()), (0, 2));

        let octets = service(Target::Name("www.Example.org".into()));
        let external = PackedService(&octets);
        assert_eq!(external.kind(), ServiceKind::External);
        assert_eq!(external.external().unwrap().to_string(), "www.Example.org.");
        assert_eq!((external.addresses().count(), external.ports().count()), (0, 0));
    }

    #[test]
    fn external_names_that_give_no_record() {
        for text in ["", ".", "10.0.0.1", "fd00::1", "a..b"] {
            let octets = service(Target::Name(text.into()));
            assert!(PackedService(&octets).external().is_none(), "{text}");
        }
    }
}
