//! The same questions to two sides.

use super::changes::Changes;
use super::outcome::{End, Heed, Outcome};
use super::questions::{Asked, Questions};
use super::rehearsal::{Asking, Rehearsal, To};
use super::remote::Remote;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Interval, MissedTickBehavior};

/// The most questions that wait for other servers at once.
const WAITING_MAX: usize = 64;

/// One of the two.
#[derive(Clone)]
pub(crate) enum Side {
    /// A configuration in this process.
    Here(Arc<Rehearsal>),
    /// A server that runs.
    There(Arc<Remote>),
}

/// What is to be compared, and how.
pub(crate) struct Trial {
    pub(crate) old: Side,
    pub(crate) new: Side,
    pub(crate) questions: Questions,
    /// Who asks what no log tells the client of.
    pub(crate) client: IpAddr,
    pub(crate) heed: Heed,
    /// Whether answers lead to more questions.
    pub(crate) follows: bool,
    /// The listener that is meant; none for all that a side has.
    pub(crate) listener: Option<SocketAddr>,
    /// The most questions a second, if servers are asked.
    pub(crate) rate: u32,
}

impl Side {
    /// What it is called.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Here(rehearsal) => rehearsal.name().to_owned(),
            Self::There(remote) => remote.address.to_string(),
        }
    }

    /// The outcome, if that needs no waiting.
    fn ask_memory(&self, to: &To<'_>, asking: &mut Asking) -> Option<Outcome> {
        match self {
            Self::Here(rehearsal) => rehearsal.ask_memory(to, asking),
            Self::There(_) => None,
        }
    }

    async fn ask(&self, to: &To<'_>) -> Outcome {
        match self {
            Self::Here(rehearsal) => rehearsal.ask(to).await,
            Self::There(remote) => remote.ask(to.asked, to.heed).await,
        }
    }
}

impl Trial {
    /// Asks everything, and tells what differs.
    pub(crate) async fn run(mut self) -> Changes {
        let listeners = self.listeners();
        let mut changes = Changes::new(self.old.name(), self.new.name(), listeners.len() > 1);
        let mut asking = Asking::default();
        let mut waiting = JoinSet::new();
        let mut pace = self.pace();
        let mut place = 0;
        loop {
            while let Some(asked) = self.questions.get(place).cloned() {
                place += 1;
                for &address in &listeners {
                    if let Some(pair) = self.ask_memory(&asked, address, &mut asking) {
                        self.note(&mut changes, pair);
                        continue;
                    }
                    if waiting.len() >= WAITING_MAX {
                        self.take(&mut changes, waiting.join_next().await);
                    }
                    if waiting.is_empty() {
                        // Time in which nobody was asked does not count.
                        pace.reset_immediately();
                    }
                    pace.tick().await;
                    waiting.spawn(self.asking(asked.clone(), address));
                }
            }
            // What comes in late may lead to more questions.
            if !self.take(&mut changes, waiting.join_next().await) {
                break;
            }
        }
        changes.finish(&self.questions);
        changes
    }

    /// Every address that some side listens on, or the one that is meant.
    fn listeners(&self) -> Vec<SocketAddr> {
        let mut addresses = BTreeSet::new();
        for side in [&self.old, &self.new] {
            if let Side::Here(rehearsal) = side {
                addresses.extend(rehearsal.addresses());
            }
        }
        match self.listener {
            Some(meant) => vec![meant],
            None => addresses.into_iter().collect(),
        }
    }

    fn pace(&self) -> Interval {
        let period = Duration::from_secs(1) / self.rate.max(1);
        let mut pace = tokio::time::interval(period);
        pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
        pace
    }

    /// Both outcomes, if they need no waiting.
    fn ask_memory(&self, asked: &Asked, address: SocketAddr, asking: &mut Asking) -> Option<Pair> {
        let to = To { asked, address, client: self.client_of(asked), heed: self.heed };
        let old = self.old.ask_memory(&to, asking)?;
        let new = self.new.ask_memory(&to, asking)?;
        Some(Pair { asked: asked.clone(), address, old: Some(old), new })
    }

    /// Both outcomes, however long they take.
    fn asking(
        &self,
        asked: Asked,
        address: SocketAddr,
    ) -> impl Future<Output = Pair> + Send + 'static {
        let (old, new, heed) = (self.old.clone(), self.new.clone(), self.heed);
        let client = self.client_of(&asked);
        async move {
            let to = To { asked: &asked, address, client, heed };
            let new = new.ask(&to).await;
            // What our side would hand on cannot be compared with what a server says.
            let is_skipped = matches!((&old, &new.end), (Side::There(_), End::Asks(_)));
            let old = if is_skipped { None } else { Some(old.ask(&to).await) };
            Pair { asked, address, old, new }
        }
    }

    /// Who asks: whoever asked most, if a log tells.
    fn client_of(&self, asked: &Asked) -> IpAddr {
        asked.askers.clients().first().copied().unwrap_or(self.client)
    }

    /// Notes what a question that waited came to; false if none waits any more.
    fn take(&mut self, changes: &mut Changes, joined: Option<Result<Pair, JoinError>>) -> bool {
        match joined {
            Some(Ok(pair)) => self.note(changes, pair),
            Some(Err(_)) => changes.count_lost(),
            None => return false,
        }
        true
    }

    fn note(&mut self, changes: &mut Changes, pair: Pair) {
        if self.follows {
            let old = pair.old.iter().flat_map(|old| &old.leads);
            for (name, rtype) in old.chain(&pair.new.leads) {
                self.questions.add(name.as_name(), *rtype);
            }
        }
        changes.note(pair);
    }
}

/// What came of a question on both sides.
pub(crate) struct Pair {
    pub(crate) asked: Asked,
    pub(crate) address: SocketAddr,
    /// None if there was nothing to compare.
    pub(crate) old: Option<Outcome>,
    pub(crate) new: Outcome,
}
