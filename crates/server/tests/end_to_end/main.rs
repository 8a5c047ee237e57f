//! The company's story on a real cluster: etcd, an API server with RBAC, the controllers; the server
//! with the rights of its role and today's Corefile.
//!
//! `cargo xtask peers kubernetes` builds the cluster's programs, then
//! `cargo test -p server --test end_to_end -- --ignored`.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]
#![expect(clippy::print_stdout, reason = "the figures are worth a look")]
#![expect(clippy::disallowed_methods, reason = "a test has no clock but the real one")]

mod outages;
mod rutter;
mod steady;
mod world;

use rutter::{Credentials, Rutter};
use std::fs;
use std::time::Duration;
use testkit::until;
use world::World;

/// How long a change may take until it is answered. Controllers wait a second for more to come.
const SOON: Duration = Duration::from_secs(10);
/// The same after an outage: who was refused waits before it asks again.
const AFTER_OUTAGE: Duration = Duration::from_secs(40);

const HEADLESS: &str = "my-nginx.default.svc.cluster.local A";

/// The answer for the headless service with these pods.
fn pods(addresses: &[&str]) -> String {
    let record = |address| format!("\nmy-nginx.default.svc.cluster.local. 30 IN A {address}");
    let records: String = addresses.iter().map(record).collect();
    format!(";; NOERROR aa rd{records}")
}

const DENIED: &str = "\
;; NXDOMAIN aa rd
;; AUTHORITY
cluster.local. 30 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. * 7200 1800 86400 30";

#[test]
#[ignore = "needs `cargo xtask peers kubernetes`, and two minutes"]
fn the_story_on_a_real_cluster() {
    let world = World::start("story");
    the_role_allows_no_more_than_it_must(&world);
    world.run_pod("nginx-1", "10.244.1.17");
    world.run_pod("nginx-2", "10.244.2.23");
    let kubeconfig = world.kubeconfig();
    let mut rutter = Rutter::start(&Credentials::Kubeconfig(&kubeconfig));
    every_kind_of_name(&mut rutter);
    changes_are_seen(&world, &mut rutter);
    a_pods_own_credentials(&world);
    the_api_server_hangs(&world, &mut rutter);
    the_api_server_is_gone(&world, &mut rutter);
}

fn the_role_allows_no_more_than_it_must(world: &World) {
    let account = "--as=system:serviceaccount:kube-system:coredns";
    for resource in ["services", "pods", "namespaces", "endpointslices.discovery.k8s.io"] {
        for verb in ["list", "watch"] {
            let words = ["auth", "can-i", verb, resource, account, "--all-namespaces"];
            assert_eq!(world.kubectl(&words).trim(), "yes", "{verb} {resource}");
        }
        // `kubectl auth can-i` fails when the answer is no.
        let words = ["auth", "can-i", "get", resource, account, "--all-namespaces"];
        assert!(world.cluster.kubectl(&words, "").is_err(), "get {resource}");
    }
    let secrets = ["auth", "can-i", "list", "secrets", account, "--all-namespaces"];
    assert!(world.cluster.kubectl(&secrets, "").is_err());
}

fn every_kind_of_name(rutter: &mut Rutter) {
    rutter.check_within(AFTER_OUTAGE, HEADLESS, &pods(&["10.244.1.17", "10.244.2.23"]));
    assert!(until(SOON, || rutter.is_ready()));
    for (question, reply) in [
        (
            "billing.default.svc.cluster.local A",
            ";; NOERROR aa rd\nbilling.default.svc.cluster.local. 30 IN A 10.96.7.41",
        ),
        (
            "_https._tcp.billing.default.svc.cluster.local SRV",
            ";; NOERROR aa rd\n\
             _https._tcp.billing.default.svc.cluster.local. 30 IN SRV 0 100 443 billing.default.svc.cluster.local.\n\
             ;; ADDITIONAL\n\
             billing.default.svc.cluster.local. 30 IN A 10.96.7.41",
        ),
        (
            "10-244-2-23.my-nginx.default.svc.cluster.local A",
            ";; NOERROR aa rd\n10-244-2-23.my-nginx.default.svc.cluster.local. 30 IN A 10.244.2.23",
        ),
        (
            "17.1.244.10.in-addr.arpa PTR",
            ";; NOERROR aa rd\n17.1.244.10.in-addr.arpa. 30 IN PTR 10-244-1-17.my-nginx.default.svc.cluster.local.",
        ),
        (
            "41.7.96.10.in-addr.arpa PTR",
            ";; NOERROR aa rd\n41.7.96.10.in-addr.arpa. 30 IN PTR billing.default.svc.cluster.local.",
        ),
        (
            "10-244-1-17.default.pod.cluster.local A",
            ";; NOERROR aa rd\n10-244-1-17.default.pod.cluster.local. 30 IN A 10.244.1.17",
        ),
        ("10-244-9-9.default.pod.cluster.local A", DENIED),
        ("nosuch.default.svc.cluster.local A", DENIED),
        (
            "database.default.svc.cluster.local A",
            ";; NOERROR aa rd\n\
             database.default.svc.cluster.local. 1-30 IN CNAME db.example.net.\n\
             db.example.net. 1-300 IN A 192.0.2.40",
        ),
        // The API server's own service, which nobody has applied.
        (
            "kubernetes.default.svc.cluster.local A",
            ";; NOERROR aa rd\nkubernetes.default.svc.cluster.local. 30 IN A 10.96.0.1",
        ),
    ] {
        rutter.check(question, reply);
    }
}

fn changes_are_seen(world: &World, rutter: &mut Rutter) {
    let three = ["10.244.1.17", "10.244.2.23", "10.244.3.5"];
    world.run_pod("nginx-3", three[2]);
    rutter.check_within(SOON, HEADLESS, &pods(&three));
    world.set_ready("nginx-1", false);
    rutter.check_within(SOON, HEADLESS, &pods(&three[1..]));
    world.set_ready("nginx-1", true);
    rutter.check_within(SOON, HEADLESS, &pods(&three));
    world.delete_pod("nginx-3");
    rutter.check_within(SOON, HEADLESS, &pods(&three[..2]));
    rutter.check_within(SOON, "10-244-3-5.default.pod.cluster.local A", DENIED);

    let service = "kind: Service\napiVersion: v1\nmetadata: {name: shop, namespace: default}\n";
    let at = |ip: &str| format!("{service}spec: {{clusterIP: {ip}, ports: [{{port: 80}}]}}");
    let answer = |ip| format!(";; NOERROR aa rd\nshop.default.svc.cluster.local. 30 IN A {ip}");
    world.apply(&at("10.96.7.50"));
    rutter.check_within(SOON, "shop.default.svc.cluster.local A", &answer("10.96.7.50"));
    world.kubectl(&["delete", "service", "shop"]);
    rutter.check_within(SOON, "shop.default.svc.cluster.local A", DENIED);
    world.apply(&at("10.96.7.51"));
    rutter.check_within(SOON, "shop.default.svc.cluster.local A", &answer("10.96.7.51"));
    // What the cluster does not know it passes on, and the other server does not either.
    rutter.check_within(SOON, "50.7.96.10.in-addr.arpa PTR", ";; REFUSED rd");
}

/// Without a kubeconfig: the files and variables that every pod has.
fn a_pods_own_credentials(world: &World) {
    let folder = world.directory().join("pod");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("token"), world.token()).unwrap();
    fs::write(folder.join("namespace"), "kube-system").unwrap();
    fs::copy(world.cluster.authority(), folder.join("ca.crt")).unwrap();
    let api = world.cluster.url().trim_start_matches("https://").parse().unwrap();
    let mut rutter = Rutter::start(&Credentials::Pod { folder: &folder, api });
    rutter.check_within(AFTER_OUTAGE, HEADLESS, &pods(&["10.244.1.17", "10.244.2.23"]));
}

/// Connections are open, but nothing comes any more.
fn the_api_server_hangs(world: &World, rutter: &mut Rutter) {
    world.cluster.pause("kube-apiserver").unwrap();
    every_kind_of_name(rutter);
    world.cluster.resume("kube-apiserver").unwrap();
    world.cluster.wait_until_ready().unwrap();
    world.run_pod("nginx-4", "10.244.4.4");
    let three = ["10.244.1.17", "10.244.2.23", "10.244.4.4"];
    rutter.check_within(AFTER_OUTAGE, HEADLESS, &pods(&three));
    world.delete_pod("nginx-4");
    rutter.check_within(SOON, HEADLESS, &pods(&three[..2]));
}

/// Nobody listens at its port. Who knows the cluster answers on; who does not says that it fails.
fn the_api_server_is_gone(world: &World, rutter: &mut Rutter) {
    let kubeconfig = world.kubeconfig();
    world.cluster.stop_process("kube-apiserver").unwrap();
    every_kind_of_name(rutter);
    let mut late = Rutter::start(&Credentials::Kubeconfig(&kubeconfig));
    late.check_within(SOON, HEADLESS, ";; SERVFAIL rd");
    assert!(!late.is_ready());
    world.cluster.start_process("kube-apiserver").unwrap();
    world.cluster.wait_until_ready().unwrap();
    late.check_within(AFTER_OUTAGE, HEADLESS, &pods(&["10.244.1.17", "10.244.2.23"]));
    assert!(until(SOON, || late.is_ready()));
    world.delete_pod("nginx-2");
    rutter.check_within(AFTER_OUTAGE, HEADLESS, &pods(&["10.244.1.17"]));
    late.check_within(SOON, HEADLESS, &pods(&["10.244.1.17"]));
}
