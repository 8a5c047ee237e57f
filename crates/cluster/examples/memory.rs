//! What a cluster costs: octets a service, time to load it, time to change and to ask.
//!
//! `cargo run --release -p cluster --example memory -- [SERVICES] [ENDPOINTS]`
//!
//! With `large` instead: 5,000 services, 100,000 endpoints in 2,000 slices, 50,000 pods, and what their
//! relist takes at most.
//!
//! Each service has one EndpointSlice with as many endpoints, as controllers write them: with pod
//! names and two ports. Memory is the growth of the process's proportional set, from
//! `/proc/self/smaps_rollup`, so it holds what the allocator wastes as well.
#![expect(clippy::disallowed_methods, reason = "a measurement has no clock but the real one")]
#![expect(clippy::print_stdout, reason = "what an example is for")]
#![expect(clippy::unwrap_used, reason = "an example may panic")]

use cluster::{
    Details, Endpoint, EndpointSlice, Event, Exposure, Kind, Kinds, Model, Namespace, Object,
    Options, Pod, Port, Service, Target, View,
};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;
use wire::{NameBuf, Question, RecordType, Reply};

/// Services of one namespace.
const NAMESPACE_LEN: usize = 50;
/// Objects of one page of a list.
const PAGE_LEN: usize = 500;

fn main() {
    // In a process of its own, as what another model gives back would be used again unseen.
    if std::env::args().nth(1).as_deref() == Some("large") {
        return large();
    }
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().unwrap());
    let services: usize = arguments.next().unwrap_or(10_000);
    let endpoints: usize = arguments.next().unwrap_or(3);

    let kinds = Kinds::none().with(Kind::Namespace).with(Kind::Service).with(Kind::EndpointSlice);
    let before = memory();
    let begun = Instant::now();
    let mut model = Model::new(kinds);
    load(&mut model, services, endpoints);
    let took = begun.elapsed();
    let used = memory() - before;
    println!("{services} services with {endpoints} endpoints each");
    println!("  {used} octets, {} a service", used / services);
    println!("  loaded in {took:?}");

    let begun = Instant::now();
    load(&mut model, services, endpoints);
    println!("  listed again in {:?}, then {} octets", begun.elapsed(), memory() - before);

    let changes = 10_000;
    let begun = Instant::now();
    for change in 0..changes {
        let index = change * 7919 % services;
        let slice = slice(index, endpoints, change + 1);
        assert_eq!(model.apply([Event::Apply(slice)], 2).services, 1);
    }
    println!(
        "  a change in {:?}, then {} octets",
        begun.elapsed() / changes as u32,
        memory() - before
    );

    ask(&model, services);
}

/// A large cluster with `pods verified`, listed twice.
fn large() {
    const SERVICES: usize = 5_000;
    const SLICES: usize = 2_000;
    const PODS: usize = 50_000;
    let before = memory();
    let mut model = Model::new(Kinds::all()).keeping(Details::default());
    let mut steady = 0;
    for what in ["loaded", "listed again"] {
        let mut peak = 0;
        let mut look = || peak = peak.max(memory() - before);
        let namespaces = (0..SERVICES / NAMESPACE_LEN)
            .map(|index| Object::Namespace(Namespace { name: format!("team-{index}") }));
        list_watched(&mut model, Kind::Namespace, namespaces, &mut look);
        list_watched(&mut model, Kind::Service, (0..SERVICES).map(service), &mut look);
        let slices = (0..SLICES).map(|index| slice(index, 50, 0));
        list_watched(&mut model, Kind::EndpointSlice, slices, &mut look);
        list_watched(&mut model, Kind::Pod, (0..PODS).map(pod), &mut look);
        let now = memory() - before;
        println!("large cluster {what}: {now} octets, {peak} at most");
        if steady > 0 {
            println!("  {:.2} of what it was before", peak as f64 / steady as f64);
        }
        steady = now;
    }
}

fn pod(index: usize) -> Object {
    let namespace = format!("team-{}", index % (5_000 / NAMESPACE_LEN));
    let name = format!("some-service-{}-6b7f8d9c4-x{index:04}", index / 10);
    let (address, started) = (address(0x0b00_0000, index), None);
    Object::Pod(Pod { namespace, name, address, started, shares_node: false })
}

fn load(model: &mut Model, services: usize, endpoints: usize) {
    let namespaces = (0..services.div_ceil(NAMESPACE_LEN))
        .map(|index| Object::Namespace(Namespace { name: format!("team-{index}") }));
    list(model, Kind::Namespace, namespaces);
    list(model, Kind::Service, (0..services).map(service));
    list(model, Kind::EndpointSlice, (0..services).map(|index| slice(index, endpoints, 0)));
}

fn list(model: &mut Model, kind: Kind, objects: impl Iterator<Item = Object>) {
    list_watched(model, kind, objects, &mut || {});
}

/// Lists page by page, and looks at each.
fn list_watched(
    model: &mut Model,
    kind: Kind,
    objects: impl Iterator<Item = Object>,
    look: &mut dyn FnMut(),
) {
    let mut objects = objects.map(Event::Apply).peekable();
    model.apply([Event::RelistBegin(kind)], 1);
    while objects.peek().is_some() {
        model.apply_page(objects.by_ref().take(PAGE_LEN), 1);
        look();
    }
    model.apply([Event::RelistEnd(kind)], 1);
}

fn names(index: usize) -> (String, String) {
    (format!("team-{}", index / NAMESPACE_LEN), format!("some-service-{index}"))
}

fn ports(number: u16) -> Vec<Port> {
    let port = |name: &str, number| Port {
        name: name.to_owned(),
        protocol: "TCP".to_owned(),
        number: Some(number),
    };
    vec![port("http", number), port("metrics", 9090)]
}

fn address(base: u32, index: usize) -> IpAddr {
    Ipv4Addr::from_bits(base + index as u32).into()
}

fn service(index: usize) -> Object {
    let (namespace, name) = names(index);
    let target = Target::ClusterIps(vec![address(0x0a60_0000, index)]);
    Object::Service(Service {
        namespace,
        name,
        target,
        ports: ports(80),
        exposure: Exposure::default(),
    })
}

fn slice(index: usize, endpoints: usize, change: usize) -> Object {
    let (namespace, service) = names(index);
    let endpoint = |number: usize| Endpoint {
        addresses: vec![address(0x0b00_0000, (index + change) * endpoints + number)],
        hostname: None,
        pod: Some(format!("{service}-6b7f8d9c4-x{number:04}")),
        zone: None,
    };
    Object::EndpointSlice(EndpointSlice {
        name: format!("{service}-x7k2p"),
        endpoints: (0..endpoints).map(endpoint).collect(),
        namespace,
        service,
        ports: ports(8080),
        triggered: None,
    })
}

fn ask(model: &Model, services: usize) {
    let view = View::new(Options::new(vec!["cluster.local".parse().unwrap()])).unwrap();
    let question = |prefix: &str, index: usize| {
        let (namespace, service) = names(index * 7919 % services);
        let name: NameBuf =
            format!("{prefix}{service}.{namespace}.svc.cluster.local").parse().unwrap();
        Question::new(name.as_name(), RecordType::A)
    };
    let mut reply = Reply::default();
    for (what, prefix) in [("there", ""), ("not there", "no-")] {
        let questions: Vec<_> = (0..services).map(|index| question(prefix, index)).collect();
        let mut best = f64::MAX;
        for _ in 0..9 {
            let begun = Instant::now();
            for question in &questions {
                reply.clear();
                black_box(model.cluster().answer(&view, question, &mut reply));
            }
            best = best.min(begun.elapsed().as_nanos() as f64 / services as f64);
        }
        println!("  an answer for a name that is {what} in {best:.0} ns");
    }
}

/// The proportional set of this process in octets.
fn memory() -> usize {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse::<usize>().unwrap() * 1024
}
