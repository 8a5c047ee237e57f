//! Answers: from a question and what is known of the cluster to records.
//!
//! **What this is.** Kubernetes DNS-based service discovery 1.1.0 with the extensions of CoreDNS:
//! [`Cluster::answer`] takes the name apart ([`crate::path`]) and each kind of name has a module.
//!
//! **What this is not.** It follows no CNAME and knows no `fallthrough`: [`Found`] says what is the
//! case, the caller decides.

mod apex;
pub(crate) mod external;
mod pod;
mod reverse;
mod service;
mod transfer;

use crate::address::Address;
use crate::cluster::Cluster;
use crate::path::{Forms, Path};
use crate::view::{View, Zone};
use service::Wanted;
pub use transfer::ZoneCopy;
use wire::{Body, Name, Question, RecordType, Reply, Section};

/// What there is at the name that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// Records of the type: they are in the answer section, courtesy records in the additional.
    Answer,
    /// The name, but no record of the type.
    NoData,
    /// Nothing, and no name below it.
    NoSuchName,
    /// Nothing so far, but not all of the cluster is known yet: no denial may be given.
    NotSynced,
    /// An alias: the last record of the answer section is a CNAME, and its target has to be asked
    /// for, be it in the cluster or not.
    Elsewhere,
    /// A transfer was asked for, which this is no way to get.
    Refused,
    /// The name lies in no zone of the view; nothing was done.
    NotHere,
}

impl Cluster {
    /// Finds the records for `question` and appends them to the reply's body.
    ///
    /// Nothing else of the reply is touched. Denials get their SOA by [`Cluster::push_soa`], so
    /// that who passes the question on instead has nothing to take back.
    pub fn answer(&self, view: &View, question: &Question, reply: &mut Reply) -> Found {
        let name = question.name();
        let Some((zone, above)) = view.find_zone(name) else { return Found::NotHere };
        if question.rtype.is_transfer() {
            return Found::Refused;
        }
        // Before anything is looked up: what is missing then, though all is known, does not exist.
        let synced = self.is_synced();
        let (rtype, body) = (question.rtype, &mut reply.body);
        let mut asking = Asking { cluster: self, synced, view, zone, name, rtype, body };
        if let Some(address) = Address::from_reverse(name) {
            return asking.reverse(address);
        }
        let forms = Forms { imported: zone.is_imported, zonal: view.zonal && !zone.is_imported };
        match Path::read(above, forms) {
            Path::Apex => asking.apex(),
            Path::DnsVersion => asking.dns_version(),
            Path::NameServer => asking.name_server(),
            Path::Empty => Found::NoData,
            Path::Services { namespace } => asking.namespace(namespace),
            Path::Pods { namespace } => asking.pods(namespace),
            Path::Service { key } => asking.service(key, &Wanted::All),
            Path::Endpoint { key, label } => asking.service(key, &Wanted::endpoint(label)),
            Path::Port { key, port, protocol } => {
                asking.service(key, &Wanted::Port { port, protocol })
            }
            Path::Imported { key, label, cluster } => {
                asking.service(key, &Wanted::endpoint_of(label, cluster))
            }
            Path::Zonal { key, topology, prefers } => asking.zonal(key, topology, prefers),
            Path::Pod { namespace, label } => asking.pod(namespace, label),
            Path::Nothing => asking.absent(),
        }
    }

    /// Appends the SOA of the zone that `question` lies in to the authority section, as denials
    /// need it (RFC 2308 §3). Without such a zone nothing happens.
    pub fn push_soa(&self, view: &View, question: &Question, reply: &mut Reply) {
        if let Some((zone, _)) = view.find_zone(question.name()) {
            apex::push_soa(self, view, zone, (Section::Authority, &mut reply.body));
        }
    }
}

/// A question while it is answered.
struct Asking<'a> {
    cluster: &'a Cluster,
    /// Whether all of the cluster is known.
    synced: bool,
    view: &'a View,
    zone: &'a Zone,
    /// The name that was asked for, the owner of what answers.
    name: Name<'a>,
    rtype: RecordType,
    body: &'a mut Body,
}

impl Asking<'_> {
    /// What a name that cannot be found means.
    fn absent(&self) -> Found {
        if self.synced { Found::NoSuchName } else { Found::NotSynced }
    }

    /// Whether names of the namespace with this label are to be seen.
    fn exposes(&self, namespace: &[u8]) -> bool {
        self.view.shows(namespace) && self.cluster.has_namespace(namespace)
    }

    fn namespace(&self, namespace: &[u8]) -> Found {
        if self.exposes(namespace) { Found::NoData } else { self.absent() }
    }

    /// Appends an answer's record.
    fn push(&mut self, rtype: RecordType, rdata: &[u8]) {
        self.body.push(Section::Answer, self.name, self.view.ttl, rtype, rdata);
    }

    /// Appends the address if its type was asked for.
    fn push_if_asked(&mut self, address: Address) {
        if address.rtype() == self.rtype {
            self.push(self.rtype, address.rdata());
        }
    }

    /// Appends the address of a name that stands in the answer.
    fn push_additional(&mut self, owner: Name<'_>, address: Address) {
        let (ttl, rtype) = (self.view.ttl, address.rtype());
        self.body.push(Section::Additional, owner, ttl, rtype, address.rdata());
    }

    /// Whether anything was found, once the name is known to be there.
    fn result(&self, answers_before: usize) -> Found {
        if self.body.answer.len() > answers_before { Found::Answer } else { Found::NoData }
    }

    /// Sorts the records of a section from `begin` on and drops what is there twice.
    ///
    /// RFC 2181 §5: an RRset has no duplicates.
    fn drop_repeats(&mut self, section: Section, begin: usize) {
        let mut records = std::mem::take(self.body.section_mut(section));
        let body = &*self.body;
        let key = |record: &wire::Record| (body.owner(record).octets(), body.rdata(record));
        if let Some(new) = records.get_mut(begin..) {
            new.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        }
        records.dedup_by(|a, b| a.rtype == b.rtype && key(a) == key(b));
        *self.body.section_mut(section) = records;
    }
}
