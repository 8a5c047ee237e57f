//! Zones that are handed over whole.

use crate::common::{all_kinds, ask, cluster, events, lines, options, view};
use cluster::{
    Cluster, Endpoint, EndpointSlice, Event, Model, Object, Options, Port, View, ZoneCopy,
};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use wire::{Body, NameBuf, Reply};

const SHOP: &str = include_str!("shop.yaml");

fn copy(cluster: &Cluster, view: &Arc<View>, apex: &str) -> Option<ZoneCopy> {
    let apex: NameBuf = apex.parse().unwrap();
    cluster.copy_zone(view, apex.as_name())
}

/// Everything but the SOA record, as lines.
fn rest(mut zone: ZoneCopy) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let mut reply = Reply::default();
        let goes_on = zone.push_some(&mut reply.body);
        assert!(!reply.body.overflowed() && reply.body.len() < 1_000, "{}", reply.body.len());
        assert!(!goes_on || !reply.body.is_empty(), "no progress");
        all.extend(lines(&reply));
        if !goes_on {
            return all;
        }
    }
}

fn zone(cluster: &Cluster, options: Options) -> Vec<String> {
    let mut all = rest(copy(cluster, &Arc::new(view(options)), "cluster.local").unwrap());
    all.sort();
    all
}

#[test]
fn a_zone_has_what_coredns_hands_over() {
    let cluster = cluster(SHOP);
    let all = zone(&cluster, options());
    let of = |service: &str| -> Vec<&str> {
        let suffix = format!("{service}.svc.cluster.local. ");
        let lines = all.iter().filter(|line| {
            let owner = &line[..=line.find(' ').unwrap()];
            owner == suffix || owner.ends_with(&format!(".{suffix}"))
        });
        lines.map(String::as_str).collect()
    };
    assert_eq!(
        of("web.shop"),
        [
            "_http._tcp.web.shop.svc.cluster.local. 5 SRV 0 100 80 web.shop.svc.cluster.local.",
            "_https._tcp.web.shop.svc.cluster.local. 5 SRV 0 100 443 web.shop.svc.cluster.local.",
            "web.shop.svc.cluster.local. 5 A 10.96.10.1",
            "web.shop.svc.cluster.local. 5 SRV 0 50 443 web.shop.svc.cluster.local.",
            "web.shop.svc.cluster.local. 5 SRV 0 50 80 web.shop.svc.cluster.local.",
        ]
    );
    // Two endpoints with one name, and one of them in two slices.
    assert_eq!(
        of("twin.shop"),
        [
            "_x._tcp.twin.shop.svc.cluster.local. 5 SRV 0 33 1 t.twin.shop.svc.cluster.local.",
            "t.twin.shop.svc.cluster.local. 5 A 172.20.6.1",
            "t.twin.shop.svc.cluster.local. 5 A 172.20.6.2",
            "twin.shop.svc.cluster.local. 5 A 172.20.6.1",
            "twin.shop.svc.cluster.local. 5 A 172.20.6.2",
        ]
    );
    assert_eq!(of("ext.shop"), ["ext.shop.svc.cluster.local. 5 CNAME www.outside.test."]);
    for nothing in ["extip.shop", "pending.shop", "down.shop", "void.shop", "gone.shop"] {
        assert!(of(nothing).is_empty(), "{nothing}: {all:#?}");
    }
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "a record comes twice");
}

/// A secondary answers as this server does.
#[test]
fn what_is_handed_over_is_what_is_answered() {
    let cluster = cluster(SHOP);
    let own_addresses = vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
    for options in [
        options(),
        Options { own_addresses, ..options() },
        Options { own_addresses: vec!["172.20.1.12".parse().unwrap()], ..options() },
        Options { own_addresses: vec!["172.20.2.1".parse().unwrap()], ..options() },
        Options { endpoint_pod_names: true, ttl: 30, ..options() },
        Options { endpoints: false, ..options() },
        Options { ignore_empty_services: true, ..options() },
        Options { namespaces: Some(vec!["other".into()]), ..options() },
    ] {
        let view = view(options.clone());
        let all = zone(&cluster, options);
        let mut sets = BTreeSet::new();
        for line in &all {
            let words: Vec<_> = line.split(' ').collect();
            sets.insert((words[0].to_owned(), words[2].to_owned()));
        }
        let mut answered: Vec<_> = sets
            .iter()
            .flat_map(|(owner, rtype)| ask(&cluster, &view, &format!("{owner} {rtype}")).1)
            .filter(|line| !line.starts_with('+'))
            .collect();
        answered.sort();
        assert_eq!(all, answered);
        assert!(!all.is_empty());
    }
}

#[test]
fn name_servers_come_with_addresses_that_nothing_else_brings() {
    let cluster = cluster(SHOP);
    let own = |address: &str| {
        let own_addresses = vec![address.parse().unwrap()];
        let all = zone(&cluster, Options { own_addresses, ..options() });
        let is_about = |line: &&String| line.contains(" NS ") || line.starts_with("ns.dns.");
        all.iter().filter(is_about).cloned().collect::<Vec<_>>()
    };
    assert_eq!(
        own("192.0.2.1"),
        ["cluster.local. 5 NS ns.dns.cluster.local.", "ns.dns.cluster.local. 5 A 192.0.2.1"]
    );
    assert_eq!(own("172.20.1.12"), ["cluster.local. 5 NS web.shop.svc.cluster.local."]);
}

#[test]
fn only_the_apex_of_a_forward_zone_is_a_zone() {
    let cluster = cluster(SHOP);
    let view = Arc::new(view(options()));
    for name in ["svc.cluster.local", "local", "in-addr.arpa", "example.org", "."] {
        assert!(copy(&cluster, &view, name).is_none(), "{name}");
    }
}

#[test]
fn a_zone_stays_as_it_was() {
    let mut model = Model::new(all_kinds());
    model.apply(events(SHOP), 1_700_000_000);
    let cluster = model.cluster().clone();
    let view = Arc::new(view(options()));
    let before = rest(copy(&cluster, &view, "cluster.local").unwrap());
    let zone = copy(&cluster, &view, "cluster.local").unwrap();
    let new = "apiVersion: v1\nkind: Service\nmetadata: {name: new, namespace: shop}\nspec: {clusterIP: 10.96.30.1}";
    let is_object = |event: &Event| matches!(event, Event::Apply(_));
    model.apply(events(new).into_iter().filter(is_object), 1_700_000_001);
    assert_eq!((zone.serial(), cluster.serial()), (1_700_000_000, 1_700_000_001));
    let mut soa = Reply::default();
    zone.push_soa(&mut soa.body);
    assert!(lines(&soa)[0].contains(" 1700000000 7200 1800 86400 5"), "{:?}", lines(&soa));
    assert_eq!(rest(zone), before);
    let after = rest(copy(&cluster, &view, "cluster.local").unwrap());
    assert_eq!(after.len(), before.len() + 1);
}

/// More records than any answer holds.
#[test]
fn a_large_service_comes_whole() {
    let mut model = Model::new(all_kinds());
    let ports = || {
        let port = |name: &str, number| Port {
            name: name.into(),
            protocol: "TCP".into(),
            number: Some(number),
        };
        vec![port("a", 1), port("b", 2), port("", 3)]
    };
    let slices = (0..10u32).map(|slice| {
        let endpoint = |number: u32| Endpoint {
            addresses: vec![IpAddr::from(Ipv4Addr::from_bits(0x0a00_0000 + slice * 1000 + number))],
            hostname: None,
            pod: None,
            zone: None,
        };
        Event::Apply(Object::EndpointSlice(EndpointSlice {
            namespace: "shop".into(),
            name: format!("s{slice}"),
            service: "large".into(),
            endpoints: (0..1000).map(endpoint).collect(),
            ports: ports(),
            triggered: None,
        }))
    });
    let rest_of_it = events(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n\
         apiVersion: v1\nkind: Service\nmetadata: {name: large, namespace: shop}\nspec: {clusterIP: None}",
    );
    model.apply(rest_of_it.into_iter().chain(slices), 1);
    let all = zone(model.cluster(), options());
    assert_eq!(all.len(), 10_000 * 4);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    let mut body = Body::new();
    let mut zone = copy(model.cluster(), &Arc::new(view(options())), "cluster.local").unwrap();
    assert!(zone.push_some(&mut body));
    assert!(body.memory() < 128 << 10, "{}", body.memory());
}
