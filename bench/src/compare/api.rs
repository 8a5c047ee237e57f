//! As much of a Kubernetes API server as a DNS server needs: namespaces, Services and one
//! EndpointSlice for each, to list and to watch, over plain HTTP.
//!
//! Nothing ever changes, so a watch tells what there is, if it was asked to, and then stays silent.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};

/// An API server that runs until the process ends.
pub(super) struct Api {
    address: SocketAddr,
}

/// What it tells of.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) cluster_ip: Ipv4Addr,
    /// The address of its one endpoint.
    pub(super) endpoint: Ipv4Addr,
}

/// The version of everything.
const RESOURCE_VERSION: &str = "1000";

/// The most octets of a request; requests have no body.
const REQUEST_MAX: u64 = 64 * 1024;

impl Api {
    pub(super) fn start(services: &[Service]) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let objects = Arc::new(Objects::new(services));
        thread::Builder::new().name("api".to_owned()).spawn(move || accept(&listener, &objects))?;
        Ok(Self { address })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// A thread for each connection: a DNS server opens one, or one for each kind of object.
fn accept(listener: &TcpListener, objects: &Arc<Objects>) {
    for stream in listener.incoming().flatten() {
        let objects = Arc::clone(objects);
        // A client that goes away in the middle of a response is none of our business.
        thread::spawn(move || drop(serve(&stream, &objects)));
    }
}

fn serve(stream: &TcpStream, objects: &Objects) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(target) = read_request(&mut reader)? {
        match respond(&target, objects) {
            Response::Whole { status, body } => write_whole(stream, status, &body)?,
            Response::Watch { events } => {
                write_watch_head(stream)?;
                write_chunk(stream, events)?;
                // Until the client hangs up: no client sends another request into a watch.
                return io::copy(&mut reader, &mut io::sink()).map(drop);
            }
        }
    }
    Ok(())
}

/// The target of the next GET request, such as `/api/v1/services?watch=true`; `None` at the end.
fn read_request(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut lines = reader.take(REQUEST_MAX);
    let mut first = String::new();
    lines.read_line(&mut first)?;
    let mut words = first.split_ascii_whitespace();
    let (Some("GET"), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let target = target.to_owned();
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 && line.trim_end() != "" {
        line.clear();
    }
    Ok(Some(target))
}

enum Response<'a> {
    Whole { status: &'static str, body: String },
    Watch { events: &'a str },
}

fn respond<'a>(target: &str, objects: &'a Objects) -> Response<'a> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let asks = |parameter: &str| query.split('&').any(|given| given == parameter);
    let number = |parameter: &str| -> Option<usize> {
        let mut values = query.split('&').filter_map(|given| given.strip_prefix(parameter));
        values.next()?.parse().ok()
    };
    let watch = asks("watch=true") || asks("watch=1");
    let ok = |body: &str| Response::Whole { status: "200 OK", body: body.to_owned() };
    let kind = match path {
        "/api/v1/namespaces" => &objects.namespaces,
        "/api/v1/services" => &objects.services,
        "/apis/discovery.k8s.io/v1/endpointslices" => &objects.slices,
        "/version" => return ok(r#"{"major":"1","minor":"37","gitVersion":"v1.37.2"}"#),
        _ => {
            let body = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404,
                "reason": "NotFound", "message": format!("there is no {path} here") });
            return Response::Whole { status: "404 Not Found", body: body.to_string() };
        }
    };
    match watch {
        true if asks("sendInitialEvents=true") => Response::Watch { events: &kind.events },
        true => Response::Watch { events: "" },
        false => ok(&kind.page(number("continue=").unwrap_or(0), number("limit="))),
    }
}

fn write_whole(mut stream: &TcpStream, status: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

fn write_watch_head(mut stream: &TcpStream) -> io::Result<()> {
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes())
}

/// A chunk (RFC 9112 §7.1); an empty one would end the response.
fn write_chunk(mut stream: &TcpStream, text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    write!(stream, "{:x}\r\n{text}\r\n", text.len())
}

/// All objects, as they are sent.
struct Objects {
    namespaces: Kind,
    services: Kind,
    slices: Kind,
}

/// The objects of one kind.
struct Kind {
    version: &'static str,
    name: &'static str,
    /// As items of a list.
    items: Vec<String>,
    /// As watch events, with the bookmark that ends the first of them.
    events: String,
}

impl Objects {
    fn new(services: &[Service]) -> Self {
        let mut names: Vec<&str> = services.iter().map(|service| &*service.namespace).collect();
        names.sort_unstable();
        names.dedup();
        let namespaces: Vec<Value> = names.into_iter().map(namespace).collect();
        let slices: Vec<Value> = services.iter().map(Service::slice).collect();
        let services: Vec<Value> = services.iter().map(Service::object).collect();
        Self {
            namespaces: Kind::new("v1", "Namespace", &namespaces),
            services: Kind::new("v1", "Service", &services),
            slices: Kind::new("discovery.k8s.io/v1", "EndpointSlice", &slices),
        }
    }
}

impl Kind {
    fn new(version: &'static str, kind: &'static str, objects: &[Value]) -> Self {
        let mut events = String::new();
        for object in objects {
            let mut object = object.clone();
            object["apiVersion"] = version.into();
            object["kind"] = kind.into();
            events.push_str(&event("ADDED", &object));
        }
        let metadata = json!({ "resourceVersion": RESOURCE_VERSION,
            "annotations": { "k8s.io/initial-events-end": "true" } });
        let bookmark = json!({ "apiVersion": version, "kind": kind, "metadata": metadata });
        events.push_str(&event("BOOKMARK", &bookmark));
        let items = objects.iter().map(Value::to_string).collect();
        Self { version, name: kind, items, events }
    }

    /// A list's body from the object at `begin` on; with a limit it may say where it continues.
    fn page(&self, begin: usize, limit: Option<usize>) -> String {
        let rest = self.items.get(begin..).unwrap_or_default();
        let page = &rest[..rest.len().min(limit.unwrap_or(usize::MAX))];
        let mut metadata = json!({ "resourceVersion": RESOURCE_VERSION });
        if page.len() < rest.len() {
            metadata["continue"] = (begin + page.len()).to_string().into();
        }
        let Self { version, name, .. } = self;
        let items = page.join(",");
        format!(
            r#"{{"apiVersion":"{version}","kind":"{name}List","metadata":{metadata},"items":[{items}]}}"#
        )
    }
}

/// One event of a watch: a line.
fn event(of: &str, object: &Value) -> String {
    format!("{}\n", json!({ "type": of, "object": object }))
}

fn namespace(name: &str) -> Value {
    json!({ "metadata": { "name": name, "resourceVersion": RESOURCE_VERSION },
        "status": { "phase": "Active" } })
}

impl Service {
    fn object(&self) -> Value {
        let Self { namespace, name, cluster_ip, .. } = self;
        json!({
            "metadata": {
                "name": name, "namespace": namespace, "resourceVersion": RESOURCE_VERSION,
                "labels": { "app.kubernetes.io/name": name },
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {
                "type": "ClusterIP", "clusterIP": cluster_ip, "clusterIPs": [cluster_ip],
                "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
                "selector": { "app.kubernetes.io/name": name },
                "ports": [{ "name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP" }],
            },
            "status": { "loadBalancer": {} },
        })
    }

    fn slice(&self) -> Value {
        let Self { namespace, name, endpoint, .. } = self;
        json!({
            "metadata": {
                "name": format!("{name}-x7k2p"), "namespace": namespace,
                "resourceVersion": RESOURCE_VERSION,
                "labels": { "kubernetes.io/service-name": name },
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "addressType": "IPv4",
            "endpoints": [{
                "addresses": [endpoint],
                "conditions": { "ready": true, "serving": true, "terminating": false },
                "nodeName": "node-1",
                "targetRef": { "kind": "Pod", "namespace": namespace, "name": format!("{name}-0") },
            }],
            "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }],
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn api() -> Api {
        let service = |name: &str, last| Service {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
            cluster_ip: Ipv4Addr::new(10, 96, 0, last),
            endpoint: Ipv4Addr::new(10, 1, 0, last),
        };
        Api::start(&[service("web", 1), service("db", 2)]).unwrap()
    }

    fn connect(api: &Api, target: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(api.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        BufReader::new(stream)
    }

    /// Reads a head and gives the status line.
    fn head(stream: &mut impl BufRead) -> String {
        let mut lines = stream.lines().map(Result::unwrap).take_while(|line| !line.is_empty());
        let status = lines.next().unwrap();
        lines.for_each(drop);
        status
    }

    fn get(api: &Api, target: &str) -> (String, Value) {
        let mut stream = connect(api, target);
        let status = head(&mut stream);
        (status, value(stream))
    }

    /// Reads one value and not further.
    fn value(stream: impl Read) -> Value {
        serde_json::Deserializer::from_reader(stream).into_iter().next().unwrap().unwrap()
    }

    #[test]
    fn lists_have_every_object() {
        let api = api();
        let (status, list) = get(&api, "/api/v1/services?limit=500");
        assert_eq!(status, "HTTP/1.1 200 OK");
        assert_eq!(list["kind"], "ServiceList");
        assert_eq!(list["items"][1]["spec"]["clusterIP"], "10.96.0.2");
        let (_, list) = get(&api, "/apis/discovery.k8s.io/v1/endpointslices");
        assert_eq!(list["items"][0]["metadata"]["labels"]["kubernetes.io/service-name"], "web");
        let (_, list) = get(&api, "/api/v1/namespaces");
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
        let (status, failure) = get(&api, "/api/v1/secrets");
        assert_eq!((status.as_str(), &failure["code"]), ("HTTP/1.1 404 Not Found", &json!(404)));
    }

    #[test]
    fn a_list_comes_in_pages() {
        let api = api();
        let (_, first) = get(&api, "/api/v1/services?limit=1");
        assert_eq!(first["items"].as_array().unwrap().len(), 1);
        assert_eq!(first["metadata"]["continue"], "1");
        let (_, second) = get(&api, "/api/v1/services?limit=1&continue=1");
        assert_eq!(second["items"][0]["metadata"]["name"], "db");
        assert_eq!(second["metadata"].get("continue"), None);
        let (_, beyond) = get(&api, "/api/v1/services?limit=1&continue=9");
        assert_eq!(beyond["items"], json!([]));
    }

    #[test]
    fn a_streaming_list_ends_with_a_bookmark_and_stays_open() {
        let api = api();
        let mut stream = connect(
            &api,
            "/api/v1/services?allowWatchBookmarks=true&sendInitialEvents=true&watch=true",
        );
        assert_eq!(head(&mut stream), "HTTP/1.1 200 OK");
        let lines: Vec<String> = stream.lines().take(4).map(Result::unwrap).collect();
        let events: Vec<Value> =
            lines[1..].iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let told = events.iter().map(|event| event["type"].as_str().unwrap());
        assert_eq!(told.collect::<Vec<_>>(), ["ADDED", "ADDED", "BOOKMARK"]);
        assert_eq!(events[0]["object"]["kind"], "Service");
        let annotations = &events[2]["object"]["metadata"]["annotations"];
        assert_eq!(annotations["k8s.io/initial-events-end"], "true");
    }

    #[test]
    fn a_connection_serves_several_requests() {
        let api = api();
        let mut stream = connect(&api, "/version");
        assert_eq!(head(&mut stream), "HTTP/1.1 200 OK");
        assert_eq!(value(&mut stream)["minor"], "37");
        stream.get_ref().write_all(b"GET /api/v1/pods HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!(head(&mut stream), "HTTP/1.1 404 Not Found");
    }
}
