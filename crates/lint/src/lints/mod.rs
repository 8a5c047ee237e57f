//! The table of all lints; a file for each family.

mod aaaa;
mod acl;
mod autopath;
mod forward;
mod memory;
mod missing;
mod never_asked;
mod order;
mod regex;
mod rewrite;
mod sub_path;
mod swallow;
mod unreachable;

use crate::Scene;
use crate::whole::Whole;
use corefile::{Code, Mistake, Mistakes, ServerBlock, Severity, Span};

/// A kind of trouble that a Corefile can hold although it loads.
#[derive(Debug)]
pub struct Lint {
    /// Its name for programs, and that of its page.
    pub code: Code,
    /// How bad it is: an error surely leaves names without answers.
    pub severity: Severity,
    /// Looks for it. Lints of one family are found by one function, which the first has.
    find: Option<Find>,
}

type Find = fn(&Whole<'_>, &mut Mistakes);

impl Lint {
    const fn error(code: Code) -> Self {
        Self { code, severity: Severity::Error, find: None }
    }

    const fn warning(code: Code) -> Self {
        Self { code, severity: Severity::Warning, find: None }
    }

    const fn by(self, find: Find) -> Self {
        Self { find: Some(find), ..self }
    }

    /// A finding of this lint.
    fn at(&self, at: Span, message: impl Into<String>) -> Mistake {
        Mistake { severity: self.severity, ..Mistake::error(self.code, at, message) }
    }
}

/// Every lint.
pub const LINTS: &[&Lint] = &[
    &forward::TO_SELF,
    &forward::TO_CLUSTER,
    &swallow::DEAD,
    &swallow::PART,
    &never_asked::HIDDEN,
    &never_asked::SHADOWED,
    &never_asked::OUTSIDE,
    &order::DIFFERS,
    &acl::BYPASSED,
    &autopath::UNVERIFIED,
    &aaaa::DENIED,
    &missing::PLUGINS,
    &sub_path::MOUNTED,
    &memory::ABOVE,
    &memory::CACHE,
    &rewrite::NO_ANSWER,
    &regex::NEVER,
    &unreachable::RULE,
    &unreachable::FORWARD,
];

/// Everything that will hurt in a configuration, which may have other mistakes as well.
pub fn lint(blocks: &[ServerBlock], scene: &Scene<'_>) -> Mistakes {
    let whole = Whole::new(blocks, scene);
    let mut mistakes = Mistakes::new();
    for find in LINTS.iter().filter_map(|lint| lint.find) {
        find(&whole, &mut mistakes);
    }
    mistakes
}

/// What a test finds in a Corefile: slugs with lines.
#[cfg(test)]
pub(crate) fn found(corefile: &str) -> Vec<String> {
    found_at(corefile, |_| {})
}

/// The same, somewhere of which more is known.
#[cfg(test)]
pub(crate) fn found_at(corefile: &str, more: impl FnOnce(&mut Scene<'_>)) -> Vec<String> {
    let order = [
        "reload",
        "bind",
        "ready",
        "health",
        "prometheus",
        "errors",
        "log",
        "loadbalance",
        "rewrite",
        "autopath",
        "acl",
        "cache",
        "template",
        "hosts",
        "k8s_external",
        "kubernetes",
        "file",
        "auto",
        "loop",
        "forward",
    ];
    let mut scene = Scene::unknown(53, &order);
    more(&mut scene);
    let parsed = corefile::parse("Corefile", corefile.as_bytes(), &());
    let mistakes = lint(&parsed.blocks, &scene);
    let shown = |mistake: &Mistake| {
        let line = parsed.sources.position(mistake.at).line;
        format!("{} {line}", mistake.code.slug())
    };
    mistakes.iter().map(shown).filter(|found| !found.starts_with("missing-plugin")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// kubeadm's, of Kubernetes 1.33.
    const KUBEADM: &str = "\
.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
";

    #[test]
    fn what_everybody_runs_is_fine() {
        let parsed = corefile::parse("Corefile", KUBEADM.as_bytes(), &());
        let order = ["errors", "cache", "kubernetes", "loop", "forward"];
        let scene = Scene::unknown(53, &order);
        let mistakes = lint(&parsed.blocks, &scene);
        assert!(mistakes.is_empty(), "{mistakes:?}");
    }

    #[test]
    fn a_lint_has_a_name_and_every_family_a_function() {
        let mut slugs: Vec<_> = LINTS.iter().map(|lint| lint.code.slug()).collect();
        slugs.sort_unstable();
        slugs.dedup();
        assert_eq!(slugs.len(), LINTS.len());
        let slug = |c: char| c.is_ascii_lowercase() || c == '-';
        assert!(slugs.iter().all(|name| name.chars().all(slug)));
        assert!(LINTS.iter().all(|lint| crate::page(lint.code.slug()).is_some()));
    }

    proptest! {
        #[test]
        fn no_configuration_is_too_odd(words in proptest::collection::vec(
            prop_oneof![
                Just("{\n"), Just("\n"), Just("\n}\n"), Just("."), Just("a.b"), Just("forward"),
                Just("rewrite"), Just("name"), Just("regex"), Just("suffix"), Just("^é$"),
                Just("\\"), Just("hosts"), Just("fallthrough"), Just("template"), Just("IN"),
                Just("AAAA"), Just("match"), Just("acl"), Just("kubernetes"), Just("127.0.0.1"),
                Just("bind"), Just("lo"), Just("cache"), Just("success"), Just("cluster.local"),
                Just("ttl"), Just("autopath"), Just("@kubernetes"), Just("file"), Just("continue"),
            ], 0..60)) {
            found(&words.join(" "));
        }
    }
}
