//! Round trips, and what is not a snapshot.

use super::*;
use crate::objects::{
    Endpoint, EndpointSlice, Event, Exposure, ImportedSlice, Ingress, Kind, Kinds, Namespace,
    Object, Pod, Port, Service, Target,
};
use crate::{Model, Options, Pods, View};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Cursor;
use std::net::IpAddr;
use wire::{NameBuf, Question, RecordType, Reply};

fn any_address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        prop::sample::select(vec!["10.0.0.1", "10.0.0.2", "fd00::1", "::ffff:10.0.0.3"])
            .prop_map(|text| text.parse().unwrap()),
        any::<[u8; 16]>().prop_map(IpAddr::from),
    ]
}

fn any_port() -> impl Strategy<Value = Port> {
    let number = prop::option::of(any::<u16>());
    ("|[a-zA-Z]{1,3}|é", "TCP|UDP|SCTP|\\PC{0,3}", number)
        .prop_map(|(name, protocol, number)| Port { name, protocol, number })
}

fn any_ports() -> impl Strategy<Value = Vec<Port>> {
    prop::collection::vec(any_port(), 0..4)
}

fn any_target() -> impl Strategy<Value = Target> {
    prop_oneof![
        prop::collection::vec(any_address(), 0..3).prop_map(Target::ClusterIps),
        Just(Target::Endpoints),
        "[wW]ww\\.example\\.org\\.?|10\\.0\\.0\\.1|\\PC{0,9}|\\\\.a|a\\\\200"
            .prop_map(Target::Name),
    ]
}

fn any_exposure() -> impl Strategy<Value = Exposure> {
    let ingress = prop_oneof![
        any_address().prop_map(Ingress::Address),
        "[a-c]{1,3}\\.test".prop_map(Ingress::Hostname)
    ];
    let addresses = prop::collection::vec(any_address(), 0..3);
    let ingress = prop::collection::vec(ingress, 0..3);
    let hostnames = prop::collection::vec("[a-c]{1,3}\\.test", 0..2);
    (any::<bool>(), addresses, ingress, hostnames).prop_map(
        |(is_load_balancer, external_ips, ingress, hostnames)| Exposure {
            is_load_balancer,
            external_ips,
            ingress,
            hostnames,
            resolves_endpoints: false,
        },
    )
}

fn any_endpoint() -> impl Strategy<Value = Endpoint> {
    let addresses = prop::collection::vec(any_address(), 0..3);
    let label = || prop::option::of("[hX]{1,2}|with\\.dot");
    let zone = prop::option::of("z[12]");
    (addresses, label(), label(), zone).prop_map(|(addresses, hostname, pod, zone)| Endpoint {
        addresses,
        hostname,
        pod,
        zone,
    })
}

fn any_slice() -> impl Strategy<Value = EndpointSlice> {
    let endpoints = prop::collection::vec(any_endpoint(), 0..4);
    ("[abC]", "[s-w]{1,2}", "[xyZ]{1,2}", endpoints, any_ports()).prop_map(
        |(namespace, name, service, endpoints, ports)| {
            let triggered = None; // of a moment, and not of a state
            EndpointSlice { namespace, name, service, endpoints, ports, triggered }
        },
    )
}

/// The kinds that the cluster's own names are made of.
const OF_NAMES: [Kind; 6] = [
    Kind::Namespace,
    Kind::Service,
    Kind::EndpointSlice,
    Kind::Pod,
    Kind::ServiceImport,
    Kind::ImportedSlice,
];

/// Anything that an API server may tell of a kind; no field may be left to its default.
fn any_of(kind: Kind) -> BoxedStrategy<Object> {
    let (namespace, name) = ("[abC]", "[xyZ]{1,2}");
    match kind {
        Kind::Namespace => namespace.prop_map(|name| Object::Namespace(Namespace { name })).boxed(),
        Kind::Service => (namespace, name, any_target(), any_ports(), any_exposure())
            .prop_map(|(namespace, name, target, ports, exposure)| {
                Object::Service(Service { namespace, name, target, ports, exposure })
            })
            .boxed(),
        Kind::EndpointSlice => any_slice().prop_map(Object::EndpointSlice).boxed(),
        Kind::ServiceImport => (namespace, name, any_target(), any_ports())
            .prop_map(|(namespace, name, target, ports)| {
                let exposure = Exposure::default(); // imports have none
                Object::ServiceImport(Service { namespace, name, target, ports, exposure })
            })
            .boxed(),
        Kind::ImportedSlice => ("[efG]", any_slice())
            .prop_map(|(cluster, slice)| Object::ImportedSlice(ImportedSlice { cluster, slice }))
            .boxed(),
        Kind::Ingress
        | Kind::Gateway
        | Kind::HttpRoute
        | Kind::GrpcRoute
        | Kind::TlsRoute
        | Kind::OldTlsRoute
        | Kind::DnsEndpoint
        | Kind::Node => unreachable!("no snapshot has a {}", kind.name()),
        Kind::Pod => (namespace, "[p-r]{1,2}", any_address(), 0..2_000_000_000_i64, any::<bool>())
            .prop_map(|(namespace, name, address, started, shares_node)| {
                let started = Timestamp::from_second(started).ok();
                Object::Pod(Pod { namespace, name, address, started, shares_node })
            })
            .boxed(),
    }
}

/// Objects of every kind, each once.
fn any_objects() -> impl Strategy<Value = Vec<Object>> {
    let any = prop::strategy::Union::new(OF_NAMES.map(any_of));
    prop::collection::vec(any, 0..40).prop_map(|mut objects| {
        let mut known = BTreeSet::new();
        objects.retain(|object| known.insert(object.key()));
        objects
    })
}

fn head() -> Head {
    Head {
        settings: "in-cluster; labels a=b".into(),
        server: "https://10.96.0.1/".into(),
        cluster: Some("6f1c".into()),
        taken: 1_700_000_000,
        serial: 17,
    }
}

/// A list of one kind, from its beginning to its end.
fn list(kind: Kind, objects: &[Object]) -> Vec<Event> {
    let of_kind = objects.iter().filter(|object| object.key().kind == kind).cloned();
    let told = of_kind.map(Event::Apply);
    std::iter::once(Event::RelistBegin(kind)).chain(told).chain([Event::RelistEnd(kind)]).collect()
}

fn model(objects: &[Object]) -> Model {
    let mut model = Model::new(Kinds::all());
    model.apply(Kind::ALL.into_iter().flat_map(|kind| list(kind, objects)), 17);
    model
}

/// The objects of a model's snapshot as they are written, in order.
fn lines(model: &Model) -> BTreeSet<String> {
    model.contents().objects().map(|object| serde_json::to_string(&object).unwrap()).collect()
}

fn written(model: &Model) -> Vec<u8> {
    let mut file = Vec::new();
    let contents = model.contents();
    let length = write(&head(), contents.objects(), &mut file).unwrap();
    assert_eq!(length, file.len() as u64);
    file
}

fn read(file: &[u8]) -> Result<Vec<Object>, Unusable> {
    let (found, objects) = open(Cursor::new(file))?;
    assert_eq!(found, head());
    objects.collect()
}

fn restored(objects: Vec<Object>) -> Model {
    let mut model = Model::new(Kinds::all());
    model.restore(objects, 17);
    model.finish_restoring(17, true);
    model
}

/// What there is at every name and address that the objects could give, in order.
fn answers(model: &Model, objects: &[Object]) -> Vec<String> {
    let zones = ["cluster.local", "clusterset.local", "in-addr.arpa", "ip6.arpa"];
    let mut options = Options::new(zones.iter().map(|zone| zone.parse().unwrap()).collect());
    options.pods = Pods::Verified;
    options.import_zones = vec!["clusterset.local".parse().unwrap()];
    let view = View::new(options).unwrap();
    let mut names =
        BTreeSet::from(["svc.cluster.local".to_owned(), "x.a.svc.cluster.local".into()]);
    for object in objects {
        let key = object.key();
        match object {
            Object::Namespace(_) => names.insert(format!("{}.svc.cluster.local", key.name)),
            Object::Service(_) => {
                names.insert(format!("{}.{}.svc.cluster.local", key.name, key.namespace))
            }
            Object::EndpointSlice(it) => {
                names.insert(format!("h.{}.{}.svc.cluster.local", it.service, key.namespace))
            }
            Object::ServiceImport(_) => {
                names.insert(format!("{}.{}.svc.clusterset.local", key.name, key.namespace))
            }
            Object::ImportedSlice(ImportedSlice { cluster, slice: it }) => {
                let service = format!("{}.{}.svc.clusterset.local", it.service, key.namespace);
                names.insert(format!("h.{cluster}.{service}"));
                names.insert(service)
            }
            Object::Ingress(_)
            | Object::Gateway(_)
            | Object::HttpRoute(_)
            | Object::GrpcRoute(_)
            | Object::TlsRoute(_)
            | Object::OldTlsRoute(_)
            | Object::DnsEndpoint(_)
            | Object::Node(_) => false,
            Object::Pod(it) => {
                let label = it.address.to_string().replace(['.', ':'], "-");
                names.insert(format!("{label}.{}.pod.cluster.local", key.namespace))
            }
        };
    }
    let mut all = Vec::new();
    for name in names {
        let name: NameBuf = name.parse().unwrap();
        for rtype in [RecordType::A, RecordType::AAAA, RecordType::SRV] {
            let mut reply = Reply::default();
            let question = Question::new(name.as_name(), rtype);
            let found = model.cluster().answer(&view, &question, &mut reply);
            let mut records: Vec<_> = (reply.body.answer.iter())
                .map(|record| format!("{} {:?}", record.rtype, reply.body.rdata(record)))
                .collect();
            records.sort();
            all.push(format!("{name:?} {rtype} {found:?} {records:?}"));
        }
    }
    all
}

/// Texts to put into the place of others; none where nothing is to be replaced.
fn any_words() -> impl Strategy<Value = Vec<Option<String>>> {
    let word = "|\\PC{1,3}|[a-z]{60,70}|[a-z.]{250,300}";
    prop::collection::vec(prop::option::weighted(0.1, word), 1..40)
}

fn scramble(value: &mut Value, words: &mut impl Iterator<Item = Option<String>>) {
    match value {
        Value::String(text) => {
            if let Some(word) = words.next().flatten() {
                *text = word;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| scramble(value, words)),
        Value::Object(values) => values.values_mut().for_each(|value| scramble(value, words)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_model_comes_back_from_its_snapshot(objects in any_objects()) {
        let before = model(&objects);
        let read = read(&written(&before)).unwrap();
        let mut after = restored(read.clone());
        prop_assert!(after.cluster().is_synced() && !after.cluster().is_listed());
        prop_assert_eq!(after.cluster().serial(), 17);
        prop_assert_eq!(answers(&after, &objects), answers(&before, &objects));
        // A way that loses something would lose it the second time as well.
        prop_assert_eq!(lines(&model(&read)), lines(&before));
        // What the API server tells then is what is known: nothing is published.
        let revision = after.revision();
        for kind in Kind::ALL {
            let changes = after.apply(list(kind, &objects), 99);
            prop_assert!(!changes.is_any(), "{:?}", changes);
        }
        prop_assert_eq!((after.revision(), after.cluster().serial()), (revision, 17));
        prop_assert!(after.cluster().is_listed());
    }

    #[test]
    fn a_list_counts_more_than_a_snapshot(
        old in any_objects(),
        new in any_objects(),
        steps in prop::collection::vec(any::<bool>(), 0..60),
    ) {
        // Pages of the list and parts of the snapshot come in any order.
        let mut model = Model::new(Kinds::all());
        let (mut snapshot, mut finished) = (old.chunks(3), false);
        let mut list = Kind::ALL.into_iter().flat_map(|kind| list(kind, &new));
        for is_list in steps {
            if is_list {
                model.apply(list.next(), 20);
            } else if let Some(part) = snapshot.next() {
                model.restore(part.to_vec(), 17);
            } else if !std::mem::replace(&mut finished, true) {
                model.finish_restoring(17, true);
            }
        }
        model.apply(list, 20);
        snapshot.for_each(|part| model.restore(part.to_vec(), 17));
        model.finish_restoring(17, true);
        let both = [old, new.clone()].concat();
        prop_assert_eq!(answers(&model, &both), answers(&self::model(&new), &both));
    }

    #[test]
    fn nothing_that_is_read_harms_the_model(objects in any_objects(), words in any_words()) {
        let mut words = words.into_iter().cycle();
        let mut text = format!("{MAGIC}{FORMAT}\n{}\n", serde_json::to_string(&head()).unwrap());
        for object in &objects {
            let mut value = serde_json::to_value(object).unwrap();
            scramble(&mut value, &mut words);
            writeln!(text, "{value}").unwrap();
        }
        let mut model = Model::new(Kinds::all());
        let (_, found) = open(Cursor::new(sealed(&text))).unwrap();
        model.restore(found.map_while(Result::ok), 17);
        model.finish_restoring(17, true);
        answers(&model, &objects);
        written(&model);
    }

    #[test]
    fn any_octets_are_refused(
        octets in prop::collection::vec(any::<u8>(), 0..300),
        body in "(\\PC|\n){0,200}",
    ) {
        prop_assert!(open(Cursor::new(&octets)).is_err());
        // With a good seal everything behind it is read, and nothing of it believed.
        let _ = read_sealed(&format!("{MAGIC}{FORMAT}\n{body}"));
        let head = serde_json::to_string(&head()).unwrap();
        let _ = read_sealed(&format!("{MAGIC}{FORMAT}\n{head}\n{body}\n"));
    }
}

fn sealed(text: &str) -> Vec<u8> {
    let digest = hex(digest(&SHA256, text.as_bytes()).as_ref());
    format!("{text}end {:020} {digest}\n", text.len()).into_bytes()
}

fn read_sealed(text: &str) -> Result<Vec<Object>, Unusable> {
    open(Cursor::new(sealed(text)))?.1.collect()
}

fn shop() -> Model {
    let pod = |index: u8| {
        let name = format!("p-{index}");
        Object::Pod(Pod {
            namespace: "shop".into(),
            name,
            address: [10, 0, 0, index].into(),
            started: None,
            shares_node: false,
        })
    };
    let mut objects: Vec<_> = (0..40).map(pod).collect();
    objects.push(Object::Namespace(Namespace { name: "shop".into() }));
    model(&objects)
}

/// The same numbers in each run.
fn numbers(mut seed: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    }
}

#[test]
fn what_is_cut_or_has_a_flipped_bit_is_refused() {
    let (file, mut number) = (written(&shop()), numbers(7));
    assert_eq!(read(&file).unwrap().len(), 41);
    for _ in 0..1000 {
        let cut = number(file.len());
        assert!(open(Cursor::new(&file[..cut])).is_err(), "cut at {cut}");
        let mut flipped = file.clone();
        let (at, bit) = (number(file.len()), number(8));
        flipped[at] ^= 1 << bit;
        assert!(open(Cursor::new(flipped)).is_err(), "bit {bit} of octet {at}");
    }
}

#[test]
fn other_formats_are_named() {
    let of = |first: &str| match open(Cursor::new(sealed(&format!("{first}\nwhatever\n")))) {
        Err(Unusable::Format { found }) => found,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("{first} was taken"),
    };
    assert_eq!(of("rutter snapshot 0"), 0);
    assert_eq!(of("rutter snapshot 4000000000"), 4_000_000_000);
    let longer = open(Cursor::new(sealed("rutter snapshot 99999999999\n")));
    assert!(matches!(longer, Err(Unusable::NotASnapshot)));
    assert!(matches!(open(Cursor::new(b"")), Err(Unusable::NotASnapshot)));
    assert!(matches!(open(Cursor::new(b"rutter snapshot 1\n")), Err(Unusable::Damaged)));
}

#[test]
fn objects_that_no_server_could_tell_are_refused() {
    let head = serde_json::to_string(&head()).unwrap();
    let long = "x".repeat(300);
    for object in [
        r#"{"Namespace":{"name":""}}"#.to_owned(),
        format!(r#"{{"Namespace":{{"name":"{long}"}}}}"#),
        format!(r#"{{"Pod":{{"namespace":"a","name":"{long}","address":"10.0.0.1"}}}}"#),
        r#"{"Service":{"namespace":"a.b","name":"c"}}"#.to_owned(),
        r#"{"EndpointSlice":{"namespace":"a","name":"b","service":"","endpoints":[],"ports":[]}}"#
            .to_owned(),
        r#"{"Secret":{"name":"a"}}"#.to_owned(),
        String::new(),
    ] {
        let read = read_sealed(&format!("{MAGIC}{FORMAT}\n{head}\n{object}\n"));
        assert!(matches!(read, Err(Unusable::Odd { line: 3, .. })), "{object}: {read:?}");
    }
    let newer = r#"{"Namespace":{"name":"a","of a later version":1}}"#;
    assert_eq!(read_sealed(&format!("{MAGIC}{FORMAT}\n{head}\n{newer}\n")).unwrap().len(), 1);
}

#[test]
fn a_snapshot_of_something_else_is_told_from_ours() {
    let (ours, known) = (head(), Head { cluster: None, taken: 0, serial: 0, ..head() });
    assert!(ours.check(&known).is_ok() && known.check(&ours).is_ok());
    for other in [
        Head { settings: "x".into(), ..head() },
        Head { server: "x".into(), ..head() },
        Head { cluster: Some("x".into()), ..head() },
    ] {
        assert!(matches!(other.check(&ours), Err(Unusable::Foreign { .. })));
    }
}

#[test]
fn an_end_that_never_comes_is_not_waited_for() {
    let endless = std::iter::repeat(Object::Namespace(Namespace { name: "x".into() }));
    let result = write::write_up_to(1 << 16, &head(), endless, std::io::sink());
    assert!(matches!(result, Err(CannotWrite::TooLarge)));
}

#[test]
fn a_foreign_snapshot_can_be_taken_back() {
    let mut model = Model::new(Kinds::all());
    model.restore(read(&written(&shop())).unwrap(), 17);
    model.finish_restoring(17, true);
    let own = Object::Namespace(Namespace { name: "own".into() });
    model.apply([Event::RelistBegin(Kind::Namespace), Event::Apply(own.clone())], 20);
    assert!(model.cluster().is_synced());
    model.forget_restored(21);
    assert!(!model.cluster().is_synced());
    let left: Vec<_> = model.contents().objects().collect();
    assert_eq!(left, [own]);
}

#[test]
fn settings_have_a_file_each_and_timing_none() {
    let endpoint = |url: &str| Server::Endpoint { url: url.into(), tls: None };
    let base = Settings::new(endpoint("http://a"));
    let mut slow = base.clone();
    slow.timing.retry_max *= 2;
    assert_eq!(identity(&base), identity(&slow));
    let mut others = vec![base.clone(); 4];
    others[0].server = endpoint("http://b");
    others[1].labels = "a=b".parse().unwrap();
    others[2].namespace_labels = "a=b".parse().unwrap();
    others[3].kinds = Kinds::all();
    let names: BTreeSet<_> =
        others.iter().chain([&base]).map(|settings| file_name(&identity(settings))).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    assert!(names.iter().all(|name| name.len() == "kubernetes-.snapshot".len() + 16));
}
