//! The listener of `rutter_admin`: HTTP for operators on this machine, read-only.
//!
//! It lives on across reloads that do not move it. An address that cannot be bound costs the API and
//! nothing else: names are answered without it.

use crate::admin::answers::{Answer, Answers};
use crate::admin::situation::Situation;
use crate::admin::socket::{Bound, Listener, SocketFile, Stream};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use plugins::env::{self, Tasks};
use plugins::metrics::{Counter, Registry};
use plugins::rutter_admin::Address;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// How long a client may take for the head of a request.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a connection may be open, with all its requests.
const CONNECTION_MAX: Duration = Duration::from_secs(60);
/// The most connections at once; others wait to be accepted.
const CONNECTIONS_MAX: usize = 16;
/// The most octets of the head of a request, and the most lines of it.
const HEAD_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 32;
/// How long to wait while the process is out of descriptors.
const BREATH: Duration = Duration::from_millis(20);

/// Where operators ask, if the configuration says so.
pub(crate) struct Admin {
    answers: Arc<Answers>,
    listening: Option<Listening>,
    /// How often there were as many connections as may be.
    full: Arc<Counter>,
}

struct Listening {
    address: Address,
    _tasks: Tasks,
    _file: Option<SocketFile>,
}

/// What a configuration wants, with a new socket already bound.
pub(crate) enum Prepared {
    /// Nobody is let in.
    Nothing,
    /// What is there is what is wanted.
    Same,
    New(Address, Bound),
}

impl Admin {
    /// Without a listener.
    pub(crate) fn new(situation: Arc<Situation>, metrics: &Registry) -> Self {
        let help = "How often a listener for probes and metrics had as many connections as it may.";
        Self {
            answers: Arc::new(Answers::new(situation)),
            listening: None,
            full: metrics.counter("rutter_http_full_total", help, ""),
        }
    }

    /// Binds what is not there yet; changes nothing of what is.
    pub(crate) fn prepare(&self, wanted: Option<&env::Admin>) -> Prepared {
        let Some(env::Admin { address, .. }) = wanted else { return Prepared::Nothing };
        if self.listening.as_ref().is_some_and(|listening| listening.address == *address) {
            return Prepared::Same;
        }
        match Bound::at(address) {
            Ok(bound) => Prepared::New(address.clone(), bound),
            Err(error) => {
                tracing::error!(
                    target: "plugin/rutter_admin",
                    "cannot listen on {address}: {error}; all else is served"
                );
                Prepared::Nothing
            }
        }
    }

    /// Serves what was prepared, and nothing else any more.
    pub(crate) fn commit(&mut self, prepared: Prepared, runtime: &Handle) {
        let (address, bound) = match prepared {
            Prepared::Same => return,
            Prepared::Nothing => {
                self.listening = None;
                return;
            }
            Prepared::New(address, bound) => (address, bound),
        };
        let _context = runtime.enter();
        // A socket that was bound can be polled.
        let Ok((listener, file)) = bound.into_listener() else { return };
        let tasks = Tasks::default();
        tasks.spawn(runtime, accept(listener, self.answers.clone(), self.full.clone()));
        self.listening = Some(Listening { address, _tasks: tasks, _file: file });
    }
}

async fn accept(listener: Listener, answers: Arc<Answers>, full: Arc<Counter>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = Tasks::default();
    let is_port = listener.is_port();
    loop {
        if room.available_permits() == 0 {
            full.increment(0);
        }
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let Ok(stream) = listener.accept().await else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let answers = answers.clone();
        connections.spawn(&Handle::current(), async move {
            // How a connection ends is nobody's business.
            let _ = tokio::time::timeout(CONNECTION_MAX, converse(stream, answers, is_port)).await;
            drop(place);
        });
    }
}

async fn converse(
    stream: Box<dyn Stream>,
    answers: Arc<Answers>,
    is_port: bool,
) -> hyper::Result<()> {
    let service = service_fn(move |request| {
        let answers = answers.clone();
        async move {
            let request: hyper::Request<hyper::body::Incoming> = request;
            let host = request.headers().get("host").filter(|_| is_port);
            let answer = match host.map(|host| host.to_str().unwrap_or_default()) {
                Some(host) if !is_this_machine(host) => Answer::of_another(),
                _ => answers.answer(request.method(), request.uri()).await,
            };
            Ok::<_, Infallible>(answer.into_response())
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEAD_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

/// Whether a browser on this machine was sent here by its user, and not by a page whose name its owner
/// lets stand for a loopback address (DNS rebinding). Pages have names, and loopback addresses none
/// but one.
fn is_this_machine(host: &str) -> bool {
    let is_address = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    host == "localhost"
        || host.starts_with("localhost:")
        || is_address(host)
        || host.parse::<SocketAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_with_a_name_is_not_told() {
        for host in
            ["localhost", "localhost:9154", "127.0.0.1:9154", "127.0.0.1", "[::1]", "[::1]:9154"]
        {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["", "example.org", "example.org:9154", "localhost.example.org", "127.0.0.1.x"]
        {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
