//! What the process does with what it is started with: its standard streams above all.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use testkit::dns::Client;
use testkit::{PortBlock, until};

const SOON: Duration = Duration::from_secs(10);
const WHOAMI: &str = ";; NOERROR aa rd\n;; ADDITIONAL\n…";

fn rutter(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rutter"));
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn output(words: &[&str]) -> Output {
    rutter(words).output().unwrap()
}

fn terminate(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
}

/// A server that is killed when this is dropped.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_corefile_on_standard_input_may_be_a_file() {
    let (folder, ports) = (tempfile::tempdir().unwrap(), PortBlock::take().unwrap());
    let path = folder.path().join("C");
    std::fs::write(&path, "example.org {\n    whoami\n}\n").unwrap();
    let port = ports.port(0).to_string();
    let mut command = rutter(&["-conf", "stdin", "-dns.port", &port]);
    let _served = Served(command.stdin(File::open(path).unwrap()).spawn().unwrap());
    let mut client = Client::new(ports.port(0));
    assert!(until(SOON, || client.expect("www.example.org A", WHOAMI).is_ok()));
    client.expect("www.example.com A", ";; REFUSED rd").unwrap();
}

#[test]
fn a_log_that_nobody_reads_does_not_hold_up_the_end() {
    let (folder, ports) = (tempfile::tempdir().unwrap(), PortBlock::take().unwrap());
    let path = folder.path().join("C");
    std::fs::write(&path, ". {\n    log\n    whoami\n}\n").unwrap();
    let port = ports.port(0).to_string();
    let mut command = rutter(&["-conf", path.to_str().unwrap(), "-dns.port", &port]);
    let mut served = Served(command.spawn().unwrap()); // its pipe is open, and never read
    let mut client = Client::new(ports.port(0));
    assert!(until(SOON, || client.expect("www.example.org A", WHOAMI).is_ok()));
    for _ in 0..2000 {
        client.expect("www.example.org A", WHOAMI).unwrap(); // more lines than a pipe holds
    }
    terminate(&served.0);
    assert!(until(SOON, || served.0.try_wait().unwrap().is_some()));
}

#[test]
fn check_says_which_file_it_cannot_read() {
    let Output { status, stderr, .. } = output(&["check", "/nonexistent/Corefile"]);
    assert_eq!(status.code(), Some(1));
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(stderr.contains("cannot read /nonexistent/Corefile"), "{stderr}");
}

#[test]
fn check_warns_that_an_empty_file_is_whoami() {
    let (folder, text) = (tempfile::tempdir().unwrap(), "# nothing but a comment\n");
    let path = folder.path().join("C");
    std::fs::write(&path, text).unwrap();
    let Output { status, stderr, .. } = output(&["check", path.to_str().unwrap()]);
    assert_eq!(status.code(), Some(0));
    assert!(String::from_utf8(stderr).unwrap().contains("has no server block"));
}

#[test]
fn two_demos_at_a_time_have_ports_of_their_own() {
    let mut first = rutter(&["demo"]).spawn().unwrap();
    let mut told = BufReader::new(first.stdout.take().unwrap()).lines().map(Result::unwrap);
    let metrics = |line: &String| line.contains("/metrics");
    let of_first = told.find(metrics).unwrap();
    let mut second = Served(rutter(&["demo"]).spawn().unwrap());
    let mut of_second = BufReader::new(second.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_ne!(of_second.find(metrics).unwrap(), of_first);
    let folder = std::env::temp_dir().join(format!("rutter-demo-{}", first.id()));
    assert!(folder.exists());
    for demo in [&mut first, &mut second.0] {
        terminate(demo);
        assert!(demo.wait().unwrap().success());
    }
    assert!(!folder.exists());
}

#[test]
fn fmt_names_what_would_change_and_writes_it() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good"), folder.path().join("bad"));
    std::fs::write(&good, ". {\n    whoami\n}\n").unwrap();
    std::fs::write(&bad, ". {\nwhoami\n}\n").unwrap();
    let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());
    let Output { status, stdout, .. } = output(&["fmt", "--check", good, bad]);
    assert_eq!(status.code(), Some(1));
    assert_eq!(String::from_utf8(stdout).unwrap(), format!("{bad}\n"));
    let Output { status, stdout, .. } = output(&["fmt", "-w", good, bad]);
    assert_eq!((status.code(), stdout.len()), (Some(0), 0));
    assert_eq!(std::fs::read(bad).unwrap(), std::fs::read(good).unwrap());
    assert_eq!(output(&["fmt", "--check", good, bad]).status.code(), Some(0));
    assert_eq!(output(&["fmt", "--check", "--write", good]).status.code(), Some(2));
    assert_eq!(output(&["fmt", "/nonexistent"]).status.code(), Some(1));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn migrate_writes_a_corefile_that_serves_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("C");
    std::fs::write(&path, ". {\n    log stdout\n    proxy . 192.0.2.53\n}\n").unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(output(&["migrate", "-w", path]).status.code(), Some(0));
    let Output { status, stderr, .. } = output(&["check", path]);
    assert_eq!((status.code(), String::from_utf8(stderr).unwrap()), (Some(0), String::new()));
    std::fs::write(path, ". {\n    federation a.test {\n    }\n}\n").unwrap();
    assert_eq!(output(&["migrate", path]).status.code(), Some(1));
    assert_eq!(output(&["migrate", "--to", "new", path]).status.code(), Some(2));
}
