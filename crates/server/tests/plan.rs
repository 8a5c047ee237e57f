//! `rutter plan` and `rutter compare`, as an operator runs them.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]
#![expect(clippy::disallowed_methods, reason = "a test has no clock but the real one")]

use std::fmt::Write;
use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use testkit::dns::Client;
use testkit::kubernetes::Condition;
use testkit::{FakeApi, PortBlock, until};

const SOON: Duration = Duration::from_secs(20);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn rutter(folder: &Path, words: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_rutter");
    Command::new(program).args(words).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

/// What it prints, and its exit code.
fn told(folder: &Path, words: &[&str]) -> (String, i32) {
    let Output { status, stdout, stderr } = rutter(folder, words);
    let text = String::from_utf8([stderr, stdout].concat()).unwrap();
    (text, status.code().unwrap())
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// A server that is killed when this is dropped.
struct Served(Child);

impl Served {
    /// Serves a Corefile of `folder` once it answers, by a program with the flags of CoreDNS.
    fn start(program: &Path, folder: &Path, corefile: &str, port: u16) -> Self {
        let mut command = Command::new(program);
        command.args(["-conf", corefile, "-dns.port", &port.to_string()]).current_dir(folder);
        Self::run(command, port)
    }

    /// The same by a command that is made already.
    fn run(mut command: Command, port: u16) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let served = Self(command.spawn().unwrap());
        let mut client = Client::new(port);
        let up = ";; NOERROR aa rd\nup.test. 3600 IN A 10.0.0.9";
        let is_served = until(SOON, || client.expect("up.test A", up).is_ok());
        assert!(is_served, "{command:?} does not serve");
        served
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Every `$ rutter …` of the manual prints what stands there. With `UPDATE_TRANSCRIPTS` set, the
/// manual is written anew.
#[test]
fn the_manual_shows_what_is_printed() {
    let page = root().join("docs/operate/plan.md");
    let folder = root().join("docs/operate/plan");
    let written = fs::read_to_string(&page).unwrap();
    let ports = PortBlock::take().unwrap();
    let address = format!("127.0.0.1:{}", ports.port(0));
    let (data, port) = (served_data(), ports.port(0));
    let _served = Served::start(env!("CARGO_BIN_EXE_rutter").as_ref(), data.path(), "old", port);
    let mut made = String::new();
    let mut parts = written.split("```console\n$ ");
    made.push_str(parts.next().unwrap());
    let mut count = 0;
    for part in parts {
        let (block, rest) = part.split_once("\n```\n").unwrap();
        let command = block.lines().next().unwrap();
        let port = ports.port(0).to_string();
        let real = command.replace("10.96.0.10", &address);
        let mut words: Vec<_> = real.split(' ').skip(1).collect();
        if real != command {
            words.extend(["-p", &port]);
        }
        let printed = told(&folder, &words).0.replace(&address, "10.96.0.10");
        let printed = printed.replace(&format!(":{port}"), ":53");
        write!(made, "```console\n$ {command}\n{}\n```\n{rest}", printed.trim_end()).unwrap();
        count += 1;
    }
    assert_eq!(count, 5, "transcripts of the manual");
    let update = std::env::var_os("UPDATE_TRANSCRIPTS").is_some();
    if update {
        fs::write(&page, &made).unwrap();
    }
    assert!(update || made == written, "set UPDATE_TRANSCRIPTS to write the manual anew:\n{made}");
}

/// The old Corefile of the manual, to be served on any port by who has no cluster.
fn served_data() -> tempfile::TempDir {
    let manual = fs::read_to_string(root().join("docs/operate/plan/old.Corefile")).unwrap();
    let start = manual.find("    hosts ").unwrap();
    let end = manual.find("    kubernetes").unwrap();
    let hosts = manual[start..end].replace("        fallthrough", "        10.0.0.9 up.test");
    let hosts = hosts.replace("company.hosts", "/dev/null");
    folder(&[("old", &format!(". {{\n{hosts}}}\n"))])
}

#[test]
fn nothing_is_sent_unless_it_is_asked_for() {
    let upstream = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap();
    let block = |zone: &str, more: &str| format!("{zone} {{\n forward . {address}\n{more}}}\n");
    let files = folder(&[
        ("old", &block(".", "")),
        ("new", &block("test", " loop\n cache { prefetch 1 }\n")),
    ]);
    let (text, code) = told(files.path(), &["plan", "old", "new", "--expect-none", "a.test"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains(&format!("asks forward to {address}   [forward, line 2]")), "{text}");
    assert!(!text.contains("a.test. A"), "it would be sent to the same server\n{text}");
    upstream.set_nonblocking(true).unwrap();
    let mut octets = [0; 512];
    assert!(upstream.recv(&mut octets).is_err(), "a question was sent");
    // Nobody answers; that it was asked is enough.
    let words = ["plan", "old", "new", "--only", "a.test", "A", "--ask"];
    let (text, code) = told(files.path(), &words);
    assert_eq!((text.as_str(), code), ("No answer changes; 1 question has the same answer.\n", 0));
    assert!(upstream.recv(&mut octets).is_ok(), "no question was sent");
}

#[test]
fn an_alias_to_elsewhere_is_compared_though_nobody_is_asked() {
    let zone =
        "$TTL 60\n@ SOA ns root 1 2 3 4 5\n@ NS ns\na CNAME www.one.example.\nb CNAME x.example.\n";
    let corefile = |file: &str| format!(". {{\n file {file} test\n forward . 192.0.2.1\n}}\n");
    let other = zone.replace("one", "two");
    let files = folder(&[
        ("one.zone", zone),
        ("two.zone", &other),
        ("old", &corefile("one.zone")),
        ("new", &corefile("two.zone")),
    ]);
    let text =
        told(files.path(), &["plan", "old", "new", "--only", "a.test", "A", "b.test", "A"]).0;
    let expected = "--- old\n+++ new\n\n\
        a.test. A\n\
        \x20 - CNAME www.one.example., then asks forward to 192.0.2.1   [file, line 2; forward, line 3]\n\
        \x20 + CNAME www.two.example., then asks forward to 192.0.2.1   [file, line 2; forward, line 3]\n\n\
        1 answer changes; 1 question has the same answer.\n";
    assert_eq!(text, expected);
}

#[test]
fn a_rewritten_question_goes_elsewhere() {
    let corefile =
        |to: &str| format!(". {{\n rewrite name a.test {to}.test\n forward . 192.0.2.1\n}}\n");
    let files = folder(&[("old", &corefile("b")), ("new", &corefile("c"))]);
    let (text, _) = told(files.path(), &["plan", "old", "new"]);
    assert!(text.contains("+ asks forward to 192.0.2.1 for c.test. A "), "{text}");
}

#[test]
fn a_question_that_may_be_handed_over_goes_to_several() {
    let corefile = |second: &str| {
        format!(
            ". {{\n forward . 192.0.2.2 192.0.2.1 {{\n next NXDOMAIN\n }}\n forward . {second}\n}}\n"
        )
    };
    let files = folder(&[("old", &corefile("192.0.2.3")), ("new", &corefile("192.0.2.4"))]);
    let (text, _) = told(files.path(), &["plan", "old", "new"]);
    let expected = "- asks forward to 192.0.2.1 192.0.2.2, then 192.0.2.3   [forward, line 2]\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let files = folder(&[("C", ". {\n hosts nowhere\n}\n")]);
    let (text, code) = told(files.path(), &["plan", "C", "C"]);
    assert!(
        code == 0 && text.starts_with("warning: C: plugin/hosts: File does not exist: "),
        "{text}"
    );
}

#[test]
fn a_port_that_nobody_listens_on_any_more_is_a_change() {
    let files = folder(&[
        ("old", "a.test:53 b.test:54 {\n whoami\n}\n"),
        ("new", "a.test:53 {\n whoami\n}\n"),
    ]);
    let (text, _) = told(files.path(), &["plan", "old", "new", "--only", "b.test", "A"]);
    assert!(text.contains("b.test. A at [::]:54\n"), "{text}");
    assert!(text.contains("+ nobody listens\n"), "{text}");
    assert!(!text.contains("at [::]:53"), "{text}");
}

#[test]
fn who_listens_everywhere_listens_at_each_address() {
    let files = folder(&[
        ("old", "a.test {\n whoami\n}\n"),
        ("new", "a.test {\n bind 127.0.0.2\n whoami\n}\n"),
    ]);
    let (text, _) = told(files.path(), &["plan", "old", "new", "--only", "a.test", "A"]);
    assert!(text.contains("a.test. A at [::]:53\n"), "{text}");
    assert!(text.contains("1 answer changes; 1 question has the same answer."), "{text}");
}

#[test]
fn silence_and_ttls_are_compared_when_they_count() {
    let corefile = |ttl: u32, acl: &str| {
        format!("test {{\n {acl}\n hosts {{\n  10.0.0.1 a.test\n  ttl {ttl}\n }}\n}}\n")
    };
    let (old, new) = (corefile(5, ""), corefile(300, ""));
    let silent = corefile(5, "acl {\n drop net 10.0.0.0/8\n }");
    let files = folder(&[("old", &old), ("new", &new), ("silent", &silent)]);
    let ask = |new: &str, more: &[&str]| {
        let words = [&["plan", "old", new, "--only", "a.test", "A"], more].concat();
        told(files.path(), &words).0
    };
    let same = "No answer changes; 1 question has the same answer.\n";
    assert_eq!(ask("new", &[]), same);
    assert!(ask("new", &["--ttl"]).contains("+ NOERROR (up to an hour) A 10.0.0.1"));
    assert_eq!(ask("silent", &[]), same);
    assert!(ask("silent", &["--from", "10.1.2.3"]).contains("+ dropped   [acl, line 2]"));
}

#[test]
fn all_mistakes_of_both_sides_are_shown() {
    let files = folder(&[
        ("old", ". {\n foo\n bar\n}\n"),
        ("new", ". {\n forward\n}\n"),
        ("good", ". {\n whoami\n}\n"),
        ("list", "a.test\nb.test NOTYPE\n"),
    ]);
    let (text, code) = told(files.path(), &["plan", "old", "new"]);
    assert_eq!(code, 1);
    for wrong in ["old:2:2", "old:3:2", "new:2:2"] {
        assert!(text.contains(wrong), "{wrong}: {text}");
    }
    for (words, code, expected) in [
        (&["plan", "good", "good", "--questions", "list"][..], 2, "list:2: expected a name"),
        (&["plan", "good", "good", "--only"], 2, "--only needs questions"),
        (&["plan", "good", "good", "a..b"], 2, "`a..b` is no question"),
        (&["plan", "good", "good", "--manifests", "list"], 2, "list is no directory"),
        (&["plan", "-", "good", "--log", "-"], 2, "standard input can be only one"),
        (&["plan", "good"], 2, "<NEW>"),
        (&["plan", "good", "missing"], 1, "cannot read missing"),
        (
            &["compare", "--with", "127.0.0.1:9", "good", "-p", "9"],
            3,
            "127.0.0.1:9 does not answer",
        ),
    ] {
        let told = told(files.path(), words);
        assert!(told.1 == code && told.0.contains(expected), "{words:?}: {told:?}");
    }
}

#[test]
fn many_questions_do_not_take_long() {
    let hosts = |last: u32| {
        let mut text = String::from("test {\n hosts {\n");
        for index in 0..12_000 {
            let changed = if index % 100 == 0 { last } else { 1 };
            let (high, low) = (index / 250, index % 250);
            writeln!(text, "  10.{high}.{low}.{changed} h{index}.z{high}.test").unwrap();
        }
        text + "  fallthrough\n }\n whoami\n}\n"
    };
    let files = folder(&[("old", &hosts(1)), ("new", &hosts(2))]);
    let begun = Instant::now();
    let (text, code) = told(files.path(), &["plan", "old", "new", "--max", "40000"]);
    assert_eq!(code, 0);
    // 120 addresses are others, and so 240 names of addresses, as far as they are asked for.
    assert!(text.contains("120 names at or below test. (120 questions)"), "{text}");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    let summary = text.lines().find(|line| line.contains("the same answer")).unwrap();
    let numbers = summary.split(' ').filter_map(|word| word.parse::<u32>().ok());
    assert_eq!(numbers.sum::<u32>(), 40_000, "{summary}");
}

/// Two servers of one Corefile, and one whose Corefile is another, compared with what is built here.
fn compare_with(program: &Path) {
    let ports = PortBlock::take().unwrap();
    let (upstream, port) = (ports.port(1), ports.port(0).to_string());
    let zone = "@ 60 SOA ns root 1 2 3 4 5\n@ 60 NS ns\nns 60 A 10.0.0.53\n\
        a 60 A 10.0.0.1\na 60 A 10.0.0.2\n*.w 60 TXT \"Wild\"\nalias 60 CNAME A\n\
        sub 60 NS ns.sub\nns.sub 60 A 10.0.0.54\n";
    let big: String = (0..200).map(|index| format!("big 60 A 10.1.0.{index}\n")).collect();
    let outer = "out.example {\n hosts {\n 10.0.0.77 x.out.example\n fallthrough\n }\n}\n\
        up.test {\n hosts {\n 10.0.0.9 up.test\n }\n}\n";
    let corefile = |zone: &str| {
        format!(
            "test {{\n file {zone}\n loadbalance\n}}\nup.test {{\n hosts {{\n 10.0.0.9 up.test\n }}\n}}\n\
             out.example {{\n forward . 127.0.0.1:{upstream}\n cache\n}}\n"
        )
    };
    let other = zone.replace("10.0.0.2", "10.0.0.3");
    let files = folder(&[
        ("zone", &format!("{zone}{big}")),
        ("other.zone", &format!("{other}{big}")),
        ("outer", outer),
        ("same", &corefile("zone")),
        ("other", &corefile("other.zone")),
    ]);
    let ours = Path::new(env!("CARGO_BIN_EXE_rutter"));
    let _upstream = Served::start(ours, files.path(), "outer", upstream);
    let _server = Served::start(program, files.path(), "same", ports.port(0));
    let with = format!("127.0.0.1:{port}");
    let ask = |new: &str, more: &[&str]| {
        let words =
            ["compare", "--with", &with, new, "-p", &port, "x.out.example", "--expect-none"];
        told(files.path(), &[&words, more].concat())
    };
    let (text, code) = ask("same", &[]);
    assert!(code == 0 && text.starts_with("No answer changes; "), "{text}");
    let (text, code) = ask("same", &["--offline"]);
    assert!(code == 0 && text.contains("whose answers only other servers know"), "{text}");
    let (text, code) = ask("other", &[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("- NOERROR A 10.0.0.1, A 10.0.0.2\n"), "{text}");
    assert!(text.contains("+ NOERROR A 10.0.0.1, A 10.0.0.3   [file, line 2]\n"), "{text}");
    assert!(text.contains("2 answers change; "), "the name and its alias: {text}");
}

#[test]
fn a_running_server_is_compared() {
    compare_with(env!("CARGO_BIN_EXE_rutter").as_ref());
}

#[test]
#[ignore = "needs CoreDNS: `cargo xtask peers coredns`"]
fn coredns_is_compared() {
    compare_with(&root().join("target/peers/coredns"));
}

/// A cluster with a service of each kind that has names, and an ingress.
const OBJECTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.1
  clusterIPs: [10.96.0.1]
  ports: [{name: http, port: 80, protocol: TCP}]
status: {loadBalancer: {ingress: [{ip: 203.0.113.1}]}}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, ports: [{name: sql, port: 5432, protocol: TCP}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
endpoints: [{addresses: [10.244.0.1], conditions: {ready: true}, hostname: db-0}]
ports: [{name: sql, port: 5432, protocol: TCP}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: shop}
spec: {rules: [{host: shop.company.test}]}
status: {loadBalancer: {ingress: [{ip: 203.0.113.2}]}}
";

#[test]
fn what_every_plugin_knows_is_asked() {
    let zone = "@ SOA ns root 1 2 3 4 5\n@ NS ns\nmail MX 10 a\n*.w A 10.0.0.1\n";
    let new = ". {\n rewrite name exact old.rule.test new.test\n rewrite name suffix .far.test .near.test\n \
        hosts {\n  10.0.0.8 h.hosts.test\n  fallthrough\n }\n \
        k8s_gateway company.test {\n  fallthrough\n }\n k8s_external outside.test\n \
        kubernetes cluster.local\n file zone zone.test\n forward named.test 192.0.2.2 {\n except but.named.test\n }\n}\n\
        block.test {\n auto {\n directory zones\n }\n}\n";
    let files = folder(&[("zone", zone), ("old", ". {\n forward . 192.0.2.1\n}\n"), ("new", new)]);
    for (directory, name, text) in
        [("cluster", "objects.yaml", OBJECTS), ("zones", "db.auto.block.test", zone)]
    {
        fs::create_dir(files.path().join(directory)).unwrap();
        fs::write(files.path().join(directory).join(name), text).unwrap();
    }
    let words = ["plan", "old", "new", "--manifests", "cluster", "--each"];
    let (text, code) = told(files.path(), &words);
    assert_eq!(code, 0, "{text}");
    for question in [
        "old.rule.test. A",
        "name.far.test. A",
        "h.hosts.test. AAAA",
        "8.0.0.10.in-addr.arpa. PTR",
        "shop.company.test. A",
        "web.shop.outside.test. A",
        "web.shop.svc.cluster.local. A",
        "_http._tcp.web.shop.svc.cluster.local. SRV",
        "db-0.db.shop.svc.cluster.local. A",
        "10-0-0-255.default.pod.cluster.local. A",
        "mail.zone.test. MX",
        "no-such-name.w.zone.test. A",
        "no-such-name.zone.test. A",
        "named.test. A",
        "but.named.test. A",
        "block.test. SOA",
        "mail.auto.block.test. MX",
    ] {
        assert!(text.contains(&format!("\n\n{question}\n")), "{question} is not asked:\n{text}");
    }
}

#[test]
fn a_cluster_comes_from_the_api_server_or_from_a_snapshot() {
    let mut api = FakeApi::start(0).unwrap();
    api.apply(OBJECTS).unwrap();
    let url = api.url();
    let serves = "up.test {\n hosts {\n 10.0.0.9 up.test\n }\n}\n";
    let new = format!("cluster.local {{\n kubernetes {{\n endpoint {url}\n }}\n}}\n{serves}");
    let files = folder(&[("old", serves), ("new", &new)]);
    let plan = |more: &[&str]| {
        let question = ["plan", "old", "new", "--only", "web.shop.svc.cluster.local", "A"];
        told(files.path(), &[&question, more].concat())
    };
    let expected = "+ NOERROR A 10.96.0.1   [kubernetes, line 2]\n";
    let (text, code) = plan(&[]);
    assert!(code == 0 && text.contains(expected), "{text}");

    let ports = PortBlock::take().unwrap();
    let state = files.path().join("state");
    let mut command = Command::new(env!("CARGO_BIN_EXE_rutter"));
    command.args(["-conf", "new", "-state-dir", "state", "-state-interval", "1s"]);
    command.args(["-dns.port", &ports.port(0).to_string()]).current_dir(files.path());
    let served = Served::run(command, ports.port(0));
    let snapshots = || {
        let entries = fs::read_dir(&state).into_iter().flatten().flatten();
        entries.filter(|it| it.path().extension().is_some_and(|it| it == "snapshot")).count()
    };
    assert!(until(SOON, || snapshots() == 1));
    drop(served);
    api.set(Condition::Down).unwrap();
    let (text, code) = plan(&["--state-dir", "state"]);
    assert!(code == 0 && text.contains(expected), "{text}");
    assert_eq!(snapshots(), 1);

    fs::create_dir(files.path().join("empty")).unwrap();
    let (text, code) = plan(&["--state-dir", "empty"]);
    assert!(code == 3 && text.contains("empty/kubernetes-"), "{text}");
    assert_eq!(fs::read_dir(files.path().join("empty")).unwrap().count(), 0, "nothing is written");
    let (text, code) = plan(&["--timeout", "1"]);
    assert!(code == 3 && text.contains("new: not ready after 1s: kubernetes"), "{text}");
}

#[test]
#[ignore = "needs CoreDNS: `cargo xtask peers coredns`"]
fn a_cluster_behind_coredns_is_compared() {
    let api = FakeApi::start(0).unwrap();
    api.apply(OBJECTS).unwrap();
    let corefile = format!(
        "up.test {{\n hosts {{\n 10.0.0.9 up.test\n }}\n}}\n. {{\n kubernetes cluster.local in-addr.arpa ip6.arpa {{\n \
         endpoint {}\n pods insecure\n }}\n cache 30\n}}\n",
        api.url()
    );
    let (files, ports) = (folder(&[("Corefile", &corefile)]), PortBlock::take().unwrap());
    let (coredns, port) = (root().join("target/peers/coredns"), ports.port(0));
    let _server = Served::start(&coredns, files.path(), "Corefile", port);
    let (with, port) = (format!("127.0.0.1:{port}"), port.to_string());
    let words = ["compare", "--with", &with, "Corefile", "-p", &port, "--each"];
    let (text, _) = told(files.path(), &words);
    let changes = text.matches("\n  - ").count();
    // A name with other types, or with names below, exists here (RFC 8020).
    let denied = "- NXDOMAIN, denied by cluster.local.\n  + no data, denied by cluster.local.   [";
    assert_eq!((changes, text.matches(denied).count()), (4, 4), "{text}");
    assert!(!text.contains("\n0 questions have"), "{text}");
}
