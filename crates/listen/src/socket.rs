//! Making the sockets that are listened on.

use crate::mmsg;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;

/// What the kernel may hold for us while a worker is busy. It grants as much of it as
/// `net.core.rmem_max` allows.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Connections that the kernel completes before we accept them.
const BACKLOG: i32 = 1024;

/// Binds a datagram socket that shares its address with those of other workers.
///
/// A wildcard address is told with each datagram which address was asked, so that the answer can
/// leave from it.
pub(crate) fn udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = bound(address, Type::DGRAM, Protocol::UDP)?;
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER); // the kernel's default does as well
    if address.ip().is_unspecified() {
        mmsg::enable_packet_info(socket.as_fd())?;
    }
    Ok(socket.into())
}

/// Binds and listens, also for HTTP beside DNS; the IPv6 wildcard takes IPv4 too.
pub fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound(address, Type::STREAM, Protocol::TCP)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The IPv6 wildcard takes IPv4 too, as Go's `:53` does; without IPv6 it is the IPv4 one.
fn bound(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let dual = address.is_ipv6() && address.ip().is_unspecified();
    let made = Socket::new(Domain::for_address(address), kind, Some(protocol));
    let (socket, address) = match made {
        Err(_) if dual => {
            let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
            (Socket::new(Domain::IPV4, kind, Some(protocol))?, address)
        }
        made => (made?, address),
    };
    if address.is_ipv6() {
        socket.set_only_v6(!dual)?;
    }
    socket.set_reuse_port(true)?;
    if protocol == Protocol::TCP {
        // A listener must come up again while connections of the last one wait to be forgotten.
        socket.set_reuse_address(true)?;
    }
    socket.bind(&SockAddr::from(address))?;
    Ok(socket)
}
