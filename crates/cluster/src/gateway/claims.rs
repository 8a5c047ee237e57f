//! The writer: which object asks for which name, and what comes of it.

use super::host::{Exits, Host, HostKey, Offers};
use super::kept::{Kept, Reached};
use crate::cluster::Cluster;
use crate::model::table::Edit;
use crate::objects::{Event, Key, Kind, Object};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// All objects that ask for names, and the gateways and slices that some of them need for an answer.
///
/// Whatever the order of events, the same objects lead to the same hosts: a host is made anew out of
/// all who claim it.
pub(crate) struct Claims {
    objects: HashMap<Arc<Key>, Held>,
    hosts: HashMap<HostKey, Claimed>,
    /// The objects that lead to a place, be there anything or not: the routes of a gateway.
    followers: HashMap<Key, HashSet<Arc<Key>>>,
    /// The objects that are at a place: the slices of a service.
    members: HashMap<Key, HashSet<Arc<Key>>>,
    /// Counts the relists of each kind. What a relist has told bears its number.
    generations: [u32; Kind::ALL.len()],
    /// The hosts that may have changed since they were published.
    touched: HashSet<HostKey>,
}

struct Held {
    object: Kept,
    generation: u32,
}

/// Who asks for a name.
#[derive(Default)]
struct Claimed {
    by: HashSet<Arc<Key>>,
    /// How many names below it are asked for.
    below: usize,
}

impl Claims {
    pub(crate) fn new() -> Self {
        Self {
            objects: HashMap::new(),
            hosts: HashMap::new(),
            followers: HashMap::new(),
            members: HashMap::new(),
            generations: [0; Kind::ALL.len()],
            touched: HashSet::new(),
        }
    }

    /// Takes an event; what it changes is published by [`Claims::publish`].
    pub(crate) fn take(&mut self, event: Event) {
        match event {
            Event::Apply(object) => self.put(&object),
            Event::Delete(key) => self.remove(&key),
            Event::RelistBegin(kind) => {
                let generation = &mut self.generations[kind as usize];
                *generation = generation.wrapping_add(1);
            }
            Event::RelistEnd(kind) => self.drop_stale(kind),
        }
    }

    /// How many hosts may have changed since they were published, and how many there are.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        (self.touched.len(), self.hosts.len())
    }

    /// Makes what has changed visible; gives the number of hosts that are different now.
    pub(crate) fn publish(&mut self, cluster: &Cluster) -> usize {
        let mut edits = Vec::new();
        for key in std::mem::take(&mut self.touched) {
            let labels = &*key.labels;
            let old = cluster.host(key.is_wildcard, labels, Host::clone);
            let new = self.hosts.get(&key).map(|claimed| self.host(&key, claimed));
            if old == new {
                continue;
            }
            let (place, stays) = (cluster.place((key.is_wildcard, labels)), new.is_some());
            edits.extend(new.or(old).map(|value| Edit { place, value, stays }));
        }
        let count = edits.len();
        cluster.hosts.publish(edits);
        count
    }

    fn put(&mut self, object: &Object) {
        let key = object.key();
        let Some(new) = Kept::of(object) else { return self.remove(&key) };
        let generation = self.generations[key.kind as usize];
        if let Some(held) = self.objects.get_mut(&key) {
            held.generation = generation;
            if held.object == new {
                return;
            }
            self.remove(&key);
        }
        let key = Arc::new(key);
        for host in new.hosts() {
            self.claim(&key, host);
        }
        for place in new.places() {
            self.followers.entry(place.clone()).or_default().insert(key.clone());
        }
        if let Some(place) = new.place() {
            self.members.entry(place.clone()).or_default().insert(key.clone());
            self.touch_followers(place);
        }
        self.objects.insert(key, Held { object: new, generation });
    }

    fn remove(&mut self, key: &Key) {
        let Some(held) = self.objects.remove(key) else { return };
        for host in held.object.hosts() {
            self.unclaim(key, host);
        }
        for place in held.object.places() {
            forget(&mut self.followers, place, key);
        }
        if let Some(place) = held.object.place() {
            forget(&mut self.members, place, key);
            self.touch_followers(place);
        }
    }

    /// Drops what the relist has not told.
    fn drop_stale(&mut self, kind: Kind) {
        let generation = self.generations[kind as usize];
        let is_stale =
            |(key, held): &(&Arc<Key>, &Held)| key.kind == kind && held.generation != generation;
        let stale: Vec<_> =
            self.objects.iter().filter(is_stale).map(|(key, _)| key.clone()).collect();
        for key in stale {
            self.remove(&key);
        }
    }

    fn claim(&mut self, by: &Arc<Key>, host: &HostKey) {
        self.touched.insert(host.clone());
        let claimed = self.hosts.entry(host.clone()).or_default();
        let is_new = claimed.by.is_empty();
        claimed.by.insert(by.clone());
        for above in host.ancestors().filter(|_| is_new) {
            self.hosts.entry(above.clone()).or_default().below += 1;
            self.touched.insert(above);
        }
    }

    fn unclaim(&mut self, by: &Key, host: &HostKey) {
        self.touched.insert(host.clone());
        let Some(claimed) = self.hosts.get_mut(host) else { return };
        claimed.by.remove(by);
        if !claimed.by.is_empty() {
            return;
        }
        self.drop_if_unused(host);
        for above in host.ancestors() {
            if let Some(claimed) = self.hosts.get_mut(&above) {
                claimed.below -= 1;
            }
            self.drop_if_unused(&above);
            self.touched.insert(above);
        }
    }

    fn drop_if_unused(&mut self, host: &HostKey) {
        let is_unused = |claimed: &Claimed| claimed.by.is_empty() && claimed.below == 0;
        if self.hosts.get(host).is_some_and(is_unused) {
            self.hosts.remove(host);
        }
    }

    /// What leads to this place may have changed.
    fn touch_followers(&mut self, place: &Key) {
        for follower in self.followers.get(place).into_iter().flatten() {
            let hosts = self.objects.get(follower).map(|held| held.object.hosts());
            self.touched.extend(hosts.into_iter().flatten().cloned());
        }
    }

    fn host(&self, key: &HostKey, claimed: &Claimed) -> Host {
        let mut offers = Offers::new();
        let mut offer = |kind: Kind, class: &str, exits: &Exits| {
            let kind = if kind == Kind::OldTlsRoute { Kind::TlsRoute } else { kind };
            offers.entry((kind, class.to_owned())).or_default().add(exits);
        };
        for by in &claimed.by {
            let Some(held) = self.objects.get(by) else { continue };
            match held.object.reached() {
                Reached::At(ways) => {
                    for (class, exits) in ways {
                        offer(by.kind, class, exits);
                    }
                }
                Reached::AtEach(hosts) => {
                    if let Some(exits) = hosts.get(key) {
                        offer(by.kind, "", exits);
                    }
                }
                Reached::Where(places) => {
                    // A service exists without endpoints too; a route is nothing without a gateway.
                    if by.kind == Kind::Service {
                        offer(by.kind, "", &Exits::default());
                    }
                    for (class, exits) in places.iter().flat_map(|place| self.ways_at(place)) {
                        offer(by.kind, class, exits);
                    }
                }
            }
        }
        Host::new(key, claimed.below > 0, &offers)
    }

    /// Where a place is reached, by class.
    fn ways_at(&self, place: &Key) -> impl Iterator<Item = &(String, Exits)> {
        let members = self.members.get(place).into_iter().flatten();
        let held = members.filter_map(|member| self.objects.get(member));
        held.flat_map(|held| match held.object.reached() {
            Reached::At(ways) => &**ways,
            // No place is where another is.
            Reached::AtEach(_) | Reached::Where(_) => &[],
        })
    }
}

fn forget(places: &mut HashMap<Key, HashSet<Arc<Key>>>, place: &Key, key: &Key) {
    let Some(there) = places.get_mut(place) else { return };
    there.remove(key);
    if there.is_empty() {
        places.remove(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Model;
    use crate::gateway::{Found, NodeAddresses, Options, View};
    use crate::objects::{
        DnsEndpoint, DnsEntry, DnsTargets, Endpoint, EndpointSlice, Exposure, Gateway, Ingress,
        IngressObject, Kinds, Node, Parent, Route, Service, Target,
    };
    use proptest::prelude::*;
    use std::net::IpAddr;
    use wire::{NameBuf, Question, RecordType, Reply};

    fn way(number: u8) -> Ingress {
        match number {
            0..4 => Ingress::Address(IpAddr::from([192, 0, 2, number])),
            4..6 => Ingress::Address(format!("2001:db8::{number}").parse().unwrap()),
            _ => Ingress::Hostname(format!("lb{number}.test")),
        }
    }

    const HOSTS: [&str; 8] = [
        "a.example.com",
        "b.a.example.com",
        "*.example.com",
        "*.a.example.com",
        "x.y.z.example.com",
        "short",
        "*",
        "example.com",
    ];

    fn hosts(numbers: &[usize]) -> Vec<String> {
        numbers.iter().map(|&number| HOSTS[number].to_owned()).collect()
    }

    fn object(kind: Kind, name: &str, hosts: Vec<String>, ways: Vec<Ingress>, other: u8) -> Object {
        let (namespace, name) = ("shop".to_owned(), name.to_owned());
        let class = ["one", "two"][usize::from(other % 2)].to_owned();
        match kind {
            Kind::Ingress => Object::Ingress(IngressObject { namespace, name, class, hosts, ways }),
            Kind::Gateway => Object::Gateway(Gateway { namespace, name, class, ways }),
            Kind::Service => Object::Service(Service {
                namespace,
                name,
                target: Target::Endpoints,
                ports: Vec::new(),
                exposure: Exposure {
                    is_load_balancer: !other.is_multiple_of(2),
                    external_ips: Vec::new(),
                    ingress: ways,
                    hostnames: hosts,
                    resolves_endpoints: other >= 2,
                },
            }),
            Kind::EndpointSlice => Object::EndpointSlice(EndpointSlice {
                namespace,
                name,
                service: ["a", "b"][usize::from(other % 2)].to_owned(),
                endpoints: addresses(&ways).map(endpoint).collect(),
                ports: Vec::new(),
                triggered: None,
            }),
            Kind::DnsEndpoint => {
                let addresses: Vec<_> = addresses(&ways).collect();
                let targets = [
                    DnsTargets::Addresses(addresses),
                    DnsTargets::Names(vec!["lb9.test".to_owned()]),
                    DnsTargets::Texts(vec![format!("text of {name}")]),
                ];
                let targets = &targets[usize::from(other % 3)];
                let entry = |host| DnsEntry { host, targets: targets.clone() };
                let entries = hosts.into_iter().map(entry).collect();
                Object::DnsEndpoint(DnsEndpoint { namespace, name, entries })
            }
            Kind::Node => {
                let internal = addresses(&ways).collect();
                let external = vec![IpAddr::from([203, 0, 113, other])];
                Object::Node(Node { name, hosts, internal, external })
            }
            _ => {
                let parents = ["a", "b", "c"][..usize::from(other % 4)].iter();
                let parent =
                    |name: &&str| Parent { namespace: "shop".into(), name: (*name).into() };
                let parents = parents.map(parent).collect();
                Object::HttpRoute(Route { namespace, name, hostnames: hosts, parents })
            }
        }
    }

    fn addresses(ways: &[Ingress]) -> impl Iterator<Item = IpAddr> {
        ways.iter().filter_map(|way| match way {
            Ingress::Address(address) => Some(*address),
            Ingress::Hostname(_) => None,
        })
    }

    fn endpoint(address: IpAddr) -> Endpoint {
        Endpoint { addresses: vec![address], hostname: None, pod: None, zone: None }
    }

    const KINDS: [Kind; 7] = [
        Kind::Ingress,
        Kind::Gateway,
        Kind::Service,
        Kind::HttpRoute,
        Kind::EndpointSlice,
        Kind::DnsEndpoint,
        Kind::Node,
    ];

    fn any_object() -> impl Strategy<Value = Object> {
        let hosts_of = prop::collection::vec(0..HOSTS.len(), 0..3);
        let ways = prop::collection::vec(0..8u8, 0..3);
        (0..KINDS.len(), 0..3usize, hosts_of, ways, 0..4u8).prop_map(
            |(kind, name, names, ways, other)| {
                let ways = ways.into_iter().map(way).collect();
                object(KINDS[kind], ["a", "b", "c"][name], hosts(&names), ways, other)
            },
        )
    }

    fn model() -> Model {
        let mut model = Model::new(KINDS.into_iter().collect::<Kinds>()).of_gateways();
        model.apply(
            KINDS.into_iter().flat_map(|kind| [Event::RelistBegin(kind), Event::RelistEnd(kind)]),
            1,
        );
        model
    }

    fn views() -> [View; 2] {
        let mut options = Options::new(vec!["example.com".parse().unwrap()]);
        options.resources =
            vec![Kind::HttpRoute, Kind::Ingress, Kind::Service, Kind::DnsEndpoint, Kind::Node];
        let mut choosy = options.clone();
        choosy.ingress_classes = Some(vec!["one".to_owned()]);
        choosy.gateway_classes = Some(vec!["two".to_owned()]);
        choosy.node_addresses = NodeAddresses::External;
        choosy.resources.rotate_left(3);
        [options, choosy].map(|options| View::new(options).unwrap())
    }

    fn ask(view: &View, model: &Model, name: &str, rtype: RecordType) -> (Found, Vec<String>) {
        let name: NameBuf = name.parse().unwrap();
        let mut reply = Reply::default();
        let question = Question::new(name.as_name(), rtype);
        let found = view.answer(model.cluster(), &question, &mut reply);
        let body = &reply.body;
        let text = |record| format!("{:?}", body.rdata(record));
        (found, body.answer.iter().chain(&body.additional).map(text).collect())
    }

    /// All that can be seen of a model.
    fn answers(model: &Model) -> Vec<(Found, Vec<String>)> {
        let names = [
            "example.com",
            "a.example.com",
            "b.a.example.com",
            "c.b.a.example.com",
            "q.example.com",
            "z.example.com",
            "y.z.example.com",
            "short.example.com",
            "a.shop.example.com",
            "shop.example.com",
            "b.shop.example.com",
        ];
        let mut answers = Vec::new();
        for view in views() {
            for name in names {
                for rtype in [RecordType::A, RecordType::AAAA, RecordType::NS, RecordType::TXT] {
                    answers.push(ask(&view, model, name, rtype));
                }
            }
        }
        answers
    }

    proptest! {
        // A model is a large thing to make.
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_order_of_events_is_as_a_fresh_list(
            batches in prop::collection::vec(
                prop::collection::vec((any_object(), prop::sample::select(vec![0, 0, 0, 1, 2])), 1..6),
                1..8,
            ),
        ) {
            let mut model = model();
            let mut now = HashMap::new();
            for batch in batches {
                let mut events = Vec::new();
                for (object, what) in batch {
                    let key = object.key();
                    match what {
                        0 => {
                            now.insert(key, object.clone());
                            events.push(Event::Apply(object));
                        }
                        1 => {
                            now.remove(&key);
                            events.push(Event::Delete(key));
                        }
                        // A relist of a kind that does not tell this object any more.
                        _ => {
                            now.remove(&key);
                            events.push(Event::RelistBegin(key.kind));
                            let of_kind = now.values().filter(|it: &&Object| it.key().kind == key.kind);
                            events.extend(of_kind.cloned().map(Event::Apply));
                            events.push(Event::RelistEnd(key.kind));
                        }
                    }
                }
                model.apply(events, 2);
            }
            let mut fresh = self::model();
            fresh.apply(now.values().cloned().map(Event::Apply), 2);
            prop_assert_eq!(answers(&model), answers(&fresh));
            model.apply(now.into_keys().map(Event::Delete), 3);
            prop_assert_eq!(model.cluster().hosts.len(), 0);
        }
    }

    /// A model with these objects, and what is found at a name.
    fn found(objects: &[Object], name: &str) -> (Found, usize) {
        let mut model = model();
        model.apply(objects.iter().cloned().map(Event::Apply), 1);
        let (found, records) = ask(&views()[0], &model, name, RecordType::A);
        (found, records.len())
    }

    #[test]
    fn the_first_kind_that_says_something_answers() {
        let ingress = |ways| object(Kind::Ingress, "i", hosts(&[0]), ways, 0);
        let service = object(Kind::Service, "s", hosts(&[0]), vec![way(1), way(2), way(3)], 1);
        let one = [ingress(vec![way(0)]), service.clone()];
        assert_eq!(found(&one, "a.example.com"), (Found::Answer, 1));
        // An address of the other family is something; nothing at all is not.
        let other = [ingress(vec![way(4)]), service.clone()];
        assert_eq!(found(&other, "a.example.com"), (Found::NoData, 0));
        let waits = [ingress(Vec::new()), service];
        assert_eq!(found(&waits, "a.example.com"), (Found::Answer, 3));
        assert_eq!(found(&waits[..1], "a.example.com"), (Found::Empty, 0));
    }

    #[test]
    fn objects_of_one_kind_answer_together() {
        let ingress = |name, ways, other| object(Kind::Ingress, name, hosts(&[0]), ways, other);
        let both = [
            ingress("i", vec![way(0), way(1)], 0),
            // Of another class, and with an address that the first has too.
            ingress("j", vec![way(1), way(2), way(7)], 1),
        ];
        assert_eq!(found(&both, "a.example.com"), (Found::Answer, 3));
    }

    #[test]
    fn name_servers_come_with_each_address_once() {
        let mut options = Options::new(vec!["example.com".parse().unwrap()]);
        options.servers = vec!["a".to_owned(), "a".to_owned()];
        let view = View::new(options).unwrap();
        let mut model = model();
        let ingress =
            |name, other| object(Kind::Ingress, name, hosts(&[0]), vec![way(0), way(4)], other);
        model.apply([ingress("i", 0), ingress("j", 1)].map(Event::Apply), 1);
        let (found, records) = ask(&view, &model, "example.com", RecordType::NS);
        assert_eq!((found, records.len()), (Found::Apex, 3));
        let at_apex = object(Kind::Ingress, "k", hosts(&[7]), vec![way(0)], 0);
        model.apply([Event::Apply(at_apex)], 2);
        for rtype in [RecordType::NS, RecordType::SOA] {
            assert_eq!(ask(&view, &model, "example.com", rtype).0, Found::Answer);
        }
    }

    #[test]
    fn names_above_exist() {
        let ingress = [object(Kind::Ingress, "i", hosts(&[4]), vec![way(0)], 0)];
        assert_eq!(found(&ingress, "z.example.com"), (Found::Empty, 0));
        assert_eq!(found(&ingress, "y.z.example.com"), (Found::Empty, 0));
        assert_eq!(found(&ingress, "z.z.example.com"), (Found::NoSuchName, 0));
        assert_eq!(found(&ingress, "y.x.y.z.example.com"), (Found::NoSuchName, 0));
        let service = [object(Kind::Service, "s", Vec::new(), vec![way(0)], 1)];
        assert_eq!(found(&service, "s.shop.example.com"), (Found::Answer, 1));
        assert_eq!(found(&service, "shop.example.com"), (Found::Empty, 0));
    }

    #[test]
    fn the_longest_wildcard_answers() {
        let ingress = |name, host, ways| object(Kind::Ingress, name, hosts(&[host]), ways, 0);
        let all = [
            ingress("i", 2, vec![way(0)]),
            ingress("j", 3, vec![way(1), way(2)]),
            ingress("k", 1, vec![way(1), way(2), way(3)]),
        ];
        for (name, count) in [("q", 1), ("q.r", 1), ("q.a", 2), ("r.q.a", 2), ("b.a", 3), ("a", 1)]
        {
            let name = format!("{name}.example.com");
            assert_eq!(found(&all, &name), (Found::Answer, count), "{name}");
        }
        assert_eq!(found(&all, "example.com"), (Found::Empty, 0));
    }

    #[test]
    fn a_route_is_where_its_gateways_are() {
        let gateway = |name, ways| object(Kind::Gateway, name, Vec::new(), ways, 0);
        let route = object(Kind::HttpRoute, "r", hosts(&[0]), Vec::new(), 2);
        let all = [route, gateway("a", vec![way(0)]), gateway("b", vec![way(1)])];
        assert_eq!(found(&all, "a.example.com"), (Found::Answer, 2));
        assert_eq!(found(&all[..2], "a.example.com"), (Found::Answer, 1));
        assert_eq!(found(&all[..1], "a.example.com"), (Found::NoSuchName, 0));
    }

    #[test]
    fn a_service_may_be_where_its_endpoints_are() {
        let slice = |name, service, ways| object(Kind::EndpointSlice, name, vec![], ways, service);
        let one = slice("a-x1", 0, vec![way(0), way(4)]);
        let other = slice("a-x2", 0, vec![way(0), way(1)]);
        let foreign = slice("b-x1", 1, vec![way(2)]);
        // Of type ClusterIP, and of type LoadBalancer, whose addresses do not count then.
        for of_type in [2, 3] {
            let service = object(Kind::Service, "a", hosts(&[0]), vec![way(3)], of_type);
            let all = [service, one.clone(), other.clone(), foreign.clone()];
            assert_eq!(found(&all, "a.example.com"), (Found::Answer, 2));
            assert_eq!(found(&all[..1], "a.example.com"), (Found::Empty, 0));
        }
        let plain = [object(Kind::Service, "a", hosts(&[0]), vec![way(3)], 1), one];
        assert_eq!(found(&plain, "a.example.com"), (Found::Answer, 1));
    }

    #[test]
    fn records_of_a_dns_endpoint_are_those_of_its_name_alone() {
        let entry = |host: &str, targets| DnsEntry { host: host.to_owned(), targets };
        let address = |number| DnsTargets::Addresses(vec![IpAddr::from([192, 0, 2, number])]);
        let texts = DnsTargets::Texts(vec!["v=1".to_owned(), "x".repeat(300)]);
        let object = Object::DnsEndpoint(DnsEndpoint {
            namespace: "shop".to_owned(),
            name: "more".to_owned(),
            entries: vec![
                entry("A.example.com", address(1)),
                entry("a.example.com", address(2)),
                entry("a.example.com", texts.clone()),
                entry("b.example.com", address(3)),
                entry("c.example.com", DnsTargets::Names(vec!["lb.test".to_owned()])),
                entry("t.example.com", texts),
                entry("a..b", address(4)),
            ],
        });
        let mut model = model();
        model.apply([Event::Apply(object)], 1);
        let found = |name, rtype| {
            let (found, records) = ask(&views()[0], &model, name, rtype);
            (found, records.len())
        };
        assert_eq!(found("a.example.com", RecordType::A), (Found::Answer, 2));
        assert_eq!(found("a.example.com", RecordType::TXT), (Found::Answer, 2));
        assert_eq!(found("a.example.com", RecordType::AAAA), (Found::NoData, 0));
        assert_eq!(found("b.example.com", RecordType::A), (Found::Answer, 1));
        assert_eq!(found("b.example.com", RecordType::TXT), (Found::NoData, 0));
        assert_eq!(found("c.example.com", RecordType::A), (Found::Elsewhere, 1));
        assert_eq!(found("t.example.com", RecordType::A), (Found::NoData, 0));
        assert_eq!(found("d.example.com", RecordType::A), (Found::NoSuchName, 0));
    }

    #[test]
    fn a_node_shows_addresses_of_one_type() {
        let mut model = model();
        let node = object(Kind::Node, "a", hosts(&[0]), vec![way(0), way(1), way(4)], 9);
        model.apply([Event::Apply(node)], 1);
        let [internal, external] = views();
        let (found, records) = ask(&internal, &model, "a.example.com", RecordType::A);
        assert_eq!((found, records.len()), (Found::Answer, 2));
        let (found, records) = ask(&external, &model, "a.example.com", RecordType::A);
        assert_eq!((found, records), (Found::Answer, vec!["[203, 0, 113, 9]".to_owned()]));
        let (found, _) = ask(&external, &model, "a.example.com", RecordType::AAAA);
        assert_eq!(found, Found::NoData);
    }

    #[test]
    fn a_route_that_is_told_in_two_versions_is_one() {
        let Object::HttpRoute(route) = object(Kind::HttpRoute, "r", hosts(&[0]), Vec::new(), 1)
        else {
            panic!("a route is no route");
        };
        let gateway = object(Kind::Gateway, "a", Vec::new(), vec![way(0)], 0);
        let mut options = Options::new(vec!["example.com".parse().unwrap()]);
        options.resources = vec![Kind::TlsRoute];
        let view = View::new(options).unwrap();
        let versions = [Object::TlsRoute(route.clone()), Object::OldTlsRoute(route)];
        for told in [&versions[..], &versions[..1], &versions[1..]] {
            let mut model = model();
            model.apply(told.iter().chain([&gateway]).cloned().map(Event::Apply), 1);
            let (found, records) = ask(&view, &model, "a.example.com", RecordType::A);
            assert_eq!((found, records.len()), (Found::Answer, 1));
        }
    }

    #[test]
    fn load_balancers_with_names_are_aliases() {
        let ingress = |host, ways| object(Kind::Ingress, "i", hosts(&[host]), ways, 0);
        assert_eq!(
            found(&[ingress(0, vec![way(7), way(6)])], "a.example.com"),
            (Found::Elsewhere, 1)
        );
        assert_eq!(found(&[ingress(0, vec![way(7), way(4)])], "a.example.com"), (Found::NoData, 0));
        assert_eq!(found(&[ingress(7, vec![way(7)])], "example.com"), (Found::NoData, 0));
        let odd = Ingress::Hostname("192.0.2.9".to_owned());
        assert_eq!(found(&[ingress(0, vec![odd])], "a.example.com"), (Found::Answer, 1));
    }

    #[test]
    fn the_serial_moves_with_answers_alone() {
        let mut model = model();
        let gateway = |class, ways| object(Kind::Gateway, "a", Vec::new(), ways, class);
        let route = object(Kind::HttpRoute, "r", hosts(&[0]), Vec::new(), 1);
        let mut moves = |now, object: Object| {
            model.apply([Event::Apply(object)], now);
            model.cluster().serial() == now
        };
        assert!(!moves(2, gateway(0, vec![way(0)])));
        assert!(moves(3, route.clone()));
        assert!(!moves(4, route));
        assert!(!moves(5, gateway(0, vec![way(0)])));
        assert!(moves(6, gateway(0, vec![way(1)])));
    }

    #[test]
    fn nothing_is_said_before_everything_is_known() {
        let mut model = Model::new(KINDS.into_iter().collect()).of_gateways();
        let ingress = object(Kind::Ingress, "i", hosts(&[0]), vec![way(0)], 0);
        model.apply(
            [
                Event::RelistBegin(Kind::Ingress),
                Event::Apply(ingress),
                Event::RelistEnd(Kind::Ingress),
            ],
            1,
        );
        assert_eq!(ask(&views()[0], &model, "a.example.com", RecordType::A).0, Found::NotSynced);
    }
}
