//! The servers with their Corefiles.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use testkit::dns::Client;
use testkit::http;

use super::objects;
use crate::blast::report::Report;
use crate::blast::{self, Load, Pace};
use crate::queries::{Queries, QueryOptions};
use crate::server::{Cores, Ports, Server};

/// How long a server may take until it knows everything.
const SYNC_MAX: Duration = Duration::from_secs(120);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A program that takes part.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) path: PathBuf,
}

/// Where servers find the cluster.
pub(super) enum Source<'a> {
    /// At this URL, without credentials.
    Endpoint(&'a str),
    Kubeconfig(&'a Path),
}

/// Starts servers.
pub(super) struct Site {
    pub(super) directory: PathBuf,
    pub(super) cores: Cores,
    ports: Ports,
}

/// A server that was started.
pub(super) struct Subject {
    pub(super) server: Server,
    pub(super) client: Client,
    ready: SocketAddr,
    begun: Instant,
}

/// What a server took until it knew everything.
pub(super) struct Start {
    pub(super) took: Duration,
    pub(super) cpu: Duration,
}

impl Site {
    pub(super) fn new(directory: PathBuf) -> Result<Self, String> {
        fs::create_dir_all(&directory)
            .map_err(|error| format!("{}: {error}", directory.display()))?;
        let cores = Cores::choose()?;
        Ok(Self { directory, cores, ports: Ports::new() })
    }

    /// The Corefile that kubeadm writes, but for what acts beside answering, and for the cache: that
    /// of CoreDNS would hide changes.
    pub(super) fn start(
        &mut self,
        program: &Program,
        source: &Source<'_>,
        pods: &str,
    ) -> Result<Subject, String> {
        let [dns, health, ready, metrics] = self.four_ports()?;
        let source = match source {
            Source::Endpoint(url) => format!("endpoint {url}"),
            Source::Kubeconfig(path) => format!("kubeconfig {}", path.display()),
        };
        let corefile = format!(
            "\
. {{
    bind 127.0.0.1
    errors
    health 127.0.0.1:{health}
    ready 127.0.0.1:{ready}
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        {source}
        pods {pods}
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }}
    prometheus 127.0.0.1:{metrics}
    loadbalance
}}
"
        );
        let path = self.directory.join("Corefile");
        fs::write(&path, corefile).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut command = Command::new(&program.path);
        command.arg("-conf").arg(path).arg("-dns.port").arg(dns.to_string());
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let log = self.directory.join(format!("{}.log", program.name));
        let begun = Instant::now();
        let server = Server::start(command, local(dns), &self.cores, &log)?;
        Ok(Subject { server, client: Client::new(dns), ready: local(ready), begun })
    }

    fn four_ports(&mut self) -> Result<[u16; 4], String> {
        Ok([self.ports.free()?, self.ports.free()?, self.ports.free()?, self.ports.free()?])
    }
}

impl Subject {
    /// Waits until the server says that it is ready and gives this reply.
    pub(super) fn wait_until_synced(
        &mut self,
        (question, reply): (String, String),
    ) -> Result<Start, String> {
        let is_ready = |subject: &mut Self| {
            http::get(subject.ready, "/ready").is_ok_and(|response| response.status == 200)
        };
        self.wait_for("it is not ready", is_ready)?;
        self.wait_for(&question, |subject| subject.client.expect(&question, &reply).is_ok())?;
        Ok(Start { took: self.begun.elapsed(), cpu: self.server.processes().cpu().run })
    }

    /// Waits for this reply.
    pub(super) fn wait_for_reply(
        &mut self,
        (question, reply): &(String, String),
    ) -> Result<(), String> {
        self.wait_for(question, |subject| subject.client.expect(question, reply).is_ok())
    }

    fn wait_for(
        &mut self,
        what: &str,
        mut is_so: impl FnMut(&mut Self) -> bool,
    ) -> Result<(), String> {
        let deadline = Instant::now() + SYNC_MAX;
        while !is_so(self) {
            self.server.check_running()?;
            if Instant::now() > deadline {
                return Err(format!("after {SYNC_MAX:?}: {what}"));
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Asks for the addresses of `services` Services at random; every answer must have one.
    pub(super) fn load(
        &self,
        services: usize,
        pace: Pace,
        measured: Duration,
    ) -> Result<Report, String> {
        let names = (0..services).filter(|i| !i.is_multiple_of(objects::HEADLESS_EVERY));
        let lines = names.map(|i| objects::service_answer(i, Ipv4Addr::UNSPECIFIED).0 + "\n");
        let options = QueryOptions { edns_size: Some(1232), recursion_desired: true };
        let queries = Queries::read(&lines.collect::<String>(), options);
        let queries = queries.map_err(|error| error.to_string())?;
        let (server, processes) = (self.server.address(), self.server.processes());
        let load = Load { server, processes, pace, measured, ..Load::default() };
        let report = blast::run(&load, &queries).map_err(|error| error.to_string())?;
        if report.tally.kinds.records < report.tally.good || report.tally.bad > 0 {
            return Err(format!("these are not the answers that were expected:\n{report}"));
        }
        Ok(report)
    }

    /// Memory now, in MiB: PSS.
    pub(super) fn memory(&self) -> f64 {
        self.server.processes().pss_kib() as f64 / 1024.0
    }
}
