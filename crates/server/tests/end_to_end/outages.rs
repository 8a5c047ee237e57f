//! The API server is away, in every way in which it can be, while the server is asked all the time:
//! no answer for a known name is wrong or missing, the probe stays content, and when the API server
//! is back, changes are seen soon and at the price of a few lists.
//!
//! `$RUTTER_FLAP_SECONDS` lets the path to the API server flap for longer than usual.

use crate::rutter::{Credentials, Rutter};
use crate::steady::Steady;
use crate::world::World;
use crate::{AFTER_OUTAGE, DENIED, SOON, pods};
use std::time::{Duration, Instant};
use std::{env, fs};
use testkit::proxy::{Path, Proxy};
use testkit::until;
use xtask::cluster::PlainApi;

const HEADLESS: &str = "my-nginx.default.svc.cluster.local A";
const LISTS: &str = "rutter_kubernetes_lists_total";

/// Services, EndpointSlices, namespaces, pods.
const RESOURCES: f64 = 4.0;

/// Longer than the server waits for anything of a connection that has gone quiet.
const LONG: Duration = Duration::from_secs(35);
/// Several attempts to connect.
const SHORT: Duration = Duration::from_secs(8);
/// How long the path to the API server opens and closes, unless told otherwise.
const FLAPPING: u64 = 40;
/// How long it is open, or not, each time.
const FLAP: Duration = Duration::from_millis(700);
/// After a first outage: a probe each two to four seconds, which may take three, and six seconds over
/// which those who have waited go on.
const AFTER_FIRST: Duration = Duration::from_secs(15);
/// After an outage that was not the first within two minutes: up to four probes must be answered.
const AFTER_OUTAGES: Duration = Duration::from_secs(27);
/// Versions that a restored API server lacks: more than it makes when it starts.
const VERSIONS: usize = 500;

#[test]
#[ignore = "needs `cargo xtask peers kubernetes`, and four minutes"]
fn outages_of_a_real_api_server() {
    let world = World::start("outages");
    world.run_pod("nginx-1", "10.244.1.17");
    world.run_pod("nginx-2", "10.244.2.23");
    let kubeconfig = world.kubeconfig();
    let mut outages = Outages::start(&world, &Credentials::Kubeconfig(&kubeconfig));
    outages.suffer("frozen", 1.0, |world| {
        world.cluster.pause("kube-apiserver").unwrap();
        last(LONG);
        world.cluster.resume("kube-apiserver").unwrap();
    });
    outages.suffer("killed", 1.0, |world| {
        world.kill_control_plane();
        last(SHORT);
        world.start_control_plane();
    });
}

#[test]
#[ignore = "needs `cargo xtask peers kubernetes`, and one minute"]
fn an_older_state_is_restored() {
    let world = World::start("backup");
    world.run_pod("nginx-1", "10.244.1.17");
    world.run_pod("nginx-2", "10.244.2.23");
    world.serve("done", "10.96.9.1");
    world.kill_control_plane();
    world.back_up();
    world.start_control_plane();
    world.cluster.wait_until_ready().unwrap();
    let kubeconfig = world.kubeconfig();
    let mut outages = Outages::start(&world, &Credentials::Kubeconfig(&kubeconfig));
    outages.restore_the_backup();
}

#[test]
#[ignore = "needs `cargo xtask peers kubernetes`, and five minutes"]
fn outages_on_the_way_to_the_api_server() {
    let world = World::start("path");
    world.run_pod("nginx-1", "10.244.1.17");
    world.run_pod("nginx-2", "10.244.2.23");
    let plain = PlainApi::start(&world.cluster).unwrap();
    let proxy = Proxy::start(plain.address()).unwrap();
    let kubeconfig = world.plain_kubeconfig(proxy.address());
    let mut outages = Outages::start(&world, &Credentials::Kubeconfig(&kubeconfig));
    for (name, path, length) in [
        ("hanging", Path::Hanging, LONG),
        ("answering 500", Path::Failing(500), SHORT),
        ("answering 503", Path::Failing(503), SHORT),
        ("cutting connections", Path::Cut, SHORT),
    ] {
        let before = proxy.accepted();
        outages.suffer(name, 1.0, |_| {
            proxy.set(path);
            last(length);
            proxy.set(Path::Open);
        });
        // Each resource waits longer after each attempt.
        assert!(proxy.accepted() - before <= 60, "{name}: {}", proxy.accepted() - before);
    }
    let flapping = env::var("RUTTER_FLAP_SECONDS").ok().map(|text| text.parse().unwrap());
    let flapping = Duration::from_secs(flapping.unwrap_or(FLAPPING));
    let flaps = flapping.as_secs_f64() / FLAP.as_secs_f64();
    // A watch that was cut goes on where it stood.
    outages.suffer("flapping", 1.0 + flaps / 10.0, |_| {
        let begun = Instant::now();
        let paths =
            [Path::Cut, Path::Open, Path::Failing(500), Path::Open, Path::Hanging, Path::Open];
        for path in paths.into_iter().cycle().take_while(|_| begun.elapsed() < flapping) {
            proxy.set(path);
            last(FLAP);
        }
        proxy.set(Path::Open);
    });
}

/// How long a fault lasts: nothing is waited for.
fn last(length: Duration) {
    until(length, || false);
}

/// A server that goes through one outage after the other.
struct Outages<'a> {
    world: &'a World,
    rutter: Rutter,
    /// How many there were.
    count: u8,
}

impl<'a> Outages<'a> {
    fn start(world: &'a World, credentials: &Credentials<'_>) -> Self {
        let mut rutter = Rutter::start(credentials);
        rutter.check_within(AFTER_OUTAGE, HEADLESS, &pods(&["10.244.1.17", "10.244.2.23"]));
        assert!(until(SOON, || rutter.is_ready()));
        Self { world, rutter, count: 0 }
    }

    /// An outage, with `lists` lists of each resource at most.
    fn suffer(&mut self, name: &str, lists: f64, outage: impl FnOnce(&World)) {
        let before = self.rutter.metric(LISTS);
        let steady = Steady::start(&self.rutter);
        outage(self.world);
        self.world.cluster.wait_until_ready().unwrap();
        let back = Instant::now();
        self.check_that_changes_are_seen();
        println!("{name}: changes were seen {} ms after", back.elapsed().as_millis());
        steady.stop_and_check(name);
        let read = self.rutter.metric(LISTS) - before;
        println!("{name}: {read} lists");
        assert!(read <= lists * RESOURCES, "{name}: {read} lists");
    }

    /// Of a Service and of a pod, and of both when they go.
    fn check_that_changes_are_seen(&mut self) {
        self.count += 1;
        let (name, address) = (format!("after-{}", self.count), format!("10.96.8.{}", self.count));
        let question = format!("{name}.default.svc.cluster.local A");
        let answer =
            format!(";; NOERROR aa rd\n{name}.default.svc.cluster.local. 30 IN A {address}");
        self.world.serve(&name, &address);
        self.rutter.check_within(AFTER_OUTAGES, &question, &answer);
        self.world.kubectl(&["delete", "service", &name]);
        self.rutter.check_within(SOON, &question, DENIED);
    }

    /// What happened after the backup has not happened, and versions count from there again.
    fn restore_the_backup(&mut self) {
        let question = |name| format!("{name}.default.svc.cluster.local A");
        let answer = |name, address| {
            format!(";; NOERROR aa rd\n{name}.default.svc.cluster.local. 30 IN A {address}")
        };
        // So that the server knows versions which the restored API server does not reach by itself.
        self.world.write_much();
        self.world.serve("undone", "10.96.9.2");
        self.rutter.check_within(SOON, &question("undone"), &answer("undone", "10.96.9.2"));
        self.world.kubectl(&["delete", "service", "done"]);
        self.rutter.check_within(SOON, &question("done"), DENIED);
        let before = self.rutter.metric(LISTS);
        let steady = Steady::start(&self.rutter);
        self.world.kill_control_plane();
        self.world.restore();
        self.world.start_control_plane();
        self.world.cluster.wait_until_ready().unwrap();
        let back = Instant::now();
        self.rutter.check_within(AFTER_FIRST, &question("undone"), DENIED);
        self.rutter.check_within(SOON, &question("done"), &answer("done", "10.96.9.1"));
        println!("restored: seen {} ms after", back.elapsed().as_millis());
        self.check_that_changes_are_seen();
        steady.stop_and_check("restored");
        let read = self.rutter.metric(LISTS) - before;
        println!("restored: {read} lists");
        assert!(read <= 2.0 * RESOURCES, "restored: {read} lists");
    }
}

impl World {
    /// The API server and its store end at once; the controllers go on.
    fn kill_control_plane(&self) {
        for name in ["kube-apiserver", "etcd"] {
            self.cluster.kill_process(name).unwrap();
        }
    }

    fn start_control_plane(&self) {
        for name in ["etcd", "kube-apiserver"] {
            self.cluster.start_process(name).unwrap();
        }
    }

    /// Creates objects that are of no interest to DNS: each makes a version.
    fn write_much(&self) {
        let object =
            |i| format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: much-{i}}}}}");
        let objects: Vec<String> = (0..VERSIONS).map(object).collect();
        self.cluster.kubectl(&["create", "--filename=-"], &objects.join("\n---\n")).unwrap();
    }

    /// Keeps the store's folder as it is, while nobody writes there.
    fn back_up(&self) {
        copy(&self.directory().join("etcd"), &self.directory().join("backup"));
    }

    /// Puts the folder that was kept into its place.
    fn restore(&self) {
        let (store, backup) = (self.directory().join("etcd"), self.directory().join("backup"));
        fs::remove_dir_all(&store).unwrap();
        fs::rename(backup, store).unwrap();
    }
}

/// Copies a folder and all that is in it.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
