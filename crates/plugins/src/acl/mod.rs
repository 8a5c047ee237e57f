//! `acl`: who may ask what.
//!
//! Start with [`Acl::query`]; the rules are read in [`config`], sets of networks are [`networks`].

mod config;
mod networks;

use crate::directive::{Built, Directive};
use crate::env::Env;
use crate::metrics::{Counter, labels};
use chain::{Exchange, Failure, Plugin, Step};
use config::{Action, Config, Rule};
use corefile::{Accepted, Block, Mistakes};
use std::sync::Arc;
use wire::{ExtendedError, OPT_EXTENDED_ERROR};

/// The directive and the plugin.
pub(crate) struct Acl {
    rules: Box<[Rule]>,
    /// What was done, for each server of the block.
    counted: Box<[Counted]>,
}

struct Counted {
    server: u16,
    allowed: Arc<Counter>,
    /// For each rule, and then for each of its zones.
    refused: Box<[Box<[Refused]>]>,
}

struct Refused {
    blocked: Arc<Counter>,
    filtered: Arc<Counter>,
    dropped: Arc<Counter>,
}

impl Directive for Acl {
    const NAME: &'static str = "acl";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        Config::read(block)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        let servers = env.site.servers.iter();
        let counted = servers.map(|server| Counted::new(*server, &config.rules, env)).collect();
        Ok(Some(Box::new(Self { rules: config.rules.into(), counted })))
    }
}

impl Plugin for Acl {
    fn query(&self, x: &mut Exchange) -> Step {
        let counted = self.counted.iter().find(|counted| counted.server == x.server);
        let (action, refused) = match self.verdict(x) {
            Some((action, rule, zone)) => {
                (action, counted.map(|counted| &counted.refused[rule][zone]))
            }
            None => (Action::Allow, None),
        };
        x.note(|| self.note(x));
        let worker = x.worker;
        match (action, refused) {
            (Action::Allow, _) => {
                if let Some(counted) = counted {
                    counted.allowed.increment(worker);
                }
                Step::Next
            }
            (Action::Block, refused) => {
                refused.inspect(|refused| refused.blocked.increment(worker));
                x.fail(Failure::Blocked)
            }
            (Action::Filter, refused) => {
                refused.inspect(|refused| refused.filtered.increment(worker));
                let filtered = ExtendedError::FILTERED.0.to_be_bytes();
                x.reply.options.push(OPT_EXTENDED_ERROR, &filtered);
                Step::Done
            }
            (Action::Drop, refused) => {
                refused.inspect(|refused| refused.dropped.increment(worker));
                Step::Drop
            }
        }
    }
}

impl Acl {
    /// What the rules say to the client, and which.
    fn note(&self, x: &Exchange) -> String {
        let client = x.client.peer.ip();
        let Some((action, at, _)) = self.verdict(x) else {
            return format!("has no rule for this question of {client}");
        };
        let does = match action {
            Action::Allow => "allows",
            Action::Block => "blocks",
            Action::Filter => "filters",
            Action::Drop => "drops",
        };
        format!("{does} {client} by its rule {} of {}", at + 1, self.rules.len())
    }

    /// What the first policy that fits says, with its rule and the rule's zone; none if none fits.
    ///
    /// As in CoreDNS, `allow` ends it all: rules behind it are not asked any more.
    fn verdict(&self, x: &Exchange) -> Option<(Action, usize, usize)> {
        let (name, rtype) = (x.question.name(), x.question.rtype);
        let client = x.client.peer.ip();
        self.rules.iter().enumerate().find_map(|(at, rule)| {
            let zone = rule.zone_of(name)?;
            let policy = rule.policies.iter().find(|policy| policy.covers(rtype, client))?;
            Some((policy.action, at, zone))
        })
    }
}

impl Counted {
    fn new(server: u16, rules: &[Rule], env: &Env<'_>) -> Self {
        let metrics = &env.process.metrics;
        let name = &*env.site.server_names[usize::from(server)];
        let allowed = metrics.counter(
            "coredns_acl_allowed_requests_total",
            "Questions that `acl` let pass.",
            &labels(&[("server", name), ("view", "")]),
        );
        let of_zone = |zone: &str| {
            let labels = labels(&[("server", name), ("view", ""), ("zone", zone)]);
            let counter = |metric, help| metrics.counter(metric, help, &labels);
            Refused {
                blocked: counter(
                    "coredns_acl_blocked_requests_total",
                    "Questions that `acl` answered REFUSED.",
                ),
                filtered: counter(
                    "coredns_acl_filtered_requests_total",
                    "Questions that `acl` answered with nothing.",
                ),
                dropped: counter(
                    "coredns_acl_dropped_requests_total",
                    "Questions that `acl` did not answer.",
                ),
            }
        };
        let of_rule =
            |rule: &Rule| rule.zones.iter().map(|zone| of_zone(&zone.to_string())).collect();
        Self { server, allowed, refused: rules.iter().map(of_rule).collect() }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Rig, answers};
    use wire::{OPT_EXTENDED_ERROR, Rcode};

    /// What becomes of a question from an address: `answered`, the code and extended error, or
    /// `silence`.
    fn outcome(rig: &Rig, client: &str, question: &str) -> String {
        let mut x = chain::Exchange::new();
        let replied = rig.ask_into(&mut x, question, |asker| {
            asker.client.peer = (client.parse::<std::net::IpAddr>().unwrap(), 4000).into();
        });
        match x.reply.options.find(OPT_EXTENDED_ERROR) {
            _ if !replied => "silence".into(),
            Some([0, code]) => {
                assert!(answers(&x).is_empty());
                format!("{} {code}", x.reply.rcode)
            }
            _ => {
                assert_eq!(x.reply.rcode, Rcode::NOERROR);
                "answered".into()
            }
        }
    }

    #[test]
    fn the_first_policy_that_fits_decides() {
        let rig = Rig::new(
            ". {\n acl one.test {\n allow type A AAAA net 10.0.0.1\n filter type AAAA TXT\n \
             drop type * net 10.0.1.0/24 2001:db8::/32\n block net 10.0.0.0/16\n }\n \
             acl {\n BLOCK Type MX Net *\n }\n canned\n}",
        );
        for (client, question, expected) in [
            ("10.0.0.1", "a.one.test A", "answered"),
            ("10.0.0.1", "a.one.test MX", "REFUSED 15"),
            ("10.0.0.2", "a.one.test A", "REFUSED 15"),
            ("10.0.0.2", "a.one.test AAAA", "NOERROR 17"),
            ("10.0.1.2", "one.test A", "silence"),
            ("2001:db8::1", "one.test A", "silence"),
            ("192.0.2.1", "one.test A", "answered"),
            ("192.0.2.1", "one.test MX", "REFUSED 15"),
            ("10.0.1.2", "two.test A", "answered"),
            ("::1", "two.test MX", "REFUSED 15"),
        ] {
            assert_eq!(outcome(&rig, client, question), expected, "{client} {question}");
        }
    }

    #[test]
    fn who_is_allowed_early_is_not_asked_again() {
        let rig =
            Rig::new(". {\n acl {\n allow net 10.0.0.0/8\n }\n acl {\n block\n }\n canned\n}");
        assert_eq!(outcome(&rig, "10.1.1.1", "a.test A"), "answered");
        assert_eq!(outcome(&rig, "11.1.1.1", "a.test A"), "REFUSED 15");
    }

    #[test]
    fn what_was_done_is_counted() {
        let rig = Rig::new(
            "test x.test {\n acl {\n block type MX\n filter type TXT\n drop type NS\n }\n canned\n}",
        );
        for question in ["a.test MX", "a.x.test MX", "a.x.test TXT", "test NS", "test A", "test A"]
        {
            rig.ask(question);
        }
        let page = rig.metrics();
        for sample in [
            "coredns_acl_allowed_requests_total{server=\"dns://:53\",view=\"\"} 2",
            "coredns_acl_blocked_requests_total{server=\"dns://:53\",view=\"\",zone=\"test.\"} 1",
            "coredns_acl_blocked_requests_total{server=\"dns://:53\",view=\"\",zone=\"x.test.\"} 1",
            "coredns_acl_filtered_requests_total{server=\"dns://:53\",view=\"\",zone=\"x.test.\"} 1",
            "coredns_acl_dropped_requests_total{server=\"dns://:53\",view=\"\",zone=\"test.\"} 1",
        ] {
            assert!(page.iter().any(|line| line == sample), "{sample}");
        }
    }
}
