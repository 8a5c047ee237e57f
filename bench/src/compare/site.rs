//! The data and settings that the servers under test get: the same for all of them.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::api::{Api, Service};
use super::upstream::Upstream;
use super::workload::{Kind, Setup};
use crate::queries::{Queries, QueryOptions};
use crate::server::{Cores, Ports, Server};

/// How many names each server answers for.
const NAMES: usize = 10_000;

const NAMESPACES: usize = 20;

/// The zone of the hosts file, the zone file and the cached names.
const ZONE: &str = "bench.example.org";

/// All servers listen at one address, as the echo server does: on a wildcard address the kernel has to
/// tell with each query which address was asked, and be told with each answer.
const BIND: &str = "bind 127.0.0.1";

/// Where the programs are. One that is not given does not take part.
#[derive(Clone, Debug, Default)]
pub(super) struct Programs {
    pub(super) rutter: Option<PathBuf>,
    pub(super) coredns: Option<PathBuf>,
    pub(super) nsd: Option<PathBuf>,
    pub(super) unbound: Option<PathBuf>,
}

/// A folder with the servers' files, and the servers that they in turn depend on.
pub(super) struct Site {
    directory: PathBuf,
    programs: Programs,
    cores: Cores,
    ports: Ports,
    api: Api,
    upstream: Upstream,
}

impl Programs {
    fn of(&self, kind: Kind) -> Option<PathBuf> {
        match kind {
            Kind::Echo => std::env::current_exe().ok(),
            Kind::Rutter => self.rutter.clone(),
            Kind::CoreDns => self.coredns.clone(),
            Kind::Nsd => self.nsd.clone(),
            Kind::Unbound => self.unbound.clone(),
        }
    }

    pub(super) fn has(&self, kind: Kind) -> bool {
        self.of(kind).is_some()
    }
}

impl Site {
    /// Writes the files into `directory` and starts what the servers depend on.
    pub(super) fn new(directory: &Path, programs: Programs, cores: Cores) -> Result<Self, String> {
        fs::create_dir_all(directory)
            .map_err(|error| format!("{}: {error}", directory.display()))?;
        let directory = directory.canonicalize().map_err(|error| error.to_string())?;
        let services: Vec<Service> = (0..NAMES).map(service).collect();
        let site = Self {
            directory,
            programs,
            cores,
            ports: Ports::new(),
            api: Api::start(&services).map_err(|error| error.to_string())?,
            upstream: Upstream::start().map_err(|error| error.to_string())?,
        };
        site.write("hosts", &hosts_file())?;
        site.write("zone", &zone_file())?;
        Ok(site)
    }

    /// How many queries were passed on to the server behind the caches so far.
    pub(super) fn passed_on(&self) -> u64 {
        self.upstream.asked()
    }

    /// Starts a server; it may not answer yet.
    pub(super) fn start(&mut self, setup: Setup, kind: Kind) -> Result<Server, String> {
        let program = self.programs.of(kind);
        let mut command =
            Command::new(program.ok_or_else(|| format!("there is no {}", kind.name()))?);
        let port = self.ports.free()?;
        match kind {
            Kind::Echo => {
                command.args(["echo", &port.to_string()]);
            }
            Kind::Rutter | Kind::CoreDns => {
                let corefile = self.corefile(setup)?;
                let path = self.write("Corefile", &corefile)?;
                command.arg("-conf").arg(path).arg("-dns.port").arg(port.to_string());
            }
            Kind::Nsd => {
                let path = self.write("nsd.conf", &self.nsd_conf(port))?;
                command.arg("-d").arg("-c").arg(path);
            }
            Kind::Unbound => {
                let path = self.write("unbound.conf", &self.unbound_conf(port))?;
                command.arg("-d").arg("-c").arg(path);
            }
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let log = self.directory.join(format!("{}-{}.log", setup.name(), kind.name()));
        Server::start(command, address, &self.cores, &log)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.directory.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    /// The Corefile that Rutter and CoreDNS share.
    fn corefile(&mut self, setup: Setup) -> Result<String, String> {
        let directory = self.directory.display();
        let upstream = self.upstream.address();
        Ok(match setup {
            Setup::Hosts => format!(". {{\n    {BIND}\n    hosts {directory}/hosts\n}}\n"),
            Setup::Zone => format!("{ZONE} {{\n    {BIND}\n    file {directory}/zone\n}}\n"),
            Setup::Cache => format!(
                "\
. {{
    {BIND}
    errors
    prometheus 127.0.0.1:{metrics}
    forward . {upstream}
    cache 3600 {{
        success 40000 3600
    }}
}}
",
                metrics = self.ports.free()?
            ),
            // What kubeadm installs, without the two plugins that act beside answering: `loop` and
            // `reload`.
            Setup::Kubernetes => format!(
                "\
. {{
    {BIND}
    errors
    health 127.0.0.1:{health}
    ready 127.0.0.1:{ready}
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        endpoint {api}
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }}
    prometheus 127.0.0.1:{metrics}
    forward . {upstream}
    cache 30
    loadbalance
}}
",
                health = self.ports.free()?,
                ready = self.ports.free()?,
                api = self.api.url(),
                metrics = self.ports.free()?
            ),
        })
    }

    /// One server process, no rate limit (Debian's has one built in), nothing written outside.
    fn nsd_conf(&self, port: u16) -> String {
        let directory = self.directory.display();
        format!(
            "\
server:
    server-count: 1
    ip-address: 127.0.0.1@{port}
    username: \"\"
    zonesdir: \"{directory}\"
    database: \"\"
    pidfile: \"\"
    xfrdfile: \"{directory}/nsd.xfrd\"
    zonelistfile: \"{directory}/nsd.zones\"
    minimal-responses: yes
    rrl-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: \"{ZONE}\"
    zonefile: \"zone\"
"
        )
    }

    /// One thread, no validation, a cache that holds all names.
    fn unbound_conf(&self, port: u16) -> String {
        let upstream = self.upstream.address();
        format!(
            "\
server:
    num-threads: 1
    interface: 127.0.0.1@{port}
    username: \"\"
    chroot: \"\"
    pidfile: \"\"
    use-syslog: no
    do-daemonize: no
    do-not-query-localhost: no
    module-config: \"iterator\"
    msg-cache-size: 64m
    rrset-cache-size: 128m
    minimal-responses: yes
remote-control:
    control-enable: no
forward-zone:
    name: \".\"
    forward-addr: {}@{}
",
            upstream.ip(),
            upstream.port()
        )
    }
}

/// What clients send: a stub resolver sets RD.
const QUERY_OPTIONS: QueryOptions = QueryOptions { edns_size: Some(1232), recursion_desired: true };

/// A query for the address of each name.
pub(super) fn queries(setup: Setup) -> Result<Queries, String> {
    queries_for(|i| match setup {
        Setup::Hosts | Setup::Zone | Setup::Cache => host(i),
        Setup::Kubernetes => service_name(i),
    })
}

/// As many queries that a pod's resolver makes on the way to a name outside of the cluster.
pub(super) fn search_list_queries() -> Result<Queries, String> {
    queries_for(|i| format!("{}.{}.svc.cluster.local", host(i), namespace(i)))
}

fn queries_for(name: impl Fn(usize) -> String) -> Result<Queries, String> {
    let text: String = (0..NAMES).map(|i| name(i) + " A\n").collect();
    Queries::read(&text, QUERY_OPTIONS).map_err(|error| error.to_string())
}

fn host(i: usize) -> String {
    format!("host-{i:05}.{ZONE}")
}

fn namespace(i: usize) -> String {
    format!("team-{:02}", i % NAMESPACES)
}

fn service_name(i: usize) -> String {
    let Service { name, namespace, .. } = service(i);
    format!("{name}.{namespace}.svc.cluster.local")
}

fn service(i: usize) -> Service {
    let [.., high, low] = i.to_be_bytes();
    Service {
        namespace: namespace(i),
        name: format!("service-{i:05}"),
        cluster_ip: Ipv4Addr::new(10, 96, high, low),
        endpoint: Ipv4Addr::new(10, 1, high, low),
    }
}

fn hosts_file() -> String {
    (0..NAMES).fold(String::new(), |mut text, i| {
        let [.., high, low] = i.to_be_bytes();
        let _ = writeln!(text, "10.2.{high}.{low} {}", host(i));
        text
    })
}

fn zone_file() -> String {
    let mut text = format!("$ORIGIN {ZONE}.\n$TTL 3600\n@ SOA ns admin 1 7200 3600 1209600 300\n");
    text.push_str("@ NS ns\nns A 10.2.255.1\n");
    for i in 0..NAMES {
        let [.., high, low] = i.to_be_bytes();
        let _ = writeln!(text, "host-{i:05} A 10.2.{high}.{low}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setup_has_a_query_for_each_name() {
        for setup in Setup::ALL {
            assert_eq!(queries(setup).unwrap().len(), NAMES);
        }
        assert_eq!(search_list_queries().unwrap().len(), NAMES);
        assert_eq!(service_name(1), "service-00001.team-01.svc.cluster.local");
    }

    #[test]
    fn files_have_a_line_for_each_name() {
        assert_eq!(hosts_file().lines().count(), NAMES);
        assert!(hosts_file().ends_with("10.2.39.15 host-09999.bench.example.org\n"));
        assert_eq!(zone_file().lines().filter(|line| line.starts_with("host-")).count(), NAMES);
    }
}
