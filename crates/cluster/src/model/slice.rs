//! An EndpointSlice as it is stored.

use super::Details;
use super::packed::{Octets, PackedPort, Ports, push_port, push_text};
use crate::address::{Address, AddressLabel};
use crate::objects::{Endpoint, EndpointSlice};
use std::sync::Arc;

/// An EndpointSlice in one run of octets, shared by the writer and the readers.
///
/// ```text
/// namespace  name  service  cluster   a length and as many octets each
/// length of the ports (2 octets)  ports
/// endpoints: flags and length of the address (1 octet)  address
///            label and zone, if flags say so
/// ```
/// Endpoints are sorted, so that slices that differ in their order alone are equal.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PackedSlice(Arc<[u8]>);

const HAS_HOSTNAME: u8 = 0x80;
const HAS_POD: u8 = 0x40;
const HAS_ZONE: u8 = 0x20;
const LENGTH: u8 = 0x1f;

impl PackedSlice {
    /// Packs a slice of the cluster with this id; none for this one.
    pub(crate) fn new(slice: &EndpointSlice, cluster: &str, details: Details) -> Self {
        let mut out = Vec::new();
        push_text(&mut out, &slice.namespace);
        push_text(&mut out, &slice.name);
        push_text(&mut out, &slice.service);
        push_text(&mut out, cluster);
        let mut ports = Vec::new();
        for port in &slice.ports {
            push_port(&mut ports, port);
            if ports.len() > u16::MAX.into() {
                ports.clear(); // more than the API takes; the addresses are worth keeping
                break;
            }
        }
        out.extend_from_slice(&(ports.len() as u16).to_be_bytes());
        out.extend_from_slice(&ports);
        let packed = slice.endpoints.iter().flat_map(|endpoint| pack_endpoint(endpoint, details));
        let mut endpoints: Vec<Vec<u8>> = packed.collect();
        endpoints.sort_unstable();
        endpoints.dedup();
        out.extend(endpoints.into_iter().flatten());
        Self(out.into())
    }

    pub(crate) fn namespace(&self) -> &[u8] {
        Octets(&self.0).text()
    }

    pub(crate) fn name(&self) -> &[u8] {
        let mut octets = Octets(&self.0);
        octets.text();
        octets.text()
    }

    /// The name of the service that it belongs to.
    pub(crate) fn service(&self) -> &[u8] {
        let mut octets = Octets(&self.0);
        octets.text();
        octets.text();
        octets.text()
    }

    /// The slice as a source would tell it, with an endpoint for each address.
    pub(super) fn unpack(&self) -> EndpointSlice {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let endpoint = |it: PackedEndpoint<'_>| Endpoint {
            addresses: vec![it.address.into()],
            hostname: it.hostname.map(text),
            pod: it.pod.map(text),
            zone: it.zone.map(text),
        };
        EndpointSlice {
            namespace: text(self.namespace()),
            name: text(self.name()),
            service: text(self.service()),
            endpoints: self.endpoints().map(endpoint).collect(),
            ports: self.ports().map(PackedPort::unpack).collect(),
            triggered: None,
        }
    }

    /// The id of the cluster that it comes from; empty if it is this one.
    pub(crate) fn cluster(&self) -> &[u8] {
        let mut octets = Octets(&self.0);
        for _ in 0..3 {
            octets.text();
        }
        octets.text()
    }

    fn parts(&self) -> (Ports<'_>, Endpoints<'_>) {
        let mut octets = Octets(&self.0);
        for _ in 0..4 {
            octets.text();
        }
        let length = octets.word();
        (Ports(Octets(octets.take(length.into()))), Endpoints(octets))
    }

    pub(crate) fn ports(&self) -> Ports<'_> {
        self.parts().0
    }

    pub(crate) fn endpoints(&self) -> Endpoints<'_> {
        self.parts().1
    }
}

/// An endpoint for each of its addresses.
fn pack_endpoint(endpoint: &Endpoint, details: Details) -> impl Iterator<Item = Vec<u8>> {
    let label = |text: &Option<String>| text.clone().filter(|text| is_label(text));
    let label = label(&endpoint.hostname)
        .map(|hostname| (HAS_HOSTNAME, hostname))
        .or_else(|| label(&endpoint.pod).filter(|_| details.pod_names).map(|pod| (HAS_POD, pod)));
    let zone = endpoint.zone.as_deref().filter(|_| details.zones);
    endpoint.addresses.iter().map(move |&address| {
        let address = Address::from(address);
        let flag = label.as_ref().map_or(0, |(flag, _)| *flag);
        let flag = flag | zone.map_or(0, |_| HAS_ZONE);
        let mut out = vec![flag | address.rdata().len() as u8];
        out.extend_from_slice(address.rdata());
        if let Some((_, text)) = &label {
            push_text(&mut out, text);
        }
        if let Some(zone) = zone {
            push_text(&mut out, zone);
        }
        out
    })
}

/// Whether a name is one label. CoreDNS takes pod names with dots too and writes targets that it
/// then does not find.
fn is_label(text: &str) -> bool {
    (1..=wire::LABEL_MAX).contains(&text.len()) && !text.contains('.')
}

/// The endpoints of a slice.
#[derive(Clone)]
pub(crate) struct Endpoints<'a>(Octets<'a>);

/// One address of an endpoint.
#[derive(Clone, Copy)]
pub(crate) struct PackedEndpoint<'a> {
    pub(crate) address: Address,
    hostname: Option<&'a [u8]>,
    pod: Option<&'a [u8]>,
    zone: Option<&'a [u8]>,
}

impl<'a> Iterator for Endpoints<'a> {
    type Item = PackedEndpoint<'a>;

    fn next(&mut self) -> Option<PackedEndpoint<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let flags = self.0.octet();
        let address = self.0.address_of((flags & LENGTH).into());
        let mut label = |flag: u8| (flags & flag != 0).then(|| self.0.text());
        let (hostname, pod) = (label(HAS_HOSTNAME), label(HAS_POD));
        Some(PackedEndpoint { address, hostname, pod, zone: label(HAS_ZONE) })
    }
}

/// What an endpoint is called below its service.
pub(crate) enum EndpointLabel<'a> {
    Given(&'a [u8]),
    Made(AddressLabel),
}

impl EndpointLabel<'_> {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Given(label) => label,
            Self::Made(label) => label.as_bytes(),
        }
    }
}

impl<'a> PackedEndpoint<'a> {
    /// Whether it is in the zone whose name these labels are, in lower case and wire form.
    pub(crate) fn is_in_zone(&self, mut labels: &[u8]) -> bool {
        let Some(mut zone) = self.zone else { return false };
        while let Some((&length, rest)) = labels.split_first() {
            let (label, rest) = rest.split_at(length.into());
            let Some(behind) = zone.strip_prefix(label) else { return false };
            zone = match behind {
                [] => return rest.is_empty(),
                [b'.', behind @ ..] => behind,
                _ => return false,
            };
            labels = rest;
        }
        false
    }

    /// The label that it was given: its hostname, or with `pod_names` the name of its pod.
    pub(crate) fn given_label(&self, pod_names: bool) -> Option<&'a [u8]> {
        self.hostname.or(self.pod.filter(|_| pod_names))
    }

    /// The label that names it, made of its address if it was given none.
    pub(crate) fn label(&self, pod_names: bool) -> EndpointLabel<'a> {
        match self.given_label(pod_names) {
            Some(label) => EndpointLabel::Given(label),
            None => EndpointLabel::Made(self.address.label()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Port;

    fn endpoint(address: &str, hostname: &str, pod: &str) -> Endpoint {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let addresses = vec![address.parse().unwrap()];
        Endpoint { addresses, hostname: some(hostname), pod: some(pod), zone: None }
    }

    fn slice(endpoints: Vec<Endpoint>) -> PackedSlice {
        slice_keeping(endpoints, Details::all())
    }

    fn slice_keeping(endpoints: Vec<Endpoint>, details: Details) -> PackedSlice {
        let port = Port { name: "PG".into(), protocol: "TCP".into(), number: Some(5432) };
        let slice = EndpointSlice {
            namespace: "shop".into(),
            name: "db-x1".into(),
            service: "db".into(),
            endpoints,
            ports: vec![port],
            triggered: None,
        };
        PackedSlice::new(&slice, "East", details)
    }

    #[test]
    fn what_is_packed_is_read_back() {
        let slice = slice(vec![
            endpoint("fd00::1", "", "db-1"),
            endpoint("172.20.2.1", "DB-0", "db-0"),
            endpoint("172.20.2.9", "", "with.dot"),
        ]);
        assert_eq!(
            (slice.namespace(), slice.name(), slice.service()),
            (&b"shop"[..], &b"db-x1"[..], &b"db"[..])
        );
        assert_eq!(slice.cluster(), b"east");
        let ports: Vec<_> = slice.ports().map(|p| (p.number, p.protocol, p.name)).collect();
        assert_eq!(ports, [(5432, &b"tcp"[..], &b"pg"[..])]);
        let mut labels: Vec<_> = slice
            .endpoints()
            .map(|e| {
                [true, false]
                    .map(|pods| String::from_utf8(e.label(pods).as_bytes().to_vec()).unwrap())
            })
            .collect();
        labels.sort();
        assert_eq!(labels, [["172-20-2-9", "172-20-2-9"], ["db-0", "db-0"], ["db-1", "fd00--1"]]);
    }

    #[test]
    fn zones_are_compared_label_by_label() {
        let it = Endpoint { zone: Some("Rack.1".into()), ..endpoint("10.0.0.1", "h", "") };
        let is_in = |details: Details, labels: &[u8]| {
            let slice = slice_keeping(vec![it.clone()], details);
            slice.endpoints().all(|endpoint| endpoint.is_in_zone(labels))
        };
        assert!(is_in(Details::all(), b"\x04rack\x011"));
        for labels in [
            &b"\x04rack"[..],
            b"\x06rack.1\x01x",
            b"\x04rack\x011\x01a",
            b"\x03rac\x011",
            b"\x011",
            b"",
        ] {
            assert!(!is_in(Details::all(), labels), "{labels:?}");
        }
        assert!(!is_in(Details { zones: false, ..Details::all() }, b"\x04rack\x011"));
    }

    #[test]
    fn what_nobody_asks_for_is_not_kept() {
        let endpoints =
            || vec![endpoint("10.0.0.1", "", "db-0"), endpoint("10.0.0.2", "h", "db-1")];
        let slim = slice_keeping(endpoints(), Details::default());
        let label = |it: PackedEndpoint<'_>| it.given_label(true).map(<[u8]>::to_vec);
        assert_eq!(slim.endpoints().map(label).collect::<Vec<_>>(), [None, Some(b"h".to_vec())]);
        assert!(slim.0.len() < slice(endpoints()).0.len());
    }

    #[test]
    fn order_and_repetition_do_not_count() {
        let (a, b) = (endpoint("10.0.0.1", "", ""), endpoint("10.0.0.2", "", ""));
        let one = slice(vec![a.clone(), b.clone()]);
        assert!(one == slice(vec![b.clone(), a.clone(), b]));
        assert!(one != slice(vec![a]));
    }
}
