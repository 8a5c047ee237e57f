//! The API of a cluster over plain HTTP, as the administrator: `kubectl proxy`.

use std::io::{self, BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use super::{Cluster, Failure};

/// What `kubectl proxy` says before the address at which it listens.
const SAYS: &str = "Starting to serve on ";

/// A proxy without TLS and credentials in front of the API server. It ends when this is dropped.
#[derive(Debug)]
pub struct PlainApi {
    child: Child,
    address: SocketAddr,
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
