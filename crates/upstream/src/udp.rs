//! Asking over UDP: sockets that are shared, and given up before anybody can guess their port.

use crate::connection::{Connection, Live, Outlet};
use crate::pool::Dial;
use crate::stats::Counters;
use crate::task::Task;
use crate::traffic::{Limits, Traffic};
use crate::{Cause, Operation, Settings, Transport};
use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use wire::MESSAGE_MAX;

/// Questions in the life of a socket.
///
/// RFC 5452 §9.2 wants source ports that cannot be predicted; the kernel draws one at random for
/// each socket, so a socket must not live long. A new one for every question would be best
/// against guessing, and worst for the connection tracking of a Kubernetes node, which holds an
/// entry for each port for minutes.
const USES_MAX: u64 = 256;
/// The life of a socket, for the same reason.
const AGE_MAX: Duration = Duration::from_secs(10);
/// Datagrams that are read before other tasks get their turn.
const BATCH_MAX: usize = 64;

thread_local! {
    /// What datagrams are read into; only ever between two awaits.
    static DATAGRAM: RefCell<Vec<u8>> = RefCell::new(vec![0; MESSAGE_MAX]);
}

/// Makes sockets to one server.
#[derive(Debug)]
pub(crate) struct UdpDial {
    remote: SocketAddr,
    source: Option<IpAddr>,
    limits: Limits,
    counters: Arc<Counters>,
    runtime: Handle,
}

impl UdpDial {
    pub(crate) fn new(
        remote: SocketAddr,
        settings: &Settings,
        counters: Arc<Counters>,
        runtime: Handle,
    ) -> Self {
        let limits = Limits {
            open_max: Self::OPEN_MAX,
            busy_at: Self::OPEN_MAX,
            uses_max: USES_MAX,
            age_max: settings.max_age.map_or(AGE_MAX, |age| age.min(AGE_MAX)),
            idle_max: settings.expire,
            dial_patience: Duration::MAX,
        };
        Self { remote, source: settings.source_address, limits, counters, runtime }
    }

    fn socket(&self) -> Result<UdpSocket, Cause> {
        let any: IpAddr = match self.remote {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let local = SocketAddr::new(self.source.unwrap_or(any), 0);
        let failed = |operation| move |error| Cause::network(operation, &error);
        let socket = std::net::UdpSocket::bind(local).map_err(failed(Operation::Bind))?;
        socket.connect(self.remote).map_err(failed(Operation::Connect))?;
        socket.set_nonblocking(true).map_err(failed(Operation::Bind))?;
        let _inside = self.runtime.enter();
        UdpSocket::from_std(socket).map_err(failed(Operation::Bind))
    }
}

impl Dial for UdpDial {
    const OVER: Transport = Transport::Udp;
    /// Descriptors are scarce: with 15 servers these are 7,680.
    const CONNECTIONS_MAX: usize = 512;
    /// Answers to all of these may come at once and must fit into the socket's buffer: with Linux's
    /// default of 208 KiB there is room for about 90 of 1,232 octets.
    const OPEN_MAX: usize = 64;

    fn dial(&self, live: Live) -> Result<Connection, Cause> {
        let socket = Arc::new(self.socket()?);
        let traffic = Arc::new(Traffic::new(Self::OVER, self.limits, self.counters.clone()));
        let local = socket.local_addr().map_err(|error| Cause::network(Operation::Bind, &error))?;
        let _ = traffic.connected.set(local);
        let reader = Task::start(&self.runtime, read(socket.clone(), traffic.clone()));
        let outlet = Outlet::Datagram(socket);
        Ok(Connection { remote: self.remote, traffic, outlet, reader, live })
    }
}

/// Reads answers until the socket fails: an ICMP message said that nobody listens there.
async fn read(socket: Arc<UdpSocket>, traffic: Arc<Traffic>) {
    let error = loop {
        if let Err(error) = read_some(&socket, &traffic).await {
            break error;
        }
        tokio::task::consume_budget().await;
    };
    traffic.end(&Cause::network(Operation::Read, &error));
}

/// Waits until something is there, and reads it.
async fn read_some(socket: &UdpSocket, traffic: &Traffic) -> io::Result<()> {
    let ready = socket.ready(Interest::READABLE | Interest::ERROR).await?;
    DATAGRAM.with_borrow_mut(|buffer| drain(socket, traffic, buffer))?;
    if ready.is_error() {
        // An error alone does not make a socket readable, and may have been told to a sender.
        socket.take_error()?.map_or(Ok(()), Err)?;
        let _ = socket.try_io(Interest::ERROR, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    }
    Ok(())
}

/// Reads what is there.
fn drain(socket: &UdpSocket, traffic: &Traffic, buffer: &mut [u8]) -> io::Result<()> {
    for _ in 0..BATCH_MAX {
        match socket.try_recv(buffer) {
            Ok(length) => traffic.arrived(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
