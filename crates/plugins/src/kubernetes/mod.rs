//! `kubernetes`: names of the services and pods of a cluster.
//!
//! **What this is.** The directive, and the plugin that asks the `cluster` crate. Where the data come
//! from is in [`mod@crate::clusters`], what it tells `metadata` in [`mod@labels`], what it knows of
//! search lists in [`mod@search`] and [`mod@shortcut`].
//!
//! **What this is not.** It knows no record: [`cluster::Cluster::answer`] does.

mod config;
mod labels;
mod names;
mod search;
mod shortcut;
mod transfer;
mod wasted;

use crate::clusters::common::Reading;
use crate::clusters::{Clusters, Snapshot, Source, Stored, Watched, wait_for};
use crate::directive::{Built, Directive};
use crate::env::{Describe, Env};
use crate::handover::Transfer;
use crate::inspect::InspectCluster;
use crate::search_path::{self, SearchPath};
use crate::state::StateDirectory;
use crate::zones::Zones;
use chain::{Exchange, Failure, Plugin, Step};
use cluster::manifests::Manifests;
use cluster::watch::{Server, Settings};
use cluster::{Cluster, Details, Found, Kind, Kinds, Model, Options, Pods, View};
use config::Config;
use corefile::{Accepted, Block, Code, Mistake, Mistakes};
use search::SearchLists;
use shortcut::Shortcut;
use std::net::IpAddr;
use std::sync::Arc;
use wire::{Name, RecordType};

/// The directive and the plugin.
pub(crate) struct Kubernetes {
    view: Arc<View>,
    source: Arc<Source>,
    fallthrough: Option<Zones>,
    search: SearchLists,
    shortcut: Shortcut,
}

impl Directive for Kubernetes {
    const NAME: &'static str = "kubernetes";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        Config::read(block)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        let view = Arc::new(view(&config, env)?);
        let source = source(&config, env);
        env.offer_readiness("kubernetes", source.clone());
        env.offer::<dyn InspectCluster>("kubernetes", source.clone());
        let started = source.clone();
        env.try_on_start(move |runtime| started.start(runtime));
        env.before_serving(wait_for(source.clone(), config.startup_timeout));
        let fallthrough = config.common.fallthrough();
        let search = SearchLists::new(&Zones::new(&config.zones), env);
        let shortcut = Shortcut::new(config.search_shortcut, env);
        let plugin = Arc::new(Self { view, source, fallthrough, search, shortcut });
        env.offer::<dyn SearchPath>("kubernetes", plugin.clone());
        env.offer::<dyn search_path::Pods>("kubernetes", plugin.clone());
        env.offer::<dyn Describe>("kubernetes", plugin.clone());
        env.offer::<dyn Clusters>("kubernetes", plugin.clone());
        env.offer::<dyn Transfer>("kubernetes", plugin.clone());
        Ok(Some(Box::new(plugin)))
    }
}

fn view(config: &Config, env: &Env<'_>) -> Result<View, Mistakes> {
    let mut options = Options::new(Zones::new(&config.zones).names().to_vec());
    options.ttl = config.common.ttl;
    options.pods = config.pods;
    options.namespaces.clone_from(&config.namespaces);
    options.endpoints = config.endpoints;
    options.endpoint_pod_names = config.endpoint_pod_names;
    options.ignore_empty_services = config.ignore_empty_services;
    options.import_zones = Zones::new(&config.multicluster).names().to_vec();
    options.zonal = config.zonal;
    options.own_addresses = own_addresses(env);
    View::new(options).map_err(|wrong| match config.at {
        Some(at) => Mistake::error(Code::BadValue, at, wrong.to_string()).into(),
        None => Mistakes::new(),
    })
}

/// The addresses that this server has, or those that it is bound to. Those of the machine that a
/// rehearsal runs on are not those of the server that will be.
fn own_addresses(env: &Env<'_>) -> Vec<IpAddr> {
    let bound = env.site.addresses.iter().map(|address| address.ip());
    let bound: Vec<_> = bound.filter(|ip| !ip.is_loopback()).collect();
    if !bound.is_empty() || env.site.is_bound || env.process.rehearsal.is_some() {
        return bound;
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.iter().map(if_addrs::Interface::ip).filter(|ip| !is_link_local(*ip)).collect()
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// The cluster that the directive means; shared by all that mean the same.
fn source(config: &Config, env: &mut Env<'_>) -> Arc<Source> {
    let namespace_labels = config.namespace_labels.clone().unwrap_or_default();
    if let Some(directory) = env.process.manifests(config.common.manifests.as_deref()) {
        let details = details(config);
        let key = format!("{:?} {namespace_labels:?} {details:?}", config.labels);
        let manifests = Manifests::new(config.labels.clone(), namespace_labels);
        let model = Model::new(Kinds::all()).keeping(details);
        return Reading { directive: "kubernetes", directory: &directory, key, labels: &[] }
            .source(manifests, model, env);
    }
    let (server, host) = server(config, env);
    let mut settings = Settings::new(server);
    settings.labels = config.labels.clone();
    settings.namespace_labels = namespace_labels;
    settings.kinds = kinds(config);
    // Only who has installed the Multi-Cluster Services API has this resource.
    settings.optional = Kinds::none().with(Kind::ServiceImport);
    settings.details = details(config);
    if let Some(directory) = env.process.snapshots() {
        let clock = env.process.clock.clone();
        return env.keep(format!("{settings:?}"), || {
            Source::Stored(Stored::read(directory, &settings, &*clock))
        });
    }
    let programming = env.process.metrics.histogram(
        "coredns_kubernetes_dns_programming_duration_seconds",
        "Time from a change of a headless service until it is answered.",
        &PROGRAMMING_BOUNDS,
        "service_kind=\"headless_with_selector\"",
    );
    let key = format!("{settings:?}");
    let (process, directory) = (env.process, state_directory(env));
    let source = env.keep(key, || {
        let snapshot = directory.map(|directory| Snapshot::new(directory, &settings, process));
        Source::Watched(Watched::new(settings, programming, host).with_snapshot(snapshot))
    });
    env.process.metrics.collect(&source);
    let last = source.clone();
    env.before_ending(async move {
        let _ = tokio::task::spawn_blocking(move || last.write_snapshot()).await;
    });
    source
}

/// Where snapshots are; shared by all watches, as it is locked for this process.
fn state_directory(env: &mut Env<'_>) -> Option<Arc<StateDirectory>> {
    let path = env.process.state_dir.clone()?;
    Some(env.keep(format!("{path:?}"), || StateDirectory::new(path)))
}

/// What the directive needs to know of the cluster.
fn kinds(config: &Config) -> Kinds {
    let mut kinds = Kinds::none().with(Kind::Namespace).with(Kind::Service);
    if config.endpoints {
        kinds = kinds.with(Kind::EndpointSlice);
    }
    if config.pods == Pods::Verified {
        kinds = kinds.with(Kind::Pod);
    }
    if !config.multicluster.is_empty() {
        kinds = kinds.with(Kind::ServiceImport);
        if config.endpoints {
            kinds = kinds.with(Kind::ImportedSlice);
        }
    }
    kinds
}

/// What it needs to know of endpoints.
fn details(config: &Config) -> Details {
    Details { pod_names: config.endpoint_pod_names, zones: config.zonal }
}

/// Where the API server is, and what metrics call it.
fn server(config: &Config, env: &Env<'_>) -> (Server, String) {
    match &config.endpoint {
        Some(url) if config.common.kubeconfig.is_none() => {
            // CoreDNS takes an address without a scheme too.
            let url = if url.contains("://") { url.clone() } else { format!("http://{url}") };
            let host = url.split("://").nth(1).unwrap_or(&url).trim_end_matches('/').to_owned();
            let tls = config.tls_files(|file| env.path(file));
            let of_tls = tls.clone().map(|tls| [tls.certificate, tls.key, tls.ca]);
            env.files().note_secrets(of_tls.into_iter().flatten());
            (Server::Endpoint { url, tls }, host)
        }
        _ => config.common.server(env),
    }
}

impl Plugin for Kubernetes {
    fn query(&self, x: &mut Exchange) -> Step {
        let Some(cluster) = self.source.cluster() else { return self.without_cluster(x) };
        let found = cluster.answer(&self.view, &x.question, &mut x.reply);
        x.note(|| cluster.explain(&self.view, &x.question, found));
        match found {
            Found::NotHere => return Step::Next,
            Found::NoSuchName | Found::NotSynced if self.falls_through(x) => {
                x.note(|| "falls through".to_owned());
                x.clear_reply();
                return Step::Next;
            }
            Found::NotSynced => return x.fail(NOT_READY),
            Found::Refused => return x.fail(Failure::TransferRefused),
            Found::Answer | Found::Elsewhere => {}
            Found::NoData => cluster.push_soa(&self.view, &x.question, &mut x.reply),
            Found::NoSuchName => return self.absent(cluster, x),
        }
        x.authoritative();
        x.live();
        if found == Found::Elsewhere { Step::Chase } else { Step::Done }
    }

    fn names(&self, show: &mut dyn FnMut(Name<'_>, RecordType)) {
        if let Some(cluster) = self.source.cluster() {
            names::show(cluster, &self.view, show);
        }
    }

    fn response(&self, x: &mut Exchange) {
        if let Some(cluster) = self.source.cluster().filter(|_| x.recall().is_some()) {
            self.advised(cluster, x);
        }
    }
}

impl Clusters for Kubernetes {
    fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.source.cluster()
    }

    fn view(&self) -> &View {
        &self.view
    }
}

/// No denial before everything is known: a client would believe it.
const NOT_READY: Failure = Failure::NotReady { plugin: "kubernetes" };

/// What it says then.
const NOT_BEGUN: &str = "has not begun to watch the cluster";

impl Kubernetes {
    fn falls_through(&self, x: &Exchange) -> bool {
        self.fallthrough.as_ref().is_some_and(|zones| zones.cover(x.question.name()))
    }

    /// The watch has not begun yet.
    fn without_cluster(&self, x: &mut Exchange) -> Step {
        let ours = self.view.zone_of(x.question.name()).is_some();
        x.note(|| if ours { NOT_BEGUN.to_owned() } else { String::new() });
        if ours && !self.falls_through(x) { x.fail(NOT_READY) } else { Step::Next }
    }
}

/// 1 ms, doubled nineteen times.
static PROGRAMMING_BOUNDS: [f64; 20] = {
    let mut bounds = [0.001; 20];
    let mut index = 1;
    while index < bounds.len() {
        bounds[index] = bounds[index - 1] * 2.0;
        index += 1;
    }
    bounds
};
