//! Reloads of large files: how long the slowest answer takes meanwhile.
//!
//! `cargo test -p server --test large -- --ignored --nocapture` shows the figures; `$RUTTER` names
//! another program than the debug build, such as that of a release.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]
#![expect(clippy::disallowed_methods, reason = "a test has no clock but the real one")]

use rustix::process::Signal;
use std::fmt::Write;
use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use testkit::{PortBlock, Process, until};

const RECORDS: usize = 1_000_000;
const HOSTS: usize = 10_000;
const RULES: usize = 5_000;
/// How long a build of a million records may take; that of a debug build takes long.
const PATIENCE: Duration = Duration::from_secs(180);

/// `small.test A`, as it goes over the wire.
const QUERY: &[u8] = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x05small\x04test\0\0\x01\0\x01";

/// Files in which everything is another than in the version before.
fn write(folder: &Path, version: usize) {
    let mut zone = format!("@ 300 IN SOA ns a {version} 2 3 4 5\n@ 300 IN NS ns\n");
    for index in 0..RECORDS {
        writeln!(zone, "n{index} 300 IN A 10.{version}.{}.{}", index / 250 % 250, index % 250)
            .unwrap();
    }
    fs::write(folder.join("db.large"), zone).unwrap();
    let mut hosts = String::new();
    for index in 0..HOSTS {
        writeln!(hosts, "10.{version}.{}.{} host-{index}.test", index / 250, index % 250).unwrap();
    }
    fs::write(folder.join("hosts.txt"), hosts).unwrap();
    let mut corefile = ". {\n".to_owned();
    for index in 0..RULES {
        writeln!(corefile, "    rewrite name exact a{index}.rule b{version}.rule").unwrap();
    }
    corefile += "    hosts hosts.txt {\n        192.0.2.1 small.test\n        fallthrough\n        reload 0\n    }\n    \
                 file db.large large.test {\n        reload 0\n    }\n}\n";
    fs::write(folder.join("Corefile"), corefile).unwrap();
}

#[test]
#[ignore = "takes minutes in a debug build, and a release build's time matters"]
fn no_answer_waits_while_large_files_are_read() {
    let (folder, ports) = (tempfile::tempdir().unwrap(), PortBlock::take().unwrap());
    write(folder.path(), 1);
    let binary = std::env::var("RUTTER").unwrap_or(env!("CARGO_BIN_EXE_rutter").to_owned());
    let mut command = Command::new(binary);
    command.current_dir(folder.path());
    command.args(["-conf", "Corefile", "-dns.port", &ports.port(0).to_string()]);
    let process = Process::start(command).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", ports.port(0))).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let ask = || {
        let (begun, mut reply) = (Instant::now(), [0; 512]);
        socket.send(QUERY).ok()?;
        socket.recv(&mut reply).ok().map(|_octets| begun.elapsed())
    };
    assert!(until(PATIENCE, || ask().is_some()), "{:#?}", process.lines());
    let (mut slowest, mut answers) = (Duration::ZERO, 0);
    for version in 2..=4 {
        write(folder.path(), version);
        let from = process.lines().len();
        process.signal(Signal::HUP).unwrap();
        let deadline = Instant::now() + PATIENCE;
        let mut is_over = false;
        // What was replaced is freed some time after the swap.
        let mut until = deadline;
        while Instant::now() < until {
            slowest = slowest.max(ask().expect("every question is answered"));
            answers += 1;
            if !is_over && answers % 100 == 0 {
                is_over = process.find_line(from, "…Reloading complete", Instant::now()).is_some();
                until = if is_over { Instant::now() + Duration::from_secs(2) } else { deadline };
            }
        }
        assert!(is_over, "{:#?}", process.lines());
        println!("version {version}: {answers} answers, the slowest after {slowest:?}");
    }
}
