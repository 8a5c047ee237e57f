//! What directives of clusters say alike: which cluster it is, and some of how it answers.

use super::{Files, Source};
use crate::env::Env;
use crate::metrics::labels;
use crate::zones::Zones;
use cluster::Model;
use cluster::manifests::Manifests;
use cluster::watch::Server;
use corefile::{Property, Repeats, kind};
use std::path::Path;
use std::sync::Arc;

/// What the properties of this file say.
#[derive(Debug)]
pub(crate) struct Common {
    /// The file and one of its contexts; none for the API server of the cluster that this runs in.
    pub(crate) kubeconfig: Option<(String, Option<String>)>,
    /// A directory, in place of any API server.
    pub(crate) manifests: Option<String>,
    /// In seconds.
    pub(crate) ttl: u32,
    /// The zones of names that the next plugin is asked for; none: it never is.
    pub(crate) fallthrough: Option<Vec<String>>,
}

/// The configuration of a directive that has them.
pub(crate) trait HasCommon {
    fn common(&mut self) -> &mut Common;
}

/// `kubeconfig`
pub(crate) const fn kubeconfig<C: HasCommon>(default: &'static str) -> Property<C> {
    Property {
        name: "kubeconfig",
        usage: "kubeconfig FILE [CONTEXT]",
        default,
        doc: "Takes API server and credentials from a kubeconfig file.",
        repeats: Repeats::LastWins,
        read: |config, args| {
            let (file, context) = (args.one(kind::path())?, args.optional(kind::text())?);
            config.common().kubeconfig = Some((file, context));
            Ok(())
        },
    }
}

/// `manifests`
pub(crate) const fn manifests<C: HasCommon>() -> Property<C> {
    Property {
        name: "manifests",
        usage: "manifests DIR",
        default: "",
        doc: "Takes the objects from the YAML and JSON files of a directory, without any API \
              server. Changes of the files are picked up.",
        repeats: Repeats::LastWins,
        read: |config, args| {
            config.common().manifests = Some(args.one(kind::path())?);
            Ok(())
        },
    }
}

/// `ttl`: what it is of differs.
pub(crate) const fn ttl<C: HasCommon>(default: &'static str, doc: &'static str) -> Property<C> {
    Property {
        name: "ttl",
        usage: "ttl SECONDS",
        default,
        doc,
        repeats: Repeats::LastWins,
        read: |config, args| {
            config.common().ttl = args.one(kind::seconds(0..=3600))?;
            Ok(())
        },
    }
}

/// `fallthrough`: when it happens differs.
pub(crate) const fn fallthrough<C: HasCommon>(doc: &'static str) -> Property<C> {
    Property {
        name: "fallthrough",
        usage: "fallthrough [ZONES...]",
        default: "",
        doc,
        repeats: Repeats::LastWins,
        read: |config, args| {
            config.common().fallthrough = Some(args.fallthrough());
            Ok(())
        },
    }
}

impl Common {
    /// What holds without any of the properties.
    pub(crate) fn new(ttl: u32) -> Self {
        Self { kubeconfig: None, manifests: None, ttl, fallthrough: None }
    }

    /// Where the API server is, and what metrics call it.
    pub(crate) fn server(&self, env: &Env<'_>) -> (Server, String) {
        let Some((file, context)) = &self.kubeconfig else {
            return (Server::InCluster, "in-cluster".to_owned());
        };
        let file = env.path(file);
        let host = file.display().to_string();
        env.files().note_secrets([file.clone()]);
        (Server::Kubeconfig { file, context: context.clone() }, host)
    }

    /// The zones of `fallthrough`.
    pub(crate) fn fallthrough(&self) -> Option<Zones> {
        self.fallthrough.as_deref().map(Zones::new)
    }
}

/// What a directory of manifests is read for.
pub(crate) struct Reading<'a> {
    /// Who reads it, for messages.
    pub(crate) directive: &'static str,
    /// The directory, as the directive has it.
    pub(crate) directory: &'a Path,
    /// Tells readings of the same directory apart that lead to something else.
    pub(crate) key: String,
    /// The labels of its metrics, beside the directory.
    pub(crate) labels: &'a [(&'a str, &'a str)],
}

impl Reading<'_> {
    /// The cluster of a directory of manifests; shared by all that mean the same.
    pub(crate) fn source(
        self,
        manifests: Manifests,
        model: Model,
        env: &mut Env<'_>,
    ) -> Arc<Source> {
        let directory = env.path(self.directory);
        let key = format!("{} {directory:?} {}", self.directive, self.key);
        let clock = env.process.clock.clone();
        let name = directory.display().to_string();
        let pairs: Vec<_> =
            self.labels.iter().copied().chain([("directory", name.as_str())]).collect();
        let mistakes = env.process.metrics.gauge(
            "rutter_kubernetes_manifest_mistakes",
            "What could not be used of a directory of manifests when it was read last.",
            &labels(&pairs),
        );
        let files = || Files::new(directory, manifests, model, clock, mistakes);
        let source = env.keep(key, || Source::Files(files()));
        if let Source::Files(files) = &*source {
            for wrong in files.read() {
                env.warn(self.directive, format!("manifests: {wrong}"));
            }
        }
        source
    }
}
