//! One question, from its octets to the reply that grows.

use crate::again::Again;
use crate::between::{Memos, Rewrites};
use crate::{Failure, Moment, Recording, Step, Stream};
use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use wire::{
    Edns, Flags, MESSAGE_MAX, Name, NameBuf, OPT_EXTENDED_ERROR, Opcode, Question, RecordType,
    Reject, Reply, Request, Section,
};

/// How a question came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Transport {
    /// A datagram.
    Udp,
    /// A stream.
    Tcp,
}

/// Who asks, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Client {
    /// The client's address.
    pub peer: SocketAddr,
    /// The address that it asked.
    pub local: SocketAddr,
    /// How.
    pub transport: Transport,
}

/// One question and its reply.
///
/// Owns everything it needs, so that parking it is moving a box; made once and used again, so that
/// answering from memory allocates nothing.
pub struct Exchange {
    /// The query as it came in.
    pub request: Request,
    /// The question as the plugins at this height see it, in lower case.
    pub question: Question,
    /// The reply so far.
    pub reply: Reply,
    /// Who asks.
    pub client: Client,
    /// When the query came in.
    pub received: Moment,
    /// The present, as far as this exchange knows: set when it came in and after each wait.
    pub now: Moment,
    /// Which worker carries it: 0 is the slow lane, others own their share of each metric alone.
    pub worker: u16,
    /// Which listener it came in by: an index into the servers that a configuration listens on.
    pub server: u16,
    /// Which zone of the configuration serves it: an index into all zones of all blocks.
    pub zone: u16,
    /// What answering one query from memory took lately; see [`Exchange::elapsed`].
    pub service_time: Duration,
    /// The OPT record for upstream servers, if a plugin changed the client's.
    pub outgoing: Option<Box<Edns>>,
    /// Whether this is a rehearsal: whom a question would be sent to is told, and nothing is sent.
    pub rehearsal: bool,
    /// Labels that plugins offer to `log` and `rewrite`; none unless `metadata` is configured.
    pub labels: Option<Vec<(Cow<'static, str>, String)>>,
    pub(crate) failure: Option<Failure>,
    pub(crate) failure_logged: bool,
    pub(crate) answered_by: Option<(&'static str, u32)>,
    dropped: bool,
    pub(crate) live: bool,
    pub(crate) waited: bool,
    unfinished: bool,
    pub(crate) chased_target: bool,
    pub(crate) chain_cut: bool,
    depth: u8,
    rewrites: Rewrites,
    memos: Memos,
    stream: Option<Box<dyn Stream>>,
    pub(crate) again: Again,
    pub(crate) refresh: Option<Box<Refresh>>,
    /// A mark of each question above this one, and of its own.
    chased: [u64; Self::DEPTH_MAX as usize + 1],
    /// The block that serves the question, and the plugin whose turn it is.
    pub(crate) block: u16,
    pub(crate) at: usize,
    pub(crate) nested: Option<Box<Self>>,
    pub(crate) parked: Option<crate::Ticket>,
    /// What happens to the question, if somebody wants to know.
    pub(crate) recording: Option<Arc<Recording>>,
    /// Whether the walk has to look for more than the next plugin: it is recorded, or a plugin has
    /// asked it for something. One flag, so that those who ask for nothing pay for one branch.
    pub(crate) alert: bool,
}

/// A question to ask again in the background, so that the answer in memory is fresh.
pub struct Refresh {
    pub(crate) block: u16,
    pub(crate) at: usize,
    pub(crate) question: Question,
}

impl Exchange {
    /// The deepest that questions may stand behind one question: CNAME targets, searches.
    pub const DEPTH_MAX: u8 = 10;
    /// The most UDP payload of an answer, whatever the client says that it can take.
    pub const UDP_MAX: usize = 4096;

    /// An empty exchange, to be used again and again.
    pub fn new() -> Self {
        let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let request = Request::new();
        Self {
            question: Question::new(request.asked.as_name(), request.rtype),
            request,
            reply: Reply::default(),
            client: Client { peer: nobody, local: nobody, transport: Transport::Udp },
            received: Moment::default(),
            now: Moment::default(),
            worker: 0,
            server: 0,
            zone: 0,
            service_time: Duration::ZERO,
            outgoing: None,
            rehearsal: false,
            labels: None,
            failure: None,
            failure_logged: false,
            answered_by: None,
            dropped: false,
            live: false,
            waited: false,
            unfinished: false,
            chased_target: false,
            chain_cut: false,
            depth: 0,
            rewrites: Rewrites::default(),
            memos: Memos::default(),
            again: Again::default(),
            refresh: None,
            stream: None,
            chased: [0; Self::DEPTH_MAX as usize + 1],
            block: 0,
            at: 0,
            nested: None,
            parked: None,
            recording: None,
            alert: false,
        }
    }

    /// Begins with the octets of a query.
    #[inline]
    pub fn begin(&mut self, message: &[u8], client: Client, now: Moment) -> Result<(), Reject> {
        self.request.read(message)?;
        self.client = client;
        (self.received, self.now) = (now, now);
        self.depth = 0;
        self.recording = None;
        self.begin_question();
        Ok(())
    }

    /// Begins with a question of `parent`'s, asked of the whole server on its behalf.
    pub(crate) fn begin_nested(&mut self, parent: &Self, question: &Question) {
        self.request.copy_from(&parent.request);
        self.request.asked.set(question.name());
        (self.request.rtype, self.request.class) = (question.rtype, question.class);
        self.client = parent.client;
        (self.received, self.now) = (parent.now, parent.now);
        (self.worker, self.server) = (parent.worker, parent.server);
        self.service_time = parent.service_time;
        self.rehearsal = parent.rehearsal;
        self.depth = parent.depth + 1;
        self.chased = parent.chased;
        self.recording.clone_from(&parent.recording);
        // Whoever gave up waiting for this exchange may have left it parked.
        self.parked = None;
        self.begin_question();
    }

    /// Begins again what `other` asked for `refresh`, to be given to [`crate::Router::refresh`].
    pub fn begin_refresh(&mut self, other: &Self, refresh: &Refresh) {
        self.request.copy_from(&other.request);
        self.client = other.client;
        (self.received, self.now) = (other.now, other.now);
        (self.worker, self.server) = (0, other.server);
        self.depth = other.depth;
        self.recording = None;
        self.begin_question();
        self.question = refresh.question;
        self.outgoing.clone_from(&other.outgoing);
    }

    fn begin_question(&mut self) {
        self.question.set_name(self.request.asked.as_name());
        (self.question.rtype, self.question.class) = (self.request.rtype, self.request.class);
        self.outgoing = None;
        self.labels = None;
        self.answered_by = None;
        self.dropped = false;
        self.waited = false;
        self.unfinished = false;
        self.alert = self.recording.is_some();
        self.chased_target = false;
        self.chain_cut = false;
        self.rewrites.clear();
        self.memos.clear();
        self.again.clear();
        self.refresh = None;
        self.clear_reply();
    }

    /// Forgets the reply and why there was none, so that a plugin can begin it anew.
    ///
    /// RFC 1035 §4.1.1: RD is copied; RFC 4035 §3.2.2: CD too.
    pub fn clear_reply(&mut self) {
        self.reply.clear();
        self.failure = None;
        self.failure_logged = false;
        self.live = false;
        self.stream = None;
        if self.request.opcode == Opcode::QUERY {
            self.reply.flags = self.request.flags.only(Flags::RD.with(Flags::CD));
        }
    }

    /// Ends the question with a failure: its response code, and why for clients that understand it.
    pub fn fail(&mut self, failure: Failure) -> Step {
        self.clear_reply();
        self.reply.rcode = failure.rcode();
        self.reply.options.push(OPT_EXTENDED_ERROR, &failure.extended_error().0.to_be_bytes());
        self.failure = Some(failure);
        Step::Done
    }

    /// Why the question failed, if it did.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Whether somebody has logged the failure: here, or where a question behind this one failed.
    pub fn is_failure_logged(&self) -> bool {
        self.failure_logged
    }

    /// Says that the failure is logged, so that nobody logs it again.
    pub fn failure_logged(&mut self) {
        self.failure_logged = true;
    }

    /// Marks the reply as authoritative (AA).
    pub fn authoritative(&mut self) {
        self.reply.flags = self.reply.flags.with(Flags::AA);
    }

    /// Marks the reply as live data, which no cache may keep: they change without notice and are
    /// in memory anyway.
    pub fn live(&mut self) {
        self.live = true;
    }

    /// Whether the reply holds live data.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Whether the client is to get no reply.
    pub fn is_dropped(&self) -> bool {
        self.dropped
    }

    /// Whether the answer had to be waited for.
    pub fn has_waited(&self) -> bool {
        self.waited
    }

    /// The plugin that ended the question, with the line of the Corefile that loaded it.
    pub fn answered_by(&self) -> Option<(&'static str, u32)> {
        self.answered_by
    }

    /// Says that the reply ends before the chain of CNAMEs does, because the chain is too long.
    pub fn cut_chain(&mut self) {
        self.chain_cut = true;
    }

    /// Whether a chain of CNAMEs was too long to be followed to its end.
    pub fn is_chain_cut(&self) -> bool {
        self.chain_cut
    }

    /// The exchange in which the target of this reply's last CNAME was found, if it had to be.
    pub fn target(&self) -> Option<&Self> {
        self.nested.as_deref().filter(|_| self.chased_target)
    }

    /// How many questions stand above this one; 0 for a client's own.
    pub fn depth(&self) -> u8 {
        self.depth
    }

    /// Octets of memory that its replies have come to, those set aside and those of questions behind
    /// its own included: a large one leaves them behind for good.
    pub fn reserved(&self) -> usize {
        let own = self.reply.body.reserved() + self.again.reserved();
        own + self.nested.as_deref().map_or(0, Self::reserved)
    }

    /// The time from query to now.
    ///
    /// Reading the clock would cost more than answering from memory does. So an answer that did not
    /// wait gets what its worker measured for one query of its last batch.
    pub fn elapsed(&self) -> Duration {
        if self.waited { self.now.since(self.received) } else { self.service_time }
    }

    /// Called after a wait, with the time of day.
    pub fn resumed(&mut self, now: Moment) {
        self.waited = true;
        self.now = self.now.max(now);
    }

    /// For [`crate::Plugin::response`]: the reply cannot be finished without waiting. The walk goes on
    /// in the same plugin's `resolve`, with the reply as `response` leaves it, and then up.
    ///
    /// A failure waits for nothing: if the question has failed, this does nothing.
    pub fn finish_in_resolve(&mut self) {
        self.unfinished = true;
        self.alert = true;
    }

    pub(crate) fn take_unfinished(&mut self) -> bool {
        std::mem::take(&mut self.unfinished) && self.failure.is_none()
    }

    /// Asks something else of the plugins below; undone on the way up.
    ///
    /// False if the limit of four rewrites is reached; then nothing changes.
    #[must_use]
    pub fn rewrite(&mut self, question: Question) -> bool {
        let kept = self.rewrites.push(self.at, self.question);
        if kept {
            self.question = question;
        }
        kept
    }

    pub(crate) fn undo_rewrites(&mut self, at: usize) {
        while let Some(question) = self.rewrites.pop_from(at) {
            self.question = question;
        }
    }

    /// Keeps a value for this plugin's `response`; beyond eight values of all plugins the oldest
    /// stay.
    pub fn remember(&mut self, value: u64) {
        self.memos.push(self.at, value);
    }

    /// What this plugin has kept, the latest first; each value once.
    pub fn recall(&mut self) -> Option<u64> {
        self.memos.pop_at(self.at)
    }

    /// Asks for the question of this plugin to be asked again of the plugins below, in the
    /// background, after this reply is on its way. Its `response` sees the outcome.
    pub fn refresh_later(&mut self) {
        self.refresh =
            Some(Box::new(Refresh { block: self.block, at: self.at, question: self.question }));
    }

    /// What is to be refreshed; taken by the listener once the reply is encoded.
    pub fn take_refresh(&mut self) -> Option<Box<Refresh>> {
        self.refresh.take()
    }

    /// Lets the reply take as many messages as `stream` has. The reply's own records are what plugins
    /// above see of it, and are not sent.
    ///
    /// Only a client's own question over TCP can be answered so.
    pub fn stream(&mut self, stream: Box<dyn Stream>) {
        self.stream = Some(stream);
    }

    /// The records of a reply that takes several messages; taken by the listener.
    pub fn take_stream(&mut self) -> Option<Box<dyn Stream>> {
        self.stream.take()
    }

    /// The OPT record that an upstream server is to see, if any.
    pub fn outgoing_edns(&self) -> Option<&Edns> {
        self.outgoing.as_deref().or(self.request.has_edns.then_some(&self.request.edns))
    }

    /// Changes the OPT record that upstream servers see; makes one if the client sent none.
    pub fn change_outgoing(&mut self) -> &mut Edns {
        let request = &self.request;
        self.outgoing.get_or_insert_with(|| {
            let edns = if request.has_edns { request.edns.clone() } else { Edns::default() };
            Box::new(edns)
        })
    }

    /// The most octets that this reply may take.
    ///
    /// RFC 6891 §6.2.3 and §6.2.4: without EDNS 512; with it what the client says, but not less.
    pub fn reply_limit(&self) -> usize {
        match self.client.transport {
            Transport::Tcp => MESSAGE_MAX,
            Transport::Udp if self.request.has_edns => {
                usize::from(self.request.edns.udp_size).clamp(512, Self::UDP_MAX)
            }
            Transport::Udp => 512,
        }
    }

    pub(crate) fn ended_by(&mut self, plugin: &'static str, line: u32) {
        self.answered_by = Some((plugin, line));
    }

    /// Takes over the answer to the question for the target of this reply's last CNAME, and the
    /// refresh that the answer asks for.
    pub fn absorb(&mut self, target: &mut Self) {
        self.chased_target = true;
        self.waited |= target.waited;
        self.live |= target.live;
        self.chain_cut |= target.chain_cut;
        self.now = self.now.max(target.now);
        self.refresh = self.refresh.take().or(target.refresh.take());
        match target.failure() {
            // Nobody here knows the target: the client has to find it with the CNAME alone.
            Some(failure) if failure.is_nobodys() => return,
            // That there is an alias, and where it leads, is known all the same.
            Some(Failure::NotAsked { .. }) => return self.failure.clone_from(&target.failure),
            Some(failure) => {
                self.fail(failure.clone());
                self.failure_logged = target.failure_logged;
                return;
            }
            None if target.dropped => return,
            None => {}
        }
        // RFC 6604 §3: the response code is that of the last name of the chain.
        self.reply.rcode = target.reply.rcode;
        let found = &target.reply.body;
        let body = &mut self.reply.body;
        for record in &found.answer {
            body.push_from(Section::Answer, found, record);
        }
        for record in &found.additional {
            body.push_from(Section::Additional, found, record);
        }
        // RFC 2308 §2.1, §2.2: a denial carries the SOA of the zone that denies.
        if found.authority.iter().any(|record| record.rtype == RecordType::SOA) {
            body.authority.clear();
            for record in &found.authority {
                body.push_from(Section::Authority, found, record);
            }
        }
        self.reply.flags.set(Flags::TC, target.reply.flags.has(Flags::TC));
    }

    pub(crate) fn set_dropped(&mut self) {
        self.clear_reply();
        self.dropped = true;
    }

    /// Whether the chain of CNAMEs may go on to `target`: it was not there before, and is not too
    /// long.
    pub(crate) fn chase(&mut self, target: &NameBuf) -> bool {
        let depth = usize::from(self.depth);
        if self.depth >= Self::DEPTH_MAX {
            self.cut_chain();
            return false;
        }
        self.chased[depth] = mark_of(self.question.name());
        !self.chased[..=depth].contains(&mark_of(target.as_name()))
    }
}

impl Default for Exchange {
    fn default() -> Self {
        Self::new()
    }
}

/// A mark by which a name is known again. Two names with one mark would end a chain of CNAMEs a
/// step early, which a random 64-bit mark does once in ages.
fn mark_of(name: Name<'_>) -> u64 {
    // FNV-1a over the lowered octets.
    name.octets().iter().fold(0xcbf2_9ce4_8422_2325, |mark, octet| {
        (mark ^ u64::from(octet.to_ascii_lowercase())).wrapping_mul(0x100_0000_01b3)
    })
}
