//! A TCP proxy that fails when told to: what lies between a client and a server that is well.

use crate::http::{Request, respond};
use crate::net::TcpServer;
use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Octets that are passed on at once.
const PIECE: usize = 16 << 10;
/// How long connecting to the server may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running proxy; its port and its connections close when it is dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    listener: TcpServer,
}

/// What the proxy does with its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// It passes everything on.
    Open,
    /// It takes and keeps connections, and passes nothing on until the path is another.
    Hanging,
    /// It answers one HTTP request of each connection with this status. Connections from before are
    /// cut.
    Failing(u16),
    /// It closes every connection, old or new.
    Cut,
}

struct Shared {
    server: SocketAddr,
    state: Mutex<State>,
    /// Told of every change of the path.
    changed: Condvar,
}

struct State {
    path: Path,
    /// How many connections were accepted.
    accepted: u64,
    /// Both ends of every connection that is passed on, by its number.
    open: HashMap<u64, [TcpStream; 2]>,
}

impl Proxy {
    /// Listens on a port of 127.0.0.1 that the system chooses, for `server`.
    pub fn start(server: SocketAddr) -> io::Result<Self> {
        let state = State { path: Path::Open, accepted: 0, open: HashMap::new() };
        let shared = Shared { server, state: Mutex::new(state), changed: Condvar::new() };
        let shared = Arc::new(shared);
        let serving = Arc::clone(&shared);
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = TcpServer::start(any, move |stream| serving.serve(&stream))?;
        Ok(Self { shared, listener })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// What it does from now on.
    pub fn set(&self, path: Path) {
        let mut state = self.shared.lock();
        state.path = path;
        if matches!(path, Path::Failing(_) | Path::Cut) {
            state.open.drain().flat_map(|(_, ends)| ends).for_each(|end| close(&end));
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// How many connections it has taken so far.
    pub fn accepted(&self) -> u64 {
        self.shared.lock().accepted
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Nobody waits any more for a path that opens.
        self.set(Path::Cut);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, client: &TcpStream) {
        let mut state = self.lock();
        state.accepted += 1;
        let number = state.accepted;
        drop(state);
        match self.path() {
            // Whoever hangs up has what it wanted, on either side.
            Path::Open => drop(self.pass_both_ways(number, client)),
            Path::Failing(status) => fail(client, status),
            Path::Hanging | Path::Cut => {}
        }
        close(client);
    }

    /// The path, as soon as it is known: not while it hangs.
    fn path(&self) -> Path {
        let state = self.changed.wait_while(self.lock(), |state| state.path == Path::Hanging);
        state.unwrap_or_else(PoisonError::into_inner).path
    }

    fn pass_both_ways(&self, number: u64, client: &TcpStream) -> io::Result<()> {
        let server = TcpStream::connect_timeout(&self.server, PATIENCE)?;
        server.set_nodelay(true)?;
        client.set_nodelay(true)?;
        let ends = [client.try_clone()?, server.try_clone()?];
        let mut state = self.lock();
        // It may have been cut meanwhile.
        if matches!(state.path, Path::Failing(_) | Path::Cut) {
            close(&server);
            return Ok(());
        }
        state.open.insert(number, ends);
        drop(state);
        std::thread::scope(|scope| {
            scope.spawn(|| self.pass(client, &server));
            self.pass(&server, client);
        });
        self.lock().open.remove(&number);
        Ok(())
    }

    /// Passes octets on until either end is closed; then both are.
    fn pass(&self, mut from: &TcpStream, mut to: &TcpStream) {
        let mut piece = vec![0; PIECE];
        while let Ok(length @ 1..) = from.read(&mut piece) {
            if self.path() != Path::Open || to.write_all(&piece[..length]).is_err() {
                break;
            }
        }
        close(from);
        close(to);
    }
}

/// Answers one request. The next connection may find the path open.
fn fail(client: &TcpStream, status: u16) {
    if Request::read(&mut BufReader::new(client)).is_some() {
        // Whoever hangs up does not want to know.
        let _ = respond(&mut &*client, status, "{}");
    }
}

/// Ends a connection for all who hold it; it may have ended before.
fn close(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::get;

    /// A server that says its name, and sends back what comes after the request.
    fn server() -> TcpServer {
        TcpServer::start(([127, 0, 0, 1], 0).into(), |stream| {
            let mut reader = BufReader::new(&stream);
            while let Some(request) = Request::read(&mut reader) {
                let _ = respond(&mut &stream, 200, &request.path);
                if !request.keep_alive {
                    return;
                }
            }
        })
        .unwrap()
    }

    /// Asks for a path and gives the answer's first octets; nothing if the connection ends.
    fn ask(mut stream: &TcpStream) -> io::Result<usize> {
        stream.write_all(b"GET /kept HTTP/1.1\r\n\r\n")?;
        stream.read(&mut [0; 1024])
    }

    #[test]
    fn it_passes_on_fails_and_cuts() {
        let server = server();
        let proxy = Proxy::start(server.address()).unwrap();
        assert_eq!(get(proxy.address(), "/a").unwrap().body, "/a");
        let kept = TcpStream::connect(proxy.address()).unwrap();
        assert!(ask(&kept).unwrap() > 0);
        proxy.set(Path::Failing(500));
        assert_eq!(ask(&kept).unwrap_or(0), 0, "a connection from before is cut");
        assert_eq!(get(proxy.address(), "/a").unwrap().status, 500);
        proxy.set(Path::Cut);
        assert!(get(proxy.address(), "/a").is_err());
        proxy.set(Path::Open);
        assert_eq!(get(proxy.address(), "/b").unwrap().body, "/b");
        assert_eq!(proxy.accepted(), 5);
    }

    #[test]
    fn what_hangs_goes_on_when_the_path_opens() {
        let server = server();
        let proxy = Proxy::start(server.address()).unwrap();
        let kept = TcpStream::connect(proxy.address()).unwrap();
        assert!(ask(&kept).unwrap() > 0);
        proxy.set(Path::Hanging);
        kept.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!(ask(&kept).is_err());
        kept.set_read_timeout(Some(PATIENCE)).unwrap();
        proxy.set(Path::Open);
        assert!((&kept).read(&mut [0; 1024]).unwrap() > 0);
        // A proxy that hangs can be dropped.
        proxy.set(Path::Hanging);
        let late = TcpStream::connect(proxy.address()).unwrap();
        drop(proxy);
        assert_eq!((&late).read(&mut [0; 1]).unwrap_or(0), 0);
    }
}
