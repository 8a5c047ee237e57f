//! `loadbalance`: spreads clients over the addresses of a name.
//!
//! Clients use the first address that they get, so its place is what matters. Start with
//! [`LoadBalance::response`]; what stands where is [`mod@arrange`], the file of weights [`weights`].

mod arrange;
mod config;
mod weights;

use crate::dice::Dice;
use crate::directive::{Built, Directive};
use crate::env::{Env, Tasks};
use crate::go_duration;
use arrange::{Group, arrange};
use chain::{Exchange, Plugin};
use config::{Config, Policy};
use corefile::kind::Network;
use corefile::{Accepted, Block, Code, Mistake, Mistakes};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use weights::{Source, Weights};
use wire::{Body, Rcode, RecordType, Section};

/// The directive and the plugin.
pub(crate) struct LoadBalance {
    order: Order,
    dice: Dice,
    tasks: Tasks,
}

/// Which address comes first.
enum Order {
    /// Any; then those in the first of these networks, the second, and so on.
    Shuffled(Vec<Network>),
    /// One by its weight.
    Weighted(Arc<Source>),
}

impl Directive for LoadBalance {
    const NAME: &'static str = "loadbalance";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        Config::read(block)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        let dice = Dice::new(env.process.metrics.workers());
        let tasks = Tasks::default();
        match config.policy {
            Policy::RoundRobin => {
                let order = Order::Shuffled(config.prefer);
                Ok(Some(Box::new(Self { order, dice, tasks })))
            }
            Policy::Weighted { ref file, at } => {
                let path = env.path(file);
                let weights = match first_weights(&path, config.reload, env) {
                    Ok(weights) => weights,
                    Err(why) => return Err(Mistake::error(Code::BadValue, at, why).into()),
                };
                let order = Order::Weighted(Arc::new(Source::new(path, weights, env.files())));
                let plugin = Arc::new(Self { order, dice, tasks });
                let watching = plugin.clone();
                env.on_start(move |runtime| watching.watch(runtime, config.reload));
                Ok(Some(Box::new(plugin)))
            }
        }
    }
}

/// The weights at the start: a file that is not there may come later, if anybody looks again.
fn first_weights(path: &Path, reload: Duration, env: &mut Env<'_>) -> Result<Weights, String> {
    let shown = path.display();
    match env.read_file(path) {
        Ok(octets) => Weights::read(octets).map_err(|why| format!("weight file {shown}: {why}")),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !reload.is_zero() => {
            let again = go_duration(reload);
            let warning = format!("Failed to open weight file {shown}. Will try again in {again}");
            env.warn("loadbalance", warning);
            Ok(Weights::default())
        }
        Err(error) => Err(format!("weight file {shown} cannot be read: {error}")),
    }
}

impl Plugin for LoadBalance {
    fn response(&self, x: &mut Exchange) {
        let rtype = x.question.rtype;
        if x.reply.rcode != Rcode::NOERROR || rtype.is_transfer() {
            return;
        }
        x.note(|| self.note(&x.reply.body));
        let body = &mut x.reply.body;
        match &self.order {
            Order::Shuffled(prefer) => {
                for section in Section::ALL {
                    self.shuffle(x.worker, body, section);
                }
                if !prefer.is_empty() {
                    arrange::prefer(body, Section::Answer, prefer);
                    arrange::prefer(body, Section::Additional, prefer);
                }
            }
            // CoreDNS: whoever asks for anything else does not connect to these addresses now.
            Order::Weighted(source) if rtype.is_address() || rtype == RecordType::SRV => {
                let weights = source.weights();
                self.put_one_first(x.worker, body, Section::Answer, &weights);
                self.put_one_first(x.worker, body, Section::Additional, &weights);
            }
            Order::Weighted(_) => {}
        }
    }
}

impl LoadBalance {
    /// Nothing if there is nothing to put into order.
    fn note(&self, body: &Body) -> String {
        let addresses = body.answer.iter().filter(|record| record.rtype.is_address());
        let text = match &self.order {
            _ if addresses.count() < 2 => "",
            Order::Shuffled(prefer) if prefer.is_empty() => "shuffles the addresses",
            Order::Shuffled(_) => "shuffles the addresses, the preferred in front",
            Order::Weighted(_) => "puts an address first that the weights choose",
        };
        text.to_owned()
    }

    /// CNAMEs come first, as they were; addresses and mail servers among themselves in any order.
    fn shuffle(&self, worker: u16, body: &mut Body, section: Section) {
        let records = body.section_mut(section);
        if records.len() < 2 {
            return;
        }
        let groups = arrange(records, [Group::Cname, Group::Other, Group::Address, Group::Mx]);
        self.dice.shuffle(worker, &mut records[groups[2].clone()]);
        self.dice.shuffle(worker, &mut records[groups[3].clone()]);
    }

    /// Exchanges the first address for one that the weights choose.
    fn put_one_first(&self, worker: u16, body: &mut Body, section: Section, weights: &Weights) {
        if !body.section(section).iter().any(|record| record.rtype.is_address()) {
            return;
        }
        let order = [Group::Cname, Group::Other, Group::Address, Group::Mx];
        let addresses = arrange(body.section_mut(section), order)[2].clone();
        let weight = |at: usize| {
            let record = &body.section(section)[at];
            usize::from(weights.of(body.owner(record), body.rdata(record)))
        };
        let sum = addresses.clone().map(weight).sum();
        let mut drawn = self.dice.below(worker, sum);
        for at in addresses.clone() {
            match drawn.checked_sub(weight(at)) {
                Some(rest) => drawn = rest,
                None => return body.section_mut(section).swap(addresses.start, at),
            }
        }
    }

    fn watch(&self, runtime: &Handle, every: Duration) {
        if let Order::Weighted(source) = &self.order
            && !every.is_zero()
            && source.can_change()
        {
            self.tasks.spawn(runtime, weights::watch(source.clone(), every));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Rig, answers, logged, mistakes};
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    /// The last words of the answers: addresses and targets.
    fn values(rig: &Rig, question: &str) -> Vec<String> {
        let answers = answers(&rig.ask(question));
        answers.iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn addresses_and_mail_servers_are_shuffled_behind_the_rest() {
        let rig = Rig::new(
            "test {\n loadbalance\n canned {\n \
             answer t A 192.0.2.1\n answer t MX m1\n answer x TXT 1\n answer w CNAME t\n \
             answer t A 192.0.2.2\n answer x TXT 2\n answer t MX m2\n answer u CNAME w\n }\n}",
        );
        let mut orders = BTreeSet::new();
        for _ in 0..200 {
            orders.insert(values(&rig, "w.test A").join(" "));
        }
        let expected = [
            "t. w. 1 2 192.0.2.1 192.0.2.2 m1. m2.",
            "t. w. 1 2 192.0.2.1 192.0.2.2 m2. m1.",
            "t. w. 1 2 192.0.2.2 192.0.2.1 m1. m2.",
            "t. w. 1 2 192.0.2.2 192.0.2.1 m2. m1.",
        ];
        assert_eq!(orders.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn only_good_answers_are_touched() {
        let records = "answer t A 192.0.2.1\n answer t CNAME u";
        for (question, more, first) in
            [("t A", "", "u."), ("t A", "rcode NXDOMAIN", "192.0.2.1"), ("t AXFR", "", "192.0.2.1")]
        {
            let rig =
                Rig::new(&format!("t {{\n loadbalance\n canned {{\n {records}\n {more}\n }}\n}}"));
            assert_eq!(values(&rig, question)[0], first, "{question} {more}");
        }
    }

    #[test]
    fn near_addresses_come_first() {
        let rig = Rig::new(
            "t {\n loadbalance round_robin {\n prefer 10.1.0.0/16 2001:db8::/32\n prefer 10.0.0.0/8\n }\n \
             canned {\n answer t A 192.0.2.1\n answer t TXT x\n answer t AAAA 2001:db8::1\n \
             answer t A 10.9.0.1\n answer t MX m\n answer u CNAME t\n answer t A 10.1.0.1\n }\n}",
        );
        for _ in 0..20 {
            assert_eq!(
                values(&rig, "u.t A"),
                ["t.", "10.1.0.1", "2001:db8::1", "10.9.0.1", "192.0.2.1", "m.", "x"]
            );
        }
    }

    #[test]
    fn weights_choose_the_first_address() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weights");
        std::fs::write(&file, "www.t\n192.0.2.1 3\n192.0.2.2 1\n").unwrap();
        let records = "answer WWW.t A 192.0.2.1\n answer WWW.t A 192.0.2.2\n answer y CNAME z";
        let rig = Rig::new(&format!(
            "t {{\n root {}\n loadbalance weighted weights\n canned {{\n {records}\n }}\n}}",
            folder.path().display()
        ));
        let mut first = BTreeMap::new();
        for _ in 0..4000 {
            let values = values(&rig, "www.t A");
            assert_eq!((values.len(), values[0].as_str()), (3, "z."));
            *first.entry(values[1].clone()).or_insert(0) += 1;
        }
        // Six times the standard deviation, which is 27.
        assert!((2836..3164).contains(&first["192.0.2.1"]), "{first:?}");
        // Other types are left as they are.
        assert_eq!(values(&rig, "www.t TXT"), ["192.0.2.1", "192.0.2.2", "z."]);
    }

    #[test]
    fn a_bad_file_of_weights_is_a_mistake_and_a_missing_one_may_come() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display();
        std::fs::write(folder.path().join("bad"), "a.test\n10.0.0.1 0\n").unwrap();
        let found =
            mistakes(&format!(". {{\n root {root}\n loadbalance weighted bad\n whoami\n}}"));
        assert!(
            found[0].contains("line 2: the weight must be a number from 1 to 255"),
            "{found:?}"
        );
        let missing = |more| {
            format!(". {{\n root {root}\n loadbalance weighted none {{\n {more}\n }}\n whoami\n}}")
        };
        assert!(mistakes(&missing("reload 0s"))[0].contains("cannot be read"));
        let rig = Rig::new(&missing("reload 30s"));
        let warnings = &rig.assembly().parts.warnings;
        assert!(warnings[0].ends_with("none. Will try again in 30s"), "{warnings:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_file_of_weights_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weights");
        std::fs::write(&file, "t\n192.0.2.2 255\n").unwrap();
        let records = "answer t A 192.0.2.1\n answer t A 192.0.2.2";
        let mut rig = Rig::new(&format!(
            "t {{\n loadbalance weighted {} {{\n reload 10s\n }}\n canned {{\n {records}\n }}\n}}",
            file.display()
        ));
        rig.start();
        let first = |rig: &Rig| {
            let count = (0..300).filter(|_| values(rig, "t A")[0] == "192.0.2.1").count();
            if count < 30 { "192.0.2.2" } else { "192.0.2.1" }
        };
        assert_eq!(first(&rig), "192.0.2.2");
        let log = crate::testing::Log::here();
        std::fs::write(&file, "t\n192.0.2.1 x\n").unwrap();
        tokio::time::sleep(Duration::from_secs(11)).await;
        assert!(log.take()[0].starts_with("ERROR plugin/loadbalance weight file"));
        assert_eq!(first(&rig), "192.0.2.2");
        std::fs::write(&file, "t\n192.0.2.1 255\n").unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
        let reloaded =
            format!("INFO plugin/loadbalance Successfully reloaded weight file {}", file.display());
        assert_eq!(log.take(), [reloaded]);
        assert_eq!(first(&rig), "192.0.2.1");
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(log.take(), Vec::<String>::new());
        drop(log);
        assert_eq!(logged(|| drop(rig)), Vec::<String>::new());
    }
}
