//! Asks the own `/health` once a second: a slow answer tells of a process that does not come to run.

use crate::env::{Env, Tasks};
use crate::metrics::{Counter, Histogram};
use chain::Clock;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

/// How often.
const EVERY: Duration = Duration::from_secs(1);
/// How long an answer may take before it is none.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long it may take before the log says so.
const SLOW: Duration = Duration::from_secs(1);

const BOUNDS: &[f64] = &[0.00025, 0.0025, 0.025, 0.25, 2.5];

/// The probe of one address.
pub(super) struct Probe {
    address: SocketAddr,
    clock: Arc<dyn Clock>,
    duration: Arc<Histogram>,
    failures: Arc<Counter>,
    tasks: Tasks,
}

impl Probe {
    /// Of the address that `health` listens on.
    pub(super) fn new(address: SocketAddr, env: &Env<'_>) -> Self {
        let metrics = &env.process.metrics;
        let help = "How long the own /health took to answer.";
        let duration =
            metrics.histogram("coredns_health_request_duration_seconds", help, BOUNDS, "");
        let help = "How often the own /health did not answer.";
        let failures = metrics.counter("coredns_health_request_failures_total", help, "");
        let clock = env.process.clock.clone();
        Self { address, clock, duration, failures, tasks: Tasks::default() }
    }

    /// Begins to ask.
    pub(super) fn start(self: &Arc<Self>, runtime: &Handle) {
        let probe = Arc::downgrade(self);
        self.tasks.restart(runtime, async move {
            loop {
                tokio::time::sleep(EVERY).await;
                let Some(probe) = probe.upgrade() else { return };
                probe.ask_once().await;
            }
        });
    }

    async fn ask_once(&self) {
        let begin = self.clock.now();
        let answer = tokio::time::timeout(PATIENCE, ask(self.address)).await;
        let took = self.clock.now().since(begin);
        self.duration.observe(0, took);
        let address = self.address;
        let failure = match answer {
            Ok(Ok(())) if took > SLOW => {
                let took = crate::go_duration(took);
                tracing::warn!(target: "plugin/health", "Health request to {address} took {took}");
                return;
            }
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        self.failures.increment(0);
        tracing::warn!(target: "plugin/health", "Health request to {address} failed: {failure}");
    }
}

async fn ask(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    let is_good = answer.starts_with(b"HTTP/1.0 200") || answer.starts_with(b"HTTP/1.1 200");
    if is_good { Ok(()) } else { Err(io::Error::other("not 200")) }
}

/// Where the address of a directive can be asked from this machine; none if it has no address.
pub(super) fn reachable(address: &str) -> Option<SocketAddr> {
    use std::net::ToSocketAddrs;
    let port = address.strip_prefix(':').and_then(|port| port.parse().ok());
    let found = match port {
        Some(port) => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        None => address.to_socket_addrs().ok()?.next()?,
    };
    let is_any = found.ip().is_unspecified();
    Some(if is_any { (Ipv4Addr::LOCALHOST, found.port()).into() } else { found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_probe_asks() {
        let reachable = |address| reachable(address).map(|found| found.to_string());
        assert_eq!(reachable(":8080").as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(reachable("0.0.0.0:81").as_deref(), Some("127.0.0.1:81"));
        assert_eq!(reachable("127.0.0.2:81").as_deref(), Some("127.0.0.2:81"));
        assert_eq!(reachable("no port"), None);
    }
}
