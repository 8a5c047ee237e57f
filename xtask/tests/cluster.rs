//! The control plane itself, with the programs that `cargo xtask peers kubernetes` builds:
//! `cargo test -p xtask -- --ignored`.

use std::fs;
use std::path::PathBuf;

use xtask::cluster::{Cluster, Controllers, PROCESSES};
use xtask::target_directory;

/// A folder with a cluster that is stopped and deleted in the end, even if the test fails.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = Cluster::stop(&self.0, &[]);
        let _ = fs::remove_dir_all(&self.0);
    }
}

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: { name: web, namespace: default }
spec:
  ipFamilyPolicy: RequireDualStack
  selector: { app: web }
  ports: [{ name: http, port: 80 }]
";

#[test]
#[ignore = "needs `cargo xtask peers kubernetes` and some seconds"]
fn a_cluster_keeps_its_objects_over_a_restart() {
    let target = target_directory().unwrap();
    let (folder, programs) = (Folder(target.join("test-cluster")), target.join("peers"));
    let start = || Cluster::start(&folder.0, &programs, Controllers::Run);
    let cluster = start().unwrap();
    cluster.kubectl(&["apply", "--filename=-"], SERVICE).unwrap();
    let addresses = ["get", "service", "web", "--output=jsonpath={.spec.clusterIPs}"];
    let before = cluster.kubectl(&addresses, "").unwrap();
    assert!(before.starts_with("[\"10.") && before.contains("\"fd00:10:96::"), "{before}");

    // The controllers at work: a slice for the Service, an account in each namespace.
    let slices = "--selector=kubernetes.io/service-name=web";
    cluster
        .kubectl(&["wait", "--for=create", "endpointslices", slices, "--timeout=30s"], "")
        .unwrap();
    cluster
        .kubectl(&["wait", "--for=create", "serviceaccount/default", "--timeout=30s"], "")
        .unwrap();

    // Tokens are signed and recognized, and give no right that no role gives.
    let token = cluster.kubectl(&["create", "token", "default"], "").unwrap();
    let as_account = format!("--token={}", token.trim());
    let server = format!("--server={}", cluster.url());
    let authority = format!("--certificate-authority={}", cluster.authority().display());
    let nobody = ["--kubeconfig=/dev/null", &server, &authority, &as_account];
    let who = cluster.kubectl(&[&nobody[..], &["auth", "whoami"]].concat(), "").unwrap();
    assert!(who.contains("system:serviceaccount:default:default"), "{who}");
    let denied = cluster.kubectl(&[&nobody[..], &["get", "services"]].concat(), "").unwrap_err();
    assert!(denied.to_string().contains("Forbidden"), "{denied}");

    let url = cluster.url();
    Cluster::stop(&folder.0, &[]).unwrap();
    assert!(cluster.kubectl(&addresses, "").is_err(), "nobody answers");
    let again = start().unwrap();
    assert_eq!(again.url(), url);
    assert_eq!(again.kubectl(&addresses, "").unwrap(), before);

    // An outage of one process.
    Cluster::stop(&folder.0, &["kube-apiserver"]).unwrap();
    assert!(again.kubectl(&addresses, "").is_err());
    again.start_process(PROCESSES[1]).unwrap();
    again.wait_until_ready().unwrap();
    assert_eq!(again.kubectl(&addresses, "").unwrap(), before);
}
