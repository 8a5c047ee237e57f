//! The writer: takes events and keeps what readers look into.
//!
//! **What this is.** [`Model`] is pure bookkeeping. It holds every object in its packed form, finds
//! out which names a batch of events has changed and publishes those. One writer owns it; the
//! readers have the [`Cluster`].
//!
//! **What this is not.** It asks no API server and reads no clock.
//!
//! **Where to start reading.** [`Model::apply`]; then [`entry`] and [`mod@slice`] for what is stored
//! and [`table`] for how it is published.

mod contents;
pub(crate) mod entry;
pub(crate) mod external;
mod holdings;
pub(crate) mod packed;
pub(crate) mod pod;
mod services;
pub(crate) mod slice;
pub(crate) mod table;

pub use contents::Contents;

use crate::cluster::Cluster;
use crate::gateway::claims::Claims;
use crate::objects::{Event, ImportedSlice, Key, Kind, Kinds, Object};
use entry::ServiceKind;
use external::PackedExternal;
use holdings::{Holdings, Keyed, Told};
use jiff::Timestamp;
use pod::PackedPod;
use services::{Services, entry_key};
use slice::PackedSlice;
use std::sync::Arc;
use table::{Edit, Value};

/// All that is known of a cluster, and the way to change it.
pub struct Model {
    cluster: Arc<Cluster>,
    details: Details,
    services: Services,
    /// Those of other clusters.
    imports: Services,
    external: Holdings<PackedExternal>,
    namespaces: Holdings<Label>,
    pods: Holdings<PackedPod>,
    /// In place of all these, if the names that gateways serve are wanted.
    claims: Option<Claims>,
    pending: Pending,
    /// Counts the publications that changed something.
    revision: u64,
}

/// What is kept of EndpointSlices beyond addresses and hostnames, where it takes memory and only
/// some options ask for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Details {
    /// The names of pods: `endpoint_pod_names`.
    pub pod_names: bool,
    /// The zones of endpoints: `zonal`.
    pub zones: bool,
}

impl Details {
    /// All that there is.
    pub fn all() -> Self {
        Self { pod_names: true, zones: true }
    }
}

/// What a batch of events has touched; whether it has changed is seen when it is published.
#[derive(Default)]
struct Pending {
    external: Vec<Box<[u8]>>,
    namespaces: Vec<Label>,
    pods: Vec<PackedPod>,
    listed: Vec<Kind>,
    triggered: Vec<(Box<[u8]>, Timestamp)>,
}

/// What a batch of events has changed for readers.
#[derive(Debug, Default, PartialEq)]
pub struct Changes {
    /// Services whose records are different now; with any of them the serial moves.
    pub services: usize,
    /// The same for services of other clusters, which have a serial of their own.
    pub imports: usize,
    /// Services that are reached from outside of the cluster in another way now; with any of them
    /// the serial of external zones moves.
    pub external: usize,
    /// Names of [`crate::gateway`] whose records are different now; the serial moves too.
    pub hosts: usize,
    /// Namespaces that came or went.
    pub namespaces: usize,
    /// Pods that came or went.
    pub pods: usize,
    /// When the changes of headless services that are visible now were triggered; for
    /// `coredns_kubernetes_dns_programming_duration_seconds`, which CoreDNS measures for these
    /// alone: nothing else knows its trigger time.
    pub triggered: Vec<Timestamp>,
}

impl Changes {
    /// Whether there is any.
    pub(crate) fn is_any(&self) -> bool {
        let Self { services, imports, external, hosts, namespaces, pods, triggered: _ } = self;
        services + imports + external + hosts + namespaces + pods > 0
    }
}

/// A namespace's label in lower case.
pub(crate) type Label = Arc<[u8]>;

impl Model {
    /// A cluster of which nothing is known. It is synced when each of `awaited` has been listed.
    pub fn new(awaited: Kinds) -> Self {
        Self {
            cluster: Arc::new(Cluster::new(awaited)),
            details: Details::all(),
            services: Services::new(),
            imports: Services::new(),
            external: Holdings::new(),
            namespaces: Holdings::new(),
            pods: Holdings::new(),
            claims: None,
            pending: Pending::default(),
            revision: 0,
        }
    }

    /// The same, but of slices only `details` are kept. Without this it is all.
    #[must_use]
    pub fn keeping(self, details: Details) -> Self {
        Self { details, ..self }
    }

    /// The same, for [`crate::gateway`]: it keeps the names that services, ingresses and routes ask
    /// for, and nothing of the cluster itself.
    #[must_use]
    pub fn of_gateways(self) -> Self {
        Self { claims: Some(Claims::new()), ..self }
    }

    /// What readers look into.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// Takes a batch of events and publishes what it has changed. `now` is Unix time in seconds,
    /// the serial of a change.
    ///
    /// A service changes in one step however many of its objects are in the batch.
    pub fn apply(&mut self, events: impl IntoIterator<Item = Event>, now: u32) -> Changes {
        self.take(events);
        self.publish(now)
    }

    /// Takes a part of a list, and publishes only when much has come together.
    ///
    /// Each publication copies parts of the tables. If every page of a long list had its own, the
    /// whole would be copied for each; so it has to grow by a quarter first, which makes the cost
    /// of a list proportional to its length. The next [`Model::apply`] publishes the rest.
    ///
    /// When the changes were triggered is not told: of what a list tells it may be days ago.
    pub fn apply_page(&mut self, events: impl IntoIterator<Item = Event>, now: u32) -> Changes {
        self.take(events);
        self.pending.triggered.clear();
        self.publish_if_much(now)
    }

    fn publish_if_much(&mut self, now: u32) -> Changes {
        let (claims_touched, claims) = self.claims.as_ref().map_or((0, 0), Claims::waiting);
        let services = [&self.services, &self.imports];
        let touched: usize = services.map(Services::touched).iter().sum();
        let held: usize = services.map(Services::len).iter().sum();
        let waiting = touched + self.pending.pods.len() + claims_touched;
        if waiting < (held + self.pods.len() + claims) / 4 {
            return Changes::default();
        }
        self.publish(now)
    }

    fn take(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            if let Some(claims) = &mut self.claims {
                if let Event::RelistEnd(kind) = event {
                    self.pending.listed.push(kind);
                }
                claims.take(event);
                continue;
            }
            match event {
                Event::Apply(object) => self.put(object),
                Event::Delete(key) => self.delete(&key),
                Event::RelistBegin(kind) => self.begin(kind),
                Event::RelistEnd(kind) => self.end(kind),
            }
        }
    }

    fn put(&mut self, object: Object) {
        match object {
            Object::Namespace(namespace) => {
                let label: Label = namespace.name.to_ascii_lowercase().into_bytes().into();
                if let Told::New = self.namespaces.tell(label.clone()) {
                    self.pending.namespaces.push(label);
                }
            }
            Object::Service(service) => {
                let key = self.services.put_service(&service);
                self.change_external(&key, PackedExternal::new(&service));
            }
            Object::EndpointSlice(slice) => {
                let changed = self.services.put_slice(&PackedSlice::new(&slice, "", self.details));
                let triggered = changed.zip(slice.triggered);
                self.pending.triggered.extend(triggered);
            }
            Object::Pod(pod) => {
                let pod = PackedPod::new(&pod);
                match self.pods.tell(pod.clone()) {
                    Told::Known => return,
                    Told::New => {}
                    Told::Replaced(old) => self.pending.pods.push(old),
                }
                self.pending.pods.push(pod);
            }
            Object::ServiceImport(service) => {
                self.imports.put_service(&service);
            }
            Object::ImportedSlice(ImportedSlice { cluster, slice }) => {
                self.imports.put_slice(&PackedSlice::new(&slice, &cluster, self.details));
            }
            Object::Ingress(_)
            | Object::Gateway(_)
            | Object::HttpRoute(_)
            | Object::GrpcRoute(_)
            | Object::TlsRoute(_)
            | Object::OldTlsRoute(_)
            | Object::DnsEndpoint(_)
            | Object::Node(_) => {}
        }
    }

    fn delete(&mut self, key: &Key) {
        let (namespace, name) = (key.namespace.to_ascii_lowercase(), key.name.to_ascii_lowercase());
        let by_name = (namespace.as_bytes(), name.as_bytes());
        let service = || entry_key(by_name.1, by_name.0);
        match key.kind {
            Kind::Namespace => self.pending.namespaces.extend(self.namespaces.remove(by_name)),
            Kind::Service => self.drop_service(&service()),
            Kind::EndpointSlice => self.services.drop_slice(by_name),
            Kind::Pod => self.pending.pods.extend(self.pods.remove(by_name)),
            Kind::ServiceImport => self.imports.drop_service(&service()),
            Kind::ImportedSlice => self.imports.drop_slice(by_name),
            Kind::Ingress
            | Kind::Gateway
            | Kind::HttpRoute
            | Kind::GrpcRoute
            | Kind::TlsRoute
            | Kind::OldTlsRoute
            | Kind::DnsEndpoint
            | Kind::Node => {}
        }
    }

    fn drop_service(&mut self, key: &[u8]) {
        self.change_external(key, None);
        self.services.drop_service(key);
    }

    fn begin(&mut self, kind: Kind) {
        match kind {
            Kind::Namespace => self.namespaces.begin(),
            Kind::Service => self.services.begin(),
            Kind::EndpointSlice => self.services.begin_slices(),
            Kind::Pod => self.pods.begin(),
            Kind::ServiceImport => self.imports.begin(),
            Kind::ImportedSlice => self.imports.begin_slices(),
            Kind::Ingress
            | Kind::Gateway
            | Kind::HttpRoute
            | Kind::GrpcRoute
            | Kind::TlsRoute
            | Kind::OldTlsRoute
            | Kind::DnsEndpoint
            | Kind::Node => {}
        }
    }

    fn end(&mut self, kind: Kind) {
        self.drop_stale(kind);
        self.pending.listed.push(kind);
    }

    /// Drops what the relist has not told.
    fn drop_stale(&mut self, kind: Kind) {
        match kind {
            Kind::Namespace => {
                for label in self.namespaces.stale() {
                    self.pending.namespaces.extend(self.namespaces.remove(label.identity()));
                }
            }
            Kind::Service => {
                for entry in self.services.stale() {
                    self.drop_service(entry.key());
                }
            }
            Kind::EndpointSlice => self.services.end_slices(),
            Kind::Pod => {
                for pod in self.pods.stale() {
                    self.pending.pods.extend(self.pods.remove(pod.identity()));
                }
            }
            Kind::ServiceImport => {
                for entry in self.imports.stale() {
                    self.imports.drop_service(entry.key());
                }
            }
            Kind::ImportedSlice => self.imports.end_slices(),
            Kind::Ingress
            | Kind::Gateway
            | Kind::HttpRoute
            | Kind::GrpcRoute
            | Kind::TlsRoute
            | Kind::OldTlsRoute
            | Kind::DnsEndpoint
            | Kind::Node => {}
        }
    }

    fn publish(&mut self, now: u32) -> Changes {
        let mut pending = std::mem::take(&mut self.pending);
        let _publishing = self.cluster.hold();
        let namespaces = self.publish_namespaces(&mut pending.namespaces);
        let pods = self.publish_pods(&mut pending.pods);
        let cluster = &*self.cluster;
        let services = self.services.publish(cluster, &cluster.entries, Some(&cluster.addresses));
        let imports = self.imports.publish(cluster, &cluster.imports, None);
        let external = self.publish_external(&mut pending.external);
        let hosts = self.claims.as_mut().map_or(0, |claims| claims.publish(&self.cluster));
        let was_synced = self.cluster.is_synced();
        for kind in pending.listed {
            self.cluster.set_listed(kind);
        }
        let is_first = !was_synced && self.cluster.is_synced();
        if services + hosts > 0 || is_first {
            self.cluster.move_serial(now);
        }
        if imports > 0 || is_first {
            self.cluster.move_imports_serial(now);
        }
        if external > 0 || is_first {
            self.cluster.move_external_serial(now);
        }
        let is_headless = |key: &[u8]| {
            let service = self.services.find(key).and_then(|entry| entry.service());
            service.is_some_and(|service| service.kind() == ServiceKind::Headless)
        };
        let triggered = pending.triggered.into_iter().filter(|(key, _)| is_headless(key));
        let triggered = triggered.map(|(_, at)| at).collect();
        let changes = Changes { services, imports, external, hosts, namespaces, pods, triggered };
        self.revision += u64::from(changes.is_any());
        changes
    }

    fn publish_namespaces(&self, touched: &mut Vec<Label>) -> usize {
        touched.sort_unstable();
        touched.dedup();
        let edit = |label: Label| Edit {
            place: self.cluster.place(&*label),
            stays: self.namespaces.find(label.identity()).is_some(),
            value: label,
        };
        let edits: Vec<_> = touched.drain(..).map(edit).collect();
        let count = edits.len();
        self.cluster.namespaces.publish(edits);
        count
    }

    fn publish_pods(&self, touched: &mut Vec<PackedPod>) -> usize {
        touched.sort_unstable();
        touched.dedup();
        let edit = |pod: PackedPod| Edit {
            place: self.cluster.place(pod.address()),
            stays: self.pods.find(pod.identity()) == Some(&pod),
            value: pod,
        };
        let edits: Vec<_> = touched.drain(..).map(edit).collect();
        let count = edits.len();
        self.cluster.pods.publish(edits);
        count
    }
}

impl Keyed for PackedPod {
    fn identity(&self) -> (&[u8], &[u8]) {
        (self.namespace(), self.name())
    }
}

impl Keyed for Label {
    fn identity(&self) -> (&[u8], &[u8]) {
        (&[], self)
    }
}

impl Value for Label {
    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

/// Where an address leads: the place of an entry.
impl Value for u64 {
    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{
        Endpoint, EndpointSlice, Exposure, Namespace, Pod, Port, Service, Target,
    };
    use std::net::IpAddr;

    fn service(target: Target) -> Object {
        let port = Port { name: "p".into(), protocol: "TCP".into(), number: Some(1) };
        Object::Service(Service {
            namespace: "shop".into(),
            name: "db".into(),
            target,
            ports: vec![port],
            exposure: Exposure::default(),
        })
    }

    fn slice(name: &str, service: &str, addresses: &[&str]) -> Object {
        let endpoint = |text: &&str| Endpoint {
            addresses: vec![text.parse().unwrap()],
            hostname: None,
            pod: None,
            zone: None,
        };
        Object::EndpointSlice(EndpointSlice {
            namespace: "shop".into(),
            name: name.into(),
            service: service.into(),
            endpoints: addresses.iter().map(endpoint).collect(),
            ports: Vec::new(),
            triggered: Some(Timestamp::UNIX_EPOCH),
        })
    }

    fn delete(object: &Object) -> Event {
        Event::Delete(object.key())
    }

    fn sizes(model: &Model) -> [usize; 4] {
        let it = &model.cluster;
        [it.entries.len(), it.addresses.len(), it.namespaces.len(), it.pods.len()]
    }

    #[test]
    fn the_serial_moves_with_the_records_of_services_alone() {
        let mut model = Model::new(Kinds::none());
        let mut now = 100;
        let mut moves = |event: Event| {
            now += 1;
            model.apply([event], now);
            model.cluster().serial() == now
        };
        let db = service(Target::Endpoints);
        assert!(moves(Event::Apply(db.clone())));
        assert!(!moves(Event::Apply(db.clone())));
        assert!(moves(Event::Apply(slice("a", "db", &["10.0.0.1", "10.0.0.2"]))));
        assert!(!moves(Event::Apply(slice("a", "db", &["10.0.0.2", "10.0.0.1"]))));
        assert!(moves(Event::Apply(slice("a", "db", &["10.0.0.1"]))));
        assert!(moves(Event::Apply(slice("a", "other", &["10.0.0.1"]))));
        assert!(moves(Event::Apply(service(Target::ClusterIps(vec![
            "10.0.0.9".parse().unwrap()
        ])))));
        assert!(!moves(Event::Apply(Object::Namespace(Namespace { name: "shop".into() }))));
        let address: IpAddr = "10.0.0.1".parse().unwrap();
        let pod = Object::Pod(Pod {
            namespace: "shop".into(),
            name: "p".into(),
            address,
            started: None,
            shares_node: false,
        });
        assert!(!moves(Event::Apply(pod)));
        assert!(!moves(Event::RelistBegin(Kind::Service)));
        assert!(moves(Event::RelistEnd(Kind::Service)));
        assert!(!moves(delete(&db)));
    }

    #[test]
    fn a_change_that_is_taken_back_within_a_batch_is_none() {
        let mut model = Model::new(Kinds::none());
        model.apply([Event::Apply(service(Target::Endpoints))], 1);
        let there_and_back = [Target::Name("a.b".into()), Target::Endpoints].map(service);
        let changes = model.apply(there_and_back.map(Event::Apply), 2);
        assert_eq!((changes.services, model.cluster().serial()), (0, 1));
    }

    #[test]
    fn the_clock_may_go_back() {
        let mut model = Model::new(Kinds::none());
        model.apply([Event::Apply(service(Target::Endpoints))], 9);
        model.apply([Event::Apply(slice("a", "db", &["10.0.0.1"]))], 4);
        assert_eq!(model.cluster().serial(), 9);
    }

    #[test]
    fn triggers_are_those_of_headless_services_that_changed() {
        let mut model = Model::new(Kinds::none());
        let mut triggered = |events: &[Object]| {
            model.apply(events.iter().cloned().map(Event::Apply), 1).triggered.len()
        };
        assert_eq!(triggered(&[slice("a", "db", &["10.0.0.1"])]), 0);
        assert_eq!(triggered(&[service(Target::Endpoints), slice("a", "db", &["10.0.0.2"])]), 1);
        assert_eq!(triggered(&[slice("a", "db", &["10.0.0.2"])]), 0);
        assert_eq!(triggered(&[service(Target::ClusterIps(vec![])), slice("a", "db", &[])]), 0);
    }

    #[test]
    fn a_list_triggers_nothing() {
        let mut model = Model::new(Kinds::none());
        let slices = [slice("a", "db", &["10.0.0.1"]), slice("b", "db", &["10.0.0.2"])];
        model.apply([Event::Apply(service(Target::Endpoints))], 1);
        assert!(model.apply_page([Event::Apply(slices[0].clone())], 2).triggered.is_empty());
        assert_eq!(model.apply([Event::Apply(slices[1].clone())], 3).triggered.len(), 1);
    }

    #[test]
    fn a_page_waits_until_it_is_worth_copying() {
        let mut model = Model::new(Kinds::none());
        let slice = |index: usize| {
            let (name, service) = (format!("s-{index}"), format!("db-{index}"));
            Event::Apply(slice(&name, &service, &["10.0.0.1"]))
        };
        let mut publications = 0;
        for page in 0..100 {
            let changes = model.apply_page((0..10).map(|index| slice(page * 10 + index)), 1);
            publications += usize::from(changes.services > 0);
        }
        assert!((10..40).contains(&publications), "{publications}");
        model.apply([], 1);
        assert_eq!(sizes(&model)[..2], [1000, 1000]);
    }

    #[test]
    fn nothing_is_left_of_what_is_gone() {
        let mut model = Model::new(Kinds::none());
        let address: IpAddr = "10.0.0.1".parse().unwrap();
        let objects = [
            Object::Namespace(Namespace { name: "shop".into() }),
            service(Target::ClusterIps(vec![address])),
            slice("a", "db", &["10.0.0.1", "10.0.0.2"]),
            slice("b", "db", &["10.0.0.2"]),
            Object::Pod(Pod {
                namespace: "shop".into(),
                name: "p".into(),
                address,
                started: None,
                shares_node: false,
            }),
        ];
        model.apply(objects.iter().cloned().map(Event::Apply), 1);
        assert_eq!(sizes(&model), [1, 2, 1, 1]);
        model.apply([delete(&objects[2])], 2);
        assert_eq!(sizes(&model), [1, 2, 1, 1]);
        model.apply(objects.iter().map(delete), 3);
        assert_eq!(sizes(&model), [0; 4]);
    }

    #[test]
    fn a_relist_drops_what_it_does_not_tell() {
        let mut model = Model::new(Kinds::none());
        let (a, b) = (slice("a", "db", &["10.0.0.1"]), slice("b", "db", &["10.0.0.2"]));
        model.apply([&a, &b, &service(Target::Endpoints)].map(|it| Event::Apply(it.clone())), 1);
        let kind = Kind::EndpointSlice;
        model.apply([Event::RelistBegin(kind), Event::Apply(b)], 2);
        assert_eq!(sizes(&model)[..2], [1, 2], "nothing goes before the end");
        model.apply([Event::RelistEnd(kind)], 3);
        assert_eq!(sizes(&model)[..2], [1, 1]);
        assert_eq!(model.services.stale_slices(), 0);
    }
}
