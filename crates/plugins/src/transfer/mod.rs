//! `transfer`: hands whole zones over to other servers, and tells those of changes.
//!
//! The zones are those of other plugins of the block ([`crate::handover`]). A transfer is a reply of
//! several messages ([`mod@outgoing`]), which the listener asks for one by one. Who is told of a change
//! is in [`mod@notify`].

mod config;
mod notify;
mod outgoing;

use crate::directive::{Built, Directive};
use crate::env::{Env, Whole};
use crate::handover::{Announce, Offer, WholeZone};
use chain::{Exchange, Failure, Plugin, Step, Transport};
use config::{Config, Rule};
use corefile::{Accepted, Block, Mistakes};
use notify::Notifier;
use outgoing::{Outgoing, Places};
use std::sync::{Arc, OnceLock};
use wire::{Opcode, Rcode, RecordType};

/// The directive and the plugin.
pub(crate) struct Transfer {
    rules: Arc<[Rule]>,
    whole: Arc<OnceLock<Whole>>,
    places: Arc<Places>,
}

impl Directive for Transfer {
    const NAME: &'static str = "transfer";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        Config::read(block)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        let metrics = env.process.metrics.clone();
        let running =
            metrics.gauge("rutter_transfer_running", "Zone transfers that are on their way.", "");
        let refused = metrics.counter(
            "rutter_transfer_refused_total",
            "Zone transfers that were refused because as many were on their way as may be.",
            "",
        );
        let unanswered = metrics.counter(
            "rutter_transfer_unanswered_notifies_total",
            "Changes of zones that a secondary has not acknowledged, told three times.",
            "",
        );
        let places = env.keep("places".to_owned(), || Places::new(running, refused));
        let rules: Arc<[Rule]> = config.rules.into();
        let notifier = Arc::new(Notifier::new(rules.clone(), &unanswered));
        env.offer::<dyn Announce>("transfer", notifier.clone());
        env.on_serving(move |runtime| notifier.start(runtime));
        Ok(Some(Box::new(Self { rules, whole: env.whole(), places })))
    }
}

impl Plugin for Transfer {
    fn query(&self, x: &mut Exchange) -> Step {
        if !x.question.rtype.is_transfer() || x.request.opcode != Opcode::QUERY {
            return Step::Next;
        }
        // RFC 5936 §4.2: AXFR over UDP is not defined. RFC 1995 §2 would allow an IXFR; as in CoreDNS
        // it is refused.
        if x.client.transport == Transport::Udp {
            return x.fail(Failure::TransferRefused);
        }
        let Some(rule) = Rule::of(&self.rules, x.question.name()) else { return Step::Next };
        // A transfer leaves as it is: under a name that was rewritten it would be no zone.
        let is_as_asked = x.question.name() == x.request.asked.as_name()
            && x.question.rtype == x.request.rtype
            && x.depth() == 0;
        if !is_as_asked || !rule.allows(x.client.peer.ip()) {
            return x.fail(Failure::TransferRefused);
        }
        match self.offer(x) {
            Offer::NoZone => Step::Next,
            Offer::Failed(failure) => x.fail(failure),
            Offer::Zone(zone) => self.hand_over(zone, x),
        }
    }
}

impl Transfer {
    /// What the other plugins of the block have: the first that has it.
    fn offer(&self, x: &Exchange) -> Offer {
        let Some(whole) = self.whole.get() else { return Offer::NoZone };
        for (_, provider) in whole.capabilities.of::<dyn crate::handover::Transfer>() {
            match provider.transfer(x.question.name()) {
                Offer::NoZone => {}
                offer => return offer,
            }
        }
        Offer::NoZone
    }

    fn hand_over(&self, zone: Box<dyn WholeZone>, x: &mut Exchange) -> Step {
        if x.question.rtype == RecordType::IXFR {
            // RFC 1995 §3: the authority section says which zone the client has.
            let Some(serial) = x.request.serial else {
                x.reply.rcode = Rcode::FORMERR;
                return Step::Done;
            };
            if serial == zone.serial() {
                return up_to_date(&*zone, x);
            }
            // RFC 1995 §4: a server that does not know the difference sends the whole zone.
        }
        let Some(place) = self.places.take() else { return x.fail(Failure::Overloaded) };
        zone.push_soa(&mut x.reply.body);
        x.authoritative();
        x.live();
        let (apex, client) = (x.question.name().to_buf(), x.client.peer.ip());
        x.stream(Box::new(Outgoing::new(zone, apex, client, place)));
        Step::Done
    }
}

/// RFC 1995 §2: a client that has the zone gets the SOA record alone.
fn up_to_date(zone: &dyn WholeZone, x: &mut Exchange) -> Step {
    zone.push_soa(&mut x.reply.body);
    x.authoritative();
    x.live();
    let (name, client) = (x.question.name().to_string(), x.client.peer.ip());
    let serial = zone.serial();
    tracing::info!(
        target: "plugin/transfer",
        "Outgoing noop, incremental transfer for up to date zone {name:?} to {client} for {serial} SOA serial"
    );
    Step::Done
}

#[cfg(test)]
mod tests;
