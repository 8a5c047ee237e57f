//! The server asks for its own `/health`, to see how long a probe has to wait.

use crate::env::{Process, Tasks};
use crate::go_duration;
use crate::metrics::{Counter, Histogram};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

/// Asks once a second for as long as it is held.
pub(super) struct SelfTest {
    /// `host:port`.
    address: String,
    process: Process,
    durations: Arc<Histogram>,
    failures: Arc<Counter>,
    is_started: AtomicBool,
    tasks: Tasks,
}

/// Seconds.
const BUCKETS: &[f64] = &[0.000_25, 0.002_5, 0.025, 0.25, 2.5];
const INTERVAL: Duration = Duration::from_secs(1);
/// A request to this very machine that takes longer is told.
const SLOW: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(3);

impl SelfTest {
    /// For the server that `health` opens at `address`, perhaps without a host.
    pub(super) fn new(address: &str, process: &Process) -> Self {
        let host = if address.starts_with(':') { "localhost" } else { "" };
        Self {
            address: format!("{host}{address}"),
            process: process.clone(),
            durations: process.metrics.histogram(
                "coredns_health_request_duration_seconds",
                "Seconds that the server's own requests for `/health` take.",
                BUCKETS,
                "",
            ),
            failures: process.metrics.counter(
                "coredns_health_request_failures_total",
                "The server's own requests for `/health` that failed.",
                "",
            ),
            is_started: AtomicBool::new(false),
            tasks: Tasks::default(),
        }
    }

    /// Begins to ask, unless it does so already for the configuration before.
    pub(super) fn start(self: &Arc<Self>, runtime: &Handle) {
        if self.is_started.swap(true, Relaxed) {
            return;
        }
        let test = Arc::downgrade(self);
        self.tasks.spawn(runtime, async move {
            loop {
                tokio::time::sleep(INTERVAL).await;
                let Some(test) = test.upgrade() else { return };
                test.ask_once().await;
            }
        });
    }

    async fn ask_once(&self) {
        let begin = self.process.clock.now();
        let asked = tokio::time::timeout(TIMEOUT, self.ask()).await;
        let asked = asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let taken = self.process.clock.now().since(begin);
        self.durations.observe(0, taken);
        let address = &self.address;
        match asked {
            Err(error) => {
                self.failures.increment(0);
                tracing::warn!(
                    target: "plugin/health",
                    "Local health request to \"http://{address}/health\" failed: {error}"
                );
            }
            Ok(()) if taken > SLOW => tracing::warn!(
                target: "plugin/health",
                "Local health request to \"http://{address}/health\" took more than 1s: {}",
                go_duration(taken)
            ),
            Ok(()) => {}
        }
    }

    async fn ask(&self) -> io::Result<()> {
        let mut stream = TcpStream::connect(&self.address).await?;
        let request =
            format!("GET /health HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await?;
        // The first line decides: `HTTP/1.1 200 OK`.
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        if status.ends_with(b" 200") { Ok(()) } else { Err(io::Error::other("not healthy")) }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Log, Rig};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn sample(rig: &Rig, name: &str) -> Option<String> {
        let page = rig.metrics().into_iter();
        page.filter_map(|line| Some(line.strip_prefix(name)?.trim().to_owned())).next()
    }

    #[tokio::test(start_paused = true)]
    async fn its_own_probe_is_timed_and_failures_are_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let corefile = format!(". {{\n health {address}\n whoami\n}}");
        let mut rig = Rig::new(&corefile);
        let log = Log::here();
        rig.start();
        rig.reload(&corefile);
        rig.start();
        for status in ["200 OK", "503 No"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 15];
            stream.read_exact(&mut request).await.unwrap();
            assert_eq!(&request, b"GET /health HTT");
            stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await.unwrap();
        }
        drop(listener);
        while sample(&rig, "coredns_health_request_failures_total ").unwrap() != "2" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let count = sample(&rig, "coredns_health_request_duration_seconds_count ");
        assert_eq!(count.as_deref(), Some("3"));
        let begin = format!(
            "WARNING plugin/health Local health request to \"http://{address}/health\" failed: "
        );
        let lines = log.take();
        assert!(lines.len() == 2 && lines.iter().all(|line| line.starts_with(&begin)), "{lines:?}");
    }
}
