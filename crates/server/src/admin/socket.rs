//! Where operators connect: a socket in the file system that its owner alone may open, or a port of
//! a loopback address.

use plugins::rutter_admin::Address;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncRead, AsyncWrite};

/// Connections that the kernel completes before they are accepted.
const BACKLOG: i32 = 16;

/// A socket that is bound, for a runtime to accept from.
pub(crate) enum Bound {
    Unix(UnixListener, SocketFile),
    Tcp(std::net::TcpListener),
}

/// A socket that is accepted from.
pub(super) enum Listener {
    Unix(tokio::net::UnixListener),
    Tcp(tokio::net::TcpListener),
}

/// What a connection can do.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// The name of a socket, taken away when this is dropped, unless it is another's by then.
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    id: (u64, u64),
}

impl Bound {
    /// Binds and listens.
    ///
    /// A socket that nobody listens on is replaced; any other file is not, nor is the socket of
    /// another process.
    pub(super) fn at(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => listen::bind_tcp(*address).map(Self::Tcp),
            Address::Unix(path) => {
                let (listener, file) = bind_unix(path)?;
                Ok(Self::Unix(listener, file))
            }
        }
    }

    /// Accepts on the runtime that this is called on.
    pub(super) fn into_listener(self) -> io::Result<(Listener, Option<SocketFile>)> {
        Ok(match self {
            Self::Tcp(it) => (Listener::Tcp(tokio::net::TcpListener::from_std(it)?), None),
            Self::Unix(it, file) => {
                (Listener::Unix(tokio::net::UnixListener::from_std(it)?), Some(file))
            }
        })
    }
}

impl Listener {
    /// Whether everybody on this machine may connect.
    pub(super) fn is_port(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
            Self::Tcp(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|it| (it.dev(), it.ino()) == self.id) {
            let _ = fs::remove_file(&self.path); // who comes next replaces it
        }
    }
}

fn bind_unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            let error = "there is a file that is no socket: name another path, or remove it";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, error));
        }
        Ok(_) if is_listened_on(path)? => return Err(io::ErrorKind::AddrInUse.into()),
        _ => {}
    }
    // It gets its name when nobody else may open it any more.
    let mut first = OsString::from(path);
    first.push(".new");
    let first = PathBuf::from(first);
    if fs::symlink_metadata(&first).is_ok_and(|it| it.file_type().is_socket()) {
        fs::remove_file(&first)?; // of a process that came no further
    }
    let socket = unix_socket()?;
    net::bind(&socket, &SocketAddrUnix::new(&first)?)?;
    fs::set_permissions(&first, Permissions::from_mode(0o600))?;
    net::listen(&socket, BACKLOG)?;
    fs::rename(&first, path)?;
    let found = fs::symlink_metadata(path)?;
    let file = SocketFile { path: path.to_owned(), id: (found.dev(), found.ino()) };
    Ok((socket.into(), file))
}

/// Whether a process accepts there. Does not wait: one with many connections would have to be waited
/// for.
fn is_listened_on(path: &Path) -> io::Result<bool> {
    match net::connect(&unix_socket()?, &SocketAddrUnix::new(path)?) {
        Ok(()) | Err(rustix::io::Errno::AGAIN) => Ok(true),
        Err(rustix::io::Errno::CONNREFUSED) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn unix_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(path: &Path) -> Result<Bound, io::ErrorKind> {
        Bound::at(&Address::Unix(path.to_owned())).map_err(|error| error.kind())
    }

    #[test]
    fn the_socket_is_its_owners_and_goes_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let bound = kind(&path).unwrap();
        let found = fs::symlink_metadata(&path).unwrap();
        assert!(found.file_type().is_socket());
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
        assert_eq!(kind(&path).err(), Some(io::ErrorKind::AddrInUse));
        drop(bound);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_dead_process_left_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        drop(UnixListener::bind(&path).unwrap());
        drop(UnixListener::bind(folder.path().join("a.sock.new")).unwrap());
        let bound = kind(&path).unwrap();
        std::os::unix::net::UnixStream::connect(&path).unwrap();
        drop(bound);
    }

    #[test]
    fn what_is_no_socket_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        fs::write(&path, "precious").unwrap();
        assert_eq!(kind(&path).err(), Some(io::ErrorKind::AlreadyExists));
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(kind(&link).err(), Some(io::ErrorKind::AlreadyExists));
    }

    #[test]
    fn the_socket_of_another_is_not_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let bound = kind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let other = UnixListener::bind(&path).unwrap();
        drop(bound);
        assert!(path.exists());
        drop(other);
    }
}
