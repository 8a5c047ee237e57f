//! Corefiles of 2018. CoreDNS 1.14.7 refuses most of them, or reads something else.

use super::{KNOWN, World, outline};
use corefile::{Mistakes, Parsed, Severity, check_directives, modernise, parse};

fn renewed(text: &str) -> (Parsed, Mistakes) {
    let mut parsed = parse("/etc/coredns/Corefile", text.as_bytes(), &World::default());
    assert!(parsed.mistakes.is_empty(), "{:?}", parsed.mistakes);
    let mut mistakes = modernise(&mut parsed.blocks);
    mistakes.append(check_directives(&parsed.blocks, KNOWN));
    (parsed, mistakes)
}

/// The directives in a server block of 2018, and what they are today.
#[track_caller]
fn today(old: &str, new: &str, warnings: usize) {
    let (parsed, mistakes) = renewed(&format!(". {{\n{old}\n}}\n"));
    let shown = mistakes.render(&parsed.sources, false);
    assert_eq!(outline(&parsed.blocks), format!(". | {new}"), "{shown}");
    assert_eq!((mistakes.errors(), mistakes.warnings()), (0, warnings), "{shown}");
    assert!(mistakes.iter().all(|mistake| !mistake.help.is_empty()));
}

/// What Kubernetes shipped, with what people added.
const OF_2018: &str = "\
.:53 {
    errors
    health
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        upstream
        fallthrough in-addr.arpa ip6.arpa
    }
    prometheus :9153
    proxy . /etc/resolv.conf
    cache 30
    loop
    reload
    loadbalance
    hosts {
        123.59.59.33 some-api.company.com
        fallthrough
    }
    file /etc/coredns/company.db company.com {
        upstream
    }
}
";

#[test]
fn the_corefile_of_2018_becomes_one_of_today() {
    let (parsed, mistakes) = renewed(OF_2018);
    assert_eq!(mistakes.errors(), 0);
    assert_eq!(
        outline(&parsed.blocks),
        ".:53 | errors; health; \
         kubernetes cluster.local in-addr.arpa ip6.arpa {pods insecure; fallthrough in-addr.arpa ip6.arpa}; \
         prometheus :9153; forward . /etc/resolv.conf; cache 30; loop; reload; loadbalance; \
         hosts {123.59.59.33 some-api.company.com; fallthrough}; file /etc/coredns/company.db company.com"
    );
    insta::assert_snapshot!(mistakes.render(&parsed.sources, false));
}

#[test]
fn proxy_is_forward() {
    today("proxy . 10.0.0.1 10.0.0.2:53", "forward . 10.0.0.1 10.0.0.2:53", 1);
    today(
        "proxy . a {\n policy round_robin\n except x y\n}",
        "forward . a {policy round_robin; except x y}",
        1,
    );
    today("proxy . a {\n policy first\n}", "forward . a {policy sequential}", 2);
    today("proxy . a {\n policy least_conn\n}", "forward . a {policy random}", 2);
    today("proxy . a {\n fail_timeout 5s\n max_fails 3\n spray\n}", "forward . a", 4);
    today("proxy . a {\n max_fails 0\n}", "forward . a {max_fails 0}", 1);
    today("proxy . a {\n health_check /health:8080\n}", "forward . a", 2);
    today("proxy . a {\n health_check /health:8080 10s\n}", "forward . a {health_check 10s}", 2);
    today("proxy . a {\n protocol dns\n}", "forward . a", 2);
    today("proxy . a {\n protocol dns force_tcp\n}", "forward . a {force_tcp}", 2);
    today(
        "proxy . 1.2.3.4 {\n protocol https_google bootstrap 8.8.8.8\n policy random\n}",
        "forward . tls://8.8.8.8 tls://8.8.4.4 {tls_servername dns.google; policy random}",
        2,
    );
    today("proxy . a {\n protocol grpc insecure\n spray\n}", "grpc . a", 3);
    today("proxy . a {\n protocol grpc cert key ca\n}", "grpc . a {tls cert key ca}", 2);
    today("proxy . a\nproxy x b", "forward . a; forward x b", 2);
}

#[test]
fn lines_of_kubernetes() {
    today(
        "kubernetes a.test {\n upstream 10.0.0.1\n resyncperiod 5m\n ttl 5\n}",
        "kubernetes a.test {ttl 5}",
        2,
    );
    today(
        "kubernetes a.test {\n cidrs 10.0.0.0/24 10.1.0.0/24\n}",
        "kubernetes a.test 10.0.0.0/24 10.1.0.0/24",
        1,
    );
    today(
        "kubernetes a.test {\n endpoint http://a http://b\n}",
        "kubernetes a.test {endpoint http://a}",
        1,
    );
    today(
        "kubernetes a.test b.test {\n transfer to *\n}\nlog",
        "kubernetes a.test b.test; transfer a.test b.test {to *}; log",
        1,
    );
    today("kubernetes {\n}", "kubernetes {}", 0);
}

#[test]
fn lines_of_zones() {
    today(
        "file db a.test {\n transfer to 10.0.0.1\n transfer to 10.0.0.2 10.0.0.3\n no_reload\n}",
        "file db a.test {reload 0}; transfer a.test {to 10.0.0.1; to 10.0.0.2 10.0.0.3}",
        3,
    );
    today(
        "file db {\n upstream /etc/resolv.conf\n transfer to *\n}",
        "file db; transfer {to *}",
        2,
    );
    today(
        "auto a.test {\n directory /etc (.*) {1} 30\n no_reload\n}",
        "auto a.test {directory /etc (.*) {1}; reload 30s; reload 0}",
        2,
    );
    today("auto {\n directory /etc (.*) {1} 1m\n}", "auto {directory /etc (.*) {1}; reload 1m}", 1);
    today(
        "secondary a.test {\n transfer from 10.0.0.1\n transfer to *\n upstream\n}",
        "secondary a.test {transfer from 10.0.0.1}; transfer a.test {to *}",
        2,
    );
    today("template IN A {\n upstream\n answer x\n}", "template IN A {answer x}", 1);
    today("etcd a.test {\n stubzones\n upstream\n debug\n path /x\n}", "etcd a.test {path /x}", 3);
}

#[test]
fn other_directives() {
    today("errors stdout", "errors", 1);
    today("errors stderr", "errors", 1);
    today("log stdout", "log", 1);
    today("log . stdout", "log .", 1);
    today("log a.test /var/log/dns \"{remote} {type}\"", "log a.test \"{remote} {type}\"", 1);
    today("log a.test b.test", "log a.test b.test", 0);
    today("log 10.0.0.0/8 {\n class error\n}", "log 10.0.0.0/8 {class error}", 0);
    today("startup /bin/x y &\nshutdown /bin/z", "on startup /bin/x y &; on shutdown /bin/z", 2);
    today(
        "header {\n set ra\n clear aa\n response set rd\n}",
        "header {response set ra; response clear aa; response set rd}",
        2,
    );
}

#[test]
fn what_has_no_word_today_is_an_error() {
    let (parsed, mistakes) = renewed(
        ". {\n federation a.test {\n prod b.test\n upstream\n}\n reverse 10.0.0.0/8 {\n hostname x\n}\n whoami\n}\n",
    );
    assert_eq!(outline(&parsed.blocks), ". | whoami");
    assert_eq!((mistakes.errors(), mistakes.warnings()), (2, 0));
    insta::assert_snapshot!(mistakes.render(&parsed.sources, false));
}

/// Appendix A of the specification: today's own Corefiles stay what they are.
#[test]
fn corefiles_of_today_are_left_alone() {
    let text = ".:53 {\n errors\n health {\n lameduck 5s\n }\n ready\n kubernetes cluster.local in-addr.arpa ip6.arpa {\n pods insecure\n \
        fallthrough in-addr.arpa ip6.arpa\n ttl 30\n }\n prometheus :9153\n forward . /etc/resolv.conf {\n max_concurrent 1000\n policy random\n \
        health_check 5s\n }\n cache 30 {\n denial 9984 5\n }\n loop\n reload\n loadbalance\n header {\n response set ra\n }\n \
        transfer a.test {\n to *\n }\n secondary a.test {\n transfer from 10.0.0.1\n }\n on startup x\n log . {combined}\n}\n";
    let (parsed, mistakes) = renewed(text);
    assert!(mistakes.is_empty(), "{}", mistakes.render(&parsed.sources, false));
    let before = parse("Corefile", text.as_bytes(), &World::default());
    assert_eq!(before.blocks, parsed.blocks);
    assert!(mistakes.iter().all(|mistake| mistake.severity == Severity::Warning));
}

#[test]
fn every_old_word_has_its_modern_line_in_the_message() {
    let text = ". {\n proxy . 10.0.0.1 {\n policy least_conn\n health_check /health:80 4s\n spray\n }\n \
        kubernetes a.test {\n transfer to 10.0.0.1\n cidrs 10.0.0.0/8\n }\n auto {\n directory /zones (.*) {1} 30\n }\n log stdout\n startup /bin/x\n}\n";
    let (parsed, mistakes) = renewed(text);
    insta::assert_snapshot!(mistakes.render(&parsed.sources, false));
}
