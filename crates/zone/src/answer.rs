//! The answer to a question (RFC 1034 §4.3.2 as amended by RFC 4592, RFC 6672 and RFC 4035 §3.1).

use crate::zone::{APEX, Flags, Rrset, Zone};
use wire::{Body, Flags as Header, Name, NameBuf, Question, Rcode, RecordType, Reply, Section};

/// The most names that are looked at for one answer: that asked for, and those that aliases lead to.
/// CoreDNS gives up behind the tenth CNAME record, too.
const STEPS_MAX: usize = 10;
/// The most names whose addresses are added. They are a courtesy, and rarely more than a handful fit.
const TARGETS_MAX: usize = 64;
/// No node: a zone has fewer.
const NONE: u32 = u32::MAX;

/// What became of a question.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'z> {
    /// What was found at the name that was asked for.
    pub found: Found,
    /// The wildcard that stood in for a name on the way, for CoreDNS's metadata `zone/wildcard`.
    pub wildcard: Option<Name<'z>>,
    /// Whether more aliases lead on from one to the next than are followed.
    pub cut: bool,
}

/// What was found at the name that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// The records, or an alias and all there is to say about the name that it leads to: the
    /// response code is that of the last name (RFC 6604 §3).
    Answer,
    /// The name lies below a delegation: the servers are in the authority section, AA is clear.
    Referral,
    /// The name exists, but has no records of the type. The SOA record is in the authority section.
    NoData,
    /// The same, but the name exists only because of names below it (an empty non-terminal), or is
    /// the apex with none but SOA and NS records. CoreDNS's `fallthrough` treats both as if the name
    /// did not exist: it keeps SOA and NS records apart and finds no other.
    Empty,
    /// The name does not exist. The SOA record is in the authority section.
    NoSuchName,
    /// An alias leads out of the zone: its CNAME record is the last of the answer section, its
    /// signatures apart, and there is nothing else but proofs of DNSSEC. What the target has is for
    /// the caller to ask, see [`Zone::push_name_servers`].
    Elsewhere,
    /// The name is not in this zone; nothing was written.
    NotHere,
    /// A zone transfer was asked for, which an ordinary answer cannot be.
    Refused,
}

impl Zone {
    /// Puts the answer to `question` into `reply`: records, AA and the response code.
    ///
    /// `reply` has no records yet. The class is not looked at: zones are of class IN. Answers are laid
    /// out as CoreDNS does: with records, the authority section has the zone's NS records, and the
    /// additional section the addresses of the names that MX, SRV, SVCB and HTTPS records lead to;
    /// without, the authority section has the SOA record with its own TTL, not the smaller of TTL
    /// and minimum (RFC 2308 §3). Differences: an alias that ends in a name without records of the
    /// type is closed by the SOA record, not by NS records (RFC 2308 §2.2); an alias that leads in a
    /// circle comes once, not ten times; a wildcard does not stand in for an empty non-terminal; the
    /// addresses of a delegation's servers are added if they are anywhere in the zone.
    ///
    /// Nothing is allocated but the memory that `reply` keeps.
    pub fn answer(&self, question: &Question, dnssec_ok: bool, reply: &mut Reply) -> Outcome<'_> {
        let outcome = |found| Outcome { found, wildcard: None, cut: false };
        if !question.name().is_at_or_below(self.apex()) {
            return outcome(Found::NotHere);
        }
        if question.rtype.is_transfer() {
            reply.rcode = Rcode::REFUSED;
            return outcome(Found::Refused);
        }
        let body = &mut reply.body;
        let mut scribe = Scribe::new(self, dnssec_ok, body);
        let found = scribe.follow(question);
        let Scribe { wildcard, cut, rcode, .. } = scribe;
        reply.rcode = rcode;
        reply.flags.set(Header::AA, found != Found::Referral);
        Outcome { found, wildcard, cut }
    }

    /// Adds the zone's NS records to the authority section, as CoreDNS does to the answer that it
    /// found for the target of an alias which leads out of the zone.
    pub fn push_name_servers(&self, dnssec_ok: bool, body: &mut Body) {
        Scribe::new(self, dnssec_ok, body).name_servers();
    }

    /// Where the search for `name` ends.
    fn spot(&self, name: Name<'_>) -> Spot {
        let node = self.closest(name);
        let exact = self.name_octets(node).len() == name.len();
        let flags = self.flags(node);
        if flags.any(Flags::OBSTACLE)
            && let Some(spot) = self.obstacle(node, exact)
        {
            return spot;
        }
        if exact {
            return Spot::Node { node };
        }
        match self.wildcard_below(node) {
            Some(wildcard) => Spot::Wildcard { wildcard },
            None => Spot::Nothing { encloser: node },
        }
    }

    /// The delegation or DNAME record closest to the apex on the way to `node`.
    ///
    /// RFC 6672 §3.2: a DNAME record redirects what is below its owner, not the owner. CoreDNS
    /// prefers it where a name has both, and so do we.
    fn obstacle(&self, node: u32, exact: bool) -> Option<Spot> {
        let mut found = None;
        let mut at = node;
        while at != APEX {
            found = self.obstacle_at(at, exact && at == node).or(found);
            at = self.parent(at);
        }
        self.obstacle_at(APEX, exact && node == APEX).or(found)
    }

    fn obstacle_at(&self, node: u32, is_name: bool) -> Option<Spot> {
        let flags = self.flags(node);
        if flags.any(Flags::DNAME) && !is_name {
            return Some(Spot::Dname { owner: node });
        }
        flags.any(Flags::CUT).then_some(Spot::Cut { cut: node, is_name })
    }
}

/// Where the search for a name ends.
enum Spot {
    /// At the name.
    Node { node: u32 },
    /// At a wildcard that stands in for it.
    Wildcard { wildcard: u32 },
    /// At the closest ancestor.
    Nothing { encloser: u32 },
    /// At a delegation above the name, or the name's own.
    Cut { cut: u32, is_name: bool },
    /// At a DNAME record above the name.
    Dname { owner: u32 },
}

/// What to do after one name was looked at.
#[expect(clippy::large_enum_variant, reason = "one at a time, on the stack: a box would allocate")]
enum Next {
    /// The answer is complete.
    Done(Found),
    /// An alias was written; this is where it leads to.
    Target(NameBuf),
}

/// Writes one answer.
struct Scribe<'z, 'r> {
    zone: &'z Zone,
    dnssec_ok: bool,
    body: &'r mut Body,
    wildcard: Option<Name<'z>>,
    cut: bool,
    rcode: Rcode,
}

impl<'z, 'r> Scribe<'z, 'r> {
    fn new(zone: &'z Zone, dnssec_ok: bool, body: &'r mut Body) -> Self {
        Self { zone, dnssec_ok, body, wildcard: None, cut: false, rcode: Rcode::NOERROR }
    }

    /// Looks at the name that was asked for, and at those that aliases lead to.
    fn follow(&mut self, question: &Question) -> Found {
        let mut name = question.name().to_buf();
        for step in 0..STEPS_MAX {
            let is_alias = step > 0;
            if is_alias && !name.as_name().is_at_or_below(self.zone.apex()) {
                return Found::Elsewhere;
            }
            if is_alias && self.has_answer(name.as_name(), RecordType::CNAME) {
                return self.broken_off(); // a circle
            }
            match self.look_at(name.as_name(), question.rtype) {
                // A DNAME record may have put another case into it.
                Next::Target(target) => name.set_lower(target.as_name()),
                Next::Done(_) if is_alias => return Found::Answer,
                Next::Done(found) => return found,
            }
        }
        self.cut = true;
        self.broken_off()
    }

    /// The answer ends with an alias.
    fn broken_off(&mut self) -> Found {
        self.name_servers();
        Found::Answer
    }

    /// Whether the answer already has such a record.
    fn has_answer(&self, owner: Name<'_>, rtype: RecordType) -> bool {
        let answer = &self.body.answer;
        answer.iter().any(|r| r.rtype == rtype && self.body.owner(r) == owner)
    }

    fn look_at(&mut self, name: Name<'_>, rtype: RecordType) -> Next {
        match self.zone.spot(name) {
            Spot::Node { node } => self.records(node, name, rtype),
            Spot::Wildcard { wildcard } => {
                self.wildcard = Some(self.zone.name(wildcard));
                let next = self.records(wildcard, name, rtype);
                // RFC 4035 §3.1.3.3: the proof that the name itself does not exist.
                self.proof_before(name);
                match next {
                    Next::Done(Found::Empty) => Next::Done(Found::NoData),
                    next => next,
                }
            }
            Spot::Nothing { encloser } => {
                self.rcode = Rcode::NXDOMAIN;
                self.start_of_authority();
                self.proof_before(name);
                // RFC 4035 §3.1.3.2: and that no wildcard could stand in for it.
                self.proof_before_wildcard(encloser);
                Next::Done(Found::NoSuchName)
            }
            // RFC 4035 §3.1.4.1: the DS records of a delegation are this side's data.
            Spot::Cut { cut, is_name: true } if rtype == RecordType::DS => {
                self.records(cut, name, rtype)
            }
            Spot::Cut { cut, .. } => self.referral(cut),
            Spot::Dname { owner } => self.redirection(owner, name, rtype),
        }
    }

    /// The records of `node`, given to `owner`: the name of the node, or one that it stands in for.
    fn records(&mut self, node: u32, owner: Name<'_>, rtype: RecordType) -> Next {
        let zone = self.zone;
        let mut rrsets = zone.rrsets_of(node, rtype).peekable();
        if rrsets.peek().is_some() {
            // A DNAME record that led here is there already (RFC 2181 §5: no record twice).
            let is_there = rtype == RecordType::DNAME && self.has_answer(owner, rtype);
            for rrset in rrsets.filter(|_| !is_there) {
                self.push(Section::Answer, owner, rrset);
                self.addresses_of_targets(owner, node, rrset);
            }
            if rtype != RecordType::RRSIG && !is_there {
                self.push_signatures(Section::Answer, owner, node, rtype);
            }
            // The servers are not told twice.
            if rtype != RecordType::NS || node != APEX {
                self.name_servers();
            }
            return Next::Done(Found::Answer);
        }
        if let Some(alias) = zone.rrset(node, RecordType::CNAME)
            && let Some(target) = alias.records().next().and_then(|data| alias.rtype().target(data))
        {
            self.push(Section::Answer, owner, alias);
            self.push_signatures(Section::Answer, owner, node, RecordType::CNAME);
            return Next::Target(target.to_buf());
        }
        self.start_of_authority();
        match zone.rrset(node, RecordType::NSEC) {
            Some(_) => self.proof(node),
            None => self.proof_before(owner),
        }
        let is_empty = zone.flags(node).any(Flags::EMPTY);
        Next::Done(if is_empty { Found::Empty } else { Found::NoData })
    }

    fn referral(&mut self, cut: u32) -> Next {
        let zone = self.zone;
        let Some(servers) = zone.rrset(cut, RecordType::NS) else {
            return Next::Done(Found::NoData); // a cut is one because of its NS records
        };
        self.push(Section::Authority, servers.owner(), servers);
        if self.dnssec_ok {
            // RFC 4035 §3.1.4: the DS records, or the proof that there are none.
            match zone.rrset(cut, RecordType::DS) {
                Some(keys) => self.push_signed(Section::Authority, servers.owner(), cut, keys),
                None => self.proof(cut),
            }
        }
        // RFC 1034 §4.3.2, 3b: "Put whatever addresses are available into the additional section".
        self.addresses_of_targets(servers.owner(), cut, servers);
        Next::Done(Found::Referral)
    }

    /// RFC 6672 §3.2: the DNAME record, and the CNAME record that follows from it, with its TTL.
    fn redirection(&mut self, node: u32, name: Name<'_>, rtype: RecordType) -> Next {
        let zone = self.zone;
        let rrset = zone.rrset(node, RecordType::DNAME);
        let target = rrset
            .and_then(|rrset| rrset.records().next())
            .and_then(|data| RecordType::DNAME.target(data));
        let (Some(rrset), Some(target), Some(labels)) =
            (rrset, target, name.labels_above(zone.name(node)))
        else {
            return Next::Done(Found::NoData); // a DNAME node has one, and the name is below it
        };
        if !self.has_answer(rrset.owner(), RecordType::DNAME) {
            self.push_signed(Section::Answer, rrset.owner(), node, rrset);
        }
        let Ok(target) = NameBuf::join(labels, target) else {
            // "If the synthesized CNAME RR would be too long: set RCODE to YXDOMAIN".
            self.rcode = Rcode::YXDOMAIN;
            return Next::Done(Found::Answer);
        };
        let ttl = rrset.ttl();
        self.body.push_name(Section::Answer, name, ttl, RecordType::CNAME, target.as_name());
        if rtype == RecordType::CNAME {
            self.name_servers();
            return Next::Done(Found::Answer);
        }
        Next::Target(target)
    }

    fn name_servers(&mut self) {
        let zone = self.zone;
        if let Some(servers) = zone.rrset(APEX, RecordType::NS) {
            self.push_signed(Section::Authority, servers.owner(), APEX, servers);
        }
    }

    fn start_of_authority(&mut self) {
        let zone = self.zone;
        if let Some(start) = zone.rrset(APEX, RecordType::SOA) {
            self.push_signed(Section::Authority, start.owner(), APEX, start);
        }
    }

    /// The proof that no wildcard directly below `encloser` exists.
    fn proof_before_wildcard(&mut self, encloser: u32) {
        if self.dnssec_ok
            && let Ok(wildcard) = NameBuf::child(b"*", self.zone.name(encloser))
        {
            self.proof_before(wildcard.as_name());
        }
    }

    /// The NSEC record that is at `name` or covers it.
    fn proof_before(&mut self, name: Name<'_>) {
        if self.dnssec_ok
            && let Some(node) = self.zone.nsec_before(name)
        {
            self.proof(node);
        }
    }

    /// The NSEC record of `node`, once.
    fn proof(&mut self, node: u32) {
        let zone = self.zone;
        let Some(rrset) = zone.rrset(node, RecordType::NSEC).filter(|_| self.dnssec_ok) else {
            return;
        };
        let owner = rrset.owner();
        let authority = &self.body.authority;
        if !authority.iter().any(|r| r.rtype == RecordType::NSEC && self.body.owner(r) == owner) {
            self.push_signed(Section::Authority, owner, node, rrset);
        }
    }

    /// The addresses of the names that the records lead to, as far as they are in the zone.
    ///
    /// RFC 9460 §2.5.2: "." as the target of SVCB and HTTPS records means their owner.
    fn addresses_of_targets(&mut self, owner: Name<'_>, node: u32, rrset: Rrset<'z>) {
        let rtype = rrset.rtype();
        let is_service = matches!(rtype, RecordType::SVCB | RecordType::HTTPS);
        if !is_service && !matches!(rtype, RecordType::MX | RecordType::SRV | RecordType::NS) {
            return;
        }
        let mut seen = [NONE; TARGETS_MAX];
        for (index, data) in rrset.records().take(TARGETS_MAX).enumerate() {
            let Some(target) = rtype.target(data) else { continue };
            let is_own = is_service && target.is_root() && !data.starts_with(&[0, 0]);
            // SRV records keep the case of the file.
            let lower = target.to_lower();
            let found = if is_own { Some(node) } else { self.zone.node(lower.as_name()) };
            let Some(target_node) = found.filter(|found| !seen[..index].contains(found)) else {
                continue;
            };
            seen[index] = target_node;
            let target = if is_own { owner } else { self.zone.name(target_node) };
            self.addresses(target, target_node);
        }
    }

    fn addresses(&mut self, owner: Name<'_>, node: u32) {
        for rtype in [RecordType::A, RecordType::AAAA] {
            if let Some(rrset) = self.zone.rrset(node, rtype) {
                self.push_signed(Section::Additional, owner, node, rrset);
            }
        }
    }

    /// Appends the records and their signatures.
    fn push_signed(&mut self, section: Section, owner: Name<'_>, node: u32, rrset: Rrset<'_>) {
        self.push(section, owner, rrset);
        self.push_signatures(section, owner, node, rrset.rtype());
    }

    fn push(&mut self, section: Section, owner: Name<'_>, rrset: Rrset<'_>) {
        for data in rrset.records() {
            self.body.push(section, owner, rrset.ttl(), rrset.rtype(), data);
        }
    }

    /// Appends the signatures of the records of `node` of type `rtype`, if the client wants them.
    fn push_signatures(&mut self, section: Section, owner: Name<'_>, node: u32, rtype: RecordType) {
        if !self.dnssec_ok {
            return;
        }
        let zone = self.zone;
        if let Some(signatures) = zone.signatures(node, rtype) {
            self.push(section, owner, signatures);
        }
    }
}
