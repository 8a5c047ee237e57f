//! An EndpointSlice as it is stored.

use super::packed::{Octets, PackedPort, Ports, push_port, push_text};
use crate::address::{Address, AddressLabel};
use crate::objects::{Endpoint, EndpointSlice};
use std::sync::Arc;

/// An EndpointSlice in one run of octets, shared by the writer and the readers.
///
/// ```text
/// namespace  name  service            a length and as many octets each
/// length of the ports (2 octets)  ports
/// endpoints: flags and length of the address (1 octet)  address  label, if a flag says so
/// ```
/// Endpoints are sorted, so that slices that differ in their order alone are equal.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PackedSlice(Arc<[u8]>);

const HAS_HOSTNAME: u8 = 0x80;
const HAS_POD: u8 = 0x40;
const LENGTH: u8 = 0x1f;

impl PackedSlice {
    pub(crate) fn new(slice: &EndpointSlice) -> Self {
        let mut out = Vec::new();
        push_text(&mut out, &slice.namespace);
        push_text(&mut out, &slice.name);
        push_text(&mut out, &slice.service);
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
        let mut endpoints: Vec<Vec<u8>> = slice.endpoints.iter().flat_map(pack_endpoint).collect();
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

    fn parts(&self) -> (Ports<'_>, Endpoints<'_>) {
        let mut octets = Octets(&self.0);
        for _ in 0..3 {
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
fn pack_endpoint(endpoint: &Endpoint) -> impl Iterator<Item = Vec<u8>> {
    let label = |text: &Option<String>| text.clone().filter(|text| is_label(text));
    let label = label(&endpoint.hostname)
        .map(|hostname| (HAS_HOSTNAME, hostname))
        .or_else(|| label(&endpoint.pod).map(|pod| (HAS_POD, pod)));
    endpoint.addresses.iter().map(move |&address| {
        let address = Address::from(address);
        let flag = label.as_ref().map_or(0, |(flag, _)| *flag);
        let mut out = vec![flag | address.rdata().len() as u8];
        out.extend_from_slice(address.rdata());
        if let Some((_, text)) = &label {
            push_text(&mut out, text);
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
}

impl<'a> Iterator for Endpoints<'a> {
    type Item = PackedEndpoint<'a>;

    fn next(&mut self) -> Option<PackedEndpoint<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let flags = self.0.octet();
        let address = self.0.address_of((flags & LENGTH).into());
        let mut label = |flag| (flags & flag != 0).then(|| self.0.text());
        Some(PackedEndpoint { address, hostname: label(HAS_HOSTNAME), pod: label(HAS_POD) })
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
        Endpoint { addresses, hostname: some(hostname), pod: some(pod) }
    }

    fn slice(endpoints: Vec<Endpoint>) -> PackedSlice {
        let port = Port { name: "PG".into(), protocol: "TCP".into(), number: Some(5432) };
        PackedSlice::new(&EndpointSlice {
            namespace: "shop".into(),
            name: "db-x1".into(),
            service: "db".into(),
            endpoints,
            ports: vec![port],
            triggered: None,
        })
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
    fn order_and_repetition_do_not_count() {
        let (a, b) = (endpoint("10.0.0.1", "", ""), endpoint("10.0.0.2", "", ""));
        let one = slice(vec![a.clone(), b.clone()]);
        assert!(one == slice(vec![b.clone(), a.clone(), b]));
        assert!(one != slice(vec![a]));
    }
}
