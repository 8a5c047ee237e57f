//! The search short-cut: a pod that looks for `www.example.com` asks for
//! `www.example.com.NS.svc.ZONE` first, and gets the answer at once.
//!
//! **What this is.** A name that the cluster denies, but that comes out of a search list, is asked for
//! as it stands, of the whole server as that client. If it exists, a CNAME leads to it; otherwise the
//! name stays denied, and the client goes on with its list as ever. It is `autopath` without the pods:
//! what is asked first carries the namespace.
//!
//! **What this is not.** Which names are meant outside of the cluster is decided in
//! [`cluster::Cluster::meant_outside`].

use super::Kubernetes;
use super::wasted::Wasted;
use crate::env::Env;
use crate::metrics::Counter;
use chain::{Exchange, Step};
use cluster::{Cluster, View};
use std::sync::Arc;
use wire::{Question, Rcode, RecordType, Section};

/// What happens to names of search lists.
pub(super) struct Shortcut {
    /// Whether to take it (`search_shortcut`); what is wasted is counted all the same.
    enabled: bool,
    taken: Arc<Counter>,
    wasted: Arc<Wasted>,
}

impl Shortcut {
    pub(super) fn new(enabled: bool, env: &mut Env<'_>) -> Self {
        let metrics = env.process.metrics.clone();
        let wasted = env.keep(String::new(), || Wasted::new(metrics.workers()));
        metrics.collect(&wasted);
        let taken = metrics.counter(
            "rutter_kubernetes_search_shortcuts_total",
            "Questions out of a search list that were answered with the name as it stands.",
            "",
        );
        Self { enabled, taken, wasted }
    }

    /// What is to be asked in place of a name that the cluster denies; none to deny it.
    fn question(&self, cluster: &Cluster, view: &View, x: &Exchange) -> Option<Question> {
        // Whoever looks for something else than a host uses no search list, or wants the denial.
        let is_for_hosts = x.question.rtype.is_address()
            || matches!(x.question.rtype, RecordType::HTTPS | RecordType::SVCB);
        // An alias is no search, and what this asks for itself never comes back here.
        if !self.enabled || !is_for_hosts || x.depth() > 0 {
            return None;
        }
        let searched = cluster.searched(view, x.question.name())?;
        let name = cluster.meant_outside(view, &searched)?;
        let mut question = Question::new(name.as_name(), x.question.rtype);
        question.class = x.question.class;
        Some(question)
    }

    fn count_denial(&self, cluster: &Cluster, view: &View, x: &Exchange) {
        if x.question.rtype.is_address()
            && let Some(searched) = view.searched(x.question.name())
        {
            self.wasted.count(searched.namespace, x.worker, || cluster.has(&searched));
        }
    }
}

impl Kubernetes {
    /// The name does not exist in the cluster.
    pub(super) fn absent(&self, cluster: &Cluster, x: &mut Exchange) -> Step {
        if let Some(question) = self.shortcut.question(cluster, &self.view, x)
            && x.consult(&question)
        {
            x.note(|| {
                format!("asks for {} itself, as the name comes of a search list", question.name())
            });
            x.remember(0);
            return Step::Consult;
        }
        self.deny(cluster, x);
        Step::Done
    }

    /// The whole server was asked for what `x` was looking for.
    pub(super) fn advised(&self, cluster: &Cluster, x: &mut Exchange) {
        // Also if it took too long: the client has other elements to try.
        x.clear_reply();
        let Some(target) = x.advice().filter(|advice| exists(advice)) else {
            x.note(|| "denies the name: what was searched for does not exist either".to_owned());
            return self.deny(cluster, x);
        };
        let target = target.request.asked;
        x.note(|| format!("takes the search short-cut to {target}"));
        let (owner, ttl) = (x.question.name().to_buf(), self.view.ttl());
        let cname = RecordType::CNAME;
        x.reply.body.push_name(Section::Answer, owner.as_name(), ttl, cname, target.as_name());
        x.absorb_advice();
        x.authoritative();
        // The CNAME ends when somebody makes the service.
        x.live();
        self.shortcut.taken.increment(x.worker);
    }

    fn deny(&self, cluster: &Cluster, x: &mut Exchange) {
        self.shortcut.count_denial(cluster, &self.view, x);
        x.reply.rcode = Rcode::NXDOMAIN;
        cluster.push_soa(&self.view, &x.question, &mut x.reply);
        x.authoritative();
        x.live();
    }
}

/// Whether the name was found, with records of the type or without: so that A and AAAA agree.
fn exists(advice: &Exchange) -> bool {
    advice.failure().is_none() && !advice.is_dropped() && advice.reply.rcode == Rcode::NOERROR
}
