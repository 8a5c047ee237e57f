//! Which server block serves a question.

use crate::exchange::Refresh;
use crate::walk::Walk;
use crate::{Chain, Ended, Exchange, Failure, Ticket, What};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use wire::{Class, Name, Question, RecordType};

/// All blocks behind one listener: one built configuration, immutable.
pub struct Router {
    server: u16,
    name: Arc<str>,
    blocks: Box<[Block]>,
    by_zone: HashMap<Box<[u8]>, u16, foldhash::fast::RandomState>,
    /// Bit n is set if some zone has n labels.
    label_counts: u128,
    /// The most labels of a zone.
    labels_max: usize,
    /// The block of the root.
    root: Option<u16>,
    all_classes: bool,
    outside: Chain,
    panics: Arc<AtomicU64>,
}

/// A zone and the chain that serves it. The keys of one server block share their chain.
pub struct Block {
    /// The zone, in lower case.
    pub zone: wire::NameBuf,
    /// The zone's index among all zones of the configuration, see [`Exchange::zone`].
    pub zone_index: u16,
    /// The plugins.
    pub chain: Arc<Chain>,
}

impl Router {
    /// The blocks of the listener `name` (`dns://:53`), which is the `server`th of them.
    ///
    /// A zone that appears twice is served by the first block that has it.
    pub fn new(server: u16, name: Arc<str>, blocks: Vec<Block>, panics: Arc<AtomicU64>) -> Self {
        let mut by_zone: HashMap<Box<[u8]>, u16, _> = HashMap::default();
        let mut label_counts: u128 = 0;
        for (index, block) in blocks.iter().enumerate() {
            let zone = block.zone.as_name();
            by_zone.entry(zone.octets().into()).or_insert(index as u16);
            label_counts |= 1 << zone.label_count();
        }
        Self {
            server,
            name,
            blocks: blocks.into(),
            labels_max: label_counts.checked_ilog2().unwrap_or(0) as usize,
            root: by_zone.get(Name::ROOT.octets()).copied(),
            by_zone,
            label_counts,
            all_classes: false,
            outside: Chain::new(Vec::new()),
            panics,
        }
    }

    /// Lets questions of classes other than IN into the chains, as `chaos` and `forward` need it.
    #[must_use]
    pub fn with_all_classes(mut self, all: bool) -> Self {
        self.all_classes = all;
        self
    }

    /// Amenders (metrics) for questions that no block serves; only their `response` is called.
    #[must_use]
    pub fn with_outside(mut self, chain: Chain) -> Self {
        self.outside = chain;
        self
    }

    /// The listener's name, as metrics and log have it: `dns://:53`.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The blocks in the order of the Corefile.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Answers from memory, or says what to wait for.
    ///
    /// A panic of a plugin costs one SERVFAIL and is counted.
    pub fn answer(&self, x: &mut Exchange) -> Ended {
        x.server = self.server;
        match catch_unwind(AssertUnwindSafe(|| self.walk(x))) {
            Ok(ended) => ended,
            Err(_) => self.panicked(x),
        }
    }

    /// Goes on with an exchange that had to wait.
    ///
    /// The future may be dropped when the time for an answer is over; the exchange can then be
    /// failed and replied to.
    pub fn resume<'a>(
        &'a self,
        x: &'a mut Exchange,
        ticket: Ticket,
    ) -> Pin<Box<dyn Future<Output = Ended> + Send + 'a>> {
        Box::pin(async move {
            let walk = self.walk_of(ticket.block);
            match guard(walk.finish(x, 0, ticket)).await {
                Some(ended) => ended,
                None => self.panicked(x),
            }
        })
    }

    /// Fails an exchange that waits, and brings it back up from where it was first parked.
    pub fn abandon(&self, x: &mut Exchange, ticket: Ticket, failure: &Failure) -> Ended {
        let walk = self.walk_of(ticket.block);
        let abandoned = catch_unwind(AssertUnwindSafe(|| {
            let mut at = ticket.way_up();
            loop {
                x.fail(failure.clone());
                x.happened(What::Failed);
                match walk.up(x, 0, at) {
                    // A plugin had another reply, and one above it would wait to finish that.
                    Ended::Waiting(ticket) => at = ticket.way_up(),
                    ended => return ended,
                }
            }
        }));
        match abandoned {
            Ok(ended) => ended,
            Err(_) => self.panicked(x),
        }
    }

    /// Tells the plugins that count replies how that of a client's question left: in `octets`
    /// octets, 0 for silence. The listener calls it once for each question that it gave to
    /// [`Router::answer`], when the reply is encoded.
    pub fn replied(&self, x: &Exchange, octets: usize) {
        let chain = match x.zone {
            Self::OUTSIDE => &self.outside,
            _ => &self.blocks[usize::from(x.block)].chain,
        };
        if catch_unwind(AssertUnwindSafe(|| chain.replied(x, octets))).is_err() {
            self.panics.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Asks again what `refresh` says, with `x`, which [`Exchange::begin_refresh`] has begun.
    ///
    /// Nobody gets the reply; the plugin that wanted it has seen it on its way up.
    pub async fn refresh(&self, x: &mut Exchange, refresh: &Refresh) {
        // The target of a CNAME may lie in another block than the question that led to it.
        x.block = refresh.block;
        x.zone = self.blocks[usize::from(refresh.block)].zone_index;
        let walk = self.walk_of(refresh.block);
        let below = async {
            match walk.down(x, refresh.at, refresh.at + 1) {
                Ended::Waiting(ticket) => walk.finish(x, refresh.at, ticket).await,
                ended => ended,
            }
        };
        if guard(below).await.is_none() {
            let _ = self.panicked(x);
        }
    }

    pub(crate) fn walk(&self, x: &mut Exchange) -> Ended {
        if x.question.class != Class::IN && !self.all_classes {
            x.asked(self, None);
            return self.refuse(x, Failure::ClassNotServed);
        }
        let found = self.find(&x.question);
        x.asked(self, found);
        let Some(block) = found else {
            return self.refuse(x, Failure::NoBlock);
        };
        x.block = block;
        x.zone = self.blocks[usize::from(block)].zone_index;
        self.walk_of(block).down(x, 0, 0)
    }

    fn walk_of(&self, block: u16) -> Walk<'_> {
        let chain = &self.blocks[usize::from(block)].chain;
        Walk { router: self, chain, block }
    }

    fn refuse(&self, x: &mut Exchange, failure: Failure) -> Ended {
        x.zone = Self::OUTSIDE;
        x.fail(failure);
        x.happened(What::Failed);
        // Those who count what nobody serves have no place in a block.
        let recording = x.recording.take();
        let walk = Walk { router: self, chain: &self.outside, block: 0 };
        let ended = walk.up(x, 0, self.outside.links().len());
        x.recording = recording;
        ended
    }

    fn panicked(&self, x: &mut Exchange) -> Ended {
        self.panics.fetch_add(1, Ordering::Relaxed);
        // If those who look at such replies panic too, the reply is there all the same.
        let refused = catch_unwind(AssertUnwindSafe(|| self.refuse(x, Failure::Panicked)));
        refused.unwrap_or(Ended::Reply)
    }

    /// The block with the longest zone that the name is in.
    fn find(&self, question: &Question) -> Option<u16> {
        let name = question.name();
        let mut labels = name.label_count();
        // Most servers have one zone, the root: nothing of the name needs to be looked at.
        let mut zone = name.skip_labels(labels.saturating_sub(self.labels_max));
        labels = labels.min(self.labels_max);
        let mut remembered = None;
        while let Some(apex) = zone {
            if let Some(block) = self.block_of(apex, labels) {
                // RFC 4035 §3.1.4.1: the DS record of a zone lies in the zone above.
                if question.rtype != RecordType::DS || apex.len() < name.len() {
                    return Some(block);
                }
                remembered = Some(block);
            }
            zone = apex.parent();
            labels = labels.saturating_sub(1);
        }
        remembered
    }

    /// The block of this very zone, which has so many labels.
    fn block_of(&self, zone: Name<'_>, labels: usize) -> Option<u16> {
        match labels {
            0 => self.root,
            _ if self.label_counts & (1 << labels) == 0 => None,
            _ => self.by_zone.get(zone.octets()).copied(),
        }
    }

    /// The zone index of questions that no block serves.
    pub const OUTSIDE: u16 = u16::MAX;
}

/// The zone that serves a name, for those who only want to know that.
impl Router {
    /// The zone of the block that serves `name`, if any does.
    pub fn zone_of(&self, name: Name<'_>) -> Option<Name<'_>> {
        let block = self.find(&Question::new(name, RecordType::A))?;
        Some(self.blocks[usize::from(block)].zone.as_name())
    }
}

/// For those who want to know why.
impl Router {
    /// The blocks whose zones `name` lies in, as indices, the longest zone first. Of two blocks with
    /// one zone only the first is ever asked.
    pub fn covering(&self, name: Name<'_>) -> Vec<u16> {
        let blocks = (0..).zip(&self.blocks);
        let covers = |(_, block): &(u16, &Block)| name.is_at_or_below(block.zone.as_name());
        let mut found: Vec<u16> = blocks.filter(covers).map(|(index, _)| index).collect();
        let labels = |index: &u16| self.blocks[usize::from(*index)].zone.as_name().label_count();
        found.sort_by_key(|index| std::cmp::Reverse(labels(index)));
        found
    }
}

/// Awaits `future`; none if it panics.
async fn guard<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}
