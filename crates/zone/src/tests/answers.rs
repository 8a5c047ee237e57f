//! Each rule of the answer; differences from CoreDNS 1.14.7 are named where they are.

use super::{check, name, try_load, zone};
use crate::{Found, Zone};
use wire::{Question, RecordType, Reply};

/// SOA, NS and one address; what a test is about follows.
fn example(text: &str) -> Zone {
    let head = "$TTL 300
        @ 600 SOA ns1 hostmaster 1 7200 3600 1209600 60
        @ NS ns1
        @ NS ns.other.
        ns1 A 192.0.2.1
        ns1 AAAA 2001:db8::1
        "
    .replace("\n        ", "\n");
    zone(&format!("{head}{}", text.replace("\n        ", "\n")))
}

const SERVERS: &str = "
    auth q.test. 300 NS ns1.q.test.
    auth q.test. 300 NS ns.other.";
const START: &str = "auth q.test. 600 SOA ns1.q.test. hostmaster.q.test. 1 7200 3600 1209600 60";

#[test]
fn the_zone_file_of_2018() {
    let text = "company.com. SOA company.com. admin.company.com. 2018121642 7200 3600 1209600 3600
nginx.company.com. CNAME my-nginx.default.svc.cluster.local.
";
    let apex = name("company.com");
    let source =
        crate::Source { file: "db", text: text.as_bytes(), origin: apex.as_name(), ttl: None };
    let loaded = crate::load(apex.as_name(), source, &mut |_| unreachable!()).unwrap();
    assert_eq!(
        loaded.warnings.to_string(),
        "db:1:1: warning: no TTL: 3600, the minimum of the SOA, is used (write $TTL at the top of the file)"
    );
    assert_eq!(loaded.zone.serial(), 2_018_121_642);
    check(
        &loaded.zone,
        "NGINX.company.com A",
        "Elsewhere
        nginx.company.com. 3600 CNAME my-nginx.default.svc.cluster.local.",
    );
    check(
        &loaded.zone,
        "apache.company.com A",
        "NoSuchName NXDOMAIN
        auth company.com. 3600 SOA company.com. admin.company.com. 2018121642 7200 3600 1209600 3600",
    );
}

#[test]
fn the_apex() {
    let zone = example("www A 192.0.2.2");
    check(&zone, "q.test SOA", &format!("Answer\n{}{SERVERS}", START.trim_start_matches("auth ")));
    check(
        &zone,
        "q.test NS",
        "Answer
        q.test. 300 NS ns1.q.test.
        q.test. 300 NS ns.other.
        add ns1.q.test. 300 A 192.0.2.1
        add ns1.q.test. 300 AAAA 2001:db8::1",
    );
    // CoreDNS lets an apex without other records fall through, and so must who asks us.
    check(&zone, "q.test A", &format!("Empty\n{START}"));
    check(&example("@ TXT x"), "q.test A", &format!("NoData\n{START}"));
}

#[test]
fn records_and_denials() {
    let zone = example(
        "www A 192.0.2.2
        WWW A 192.0.2.3
        a.b.deep TXT x",
    );
    check(
        &zone,
        "www.q.test A",
        &format!("Answer\nwww.q.test. 300 A 192.0.2.2\nwww.q.test. 300 A 192.0.2.3{SERVERS}"),
    );
    check(&zone, "www.q.test AAAA", &format!("NoData\n{START}"));
    check(&zone, "www.q.test ANY", &format!("NoData\n{START}"));
    check(&zone, "b.deep.q.test A", &format!("Empty\n{START}"));
    check(&zone, "deep.q.test TXT", &format!("Empty\n{START}"));
    check(&zone, "c.deep.q.test A", &format!("NoSuchName NXDOMAIN\n{START}"));
    check(&zone, "x.www.q.test A", &format!("NoSuchName NXDOMAIN\n{START}"));
    check(&zone, "q.test AXFR", "Refused REFUSED");
    check(&zone, "www.q.test IXFR", "Refused REFUSED");
    check(&zone, "other.test A", "NotHere");
    check(&zone, "test AXFR", "NotHere");
}

/// CoreDNS follows nine aliases and leaves the answer open behind the tenth.
#[test]
fn chains_of_aliases() {
    let chain: String = (1..12).map(|n| format!("c{n} CNAME c{}\n", n + 1)).collect();
    let zone = example(&format!("{chain}c12 A 192.0.2.12"));
    let aliases = |from: usize, to: usize| {
        (from..=to)
            .map(|n| format!("c{n}.q.test. 300 CNAME c{}.q.test.\n", n + 1))
            .collect::<String>()
    };
    let address = "c12.q.test. 300 A 192.0.2.12";
    check(&zone, "c3.q.test A", &format!("Answer\n{}{address}{SERVERS}", aliases(3, 11)));
    check(&zone, "c2.q.test A", &format!("Answer cut\n{}{SERVERS}", aliases(2, 11)));
    check(&zone, "c1.q.test A", &format!("Answer cut\n{}{SERVERS}", aliases(1, 10)));
    check(&zone, "c1.q.test CNAME", &format!("Answer\n{}{SERVERS}", aliases(1, 1)));
}

#[test]
fn where_aliases_end() {
    let zone = example(
        "txt TXT hello
        nodata CNAME txt
        nothing CNAME gone
        out CNAME www.other.
        out2 CNAME out
        loop1 CNAME loop2
        loop2 CNAME loop1
        self CNAME self
        tosub CNAME www.sub
        sub NS ns.sub
        ns.sub A 192.0.2.53",
    );
    // CoreDNS closes this one with the NS records (RFC 2308 §2.2 wants the SOA record).
    check(
        &zone,
        "nodata.q.test A",
        &format!("Answer\nnodata.q.test. 300 CNAME txt.q.test.\n{START}"),
    );
    // RFC 6604 §3: the response code is that of the last name.
    check(
        &zone,
        "nothing.q.test A",
        &format!("Answer NXDOMAIN\nnothing.q.test. 300 CNAME gone.q.test.\n{START}"),
    );
    check(
        &zone,
        "out2.q.test A",
        "Elsewhere
        out2.q.test. 300 CNAME out.q.test.
        out.q.test. 300 CNAME www.other.",
    );
    // CoreDNS repeats the circle until it has ten records.
    check(
        &zone,
        "loop1.q.test A",
        &format!(
            "Answer\nloop1.q.test. 300 CNAME loop2.q.test.\nloop2.q.test. 300 CNAME loop1.q.test.{SERVERS}"
        ),
    );
    check(&zone, "self.q.test A", &format!("Answer\nself.q.test. 300 CNAME self.q.test.{SERVERS}"));
    check(
        &zone,
        "tosub.q.test A",
        "Answer
        tosub.q.test. 300 CNAME www.sub.q.test.
        auth sub.q.test. 300 NS ns.sub.q.test.
        add ns.sub.q.test. 300 A 192.0.2.53",
    );
}

#[test]
fn delegations() {
    let zone = example(
        "sub NS ns.sub
        sub NS ns1
        sub NS ns.other.
        sub DS 1 8 2 AABB
        sub TXT hidden
        ns.sub A 192.0.2.53
        www.sub A 192.0.2.54
        deep.sub NS ns.deep.sub
        bare NS ns.other.",
    );
    // RFC 1034 §4.3.2, 3b: all addresses that are there; CoreDNS adds those below the cut.
    let referral = "Referral
        auth sub.q.test. 300 NS ns.sub.q.test.
        auth sub.q.test. 300 NS ns1.q.test.
        auth sub.q.test. 300 NS ns.other.
        add ns.sub.q.test. 300 A 192.0.2.53
        add ns1.q.test. 300 A 192.0.2.1
        add ns1.q.test. 300 AAAA 2001:db8::1";
    for question in [
        "sub.q.test NS",
        "sub.q.test TXT",
        "www.sub.q.test A",
        "no.sub.q.test A",
        "x.deep.sub.q.test DS",
        "deep.sub.q.test DS",
    ] {
        check(&zone, question, referral);
    }
    check(&zone, "sub.q.test DS", &format!("Answer\nsub.q.test. 300 DS 1 8 2 AABB{SERVERS}"));
    check(&zone, "bare.q.test DS", &format!("NoData\n{START}"));
    check(&zone, "x.bare.q.test A", "Referral\nauth bare.q.test. 300 NS ns.other.");
}

/// RFC 4592 §2.2.1, its own example.
#[test]
fn wildcards() {
    let zone = example(
        "* TXT wild
        * MX 10 host1
        sub.* TXT x
        host1 A 192.0.2.10
        _ssh._tcp.host1 SRV 0 0 22 host1
        _ssh._tcp.host2 SRV 0 0 22 host2
        subdel NS ns.other.",
    );
    check(
        &zone,
        "host3.q.test MX",
        &format!(
            "Answer by *.q.test.\nhost3.q.test. 300 MX 10 host1.q.test.{SERVERS}
            add host1.q.test. 300 A 192.0.2.10"
        ),
    );
    check(&zone, "host3.q.test A", &format!("NoData by *.q.test.\n{START}"));
    check(
        &zone,
        "foo.bar.q.test TXT",
        &format!("Answer by *.q.test.\nfoo.bar.q.test. 300 TXT \"wild\"{SERVERS}"),
    );
    check(&zone, "host1.q.test MX", &format!("NoData\n{START}"));
    check(&zone, "sub.*.q.test MX", &format!("NoData\n{START}"));
    check(&zone, "_telnet._tcp.host1.q.test SRV", &format!("NoSuchName NXDOMAIN\n{START}"));
    check(&zone, "host.subdel.q.test A", "Referral\nauth subdel.q.test. 300 NS ns.other.");
    check(&zone, "ghost.*.q.test MX", &format!("NoSuchName NXDOMAIN\n{START}"));
    check(&zone, "*.q.test TXT", &format!("Answer\n*.q.test. 300 TXT \"wild\"{SERVERS}"));
    // An empty non-terminal exists; CoreDNS puts the wildcard in its place all the same.
    check(&zone, "host2.q.test MX", &format!("Empty\n{START}"));
    check(&zone, "_tcp.host1.q.test TXT", &format!("Empty\n{START}"));
}

#[test]
fn wildcards_of_other_kinds() {
    let zone = example(
        "*.alias CNAME c
        c A 192.0.2.12
        *.circle CNAME a.circle
        a.*.empty TXT x
        *.ns NS ns.other.
        *.dname DNAME c
        *.wide TXT wide
        x.narrow.wide TXT narrow",
    );
    check(
        &zone,
        "x.y.alias.q.test A",
        &format!(
            "Answer by *.alias.q.test.\nx.y.alias.q.test. 300 CNAME c.q.test.\nc.q.test. 300 A 192.0.2.12{SERVERS}"
        ),
    );
    check(
        &zone,
        "x.circle.q.test A",
        &format!(
            "Answer by *.circle.q.test.\nx.circle.q.test. 300 CNAME a.circle.q.test.
            a.circle.q.test. 300 CNAME a.circle.q.test.{SERVERS}"
        ),
    );
    // A wildcard that is an empty non-terminal: NODATA, and no fallthrough, as in CoreDNS.
    check(&zone, "x.empty.q.test TXT", &format!("NoData by *.empty.q.test.\n{START}"));
    // RFC 4592 §4.2: undefined; CoreDNS does not delegate by it.
    check(&zone, "x.ns.q.test A", &format!("NoData by *.ns.q.test.\n{START}"));
    check(
        &zone,
        "x.ns.q.test NS",
        &format!("Answer by *.ns.q.test.\nx.ns.q.test. 300 NS ns.other.{SERVERS}"),
    );
    check(&zone, "y.*.ns.q.test A", "Referral\nauth *.ns.q.test. 300 NS ns.other.");
    check(&zone, "x.dname.q.test A", &format!("NoData by *.dname.q.test.\n{START}"));
    check(&zone, "y.narrow.wide.q.test TXT", &format!("NoSuchName NXDOMAIN\n{START}"));
    check(
        &zone,
        "y.wide.q.test TXT",
        &format!("Answer by *.wide.q.test.\ny.wide.q.test. 300 TXT \"wide\"{SERVERS}"),
    );
}

#[test]
fn redirections_by_dname() {
    let long = "t".repeat(60);
    let zone = example(&format!(
        "dn DNAME target
        dn TXT own
        below.dn TXT hidden
        x.target A 192.0.2.20
        alias CNAME x.dn
        out DNAME other.
        ping DNAME pong
        pong DNAME ping
        long DNAME {long}.{long}.{long}.target
        both NS ns.other.
        both DNAME target"
    ));
    let dname = "dn.q.test. 300 DNAME target.q.test.";
    let tail = format!(
        "{dname}\nx.dn.q.test. 300 CNAME x.target.q.test.\nx.target.q.test. 300 A 192.0.2.20{SERVERS}"
    );
    check(&zone, "x.dn.q.test A", &format!("Answer\n{tail}"));
    check(
        &zone,
        "alias.q.test A",
        &format!("Answer\nalias.q.test. 300 CNAME x.dn.q.test.\n{tail}"),
    );
    check(
        &zone,
        "x.dn.q.test CNAME",
        &format!("Answer\n{dname}\nx.dn.q.test. 300 CNAME x.target.q.test.{SERVERS}"),
    );
    check(
        &zone,
        "below.dn.q.test TXT",
        &format!(
            "Answer NXDOMAIN\n{dname}\nbelow.dn.q.test. 300 CNAME below.target.q.test.\n{START}"
        ),
    );
    check(&zone, "dn.q.test DNAME", &format!("Answer\n{dname}{SERVERS}"));
    check(&zone, "dn.q.test TXT", &format!("Answer\ndn.q.test. 300 TXT \"own\"{SERVERS}"));
    check(&zone, "dn.q.test A", &format!("NoData\n{START}"));
    check(
        &zone,
        "a.b.out.q.test A",
        "Elsewhere
        out.q.test. 300 DNAME other.
        a.b.out.q.test. 300 CNAME a.b.other.",
    );
    check(
        &zone,
        "x.ping.q.test A",
        &format!(
            "Answer\nping.q.test. 300 DNAME pong.q.test.\nx.ping.q.test. 300 CNAME x.pong.q.test.
            pong.q.test. 300 DNAME ping.q.test.\nx.pong.q.test. 300 CNAME x.ping.q.test.{SERVERS}"
        ),
    );
    // RFC 6672 §2.2; CoreDNS sends a message that cannot be read.
    check(
        &zone,
        &format!("{long}.long.q.test A"),
        &format!("Answer YXDOMAIN\nlong.q.test. 300 DNAME {long}.{long}.{long}.target.q.test."),
    );
    check(&zone, "both.q.test A", "Referral\nauth both.q.test. 300 NS ns.other.");
    check(
        &zone,
        "x.both.q.test A",
        &format!(
            "Answer\nboth.q.test. 300 DNAME target.q.test.\nx.both.q.test. 300 CNAME x.target.q.test.
            x.target.q.test. 300 A 192.0.2.20{SERVERS}"
        ),
    );
    let apex = example("@ DNAME other.\n@ TXT own");
    check(&apex, "q.test TXT", &format!("Answer\nq.test. 300 TXT \"own\"{SERVERS}"));
    check(&apex, "x.q.test A", "Elsewhere\nq.test. 300 DNAME other.\nx.q.test. 300 CNAME x.other.");
}

#[test]
fn a_dname_that_grows_comes_to_an_end() {
    let zone = example("grow DNAME a.grow");
    let question = Question::new(name("x.grow.q.test").as_name(), RecordType::A);
    let mut reply = Reply::default();
    assert_eq!(zone.answer(&question, false, &mut reply).found, Found::Answer);
    assert_eq!(reply.body.answer.len(), 1 + 10);
}

#[test]
fn addresses_of_targets() {
    let zone = example(
        "mx MX 10 Mail
        mx MX 20 mail
        mx MX 30 ns1
        mx MX 40 mail.other.
        mx MX 50 @
        mail A 192.0.2.25
        @ AAAA 2001:db8::2
        _sip SRV 0 0 5060 Mail
        svc HTTPS 1 . alpn=h2
        svc A 192.0.2.80
        alias HTTPS 0 .
        alias A 192.0.2.81
        svc2 SVCB 1 mail port=1
        ptr PTR Mail",
    );
    let mail = "add mail.q.test. 300 A 192.0.2.25";
    check(
        &zone,
        "mx.q.test MX",
        &format!(
            "Answer\nmx.q.test. 300 MX 10 mail.q.test.\nmx.q.test. 300 MX 20 mail.q.test.
            mx.q.test. 300 MX 30 ns1.q.test.\nmx.q.test. 300 MX 40 mail.other.
            mx.q.test. 300 MX 50 q.test.{SERVERS}
            {mail}
            add ns1.q.test. 300 A 192.0.2.1\nadd ns1.q.test. 300 AAAA 2001:db8::1
            add q.test. 300 AAAA 2001:db8::2"
        ),
    );
    // The target keeps its case, as in CoreDNS, and is found all the same.
    check(
        &zone,
        "_sip.q.test SRV",
        &format!("Answer\n_sip.q.test. 300 SRV 0 0 5060 Mail.q.test.{SERVERS}\n{mail}"),
    );
    // RFC 9460 §2.5.2: the owner itself. CoreDNS adds nothing.
    check(
        &zone,
        "svc.q.test HTTPS",
        &format!(
            "Answer\nsvc.q.test. 300 HTTPS 1 . alpn=\"h2\"{SERVERS}\nadd svc.q.test. 300 A 192.0.2.80"
        ),
    );
    check(&zone, "alias.q.test HTTPS", &format!("Answer\nalias.q.test. 300 HTTPS 0 .{SERVERS}"));
    check(
        &zone,
        "svc2.q.test SVCB",
        &format!("Answer\nsvc2.q.test. 300 SVCB 1 mail.q.test. port=\"1\"{SERVERS}\n{mail}"),
    );
    check(&zone, "ptr.q.test PTR", &format!("Answer\nptr.q.test. 300 PTR Mail.q.test.{SERVERS}"));
}

/// What CoreDNS loads and serves in its own way is served in a defined way, with a warning.
#[test]
fn odd_records_have_a_meaning() {
    let text = "$TTL 300
@ SOA a b 1 2 3 4 5
@ SOA a b 2 2 3 4 5
sub SOA a b 3 2 3 4 5
@ CNAME c
@ TXT hidden
multi CNAME c
multi CNAME d
multi CNAME c
mix A 192.0.2.77
mix CNAME c
cut NS ns.other.
cut CNAME c
self DNAME Self
dup A 192.0.2.30
dup A 192.0.2.30
ttls 20 A 192.0.2.31
ttls 10 A 192.0.2.32
out.other. A 192.0.2.99
ch CH TXT chaos
c A 192.0.2.12
";
    let loaded = try_load(text).unwrap();
    let warnings: Vec<String> = loaded
        .warnings
        .iter()
        .map(|mistake| format!("{} {}", mistake.place.line, mistake.fault))
        .collect();
    assert_eq!(
        warnings,
        [
            "3 a second, different SOA record",
            "4 the SOA record belongs to sub.q.test.",
            "14 the DNAME record leads to its own name",
            "19 out.other. is outside of the zone",
            "20 a record of class CH in a zone of class IN",
            "6 a TXT record beside a CNAME record",
            "13 a CNAME record beside NS records",
            "10 a A record beside a CNAME record",
            "8 a second CNAME record of the same name",
            "18 the A records of a name have different TTLs, 10 is used",
        ]
    );
    let zone = &loaded.zone;
    assert_eq!((zone.serial(), zone.record_count()), (2, 9));
    let address = "c.q.test. 300 A 192.0.2.12";
    check(zone, "q.test A", &format!("Answer\nq.test. 300 CNAME c.q.test.\n{address}"));
    check(zone, "q.test SOA", "Answer\nq.test. 300 SOA a.q.test. b.q.test. 2 2 3 4 5");
    check(zone, "multi.q.test A", &format!("Answer\nmulti.q.test. 300 CNAME c.q.test.\n{address}"));
    check(zone, "mix.q.test A", &format!("Answer\nmix.q.test. 300 CNAME c.q.test.\n{address}"));
    check(zone, "cut.q.test A", "Referral\nauth cut.q.test. 300 NS ns.other.");
    check(zone, "dup.q.test A", "Answer\ndup.q.test. 300 A 192.0.2.30");
    check(
        zone,
        "ttls.q.test A",
        "Answer\nttls.q.test. 10 A 192.0.2.31\nttls.q.test. 10 A 192.0.2.32",
    );
    check(
        zone,
        "x.self.q.test A",
        "NoSuchName NXDOMAIN\nauth q.test. 300 SOA a.q.test. b.q.test. 2 2 3 4 5",
    );
}

#[test]
fn the_root_is_a_zone_too() {
    let root = wire::Name::ROOT;
    let text = b"$TTL 60\n. SOA a. b. 1 2 3 4 5\ncom. NS ns.com.\nns.com. A 192.0.2.1\n";
    let source = crate::Source { file: "root", text, origin: root, ttl: None };
    let zone = crate::load(root, source, &mut |_| unreachable!()).unwrap().zone;
    check(
        &zone,
        "www.example.com A",
        "Referral\nauth com. 60 NS ns.com.\nadd ns.com. 60 A 192.0.2.1",
    );
    check(&zone, "org A", "NoSuchName NXDOMAIN\nauth . 60 SOA a. b. 1 2 3 4 5");
    check(&zone, ". SOA", "Answer\n. 60 SOA a. b. 1 2 3 4 5");
}

#[test]
fn all_sets_in_canonical_order() {
    let zone = example(
        "z TXT z
        *.z TXT wild
        a.b TXT deep
        b TXT b
        B A 192.0.2.9",
    );
    let sets: Vec<String> =
        zone.rrsets().map(|set| format!("{} {} {}", set.owner(), set.rtype(), set.len())).collect();
    assert_eq!(
        sets,
        [
            "q.test. SOA 1",
            "q.test. NS 2",
            "b.q.test. A 1",
            "b.q.test. TXT 1",
            "a.b.q.test. TXT 1",
            "ns1.q.test. A 1",
            "ns1.q.test. AAAA 1",
            "z.q.test. TXT 1",
            "*.z.q.test. TXT 1",
        ]
    );
    let records: usize = zone.rrsets().map(|set| set.records().count()).sum();
    assert_eq!((records, zone.record_count(), zone.name_count()), (10, 10, 6));
    let address = zone.find(name("NS1.q.test").as_name(), RecordType::A).unwrap();
    assert_eq!((address.ttl(), address.records().next()), (300, Some(&[192, 0, 2, 1][..])));
    assert!(zone.find(name("x.z.q.test").as_name(), RecordType::TXT).is_none());
}
