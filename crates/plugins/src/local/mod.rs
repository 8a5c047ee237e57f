//! `local`: answers for names that concern the asking machine only (RFC 6303, RFC 6761).

use crate::directive::{Built, Directive};
use crate::env::Env;
use crate::metrics::Counter;
use chain::{Exchange, Plugin, Step};
use corefile::{Accepted, Block, Mistakes, Property, Repeats, Syntax, kind};
use std::sync::Arc;
use wire::{Class, Name, NameBuf, Rcode, RecordType, Section};

/// The directive and the plugin.
pub(crate) struct Local {
    localhost: NameBuf,
    /// `root.localhost`, whom nobody can write to.
    mailbox: NameBuf,
    loopback: NameBuf,
    zones: [NameBuf; 3],
    prefix: bool,
    intercepted: Arc<Counter>,
}

/// What `local` says.
pub(crate) struct Config {
    prefix: bool,
}

const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "local",
        usage: "local",
        default: "",
        doc: "Answers for `localhost` and for the reverse zones of networks that are nowhere else.",
        repeats: Repeats::LastWins,
        read: |_, _| Ok(()),
    },
    properties: &[Property {
        name: "localhost_prefix",
        usage: "localhost_prefix on|off",
        default: "on",
        doc: "Whether names such as `localhost.example.org`, which search lists make, mean \
              `localhost` too.",
        repeats: Repeats::LastWins,
        read: |config, args| {
            config.prefix = args.one(kind::keyword(&[("on", true), ("off", false)]))?;
            Ok(())
        },
    }],
    otherwise: None,
};

/// A week.
const TTL: u32 = 604_800;

impl Directive for Local {
    const NAME: &'static str = "local";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        let mut config = Config { prefix: true };
        SYNTAX.read(block, &mut config).accept(config)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        let intercepted = env.process.metrics.counter(
            "coredns_local_localhost_requests_total",
            "Questions for names at which a search list or a program has put `localhost`.",
            "",
        );
        Ok(Some(Box::new(Self::new(config.prefix, intercepted))))
    }
}

impl Plugin for Local {
    fn query(&self, x: &mut Exchange) -> Step {
        if x.question.class != Class::IN {
            return Step::Next;
        }
        let name = x.question.name();
        let localhost = self.localhost.as_name();
        if name == localhost {
            x.note(|| "has the name itself".to_owned());
            return self.answer_localhost(x, true);
        }
        let prefixed = self.prefix && name.first_label() == localhost.first_label();
        if prefixed || name.is_at_or_below(localhost) {
            tracing::debug!(
                target: "plugin/local",
                "Intercepting localhost query for {name} {}, from {}",
                x.question.rtype,
                x.client.peer.ip()
            );
            self.intercepted.increment(x.worker);
            x.note(|| "takes the name for localhost".to_owned());
            return self.answer_localhost(x, false);
        }
        match self.zones.iter().find(|zone| name.is_at_or_below(zone.as_name())) {
            Some(zone) => {
                x.note(|| format!("has the zone {zone}"));
                self.answer_reverse(x, zone.as_name())
            }
            None => Step::Next,
        }
    }

    fn names(&self, show: &mut dyn FnMut(Name<'_>, RecordType)) {
        for name in std::iter::once(&self.localhost).chain(&self.zones) {
            show(name.as_name(), RecordType::A);
        }
    }
}

impl Local {
    fn new(prefix: bool, intercepted: Arc<Counter>) -> Self {
        let root = Name::ROOT;
        // These are all names.
        let child = |label: &str, parent: Name<'_>| {
            NameBuf::child(label.as_bytes(), parent).unwrap_or(NameBuf::root())
        };
        let localhost = child("localhost", root);
        let reverse = child("in-addr", child("arpa", root).as_name());
        let network = |label| child(label, reverse.as_name());
        let zones = [network("0"), network("127"), network("255")];
        let host = child("0", child("0", zones[1].as_name()).as_name());
        Self {
            mailbox: child("root", localhost.as_name()),
            loopback: child("1", host.as_name()),
            localhost,
            zones,
            prefix,
            intercepted,
        }
    }

    /// The loopback addresses. The zone's own records exist at its apex only.
    fn answer_localhost(&self, x: &mut Exchange, is_apex: bool) -> Step {
        let owner = x.question.name();
        let body = &mut x.reply.body;
        match x.question.rtype {
            RecordType::A => {
                body.push(Section::Answer, owner, TTL, RecordType::A, &[127, 0, 0, 1]);
            }
            RecordType::AAAA => {
                let loopback = std::net::Ipv6Addr::LOCALHOST.octets();
                body.push(Section::Answer, owner, TTL, RecordType::AAAA, &loopback);
            }
            _ if is_apex => return self.answer_apex(x),
            _ => {
                let owner = x.question.name().to_buf();
                self.push_soa(x, Section::Authority, owner.as_name());
            }
        }
        Step::Done
    }

    fn answer_reverse(&self, x: &mut Exchange, zone: Name<'_>) -> Step {
        if x.question.name() == zone {
            return self.answer_apex(x);
        }
        let is_loopback = x.question.name() == self.loopback.as_name();
        if is_loopback && x.question.rtype == RecordType::PTR {
            let owner = x.question.name();
            let target = self.localhost.as_name();
            x.reply.body.push_name(Section::Answer, owner, TTL, RecordType::PTR, target);
            return Step::Done;
        }
        if !is_loopback {
            x.reply.rcode = Rcode::NXDOMAIN;
        }
        self.push_soa(x, Section::Authority, zone);
        Step::Done
    }

    /// SOA and NS of a zone, whose name is the question's.
    fn answer_apex(&self, x: &mut Exchange) -> Step {
        let zone = x.question.name().to_buf();
        let zone = zone.as_name();
        match x.question.rtype {
            RecordType::SOA => self.push_soa(x, Section::Answer, zone),
            RecordType::NS => {
                let target = self.localhost.as_name();
                x.reply.body.push_name(Section::Answer, zone, TTL, RecordType::NS, target);
            }
            _ => self.push_soa(x, Section::Authority, zone),
        }
        Step::Done
    }

    fn push_soa(&self, x: &mut Exchange, section: Section, zone: Name<'_>) {
        let soa = RecordType::SOA;
        x.reply.body.push_with(section, zone, TTL, soa, Class::IN, |octets| {
            octets.extend_from_slice(self.localhost.octets());
            octets.extend_from_slice(self.mailbox.octets());
            // Serial, refresh, retry, expire: nobody transfers this. Then how long a denial holds.
            for number in [1, 0, 0, 0, TTL] {
                octets.extend_from_slice(&number.to_be_bytes());
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Asker, Rig, answers};

    /// The answer, or the code with the owner of the SOA, or who else answers.
    fn ask(rig: &Rig, question: &str) -> String {
        let x = rig.ask(question);
        if let Some((plugin, _)) = x.answered_by().filter(|(plugin, _)| *plugin != "local") {
            return plugin.into();
        }
        assert!(!x.reply.flags.has(wire::Flags::AA));
        let body = &x.reply.body;
        match body.authority.first() {
            Some(soa) => format!("{} {} {}", x.reply.rcode, body.owner(soa), soa.rtype),
            None => answers(&x).join(" "),
        }
    }

    #[test]
    fn localhost_and_networks_that_are_nowhere() {
        assert_eq!(SYNTAX.faults(), Vec::<String>::new());
        let rig = Rig::new(". {\n local\n canned\n}");
        for (question, expected) in [
            ("LOCALHOST A", "localhost. 604800 A 127.0.0.1"),
            ("localhost AAAA", "localhost. 604800 AAAA ::1"),
            ("localhost MX", "NOERROR localhost. SOA"),
            ("localhost NS", "localhost. 604800 NS localhost."),
            ("localhost SOA", "localhost. 604800 SOA localhost."),
            ("a.b.localhost A", "a.b.localhost. 604800 A 127.0.0.1"),
            ("a.localhost SOA", "NOERROR a.localhost. SOA"),
            ("localhost.a.test AAAA", "localhost.a.test. 604800 AAAA ::1"),
            ("localhost.a.test MX", "NOERROR localhost.a.test. SOA"),
            ("localhosts.a.test A", "canned"),
            ("1.0.0.127.in-addr.arpa PTR", "1.0.0.127.in-addr.arpa. 604800 PTR localhost."),
            ("1.0.0.127.in-addr.arpa A", "NOERROR 127.in-addr.arpa. SOA"),
            ("2.0.0.127.in-addr.arpa PTR", "NXDOMAIN 127.in-addr.arpa. SOA"),
            ("255.in-addr.arpa A", "NOERROR 255.in-addr.arpa. SOA"),
            ("0.in-addr.arpa NS", "0.in-addr.arpa. 604800 NS localhost."),
            ("1.in-addr.arpa A", "canned"),
        ] {
            assert_eq!(ask(&rig, question), expected, "{question}");
        }
        let page = rig.metrics();
        assert!(page.iter().any(|line| line == "coredns_local_localhost_requests_total 4"));
        let chaos = |asker: &mut Asker| asker.class = Class::CH;
        assert!(rig.ask_as("localhost A", chaos).reply.body.is_empty());
    }

    #[test]
    fn the_prefix_can_be_switched_off() {
        let rig = Rig::new(". {\n local {\n localhost_prefix off\n }\n canned\n}");
        assert_eq!(ask(&rig, "localhost.a.test A"), "canned");
        assert_eq!(ask(&rig, "a.localhost A"), "a.localhost. 604800 A 127.0.0.1");
        let found = crate::testing::mistakes(". {\n local {\n localhost_prefix no\n }\n}");
        assert!(found[0].contains("must be `on` or `off`"), "{found:?}");
    }
}
