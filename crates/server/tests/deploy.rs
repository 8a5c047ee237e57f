//! The deployment: its manifests on a real API server, and the image's program under the rights, the
//! user and the arguments that they give it.
//!
//! `cargo xtask peers kubernetes` and `cargo xtask image`, then
//! `cargo test -p server --test deploy -- --ignored`; as root, for the user and the root directory.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use testkit::dns::Client;
use testkit::{PortBlock, Process, http, until};
use xtask::cluster::{Cluster, Controllers};
use xtask::target_directory;

const MANIFESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/kubernetes");
const NAMESPACE: &str = "--namespace=kube-system";
const SOON: Duration = Duration::from_secs(20);
/// The Deployment's user.
const USER: u32 = 65532;

#[test]
#[ignore = "needs `cargo xtask peers kubernetes`, `cargo xtask image` and root"]
fn the_manifests_and_the_image() {
    let world = World::start();
    the_manifests_are_accepted_and_settled(&world);
    an_image_is_set_and_taken_back(&world);
    the_image_has_what_others_look_for(&world.image);
    the_program_serves_as_the_deployment_says(&world);
}

fn the_manifests_are_accepted_and_settled(world: &World) {
    let apply = ["apply", "--validate=strict", "--kustomize", MANIFESTS];
    let said = world.kubectl(&apply);
    for object in
        ["deployment.apps/coredns", "service/kube-dns", "configmap/coredns", "poddisruptionbudget"]
    {
        assert!(said.contains(object), "{said}");
    }
    // Fails if there is a difference.
    assert_eq!(world.kubectl(&["diff", "--kustomize", MANIFESTS]), "");
    let address = ["get", "service", "kube-dns", NAMESPACE, "--output=jsonpath={.spec.clusterIP}"];
    assert_eq!(world.kubectl(&address), "10.96.0.10");
}

/// The swap of docs/swap.md, and the way back.
fn an_image_is_set_and_taken_back(world: &World) {
    let image = || world.deployment("{.spec.template.spec.containers[?(@.name=='coredns')].image}");
    let revision =
        || world.deployment("{.metadata.annotations.deployment\\.kubernetes\\.io/revision}");
    assert!(until(SOON, || revision() == "1"), "{}", revision());
    let first = image();
    let set = "coredns=registry.example.net/rutter:next";
    world.kubectl(&["set", "image", "deployment/coredns", set, NAMESPACE]);
    assert_eq!(image(), "registry.example.net/rutter:next");
    assert!(until(SOON, || revision() == "2"), "{}", revision());
    world.kubectl(&["rollout", "undo", "deployment/coredns", NAMESPACE]);
    assert_eq!(image(), first);
}

fn the_image_has_what_others_look_for(image: &Path) {
    for program in ["bin/rutter", "bin/coredns", "coredns"] {
        let mut command = in_image(image, &format!("/{program}"));
        let said = command.arg("-version").output().unwrap();
        assert!(said.status.success(), "{program}: {said:?}");
        assert!(String::from_utf8_lossy(&said.stdout).contains("CoreDNS-"), "{said:?}");
    }
}

fn the_program_serves_as_the_deployment_says(world: &World) {
    let ports = PortBlock::take().unwrap();
    let port = low_port();
    let root = world.pod(&ports, port);
    let arguments = "{range .spec.template.spec.containers[0].args[*]}{@}{\"\\n\"}{end}";
    let arguments = world.deployment(arguments);
    let mut command = in_image(root.path(), "/bin/rutter");
    let api = world.cluster.url();
    let (host, api_port) = api.strip_prefix("https://").unwrap().split_once(':').unwrap();
    command.args(arguments.lines()).env("KUBERNETES_SERVICE_HOST", host);
    command.env("KUBERNETES_SERVICE_PORT", api_port);
    let process = Process::start(command).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], ports.port(1)));
    let is_ready = || http::get(address, "/ready").is_ok_and(|response| response.status == 200);
    assert!(until(SOON, is_ready), "{:#?}", process.lines());
    let question = "kube-dns.kube-system.svc.cluster.local A";
    let reply = ";; NOERROR aa rd\nkube-dns.kube-system.svc.cluster.local. 30 IN A 10.96.0.10";
    let answered = Client::new(port).expect(question, reply);
    assert!(answered.is_ok(), "{answered:?}\n{:#?}", process.lines());
}

/// A program of the image as a container's runtime starts it: in its own root, as its user, with no
/// capability but the one that the Deployment adds.
fn in_image(root: &Path, program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-all,+net_bind_service,+setuid,+setgid,+sys_chroot", "chroot"]);
    command.arg(format!("--userspec={USER}:{USER}")).arg("--groups=").arg(root).arg(program);
    command
}

/// A port below 1024 that nobody uses.
fn low_port() -> u16 {
    let is_free = |port: &u16| {
        let address = (std::net::Ipv6Addr::UNSPECIFIED, *port);
        std::net::UdpSocket::bind(address).is_ok() && std::net::TcpListener::bind(address).is_ok()
    };
    (600..1024).find(is_free).unwrap()
}

/// A control plane without nodes; it is stopped and deleted in the end.
struct World {
    cluster: Cluster,
    directory: PathBuf,
    image: PathBuf,
}

impl World {
    fn start() -> Self {
        let target = target_directory().unwrap();
        let (directory, image) = (target.join("deploy"), target.join("image"));
        // Of a run that was interrupted.
        let _ = Cluster::stop(&directory, &[]);
        let _ = fs::remove_dir_all(&directory);
        let cluster = Cluster::start(&directory, &target.join("peers"), Controllers::Run).unwrap();
        Self { cluster, directory, image }
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        self.cluster.kubectl(arguments, "").unwrap()
    }

    /// A field of the Deployment.
    fn deployment(&self, path: &str) -> String {
        let output = format!("--output=jsonpath={path}");
        self.kubectl(&["get", "deployment", "coredns", NAMESPACE, &output])
    }

    /// The root of a pod: the image and what the Deployment mounts, with other ports.
    fn pod(&self, ports: &PortBlock, port: u16) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        // With the capabilities of the program.
        let mut copy = Command::new("cp");
        copy.arg("--archive").arg(self.image.join(".")).arg(root.path());
        assert!(copy.status().unwrap().success());
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let map = ["get", "configmap", "coredns", NAMESPACE, "--output=jsonpath={.data.Corefile}"];
        let corefile = self.kubectl(&map);
        let corefile = corefile
            .replace(".:53 ", &format!(".:{port} "))
            .replace("health {", &format!("health 127.0.0.1:{} {{", ports.port(0)))
            .replace("ready\n", &format!("ready 127.0.0.1:{}\n", ports.port(1)))
            .replace(":9153", &format!("127.0.0.1:{}", ports.port(2)));
        write("etc/coredns/Corefile", &corefile);
        // What the runtime of containers makes.
        fs::create_dir(root.path().join("dev")).unwrap();
        for (device, minor) in [("dev/random", "8"), ("dev/urandom", "9")] {
            let mut make = Command::new("mknod");
            make.arg("--mode=444").arg(root.path().join(device)).args(["c", "1", minor]);
            assert!(make.status().unwrap().success());
        }
        write("etc/resolv.conf", "nameserver 192.0.2.53\n");
        let account = "var/run/secrets/kubernetes.io/serviceaccount";
        let token = self.kubectl(&["create", "token", "coredns", NAMESPACE]);
        write(&format!("{account}/token"), token.trim());
        write(&format!("{account}/ca.crt"), &fs::read_to_string(self.cluster.authority()).unwrap());
        write(&format!("{account}/namespace"), "kube-system");
        let state = root.path().join("var/lib/rutter");
        fs::create_dir_all(&state).unwrap();
        for path in [root.path(), &state] {
            std::os::unix::fs::chown(path, Some(USER), Some(USER)).unwrap();
        }
        root
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = Cluster::stop(&self.directory, &[]);
        let _ = fs::remove_dir_all(&self.directory);
    }
}
