//! How long a server takes from its start to its first right answer while the API server is away.
//!
//! `cargo run -p server --example restart -- target/release/rutter [SERVICES] [RESTARTS]`
//!
//! The server is first started with an API server that has as many services with a slice of three
//! endpoints each, until it has left a snapshot. Then the API server's port is closed, and each
//! restart is timed from before `fork` to the answer for the last service.
#![expect(clippy::disallowed_methods, reason = "a measurement has no clock but the real one")]
#![expect(clippy::print_stdout, reason = "what an example is for")]
#![expect(clippy::unwrap_used, reason = "an example may panic")]

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use testkit::kubernetes::Condition;
use testkit::{FakeApi, PortBlock, Process, until};
use wire::{Class, Encoder, Flags, NameBuf, RecordType};

/// How long the start with an API server may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// Endpoints of a slice.
const ENDPOINTS: usize = 3;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let binary = fs::canonicalize(arguments.next().expect("the path of a server")).unwrap();
    let mut numbers = arguments.map(|text| text.parse::<usize>().unwrap());
    let (services, restarts) = (numbers.next().unwrap_or(10_000), numbers.next().unwrap_or(20));

    let (folder, ports) = (tempfile::tempdir().unwrap(), PortBlock::take().unwrap());
    let mut api = FakeApi::start(0).unwrap();
    api.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n").unwrap();
    (0..services).for_each(|index| api.apply(&manifest(index)).unwrap());
    let corefile = format!(
        "cluster.local {{\n    kubernetes {{\n        endpoint {}\n    }}\n}}\n",
        api.url()
    );
    fs::write(folder.path().join("Corefile"), corefile).unwrap();
    let start = || {
        let mut command = Command::new(&binary);
        command.args(["-conf", "Corefile", "-dns.port", &ports.port(0).to_string()]);
        command.args(["-state-dir", "state", "-state-interval", "1s"]).current_dir(folder.path());
        Process::start(command).unwrap()
    };
    let begun = Instant::now();
    let first = start();
    let state = folder.path().join("state");
    assert!(until(PATIENCE, || snapshot_len(&state).is_some()), "{:#?}", first.lines());
    println!("{services} services, a snapshot of {} octets", snapshot_len(&state).unwrap());
    println!("  with the API server: left after {:?}", begun.elapsed());
    drop(first);

    api.set(Condition::Down).unwrap();
    let mut times: Vec<_> = (0..restarts)
        .map(|_| {
            let begun = Instant::now();
            let process = start();
            wait_for_answer(ports.port(0), services - 1);
            let took = begun.elapsed();
            drop(process);
            took
        })
        .collect();
    times.sort_unstable();
    println!(
        "  without: first answer after {:?}, between {:?} and {:?} of {restarts} starts",
        times[restarts / 2],
        times[0],
        times[restarts - 1]
    );
}

/// The length of the one snapshot, once it is there.
fn snapshot_len(state: &Path) -> Option<u64> {
    let entries = fs::read_dir(state).ok()?.map(|entry| entry.unwrap());
    let mut whole = entries.filter(|entry| entry.path().extension() == Some("snapshot".as_ref()));
    whole.next().map(|entry| entry.metadata().unwrap().len())
}

/// Asks for a service again and again until its address is the answer.
fn wait_for_answer(port: u16, index: usize) {
    let name: NameBuf = format!("s-{index}.shop.svc.cluster.local").parse().unwrap();
    let (mut query, mut reply) = ([0; 512], [0; 512]);
    let question = (name.as_name(), RecordType::A, Class::IN);
    let length = Encoder::new().query(7, Flags::RD, question, None, &mut query);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
    loop {
        // Until the port is open, both fail at once.
        let _ = socket.send(&query[..length]);
        if let Ok(length) = socket.recv(&mut reply)
            && reply[..length].ends_with(&address(10, index).octets())
        {
            return;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}

/// The address of a service or, in another network, of an endpoint.
fn address(network: u8, index: usize) -> Ipv4Addr {
    let [_, high, middle, low] = (index as u32).to_be_bytes();
    Ipv4Addr::new(network, high, middle, low)
}

fn manifest(index: usize) -> String {
    let ip = address(10, index);
    let mut text = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: s-{index}, namespace: shop}}\n\
         spec: {{clusterIP: {ip}, ports: [{{port: 80, name: http}}, {{port: 443, name: https}}]}}\n\
         ---\n\
         apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\n\
         metadata:\n  name: s-{index}-x7k2p\n  namespace: shop\n  \
         labels: {{kubernetes.io/service-name: s-{index}}}\n\
         ports: [{{port: 8080, name: http}}, {{port: 8443, name: https}}]\nendpoints:\n"
    );
    for endpoint in 0..ENDPOINTS {
        let (ip, pod) = (address(172, index * ENDPOINTS + endpoint), "5d9c7b6f4");
        let target = format!("targetRef: {{name: s-{index}-{pod}-{endpoint}}}");
        writeln!(text, "- {{addresses: [{ip}], {target}}}").unwrap();
    }
    text
}
