//! `k8s_gateway`: names that ingresses, services and routes of a cluster ask for.
//!
//! **What this is.** The directive, and the plugin that asks [`cluster::gateway`]. Where the data come
//! from it shares with `kubernetes`: [`mod@crate::clusters`].
//!
//! **What this is not.** It knows no record: [`View::answer`] does. It has no name of the cluster
//! itself; that is `kubernetes`.

mod config;

use crate::clusters::common::Reading;
use crate::clusters::{Source, Watched, wait_for};
use crate::directive::{Built, Directive};
use crate::env::Env;
use crate::inspect::InspectCluster;
use crate::metrics::Histogram;
use crate::zones::Zones;
use chain::{Exchange, Failure, Plugin, Step};
use cluster::gateway::{Found, Options, View};
use cluster::manifests::Manifests;
use cluster::watch::Settings;
use cluster::{Kind, Kinds, Model, Selector};
use config::Config;
use corefile::{Accepted, Block, Code, Mistake, Mistakes};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use wire::{Name, Rcode, RecordType};

/// How long a start waits for the cluster before it serves without it, as `kubernetes` does by
/// default. The original does not wait.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(5);

/// What objects bear that are not to be seen.
const NOT_IGNORED: &str = "k8s-gateway.dns/ignore!=true";

/// The directive and the plugin.
pub(crate) struct K8sGateway {
    view: View,
    source: Arc<Source>,
    fallthrough: Option<Zones>,
}

impl Directive for K8sGateway {
    const NAME: &'static str = "k8s_gateway";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        Config::read(block)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        let view = view(&config)?;
        let source = match env.process.manifests(config.common.manifests.as_deref()) {
            Some(directory) => files(&directory, &config, env),
            None => watched(&config, env),
        };
        env.offer_readiness("k8s_gateway", source.clone());
        env.offer::<dyn InspectCluster>("k8s_gateway", source.clone());
        let started = source.clone();
        env.try_on_start(move |runtime| started.start(runtime));
        env.before_serving(wait_for(source.clone(), STARTUP_TIMEOUT));
        let fallthrough = config.common.fallthrough();
        Ok(Some(Box::new(Self { view, source, fallthrough })))
    }
}

fn view(config: &Config) -> Result<View, Mistakes> {
    let options = Options {
        ttl: config.common.ttl,
        resources: config.resources.clone(),
        ingress_classes: config.ingress_classes.clone(),
        gateway_classes: config.gateway_classes.clone(),
        node_addresses: config.node_addresses,
        servers: std::iter::once(&config.apex).chain(&config.secondary).cloned().collect(),
        ..Options::new(Zones::new(&config.zones).names().to_vec())
    };
    View::new(options).map_err(|wrong| match config.at {
        Some(at) => Mistake::error(Code::BadValue, at, wrong.to_string()).into(),
        None => Mistakes::new(),
    })
}

/// What the API server selects by.
struct Selectors {
    services: Selector,
    /// Of these services those that any of these selects; all if there is none.
    any: Vec<Selector>,
    /// Everything else.
    routes: Selector,
}

fn selectors(config: &Config) -> Selectors {
    let read = |text: String| text.parse().unwrap_or_default();
    // One selector it can be asked for, but it knows no "or".
    let (services, any) = match config.service_labels.as_slice() {
        [labels] => (format!("{labels},{NOT_IGNORED}"), Vec::new()),
        any => (NOT_IGNORED.to_owned(), any.to_vec()),
    };
    Selectors { services: read(services), any, routes: read(NOT_IGNORED.to_owned()) }
}

/// A directory of manifests.
fn files(directory: &Path, config: &Config, env: &mut Env<'_>) -> Arc<Source> {
    let Selectors { services, any, routes } = selectors(config);
    let key = format!("{services:?} {any:?}");
    let manifests =
        Manifests::new(services, Selector::default()).with_any_labels(any).with_routes(routes);
    let model = Model::new(Kinds::all()).of_gateways();
    let labels = &[("directive", "k8s_gateway")];
    Reading { directive: "k8s_gateway", directory, key, labels }.source(manifests, model, env)
}

/// The cluster of an API server; shared by all that mean the same, and kept across reloads.
fn watched(config: &Config, env: &mut Env<'_>) -> Arc<Source> {
    let (server, host) = config.common.server(env);
    let mut settings = Settings::new(server);
    settings.gateway = true;
    let Selectors { services, any, routes } = selectors(config);
    (settings.labels, settings.any_labels, settings.route_labels) = (services, any, routes);
    settings.kinds = kinds(config);
    // Those of the Gateway API and of ExternalDNS come with resource definitions that a cluster may
    // lack.
    let optional = ROUTES.into_iter().chain([Kind::Gateway, Kind::DnsEndpoint]);
    settings.optional = optional.collect();
    // `kubernetes` measures it.
    let programming = Arc::new(Histogram::new(0, &[]));
    let key = format!("{settings:?}");
    let source = env.keep(key, || Source::Watched(Watched::new(settings, programming, host)));
    env.process.metrics.collect(&source);
    source
}

const ROUTES: [Kind; 4] = [Kind::HttpRoute, Kind::GrpcRoute, Kind::TlsRoute, Kind::OldTlsRoute];

/// What the directive needs to know of the cluster.
fn kinds(config: &Config) -> Kinds {
    let kinds: Kinds = config.resources.iter().copied().collect();
    let has_tls = kinds.has(Kind::TlsRoute);
    let kinds = if has_tls { kinds.with(Kind::OldTlsRoute) } else { kinds };
    // A service may want to be where its endpoints are.
    let has_services = kinds.has(Kind::Service);
    let kinds = if has_services { kinds.with(Kind::EndpointSlice) } else { kinds };
    let has_routes = ROUTES.into_iter().any(|kind| kinds.has(kind));
    if has_routes { kinds.with(Kind::Gateway) } else { kinds }
}

impl Plugin for K8sGateway {
    fn names(&self, show: &mut dyn FnMut(Name<'_>, RecordType)) {
        if let Some(cluster) = self.source.cluster() {
            cluster.visit_hosts(&mut |host| show(host, RecordType::A));
        }
    }

    fn query(&self, x: &mut Exchange) -> Step {
        let Some(cluster) = self.source.cluster() else { return self.without_cluster(x) };
        let found = self.view.answer(cluster, &x.question, &mut x.reply);
        x.note(|| explained(found).to_owned());
        match found {
            Found::NotHere => return Step::Next,
            // As in the original even the SOA: the zone may be another's, which this adds names to.
            Found::NoSuchName | Found::Empty | Found::Apex if self.falls_through(x) => {
                x.note(|| "falls through".to_owned());
                x.clear_reply();
                return Step::Next;
            }
            // Not even what falls through: the next plugin may be the outside's view of a name
            // that the cluster has.
            Found::NotSynced => return x.fail(NOT_READY),
            Found::Refused => return x.fail(Failure::TransferRefused),
            Found::Answer | Found::Apex | Found::Elsewhere => {}
            Found::NoData | Found::Empty => {
                self.view.push_soa(cluster, &x.question, &mut x.reply);
            }
            Found::NoSuchName => {
                x.reply.rcode = Rcode::NXDOMAIN;
                self.view.push_soa(cluster, &x.question, &mut x.reply);
            }
        }
        x.authoritative();
        x.live();
        if found == Found::Elsewhere { Step::Chase } else { Step::Done }
    }
}

/// What was found, in words.
fn explained(found: Found) -> &'static str {
    match found {
        Found::Answer | Found::Elsewhere => "has a route, an ingress or a service for the name",
        Found::NoData => "has the name, but nothing of the type",
        Found::Empty => "has only names below it",
        Found::Apex => "answers for the zone itself",
        Found::NoSuchName => "has no route, ingress or service for the name",
        Found::NotSynced => "cannot tell yet: not all of the cluster is known",
        Found::Refused => "hands out no zone this way",
        Found::NotHere => "",
    }
}

/// No answer before everything is known: a kind that comes first may have another.
const NOT_READY: Failure = Failure::NotReady { plugin: "k8s_gateway" };

impl K8sGateway {
    fn falls_through(&self, x: &Exchange) -> bool {
        self.fallthrough.as_ref().is_some_and(|zones| zones.cover(x.question.name()))
    }

    /// The watch has not begun yet.
    fn without_cluster(&self, x: &mut Exchange) -> Step {
        let ours = self.view.zone_of(x.question.name()).is_some();
        if ours { x.fail(NOT_READY) } else { Step::Next }
    }
}
