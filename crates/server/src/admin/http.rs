//! The HTTP listeners of `health`, `ready` and `prometheus`.
//!
//! A listener lives on across reloads: only its paths are swapped, so that no probe is refused
//! while a new configuration is built.

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use plugins::env::{Endpoint, HttpAnswer, IfTaken, Tasks};
use plugins::metrics::{Counter, Registry};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// How long a client may take for the head of a request.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a connection may be open, with all its requests.
const CONNECTION_MAX: Duration = Duration::from_secs(60);
/// The most connections of a listener at once; others wait to be accepted.
const CONNECTIONS_MAX: usize = 64;

type Paths = BTreeMap<&'static str, Endpoint>;

/// All HTTP listeners of the process.
pub(crate) struct Http {
    servers: BTreeMap<SocketAddr, Server>,
    /// How often a listener had as many connections as it may.
    full: Arc<Counter>,
}

struct Server {
    paths: Arc<RwLock<Paths>>,
    _tasks: Tasks,
}

/// What a configuration wants to serve, with its new sockets already bound.
pub(crate) struct Prepared {
    wanted: BTreeMap<SocketAddr, Paths>,
    bound: Vec<(SocketAddr, TcpListener)>,
    /// What could not be bound, but is not worth failing for.
    pub warnings: Vec<String>,
}

/// An address that cannot be served.
#[derive(Debug)]
pub(crate) struct HttpError {
    address: String,
    error: io::Error,
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, error } = self;
        if error.kind() == io::ErrorKind::AddrInUse {
            // CoreDNS's words: people search for them.
            return write!(f, "listen tcp {address}: bind: address already in use");
        }
        write!(f, "listen tcp {address}: {error}")
    }
}

impl Http {
    /// Without any listener.
    pub(crate) fn new(metrics: &Registry) -> Self {
        let help = "How often a listener for probes and metrics had as many connections as it may.";
        Self { servers: BTreeMap::new(), full: metrics.counter("rutter_http_full_total", help, "") }
    }

    /// Binds what is not served yet; changes nothing of what is.
    pub(crate) fn prepare(&self, endpoints: &[Endpoint]) -> Result<Prepared, HttpError> {
        let mut prepared =
            Prepared { wanted: BTreeMap::new(), bound: Vec::new(), warnings: Vec::new() };
        for endpoint in endpoints {
            match self.bind(endpoint, &mut prepared) {
                Ok(address) => {
                    let paths = prepared.wanted.entry(address).or_default();
                    paths.entry(endpoint.path).or_insert_with(|| endpoint.clone());
                }
                Err(error) => {
                    let address = endpoint.address.clone();
                    let error = HttpError { address, error };
                    match endpoint.if_taken {
                        IfTaken::Fail => return Err(error),
                        IfTaken::Warn(words) => prepared.warnings.push(format!("{words}: {error}")),
                    }
                }
            }
        }
        Ok(prepared)
    }

    fn bind(&self, endpoint: &Endpoint, prepared: &mut Prepared) -> io::Result<SocketAddr> {
        let address = resolve(&endpoint.address)?;
        let known = self.servers.contains_key(&address) || prepared.wanted.contains_key(&address);
        if !known {
            prepared.bound.push((address, listen::bind_tcp(address)?));
        }
        Ok(address)
    }

    /// Serves what was prepared, and nothing else any more.
    pub(crate) fn commit(&mut self, prepared: Prepared, runtime: &Handle) {
        self.servers.retain(|address, _| prepared.wanted.contains_key(address));
        for (address, listener) in prepared.bound {
            self.servers.insert(address, Server::start(listener, self.full.clone(), runtime));
        }
        for (address, paths) in prepared.wanted {
            if let Some(server) = self.servers.get(&address) {
                *server.paths.write().unwrap_or_else(PoisonError::into_inner) = paths;
            }
        }
    }

    /// Stops serving a path everywhere: `/ready` while the process ends.
    pub(crate) fn remove(&mut self, path: &str) {
        self.servers.retain(|_, server| {
            let mut paths = server.paths.write().unwrap_or_else(PoisonError::into_inner);
            paths.remove(path);
            !paths.is_empty()
        });
    }
}

/// `host:port`; without a host all addresses of this machine.
fn resolve(address: &str) -> io::Result<SocketAddr> {
    if let Some(port) = address.strip_prefix(':') {
        let port = port.parse().map_err(|_| io::Error::other("the port is no number"))?;
        return Ok(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    }
    address.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("the host has no address"))
}

impl Server {
    fn start(listener: TcpListener, full: Arc<Counter>, runtime: &Handle) -> Self {
        let paths = Arc::new(RwLock::new(Paths::new()));
        let tasks = Tasks::default();
        tasks.spawn(runtime, accept(listener, paths.clone(), full));
        Self { paths, _tasks: tasks }
    }
}

async fn accept(listener: TcpListener, paths: Arc<RwLock<Paths>>, full: Arc<Counter>) {
    // A socket that was bound can be polled.
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = Tasks::default();
    loop {
        if room.available_permits() == 0 {
            full.increment(0);
        }
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(20)).await; // out of descriptors
            continue;
        };
        let paths = paths.clone();
        connections.spawn(&Handle::current(), async move {
            let service = service_fn(move |request| {
                let answer = answer(&paths, &request);
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .serve_connection(TokioIo::new(stream), service);
            // How a probe's connection ends is nobody's business.
            let _ = tokio::time::timeout(CONNECTION_MAX, connection).await;
            drop(place);
        });
    }
}

fn answer(paths: &RwLock<Paths>, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let found = paths.read().unwrap_or_else(PoisonError::into_inner);
    let endpoint = found.get(request.uri().path()).cloned();
    drop(found);
    let answer = match endpoint {
        Some(endpoint) if matches!(*request.method(), Method::GET | Method::HEAD) => {
            (endpoint.answer)()
        }
        Some(_) => plain(405, "Method Not Allowed\n"),
        None => plain(404, "404 page not found\n"),
    };
    let mut response = Response::new(Full::from(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert("content-type", hyper::header::HeaderValue::from_static(answer.content_type));
    response
}

fn plain(status: u16, body: &str) -> HttpAnswer {
    HttpAnswer { status, content_type: "text/plain; charset=utf-8", body: body.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[tokio::test]
    async fn a_listener_with_all_its_connections_is_counted() {
        let registry = Registry::new(1);
        let mut http = Http::new(&registry);
        let endpoint = Endpoint {
            address: "127.0.0.1:0".to_owned(),
            path: "/health",
            answer: Arc::new(|| HttpAnswer::text(200, "OK")),
            if_taken: IfTaken::Fail,
        };
        let prepared = http.prepare(&[endpoint]).unwrap();
        let address = prepared.bound[0].1.local_addr().unwrap();
        http.commit(prepared, &Handle::current());
        let count = |shown| registry.text().contains(&format!("rutter_http_full_total {shown}\n"));
        let mut open = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            assert!(count(0));
            open.push(TcpStream::connect(address).unwrap());
        }
        let full = async {
            while !count(1) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, full).await.unwrap();
    }
}
