//! `whoami`: tells clients who they are.

use crate::directive::{Built, Directive};
use crate::env::Env;
use chain::{Exchange, Plugin, Step, Transport};
use corefile::{Accepted, Block, Mistakes, Property, Repeats, Syntax};
use std::net::IpAddr;
use wire::{NameBuf, RecordType, Section};

/// The directive and the plugin.
pub(crate) struct Whoami;

const SYNTAX: Syntax<()> = Syntax {
    directive: Property {
        name: "whoami",
        usage: "whoami",
        default: "",
        doc: "Answers every question with the client's address, port and transport.",
        repeats: Repeats::Adds,
        read: |(), _| Ok(()),
    },
    properties: &[],
    otherwise: None,
};

impl Directive for Whoami {
    const NAME: &'static str = "whoami";
    type Config = ();

    fn read(block: &Block<'_>) -> Result<Accepted<()>, Mistakes> {
        SYNTAX.read(block, &mut ()).accept(())
    }

    fn build((): (), _: &mut Env<'_>) -> Built {
        Ok(Some(Box::new(Self)))
    }
}

impl Plugin for Whoami {
    fn query(&self, x: &mut Exchange) -> Step {
        x.authoritative();
        let (owner, class) = (x.question.name(), x.question.class);
        let body = &mut x.reply.body;
        let (rtype, address): (_, &[u8]) = match x.client.peer.ip() {
            IpAddr::V4(ip) => (RecordType::A, &ip.octets()),
            IpAddr::V6(ip) => (RecordType::AAAA, &ip.octets()),
        };
        let section = Section::Additional;
        body.push_with(section, owner, 0, rtype, class, |data| data.extend_from_slice(address));
        let label: &[u8] = match x.client.transport {
            Transport::Udp => b"_udp",
            Transport::Tcp => b"_tcp",
        };
        // A name that is too long to have a label in front gets no SRV record.
        if let Ok(service) = NameBuf::child(label, owner) {
            let (service, [high, low]) = (service.as_name(), x.client.peer.port().to_be_bytes());
            body.push_with(section, service, 0, RecordType::SRV, class, |data| {
                data.extend_from_slice(&[0, 0, 0, 0, high, low, 0]);
            });
        }
        Step::Done
    }
}
