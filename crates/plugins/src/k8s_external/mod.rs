//! `k8s_external`: the services of a cluster by the addresses that they have outside of it.
//!
//! **What this is.** The directive, and the plugin that asks the cluster of the block's `kubernetes`.
//!
//! **What this is not.** It watches nothing and knows no record:
//! [`cluster::Cluster::answer_external`] does.

mod config;

use crate::clusters::Clusters;
use crate::directive::{Built, Directive};
use crate::env::{Env, Whole};
use crate::zones::Zones;
use chain::{Exchange, Failure, Plugin, Step};
use cluster::{Cluster, ExternalOptions, ExternalView, Found};
use config::Config;
use corefile::{Accepted, Block, Code, Mistake, Mistakes};
use std::sync::{Arc, OnceLock};
use wire::{Name, Rcode, RecordType};

/// The directive and the plugin.
pub(crate) struct External {
    zones: Zones,
    fallthrough: Option<Zones>,
    /// Known once `kubernetes`, which comes later in the order, is there too.
    seen: OnceLock<Seen>,
}

/// A cluster, and how it is seen from outside.
struct Seen {
    clusters: Arc<dyn Clusters>,
    view: ExternalView,
}

impl Directive for External {
    const NAME: &'static str = "k8s_external";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        Config::read(block)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        if !env.site.directives.contains(&"kubernetes") {
            let message = "`k8s_external` needs `kubernetes` in the same server block";
            let mistake = Mistake::error(Code::Missing, config.at, message);
            return Err(mistake.help("add `kubernetes`, whose services it answers for").into());
        }
        let plugin = Arc::new(Self {
            zones: config.zones,
            fallthrough: config.fallthrough.as_deref().map(Zones::new),
            seen: OnceLock::new(),
        });
        let (started, whole) = (plugin.clone(), env.whole());
        env.try_on_start(move |_| started.look(&config.options, whole.get()));
        Ok(Some(Box::new(plugin)))
    }
}

impl External {
    /// Finds the cluster among the other plugins.
    fn look(&self, options: &ExternalOptions, whole: Option<&Whole>) -> Result<(), String> {
        let clusters = whole.and_then(|whole| whole.capabilities.of::<dyn Clusters>().next());
        let Some((_, clusters)) = clusters else {
            return Err("plugin/k8s_external: nobody in the server block knows a cluster".into());
        };
        let view = ExternalView::new(options, clusters.view())
            .map_err(|wrong| format!("plugin/k8s_external: {wrong}"))?;
        self.seen.get_or_init(|| Seen { clusters: clusters.clone(), view });
        Ok(())
    }

    /// The cluster and its view, as soon as the watch has begun.
    fn cluster(&self) -> Option<(&Cluster, &ExternalView)> {
        let seen = self.seen.get()?;
        Some((seen.clusters.cluster()?, &seen.view))
    }

    fn falls_through(&self, x: &Exchange) -> bool {
        self.fallthrough.as_ref().is_some_and(|zones| zones.cover(x.question.name()))
    }

    /// The watch has not begun yet.
    fn without_cluster(&self, x: &mut Exchange) -> Step {
        let is_ours = self.zones.cover(x.question.name());
        if is_ours && !self.falls_through(x) { x.fail(NOT_READY) } else { Step::Next }
    }
}

impl Plugin for External {
    fn names(&self, show: &mut dyn FnMut(Name<'_>, RecordType)) {
        let Some((cluster, view)) = self.cluster() else { return };
        for zone in self.zones.names() {
            cluster.visit_external(view, zone.as_name(), &mut |record| {
                show(record.owner, record.rtype);
            });
        }
    }

    fn query(&self, x: &mut Exchange) -> Step {
        let Some((cluster, view)) = self.cluster() else { return self.without_cluster(x) };
        let found = cluster.answer_external(view, &x.question, &mut x.reply);
        x.note(|| {
            match found {
                Found::Answer | Found::Elsewhere => "has the service's way in from outside",
                Found::NoData => "has the name, but nothing of the type",
                Found::NoSuchName => "has no service with a way in from outside by that name",
                Found::NotSynced => "cannot tell yet: not all of the cluster is known",
                Found::Refused => "hands out no zone this way",
                Found::NotHere => "",
            }
            .to_owned()
        });
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
            Found::NoData => cluster.push_external_soa(view, &x.question, &mut x.reply),
            Found::NoSuchName => {
                x.reply.rcode = Rcode::NXDOMAIN;
                cluster.push_external_soa(view, &x.question, &mut x.reply);
            }
        }
        x.authoritative();
        x.live();
        if found == Found::Elsewhere { Step::Chase } else { Step::Done }
    }
}

/// No denial before everything is known: a client would believe it. CoreDNS denies then.
const NOT_READY: Failure = Failure::NotReady { plugin: "k8s_external" };

#[cfg(test)]
mod tests {
    use crate::testing::{Rig, mistakes};
    use wire::Rcode;

    #[test]
    fn without_a_cluster_it_is_a_mistake() {
        let told = mistakes("example.org {\n k8s_external\n}\n. {\n kubernetes cluster.local\n}");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("needs `kubernetes` in the same server block"), "{told:?}");
    }

    #[test]
    fn before_the_watch_begins_nothing_is_known() {
        let rig = Rig::new(
            ". {\n k8s_external a.t b.t {\n fallthrough b.t\n }\n kubernetes c.t\n canned {\n rcode REFUSED\n }\n}",
        );
        for (question, rcode) in [
            ("web.shop.a.t A", Rcode::SERVFAIL),
            ("web.shop.b.t A", Rcode::REFUSED),
            ("web.shop.d.t A", Rcode::REFUSED),
        ] {
            assert_eq!(rig.ask(question).reply.rcode, rcode, "{question}");
        }
    }
}
