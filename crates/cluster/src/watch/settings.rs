//! Which API server is watched, and for what.

use crate::model::Details;
use crate::objects::{IMPORTED_LABEL, Kind, Kinds};
use crate::selector::Selector;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// All that makes one watch different from another: directives with equal settings share one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Settings {
    /// Where the API server is and how it is talked to.
    pub server: Server,
    /// `labels`: which services, EndpointSlices and pods are wanted.
    pub labels: Selector,
    /// `serviceLabelSelectors`, if there are several: of these services those that any of them
    /// selects. An API server knows no "or", so it tells all, and they are picked out here.
    pub any_labels: Vec<Selector>,
    /// `namespace_labels`: which namespaces are wanted.
    pub namespace_labels: Selector,
    /// What is watched.
    pub kinds: Kinds,
    /// Which of these the API server need not serve, as their CustomResourceDefinition may not be
    /// there: then there are none, until it is.
    pub optional: Kinds,
    /// How objects are asked for.
    pub transfer: Transfer,
    /// What is kept of EndpointSlices beyond addresses and hostnames.
    pub details: Details,
    /// Whether what is known is the names that services, ingresses and routes ask for, for
    /// [`crate::gateway`], in place of the names of the cluster itself.
    pub gateway: bool,
    /// `k8s_gateway`: which ingresses and routes are wanted.
    pub route_labels: Selector,
    /// How long things may take.
    pub timing: Timing,
}

impl Settings {
    /// CoreDNS's defaults: namespaces, services and EndpointSlices.
    pub fn new(server: Server) -> Self {
        Self {
            server,
            labels: Selector::default(),
            any_labels: Vec::new(),
            namespace_labels: Selector::default(),
            kinds: [Kind::Namespace, Kind::Service, Kind::EndpointSlice].into_iter().collect(),
            optional: Kinds::none(),
            transfer: Transfer::default(),
            details: Details::default(),
            gateway: false,
            route_labels: Selector::default(),
            timing: Timing::default(),
        }
    }

    /// Whether an object is wanted, of those that the API server selects.
    pub(super) fn wants(
        &self,
        kind: Kind,
        labels: impl FnOnce() -> BTreeMap<String, String>,
    ) -> bool {
        if kind != Kind::Service || self.any_labels.is_empty() {
            return true;
        }
        let labels = labels();
        self.any_labels.iter().any(|selector| selector.selects(&labels))
    }

    /// The selector of a kind, as the API server reads it. Endpoints carry the labels of their
    /// service. Imports do not: controllers make them, so neither selector is about them.
    pub(super) fn selector(&self, kind: Kind) -> String {
        match kind {
            Kind::Namespace => self.namespace_labels.to_string(),
            Kind::Service | Kind::EndpointSlice | Kind::Pod => self.labels.to_string(),
            Kind::ServiceImport => String::new(),
            Kind::ImportedSlice if self.labels.is_empty() => IMPORTED_LABEL.to_owned(),
            Kind::ImportedSlice => format!("{},{IMPORTED_LABEL}", self.labels),
            Kind::Ingress
            | Kind::Gateway
            | Kind::HttpRoute
            | Kind::GrpcRoute
            | Kind::TlsRoute
            | Kind::OldTlsRoute
            | Kind::DnsEndpoint
            | Kind::Node => self.route_labels.to_string(),
        }
    }
}

/// How objects are asked for. An API server that cannot do either is asked in the plain way; without
/// them it is not asked otherwise, which is good for comparing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Transfer {
    /// Lists as the beginning of a watch, which the API server makes out of its cache.
    pub streaming: bool,
    /// Protocol Buffers, for kinds that have this form.
    pub protobuf: bool,
}

impl Default for Transfer {
    fn default() -> Self {
        Self { streaming: true, protobuf: true }
    }
}

/// Where the API server is and how it is talked to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Server {
    /// The service account of the pod. Its token and its CA are read again as they rotate.
    InCluster,
    /// `kubeconfig`
    Kubeconfig {
        /// The file.
        file: PathBuf,
        /// One of its contexts; none for its current one.
        context: Option<String>,
    },
    /// `endpoint`, with `tls` or without.
    Endpoint {
        /// `http://` or `https://`.
        url: String,
        /// A certificate of our own and a CA to trust.
        tls: Option<TlsFiles>,
    },
}

/// The files of `tls`, in PEM.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TlsFiles {
    /// The certificate that we show.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The CA of the API server.
    pub ca: PathBuf,
}

/// How long things may take. The defaults are those of client-go where it has some.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Timing {
    /// The wait after a first failure; doubled with each that follows, and up to twice as long
    /// by chance, so that servers do not ask in step.
    pub retry_min: Duration,
    /// The longest wait, before chance. A `Retry-After` is obeyed up to ten times this.
    pub retry_max: Duration,
    /// After this long without a failure the next one counts as a first.
    pub retry_reset: Duration,
    /// The shortest time after which the server is asked to end a watch.
    pub watch_min: Duration,
    /// The longest.
    pub watch_max: Duration,
    /// How long the head of a response, each piece of a list, or the end of a watch after its
    /// time, may be waited for.
    pub silence_max: Duration,
    /// How long a watch may tell nothing, not even a bookmark, if the server sends bookmarks: it
    /// does so each minute.
    pub quiet_max: Duration,
    /// How long after a server has refused a streaming list it is not asked for one.
    pub streaming_retry: Duration,
    /// How long after a resource was absent it is looked for again, up to half as long more by
    /// chance; also how long one that was there must be absent until it counts as gone.
    pub absent_retry: Duration,
    /// How long after an outage it is asked whether the server is back, and then again, up to twice as
    /// long by chance.
    pub probe_every: Duration,
    /// How long the server may take to say so.
    pub probe_max: Duration,
    /// Over how much time those who waited for the server go on when it is back.
    pub return_spread: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            retry_min: Duration::from_millis(800),
            retry_max: Duration::from_secs(30),
            retry_reset: Duration::from_secs(120),
            watch_min: Duration::from_secs(300),
            watch_max: Duration::from_secs(600),
            silence_max: Duration::from_secs(30),
            quiet_max: Duration::from_secs(150),
            streaming_retry: Duration::from_secs(600),
            absent_retry: Duration::from_secs(60),
            probe_every: Duration::from_secs(2),
            probe_max: Duration::from_secs(3),
            return_spread: Duration::from_secs(6),
        }
    }
}
