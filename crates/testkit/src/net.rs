//! A TCP listener whose port can be opened and closed under its clients.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Connections that one listener holds at a time; more are closed at once.
const CONNECTIONS_MAX: usize = 256;

/// Accepts connections, each served by a thread of its own, until it is dropped: then the port is
/// closed and so is every connection.
pub(crate) struct TcpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stopping: AtomicBool,
    open: Mutex<HashMap<u64, TcpStream>>,
}

impl TcpServer {
    pub(crate) fn start(
        address: SocketAddr,
        serve: impl Fn(TcpStream) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        let serve = Arc::new(serve);
        let thread = std::thread::Builder::new()
            .name("testkit-accept".to_owned())
            .spawn(move || accept(&listener, &accepting, &serve))?;
        Ok(Self { address, shared, thread: Some(thread) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for TcpServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // A connection wakes the thread that accepts, which then sees that it shall stop.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let open = self.shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in open.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn accept<S>(listener: &TcpListener, shared: &Arc<Shared>, serve: &Arc<S>)
where
    S: Fn(TcpStream) + Send + Sync + 'static,
{
    for (number, stream) in (0..).zip(listener.incoming()) {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(handle) = stream.try_clone() else { continue };
        let mut open = shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= CONNECTIONS_MAX {
            continue;
        }
        open.insert(number, handle);
        drop(open);
        let (shared, serve) = (Arc::clone(shared), Arc::clone(serve));
        let connection = std::thread::Builder::new().name("testkit-connection".to_owned());
        // A thread that cannot be started closes its connection.
        let _ = connection.spawn(move || {
            serve(stream);
            let mut open = shared.open.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(handle) = open.remove(&number) {
                let _ = handle.shutdown(Shutdown::Both);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn dropping_closes_the_port_and_the_connections() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = TcpServer::start(any, |mut stream| {
            let mut octet = [0];
            while stream.read_exact(&mut octet).is_ok() && stream.write_all(&octet).is_ok() {}
        })
        .unwrap();
        let address = server.address();
        let mut stream = TcpStream::connect(address).unwrap();
        let mut octet = [7];
        stream.write_all(&octet).unwrap();
        stream.read_exact(&mut octet).unwrap();
        drop(server);
        assert_eq!(stream.read(&mut octet).unwrap_or(0), 0);
        assert!(TcpStream::connect(address).is_err());
        drop(TcpServer::start(address, |_| {}).unwrap());
    }
}
