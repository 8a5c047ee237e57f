//! The API of a cluster over plain HTTP, as the administrator: `kubectl proxy`, and a client for it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{Cluster, Failure};

/// What `kubectl proxy` says before the address at which it listens.
const SAYS: &str = "Starting to serve on ";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most octets of an answer.
const ANSWER_MAX: u64 = 64 << 20;

/// A proxy without TLS and credentials in front of the API server. It ends when this is dropped.
#[derive(Debug)]
pub struct PlainApi {
    child: Child,
    address: SocketAddr,
}

/// A connection to it, for one request after the other.
#[derive(Debug)]
pub struct PlainClient {
    reader: BufReader<TcpStream>,
}

impl PlainApi {
    /// Starts it on a port that the system chooses.
    pub fn start(cluster: &Cluster) -> Result<Self, Failure> {
        let program = cluster.programs.join("kubectl");
        let failed = |error| Failure::file(&program, error);
        let mut command = Command::new(&program);
        command.arg("--kubeconfig").arg(cluster.kubeconfig()).args(["proxy", "--port=0"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(failed)?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout.take(1024)).read_line(&mut line).map_err(failed)?;
        }
        let address = line.trim().strip_prefix(SAYS).and_then(|address| address.parse().ok());
        // Nothing is said by a proxy that ends.
        let address = address.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        let api = Self { child, address };
        if address.port() == 0 {
            return Err(failed(io::Error::other(format!("`kubectl proxy` said {line:?}"))));
        }
        Ok(api)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for PlainApi {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl PlainClient {
    /// Connects to a [`PlainApi`].
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { reader: BufReader::new(stream) })
    }

    /// Sends a request with a JSON body, and gives the answer's body. A status that is no success
    /// is an error.
    pub fn ask(&mut self, method: &str, path: &str, body: &str) -> io::Result<String> {
        let kind =
            if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let length = body.len();
        let message = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        self.reader.get_mut().write_all(message.as_bytes())?;
        let status = self.line()?.split(' ').nth(1).unwrap_or_default().to_owned();
        let body = self.body()?;
        if status.starts_with('2') {
            return Ok(body);
        }
        Err(io::Error::other(format!("{method} {path}: {status}: {body}")))
    }

    /// The rest of an answer after its first line; its body has a length or comes in chunks.
    fn body(&mut self) -> io::Result<String> {
        let mut length = None;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().ok(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = Vec::new();
        if let Some(length) = length {
            self.part(length, &mut body)?;
        } else {
            self.chunks(&mut body)?;
        }
        String::from_utf8(body).map_err(io::Error::other)
    }

    /// RFC 9112 §7.1.
    fn chunks(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let length = u64::from_str_radix(&self.line()?, 16).map_err(io::Error::other)?;
            self.part(length, body)?;
            self.line()?;
            if length == 0 {
                return Ok(());
            }
        }
    }

    fn part(&mut self, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
        if body.len() as u64 + length > ANSWER_MAX {
            return Err(io::Error::other("the answer is too long"));
        }
        (&mut self.reader).take(length).read_to_end(body)?;
        Ok(())
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        (&mut self.reader).take(ANSWER_MAX).read_line(&mut line)?;
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}
