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
use testkit::upstream::{FakeUpstream, Script};
use testkit::{FakeApi, PortBlock, Process, http, until};

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

const FORWARDED: &str = "\
a.test {
    rutter_admin {ADMIN}
    hosts {
        10.0.0.1 www.a.test
    }
}
. {
    cache 30 {
        success 100
    }
    forward . {UPSTREAM} {
        policy sequential
        max_concurrent 50
    }
}
";

const UPSTREAM: &str = "\
www.example.org A
;; NOERROR ra rd
www.example.org. 60 IN A 192.0.2.80

silent.example.org A drop

gone.example.org A
;; NXDOMAIN ra rd
;; AUTHORITY
example.org. 60 IN SOA ns.example.org. root.example.org. 1 2 3 4 5
";

/// A server that forwards, has asked for each name above, and has the first one in its cache twice.
fn forwarding() -> (Site, FakeUpstream, Process) {
    let upstream = FakeUpstream::start(0, Script::read(UPSTREAM, 1).unwrap()).unwrap();
    let site = Site::new(&FORWARDED.replace("{UPSTREAM}", &upstream.address().to_string()));
    let process = site.start();
    let mut client = Client::new(site.ports.port(0));
    let answer = "www.example.org. 30 IN A 192.0.2.80";
    client.expect("www.example.org A", &format!(";; NOERROR ra rd\n{answer}")).unwrap();
    client.expect("www.example.org A", &format!(";; NOERROR aa ra rd\n{answer}")).unwrap();
    let denial = "example.org. * IN SOA ns.example.org. root.example.org. 1 2 3 4 5";
    let denied = format!(";; NXDOMAIN ra rd\n;; AUTHORITY\n{denial}");
    client.expect("gone.example.org A", &denied).unwrap();
    (site, upstream, process)
}

#[test]
fn servers_and_caches_tell_how_they_are() {
    let (site, upstream, _process) = forwarding();
    let ask = |target: &str| serde_json::from_str::<Value>(&site.ask(target).body).unwrap();
    let line = &ask("/v1/upstreams")["lines"][0];
    assert!(line["place"].as_str().unwrap().ends_with("Corefile:11"), "{line}");
    assert_eq!(line["from"], ".");
    assert_eq!((&line["policy"], &line["in_flight_max"]), (&"sequential".into(), &50.into()));
    let server = &line["servers"][0];
    assert_eq!(server["address"], upstream.address().to_string());
    assert_eq!((&server["answers"], &server["down"]), (&2.into(), &false.into()));
    let cache = &ask("/v1/cache")["caches"][0];
    assert_eq!((&cache["successes"], &cache["successes_max"]), (&1.into(), &100.into()));
    assert_eq!((&cache["denials"], &cache["kept"]), (&1.into(), &Value::Null));
    assert_eq!((&cache["requests"], &cache["hits_success"]), (&3.into(), &1.into()));
    assert!(cache["octets"].as_u64().unwrap() > 0);
    let kept = |name| ask(&format!("/v1/cache?name={name}"))["caches"][0]["kept"].clone();
    let www = kept("WWW.example.org");
    assert_eq!(
        (&www[0]["rcode"], &www[0]["ttl"], &www[1]),
        (&"NOERROR".into(), &30.into(), &Value::Null)
    );
    assert!(www[0]["records"][0].as_str().unwrap().ends_with("IN A 192.0.2.80"), "{www}");
    assert_eq!(kept("gone.example.org")[0]["rcode"], "NXDOMAIN");
    assert_eq!(kept("new.example.org"), serde_json::json!([]));
}

#[test]
fn clusters_tell_how_old_is_what_is_known() {
    let api = FakeApi::start(0).unwrap();
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
    api.apply(namespace).unwrap();
    let clusters = format!(
        "cluster.local {{\n    kubernetes {{\n        endpoint {}\n    }}\n}}\n\
         files.test {{\n    kubernetes files.test {{\n        manifests {{FOLDER}}\n    }}\n}}\n",
        api.url()
    );
    let site = Site::new("");
    std::fs::write(site.path("bad.yaml"), "kind: [").unwrap();
    let folder = site.folder.path().display().to_string();
    site.write(&(COREFILE.to_owned() + &clusters.replace("{FOLDER}", &folder)));
    let _process = site.start();
    let ask = |path| serde_json::from_str::<Value>(&site.ask(path).body).unwrap();
    assert!(until(SOON, || site.status()["ready"] == true));
    let told = ask("/v1/clusters");
    let document = ask("/v1/openapi.json");
    let schema = serde_json::json!({ "$ref": "#/components/schemas/Clusters" });
    assert_eq!(faults(&document, &schema, &told), Vec::<String>::new());
    let (watched, files) = (&told["clusters"][0], &told["clusters"][1]);
    assert_eq!((&watched["plugin"], &watched["synced"]), (&"kubernetes".into(), &true.into()));
    let resources = watched["resources"].as_array().unwrap();
    let services = resources.iter().find(|it| it["resource"] == "Service").unwrap();
    assert!(services["age_seconds"].as_f64().unwrap() < 60.0, "{services}");
    assert_eq!(services["lists"], 1);
    assert_eq!((&files["source"], &files["resources"]), (&folder.into(), &serde_json::json!([])));
    assert!(files["mistakes"][0].as_str().unwrap().contains("bad.yaml"), "{files}");
}

#[test]
fn a_few_names_are_explained_at_once() {
    let (site, _upstream, _process) = forwarding();
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = TcpStream::connect(site.admin()).unwrap();
            let request = "GET /v1/explain?name=silent.example.org&type=A HTTP/1.0\r\n\r\n";
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    let explain = || site.ask("/v1/explain?name=www.a.test&type=A").status;
    assert!(until(SOON, || explain() == 429));
    assert_eq!(site.status()["state"], "serving");
    drop(waiting);
    // What was begun ends by itself, and makes room.
    assert!(until(Duration::from_secs(20), || explain() == 200));
}

/// Where `value` is not as `schema` of `document` has it.
fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    if let Some(path) = schema["$ref"].as_str() {
        let schema = document.pointer(path.trim_start_matches('#')).unwrap();
        return faults(document, schema, value);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let fits = any.iter().any(|schema| faults(document, schema, value).is_empty());
        return if fits { Vec::new() } else { vec![format!("{value} fits none of {any:?}")] };
    }
    if let Some(words) = schema["enum"].as_array() {
        let fits = words.contains(value);
        return if fits { Vec::new() } else { vec![format!("{value} is not in {words:?}")] };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = schema["type"].as_str().into_iter();
    let several = schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut allowed = allowed.chain(several);
    if !allowed.any(|it| it == kind || it == "number" && kind == "integer") {
        return vec![format!("{value} must be {}", schema["type"])];
    }
    let mut found = Vec::new();
    for item in value.as_array().into_iter().flatten() {
        found.extend(faults(document, &schema["items"], item));
    }
    let Some(properties) = schema["properties"].as_object() else { return found };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            found.push(format!("{name} is missing"));
        }
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        match properties.get(name) {
            Some(schema) => found.extend(faults(document, schema, value)),
            None => found.push(format!("{name} is not described")),
        }
    }
    found
}

#[test]
fn the_first_listener_is_that_of_the_corefile() {
    let site = Site::new("");
    let first = format!(
        "b.test:{} {{\n    hosts {{\n        10.0.0.9 www.b.test\n    }}\n}}\n",
        site.ports.port(2)
    );
    assert!(site.ports.port(2) > site.ports.port(0));
    site.write(&(first + COREFILE));
    let _process = site.start();
    let explain = rutter(&["explain", "www.b.test", "A", "--server", &site.admin().to_string()]);
    assert_eq!(explain.status.code(), Some(0), "{}", text(&explain.stdout));
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
    let (site, _upstream, _process) = forwarding();
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
        for given in [&[][..], &valid] {
            let response = site.ask(&target(given));
            if response.status == 400 && given.is_empty() {
                assert!(parameters.iter().any(|it| it["required"] == true), "{path}");
                continue;
            }
            assert_eq!(response.status, 200, "{path}");
            let content = &get["responses"]["200"]["content"]["application/json"];
            if let Ok(told) = serde_json::from_str(&response.body) {
                let found = faults(&document, &content["schema"], &told);
                assert!(found.is_empty(), "{path}: {found:#?}");
            }
        }
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
        ("GET /v1/status HTTP/1.0\r\nHost: example.org\r\n\r\n", " 421 "),
        ("\0\0\0\r\n\r\n", " 400 "),
        ("HEAD /v1/status HTTP/1.0\r\n\r\n", " 200 "),
    ] {
        let response = raw(&site, request);
        assert!(response.contains(status) || response.is_empty(), "{request:.20}: {response}");
    }
    assert_eq!(site.status()["state"], "serving");
}
