//! What is known of the place where a Corefile runs.

use std::fmt;
use std::net::IpAddr;

/// The place where a Corefile runs, as far as it is known. What is not known finds nothing.
pub struct Scene<'a> {
    /// The port of keys that name none.
    pub port: u16,
    /// The names of all directives, in the order in which plugins are asked.
    pub order: &'a [&'a str],
    /// The addresses of the Service through which pods ask this server.
    pub cluster_ips: Vec<IpAddr>,
    /// The servers in the resolv.conf of the machine or pod on which this runs. Empty on a machine
    /// that only checks.
    pub nameservers: Vec<IpAddr>,
    /// Octets of memory that the server may use.
    pub memory: Option<u64>,
    /// How large the files are that the Corefile names.
    pub sizes: &'a dyn Sizes,
    /// How the Corefile is mounted so that a change of its ConfigMap never arrives, in words that
    /// complete "the Corefile is mounted …".
    pub sub_path: Option<String>,
}

/// How large files are.
pub trait Sizes {
    /// Octets of a file; `None` if that is not known.
    fn size(&self, path: &str) -> Option<u64>;
}

/// Nothing is known of any file.
impl Sizes for () {
    fn size(&self, _path: &str) -> Option<u64> {
        None
    }
}

impl<'a> Scene<'a> {
    /// A place of which nothing is known.
    pub fn unknown(port: u16, order: &'a [&'a str]) -> Self {
        Self {
            port,
            order,
            cluster_ips: Vec::new(),
            nameservers: Vec::new(),
            memory: None,
            sizes: &(),
            sub_path: None,
        }
    }
}

impl fmt::Debug for Scene<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Scene");
        debug.field("port", &self.port).field("cluster_ips", &self.cluster_ips);
        debug.field("memory", &self.memory).field("sub_path", &self.sub_path);
        debug.finish_non_exhaustive()
    }
}
