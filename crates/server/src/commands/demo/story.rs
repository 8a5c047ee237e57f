//! The company's questions, and what comes back.

use super::client;
use crate::commands::explain::walked::{Asking, explain};
use crate::commands::print;
use crate::engine::Engine;
use chain::{Client, Transport};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use wire::{Message, NameBuf, RecordType, Section};

/// The demo while it is told.
pub(super) struct Story<'a> {
    pub(super) address: SocketAddr,
    pub(super) engine: &'a Engine,
    pub(super) folder: &'a Path,
}

/// A part of the story: what it shows, and what is asked.
struct Scene {
    title: &'static str,
    asked: &'static [(&'static str, RecordType, Transport)],
}

const UDP: Transport = Transport::Udp;
const TCP: Transport = Transport::Tcp;

const SCENES: &[Scene] = &[
    Scene {
        title: "A pod calls a service that has moved into the cluster, by its old name. The zone file has\n\
                a CNAME, the cluster the addresses of both pods: one answer, in changing order.",
        asked: &[
            ("nginx.company.com", RecordType::A, UDP),
            ("nginx.company.com", RecordType::A, TCP),
        ],
    },
    Scene {
        title: "A service that has not moved. Its name is ours for every type: a type that it does not\n\
                have is an empty answer, never \"no such name\".",
        asked: &[
            ("some-api.company.com", RecordType::A, UDP),
            ("some-api.company.com", RecordType::AAAA, UDP),
            ("some-api.company.com", RecordType::MX, UDP),
        ],
    },
    Scene {
        title: "A pod asks for \"my-nginx\": its resolver puts the search list behind the name.",
        asked: &[
            ("my-nginx.default.svc.cluster.local", RecordType::A, UDP),
            ("_http._tcp.my-nginx.default.svc.cluster.local", RecordType::SRV, UDP),
        ],
    },
    Scene {
        title: "With ndots:5 the old name goes through the search list first; denials are as cheap as\n\
                answers.",
        asked: &[
            ("nginx.company.com.default.svc.cluster.local", RecordType::A, UDP),
            ("nginx.company.com.svc.cluster.local", RecordType::A, UDP),
            ("nginx.company.com.cluster.local", RecordType::A, UDP),
        ],
    },
    Scene {
        title: "A service with a cluster address, and names for addresses.",
        asked: &[
            ("billing.default.svc.cluster.local", RecordType::A, UDP),
            ("17.1.244.10.in-addr.arpa", RecordType::PTR, UDP),
        ],
    },
];

/// `my-nginx` with a cluster address.
const WITH_CLUSTER_ADDRESS: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: default}
---
apiVersion: v1
kind: Service
metadata: {name: my-nginx, namespace: default}
spec: {clusterIP: 10.96.0.80, clusterIPs: [10.96.0.80], ports: [{name: http, port: 80}]}
";

impl Story<'_> {
    pub(super) fn introduce(&self, warnings: &str) {
        let (address, folder) = (self.address, self.folder.display());
        print(&format!(
            "A company between machines and Kubernetes, on {address} (UDP and TCP).\n\
             Its files are in {folder}; the server follows when they change.\n\n\
             The Corefile is of 2018. It is served all the same, and today's lines are shown:\n\n\
             {warnings}\n"
        ));
    }

    /// Asks everything, over real sockets.
    pub(super) fn tell(&self) -> io::Result<()> {
        for (number, scene) in SCENES.iter().enumerate() {
            print(&format!("\n{}. {}\n", number + 1, scene.title.replace('\n', "\n   ")));
            for &(name, rtype, transport) in scene.asked {
                self.show(name, rtype, transport)?;
            }
        }
        print(&format!(
            "\n{}. The team gives my-nginx a cluster address ({}).\n   Nobody reloads anything.\n",
            SCENES.len() + 1,
            self.folder.join("manifests/my-nginx.yaml").display()
        ));
        std::fs::write(self.folder.join("manifests/my-nginx.yaml"), WITH_CLUSTER_ADDRESS)?;
        self.wait_for_change()?;
        self.show("nginx.company.com", RecordType::A, UDP)
    }

    /// Asks until the changed manifest is answered from.
    fn wait_for_change(&self) -> io::Result<()> {
        const TRIES: usize = 200;
        let name: NameBuf = "nginx.company.com".parse().map_err(io::Error::other)?;
        for _ in 0..TRIES {
            let answer = client::ask(self.address, name, RecordType::A, UDP)?;
            let addresses = answer.body.answer.iter().filter(|r| r.rtype == RecordType::A);
            if addresses.count() == 1 {
                return Ok(());
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        Err(io::Error::other("the changed manifest was not picked up within ten seconds"))
    }

    /// Asks one question and prints it, its answer, and who gave it.
    fn show(&self, name: &str, rtype: RecordType, transport: Transport) -> io::Result<()> {
        let over = match transport {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        };
        let asked: NameBuf = name.parse().map_err(io::Error::other)?;
        let answer = client::ask(self.address, asked, rtype, transport)?;
        let mut text = format!("\n   {name} {rtype}, over {over}: {}\n", answer.rcode);
        text += &records(&answer);
        text += &format!("      answered by {}\n", self.answerers(asked, rtype).join(", then "));
        print(&text);
        Ok(())
    }

    /// The plugins that answer a question, with their lines.
    fn answerers(&self, name: NameBuf, rtype: RecordType) -> Vec<String> {
        let (Some(router), Some(parts)) = (self.engine.router(), self.engine.parts()) else {
            return Vec::new();
        };
        let client = Client { peer: self.address, local: self.address, transport: UDP };
        let clock = &*self.engine.process.clock;
        let asking = Asking { name, rtype, client, clock, offline: true };
        let explained = explain(&router, &parts.blocks, &asking);
        let by = self.engine.runtime.block_on(explained).answered_by;
        by.iter().map(|by| format!("{} ({})", by.plugin, by.place)).collect()
    }

    /// What to try next.
    pub(super) fn invite(&self, metrics: u16) {
        let (ip, port) = (self.address.ip(), self.address.port());
        print(&format!(
            "\nIt stays up. Try:\n\n\
             \x20   dig @{ip} -p {port} nginx.company.com\n\
             \x20   dig @{ip} -p {port} some-api.company.com MX\n\
             \x20   dig @{ip} -p {port} +tcp _http._tcp.my-nginx.default.svc.cluster.local SRV\n\
             \x20   dig @{ip} -p {port} example.org         # nobody here owns it: /etc/resolv.conf\n\
             \x20   curl http://127.0.0.1:{metrics}/metrics\n\n\
             Ctrl-C ends it.\n"
        ));
    }
}

/// The answer's records; the SOA of a denial.
fn records(answer: &Message) -> String {
    let mut text = String::new();
    for section in [Section::Answer, Section::Authority] {
        let is_denial = answer.body.answer.is_empty();
        if section == Section::Authority && !is_denial {
            continue;
        }
        for record in answer.body.section(section) {
            text += &format!("      {}\n", answer.body.text(record));
        }
    }
    if text.is_empty() { "      (an empty answer)\n".to_owned() } else { text }
}
