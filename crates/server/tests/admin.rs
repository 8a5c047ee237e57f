//! Asking the running server about itself: `rutter_admin`, and the commands that use it.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use rustix::process::Signal;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;
use testkit::dns::Client;
use testkit::{PortBlock, Process, http, until};

const SOON: Duration = Duration::from_secs(10);

/// A folder with a Corefile, whose `{ADMIN}` stands for where the server is asked.
struct Site {
    folder: TempDir,
    ports: PortBlock,
}

impl Site {
    fn new(corefile: &str) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap(), ports: PortBlock::take().unwrap() };
        site.write(corefile);
        site
    }

    fn write(&self, corefile: &str) {
        let (admin, socket) = (self.admin().to_string(), self.path("admin.sock"));
        let text = corefile.replace("{ADMIN}", &admin).replace("{SOCKET}", &socket);
        std::fs::write(self.path("Corefile"), text).unwrap();
    }

    fn path(&self, file: &str) -> String {
        self.folder.path().join(file).display().to_string()
    }

    fn admin(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.ports.port(1)).into()
    }

    fn start(&self) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rutter"));
        let port = self.ports.port(0);
        command.args(["-conf", &self.path("Corefile"), "-dns.port", &port.to_string()]);
        let mut process = Process::start(command).unwrap();
        let mut client = Client::new(port);
        let serves = until(SOON, || client.expect("www.a.test A", ANSWER).is_ok());
        assert!(serves, "{:#?}", process.lines());
        process.has_answered();
        process
    }

    fn ask(&self, target: &str) -> http::Response {
        http::get(self.admin(), target).unwrap()
    }

    fn status(&self) -> Value {
        let response = self.ask("/v1/status");
        assert_eq!(response.status, 200, "{}", response.body);
        serde_json::from_str(&response.body).unwrap()
    }
}

const ANSWER: &str = ";; NOERROR aa rd\nwww.a.test. 3600 IN A 10.0.0.1";

const COREFILE: &str = "\
import custom/*.server
a.test {
    rutter_admin {ADMIN}
    hosts {
        10.0.0.1 www.a.test
    }
}
";

fn rutter(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rutter")).args(words).output().unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

#[test]
fn the_status_tells_what_serves_and_what_was_refused() {
    let site = Site::new(COREFILE);
    let process = site.start();
    let first = site.status();
    assert_eq!(first["pid"], process.id());
    assert_eq!((&first["state"], &first["ready"]), (&"serving".into(), &true.into()));
    assert_eq!(first["last_reload"], Value::Null);
    assert_eq!(first["listeners"][0]["zones"], serde_json::json!(["a.test."]));
    let admin = site.admin().to_string();
    assert_eq!(rutter(&["status", "--server", &admin]).status.code(), Some(0));

    site.write(&COREFILE.replace("hosts {", "hosst {"));
    process.signal(Signal::USR1).unwrap();
    assert!(until(SOON, || site.status()["last_reload"]["outcome"] == "refused"));
    let refused = site.status();
    let mistakes = refused["last_reload"]["mistakes"].as_array().unwrap();
    let mistake = mistakes.last().unwrap().as_str().unwrap();
    assert!(mistake.contains("Corefile:4:5: error: `hosst` is not a directive"), "{mistake}");
    assert_eq!(refused["configuration"], first["configuration"]);
    let shown = rutter(&["status", "--server", &admin]);
    assert_eq!(shown.status.code(), Some(1));
    let shown = text(&shown.stdout);
    assert!(shown.contains("refused: the configuration before serves on"), "{shown}");
    assert!(shown.contains(mistake), "{shown}");

    std::fs::create_dir(site.path("custom")).unwrap();
    std::fs::write(site.path("custom/team.server"), "b.test {\n    nothing\n}\n").unwrap();
    site.write(&COREFILE.replace("10.0.0.1 ", "10.0.0.2 "));
    process.signal(Signal::USR1).unwrap();
    assert!(until(SOON, || site.status()["last_reload"]["outcome"] == "reloaded"));
    let reloaded = site.status();
    assert_ne!(reloaded["configuration"]["sha512"], first["configuration"]["sha512"]);
    let aside = &reloaded["fragments_set_aside"][0];
    assert!(aside["path"].as_str().unwrap().ends_with("custom/team.server"), "{aside}");
    assert_eq!(aside["earlier_serves"], false);
    assert!(site.ask("/v1/config").body.contains("10.0.0.2 www.a.test"));
}

#[test]
fn a_socket_is_for_its_owner_and_moves_with_a_reload() {
    let site = Site::new(&COREFILE.replace("{ADMIN}", "unix:{SOCKET}"));
    let socket = format!("unix:{}", site.path("admin.sock"));
    {
        let mut process = site.start();
        let mode = std::fs::symlink_metadata(site.path("admin.sock")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let status = rutter(&["status", "--server", &socket, "-o", "json"]);
        assert_eq!(status.status.code(), Some(0), "{}", text(&status.stderr));
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        assert_eq!(status["pid"], process.id());
        // Killed: the socket stays, and the next process replaces it.
        process.signal(Signal::KILL).unwrap();
        assert!(until(SOON, || process.has_ended()));
    }
    assert_eq!(rutter(&["status", "--server", &socket]).status.code(), Some(3));
    let process = site.start();
    assert_eq!(rutter(&["status", "--server", &socket]).status.code(), Some(0));
    site.write(COREFILE);
    process.signal(Signal::USR1).unwrap();
    assert!(until(SOON, || http::get(site.admin(), "/v1/status").is_ok()));
    assert!(until(SOON, || !std::fs::exists(site.path("admin.sock")).unwrap()));
}

#[test]
fn without_the_directive_nobody_answers() {
    let words = ["status", "--server", "127.0.0.1:1"];
    let output = rutter(&words);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("write `rutter_admin` into the Corefile"));
    assert_eq!(rutter(&["status", "--server", "10.0.0.1:1"]).status.code(), Some(2));
    let explain = rutter(&["explain", "www.a.test", "--server", "127.0.0.1:1"]);
    assert_eq!(explain.status.code(), Some(3));
}

#[test]
fn a_place_that_is_taken_costs_no_answer() {
    let site = Site::new(&COREFILE.replace("{ADMIN}", "unix:{SOCKET}"));
    std::fs::write(site.path("admin.sock"), "precious").unwrap();
    let process = site.start();
    let told = |line: &String| line.contains("cannot listen on unix:");
    assert!(process.lines().iter().any(told), "{:#?}", process.lines());
    assert_eq!(std::fs::read(site.path("admin.sock")).unwrap(), b"precious");
}

#[test]
fn a_running_server_explains_as_a_corefile_does() {
    let site = Site::new(COREFILE);
    let _process = site.start();
    let (conf, admin) = (site.path("Corefile"), site.admin().to_string());
    let port = site.ports.port(0).to_string();
    for (name, code) in [("www.a.test", 0), ("gone.a.test", 1), ("x.other.test", 1)] {
        for words in [&["A"][..], &["AAAA", "-o", "json"], &["A", "--from", "shop/web-0"]] {
            let asked = [&["explain", name], words].concat();
            let offline = rutter(&[&asked[..], &["--conf", &conf, "-p", &port]].concat());
            let running = rutter(&[&asked[..], &["--server", &admin]].concat());
            assert_eq!(text(&running.stdout), text(&offline.stdout));
            assert_eq!(running.status.code(), offline.status.code());
            if words == ["A"] {
                assert_eq!(running.status.code(), Some(code), "{}", text(&running.stderr));
            }
        }
    }
    let wrong = rutter(&["explain", "www.a.test", "--listener", "x", "--server", &admin]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("there is no such listener: there is dns://:"));
    let both = rutter(&["explain", "www.a.test", "--conf", &conf, "--server", &admin]);
    assert_eq!(both.status.code(), Some(2));
}

/// A request in full; the status of its response, and whether it came in time.
fn raw(site: &Site, request: &str) -> String {
    let mut stream = TcpStream::connect(site.admin()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response); // reset, if it has not read all of a long one
    String::from_utf8_lossy(&response).into_owned()
}

const BROKEN: &[&str] =
    &["%", "%zz", "%00", "%ff", "..", "a..b", "%2F%2F", "💥", "-1", "&", "=", ""];

#[test]
fn the_description_is_true() {
    let site = Site::new(COREFILE);
    let _process = site.start();
    let document = site.ask("/v1/openapi.json");
    assert_eq!(document.status, 200);
    let document: Value = serde_json::from_str(&document.body).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let nowhere = site.ask("/v1/nothing");
    assert_eq!(nowhere.status, 404);
    for (path, described) in paths {
        assert!(nowhere.body.contains(path), "{path} is described, and not there");
        let get = &described["get"];
        let no_parameters = Vec::new();
        let parameters = get["parameters"].as_array().unwrap_or(&no_parameters);
        let valid: Vec<_> = parameters
            .iter()
            .filter_map(|it| Some((it["name"].as_str()?, it["example"].as_str()?)))
            .collect();
        let target = |given: &[(&str, &str)]| {
            let given: Vec<_> =
                given.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{path}?{}", given.join("&"))
        };
        assert_eq!(site.ask(&target(&valid)).status, 200, "{path}");
        assert_eq!(site.ask(&format!("{path}?unheard=of")).status, 400, "{path}");
        let mut wrong = 0;
        for parameter in parameters {
            let name = parameter["name"].as_str().unwrap();
            assert_eq!(site.ask(&target(&[(name, "a"), (name, "a")])).status, 400, "{path} {name}");
            let long = "a".repeat(5000);
            for broken in BROKEN.iter().copied().chain([long.as_str()]) {
                let mut given = valid.clone();
                given.retain(|(other, _)| *other != name);
                given.push((name, broken));
                let status = site.ask(&target(&given)).status;
                assert!(get["responses"][status.to_string()].is_object(), "{path} {name}={broken}");
                assert!(status < 500, "{path} {name}={broken}: {status}");
                wrong += usize::from(status == 400);
            }
        }
        assert!(wrong >= parameters.len(), "{path} takes everything");
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
            let request = format!("{method} {path} HTTP/1.0\r\nContent-Length: 2\r\n\r\n{{}}");
            let response = raw(&site, &request);
            assert!(
                response.contains(" 405 ") && response.contains("allow: GET, HEAD"),
                "{response}"
            );
        }
    }
    assert_eq!(nowhere.body.matches("/v1/").count(), paths.len(), "{}", nowhere.body);
    let long = format!("GET /v1/status HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(64 << 10));
    for (request, status) in [
        (long.as_str(), " 431 "),
        ("GET / HTTP/1.0\r\n\r\n", " 404 "),
        ("\0\0\0\r\n\r\n", " 400 "),
        ("HEAD /v1/status HTTP/1.0\r\n\r\n", " 200 "),
    ] {
        let response = raw(&site, request);
        assert!(response.contains(status) || response.is_empty(), "{request:.20}: {response}");
    }
    assert_eq!(site.status()["state"], "serving");
}
