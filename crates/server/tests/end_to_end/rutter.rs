//! The server, with today's Corefile.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use testkit::dns::Client;
use testkit::upstream::Script;
use testkit::{FakeUpstream, PortBlock, Process, http, until};

/// What the company's other DNS server knows.
const UPSTREAM: &str = "\
db.example.net A
;; NOERROR ra
db.example.net. 300 IN A 192.0.2.40
";

/// A server that runs. It is killed when this is dropped.
pub(crate) struct Rutter {
    pub(crate) process: Process,
    client: Client,
    ports: PortBlock,
    _folder: TempDir,
    _upstream: FakeUpstream,
}

/// Where the server's credentials come from.
pub(crate) enum Credentials<'a> {
    Kubeconfig(&'a Path),
    /// The files and variables of a pod; the files are in this folder.
    Pod {
        folder: &'a Path,
        api: SocketAddr,
    },
}

impl Rutter {
    pub(crate) fn start(credentials: &Credentials<'_>) -> Self {
        let (folder, ports) = (tempfile::tempdir().unwrap(), PortBlock::take().unwrap());
        let upstream = FakeUpstream::start(0, Script::read(UPSTREAM, 1).unwrap()).unwrap();
        let line = match credentials {
            Credentials::Kubeconfig(path) => format!("kubeconfig {}", path.display()),
            Credentials::Pod { .. } => String::new(),
        };
        let address = |index| format!("127.0.0.1:{}", ports.port(index));
        let corefile = corefile(&line, [1, 2, 3].map(address), &upstream.address().to_string());
        let path = folder.path().join("Corefile");
        fs::write(&path, corefile).unwrap();
        let mut command = command(credentials);
        command.arg("-conf").arg(path).args(["-dns.port", &ports.port(0).to_string()]);
        let process = Process::start(command).unwrap();
        let client = Client::new(ports.port(0));
        Self { process, client, ports, _folder: folder, _upstream: upstream }
    }

    /// Asks once.
    #[track_caller]
    pub(crate) fn check(&mut self, question: &str, reply: &str) {
        if let Err(wrong) = self.client.expect(question, reply) {
            panic!("{wrong}\n{:#?}", self.process.lines());
        }
    }

    /// Asks until the reply is as expected.
    #[track_caller]
    pub(crate) fn check_within(&mut self, within: Duration, question: &str, reply: &str) {
        let mut wrong = String::new();
        let is = until(within, || match self.client.expect(question, reply) {
            Ok(()) => true,
            Err(text) => {
                wrong = text;
                false
            }
        });
        assert!(is, "{wrong}\n{:#?}", self.process.lines());
    }

    pub(crate) fn is_ready(&self) -> bool {
        is_ready(self.probe())
    }

    /// Where it answers questions.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.port(0)))
    }

    /// Where it is asked whether it is ready.
    pub(crate) fn probe(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.port(2)))
    }

    /// The sum of all samples of a metric.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let address = SocketAddr::from(([127, 0, 0, 1], self.ports.port(3)));
        let text = http::get(address, "/metrics").unwrap().body;
        let samples = text.lines().filter_map(|line| {
            let (key, value) = line.rsplit_once(' ')?;
            let is_it = key.split('{').next() == Some(name);
            is_it.then(|| value.parse::<f64>().unwrap())
        });
        samples.sum()
    }
}

/// Whether the probe at this address says that the server is ready.
pub(crate) fn is_ready(probe: SocketAddr) -> bool {
    http::get(probe, "/ready").is_ok_and(|response| response.status == 200)
}

/// The Corefile of a new cluster, with pods verified, on ports of our own.
fn corefile(credentials: &str, [health, ready, metrics]: [String; 3], upstream: &str) -> String {
    format!(
        "\
. {{
    errors
    health {health} {{
        lameduck 5s
    }}
    ready {ready}
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        {credentials}
        pods verified
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }}
    prometheus {metrics}
    forward . {upstream} {{
        max_concurrent 1000
    }}
    cache 30
    loop
    reload
    loadbalance
}}
"
    )
}

/// The server by itself, or with the files of a pod where it looks for them.
fn command(credentials: &Credentials<'_>) -> Command {
    let program = std::env::var("RUTTER").unwrap_or(env!("CARGO_BIN_EXE_rutter").to_owned());
    let Credentials::Pod { folder, api } = credentials else { return Command::new(program) };
    // In a namespace of mounts of its own: nobody else sees what lies over /run.
    let script = "mount -t tmpfs none /run && mkdir -p \"$2\" && cp \"$1\"/* \"$2\" && shift 2 && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-ec", script, "sh"]).arg(folder);
    command.arg("/var/run/secrets/kubernetes.io/serviceaccount").arg(program);
    command.env("KUBERNETES_SERVICE_HOST", api.ip().to_string());
    command.env("KUBERNETES_SERVICE_PORT", api.port().to_string());
    command
}
