//! A real Kubernetes control plane on loopback: etcd, kube-apiserver, kube-controller-manager.
//!
//! A folder holds everything of a cluster: certificates, ports, data, logs, process ids. Starting a
//! cluster whose folder is there already starts whatever does not run, with the same data on the same
//! ports; so stopping and starting a single process is a test of an outage. RBAC is on, Services get
//! addresses of both families. There is no kubelet: a test makes Nodes and Pods itself and writes
//! their status, from which the real controllers make EndpointSlices.

mod certificates;
mod plain;
mod process;

use std::fmt;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub use plain::PlainApi;
use process::Process;
use rustix::process::Signal;
use serde_json::{Value, json};

/// The processes of a cluster, in the order in which they start.
pub const PROCESSES: [&str; 3] = [ETCD, API_SERVER, CONTROLLER_MANAGER];

const ETCD: &str = "etcd";
const API_SERVER: &str = "kube-apiserver";
const CONTROLLER_MANAGER: &str = "kube-controller-manager";

/// The controllers that matter to DNS and to the deployment of its server; the others would only take
/// time and memory.
const CONTROLLERS: &str = "endpointslice-controller,endpointslice-mirroring-controller,\
     endpoints-controller,namespace-controller,serviceaccount-controller,\
     deployment-controller,replicaset-controller";

/// Cluster addresses of Services.
const SERVICE_RANGES: &str = "10.96.0.0/12,fd00:10:96::/112";

/// How long the API server may take until it is ready; it usually takes three seconds.
const READY_MAX: Duration = Duration::from_secs(60);

/// How long to wait before asking again whether it is.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// A control plane.
#[derive(Debug)]
pub struct Cluster {
    directory: PathBuf,
    /// Where `etcd`, `kubectl` and the others are.
    programs: PathBuf,
    ports: Ports,
}

/// Which processes a cluster has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controllers {
    /// All: EndpointSlices follow from Services and Pods, namespaces get their service account.
    Run,
    /// Only what stores objects: a test makes EndpointSlices itself.
    Absent,
}

/// Why a cluster does not run, or does not end.
#[derive(Debug)]
pub enum Failure {
    /// A program was not built.
    NoProgram {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A process ended while the cluster was starting.
    Ended {
        /// The process.
        name: &'static str,
        /// Its output.
        log: PathBuf,
    },
    /// The API server was not ready in time.
    NotReady {
        /// How long it was waited for.
        after: Duration,
        /// Its output.
        log: PathBuf,
    },
    /// No process of a cluster has this name.
    NoSuchProcess {
        /// The name.
        name: String,
    },
    /// `kubectl` failed.
    Kubectl {
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        message: String,
    },
    /// Certificates could not be made.
    Certificates(rcgen::Error),
    /// There is no free port.
    NoPort,
    /// A file or a process could not be worked with.
    Io {
        /// The file, or the process's program.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Where the processes listen, on 127.0.0.1.
#[derive(Clone, Copy, Debug)]
struct Ports {
    etcd: u16,
    etcd_peer: u16,
    api_server: u16,
}

impl Cluster {
    /// Starts what does not run of the cluster in `directory`, and waits until it is ready.
    ///
    /// `programs` is the folder that [`crate::peers::Peers::Kubernetes`] was built into.
    pub fn start(
        directory: &Path,
        programs: &Path,
        controllers: Controllers,
    ) -> Result<Self, Failure> {
        fs::create_dir_all(directory).map_err(|error| Failure::file(directory, error))?;
        let absolute =
            |path: &Path| path.canonicalize().map_err(|error| Failure::file(path, error));
        let (directory, programs) = (absolute(directory)?, absolute(programs)?);
        let ports = Ports::read_or_choose(&directory.join("ports.json"))?;
        let cluster = Self { directory, programs, ports };
        if !cluster.certificate("").exists() {
            certificates::write(&cluster.certificate(""))?;
        }
        let kubeconfig = cluster.kubeconfig();
        let text = format!("{:#}\n", cluster.kubeconfig_value());
        fs::write(&kubeconfig, text).map_err(|error| Failure::file(&kubeconfig, error))?;
        cluster.start_process(ETCD)?;
        cluster.start_process(API_SERVER)?;
        cluster.wait_until_ready()?;
        if controllers == Controllers::Run {
            cluster.start_process(CONTROLLER_MANAGER)?;
        }
        Ok(cluster)
    }

    /// A kubeconfig that may do everything: YAML, in the form of JSON.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.join("kubeconfig")
    }

    /// The URL of the API server.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.api_server)
    }

    /// The certificate that the API server's is signed with.
    pub fn authority(&self) -> PathBuf {
        self.certificate("ca.crt")
    }

    /// Runs `kubectl` as the administrator and gives what it printed. `input` is for `--filename=-`.
    pub fn kubectl(&self, arguments: &[&str], input: &str) -> Result<String, Failure> {
        let program = self.programs.join("kubectl");
        let failed = |error| Failure::file(&program, error);
        let mut command = Command::new(&program);
        command.arg("--kubeconfig").arg(self.kubeconfig());
        command.arg("--cache-dir").arg(self.directory.join("kubectl")).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let stdin = child.stdin.take();
        // The input is written beside reading the output: either may fill its pipe.
        let output = thread::scope(|scope| {
            scope.spawn(move || {
                stdin.map(|mut stdin| io::Write::write_all(&mut stdin, input.as_bytes()))
            });
            child.wait_with_output()
        });
        let output = output.map_err(failed)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Failure::Kubectl { status: output.status, message })
    }

    /// Starts a process again that was stopped; the API server may not be ready yet.
    pub fn start_process(&self, name: &str) -> Result<(), Failure> {
        let name = known(name)?;
        let process = Process { directory: &self.directory, name };
        if process.running().is_some() {
            return Ok(());
        }
        let path = self.programs.join(name);
        if !path.exists() {
            return Err(Failure::NoProgram { path });
        }
        let mut command = Command::new(&path);
        command.args(self.arguments(name));
        process.start(command).map_err(|error| Failure::file(&path, error))
    }

    /// Ends one process at once, with SIGKILL: nothing is put in order, and the others go on.
    pub fn kill_process(&self, name: &str) -> Result<(), Failure> {
        let process = Process { directory: &self.directory, name: known(name)? };
        process.kill().map_err(|error| Failure::file(Path::new(name), error))
    }

    /// Ends one process; the others go on.
    pub fn stop_process(&self, name: &str) -> Result<(), Failure> {
        Self::stop(&self.directory, &[name])
    }

    /// Lets a process hang: its connections stay open, but nothing comes of them.
    pub fn pause(&self, name: &str) -> Result<(), Failure> {
        self.signal(name, Signal::STOP)
    }

    /// Lets a process go on that hangs.
    pub fn resume(&self, name: &str) -> Result<(), Failure> {
        self.signal(name, Signal::CONT)
    }

    fn signal(&self, name: &str, signal: Signal) -> Result<(), Failure> {
        let process = Process { directory: &self.directory, name: known(name)? };
        process.signal(signal).map_err(|error| Failure::file(Path::new(name), error))
    }

    /// Waits until the API server answers and says that it is ready.
    pub fn wait_until_ready(&self) -> Result<(), Failure> {
        let process = |name| Process { directory: &self.directory, name };
        let deadline = Instant::now() + READY_MAX;
        while Instant::now() < deadline {
            for name in [ETCD, API_SERVER] {
                if process(name).running().is_none() {
                    return Err(Failure::Ended { name, log: process(name).log() });
                }
            }
            match self.kubectl(&["get", "--raw=/readyz"], "") {
                Err(Failure::Kubectl { .. }) => thread::sleep(ASK_EVERY),
                other => return other.map(drop),
            }
        }
        Err(Failure::NotReady { after: READY_MAX, log: process(API_SERVER).log() })
    }

    /// Stops the processes of the cluster in `directory` that `names` names, or all if it is empty;
    /// last started, first stopped.
    pub fn stop(directory: &Path, names: &[&str]) -> Result<(), Failure> {
        for name in names {
            known(name)?;
        }
        for name in PROCESSES.into_iter().rev() {
            if names.is_empty() || names.contains(&name) {
                let process = Process { directory, name };
                process.stop().map_err(|error| Failure::file(Path::new(name), error))?;
            }
        }
        Ok(())
    }

    fn certificate(&self, name: &str) -> PathBuf {
        self.directory.join("pki").join(name)
    }

    fn kubeconfig_value(&self) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "test", "cluster": {
                "server": self.url(),
                "certificate-authority": self.authority(),
            }}],
            "users": [{ "name": "admin", "user": {
                "client-certificate": self.certificate("admin.crt"),
                "client-key": self.certificate("admin.key"),
            }}],
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "admin" } }],
            "current-context": "test",
        })
    }

    fn arguments(&self, name: &str) -> Vec<String> {
        match name {
            ETCD => self.etcd_arguments(),
            API_SERVER => self.api_server_arguments(),
            _ => vec![
                format!("--kubeconfig={}", self.kubeconfig().display()),
                format!("--controllers={CONTROLLERS}"),
                "--leader-elect=false".to_owned(),
                "--secure-port=0".to_owned(),
            ],
        }
    }

    fn etcd_arguments(&self) -> Vec<String> {
        let clients = format!("http://127.0.0.1:{}", self.ports.etcd);
        let peers = format!("http://127.0.0.1:{}", self.ports.etcd_peer);
        vec![
            format!("--data-dir={}", self.directory.join("etcd").display()),
            format!("--listen-client-urls={clients}"),
            format!("--advertise-client-urls={clients}"),
            format!("--listen-peer-urls={peers}"),
            format!("--initial-advertise-peer-urls={peers}"),
            format!("--initial-cluster=default={peers}"),
            // A test's data need not survive a power cut.
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ]
    }

    fn api_server_arguments(&self) -> Vec<String> {
        let pki = self.certificate("");
        let pki = pki.display();
        vec![
            format!("--etcd-servers=http://127.0.0.1:{}", self.ports.etcd),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", self.ports.api_server),
            // Loopback addresses are refused here. Nothing listens at this one (RFC 5737).
            "--advertise-address=192.0.2.1".to_owned(),
            format!("--tls-cert-file={pki}/apiserver.crt"),
            format!("--tls-private-key-file={pki}/apiserver.key"),
            format!("--client-ca-file={pki}/ca.crt"),
            "--authorization-mode=RBAC".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
            format!("--service-account-key-file={pki}/service-account.pub"),
            format!("--service-account-signing-key-file={pki}/service-account.key"),
            format!("--service-cluster-ip-range={SERVICE_RANGES}"),
        ]
    }
}

/// The same name, if a process has it.
fn known(name: &str) -> Result<&'static str, Failure> {
    let found = PROCESSES.into_iter().find(|known| *known == name);
    found.ok_or_else(|| Failure::NoSuchProcess { name: name.to_owned() })
}

impl Ports {
    /// Ports from which to choose: below those that the kernel gives to outgoing connections, so that
    /// the port of a process that is stopped stays free.
    const RANGE: std::ops::Range<u16> = 20_000..32_000;

    /// The ports of an earlier start, or new ones, which are kept in the file.
    fn read_or_choose(path: &Path) -> Result<Self, Failure> {
        if let Ok(text) = fs::read_to_string(path)
            && let Some(ports) = Self::read(&text)
        {
            return Ok(ports);
        }
        let ports = Self::choose()?;
        let value = json!({
            "etcd": ports.etcd, "etcd-peer": ports.etcd_peer, "kube-apiserver": ports.api_server,
        });
        fs::write(path, value.to_string()).map_err(|error| Failure::file(path, error))?;
        Ok(ports)
    }

    fn read(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let port = |name: &str| u16::try_from(value[name].as_u64()?).ok();
        Some(Self {
            etcd: port("etcd")?,
            etcd_peer: port("etcd-peer")?,
            api_server: port("kube-apiserver")?,
        })
    }

    /// Three that are free. Processes begin at different ones, and so do the clusters of a process:
    /// a port that is free may be that of a cluster whose API server is stopped.
    fn choose() -> Result<Self, Failure> {
        static CHOSEN: AtomicUsize = AtomicUsize::new(0);
        let chosen = CHOSEN.fetch_add(1, Ordering::Relaxed);
        let offset = (std::process::id() as usize * 101 + chosen * 17) % Self::RANGE.len();
        let candidates = Self::RANGE.cycle().skip(offset).take(Self::RANGE.len());
        let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
        let mut free = candidates.filter(is_free);
        let mut next = || free.next().ok_or(Failure::NoPort);
        Ok(Self { etcd: next()?, etcd_peer: next()?, api_server: next()? })
    }
}

impl Failure {
    fn file(path: &Path, error: io::Error) -> Self {
        Self::Io { path: path.to_owned(), error }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProgram { path } => {
                write!(
                    f,
                    "there is no {}: `cargo xtask peers kubernetes` builds it",
                    path.display()
                )
            }
            Self::Ended { name, log } => write!(f, "{name} ended; see {}", log.display()),
            Self::NotReady { after, log } => {
                let seconds = after.as_secs();
                write!(f, "the API server is not ready after {seconds} s; see {}", log.display())
            }
            Self::NoSuchProcess { name } => {
                write!(f, "`{name}` is no process of a cluster; there are {}", PROCESSES.join(", "))
            }
            Self::Kubectl { status, message } => write!(f, "kubectl: {status}: {message}"),
            Self::Certificates(error) => write!(f, "certificates could not be made: {error}"),
            Self::NoPort => write!(f, "no three ports of {:?} are free", Ports::RANGE),
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_kept() {
        let path = std::env::temp_dir().join(format!("ports-{}.json", std::process::id()));
        let first = Ports::read_or_choose(&path).unwrap();
        assert!(Ports::RANGE.contains(&first.etcd));
        assert_ne!(first.etcd, first.api_server);
        assert_ne!(first.etcd, first.etcd_peer);
        let again = Ports::read_or_choose(&path).unwrap();
        assert_eq!(format!("{first:?}"), format!("{again:?}"));
        fs::remove_file(path).unwrap();
        assert!(Ports::read("{}").is_none());
        assert!(Ports::read(r#"{"etcd": 70000, "etcd-peer": 1, "kube-apiserver": 2}"#).is_none());
    }

    #[test]
    fn missing_programs_and_wrong_names_are_explained() {
        let directory = std::env::temp_dir().join(format!("cluster-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let failure = Cluster::start(&directory, &directory, Controllers::Run).unwrap_err();
        let text = failure.to_string();
        assert!(text.ends_with("/etcd: `cargo xtask peers kubernetes` builds it"), "{text}");
        assert!(directory.join("pki/apiserver.crt").exists(), "the certificates were made");
        let failure = Cluster::stop(&directory, &["kubelet"]).unwrap_err();
        assert!(failure.to_string().starts_with("`kubelet` is no process"), "{failure}");
        fs::remove_dir_all(directory).unwrap();
    }
}
