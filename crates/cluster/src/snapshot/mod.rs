//! What is known of a cluster as a file, so that a restart while the API server is away answers.
//!
//! **What this is.** The format: [`write()`] and [`open`], and what tells one watch's file from
//! another's ([`identity`], [`file_name`]).
//!
//! ```text
//! rutter snapshot 1
//! {"settings": …, "server": …, "cluster": …, "taken": …, "serial": …}       Head
//! {"Service": {…}}                                                         an object a line
//! …
//! end LENGTH SHA-256                                                       of all before it
//! ```
//! Lines of JSON, because a version of this program must not misread what another one wrote: a
//! field that is missing is an error, one that is new is skipped. And an operator can look into it.
//!
//! **What this is not.** It opens no file and reads no clock. What is read is not trusted: it costs
//! memory for one line, and the model is given nothing that an API server could not have told.
//!
//! **Where to start reading.** [`write()`], then [`open`].

mod read;
mod write;

pub use read::{Objects, Unusable, open};
pub use write::{CannotWrite, write};

use crate::Details;
use crate::watch::{Server, Settings};
use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// The most octets of a snapshot: a million endpoints have about a hundred million.
pub const SIZE_MAX: u64 = 256 << 20;

/// The most octets of a line. An object has 1.5 MiB at most in etcd.
const LINE_MAX: u64 = 8 << 20;

/// The first line, up to the number of the format.
const MAGIC: &str = "rutter snapshot ";
/// The format that is written, and the only one that is read. It changes when a program that knows
/// the one before would take the file for something that it is not.
const FORMAT: u32 = 1;

/// `end`, twenty digits, the digest in 64 digits.
const TRAILER_LEN: u64 = 4 + 20 + 1 + 64 + 1;

/// Of what a snapshot is one, and of when.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Head {
    /// The [`identity`] of the watch's settings.
    pub settings: String,
    /// The URL of the API server.
    pub server: String,
    /// The uid of the namespace `kube-system`, which no two clusters share; none where it is not
    /// seen, as with `namespace_labels`.
    pub cluster: Option<String>,
    /// The Unix time in seconds up to which it was true.
    pub taken: u64,
    /// The SOA serial.
    pub serial: u32,
}

impl Head {
    /// Whether a snapshot with this head can stand for what `wanted` asks for; `taken` and `serial`
    /// do not count, and an unknown cluster may be any.
    pub fn check(&self, wanted: &Self) -> Result<(), Unusable> {
        let Self { settings, server, cluster, taken: _, serial: _ } = self;
        let foreign = |found: &str, wanted: &str| Unusable::Foreign {
            found: found.to_owned(),
            wanted: wanted.to_owned(),
        };
        if *settings != wanted.settings {
            return Err(foreign(settings, &wanted.settings));
        }
        if *server != wanted.server {
            return Err(foreign(server, &wanted.server));
        }
        match (cluster, &wanted.cluster) {
            (Some(found), Some(wanted)) if found != wanted => Err(foreign(found, wanted)),
            _ => Ok(()),
        }
    }
}

/// Everything about a watch that decides what it gets to see, as text that stays the same from one
/// version of this program to the next.
pub fn identity(settings: &Settings) -> String {
    // Whoever adds a field decides here whether it decides what is seen.
    let Settings { server, labels, namespace_labels, kinds, details, .. } = settings;
    let Settings { optional: _, transfer: _, timing: _, gateway, route_labels, any_labels, .. } =
        settings;
    let server = match server {
        Server::InCluster => "in-cluster".to_owned(),
        Server::Kubeconfig { file, context } => {
            format!("kubeconfig {} {}", file.display(), context.as_deref().unwrap_or_default())
        }
        // The certificate does not decide what is seen.
        Server::Endpoint { url, tls: _ } => format!("endpoint {url}"),
    };
    let mut text = format!("{server}; labels {labels}; namespaces {namespace_labels}; kinds");
    for kind in crate::Kind::ALL.into_iter().filter(|kind| kinds.has(*kind)) {
        text.push(' ');
        text.push_str(kind.name());
    }
    if *gateway {
        let _ = write!(text, "; routes {route_labels}");
        for selector in any_labels {
            let _ = write!(text, "; or {selector}");
        }
    }
    let Details { pod_names, zones } = details;
    for (detail, is_kept) in [("pod_names", pod_names), ("zones", zones)] {
        if *is_kept {
            text.push_str("; ");
            text.push_str(detail);
        }
    }
    text
}

/// The name of the file for an [`identity`].
pub fn file_name(identity: &str) -> String {
    let hash = digest(&SHA256, identity.as_bytes());
    format!("kubernetes-{}.snapshot", &hex(hash.as_ref())[..16])
}

fn hex(octets: &[u8]) -> String {
    let mut text = String::with_capacity(2 * octets.len());
    for octet in octets {
        let _ = write!(text, "{octet:02x}"); // writing into a string cannot fail
    }
    text
}

#[cfg(test)]
mod tests;
