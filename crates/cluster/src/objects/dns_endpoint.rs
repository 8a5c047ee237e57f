//! `DNSEndpoint` of ExternalDNS: what is kept of it, and its JSON.

use super::document::{Metadata, Shape, null_as_default};
use super::{Kind, Object};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Records that somebody wrote down, or that ExternalDNS did.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DnsEndpoint {
    /// `metadata.namespace`, a DNS label.
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
    /// `spec.endpoints`, as far as records can be made of them.
    pub entries: Vec<DnsEntry>,
}

/// A name and its records of one type.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DnsEntry {
    /// `dnsName`, perhaps with `*` as the first label.
    pub host: String,
    /// `recordType` and `targets`
    pub targets: DnsTargets,
}

/// What a name leads to.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum DnsTargets {
    /// `A` and `AAAA`: addresses, whose family alone decides which of both it is.
    Addresses(Vec<IpAddr>),
    /// `CNAME`
    Names(Vec<String>),
    /// `TXT`
    Texts(Vec<String>),
}

#[derive(Deserialize)]
pub(super) struct DnsEndpointShape {
    metadata: Metadata,
    #[serde(default, deserialize_with = "null_as_default")]
    spec: Spec,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Spec {
    #[serde(deserialize_with = "null_as_default")]
    endpoints: Vec<EntryShape>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct EntryShape {
    #[serde(deserialize_with = "null_as_default")]
    dns_name: String,
    #[serde(deserialize_with = "null_as_default")]
    record_type: String,
    #[serde(deserialize_with = "null_as_default")]
    targets: Vec<String>,
}

impl EntryShape {
    fn into_entry(self) -> Option<DnsEntry> {
        let targets = match self.record_type.as_str() {
            "A" | "AAAA" => {
                let addresses = self.targets.iter().filter_map(|text| text.parse().ok());
                DnsTargets::Addresses(addresses.collect())
            }
            "CNAME" => DnsTargets::Names(self.targets),
            "TXT" => DnsTargets::Texts(self.targets),
            _ => return None,
        };
        Some(DnsEntry { host: self.dns_name, targets })
    }
}

impl Shape for DnsEndpointShape {
    const KIND: Kind = Kind::DnsEndpoint;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn into_object(self) -> Option<Object> {
        let entries = self.spec.endpoints.into_iter().filter_map(EntryShape::into_entry);
        Some(Object::DnsEndpoint(DnsEndpoint {
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            entries: entries.collect(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Document;

    fn entries(json: &str) -> Vec<DnsEntry> {
        let document = Document::from_json(Kind::DnsEndpoint, json).unwrap();
        match document.object {
            Some(Object::DnsEndpoint(it)) => it.entries,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn records_of_every_type() {
        let entries = entries(
            r#"{"metadata": {"name": "more", "namespace": "shop"}, "spec": {"endpoints": [
                {"dnsName": "a.example.com", "recordType": "A", "recordTTL": 5, "targets": ["192.0.2.1", "odd"]},
                {"dnsName": "*.example.com", "recordType": "AAAA", "targets": ["2001:db8::1"], "labels": {}},
                {"dnsName": "c.example.com", "recordType": "CNAME", "targets": ["a.example.com"]},
                {"dnsName": "t.example.com", "recordType": "TXT", "targets": ["v=1", ""]},
                {"dnsName": "m.example.com", "recordType": "MX", "targets": ["10 mail.example.com"]}]}}"#,
        );
        let addresses = |text: &str| DnsTargets::Addresses(vec![text.parse().unwrap()]);
        let expected = [
            ("a.example.com", addresses("192.0.2.1")),
            ("*.example.com", addresses("2001:db8::1")),
            ("c.example.com", DnsTargets::Names(vec!["a.example.com".to_owned()])),
            ("t.example.com", DnsTargets::Texts(vec!["v=1".to_owned(), String::new()])),
        ];
        let expected = expected.map(|(host, targets)| DnsEntry { host: host.to_owned(), targets });
        assert_eq!(entries, expected);
    }

    #[test]
    fn records_of_nothing() {
        for spec in ["null", "{}", r#"{"endpoints": [{"recordType": null}]}"#] {
            let json =
                format!(r#"{{"metadata": {{"name": "n", "namespace": "s"}}, "spec": {spec}}}"#);
            assert_eq!(entries(&json), []);
        }
    }
}
