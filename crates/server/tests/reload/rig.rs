//! A server, everything around it, and a Corefile as a ConfigMap mounts it.

use rustix::process::Signal;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use testkit::dns::Client;
use testkit::scenario::Kind;
use testkit::upstream::Script;
use testkit::{FakeApi, FakeUpstream, PortBlock, Process, Server, http};

/// How long anything may take until it is so.
const PATIENCE: Duration = Duration::from_secs(15);
const SERVICE: &str = include_str!("../../../../examples/company/manifests/my-nginx.yaml");

/// Names of a server that is asked over TCP: one to be kept, one that may not be.
const UPSTREAM: &str = "\
kept.test A
;; NOERROR ra
kept.test. 3600 IN A 192.0.2.7

fresh.test A
;; NOERROR ra
fresh.test. 0 IN A 192.0.2.8
";

/// Questions that every good Corefile answers with records: from a hosts table, the cluster, the
/// cache, another server.
pub(crate) const QUESTIONS: [&str; 5] = [
    "steady.test A",
    "my-nginx.default.svc.cluster.local A",
    "17.1.244.10.in-addr.arpa PTR",
    "kept.test A",
    "fresh.test A",
];

/// A server that runs, and its neighbours.
pub(crate) struct Rig {
    pub(crate) kind: Kind,
    pub(crate) api: FakeApi,
    pub(crate) upstream: FakeUpstream,
    pub(crate) process: Process,
    folder: TempDir,
    ports: PortBlock,
    client: Client,
    /// Counts what was published.
    version: u8,
}

impl Rig {
    /// Starts the server with version 1 and waits until it answers everything.
    pub(crate) fn start(server: &Server) -> Self {
        let (folder, ports) = (tempfile::tempdir().unwrap(), PortBlock::take().unwrap());
        let api = FakeApi::start(0).unwrap();
        api.apply(SERVICE).unwrap();
        let upstream = FakeUpstream::start(0, Script::read(UPSTREAM, 1).unwrap()).unwrap();
        publish(folder.path(), 1, Some(&corefile(1)));
        symlink("..data/Corefile", folder.path().join("Corefile")).unwrap();
        let mut command = Command::new(&server.binary);
        command.args(["-conf", "Corefile", "-dns.port", &ports.port(0).to_string()]);
        command.current_dir(folder.path()).env_clear().envs([
            ("DIR", folder.path().display().to_string()),
            ("HEALTH", format!("127.0.0.1:{}", ports.port(1))),
            ("READY", format!("127.0.0.1:{}", ports.port(2))),
            ("METRICS", format!("127.0.0.1:{}", ports.port(3))),
            ("KUBERNETES", api.url()),
            ("UPSTREAM", upstream.address().to_string()),
        ]);
        let process = Process::start(command).unwrap();
        let (kind, client) = (server.kind, Client::new(ports.port(0)));
        let mut rig = Self { kind, api, upstream, process, folder, ports, client, version: 1 };
        rig.until("it answers", |rig| QUESTIONS.iter().all(|question| rig.answers(question)));
        rig
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.port(0)))
    }

    /// Publishes a good Corefile, tells the server and waits until it serves that.
    pub(crate) fn change(&mut self, signal: Option<Signal>) {
        self.version += 1;
        self.publish(Some(&corefile(self.version)));
        self.tell(signal);
        let version = self.version;
        self.until("the new version serves", |rig| rig.serves(version));
    }

    /// Publishes what cannot be served, or removes the Corefile, and waits until it is refused with
    /// these words in the log.
    pub(crate) fn break_it(&mut self, text: Option<&str>, signal: Option<Signal>, words: &[&str]) {
        if self.kind == Kind::CoreDns && text == Some("") {
            return; // it becomes a whoami server, and everything else would be wrong
        }
        let (failures, seen) = (self.failures(), self.process.lines().len());
        self.publish(text);
        self.tell(signal);
        // CoreDNS loses its counter with the configuration that it belongs to.
        if self.kind == Kind::Rutter {
            self.until("the failure is counted", |rig| rig.failures() > failures);
            let deadline = Instant::now() + PATIENCE;
            for word in words {
                let found = self.process.find_line(seen, &format!("…{word}…"), deadline);
                assert!(found.is_some(), "nothing logged of {word}: {:#?}", self.process.lines());
            }
            assert!(self.serves(self.version), "the version before serves on");
        }
    }

    /// Makes good a file that the last Corefile missed, and waits until that Corefile serves.
    pub(crate) fn mend(&mut self, file: &str, text: &str, question: &str) {
        fs::write(self.folder.path().join(file), text).unwrap();
        self.until("it is tried again", |rig| rig.answers(question));
    }

    fn publish(&self, text: Option<&str>) {
        let count = fs::read_dir(self.folder.path()).unwrap().count();
        publish(self.folder.path(), 100 + count, text);
    }

    fn tell(&self, signal: Option<Signal>) {
        if let Some(signal) = signal {
            // CoreDNS ignores SIGHUP.
            let known = if self.kind == Kind::Rutter { signal } else { Signal::USR1 };
            self.process.signal(known).unwrap();
        }
    }

    /// Waits until something is so. What is not of CoreDNS is for the report.
    pub(crate) fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let is = testkit::until(PATIENCE, || self.process.has_ended() || is_so(self));
        let good = is && !self.process.has_ended();
        assert!(good || self.kind == Kind::CoreDns, "not so: {what}: {:#?}", self.process.lines());
    }

    fn serves(&mut self, version: u8) -> bool {
        let wanted = format!("version.test. * IN A 192.0.2.{version}");
        self.client.expect("version.test A", &format!(";; NOERROR aa rd\n{wanted}")).is_ok()
    }

    /// Whether a question has an answer with records.
    fn answers(&mut self, question: &str) -> bool {
        [";; NOERROR aa rd\n…", ";; NOERROR aa rd ra\n…", ";; NOERROR ra rd\n…"]
            .iter()
            .any(|reply| self.client.expect(question, reply).is_ok())
    }

    pub(crate) fn failures(&self) -> f64 {
        self.metric("coredns_reload_failed_total", "")
    }

    /// The sum of a metric's samples with these words in their labels; 0 if there are none.
    pub(crate) fn metric(&self, name: &str, words: &str) -> f64 {
        let address = SocketAddr::from(([127, 0, 0, 1], self.ports.port(3)));
        let Ok(page) = http::get(address, "/metrics") else { return 0.0 };
        let samples = page.body.lines().filter_map(|line| line.rsplit_once(' '));
        let ours = samples.filter(|(series, _)| {
            let labels = series.strip_prefix(name);
            labels.is_some_and(|labels| {
                labels.is_empty() || labels.starts_with('{') && labels.contains(words)
            })
        });
        ours.filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
    }

    pub(crate) fn is_ready(&self) -> bool {
        let address = SocketAddr::from(([127, 0, 0, 1], self.ports.port(2)));
        http::get(address, "/ready").is_ok_and(|response| response.status == 200)
    }

    /// Memory that is the server's own, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let own = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        own.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// Today's Corefile of every cluster, and beside it a block that says which version this is.
pub(crate) fn corefile(version: u8) -> String {
    with_block(version, "")
}

/// The same with another block behind.
pub(crate) fn with_block(version: u8, block: &str) -> String {
    format!(
        "\
. {{
    errors
    health {{$HEALTH}} {{
        lameduck 3s
    }}
    ready {{$READY}}
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        endpoint {{$KUBERNETES}}
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
    }}
    hosts {{
        192.0.2.1 steady.test
        fallthrough
    }}
    prometheus {{$METRICS}}
    forward . {{$UPSTREAM}} {{
        force_tcp
    }}
    cache
    loop
    reload 2s 1s
    loadbalance
}}
version.test {{
    hosts {{
        192.0.2.{version} version.test
    }}
}}
{block}"
    )
}

/// Puts a Corefile, or none, in place as the kubelet does: a new folder, and `..data` leads to it.
fn publish(folder: &Path, number: usize, text: Option<&str>) {
    let name = format!("..{number}");
    fs::create_dir(folder.join(&name)).unwrap();
    if let Some(text) = text {
        fs::write(folder.join(&name).join("Corefile"), text).unwrap();
    }
    let new = folder.join("..data_tmp");
    symlink(name, &new).unwrap();
    fs::rename(new, folder.join("..data")).unwrap();
}
