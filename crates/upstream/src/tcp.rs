//! Asking over TCP: connections on which many questions are open, answered in any order (RFC 7766).

use crate::connection::{Connection, Live, Outlet};
use crate::pool::Dial;
use crate::stats::Counters;
use crate::task::Task;
use crate::traffic::{Limits, Traffic};
use crate::{Cause, Operation, Settings, Transport};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// From this many open questions on, another connection is made.
///
/// RFC 7766 §6.2.2 asks clients for few connections, but servers that answer one question after the
/// other, CoreDNS among them, make everybody wait for the slowest.
const BUSY_AT: usize = 4;
/// How long the kernel may take to accept our octets, as in CoreDNS.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);
/// Octets of questions that are written at once.
const BATCH_MAX: usize = 16 * 1024;

/// Makes connections to one server.
#[derive(Debug)]
pub(crate) struct TcpDial {
    remote: SocketAddr,
    source: Option<IpAddr>,
    limits: Limits,
    timeout: Arc<DialTimeout>,
    counters: Arc<Counters>,
    runtime: Handle,
}

impl TcpDial {
    pub(crate) fn new(
        remote: SocketAddr,
        settings: &Settings,
        counters: Arc<Counters>,
        runtime: Handle,
    ) -> Self {
        let limits = Limits {
            open_max: Self::OPEN_MAX,
            busy_at: BUSY_AT,
            uses_max: u64::MAX,
            age_max: settings.max_age.unwrap_or(Duration::MAX),
            idle_max: settings.expire,
            dial_patience: settings.read_timeout,
        };
        let source = settings.source_address;
        Self { remote, source, limits, timeout: Arc::default(), counters, runtime }
    }
}

impl Dial for TcpDial {
    const OVER: Transport = Transport::Tcp;
    const CONNECTIONS_MAX: usize = 64;
    const OPEN_MAX: usize = 256;

    fn dial(&self, live: Live) -> Result<Connection, Cause> {
        let traffic = Arc::new(Traffic::new(Self::OVER, self.limits, self.counters.clone()));
        let (questions, queue) = mpsc::channel(Self::OPEN_MAX);
        let dialing = Dialing {
            remote: self.remote,
            source: self.source,
            timeout: self.timeout.clone(),
            traffic: traffic.clone(),
        };
        let reader = Task::start(&self.runtime, dialing.run(queue));
        let outlet = Outlet::Stream(questions);
        Ok(Connection { remote: self.remote, traffic, outlet, reader, live })
    }
}

/// A connection in the hands of its task, from the first packet to the last.
struct Dialing {
    remote: SocketAddr,
    source: Option<IpAddr>,
    timeout: Arc<DialTimeout>,
    traffic: Arc<Traffic>,
}

impl Dialing {
    async fn run(self, queue: mpsc::Receiver<Vec<u8>>) {
        let cause = match self.connect().await {
            Ok(stream) => carry(stream, queue, &self.traffic).await,
            Err(cause) => cause,
        };
        self.traffic.end(&cause);
    }

    async fn connect(&self) -> Result<TcpStream, Cause> {
        let socket = self.socket().map_err(|error| Cause::network(Operation::Bind, &error))?;
        let began = Instant::now();
        let limit = self.timeout.limit();
        let connected = timeout(limit, socket.connect(self.remote)).await;
        self.timeout.observe(began.elapsed());
        let failed = |error: &io::Error| Cause::network(Operation::Connect, error);
        let stream = match connected {
            Ok(connected) => connected.map_err(|error| failed(&error))?,
            Err(_) => return Err(Cause::timed_out(Operation::Connect, limit)),
        };
        stream.set_nodelay(true).map_err(|error| failed(&error))?;
        let local = stream.local_addr().map_err(|error| failed(&error))?;
        let _ = self.traffic.connected.set(local);
        Ok(stream)
    }

    fn socket(&self) -> io::Result<TcpSocket> {
        let socket = match self.remote {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(source) = self.source {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        Ok(socket)
    }
}

/// Writes questions and reads answers until one of both fails, and says why.
async fn carry(mut stream: TcpStream, queue: mpsc::Receiver<Vec<u8>>, traffic: &Traffic) -> Cause {
    let (reader, writer) = stream.split();
    tokio::select! {
        cause = read_answers(reader, traffic) => cause,
        cause = write_questions(writer, queue) => cause,
    }
}

async fn read_answers(reader: impl AsyncRead + Unpin, traffic: &Traffic) -> Cause {
    let mut reader = BufReader::new(reader);
    let mut message = Vec::new();
    loop {
        if let Err(error) = read_message(&mut reader, &mut message).await {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof => Cause::Eof,
                _ => Cause::network(Operation::Read, &error),
            };
        }
        traffic.arrived(&message);
    }
}

/// Reads a message of up to 65,535 octets.
async fn read_message(
    reader: &mut (impl AsyncRead + Unpin),
    message: &mut Vec<u8>,
) -> io::Result<()> {
    let length = reader.read_u16().await?;
    message.resize(length as usize, 0);
    reader.read_exact(message).await.map(|_| ())
}

/// RFC 7766 §8: length and message are written together, and so are questions that wait.
async fn write_questions(
    mut writer: impl AsyncWrite + Unpin,
    mut queue: mpsc::Receiver<Vec<u8>>,
) -> Cause {
    while let Some(mut batch) = queue.recv().await {
        while batch.len() < BATCH_MAX
            && let Ok(next) = queue.try_recv()
        {
            batch.extend_from_slice(&next);
        }
        match timeout(WRITE_TIMEOUT, writer.write_all(&batch)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Cause::network(Operation::Write, &error),
            Err(_) => return Cause::timed_out(Operation::Write, WRITE_TIMEOUT),
        }
    }
    Cause::Eof
}

/// How long connecting may take: twice what it took lately, between 1 and 30 s.
///
/// CoreDNS's formula: each observation moves the average by a quarter of its distance, and the
/// first limit is the highest.
#[derive(Debug)]
struct DialTimeout {
    average_ns: AtomicU64,
}

impl DialTimeout {
    const MIN: Duration = Duration::from_secs(1);
    const MAX: Duration = Duration::from_secs(30);

    fn limit(&self) -> Duration {
        let average = Duration::from_nanos(self.average_ns.load(Ordering::Relaxed));
        if average < Self::MIN { Self::MIN } else { (2 * average).min(Self::MAX) }
    }

    fn observe(&self, took: Duration) {
        let took = took.min(Self::MAX).as_nanos() as u64;
        let average = self.average_ns.load(Ordering::Relaxed);
        // Two observations at once may lose one: it is an average.
        self.average_ns.store(average - average / 4 + took / 4, Ordering::Relaxed);
    }
}

impl Default for DialTimeout {
    fn default() -> Self {
        Self { average_ns: AtomicU64::new(Self::MAX.as_nanos() as u64 / 2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_connect_follows_what_was_seen() {
        let timeout = DialTimeout::default();
        assert_eq!(timeout.limit(), DialTimeout::MAX);
        for _ in 0..4 {
            timeout.observe(Duration::from_millis(1));
        }
        let limit = timeout.limit();
        assert!(limit > Duration::from_secs(9) && limit < Duration::from_secs(10), "{limit:?}");
        for _ in 0..40 {
            timeout.observe(Duration::from_millis(1));
        }
        assert_eq!(timeout.limit(), DialTimeout::MIN);
        for _ in 0..40 {
            timeout.observe(Duration::MAX);
        }
        assert_eq!(timeout.limit(), DialTimeout::MAX);
    }
}
