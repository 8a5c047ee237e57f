//! Objects in the binary form of the API server: Protocol Buffers, about a third of the work of JSON.
//!
//! **What this is.** A reader of fields (`fields`), a table of those that we know (`schema`), and a
//! source for serde that is guided by the table (`source`): so the shapes of the kinds, made for JSON,
//! read this form too, and one object cannot mean two things.
//!
//! **What this is not.** No general decoder: a field that is not in the table is skipped unread, and
//! what Kubernetes never writes (groups, packed lists, a message in two parts) is not understood.
//!
//! **Where to start reading.** [`read`], then `schema`.

#![cfg_attr(not(feature = "watch"), expect(dead_code, unused_imports, reason = "for watches"))]

mod fields;
mod schema;
mod source;

pub(crate) use fields::{Fields, Value, text};
pub(crate) use schema::{BOOKMARK, LIST_METADATA, STATUS, Schema, of_kind};
pub(crate) use source::Malformed;

use serde::Deserialize;

/// What stands before a message that says of what kind it is (`runtime.Unknown`).
const MAGIC: &[u8] = b"k8s\0";

/// Reads a message with the fields of `schema`.
pub(crate) fn read<'de, T: Deserialize<'de>>(
    schema: &'static Schema,
    message: &'de [u8],
) -> Result<T, Malformed> {
    T::deserialize(source::message(schema, message))
}

/// The message in an envelope, `runtime.Unknown`: a mark, what kind it is, and `raw = 2`.
pub(crate) fn open(envelope: &[u8]) -> Result<&[u8], Malformed> {
    let unknown = envelope.strip_prefix(MAGIC).ok_or(Malformed::NoEnvelope)?;
    // A message without any field has no octets and may be left out.
    Ok(fields::last(unknown, 2)?.map(Value::octets).transpose()?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{Document, Kind};
    use proptest::prelude::*;
    use schema::Type;
    use serde_json::{Value as Json, json};

    fn push_number(out: &mut Vec<u8>, mut number: u64) {
        while number > 0x7f {
            out.push(number as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
    }

    fn push_octets(out: &mut Vec<u8>, number: u32, octets: &[u8]) {
        push_number(out, u64::from(number) << 3 | 2);
        push_number(out, octets.len() as u64);
        out.extend_from_slice(octets);
    }

    /// Writes JSON as the API server writes the same object.
    fn write(schema: &Schema, json: &Json) -> Vec<u8> {
        let mut out = Vec::new();
        // Something that nobody knows, of each wire type that there is.
        out.extend([0xf8, 0x7f, 0x05, 0xfd, 0x7f, 1, 2, 3, 4, 0xf9, 0x7f, 1, 2, 3, 4, 5, 6, 7, 8]);
        for field in schema {
            match &json[field.name] {
                Json::Null => {}
                Json::Array(items) if field.repeated => {
                    items.iter().for_each(|item| write_value(&mut out, field, item));
                }
                value => write_value(&mut out, field, value),
            }
        }
        push_octets(&mut out, 4095, b"nobody knows");
        out
    }

    fn write_value(out: &mut Vec<u8>, field: &schema::Field, value: &Json) {
        match field.holds {
            Type::Text => push_octets(out, field.number, value.as_str().unwrap().as_bytes()),
            Type::Integer | Type::Boolean => {
                push_number(out, u64::from(field.number) << 3);
                let number = value.as_i64().unwrap_or(i64::from(value == &json!(true)));
                push_number(out, number as u64);
            }
            Type::Time => {
                let time: jiff::Timestamp = value.as_str().unwrap().parse().unwrap();
                let mut message = vec![0x08];
                push_number(&mut message, time.as_second() as u64);
                push_octets(out, field.number, &message);
            }
            Type::Message(schema) => push_octets(out, field.number, &write(schema, value)),
            Type::Map => {
                for (key, value) in value.as_object().unwrap() {
                    let mut entry = Vec::new();
                    push_octets(&mut entry, 1, key.as_bytes());
                    push_octets(&mut entry, 2, value.as_str().unwrap().as_bytes());
                    push_octets(out, field.number, &entry);
                }
            }
        }
    }

    fn check_both(kind: Kind, json: &Json) {
        let octets = write(of_kind(kind).unwrap(), json);
        let from_json = Document::from_json(kind, &json.to_string());
        let from_protobuf = Document::from_protobuf(kind, &octets);
        match (from_json, from_protobuf) {
            (Ok(json), Ok(protobuf)) => assert_eq!(json, protobuf),
            (Err(_), Err(_)) => {}
            (json, protobuf) => panic!("{json:?}\n{protobuf:?}"),
        }
    }

    fn label() -> impl Strategy<Value = Json> {
        prop_oneof![Just(json!("")), "[a-z0-9.-]{1,8}".prop_map(|text| json!(text))]
    }

    fn address() -> impl Strategy<Value = Json> {
        prop_oneof![
            any::<std::net::IpAddr>().prop_map(|ip| json!(ip.to_string())),
            Just(json!("None")),
            label(),
        ]
    }

    /// The value or nothing, as JSON has it.
    fn maybe(value: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
        prop_oneof![3 => value, 1 => Just(Json::Null)]
    }

    fn list(value: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
        prop::collection::vec(value, 0..4).prop_map(Json::from)
    }

    fn time() -> impl Strategy<Value = Json> {
        let seconds = 0..4_000_000_000_i64;
        seconds.prop_map(|at| json!(jiff::Timestamp::from_second(at).unwrap().to_string()))
    }

    prop_compose! {
        fn metadata()(
            name in label(), version in label(), service in maybe(label()), host in maybe(label()),
            [created, deleted] in [maybe(time()), maybe(time())],
        ) -> Json {
            let mut labels = json!({"other": "x"});
            if !service.is_null() { labels["kubernetes.io/service-name"] = service; }
            let mut annotations = json!({"endpoints.kubernetes.io/last-change-trigger-time": "2026-01-02T03:04:05Z"});
            if !host.is_null() { annotations["coredns.io/hostname"] = host; }
            json!({"name": name, "namespace": "shop", "resourceVersion": version, "labels": labels,
                   "annotations": annotations,
                   "creationTimestamp": created, "deletionTimestamp": deleted})
        }
    }

    prop_compose! {
        fn port()(name in maybe(label()), protocol in maybe(Just(json!("UDP"))), port in maybe((-1..70_000).prop_map(|n| json!(n)))) -> Json {
            json!({"name": name, "protocol": protocol, "port": port})
        }
    }

    prop_compose! {
        fn service()(
            metadata in metadata(), kind in maybe(prop_oneof![Just(json!("LoadBalancer")), Just(json!("ExternalName"))]),
            ip in maybe(address()), ips in list(address()), external in list(address()), name in maybe(label()),
            ports in list(port()), ingress in list((maybe(address()), maybe(label())).prop_map(|(ip, name)| json!({"ip": ip, "hostname": name}))),
        ) -> Json {
            json!({"metadata": metadata, "status": {"loadBalancer": {"ingress": ingress}}, "spec": {
                "type": kind, "clusterIP": ip, "clusterIPs": ips, "externalIPs": external,
                "externalName": name, "ports": ports}})
        }
    }

    prop_compose! {
        fn endpoint()(addresses in list(address()), ready in maybe(any::<bool>().prop_map(|it| json!(it))),
                      host in maybe(label()), pod in maybe(label())) -> Json {
            json!({"addresses": addresses, "conditions": {"ready": ready}, "hostname": host, "targetRef": {"name": pod}})
        }
    }

    proptest! {
        #[test]
        fn both_forms_mean_the_same(
            service in service(), metadata in metadata(), endpoints in list(endpoint()), ports in list(port()),
            phase in maybe(label()), [ip, node] in [maybe(address()), maybe(address())],
            host_network in maybe(any::<bool>().prop_map(|it| json!(it))), started in maybe(time()),
        ) {
            check_both(Kind::Service, &service);
            check_both(Kind::Namespace, &json!({"metadata": &metadata}));
            check_both(Kind::EndpointSlice, &json!({"metadata": &metadata, "endpoints": endpoints, "ports": ports}));
            let status = json!({"phase": phase, "podIP": ip, "hostIP": node, "startTime": started});
            let spec = json!({"hostNetwork": host_network});
            check_both(Kind::Pod, &json!({"metadata": metadata, "spec": spec, "status": status}));
        }

        #[test]
        fn any_octets_are_read_without_a_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            for kind in Kind::ALL {
                let _ = Document::from_protobuf(kind, &octets);
            }
            let _ = open(&octets);
        }

        #[test]
        fn damaged_objects_are_read_without_a_panic(
            service in service(), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut octets = write(of_kind(Kind::Service).unwrap(), &service);
            for (at, octet) in flips {
                let at = at.index(octets.len());
                octets[at] = octet;
            }
            let _ = Document::from_protobuf(Kind::Service, &octets);
        }
    }

    #[test]
    fn envelopes() {
        let mut envelope = MAGIC.to_vec();
        push_octets(&mut envelope, 1, b"\x0a\x02v1");
        assert_eq!(open(&envelope).unwrap(), b"");
        push_octets(&mut envelope, 2, b"message");
        assert_eq!(open(&envelope).unwrap(), b"message");
        assert!(open(&envelope[..envelope.len() - 1]).is_err());
        assert!(matches!(open(&envelope[1..]), Err(Malformed::NoEnvelope)));
    }
}
