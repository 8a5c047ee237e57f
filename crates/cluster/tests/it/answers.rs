//! What is answered, row by row.

use crate::common::{all_kinds, ask, check, cluster, events, lines, options, view};
use cluster::{Event, Found, Model, Object, Options, Pods, View};
use wire::{NameBuf, Question, RecordType, Reply};

/// The worked example, with what it leaves out around it.
const SHOP: &str = include_str!("shop.yaml");

#[test]
fn services() {
    check(&cluster(SHOP), &view(options()), "
        web.shop.svc.cluster.local A     = ~ A 10.96.10.1
        WEB.shop.SVC.Cluster.local A     = ~ A 10.96.10.1
        web.shop.svc.cluster.local AAAA  = NODATA
        web.shop.svc.cluster.local MX    = NODATA
        web.shop.svc.cluster.local TXT   = NODATA
        web.shop.svc.cluster.local SOA   = NODATA
        web.shop.svc.cluster.local NS    = NODATA
        web.shop.svc.cluster.local PTR   = NODATA
        web.shop.svc.cluster.local CNAME = NODATA
        web.shop.svc.cluster.local ANY   = NODATA
        web.shop.svc.cluster.local TYPE65280 = NODATA
        web.shop.svc.cluster.local SRV   = ~ SRV 0 50 80 web.shop.svc.cluster.local.; ~ SRV 0 50 443 web.shop.svc.cluster.local.; + web.shop.svc.cluster.local. 5 A 10.96.10.1
        _http._tcp.web.shop.svc.cluster.local SRV = ~ SRV 0 100 80 web.shop.svc.cluster.local.; + web.shop.svc.cluster.local. 5 A 10.96.10.1
        http.tcp.web.shop.svc.cluster.local SRV = ~ SRV 0 100 80 web.shop.svc.cluster.local.; + web.shop.svc.cluster.local. 5 A 10.96.10.1
        _http._tcp.web.shop.svc.cluster.local A    = ~ A 10.96.10.1
        _http._tcp.web.shop.svc.cluster.local AAAA = NODATA
        _http._udp.web.shop.svc.cluster.local SRV = NXDOMAIN
        _ftp._tcp.web.shop.svc.cluster.local SRV  = NXDOMAIN
        __http._tcp.web.shop.svc.cluster.local SRV = NXDOMAIN
        _._tcp.web.shop.svc.cluster.local SRV     = NXDOMAIN
        _tcp.web.shop.svc.cluster.local SRV       = NODATA
        _udp.web.shop.svc.cluster.local SRV       = NXDOMAIN
        a._http._tcp.web.shop.svc.cluster.local SRV = NXDOMAIN
        no.shop.svc.cluster.local A      = NXDOMAIN
        no.shop.svc.cluster.local SOA    = NXDOMAIN
        no.shop.svc.cluster.local SRV    = NXDOMAIN
        web.none.svc.cluster.local A     = NXDOMAIN
        *.shop.svc.cluster.local A       = NXDOMAIN
        any.shop.svc.cluster.local A     = NXDOMAIN
        lonely.shop.svc.cluster.local A  = ~ A 10.96.10.9
        lonely.shop.svc.cluster.local SRV = NODATA
        pending.shop.svc.cluster.local A = NODATA
        pending.shop.svc.cluster.local SRV = NODATA
        www.example.com.shop.svc.cluster.local A = NXDOMAIN
    ");
}

#[test]
fn two_families() {
    check(&cluster(SHOP), &view(options()), "
        both.shop.svc.cluster.local A    = ~ A 10.96.10.2
        both.shop.svc.cluster.local AAAA = ~ AAAA fd00:96::2
        # Two entries become one record, but share the weight.
        both.shop.svc.cluster.local SRV  = ~ SRV 0 50 53 both.shop.svc.cluster.local.; + both.shop.svc.cluster.local. 5 A 10.96.10.2; + both.shop.svc.cluster.local. 5 AAAA fd00:96::2
        # One number for two protocols is one record too.
        dns.shop.svc.cluster.local SRV   = ~ SRV 0 50 53 dns.shop.svc.cluster.local.; + dns.shop.svc.cluster.local. 5 A 10.96.10.3
        _dns._udp.dns.shop.svc.cluster.local SRV = ~ SRV 0 100 53 dns.shop.svc.cluster.local.; + dns.shop.svc.cluster.local. 5 A 10.96.10.3
    ");
}

#[test]
fn endpoints_of_services_with_addresses() {
    check(&cluster(SHOP), &view(options()), "
        web-11.web.shop.svc.cluster.local A      = ~ A 172.20.1.11
        web-11.web.shop.svc.cluster.local AAAA   = NODATA
        web-11.web.shop.svc.cluster.local MX     = NODATA
        172-20-1-11.web.shop.svc.cluster.local A = NXDOMAIN
        172-20-1-12.web.shop.svc.cluster.local A = ~ A 172.20.1.12
        172-20-1-13.web.shop.svc.cluster.local A = NXDOMAIN
        172-20-1-14.web.shop.svc.cluster.local A = NXDOMAIN
        web-12.web.shop.svc.cluster.local A      = NXDOMAIN
        web-11.web.shop.svc.cluster.local SRV    = ~ SRV 0 100 8080 web-11.web.shop.svc.cluster.local.; + web-11.web.shop.svc.cluster.local. 5 A 172.20.1.11
    ");
}

#[test]
fn headless_services() {
    check(&cluster(SHOP), &view(options()), "
        db.shop.svc.cluster.local A    = ~ A 172.20.2.1; ~ A 172.20.2.2; ~ A 172.20.2.3
        db.shop.svc.cluster.local AAAA = ~ AAAA fd00:20::1
        db.shop.svc.cluster.local TXT  = NODATA
        _pg._tcp.db.shop.svc.cluster.local SRV = ~ SRV 0 25 5432 db-0.db.shop.svc.cluster.local.; ~ SRV 0 25 5432 db-1.db.shop.svc.cluster.local.; ~ SRV 0 25 5432 172-20-2-3.db.shop.svc.cluster.local.; ~ SRV 0 25 5432 fd00-20--1.db.shop.svc.cluster.local.; + db-0.db.shop.svc.cluster.local. 5 A 172.20.2.1; + db-1.db.shop.svc.cluster.local. 5 A 172.20.2.2; + 172-20-2-3.db.shop.svc.cluster.local. 5 A 172.20.2.3; + fd00-20--1.db.shop.svc.cluster.local. 5 AAAA fd00:20::1
        _metrics._tcp.db.shop.svc.cluster.local A = ~ A 172.20.2.1; ~ A 172.20.2.2; ~ A 172.20.2.3
        _pg._udp.db.shop.svc.cluster.local SRV = NXDOMAIN
        _tcp.db.shop.svc.cluster.local A       = NODATA
        _udp.db.shop.svc.cluster.local A       = NXDOMAIN
        db-0.db.shop.svc.cluster.local A       = ~ A 172.20.2.1
        db-0.db.shop.svc.cluster.local AAAA    = NODATA
        fd00-20--1.db.shop.svc.cluster.local AAAA = ~ AAAA fd00:20::1
        fd00-20-0--1.db.shop.svc.cluster.local AAAA = NXDOMAIN
        172-20-2-9.db.shop.svc.cluster.local A = NXDOMAIN
        # No endpoint is ready, no slice is there, no port is there.
        down.shop.svc.cluster.local A   = NXDOMAIN
        down.shop.svc.cluster.local SRV = NXDOMAIN
        void.shop.svc.cluster.local A   = NXDOMAIN
        void.shop.svc.cluster.local MX  = NXDOMAIN
        bare.shop.svc.cluster.local A   = ~ A 172.20.5.1
        bare.shop.svc.cluster.local SRV = NODATA
    ");
}

#[test]
fn endpoints_that_share_names_and_addresses() {
    check(&cluster(SHOP), &view(options()), "
        twin.shop.svc.cluster.local A = ~ A 172.20.6.1; ~ A 172.20.6.2
        t.twin.shop.svc.cluster.local A = ~ A 172.20.6.1; ~ A 172.20.6.2
        _x._tcp.twin.shop.svc.cluster.local SRV = ~ SRV 0 33 1 t.twin.shop.svc.cluster.local.; + t.twin.shop.svc.cluster.local. 5 A 172.20.6.1; + t.twin.shop.svc.cluster.local. 5 A 172.20.6.2
        1.6.20.172.in-addr.arpa PTR = ~ PTR t.twin.shop.svc.cluster.local.
    ");
}

#[test]
fn pod_names_as_endpoint_names() {
    let view = view(Options { endpoint_pod_names: true, ..options() });
    check(
        &cluster(SHOP),
        &view,
        "
        db-2-xyz.db.shop.svc.cluster.local A   = ~ A 172.20.2.3
        172-20-2-3.db.shop.svc.cluster.local A = NXDOMAIN
        db-0.db.shop.svc.cluster.local A       = ~ A 172.20.2.1
        3.2.20.172.in-addr.arpa PTR = ~ PTR db-2-xyz.db.shop.svc.cluster.local.
    ",
    );
}

#[test]
fn external_names() {
    let (cluster, view) = (cluster(SHOP), view(options()));
    check(
        &cluster,
        &view,
        "
        ext.shop.svc.cluster.local A     = ~ CNAME www.outside.test.
        ext.shop.svc.cluster.local AAAA  = ~ CNAME www.outside.test.
        ext.shop.svc.cluster.local CNAME = ~ CNAME www.outside.test.
        ext.shop.svc.cluster.local TXT   = NODATA
        ext.shop.svc.cluster.local SRV   = NODATA
        x.ext.shop.svc.cluster.local A   = NXDOMAIN
        _http._tcp.ext.shop.svc.cluster.local SRV = NXDOMAIN
        extip.shop.svc.cluster.local A     = NXDOMAIN
        extip.shop.svc.cluster.local CNAME = NXDOMAIN
    ",
    );
    assert_eq!(ask(&cluster, &view, "ext.shop.svc.cluster.local A").0, Found::Elsewhere);
    assert_eq!(ask(&cluster, &view, "ext.shop.svc.cluster.local CNAME").0, Found::Answer);
}

#[test]
fn a_cname_that_is_followed_stays_first() {
    let (cluster, view) = (cluster(SHOP), view(options()));
    let mut reply = Reply::default();
    for name in ["toweb.shop.svc.cluster.local", "web.shop.svc.cluster.local"] {
        let name: NameBuf = name.parse().unwrap();
        cluster.answer(&view, &Question::new(name.as_name(), RecordType::A), &mut reply);
    }
    let types: Vec<_> = reply.body.answer.iter().map(|record| record.rtype).collect();
    assert_eq!(types, [RecordType::CNAME, RecordType::A]);
}

#[test]
fn pods() {
    let cluster = cluster(SHOP);
    let with = |pods| view(Options { pods, ..options() });
    check(
        &cluster,
        &with(Pods::Disabled),
        "
        172-20-3-1.shop.pod.cluster.local A = NXDOMAIN
        shop.pod.cluster.local A            = NXDOMAIN
        pod.cluster.local A                 = NODATA
    ",
    );
    check(
        &cluster,
        &with(Pods::Insecure),
        "
        1-2-3-4.shop.pod.cluster.local A          = ~ A 1.2.3.4
        1-2-3-4.shop.pod.cluster.local AAAA       = NODATA
        2001-db8--1.shop.pod.cluster.local AAAA   = ~ AAAA 2001:db8::1
        2001-db8--1.shop.pod.cluster.local A      = NODATA
        a.1-2-3-4.shop.pod.cluster.local A        = ~ A 1.2.3.4
        1-2-3-4.none.pod.cluster.local A          = NXDOMAIN
        1-2-3-400.shop.pod.cluster.local A        = NXDOMAIN
        web.shop.pod.cluster.local A              = NXDOMAIN
        shop.pod.cluster.local A                  = NODATA
        none.pod.cluster.local A                  = NXDOMAIN
    ",
    );
    check(
        &cluster,
        &with(Pods::Verified),
        "
        172-20-3-1.shop.pod.cluster.local A       = ~ A 172.20.3.1
        172-20-3-1.shop.pod.cluster.local AAAA    = NODATA
        172-20-3-1.other.pod.cluster.local A      = NXDOMAIN
        172-20-3-2.shop.pod.cluster.local A       = NXDOMAIN
        fd00-30--1.other.pod.cluster.local AAAA   = ~ AAAA fd00:30::1
        1-2-3-4.shop.pod.cluster.local A          = NXDOMAIN
        shop.pod.cluster.local A                  = NODATA
    ",
    );
}

#[test]
fn reverse_names() {
    let (cluster, view_all) = (cluster(SHOP), view(options()));
    check(&cluster, &view_all, "
        1.2.20.172.in-addr.arpa PTR = ~ PTR db-0.db.shop.svc.cluster.local.
        1.10.96.10.in-addr.arpa PTR = ~ PTR web.shop.svc.cluster.local.
        1.10.96.10.in-addr.arpa A   = NODATA
        1.2.20.172.in-addr.arpa TXT = NODATA
        2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.0.d.f.ip6.arpa PTR = ~ PTR both.shop.svc.cluster.local.
        9.9.9.9.in-addr.arpa PTR    = NXDOMAIN
        9.9.9.in-addr.arpa PTR      = NXDOMAIN
        1.3.20.172.in-addr.arpa PTR = NXDOMAIN
        x.1.10.96.10.in-addr.arpa PTR = NXDOMAIN
        # An endpoint of two services, one of them in another namespace.
        1.7.20.172.in-addr.arpa PTR = ~ PTR 172-20-7-1.one.shop.svc.cluster.local.; ~ PTR 172-20-7-1.two.other.svc.cluster.local.
        # Its service does not exist.
        1.8.20.172.in-addr.arpa PTR = ~ PTR 172-20-8-1.gone.shop.svc.cluster.local.
    ");
    let other = view(Options { namespaces: Some(vec!["Other".into()]), ..options() });
    check(
        &cluster,
        &other,
        "
        1.7.20.172.in-addr.arpa PTR = ~ PTR 172-20-7-1.two.other.svc.cluster.local.
        1.10.96.10.in-addr.arpa PTR = NXDOMAIN
    ",
    );
    let zones = ["10.in-addr.arpa", "b.local", "a.local"].map(|zone| zone.parse().unwrap());
    check(
        &cluster,
        &view(Options::new(zones.to_vec())),
        "
        1.10.96.10.in-addr.arpa PTR = ~ PTR web.shop.svc.b.local.
        1.2.20.172.in-addr.arpa PTR = NOTHERE
        web.shop.svc.a.local A      = ~ A 10.96.10.1
    ",
    );
}

#[test]
fn names_without_records() {
    check(
        &cluster(SHOP),
        &view(options()),
        "
        cluster.local A          = NODATA
        cluster.local TXT        = NODATA
        cluster.local MX         = NODATA
        svc.cluster.local A      = NODATA
        svc.cluster.local TXT    = NODATA
        svc.cluster.local NS     = NODATA
        svc.cluster.local SOA    = NODATA
        shop.svc.cluster.local A = NODATA
        shop.svc.cluster.local TXT = NODATA
        none.svc.cluster.local A = NXDOMAIN
        none.svc.cluster.local SOA = NXDOMAIN
        dns.cluster.local A      = NODATA
        x.dns.cluster.local A    = NXDOMAIN
        web.cluster.local A      = NXDOMAIN
        web.shop.cluster.local A = NXDOMAIN
        in-addr.arpa A           = NODATA
        cluster.local AXFR       = REFUSED
        web.shop.svc.cluster.local IXFR = REFUSED
        example.org A            = NOTHERE
        xcluster.local A         = NOTHERE
    ",
    );
}

#[test]
fn the_zone_itself() {
    let (cluster, view) = (cluster(SHOP), view(Options { ttl: 600, ..options() }));
    let soa = "cluster.local. 300 SOA ns.dns.cluster.local. hostmaster.cluster.local. 1700000000 7200 1800 86400 600";
    assert_eq!(ask(&cluster, &view, "cluster.local SOA").1, [soa]);
    let version = "dns-version.cluster.local. 28800 TXT \"1.1.0\"";
    assert_eq!(ask(&cluster, &view, "dns-version.cluster.local TXT").1, [version]);
    assert_eq!(ask(&cluster, &view, "dns-version.cluster.local A").0, Found::NoData);

    let name: NameBuf = "no.svc.Cluster.local".parse().unwrap();
    let mut reply = Reply::default();
    cluster.push_soa(&view, &Question::new(name.as_name(), RecordType::A), &mut reply);
    assert_eq!(lines(&reply), [format!("! {soa}")]);
}

#[test]
fn name_servers() {
    let cluster = cluster(SHOP);
    let own = |addresses: &[&str]| {
        let own_addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        view(Options { own_addresses, ..options() })
    };
    check(
        &cluster,
        &own(&[]),
        "
        cluster.local NS       = NODATA
        ns.dns.cluster.local A = NODATA
    ",
    );
    check(&cluster, &own(&["127.0.0.1", "192.0.2.1", "2001:db8::1"]), "
        cluster.local NS          = ~ NS ns.dns.cluster.local.; + ns.dns.cluster.local. 5 A 192.0.2.1; + ns.dns.cluster.local. 5 AAAA 2001:db8::1
        ns.dns.cluster.local A    = ~ A 192.0.2.1
        ns.dns.cluster.local AAAA = ~ AAAA 2001:db8::1
        ns.dns.cluster.local MX   = NODATA
        svc.cluster.local NS      = NODATA
    ");
    // The address of a pod behind a service, and of an endpoint of a headless one, whose others serve too.
    check(&cluster, &own(&["172.20.1.12"]), "
        cluster.local NS       = ~ NS web.shop.svc.cluster.local.; + web.shop.svc.cluster.local. 5 A 10.96.10.1
        ns.dns.cluster.local A = ~ A 10.96.10.1
    ");
    check(&cluster, &own(&["172.20.2.1"]), "
        cluster.local NS       = ~ NS db-0.db.shop.svc.cluster.local.; ~ NS db-1.db.shop.svc.cluster.local.; ~ NS 172-20-2-3.db.shop.svc.cluster.local.; ~ NS fd00-20--1.db.shop.svc.cluster.local.; + db-0.db.shop.svc.cluster.local. 5 A 172.20.2.1; + db-1.db.shop.svc.cluster.local. 5 A 172.20.2.2; + 172-20-2-3.db.shop.svc.cluster.local. 5 A 172.20.2.3; + fd00-20--1.db.shop.svc.cluster.local. 5 AAAA fd00:20::1
        ns.dns.cluster.local AAAA = ~ AAAA fd00:20::1
    ");
}

#[test]
fn options_that_hide() {
    let cluster = cluster(SHOP);
    check(
        &cluster,
        &view(Options { endpoints: false, ..options() }),
        "
        web.shop.svc.cluster.local A       = ~ A 10.96.10.1
        db.shop.svc.cluster.local A        = NXDOMAIN
        db-0.db.shop.svc.cluster.local A   = NXDOMAIN
        web-11.web.shop.svc.cluster.local A = NXDOMAIN
        1.2.20.172.in-addr.arpa PTR        = NXDOMAIN
    ",
    );
    check(
        &cluster,
        &view(Options { ignore_empty_services: true, ..options() }),
        "
        web.shop.svc.cluster.local A        = ~ A 10.96.10.1
        lonely.shop.svc.cluster.local A     = NXDOMAIN
        lonely.shop.svc.cluster.local AAAA  = NXDOMAIN
        ext.shop.svc.cluster.local A        = ~ CNAME www.outside.test.
    ",
    );
    check(
        &cluster,
        &view(Options { namespaces: Some(vec!["other".into(), "gone".into()]), ..options() }),
        "
        web.shop.svc.cluster.local A  = NXDOMAIN
        shop.svc.cluster.local A      = NXDOMAIN
        gone.svc.cluster.local A      = NXDOMAIN
        two.other.svc.cluster.local A = ~ A 10.96.20.2
    ",
    );
}

#[test]
fn nothing_is_denied_before_everything_is_known() {
    let mut model = Model::new(all_kinds());
    let cluster = model.cluster().clone();
    let view = view(options());
    let applied = events(SHOP);
    let (all, ends): (Vec<_>, Vec<_>) =
        applied.into_iter().partition(|event| !matches!(event, Event::RelistEnd(_)));
    let is_v6 = |event: &Event| matches!(event, Event::Apply(Object::EndpointSlice(slice)) if slice.name == "db-c");
    let (late, early): (Vec<_>, Vec<_>) = all.into_iter().partition(is_v6);
    model.apply(early, 7);
    check(
        &cluster,
        &view,
        "
        web.shop.svc.cluster.local A   = ~ A 10.96.10.1
        web.shop.svc.cluster.local AAAA = NODATA
        db.shop.svc.cluster.local AAAA = SERVFAIL
        no.shop.svc.cluster.local A    = SERVFAIL
        none.svc.cluster.local A       = SERVFAIL
        9.9.9.9.in-addr.arpa PTR       = SERVFAIL
        no.cluster.local A             = SERVFAIL
        svc.cluster.local A            = NODATA
        dns-version.cluster.local A    = NODATA
    ",
    );
    let (last, but_last) = ends.split_last().unwrap();
    model.apply(late.into_iter().chain(but_last.to_vec()), 8);
    assert_eq!(ask(&cluster, &view, "no.shop.svc.cluster.local A").0, Found::NotSynced);
    model.apply([last.clone()], 9);
    check(
        &cluster,
        &view,
        "
        no.shop.svc.cluster.local A    = NXDOMAIN
        db.shop.svc.cluster.local AAAA = ~ AAAA fd00:20::1
    ",
    );
}

#[test]
fn the_root_can_be_the_zone() {
    let view: View = View::new(Options::new(vec![NameBuf::root()])).unwrap();
    check(
        &cluster(SHOP),
        &view,
        "
        web.shop.svc A          = ~ A 10.96.10.1
        1.10.96.10.in-addr.arpa PTR = ~ PTR web.shop.svc.
        example.org A           = NXDOMAIN
    ",
    );
}
