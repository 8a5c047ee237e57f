//! Answers: from a question and the names that are asked for to records.

use super::host::{Host, without_first};
use super::view::{View, Zone};
use crate::cluster::Cluster;
use crate::objects::Kind;
use wire::{Body, Class, Name, NameBuf, Question, Record, RecordType, Reply, Section};

/// Seconds: secondaries are not part of this, so nobody acts on the first three.
const REFRESH: u32 = 7200;
const RETRY: u32 = 1800;
const EXPIRE: u32 = 86_400;
/// The TTL of SOA and NS records and of denials, whatever `ttl` says, as in the original.
const APEX_TTL: u32 = 60;

/// What there is at the name that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// Records of the type.
    Answer,
    /// The SOA or the NS records of a zone at whose apex no object is reached.
    Apex,
    /// The name is reached somewhere, but there is no record of the type.
    NoData,
    /// The name exists, but no object says where it is reached: only names below it are asked
    /// for, or its load balancer has no address yet.
    Empty,
    /// Nothing, and no name below it.
    NoSuchName,
    /// Not all objects are known yet: another kind may have the better answer, so none is given.
    NotSynced,
    /// The last record of the answer section is a CNAME to the name of a load balancer, which has
    /// to be asked for.
    Elsewhere,
    /// A transfer was asked for, which there is not.
    Refused,
    /// The name lies in no zone of the view; nothing was done.
    NotHere,
}

impl View {
    /// Finds the records for `question` and appends them to the reply's body. Nothing else of the
    /// reply is touched; denials get their SOA by [`View::push_soa`].
    ///
    /// The name itself is looked for first, with and without its zone; then the wildcards that it
    /// matches, the longest first.
    pub fn answer(&self, cluster: &Cluster, question: &Question, reply: &mut Reply) -> Found {
        let Some(zone) = self.find_zone(question.name()) else { return Found::NotHere };
        if question.rtype.is_transfer() {
            return Found::Refused;
        }
        if !cluster.is_synced() {
            return Found::NotSynced;
        }
        let (owner, rtype) = (question.name(), question.rtype);
        let mut asking = Asking { cluster, view: self, zone, owner, rtype, body: &mut reply.body };
        asking.answer()
    }

    /// Appends the SOA of the zone that `question` lies in to the authority section, as denials
    /// need it (RFC 2308 §3). Without such a zone nothing happens.
    pub fn push_soa(&self, cluster: &Cluster, question: &Question, reply: &mut Reply) {
        if let Some(zone) = self.find_zone(question.name()) {
            push_soa(cluster, zone, (Section::Authority, &mut reply.body));
        }
    }
}

fn push_soa(cluster: &Cluster, zone: &Zone, (section, body): (Section, &mut Body)) {
    let apex = zone.apex.as_name();
    body.push_with(section, apex, APEX_TTL, RecordType::SOA, Class::IN, |out| {
        // A view has one name server at least.
        out.extend_from_slice(zone.servers[0].octets());
        out.extend_from_slice(zone.hostmaster.octets());
        for number in [cluster.serial(), REFRESH, RETRY, EXPIRE, APEX_TTL] {
            out.extend_from_slice(&number.to_be_bytes());
        }
    });
}

/// A question while it is answered.
struct Asking<'a> {
    cluster: &'a Cluster,
    view: &'a View,
    zone: &'a Zone,
    /// The name that was asked for, the owner of what answers.
    owner: Name<'a>,
    rtype: RecordType,
    body: &'a mut Body,
}

/// A host by its two names: with its zone, and without.
#[derive(Clone, Copy)]
struct Names<'n> {
    is_wildcard: bool,
    full: &'n [u8],
    relative: &'n [u8],
}

/// What the objects of one kind say about a host.
#[derive(Default)]
struct Offer {
    /// How many records, of any type.
    records: usize,
    /// The name of a load balancer; counts only without any record.
    alias: Option<NameBuf>,
}

impl Asking<'_> {
    fn answer(&mut self) -> Found {
        let is_apex = self.owner == self.zone.apex.as_name();
        if is_apex && matches!(self.rtype, RecordType::SOA | RecordType::NS) {
            return self.answer_apex();
        }
        let before = self.body.answer.len();
        let (rtype, owner) = (self.rtype, self.owner);
        let offer = self.offer(owner, |body, ttl, offered, rdata| {
            if offered == rtype {
                body.push(Section::Answer, owner, ttl, rtype, rdata);
            }
        });
        if offer.records > 0 {
            self.drop_repeats(Section::Answer, before);
            let found = self.body.answer.len() > before;
            return if found { Found::Answer } else { Found::NoData };
        }
        match offer.alias {
            // RFC 1034 §3.6.2: "If a CNAME RR is present at a node, no other data should be
            // present", and the apex has SOA and NS.
            Some(_) if is_apex => Found::NoData,
            Some(target) => self.push_alias(target.as_name()),
            None if self.zone.servers.iter().any(|server| owner == server.as_name()) => {
                Found::NoData
            }
            None if is_apex || self.exists() => Found::Empty,
            None => Found::NoSuchName,
        }
    }

    fn answer_apex(&mut self) -> Found {
        if self.rtype == RecordType::SOA {
            push_soa(self.cluster, self.zone, (Section::Answer, self.body));
        } else {
            self.push_ns();
        }
        let offer = self.offer(self.owner, |_, _, _, _| {});
        let is_reached = offer.records > 0 || offer.alias.is_some();
        if is_reached { Found::Answer } else { Found::Apex }
    }

    fn push_alias(&mut self, target: Name<'_>) -> Found {
        let ttl = self.view.ttl;
        self.body.push_name(Section::Answer, self.owner, ttl, RecordType::CNAME, target);
        if self.rtype == RecordType::CNAME { Found::Answer } else { Found::Elsewhere }
    }

    /// The name servers, and the addresses that objects give for them.
    fn push_ns(&mut self) {
        let zone = self.zone;
        let (answers, additional) = (self.body.answer.len(), self.body.additional.len());
        for server in &zone.servers {
            let (apex, name) = (zone.apex.as_name(), server.as_name());
            self.body.push_name(Section::Answer, apex, APEX_TTL, RecordType::NS, name);
        }
        for server in &zone.servers {
            let name = server.as_name();
            self.offer(name, |body, _, rtype, rdata| {
                if rtype != RecordType::TXT {
                    body.push(Section::Additional, name, APEX_TTL, rtype, rdata);
                }
            });
        }
        self.drop_repeats(Section::Answer, answers);
        self.drop_repeats(Section::Additional, additional);
    }

    /// What the first kind that says anything says about a name, each of its addresses and texts shown
    /// to `push`.
    fn offer(
        &mut self,
        name: Name<'_>,
        mut push: impl FnMut(&mut Body, u32, RecordType, &[u8]),
    ) -> Offer {
        let lower = name.to_lower();
        let Some(mut names) = self.names(&lower) else { return Offer::default() };
        loop {
            for &kind in &self.view.resources {
                let offer = self.offer_of(kind, names, &mut push);
                if offer.records > 0 || offer.alias.is_some() {
                    return offer;
                }
            }
            if names.relative.is_empty() {
                return Offer::default();
            }
            // The wildcard one label up, and so on until the one right below the apex.
            names.is_wildcard = true;
            names.full = without_first(names.full);
            names.relative = without_first(names.relative);
        }
    }

    fn names<'n>(&self, lower: &'n NameBuf) -> Option<Names<'n>> {
        let relative = lower.as_name().labels_above(self.zone.apex.as_name())?;
        let (_, full) = lower.octets().split_last()?;
        Some(Names { is_wildcard: false, full, relative })
    }

    fn offer_of(
        &mut self,
        kind: Kind,
        names: Names<'_>,
        push: &mut impl FnMut(&mut Body, u32, RecordType, &[u8]),
    ) -> Offer {
        let (view, body) = (self.view, &mut *self.body);
        let mut offer = Offer::default();
        self.cluster.each_host(names, |host| {
            for group in host.groups().filter(|group| view.admits(kind, group)) {
                for address in group.addresses() {
                    offer.records += 1;
                    push(body, view.ttl, address.rtype(), address.rdata());
                }
                for text in group.texts() {
                    offer.records += 1;
                    push(body, view.ttl, RecordType::TXT, text);
                }
                if offer.alias.is_none() {
                    offer.alias = group.alias().map(Name::to_buf);
                }
            }
        });
        offer
    }

    /// Whether the name is asked for, or one below it.
    fn exists(&self) -> bool {
        let lower = self.owner.to_lower();
        let Some(names) = self.names(&lower) else { return false };
        let admits = |host: &Host| {
            let kinds = &self.view.resources;
            host.groups().any(|group| kinds.iter().any(|&kind| self.view.admits(kind, &group)))
        };
        let mut exists = false;
        self.cluster.each_host(names, |host| exists |= host.has_names_below() || admits(host));
        exists
    }

    /// Sorts the records of a section from `begin` on and drops what is there twice.
    ///
    /// RFC 2181 §5: an RRset has no duplicates.
    fn drop_repeats(&mut self, section: Section, begin: usize) {
        let mut records = std::mem::take(self.body.section_mut(section));
        let body = &*self.body;
        let key = |record: &Record| (body.owner(record).octets(), body.rdata(record));
        if let Some(new) = records.get_mut(begin..) {
            new.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        }
        let mut index = 0;
        records.dedup_by(|a, b| {
            index += 1;
            index > begin && key(a) == key(b)
        });
        *self.body.section_mut(section) = records;
    }
}

impl Cluster {
    /// Shows `look` the host of either name.
    fn each_host(&self, names: Names<'_>, mut look: impl FnMut(&Host)) {
        let Names { is_wildcard, full, relative } = names;
        self.host(is_wildcard, full, &mut look);
        // At the apex there is no name without the zone but the wildcard `*`.
        if (is_wildcard || !relative.is_empty()) && relative.len() < full.len() {
            self.host(is_wildcard, relative, look);
        }
    }
}
