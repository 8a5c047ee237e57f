//! The world around the server: a control plane with the company's objects, and pods without a
//! kubelet.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use xtask::cluster::{Cluster, Controllers};
use xtask::target_directory;

const RBAC: &str = include_str!("../../../../deploy/kubernetes/rbac.yaml");

/// The company's manifests. The EndpointSlice among them is left to its controller.
const MANIFESTS: [&str; 2] = [
    include_str!("../../../../examples/company/manifests/my-nginx.yaml"),
    include_str!("../../../../examples/company/manifests/billing.yaml"),
];

const NODE: &str = "{apiVersion: v1, kind: Node, metadata: {name: node-1}}";

/// A Service that is a name elsewhere.
pub(crate) const EXTERNAL: &str = "
apiVersion: v1
kind: Service
metadata: {name: database, namespace: default}
spec: {type: ExternalName, externalName: db.example.net}
";

/// A control plane; it is stopped and deleted in the end.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    directory: PathBuf,
}

impl World {
    /// Starts it, with the role, the account and the objects.
    ///
    /// Each name has a folder of its own.
    pub(crate) fn start(name: &str) -> Self {
        let target = target_directory().unwrap();
        let directory = target.join("end-to-end").join(name);
        // Of a run that was interrupted.
        let _ = Cluster::stop(&directory, &[]);
        let _ = fs::remove_dir_all(&directory);
        let cluster = Cluster::start(&directory, &target.join("peers"), Controllers::Run).unwrap();
        let world = Self { cluster, directory };
        world.apply(RBAC);
        world.apply(NODE);
        world.kubectl(&["wait", "--for=create", "serviceaccount/default", "--timeout=30s"]);
        for manifest in MANIFESTS {
            let documents = manifest.split("\n---\n");
            documents
                .filter(|document| !document.contains("kind: EndpointSlice"))
                .for_each(|it| world.apply(it));
        }
        world.apply(EXTERNAL);
        world
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        self.cluster.kubectl(arguments, "").unwrap()
    }

    pub(crate) fn apply(&self, manifest: &str) {
        self.cluster.kubectl(&["apply", "--filename=-"], manifest).unwrap();
    }

    /// A pod of `my-nginx` that runs and is ready, as a kubelet would tell.
    pub(crate) fn run_pod(&self, name: &str, address: &str) {
        self.apply(&format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: default, labels: {{app: my-nginx}}}},\n\
             spec: {{nodeName: node-1, containers: [{{name: nginx, image: nginx}}]}}}}"
        ));
        let status = format!(
            r#"{{"status":{{"phase":"Running","podIP":"{address}","podIPs":[{{"ip":"{address}"}}]}}}}"#
        );
        self.patch_status(name, &status);
        self.set_ready(name, true);
    }

    /// What a readiness probe finds.
    pub(crate) fn set_ready(&self, pod: &str, is_ready: bool) {
        let word = if is_ready { "True" } else { "False" };
        self.patch_status(
            pod,
            &format!(r#"{{"status":{{"conditions":[{{"type":"Ready","status":"{word}"}}]}}}}"#),
        );
    }

    fn patch_status(&self, pod: &str, patch: &str) {
        self.kubectl(&[
            "patch",
            "pod",
            pod,
            "--subresource=status",
            "--type=merge",
            "--patch",
            patch,
        ]);
    }

    pub(crate) fn delete_pod(&self, name: &str) {
        self.kubectl(&["delete", "pod", name, "--force", "--grace-period=0"]);
    }

    /// A new token of the server's account.
    pub(crate) fn token(&self) -> String {
        let token = self.kubectl(&["create", "token", "coredns", "--namespace=kube-system"]);
        token.trim().to_owned()
    }

    /// Creates a Service with a cluster address.
    pub(crate) fn serve(&self, name: &str, address: &str) {
        self.apply(&format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: {name}, namespace: default}},\n\
             spec: {{clusterIP: {address}, ports: [{{port: 80}}]}}}}"
        ));
    }

    /// Writes a kubeconfig for an API server that asks for no credentials.
    pub(crate) fn plain_kubeconfig(&self, server: SocketAddr) -> PathBuf {
        let text = format!(
            "apiVersion: v1\n\
             kind: Config\n\
             clusters: [{{name: c, cluster: {{server: 'http://{server}'}}}}]\n\
             contexts: [{{name: x, context: {{cluster: c}}}}]\n\
             current-context: x\n"
        );
        let path = self.directory.join("plain.kubeconfig");
        fs::write(&path, text).unwrap();
        path
    }

    /// Writes a kubeconfig with a token of the server's account.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        let (url, token) = (self.cluster.url(), self.token());
        let authority = self.cluster.authority();
        let text = format!(
            "apiVersion: v1\n\
             kind: Config\n\
             clusters: [{{name: c, cluster: {{server: '{url}', certificate-authority: '{}'}}}}]\n\
             users: [{{name: u, user: {{token: {token}}}}}]\n\
             contexts: [{{name: x, context: {{cluster: c, user: u}}}}]\n\
             current-context: x\n",
            authority.display()
        );
        let path = self.directory.join("coredns.kubeconfig");
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = Cluster::stop(&self.directory, &[]);
        let _ = fs::remove_dir_all(&self.directory);
    }
}
