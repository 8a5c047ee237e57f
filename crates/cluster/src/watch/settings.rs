//! Which API server is watched, and for what.

use crate::objects::{Kind, Kinds};
use crate::selector::Selector;
use std::path::PathBuf;
use std::time::Duration;

/// All that makes one watch different from another: directives with equal settings share one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Settings {
    /// Where the API server is and how it is talked to.
    pub server: Server,
    /// `labels`: which services, EndpointSlices and pods are wanted.
    pub labels: Selector,
    /// `namespace_labels`: which namespaces are wanted.
    pub namespace_labels: Selector,
    /// What is watched.
    pub kinds: Kinds,
    /// Which of these the API server need not serve, as their CustomResourceDefinition may not be
    /// there: then there are none, until it is.
    pub optional: Kinds,
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
            namespace_labels: Selector::default(),
            kinds: [Kind::Namespace, Kind::Service, Kind::EndpointSlice].into_iter().collect(),
            optional: Kinds::none(),
            gateway: false,
            route_labels: Selector::default(),
            timing: Timing::default(),
        }
    }

    /// The selector of a kind. Endpoints carry the labels of their service.
    pub(super) fn selector(&self, kind: Kind) -> &Selector {
        match kind {
            Kind::Namespace => &self.namespace_labels,
            Kind::Service | Kind::EndpointSlice | Kind::Pod => &self.labels,
            Kind::Ingress
            | Kind::Gateway
            | Kind::HttpRoute
            | Kind::GrpcRoute
            | Kind::TlsRoute
            | Kind::OldTlsRoute => &self.route_labels,
        }
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
        }
    }
}
