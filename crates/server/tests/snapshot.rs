//! Restarts with and without an API server: what a process leaves for the next one.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]
#![expect(clippy::disallowed_methods, reason = "a test has no clock but the real one")]

use rustix::process::Signal;
use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use testkit::dns::Client;
use testkit::kubernetes::Condition;
use testkit::{FakeApi, PortBlock, Process, http, until};

/// How long anything may take until it is so.
const PATIENCE: Duration = Duration::from_secs(20);

const NAMESPACES: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: kube-system}
---
";

/// A service with this address.
fn service(name: &str, address: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop, labels: {{a: b}}}}\n\
         spec: {{clusterIP: {address}, ports: [{{port: 80, name: http}}]}}\n---\n"
    )
}

/// An API server, a folder for a Corefile and for state, and ports.
struct World {
    api: FakeApi,
    folder: TempDir,
    ports: PortBlock,
    client: Client,
    /// The directory for state, if it is not in the folder.
    state: PathBuf,
    interval: &'static str,
}

impl World {
    fn new(interval: &'static str) -> Self {
        let (folder, ports) = (tempfile::tempdir().unwrap(), PortBlock::take().unwrap());
        let api = FakeApi::start(0).unwrap();
        api.apply(NAMESPACES).unwrap();
        api.apply(&service("web", "10.0.0.1")).unwrap();
        let (client, state) = (Client::new(ports.port(0)), folder.path().join("state"));
        let world = Self { api, folder, ports, client, state, interval };
        world.write_corefile("");
        world
    }

    fn write_corefile(&self, more: &str) {
        let text = format!(
            "cluster.local {{\n    kubernetes {{\n        endpoint {}\n        startup_timeout 300ms\n    }}\n    \
             ready 127.0.0.1:{}\n    prometheus 127.0.0.1:{}\n}}\n{more}",
            self.api.url(),
            self.ports.port(1),
            self.ports.port(2),
        );
        fs::write(self.folder.path().join("Corefile"), text).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new("/bin/sh");
        command.current_dir(self.folder.path()).env_clear();
        // A file that may not grow is an error, and not the end of the process.
        command
            .args(["-c", "trap '' XFSZ; ulimit -f $LIMIT; exec \"$@\"", "sh"])
            .env("LIMIT", "unlimited");
        command.arg(env!("CARGO_BIN_EXE_rutter"));
        command.args(["-conf", "Corefile", "-dns.port", &self.ports.port(0).to_string()]);
        command.arg("-state-dir").arg(&self.state).args(["-state-interval", self.interval]);
        command
    }

    fn start(&self) -> Process {
        Process::start(self.command()).unwrap()
    }

    fn has_address(&mut self, name: &str, address: &str) -> bool {
        let reply = format!(";; NOERROR aa rd\n{name}.shop.svc.cluster.local. 5 IN A {address}");
        self.client.expect(&format!("{name}.shop.svc.cluster.local A"), &reply).is_ok()
    }

    fn fails(&mut self, name: &str, code: &str) -> bool {
        let question = format!("{name}.shop.svc.cluster.local A");
        self.client.expect(&question, &format!(";; {code} rd\n…")).is_ok()
            || self.client.expect(&question, &format!(";; {code} aa rd\n;; AUTHORITY\n…")).is_ok()
    }

    fn metric(&self, line: &str) -> bool {
        self.page(2, "/metrics").is_some_and(|text| text.lines().any(|it| it.starts_with(line)))
    }

    fn is_ready(&self) -> bool {
        self.page(1, "/ready").is_some_and(|text| text == "OK")
    }

    fn page(&self, port: u16, path: &str) -> Option<String> {
        let address = SocketAddr::from(([127, 0, 0, 1], self.ports.port(port)));
        http::get(address, path).ok().map(|response| response.body)
    }

    fn state_files(&self, end: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.state).into_iter().flatten().map(|entry| entry.unwrap());
        let paths = entries.map(|entry| entry.path());
        paths.filter(|path| path.is_file() && path.display().to_string().ends_with(end)).collect()
    }

    /// Runs until a snapshot says that `web` has this address, and is killed.
    fn leave_snapshot(&mut self, address: &str) {
        let process = self.start();
        let is_written = until(PATIENCE, || {
            self.state_files(".snapshot")
                .iter()
                .any(|path| fs::read_to_string(path).unwrap().contains(address))
        });
        assert!(is_written, "{:#?}", process.lines());
    }
}

fn assert_soon(process: &Process, what: &str, is_so: impl FnMut() -> bool) {
    assert!(until(PATIENCE, is_so), "not so: {what}: {:#?}", process.lines());
}

fn logs(process: &Process, pattern: &str) -> bool {
    process.find_line(0, pattern, Instant::now() + PATIENCE).is_some()
}

#[test]
fn a_restart_without_the_api_answers_and_catches_up_later() {
    let mut world = World::new("20ms");
    world.api.apply(&service("old", "10.0.0.2")).unwrap();
    world.leave_snapshot("10.0.0.2");
    world.api.set(Condition::Down).unwrap();

    let process = world.start();
    assert_soon(&process, "it answers", || world.has_address("web", "10.0.0.1"));
    assert!(world.is_ready());
    assert!(world.has_address("old", "10.0.0.2") && world.fails("new", "NXDOMAIN"));
    assert!(logs(
        &process,
        "…WARN…the Kubernetes API does not answer: serving 4 objects of …s old"
    ));
    assert!(world.metric("rutter_kubernetes_snapshot_serving{file=\"kubernetes-"));
    assert!(world.metric("rutter_kubernetes_snapshot_age_seconds{file=\"kubernetes-"));
    let serving = |world: &World, value| {
        let text = world.page(2, "/metrics").unwrap_or_default();
        text.lines().any(|line| {
            line.starts_with("rutter_kubernetes_snapshot_serving{") && line.ends_with(value)
        })
    };
    assert!(serving(&world, " 1"));

    world.api.delete(&service("old", "10.0.0.2")).unwrap();
    world.api.apply(&service("new", "10.0.0.3")).unwrap();
    world.api.set(Condition::Up).unwrap();
    assert_soon(&process, "it catches up", || {
        assert!(world.has_address("web", "10.0.0.1"), "answers never go");
        world.has_address("new", "10.0.0.3") && world.fails("old", "NXDOMAIN")
    });
    assert_soon(&process, "it says so", || serving(&world, " 0"));
    assert!(logs(&process, "…the snapshot is not served any more"));
    assert_soon(&process, "the next snapshot follows", || {
        let path = &world.state_files(".snapshot")[0];
        fs::read_to_string(path).unwrap().contains("10.0.0.3")
    });
}

#[test]
fn an_api_that_answers_counts_more() {
    let mut world = World::new("1h");
    let mut process = world.start();
    assert_soon(&process, "it answers", || world.has_address("web", "10.0.0.1"));
    process.signal(Signal::TERM).unwrap();
    process.wait(Instant::now() + PATIENCE).unwrap();
    world.api.apply(&service("web", "10.0.0.2")).unwrap();
    // On a machine that is busy the API server may seem to be away, but not each time.
    let is_fresh = (0..5).any(|_| {
        let process = world.start();
        assert_soon(&process, "it answers", || {
            world.has_address("web", "10.0.0.1") || world.has_address("web", "10.0.0.2")
        });
        process.find_line(0, "…serving * objects of the snapshot…", Instant::now()).is_none()
            && world.has_address("web", "10.0.0.2")
    });
    assert!(is_fresh);
}

#[test]
fn what_cannot_be_used_costs_nothing_but_a_message() {
    let mut world = World::new("20ms");
    world.leave_snapshot("10.0.0.1");
    let path = world.state_files(".snapshot").remove(0);
    let good = fs::read(&path).unwrap();
    world.api.set(Condition::Down).unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    let foreign = text.replace("settings\":\"endpoint", "settings\":\"elsewhere");
    for (octets, message, reason) in [
        (good[..good.len() - 1].to_vec(), "…it is damaged…", "damaged"),
        (text.replace("10.0.0.1", "10.0.0.9").into_bytes(), "…it is damaged…", "damaged"),
        (b"hello".to_vec(), "…does not begin with…", "damaged"),
        (text.replacen("snapshot 1", "snapshot 2", 1).into_bytes(), "…it has format 2…", "format"),
        (sealed(&foreign), "…it is of `elsewhere…", "foreign"),
    ] {
        fs::write(&path, octets).unwrap();
        let process = world.start();
        assert!(logs(&process, &format!("…{}…", path.file_name().unwrap().display())));
        assert!(logs(&process, message), "{message}: {:#?}", process.lines());
        assert_soon(&process, "it serves, unsynced", || world.fails("web", "SERVFAIL"));
        assert!(!world.is_ready());
        let counter = "rutter_kubernetes_snapshots_refused_total";
        assert!(world.metric(&format!("{counter}{{reason=\"{reason}\"}} 1")));
        assert_eq!(world.state_files(""), world.state_files(""), "nothing comes or goes");
    }
    fs::write(&path, good).unwrap();
    let process = world.start();
    assert_soon(&process, "the good one serves", || world.has_address("web", "10.0.0.1"));
}

/// The same with the right length and digest at its end.
fn sealed(text: &str) -> Vec<u8> {
    let body = &text[..text.rfind("end ").unwrap()];
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
    let mut sealed = format!("{body}end {:020} ", body.len());
    for octet in digest.as_ref() {
        write!(sealed, "{octet:02x}").unwrap();
    }
    (sealed + "\n").into_bytes()
}

#[test]
fn another_cluster_at_the_same_address_is_noticed() {
    let mut world = World::new("20ms");
    world.leave_snapshot("10.0.0.1");
    let path = world.state_files(".snapshot").remove(0);
    let text = fs::read_to_string(&path).unwrap();
    let (before, behind) = text.split_once("\"cluster\":\"").unwrap();
    let uid = behind.split('"').next().unwrap();
    fs::write(&path, sealed(&text.replacen(uid, "another", 1))).unwrap();
    assert!(!before.contains(uid));
    world.api.set(Condition::Down).unwrap();
    let process = world.start();
    assert_soon(&process, "it answers", || world.has_address("web", "10.0.0.1"));
    world.api.deny("services").unwrap();
    world.api.set(Condition::Up).unwrap();
    let dropped = logs(&process, "…the snapshot is of another cluster, and dropped…another…");
    assert!(dropped, "{:#?}", process.lines());
    assert_soon(&process, "nothing is left of it", || world.fails("web", "SERVFAIL"));
    assert!(!world.is_ready());
    world.api.allow("services").unwrap();
    assert_soon(&process, "the new one is answered", || world.has_address("web", "10.0.0.1"));
    let counter = "rutter_kubernetes_snapshots_refused_total{reason=\"foreign\"} 1";
    assert_soon(&process, "it is counted", || world.metric(counter));
}

#[test]
fn an_old_snapshot_denies_nothing() {
    let mut world = World::new("20ms");
    world.leave_snapshot("10.0.0.1");
    let path = world.state_files(".snapshot").remove(0);
    let text = fs::read_to_string(&path).unwrap();
    let (before, behind) = text.split_once("\"taken\":").unwrap();
    let rest = behind.trim_start_matches(|octet: char| octet.is_ascii_digit());
    fs::write(&path, sealed(&format!("{before}\"taken\":1700000000{rest}"))).unwrap();
    world.api.set(Condition::Down).unwrap();
    let process = world.start();
    assert_soon(&process, "what it knows is answered", || world.has_address("web", "10.0.0.1"));
    assert!(world.fails("new", "SERVFAIL") && !world.is_ready());
    assert!(logs(&process, "…too old to deny other names"));
}

#[test]
fn killed_at_any_time_the_next_start_finds_it_whole() {
    let mut world = World::new("10ms");
    let many: String = (0..1000).map(|index| service(&format!("s-{index}"), "10.0.0.9")).collect();
    world.api.apply(&many).unwrap();
    world.leave_snapshot("10.0.0.9");
    let (stop, stopped) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let api = &world.api;
        scope.spawn(move || {
            // Many changes while one snapshot is written.
            let mut round = 0_u32;
            while stopped.recv_timeout(Duration::from_millis(2)) == Err(RecvTimeoutError::Timeout) {
                let [_, high, middle, low] = round.to_be_bytes();
                api.apply(&service("web", &format!("10.{high}.{middle}.{low}"))).unwrap();
                round += 1;
            }
        });
        let mut chance = 1_u64;
        for round in 0..25 {
            let process = world.start();
            let listed = || world.metric("rutter_kubernetes_lists_total{resource=\"Service\"} 1");
            assert!(until(PATIENCE, listed), "{:#?}", process.lines());
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = Instant::now() + Duration::from_millis((chance >> 33) % 120);
            // Every other time in the middle of writing, if there is one until then.
            let is_writing = || round % 2 == 0 && !world.state_files(".tmp").is_empty();
            while Instant::now() < at && !is_writing() {
                std::thread::yield_now();
            }
            drop(process); // SIGKILL
            assert!(world.state_files("").len() <= 3, "{:?}", world.state_files(""));
        }
        drop(stop);
    });
    world.api.set(Condition::Down).unwrap();
    let process = world.start();
    assert_soon(&process, "it answers", || world.has_address("s-999", "10.0.0.9"));
    assert_soon(&process, "no piece is left", || world.state_files(".tmp").is_empty());
    assert_eq!(world.state_files("").len(), 2);
    assert!(process.find_line(0, "…cannot be used…", Instant::now()).is_none());
}

#[test]
fn a_directory_that_cannot_be_written_keeps_nobody_from_serving() {
    let mut world = World::new("20ms");
    let failures = |world: &World, reason| {
        world.metric(&format!("rutter_kubernetes_snapshot_failures_total{{reason=\"{reason}\"}} "))
    };
    world.state = "/proc/self/nothing".into(); // where not even root makes one
    let process = world.start();
    assert_soon(&process, "it serves", || world.has_address("web", "10.0.0.1"));
    assert!(logs(&process, "…no snapshot in /proc/self/nothing/…"));
    assert!(failures(&world, "io"));
    drop(process);

    world.state = world.folder.path().join("full");
    let many: String = (0..100).map(|index| service(&format!("s-{index}"), "10.0.0.9")).collect();
    world.api.apply(&many).unwrap();
    let mut command = world.command();
    command.env("LIMIT", "4"); // 2 KiB
    let process = Process::start(command).unwrap();
    assert_soon(&process, "it serves", || world.has_address("web", "10.0.0.1"));
    assert!(logs(&process, "…no snapshot in …File too large…"));
    assert!(failures(&world, "io"));
    assert_eq!(world.state_files("").len(), 1, "the lock alone");
    let said = process.lines().iter().filter(|line| line.contains("no snapshot in")).count();
    assert_eq!(said, 1, "once is enough");
}

#[test]
fn a_clean_end_writes_what_is_known() {
    let mut world = World::new("1h");
    let mut process = world.start();
    assert_soon(&process, "it serves", || world.has_address("web", "10.0.0.1"));
    assert!(world.state_files(".snapshot").is_empty());
    process.signal(Signal::TERM).unwrap();
    assert!(process.wait(Instant::now() + PATIENCE).unwrap().unwrap().success());
    let text = fs::read_to_string(&world.state_files(".snapshot")[0]).unwrap();
    assert!(text.contains("10.0.0.1"));
}

#[test]
fn a_reload_keeps_the_snapshots_going() {
    let mut world = World::new("20ms");
    let second = format!(
        "other.local {{\n    kubernetes {{\n        endpoint {}\n        labels a=b\n    }}\n}}\n",
        world.api.url()
    );
    world.write_corefile(&second);
    let process = world.start();
    assert_soon(&process, "two settings, two files", || world.state_files(".snapshot").len() == 2);
    world.write_corefile(&second.replace("other.local", "another.local"));
    process.signal(Signal::HUP).unwrap();
    assert!(logs(&process, "…Reloading complete"));
    world.api.apply(&service("web", "10.0.0.7")).unwrap();
    assert_soon(&process, "both go on", || {
        let is_new = |path: &PathBuf| fs::read_to_string(path).unwrap().contains("10.0.0.7");
        world.state_files(".snapshot").iter().filter(|path| is_new(path)).count() == 2
    });
    assert!(world.has_address("web", "10.0.0.7"));
    assert!(process.find_line(0, "…no snapshot in…", Instant::now()).is_none());
}
