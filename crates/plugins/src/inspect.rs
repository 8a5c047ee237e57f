//! What plugins tell operators about their state, at `rutter_admin`.
//!
//! Each trait is a capability that a plugin offers its block ([`crate::env::Env::offer`]); what it tells is
//! read anew for everyone who asks. Field names are those of the JSON, and stay.

use serde::Serialize;
use std::net::SocketAddr;
use wire::{Name, RecordType};

/// Somebody who asks other servers (`forward`).
pub trait InspectUpstreams: Send + Sync {
    /// Each line of the block, in the order of the Corefile.
    fn lines(&self) -> Vec<UpstreamLine>;
}

/// A line that names servers.
#[derive(Serialize, Debug, PartialEq)]
pub struct UpstreamLine {
    /// The zone that it takes questions of.
    pub from: String,
    /// Which server comes first: `random`, `round_robin` or `sequential`.
    pub policy: &'static str,
    /// Questions that wait for an answer now.
    pub in_flight: usize,
    /// How many may wait at once (`max_concurrent`); none is no limit.
    pub in_flight_max: Option<usize>,
    /// Questions that were refused because of that limit.
    pub refused: u64,
    /// Questions for which every server was down.
    pub all_down: u64,
    /// The servers; none until the configuration has been started and their names are known.
    pub servers: Vec<UpstreamServer>,
}

/// A server that is asked.
#[derive(Serialize, Debug, PartialEq)]
pub struct UpstreamServer {
    /// Its address.
    pub address: SocketAddr,
    /// Whether it is left alone because its probes fail.
    pub down: bool,
    /// Its answers, whatever they say.
    pub answers: u64,
    /// How long one took on average, in milliseconds; none without any.
    pub answer_ms: Option<f64>,
    /// Its answers that say SERVFAIL.
    pub servfail: u64,
    /// Probes that failed.
    pub failed_probes: u64,
    /// Connections that live now, over UDP and over TCP.
    pub connections: usize,
}

/// Somebody who keeps the answers of others (`cache`).
pub trait InspectCache: Send + Sync {
    /// How it is.
    fn state(&self) -> CacheState;

    /// What it has about a name and a type, whatever bits the question had.
    fn kept(&self, name: Name<'_>, rtype: RecordType) -> Vec<KeptReply>;
}

/// How a cache is.
#[derive(Serialize, Debug, PartialEq, Eq)]
pub struct CacheState {
    /// The zones that it caches for.
    pub zones: Vec<String>,
    /// Answers and referrals that it has, and how many it may have.
    pub successes: usize,
    /// The most of them.
    pub successes_max: usize,
    /// Denials and errors that it has.
    pub denials: usize,
    /// The most of them.
    pub denials_max: usize,
    /// Octets that its entries take.
    pub octets: usize,
    /// Questions that it looked up.
    pub requests: u64,
    /// Questions that it answered with an answer or a referral.
    pub hits_success: u64,
    /// Questions that it answered with a denial or an error.
    pub hits_denial: u64,
}

/// A reply that is kept.
#[derive(Serialize, Debug, PartialEq, Eq)]
pub struct KeptReply {
    /// Whether the question wanted DNSSEC (DO).
    pub dnssec_ok: bool,
    /// Whether the question wanted no validation (CD).
    pub checking_disabled: bool,
    /// The response code.
    pub rcode: String,
    /// The TTL that it came with, in seconds.
    pub ttl: u32,
    /// How many seconds of it are left; none if its time is over, and it is served only while nobody
    /// answers.
    pub left: Option<u32>,
    /// Its records, in the order of the sections, as a zone file has them.
    pub records: Vec<String>,
}

/// Somebody who knows a cluster (`kubernetes`, `k8s_gateway`).
pub trait InspectCluster: Send + Sync {
    /// How what is known of it is kept up to date.
    fn state(&self) -> ClusterState;
}

/// How what is known of a cluster is kept up to date.
#[derive(Serialize, Debug, PartialEq)]
pub struct ClusterState {
    /// `in-cluster`, a kubeconfig file, or a directory of manifests.
    pub source: String,
    /// Whether all of it is known, be it from a snapshot.
    pub synced: bool,
    /// Whether answers come from the snapshot, in part at least.
    pub serves_snapshot: bool,
    /// Seconds since the snapshot on the disk was true; none without one.
    pub snapshot_age_seconds: Option<u64>,
    /// What could not be used of the manifests, or why there are none.
    pub mistakes: Vec<String>,
    /// What is watched; nothing of manifests.
    pub resources: Vec<ClusterResource>,
}

/// A resource of the API that is watched.
#[derive(Serialize, Debug, PartialEq)]
pub struct ClusterResource {
    /// Its name, as metrics have it: `Service`.
    pub resource: &'static str,
    /// Seconds since the API server last said anything about it: the age of what is answered, at worst.
    /// None until it has said something.
    pub age_seconds: Option<f64>,
    /// Events of watches, without bookmarks.
    pub events: u64,
    /// Lists that were read to their end.
    pub lists: u64,
    /// Objects that could not be read and were left out.
    pub skipped: u64,
    /// Failures of lists and watches.
    pub errors: u64,
}
