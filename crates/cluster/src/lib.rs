//! A Kubernetes cluster as names and records.
//!
//! **What this is.** The way from the API server to answers: a source ([`watch`] or [`manifests`])
//! tells [`Event`]s, the [`Model`] keeps what they say, and [`Cluster::answer`] finds the records for
//! a question as one `kubernetes` directive wants to see them ([`View`]).
//!
//! ```text
//! API server ─ watch ──┐
//!                      ├─ Event ─ Model::apply ─ Cluster ─ Cluster::answer ─ records
//! files ─ manifests ───┘         (one writer)  (any number of readers)
//! ```
//! What a model knows can be written and read back ([`snapshot`]), for a start without an API server.
//!
//! **What this is not.** No plugin and no API client for anything else. Only `watch` does I/O;
//! everything else is a pure function of what it is given, time included.
//!
//! **Where to start reading.** [`Cluster::answer`] for what is answered, [`Model::apply`] for how
//! changes come in.
#![forbid(unsafe_code)]

mod address;
mod answer;
mod cluster;
mod described;
mod explained;
pub mod gateway;
pub mod manifests;
mod model;
mod objects;
mod path;
mod search;
mod selector;
#[cfg(feature = "watch")]
pub mod snapshot;
mod view;
#[cfg(feature = "watch")]
pub mod watch;

pub use answer::external::{ExternalOptions, ExternalView, VisitedRecord};
pub use answer::{Found, ZoneCopy};
pub use cluster::Cluster;
pub use described::{Described, NoObject};
pub use model::{Changes, Contents, Details, Model};
pub use objects::{
    DnsEndpoint, DnsEntry, DnsTargets, Document, Endpoint, EndpointSlice, Event, Exposure, Gateway,
    ImportedSlice, Ingress, IngressObject, Key, Kind, Kinds, Namespace, Node, Object, Odd, Parent,
    Pod, Port, Route, Service, Target,
};
pub use search::Searched;
pub use selector::{BadSelector, Selector};
pub use view::{BadOptions, Options, Pods, View};
