//! `canned`: a source for tests that gives one reply to every question.

use crate::directive::{Built, Directive};
use crate::env::{Describe, Env};
use chain::{Exchange, Failure, Plugin, Step, UpstreamFailure};
use corefile::{Accepted, Args, Block, Mistake, Mistakes, Property, Repeats, Syntax, kind};
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use wire::{Body, Name, NameBuf, Rcode, Record, RecordType, Section};

/// The directive and the plugin.
#[derive(Default)]
pub(crate) struct Canned {
    records: Vec<(Section, NameBuf, RecordType, Vec<u8>)>,
    rcode: Rcode,
    end: End,
    /// Whether to offer a label: the type of the question.
    label: bool,
}

#[derive(Default)]
enum End {
    #[default]
    Answer,
    Drop,
    Panic,
    Fail(String),
    FailAsFirstLabel,
    /// Answers with a CNAME to this name.
    Chase(Box<NameBuf>),
}

const fn line(name: &'static str, read: corefile::Reader<Canned>) -> Property<Canned> {
    Property { name, usage: name, default: "", doc: "-", repeats: Repeats::Adds, read }
}

const SYNTAX: Syntax<Canned> = Syntax {
    directive: line("canned", |_, _| Ok(())),
    properties: &[
        line("answer", |canned, args| canned.record(Section::Answer, args)),
        line("authority", |canned, args| canned.record(Section::Authority, args)),
        line("additional", |canned, args| canned.record(Section::Additional, args)),
        line("rcode", |canned, args| {
            canned.rcode = args.one(kind::by("a code", |word| {
                word.parse().ok().or_else(|| word.parse().ok().map(Rcode))
            }))?;
            Ok(())
        }),
        line("fail", |canned, args| {
            let words = args.rest(kind::text());
            canned.end = End::Fail(words.join(" "));
            Ok(())
        }),
        line("fail_as_first_label", |canned, _| {
            canned.end = End::FailAsFirstLabel;
            Ok(())
        }),
        line("chase", |canned, args| {
            canned.end = End::Chase(Box::new(args.one(kind::parsed("a name"))?));
            Ok(())
        }),
        line("drop", |canned, _| {
            canned.end = End::Drop;
            Ok(())
        }),
        line("label", |canned, _| {
            canned.label = true;
            Ok(())
        }),
        line("panic", |canned, _| {
            canned.end = End::Panic;
            Ok(())
        }),
    ],
    otherwise: None,
};

impl Canned {
    /// `NAME TYPE [ADDRESS|NAME]`
    fn record(&mut self, section: Section, args: &mut Args<'_>) -> Result<(), Mistake> {
        let owner = args.one(kind::parsed("a name"))?;
        let rtype = args.one(kind::parsed("a type"))?;
        let value = args.optional(kind::text())?.unwrap_or_default();
        let name = || value.parse::<NameBuf>().unwrap().octets().to_vec();
        let rdata = match (rtype, value.parse()) {
            (_, Ok(IpAddr::V4(ip))) => ip.octets().to_vec(),
            (_, Ok(IpAddr::V6(ip))) => ip.octets().to_vec(),
            (RecordType::MX, _) => [vec![0, 10], name()].concat(),
            (RecordType::SOA, _) => [name(), name(), vec![0; 20]].concat(),
            (RecordType::CNAME | RecordType::NS | RecordType::PTR, _) => name(),
            _ => value.into_bytes(),
        };
        self.records.push((section, owner, rtype, rdata));
        Ok(())
    }
}

impl Directive for Canned {
    const NAME: &'static str = "canned";
    type Config = Self;

    fn read(block: &Block<'_>) -> Result<Accepted<Self>, Mistakes> {
        let mut canned = Self::default();
        SYNTAX.read(block, &mut canned).accept(canned)
    }

    fn build(canned: Self, env: &mut Env<'_>) -> Built {
        if canned.label {
            env.offer::<dyn Describe>("canned", Arc::new(Label));
        }
        Ok(Some(Box::new(canned)))
    }
}

struct Label;

impl Describe for Label {
    fn describe(&self, x: &Exchange, labels: &mut Vec<(Cow<'static, str>, String)>) {
        labels.push(("canned/type".into(), x.question.rtype.to_string()));
    }
}

impl Plugin for Canned {
    fn query(&self, x: &mut Exchange) -> Step {
        let fail = |text: String| Failure::Upstream {
            cause: UpstreamFailure::TimedOut,
            text: text.into(),
        };
        match &self.end {
            End::Answer => {}
            End::Drop => return Step::Drop,
            End::Panic => panic!("canned"),
            End::Fail(text) => return x.fail(fail(text.clone())),
            End::FailAsFirstLabel => {
                let label = x.question.name().first_label().unwrap_or_default();
                let text = String::from_utf8(label.to_vec()).unwrap();
                return x.fail(fail(text));
            }
            End::Chase(target) => {
                let owner = x.question.name();
                let body = &mut x.reply.body;
                body.push_name(Section::Answer, owner, 5, RecordType::CNAME, target.as_name());
                return Step::Chase;
            }
        }
        x.authoritative();
        x.reply.rcode = self.rcode;
        for (section, owner, rtype, rdata) in &self.records {
            x.reply.body.push(*section, owner.as_name(), 5, *rtype, rdata);
        }
        Step::Done
    }
}

/// `owner TTL TYPE` and the address, the name or the number of octets.
pub(super) fn shown(body: &Body, record: &Record) -> String {
    let rdata = body.rdata(record);
    let value = match record.rtype {
        RecordType::A => <[u8; 4]>::try_from(rdata).map(|ip| IpAddr::from(ip).to_string()).unwrap(),
        RecordType::AAAA => {
            <[u8; 16]>::try_from(rdata).map(|ip| IpAddr::from(ip).to_string()).unwrap()
        }
        _ => match body.target(record) {
            Some(target) => target.to_string(),
            None => String::from_utf8_lossy(rdata).into_owned(),
        },
    };
    let owner: Name<'_> = body.owner(record);
    format!("{owner} {} {} {value}", record.ttl, record.rtype)
}
