//! An address that is listened on: its sockets, their workers, and how they end.

use crate::service::Service;
use crate::tcp::{self, TcpSettings};
use crate::{socket, udp};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// The sockets of one address, UDP and TCP, and whoever answers at them.
///
/// Opening binds all sockets, so that a port in use is known before anything else happens; only
/// [`Listener::serve`] begins to answer. Dropping it ends that as well as [`Listener::close`] does,
/// but waits for nothing.
pub struct Listener {
    address: SocketAddr,
    udp: Vec<Arc<UdpSocket>>,
    tcp: Option<TcpListener>,
    stopping: Arc<AtomicBool>,
    stop_tcp: watch::Sender<bool>,
    serving: Option<Serving>,
}

struct Serving {
    service: Arc<Service>,
    threads: Vec<JoinHandle<()>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Listener {
    /// Binds `workers` datagram sockets and a listening one.
    ///
    /// Port 0 takes any free port, the same for all.
    pub fn open(address: SocketAddr, workers: usize) -> Result<Self, OpenError> {
        let tcp = socket::tcp(address).map_err(|error| OpenError::Tcp { address, error })?;
        let bound =
            tcp.local_addr().map_or(address, |bound| SocketAddr::new(address.ip(), bound.port()));
        let udp = (0..workers.max(1))
            .map(|_| socket::udp(bound).map(Arc::new))
            .collect::<io::Result<Vec<_>>>()
            .map_err(|error| OpenError::Udp { address: bound, error })?;
        Ok(Self {
            address: bound,
            udp,
            tcp: Some(tcp),
            stopping: Arc::default(),
            stop_tcp: watch::Sender::new(false),
            serving: None,
        })
    }

    /// The address, with the port that it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The service, once it serves.
    pub fn service(&self) -> Option<&Arc<Service>> {
        self.serving.as_ref().map(|serving| &serving.service)
    }

    /// Begins to answer.
    pub fn serve(
        &mut self,
        service: Arc<Service>,
        workers: &Arc<Workers>,
        settings: TcpSettings,
    ) -> io::Result<()> {
        let Some(tcp) = self.tcp.take() else { return Ok(()) };
        let runtime = service.lane.runtime().clone();
        let _inside = runtime.enter();
        let tcp = tokio::net::TcpListener::from_std(tcp)?;
        let stopping = self.stop_tcp.subscribe();
        let accepting = runtime.spawn(tcp::accept(tcp, service.clone(), settings, stopping));
        let mut threads = Vec::new();
        for socket in &self.udp {
            let number = workers.take();
            let worker = udp::Worker {
                socket: socket.clone(),
                address: self.address,
                service: service.clone(),
                number,
                stopping: self.stopping.clone(),
            };
            let workers = workers.clone();
            let thread = std::thread::Builder::new().name(format!("udp-{number}"));
            threads.push(thread.spawn(move || {
                worker.run();
                workers.give_back(number);
            })?);
        }
        self.serving = Some(Serving { service, threads, accepting });
        Ok(())
    }

    /// Answers what has already come in, then closes all sockets; waits for connections that are
    /// still in use, and for questions that wait, but not longer than `grace`.
    pub async fn close(mut self, grace: Duration) {
        self.stop();
        let Some(serving) = self.serving.take() else { return };
        let joined = tokio::task::spawn_blocking(move || {
            for thread in serving.threads {
                let _ = thread.join();
            }
        });
        let service = serving.service;
        let quiet = async {
            let _ = joined.await;
            let _ = serving.accepting.await;
            while service.lane.waiting() > 0
                || service.stats.connections.load(Ordering::Relaxed) > 0
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = tokio::time::timeout(grace, quiet).await;
    }

    /// Tells whoever answers to end with what has already come in.
    fn stop(&self) {
        for socket in &self.udp {
            turn_away(socket);
        }
        self.stopping.store(true, Ordering::Release);
        self.stop_tcp.send_replace(true);
        for socket in &self.udp {
            // This wakes the thread that receives. What has come in is read all the same.
            let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Read);
        }
    }
}

/// Nobody waits for what was begun, but no thread goes on for ever.
impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Lets the kernel refuse every datagram from now on, or give it to others that listen at the address.
///
/// A socket stays open until the last question that waits has its answer, and what came to it after
/// its worker looked for the last time would lie there without a word. But a connected socket takes
/// datagrams from its peer alone, and this one's peer becomes itself. It can still send to anybody.
fn turn_away(socket: &UdpSocket) {
    let Ok(mut own) = socket.local_addr() else { return };
    match own.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => own.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => own.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let _ = socket.connect(own); // without it, a late question only gets no answer
}

/// Why an address cannot be listened on.
#[derive(Debug)]
pub enum OpenError {
    /// The datagram socket.
    Udp {
        /// The address.
        address: SocketAddr,
        /// What the kernel says.
        error: io::Error,
    },
    /// The stream socket.
    Tcp {
        /// The address.
        address: SocketAddr,
        /// What the kernel says.
        error: io::Error,
    },
}

/// Hands out the numbers of workers, each to one at a time, so that each worker owns its share of
/// every metric.
pub struct Workers {
    free: Mutex<BTreeSet<u16>>,
}

impl Workers {
    /// Numbers from 1 to `count`; whoever comes when all are taken gets 0, which is shared.
    pub fn new(count: u16) -> Self {
        Self { free: Mutex::new((1..=count).collect()) }
    }

    fn take(&self) -> u16 {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop_first().unwrap_or(0)
    }

    fn give_back(&self, number: u16) {
        if number > 0 {
            self.free.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
        }
    }
}
