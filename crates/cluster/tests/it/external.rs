//! Services as they are seen outside of the cluster.

use crate::common::{all_kinds, cluster, lines, options, view};
use cluster::{Cluster, ExternalOptions, ExternalView, Found, Model, View};
use std::collections::BTreeSet;
use wire::{NameBuf, Question, Reply};

const SHOP: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: LoadBalancer
  clusterIP: 10.96.10.1
  externalIPs: [203.0.113.7]
  ports: [{name: http, port: 80}, {name: https, port: 443}]
status: {loadBalancer: {ingress: [{ip: 203.0.113.8}, {ip: "2001:db8::8"}, {ip: 203.0.113.7}]}}
---
apiVersion: v1
kind: Service
metadata: {name: alias, namespace: shop}
spec: {type: LoadBalancer, clusterIP: 10.96.10.2, ports: [{name: https, port: 443}]}
status: {loadBalancer: {ingress: [{hostname: lb.example.net}, {hostname: other.example.net}]}}
---
apiVersion: v1
kind: Service
metadata: {name: mixed, namespace: shop}
spec: {type: LoadBalancer, clusterIP: 10.96.10.3, externalIPs: [203.0.113.7]}
status: {loadBalancer: {ingress: [{hostname: lb.example.net}]}}
---
apiVersion: v1
kind: Service
metadata: {name: inside, namespace: shop}
spec: {clusterIP: 10.96.10.4, ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: inside-1, namespace: shop, labels: {kubernetes.io/service-name: inside}}
addressType: IPv4
endpoints: [{addresses: [172.20.1.1], hostname: pod}]
ports: [{name: http, port: 80, protocol: TCP}]
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, ports: [{name: pg, port: 5432}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
endpoints: [{addresses: [172.20.2.1], hostname: db-0}, {addresses: [172.20.2.2]}]
ports: [{name: pg, port: 5432, protocol: TCP}]
---
apiVersion: v1
kind: Service
metadata: {name: orphan, namespace: nowhere}
spec: {externalIPs: [203.0.113.7], ports: [{port: 80}]}
"#;

const ZONES: [&str; 3] = ["example.org", "113.0.203.in-addr.arpa", "ip6.arpa"];

fn names(texts: &[&str]) -> Vec<NameBuf> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn outside(headless: bool, inside: &View) -> ExternalView {
    let options = ExternalOptions { headless, ..ExternalOptions::new(names(&ZONES)) };
    ExternalView::new(&options, inside).unwrap()
}

/// Asks `NAME TYPE`; what was found, and the records as lines.
fn ask(cluster: &Cluster, view: &ExternalView, question: &str) -> (Found, Vec<String>) {
    let (name, rtype) = question.split_once(' ').unwrap();
    let question =
        Question::new(name.parse::<NameBuf>().unwrap().as_name(), rtype.parse().unwrap());
    let mut reply = Reply::default();
    let found = cluster.answer_external(view, &question, &mut reply);
    let positive = matches!(found, Found::Answer | Found::Elsewhere);
    assert_eq!(positive, !reply.body.is_empty(), "{name} {rtype}: {found:?}");
    (found, lines(&reply))
}

/// Checks a table of questions and what is expected behind `=`: records without their TTL of 5,
/// separated by `;`, in which `~` stands for the name, or a kind of denial.
fn check(cluster: &Cluster, view: &ExternalView, table: &str) {
    for row in table.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let (question, expected) = row.split_once('=').unwrap();
        let (found, lines) = ask(cluster, view, question.trim());
        let got = match found {
            Found::Answer | Found::Elsewhere => lines.join("; ").replace(" 5 ", " "),
            denial => format!("{denial:?}"),
        };
        let owner = format!("{}.", question.split_once(' ').unwrap().0);
        assert_eq!(got, expected.trim().replace('~', &owner), "{question}");
    }
}

/// All that a transfer would give, as lines.
fn visited(cluster: &Cluster, view: &ExternalView) -> Vec<String> {
    let mut lines = Vec::new();
    for zone in names(&[&ZONES[..], &["sub.shop.example.org", "203.in-addr.arpa"]].concat()) {
        cluster.visit_external(view, zone.as_name(), &mut |record| {
            let mut reply = Reply::default();
            let (rtype, rdata) = (record.rtype, record.rdata);
            reply.body.push(wire::Section::Answer, record.owner, record.ttl, rtype, rdata);
            lines.extend(crate::common::lines(&reply));
        });
    }
    lines.sort();
    lines
}

/// Everything that is seen outside; fails where a transfer and answers are not of one mind.
pub(crate) fn everything(cluster: &Cluster, inside: &View) -> Vec<String> {
    let mut all = Vec::new();
    for headless in [false, true] {
        let view = outside(headless, inside);
        let visited = visited(cluster, &view);
        assert_eq!(visited.iter().collect::<BTreeSet<_>>().len(), visited.len(), "{visited:?}");
        for line in &visited {
            let mut words = line.split(' ');
            let (owner, rtype) = (words.next().unwrap(), words.nth(1).unwrap());
            let (found, answer) = ask(cluster, &view, &format!("{owner} {rtype}"));
            assert!(found == Found::Answer && answer.contains(line), "{line}: {answer:?}");
            let at_name = visited.iter().filter(|it| it.starts_with(&format!("{owner} ")));
            assert!(rtype != "CNAME" || at_name.count() == 1, "{line}");
        }
        all.extend(visited);
        for namespace in ["a", "b"] {
            for service in ["x", "y"] {
                for below in ["", "h.", "10-0-0-1.", "_p._tcp.", "_p._udp.", "_tcp."] {
                    let name = format!("{below}{service}.{namespace}.example.org");
                    let answers = ["A", "AAAA", "SRV", "CNAME", "MX"]
                        .map(|rtype| ask(cluster, &view, &format!("{name} {rtype}")));
                    let denied =
                        answers.iter().filter(|(found, _)| *found == Found::NoSuchName).count();
                    assert!(denied == 0 || denied == answers.len(), "{name}: {answers:?}");
                    all.push(format!("{name} {answers:?}"));
                }
            }
        }
    }
    all
}

#[test]
fn services_with_addresses() {
    let (cluster, view) = (cluster(SHOP), outside(false, &view(options())));
    check(
        &cluster,
        &view,
        "
        web.shop.example.org A = ~ A 203.0.113.7; ~ A 203.0.113.8
        web.shop.example.org AAAA = ~ AAAA 2001:db8::8
        web.shop.example.org CNAME = NoData
        web.shop.example.org MX = NoData
        Web.Shop.Example.ORG MX = NoData
        any.web.shop.example.org AAAA = ~ AAAA 2001:db8::8
        _https._tcp.web.shop.example.org SRV = ~ SRV 0 33 443 web.shop.example.org.; + web.shop.example.org. A 203.0.113.7; + web.shop.example.org. A 203.0.113.8; + web.shop.example.org. AAAA 2001:db8::8
        https.tcp.web.shop.example.org AAAA = ~ AAAA 2001:db8::8
        _https._udp.web.shop.example.org SRV = NoSuchName
        _nosuch._tcp.web.shop.example.org A = NoSuchName
        a._https._tcp.web.shop.example.org A = NoSuchName
        inside.shop.example.org A = NoSuchName
        pod.inside.shop.example.org A = NoSuchName
        db.shop.example.org A = NoSuchName
        nosuch.shop.example.org A = NoSuchName
        shop.example.org A = NoData
        nowhere.example.org A = NoSuchName
        orphan.nowhere.example.org A = NoSuchName
        example.org A = NoData
        example.com A = NotHere
        example.org AXFR = Refused
        ",
    );
}

#[test]
fn services_with_the_name_of_a_load_balancer() {
    let (cluster, view) = (cluster(SHOP), outside(false, &view(options())));
    check(
        &cluster,
        &view,
        "
        alias.shop.example.org A = ~ CNAME lb.example.net.
        alias.shop.example.org CNAME = ~ CNAME lb.example.net.
        alias.shop.example.org SRV = ~ SRV 0 100 443 lb.example.net.
        _https._tcp.alias.shop.example.org SRV = ~ SRV 0 100 443 lb.example.net.
        _https._tcp.alias.shop.example.org A = NoData
        mixed.shop.example.org A = ~ A 203.0.113.7
        mixed.shop.example.org CNAME = NoData
        mixed.shop.example.org SRV = NoData
        ",
    );
    let elsewhere = ask(&cluster, &view, "alias.shop.example.org AAAA").0;
    assert_eq!(elsewhere, Found::Elsewhere);
}

#[test]
fn endpoints_with_headless() {
    let (cluster, view) = (cluster(SHOP), outside(true, &view(options())));
    check(
        &cluster,
        &view,
        "
        db.shop.example.org A = ~ A 172.20.2.1; ~ A 172.20.2.2
        db-0.db.shop.example.org A = ~ A 172.20.2.1
        172-20-2-2.db.shop.example.org A = ~ A 172.20.2.2
        _pg._tcp.db.shop.example.org SRV = ~ SRV 0 50 5432 172-20-2-2.db.shop.example.org.; ~ SRV 0 50 5432 db-0.db.shop.example.org.; + 172-20-2-2.db.shop.example.org. A 172.20.2.2; + db-0.db.shop.example.org. A 172.20.2.1
        _tcp.db.shop.example.org A = NoData
        nosuch.db.shop.example.org A = NoSuchName
        pod.inside.shop.example.org A = ~ A 172.20.1.1
        inside.shop.example.org A = NoSuchName
        _http._tcp.inside.shop.example.org SRV = NoSuchName
        _tcp.inside.shop.example.org A = NoSuchName
        ",
    );
}

#[test]
fn addresses_lead_back() {
    let (cluster, view) = (cluster(SHOP), outside(false, &view(options())));
    check(
        &cluster,
        &view,
        "
        7.113.0.203.in-addr.arpa PTR = ~ PTR mixed.shop.example.org.; ~ PTR web.shop.example.org.
        8.113.0.203.in-addr.arpa PTR = ~ PTR web.shop.example.org.
        8.113.0.203.in-addr.arpa A = NoData
        9.113.0.203.in-addr.arpa PTR = NoSuchName
        8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR = ~ PTR web.shop.example.org.
        ",
    );
}

#[test]
fn the_apex_and_its_name_server() {
    let mut inside = options();
    inside.own_addresses = names_of(&["192.0.2.1", "fd00::1"]);
    let options = ExternalOptions {
        apex: "meta".parse().unwrap(),
        ttl: 600,
        ..ExternalOptions::new(names(&ZONES))
    };
    let view = ExternalView::new(&options, &view(inside)).unwrap();
    let cluster = cluster(SHOP);
    let answer = |question: &str| ask(&cluster, &view, question).1.join("; ");
    assert_eq!(
        answer("example.org SOA"),
        "example.org. 600 SOA ns1.meta.example.org. hostmaster.meta.example.org. \
         1700000000 7200 1800 86400 600"
    );
    assert_eq!(
        answer("example.org NS"),
        "example.org. 600 NS ns1.meta.example.org.; + ns1.meta.example.org. 600 A 192.0.2.1; \
         + ns1.meta.example.org. 600 AAAA fd00::1"
    );
    assert_eq!(answer("ns1.meta.example.org A"), "ns1.meta.example.org. 600 A 192.0.2.1");
    let found = |question: &str| ask(&cluster, &view, question).0;
    assert_eq!(found("ns1.meta.example.org MX"), Found::NoData);
    assert_eq!(found("meta.example.org A"), Found::NoData);
    assert_eq!(found("ns2.meta.example.org A"), Found::NoSuchName);
    assert_eq!(found("a.ns1.meta.example.org A"), Found::NoSuchName);
    assert_eq!(found("dns.example.org A"), Found::NoSuchName);
}

fn names_of(addresses: &[&str]) -> Vec<std::net::IpAddr> {
    addresses.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn the_name_server_behind_a_service() {
    let own = |addresses: &[&str], headless| {
        let mut inside = options();
        inside.own_addresses = names_of(addresses);
        let view = outside(headless, &view(inside));
        let (found, lines) = ask(&cluster(SHOP), &view, "ns1.dns.example.org A");
        (found == Found::Answer).then(|| lines.join("; ").replace("ns1.dns.example.org. 5 A ", ""))
    };
    // An endpoint of a service that nobody reaches from outside.
    assert_eq!(own(&["172.20.1.1"], false), None);
    assert_eq!(own(&["172.20.2.1"], false), None);
    assert_eq!(own(&["172.20.2.1"], true).as_deref(), Some("172.20.2.1; 172.20.2.2"));
    assert_eq!(own(&["192.0.2.1"], true).as_deref(), Some("192.0.2.1"));
}

#[test]
fn what_is_hidden_inside_is_hidden_outside() {
    let mut inside = options();
    inside.namespaces = Some(vec!["other".into()]);
    let view = outside(true, &view(inside));
    let cluster = cluster(SHOP);
    for question in [
        "web.shop.example.org A",
        "db.shop.example.org A",
        "shop.example.org A",
        "8.113.0.203.in-addr.arpa PTR",
    ] {
        assert_eq!(ask(&cluster, &view, question).0, Found::NoSuchName, "{question}");
    }
    assert!(visited(&cluster, &view).iter().all(|line| line.contains(" NS ")));
}

#[test]
fn a_transfer_has_what_the_zone_answers() {
    let shop = SHOP.to_owned()
        + "
---
apiVersion: v1
kind: Namespace
metadata: {name: dns}
---
apiVersion: v1
kind: Service
metadata: {name: ns1, namespace: dns}
spec: {externalIPs: [203.0.113.99], ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: sub, namespace: shop}
spec: {externalIPs: [203.0.113.98], ports: [{port: 80}]}
";
    let cluster = cluster(&shop);
    let view = view(options());
    let of = |zones: &[&str], headless| {
        let options = ExternalOptions { headless, ..ExternalOptions::new(names(zones)) };
        visited(&cluster, &ExternalView::new(&options, &view).unwrap())
    };
    let records = of(&["example.org", "sub.shop.example.org"], false);
    for absent in
        ["ns1.dns.example.org. 5 A", "ns1.dns.example.org. 5 SRV", "sub.shop.example.org. 5 A"]
    {
        assert!(!records.iter().any(|line| line.starts_with(absent)), "{absent}: {records:?}");
    }
    for present in [
        "example.org. 5 NS ns1.dns.example.org.",
        "alias.shop.example.org. 5 CNAME lb.example.net.",
        "_https._tcp.alias.shop.example.org. 5 SRV 0 100 443 lb.example.net.",
        "web.shop.example.org. 5 AAAA 2001:db8::8",
        "web.shop.example.org. 5 SRV 0 16 80 web.shop.example.org.",
        "_http._tcp.web.shop.example.org. 5 SRV 0 33 80 web.shop.example.org.",
    ] {
        assert!(records.iter().any(|line| line == present), "{present}: {records:?}");
    }
    assert!(!records.iter().any(|line| line.contains("db.shop")));
    let records = of(&["example.org"], true);
    for present in [
        "db.shop.example.org. 5 A 172.20.2.2",
        "db-0.db.shop.example.org. 5 A 172.20.2.1",
        "_pg._tcp.db.shop.example.org. 5 SRV 0 50 5432 db-0.db.shop.example.org.",
        "sub.shop.example.org. 5 A 203.0.113.98",
    ] {
        assert!(records.iter().any(|line| line == present), "{present}: {records:?}");
    }
    let records = of(&["example.org", "203.in-addr.arpa"], false);
    let present = "8.113.0.203.in-addr.arpa. 5 PTR web.shop.example.org.";
    assert!(records.iter().any(|line| line == present), "{records:?}");
}

#[test]
fn nothing_is_denied_before_all_is_known() {
    let view = outside(true, &view(options()));
    let model = Model::new(all_kinds());
    for question in ["web.shop.example.org A", "shop.example.org A", "7.113.0.203.in-addr.arpa PTR"]
    {
        assert_eq!(ask(model.cluster(), &view, question).0, Found::NotSynced, "{question}");
    }
    assert_eq!(ask(model.cluster(), &view, "example.org SOA").0, Found::Answer);
}

#[test]
fn zones_without_room_and_zones_of_addresses_alone() {
    let inside = view(options());
    let long = format!("{0}.{0}.{0}", "x".repeat(40));
    assert!(ExternalView::new(&ExternalOptions::new(names(&[&long])), &inside).is_err());
    assert!(ExternalView::new(&ExternalOptions::new(Vec::new()), &inside).is_err());
    let reverse = ExternalOptions::new(names(&["113.0.203.in-addr.arpa"]));
    let view = ExternalView::new(&reverse, &inside).unwrap();
    check(
        &cluster(SHOP),
        &view,
        "8.113.0.203.in-addr.arpa PTR = ~ PTR web.shop.113.0.203.in-addr.arpa.",
    );
}

#[test]
fn the_longest_names_fit() {
    let label = "x".repeat(63);
    let zone = format!("{label}.{}", "y".repeat(57));
    let apex: NameBuf = label.parse().unwrap();
    assert_eq!(apex.octets().len(), ExternalOptions::APEX_MAX);
    let options = ExternalOptions { apex, ..ExternalOptions::new(names(&[&zone])) };
    assert_eq!(options.zones[0].octets().len(), View::ZONE_MAX);
    assert!(ExternalView::new(&options, &view(crate::common::options())).is_ok());
}
