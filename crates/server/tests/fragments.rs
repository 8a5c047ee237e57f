//! A fragment that is wrong stops nobody but its owner.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]
#![expect(clippy::disallowed_methods, reason = "a test has no clock but the real one")]

use rustix::process::Signal;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use testkit::dns::Client;
use testkit::{PortBlock, Process, http, until};

const SOON: Duration = Duration::from_secs(10);

/// A server with `custom/*.override` in its block and `custom/*.server` beside it.
struct Site {
    folder: TempDir,
    ports: PortBlock,
}

impl Site {
    fn new(fragments: &[(&str, &str)]) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap(), ports: PortBlock::take().unwrap() };
        std::fs::create_dir(site.folder.path().join("custom")).unwrap();
        site.write("Corefile", &site.corefile("base.test"));
        for (name, text) in fragments {
            site.write(&format!("custom/{name}"), text);
        }
        site
    }

    fn corefile(&self, name: &str) -> String {
        let metrics = self.ports.port(1);
        format!(
            "import custom/*.server\n. {{\n    prometheus 127.0.0.1:{metrics}\n    \
             import custom/*.override\n    hosts {{\n        10.0.0.1 {name}\n        \
             fallthrough\n    }}\n}}\n"
        )
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.folder.path().join(file), text).unwrap();
    }

    fn path(&self, file: &str) -> String {
        self.folder.path().join(file).display().to_string()
    }

    fn start(&self) -> (Process, Client) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rutter"));
        let port = self.ports.port(0);
        command.args(["-conf", &self.path("Corefile"), "-dns.port", &port.to_string()]);
        let mut process = Process::start(command).unwrap();
        let mut client = Client::new(port);
        let serves = until(SOON, || client.expect("base.test A", &answer("base.test", 1)).is_ok());
        assert!(serves, "{:#?}", process.lines());
        process.has_answered();
        (process, client)
    }

    fn set_aside(&self) -> u64 {
        let address = ([127, 0, 0, 1], self.ports.port(1)).into();
        let scrape = http::get(address, "/metrics").unwrap();
        let line = scrape.body.lines().find_map(|line| {
            line.strip_prefix("rutter_config_fragments_set_aside ").map(str::to_owned)
        });
        line.unwrap().parse().unwrap()
    }
}

fn answer(name: &str, last: u8) -> String {
    format!(";; NOERROR aa rd\n{name}. 3600 IN A 10.0.0.{last}")
}

fn told(process: &Process, line: &str) -> bool {
    process.find_line(0, line, Instant::now() + SOON).is_some()
}

fn server_block(zone: &str, last: u8) -> String {
    format!("{zone} {{\n    hosts {{\n        10.0.0.{last} www.{zone}\n    }}\n}}\n")
}

#[test]
fn a_start_leaves_out_the_fragments_that_are_wrong_and_names_them() {
    let site = Site::new(&[
        ("a.server", &server_block("a.test", 2)),
        ("b.server", "b.test {\n    hots\n}\n"),
        ("c.server", ". {\n    whoami\n}\n"),
        ("d.override", "errors {\n"),
        ("e.override", "errors\n"),
    ]);
    let (process, mut client) = site.start();
    client.expect("www.a.test A", &answer("www.a.test", 2)).unwrap();
    assert_eq!(site.set_aside(), 3);
    for (name, mistake) in [
        ("b.server", "`hots` is not a directive"),
        ("c.server", "is served twice; the first: …/custom/c.server:1:1"),
        ("d.override", "is not a property of `errors`"),
    ] {
        let path = site.path(&format!("custom/{name}"));
        assert!(told(&process, &format!("…{path} is set aside: nothing of it is in force…")));
        assert!(told(&process, &format!("…{mistake}…")), "{:#?}", process.lines());
    }
}

#[test]
fn a_fragment_that_was_good_serves_on_while_others_change() {
    let site = Site::new(&[("a.server", &server_block("a.test", 2))]);
    let (process, mut client) = site.start();
    site.write("custom/a.server", "a.test {\n    hosts {\n        10.0.0.300 www.a.test\n");
    site.write("Corefile", &site.corefile("more.test"));
    process.signal(Signal::USR1).unwrap();
    let path = site.path("custom/a.server");
    let instead = "what it said when last it was good serves on";
    assert!(told(&process, &format!("…{path} is set aside: {instead}…")));
    assert!(until(SOON, || client.expect("more.test A", &answer("more.test", 1)).is_ok()));
    client.expect("www.a.test A", &answer("www.a.test", 2)).unwrap();
    assert_eq!(site.set_aside(), 1);
    // Again: what serves is not what the file says, and still known.
    process.signal(Signal::USR1).unwrap();
    site.write("custom/a.server", &server_block("a.test", 3));
    process.signal(Signal::USR1).unwrap();
    assert!(until(SOON, || client.expect("www.a.test A", &answer("www.a.test", 3)).is_ok()));
    assert_eq!(site.set_aside(), 0);
}

#[test]
fn what_is_wrong_in_the_base_is_everybodys() {
    let site = Site::new(&[("a.server", "a.test {\n    hots\n}\n")]);
    site.write("Corefile", "import custom/*.server\n. {\n    whoam\n}\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_rutter"));
    command.args(["-conf", &site.path("Corefile"), "-dns.port", &site.ports.port(0).to_string()]);
    let mut process = Process::start(command).unwrap();
    let status = process.wait(Instant::now() + SOON).unwrap().unwrap();
    assert_eq!(status.code(), Some(1));
    let errors = process.errors().join("\n");
    assert!(errors.contains("`hots`") && errors.contains("`whoam`"), "{errors}");
    assert!(Path::new(&site.path("custom/a.server")).exists());
}

#[test]
fn the_effective_corefile_names_the_origin_of_each_line() {
    let site = Site::new(&[("a.server", &server_block("a.test", 2)), ("b.override", "errors\n")]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_rutter"));
    let output = command.args(["config", "show", &site.path("Corefile")]).output().unwrap();
    assert!(output.status.success());
    let shown = String::from_utf8(output.stdout).unwrap();
    for (line, origin) in [
        ("a.test {", "custom/a.server:1"),
        ("        10.0.0.2 www.a.test", "custom/a.server:3"),
        ("    errors", "custom/b.override:1"),
        ("        10.0.0.1 base.test", "Corefile:6"),
    ] {
        let found = shown.lines().find(|shown| shown.starts_with(line));
        assert!(found.is_some_and(|found| found.ends_with(origin)), "{line}: {shown}");
    }
}
