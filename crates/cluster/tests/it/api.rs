//! A scripted API server: each request of a resource takes the next step of its script.

use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

type Body = http_body_util::combinators::BoxBody<Bytes, Broken>;

/// A body that breaks off.
#[derive(Debug)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken on purpose")
    }
}

impl std::error::Error for Broken {}

/// What happens to a request.
pub(crate) enum Step {
    /// A response with this status and body.
    Answer(u16, String),
    /// A response in Protocol Buffers.
    Protobuf(&'static [u8]),
    /// The same with `Retry-After` in seconds.
    Later(u16, u64),
    /// A response whose body the test sends.
    Stream(Channel<Bytes, Broken>),
    /// No response for as long as the client waits.
    Hang,
}

/// A watch that the test talks into.
pub(crate) struct Talk(Sender<Bytes, Broken>);

impl Talk {
    /// A step, and the way to talk into it.
    pub(crate) fn new() -> (Self, Step) {
        let (sender, channel) = Channel::new(16);
        (Self(sender), Step::Stream(channel))
    }

    /// Sends text; whether anyone is still there.
    pub(crate) async fn say(&mut self, text: &str) -> bool {
        self.0.send_data(Bytes::from(text.to_owned())).await.is_ok()
    }

    /// Sends an event.
    pub(crate) async fn event(&mut self, kind: &str, object: &str) {
        assert!(self.say(&format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n")).await);
    }

    /// Sends the bookmark that ends a streaming list.
    pub(crate) async fn end_list(&mut self, version: &str) {
        let object = format!(
            r#"{{"metadata":{{"resourceVersion":"{version}","annotations":{{"k8s.io/initial-events-end":"true"}}}}}}"#
        );
        self.event("BOOKMARK", &object).await;
    }

    /// Breaks the connection in the middle.
    pub(crate) fn cut(self) {
        self.0.abort(Broken);
    }
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    /// Path and query, unescaped.
    pub(crate) target: String,
    pub(crate) headers: HashMap<String, String>,
}

#[derive(Default)]
struct State {
    scripts: HashMap<String, VecDeque<Step>>,
    seen: Vec<Seen>,
    /// Watches that stay open.
    open: Vec<Talk>,
    /// Requests whether an object is still known.
    checks: Vec<String>,
}

/// The server; gone when dropped.
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    _tasks: JoinSet<()>,
}

impl Api {
    /// Answers on a free port.
    pub(crate) async fn start() -> Self {
        Self::start_on("127.0.0.1:0".parse().unwrap()).await
    }

    /// Answers on a given port.
    pub(crate) async fn start_on(address: SocketAddr) -> Self {
        Self::start_with(address, None).await
    }

    /// Answers on a free port those who speak TLS.
    pub(crate) async fn start_tls(config: ServerConfig) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::start_with("127.0.0.1:0".parse().unwrap(), Some(acceptor)).await
    }

    async fn start_with(address: SocketAddr, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, tls, state.clone()));
        Self { address, state, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds steps to the script of a resource (`services`). Without a step a list is empty and a
    /// watch stays silent, once it has told the list that it shall begin with.
    pub(crate) fn script(&self, resource: &str, steps: impl IntoIterator<Item = Step>) {
        let mut state = self.state.lock().unwrap();
        state.scripts.entry(resource.to_owned()).or_default().extend(steps);
    }

    /// Keeps a watch open as long as the server is there.
    pub(crate) fn keep(&self, talk: Talk) {
        self.state.lock().unwrap().open.push(talk);
    }

    /// The requests for a resource so far.
    pub(crate) fn seen(&self, resource: &str) -> Vec<Seen> {
        let state = self.state.lock().unwrap();
        state.seen.iter().filter(|seen| resource_of(&seen.target) == resource).cloned().collect()
    }

    /// The paths of requests whether the server still knows an object.
    pub(crate) fn checks(&self) -> Vec<String> {
        self.state.lock().unwrap().checks.clone()
    }

    /// Waits for the request for a resource with this index.
    pub(crate) async fn request(&self, resource: &str, index: usize) -> Seen {
        until(|| self.seen(resource).get(index).cloned()).await
    }
}

/// Waits until there is something; panics after ten seconds.
pub(crate) async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "nothing within ten seconds");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn resource_of(target: &str) -> &str {
    let path = target.split('?').next().unwrap();
    path.rsplit('/').next().unwrap()
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, state) = (tls.clone(), state.clone());
        connections.spawn(async move {
            let Some(tls) = tls else { return serve_connection(stream, state).await };
            if let Ok(stream) = tls.accept(stream).await {
                serve_connection(stream, state).await;
            }
        });
    }
}

async fn serve_connection(stream: impl AsyncRead + AsyncWrite + Unpin, state: Arc<Mutex<State>>) {
    let service = service_fn(move |request| answer(request, state.clone()));
    let connection = hyper::server::conn::http1::Builder::new();
    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Body>, Infallible> {
    let target = unescape(&request.uri().to_string());
    let resource = resource_of(&target).to_owned();
    let is_watch = target.contains("watch=true");
    let is_stream = target.contains("sendInitialEvents=true");
    let full = |text: String| Full::from(text).map_err(|never| match never {}).boxed();
    if let Some(answer) = nothing_lost(&target) {
        state.lock().unwrap().checks.push(target);
        return Ok(Response::new(full(answer)));
    }
    let step = {
        let mut state = state.lock().unwrap();
        let headers = request.headers().iter();
        let headers =
            headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        state.seen.push(Seen { at: Instant::now(), target, headers: headers.collect() });
        state.scripts.get_mut(&resource).and_then(VecDeque::pop_front)
    };
    let step = match step {
        Some(step) => step,
        None if is_stream => empty_stream(&state).await,
        None if is_watch => Step::Hang,
        None => Step::Answer(200, list("1", "", &[])),
    };
    let response = match step {
        Step::Answer(code, body) => Response::builder().status(code).body(full(body)),
        Step::Protobuf(body) => Response::builder()
            .header("content-type", "application/vnd.kubernetes.protobuf;stream=watch")
            .body(Full::from(body).map_err(|never| match never {}).boxed()),
        Step::Later(code, after) => {
            Response::builder().status(code).header("retry-after", after).body(full("{}".into()))
        }
        Step::Stream(channel) => Response::builder().body(channel.boxed()),
        Step::Hang => std::future::pending().await,
    };
    Ok(response.unwrap())
}

/// What is answered to who asks whether the server still knows an object: that it is newer than
/// anything, like the server itself. Such requests are in no script.
fn nothing_lost(target: &str) -> Option<String> {
    if target.split_once("limit=1").is_none_or(|(_, rest)| !rest.is_empty()) {
        return None;
    }
    let (_, name) = target.split_once("metadata.name=").unwrap_or_default();
    let name = name.split('&').next().unwrap_or_default();
    let item = format!(r#"{{"metadata":{{"name":"{name}","resourceVersion":"1000000"}}}}"#);
    Some(list("1000000", "", &[item]))
}

/// A streaming list of nothing, and a watch that stays silent.
async fn empty_stream(state: &Mutex<State>) -> Step {
    let (mut talk, step) = Talk::new();
    talk.end_list("1").await;
    state.lock().unwrap().open.push(talk);
    step
}

fn unescape(text: &str) -> String {
    let mut out = Vec::new();
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        if octet == b'%' {
            let digits = [octets.next().unwrap(), octets.next().unwrap()];
            out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            out.push(octet);
        }
    }
    String::from_utf8(out).unwrap()
}

/// A page of a list.
pub(crate) fn list(version: &str, next: &str, items: &[String]) -> String {
    let items = items.join(",");
    format!(
        r#"{{"kind":"List","metadata":{{"resourceVersion":"{version}","continue":"{next}"}},"items":[{items}]}}"#
    )
}

/// A namespace.
pub(crate) fn namespace(name: &str) -> String {
    format!(r#"{{"metadata":{{"name":"{name}","resourceVersion":"1"}}}}"#)
}

/// A service of namespace `shop`.
pub(crate) fn service(name: &str, address: &str, version: u32) -> String {
    format!(
        r#"{{"metadata":{{"name":"{name}","namespace":"shop","resourceVersion":"{version}"}},"spec":{{"clusterIP":"{address}"}}}}"#
    )
}

/// What the server says when it refuses.
pub(crate) fn refusal(code: u16, message: &str) -> String {
    format!(r#"{{"kind":"Status","code":{code},"message":"{message}"}}"#)
}
