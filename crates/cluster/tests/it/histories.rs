//! Random histories: whatever happened on the way, only what there is in the end counts.

use crate::common::{all_kinds, ask, options, view};
use crate::external;
use cluster::{
    Changes, Cluster, Endpoint, EndpointSlice, Event, Exposure, Found, ImportedSlice, Ingress, Key,
    Kind, Model, Namespace, Object, Options, Pod, Pods, Port, Service, Target, View,
};
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Something that happens to the cluster or on the way from it.
#[derive(Clone, Debug)]
enum Step {
    /// An object comes or changes.
    Set(Object),
    /// An object goes; nothing happens if it is not there.
    Remove(Object),
    /// An object comes or changes, but the event is lost.
    SetUnseen(Object),
    /// An object goes, but the event is lost.
    RemoveUnseen(Object),
    /// All events so far are told once more, as far as they are still true.
    Repeat(Kind),
    /// Everything of a kind is listed, which repairs what was lost.
    Relist(Kind),
    /// The same for the kind of an object, which comes or changes in the middle of the list.
    RelistAround(Object),
    /// What was collected is applied.
    Apply,
    /// What was collected is applied as a page of a list.
    ApplyPage,
}

fn any_port() -> impl Strategy<Value = Port> {
    (0..2usize, 0..2usize, prop::option::of(1..3u16)).prop_map(|(name, protocol, number)| Port {
        name: ["", "p"][name].into(),
        protocol: ["TCP", "UDP"][protocol].into(),
        number,
    })
}

fn any_address() -> impl Strategy<Value = std::net::IpAddr> {
    (0..5usize).prop_map(|index| {
        ["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1", "fd00::2"][index].parse().unwrap()
    })
}

fn any_service() -> impl Strategy<Value = Object> {
    let target = prop_oneof![
        3 => prop::collection::vec(any_address(), 0..3).prop_map(Target::ClusterIps),
        3 => Just(Target::Endpoints),
        1 => Just(Target::Name("www.example.org".into())),
    ];
    let ports = prop::collection::vec(any_port(), 0..3);
    ("[ab]", "[xy]", target, ports, any_exposure()).prop_map(
        |(namespace, name, target, ports, exposure)| {
            Object::Service(Service { namespace, name, target, ports, exposure })
        },
    )
}

fn any_exposure() -> impl Strategy<Value = Exposure> {
    let ingress = prop_oneof![
        any_address().prop_map(Ingress::Address),
        "[lm]\\.example\\.net".prop_map(Ingress::Hostname),
    ];
    let ingress = prop::collection::vec(ingress, 0..3);
    (prop::collection::vec(any_address(), 0..2), ingress).prop_map(|(external_ips, ingress)| {
        Exposure { external_ips, ingress, ..Exposure::default() }
    })
}

fn any_slice() -> impl Strategy<Value = Object> {
    let label = |of: &'static str| prop::option::of(of);
    let endpoint = (any_address(), label("[hx]"), label("[kx]"), label("z|z[.]y")).prop_map(
        |(address, hostname, pod, zone)| Endpoint { addresses: vec![address], hostname, pod, zone },
    );
    let endpoints = prop::collection::vec(endpoint, 0..4);
    let ports = prop::collection::vec(any_port(), 0..3);
    ("[ab]", "[stu]", "[xy]", endpoints, ports).prop_map(
        |(namespace, name, service, endpoints, ports)| {
            Object::EndpointSlice(EndpointSlice {
                namespace,
                name,
                service,
                endpoints,
                ports,
                triggered: None,
            })
        },
    )
}

fn any_object() -> impl Strategy<Value = Object> {
    let started = prop::option::of(
        (0..3i64).prop_map(|it| Timestamp::from_second(1_700_000_000 + it).unwrap()),
    );
    let pod = ("[ab]", "[pq]", any_address(), started, any::<bool>()).prop_map(
        |(namespace, name, address, started, shares_node)| {
            Object::Pod(Pod { namespace, name, address, started, shares_node })
        },
    );
    let import = any_service().prop_filter_map("imports have no names", |object| match object {
        Object::Service(Service { target: Target::Name(_), .. }) => None,
        Object::Service(service) => Some(Object::ServiceImport(service)),
        _ => None,
    });
    let imported = ("[ef]", any_slice()).prop_filter_map("a slice", |(cluster, object)| {
        let Object::EndpointSlice(slice) = object else { return None };
        Some(Object::ImportedSlice(ImportedSlice { cluster, slice }))
    });
    prop_oneof![
        2 => "[ab]".prop_map(|name| Object::Namespace(Namespace { name })),
        3 => any_service(),
        4 => any_slice(),
        2 => pod,
        1 => import,
        2 => imported,
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let kind = || (0..Kind::ALL.len()).prop_map(|index| Kind::ALL[index]);
    prop_oneof![
        8 => any_object().prop_map(Step::Set),
        4 => any_object().prop_map(Step::Remove),
        1 => any_object().prop_map(Step::SetUnseen),
        1 => any_object().prop_map(Step::RemoveUnseen),
        1 => kind().prop_map(Step::Repeat),
        1 => kind().prop_map(Step::Relist),
        1 => any_object().prop_map(Step::RelistAround),
        4 => Just(Step::Apply),
        2 => Just(Step::ApplyPage),
    ]
}

/// What there is, and a model that is told of it.
struct World {
    model: Model,
    objects: BTreeMap<Key, Object>,
    events: Vec<Event>,
}

impl World {
    fn step(&mut self, step: Step) {
        match step {
            Step::Set(object) => {
                self.events.push(Event::Apply(object.clone()));
                self.objects.insert(object.key(), object);
            }
            Step::Remove(object) => {
                self.objects.remove(&object.key());
                self.events.push(Event::Delete(object.key()));
            }
            Step::SetUnseen(object) => {
                self.objects.insert(object.key(), object);
            }
            Step::RemoveUnseen(object) => {
                self.objects.remove(&object.key());
            }
            Step::Repeat(kind) => self.tell(kind),
            Step::Relist(kind) => {
                self.events.push(Event::RelistBegin(kind));
                self.tell(kind);
                self.events.push(Event::RelistEnd(kind));
            }
            Step::RelistAround(object) => {
                let kind = object.key().kind;
                self.events.push(Event::RelistBegin(kind));
                self.tell(kind);
                // What is told behind this is told as it is then.
                let told = self.events.len();
                let half = told - self.of_kind(kind).count() / 2;
                self.events.truncate(half);
                self.step(Step::Set(object));
                self.tell(kind);
                self.events.push(Event::RelistEnd(kind));
            }
            Step::Apply => {
                self.model.apply(self.events.drain(..), 1);
            }
            Step::ApplyPage => {
                self.model.apply_page(self.events.drain(..), 1);
            }
        }
    }

    fn tell(&mut self, kind: Kind) {
        let told: Vec<_> = self.of_kind(kind).cloned().map(Event::Apply).collect();
        self.events.extend(told);
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        self.objects.values().filter(move |object| object.key().kind == kind)
    }
}

/// A view that shows everything.
pub(crate) fn view_of_all(endpoint_pod_names: bool) -> View {
    let mut options =
        Options { pods: Pods::Verified, endpoint_pod_names, zonal: true, ..options() };
    options.import_zones.push("set.local".parse().unwrap());
    options.zones.extend_from_slice(&options.import_zones);
    view(options)
}

/// Everything that can be asked about objects of these names.
pub(crate) fn answers(cluster: &Arc<Cluster>, view: &View) -> Vec<String> {
    let mut names = Vec::new();
    for namespace in ["a", "b", "c"] {
        names.push(format!("{namespace}.svc.cluster.local"));
        for pod in ["10-0-0-1", "10-0-0-2", "10-0-0-3", "fd00--1", "fd00--2"] {
            names.push(format!("{pod}.{namespace}.pod.cluster.local"));
        }
        for service in ["x", "y"] {
            for below in [
                "",
                "h.",
                "x.",
                "k.",
                "10-0-0-1.",
                "10-0-0-3.",
                "fd00--1.",
                "_p._tcp.",
                "_p._udp.",
                "_tcp.",
                "_zone.",
                "z.pin._zone.",
                "z.y.pin._zone.",
                "z.prefer._zone.",
            ] {
                names.push(format!("{below}{service}.{namespace}.svc.cluster.local"));
            }
            for below in ["", "e.", "h.e.", "x.f.", "10-0-0-1.e.", "fd00--1.f.", "_p._tcp."] {
                names.push(format!("{below}{service}.{namespace}.svc.set.local"));
            }
        }
    }
    for last in 1..4 {
        names.push(format!("{last}.0.0.10.in-addr.arpa"));
        names.push(format!("{last}.{}0.0.d.f.ip6.arpa", "0.".repeat(27)));
    }
    let ask_all = |name: &String| {
        let questions = ["A", "AAAA", "SRV", "PTR", "MX"].map(|rtype| format!("{name} {rtype}"));
        let answers = questions.map(|question| (ask(cluster, view, &question), question));
        // If any type exists at a name, no other type at that name is NXDOMAIN.
        let denied = answers.iter().filter(|((found, _), _)| *found == Found::NoSuchName).count();
        assert!(denied == 0 || denied == answers.len(), "{answers:?}");
        answers.map(|((found, lines), question)| format!("{question} {found:?} {lines:?}"))
    };
    let owners = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1", "fd00::2"]
        .map(|address| format!("{address} {:?}", cluster.pod_of(view, address.parse().unwrap())));
    names.iter().flat_map(ask_all).chain(owners).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_history_ends_in_the_answers_of_a_fresh_list(steps in prop::collection::vec(any_step(), 0..60)) {
        let mut world = World { model: Model::new(all_kinds()), objects: BTreeMap::new(), events: Vec::new() };
        for step in steps {
            world.step(step);
        }
        for kind in Kind::ALL {
            world.step(Step::Relist(kind));
        }
        world.step(Step::Apply);

        let mut fresh = Model::new(all_kinds());
        let begin = Kind::ALL.into_iter().map(Event::RelistBegin);
        let told = world.objects.values().rev().map(|object| Event::Apply(object.clone()));
        fresh.apply(begin.chain(told).chain(Kind::ALL.into_iter().map(Event::RelistEnd)), 1);

        for pod_names in [false, true] {
            let view = view_of_all(pod_names);
            let (expected, got) = (answers(fresh.cluster(), &view), answers(world.model.cluster(), &view));
            for (expected, got) in expected.iter().zip(&got) {
                prop_assert_eq!(expected, got);
            }
            prop_assert_eq!(
                external::everything(fresh.cluster(), &view),
                external::everything(world.model.cluster(), &view)
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_relist_of_what_is_known_is_never_seen(objects in prop::collection::vec(any_object(), 1..20), page in 3..12usize) {
        let objects: BTreeMap<_, _> = objects.into_iter().map(|object| (object.key(), object)).collect();
        let mut model = Model::new(all_kinds());
        let ends = Kind::ALL.into_iter().map(Event::RelistEnd);
        model.apply(objects.values().cloned().map(Event::Apply).chain(ends), 1);
        let view = view_of_all(true);
        let before = answers(model.cluster(), &view);

        let mut events: Vec<_> = Kind::ALL.into_iter().map(Event::RelistBegin).collect();
        events.extend(objects.into_values().rev().map(Event::Apply));
        events.extend(Kind::ALL.into_iter().map(Event::RelistEnd));
        for page in events.chunks(page) {
            prop_assert_eq!(model.apply(page.to_vec(), 2), Changes::default());
            prop_assert_eq!(&answers(model.cluster(), &view), &before);
        }
        prop_assert_eq!(model.cluster().serial(), 1);
    }
}
