//! A watch and its snapshot: what is written, whether one is needed, and how it comes back.

use super::encoding::Encoded;
use super::shared::{Shared, unix_time};
use super::{LOG, Watch, connect};
use crate::model::Contents;
use crate::objects::{Key, Kind, Object};
use crate::snapshot::{Head, Unusable, identity};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::timeout;

/// How long an API server may take to answer anything before a snapshot takes its place.
const GRACE: Duration = Duration::from_millis(100);
/// How long one that answers may take until everything is listed.
const PATIENCE: Duration = Duration::from_secs(3);
/// Objects that are restored at once; the lists wait meanwhile.
const BATCH_LEN: usize = 500;

/// How the API server has met us since the start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub(super) enum Contact {
    /// Not at all yet.
    #[default]
    None,
    /// It has answered a request.
    Answers,
    /// It has failed one; a list will come later than it could.
    Fails,
}

/// What a snapshot needs to know of the API server.
pub(super) struct Origin {
    contact: watch::Sender<Contact>,
    /// Whether everything has been listed.
    listed: watch::Sender<bool>,
    /// Whether there is something of a snapshot.
    is_restored: AtomicBool,
    clusters: Mutex<Clusters>,
}

/// The uids of the namespace `kube-system`.
#[derive(Default)]
struct Clusters {
    /// As the API server tells it.
    seen: Option<String>,
    /// As the snapshot has it that answers come from.
    restored: Option<String>,
    /// They were different: what was restored has been dropped.
    is_foreign: bool,
}

impl Default for Origin {
    fn default() -> Self {
        Self {
            contact: watch::channel(Contact::None).0,
            listed: watch::channel(false).0,
            is_restored: AtomicBool::new(false),
            clusters: Mutex::default(),
        }
    }
}

impl Origin {
    pub(super) fn note(&self, contact: Contact) {
        self.contact.send_if_modified(|known| {
            let is_news = *known < contact;
            *known = contact.max(*known);
            is_news
        });
    }

    pub(super) fn note_listed(&self) {
        self.listed.send_if_modified(|listed| !std::mem::replace(listed, true));
    }

    fn clusters(&self) -> MutexGuard<'_, Clusters> {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when nothing is to be expected of the API server soon.
    async fn is_no_good(&self) {
        let mut contact = self.contact.subscribe();
        // The sender lives as long as `self`.
        if timeout(GRACE, contact.wait_for(|it| *it != Contact::None)).await.is_ok() {
            let _ = timeout(PATIENCE, contact.wait_for(|it| *it == Contact::Fails)).await;
        }
    }
}

impl Shared {
    /// Looks whether this is the object that says which cluster this is.
    pub(super) fn note_cluster(&self, key: &Key, object: Encoded<'_>) {
        if key.kind != Kind::Namespace || key.name != "kube-system" {
            return;
        }
        let Some(uid) = object.uid() else { return };
        let mut clusters = self.origin.clusters();
        clusters.seen = Some(uid);
        self.forget_if_foreign(&mut clusters);
    }

    /// Drops what was restored if it is of another cluster.
    fn forget_if_foreign(&self, clusters: &mut Clusters) {
        let Clusters { seen: Some(seen), restored: Some(restored), is_foreign } = clusters else {
            return;
        };
        if seen != restored && !std::mem::replace(is_foreign, true) {
            self.model().forget_restored(unix_time());
            self.origin.is_restored.store(false, Ordering::Relaxed);
            tracing::error!(
                target: LOG,
                "the snapshot is of another cluster, and dropped: its namespace kube-system has \
                 the uid {restored}, and here it is {seen}"
            );
        }
    }
}

impl Watch {
    /// The head of a snapshot of now. Where the API server has not told everything yet, it says
    /// what the head of one must be that can stand for it.
    pub fn head(&self) -> Head {
        let settings = self.settings();
        let heard = Kind::ALL.into_iter().filter(|kind| settings.kinds.has(*kind));
        let heard = heard.map(|kind| self.status().heard(kind)).min().flatten();
        let since = heard.and_then(|heard| heard.duration_since(UNIX_EPOCH).ok());
        Head {
            settings: identity(settings),
            server: connect::url(&settings.server).unwrap_or_default(),
            cluster: self.shared.origin.clusters().seen.clone(),
            taken: since.unwrap_or_default().as_secs(),
            serial: self.cluster().serial(),
        }
    }

    /// What is known now; none before the API server has told everything.
    pub fn contents(&self) -> Option<Contents> {
        self.cluster().is_listed().then(|| self.shared.model().contents())
    }

    /// Another number for each state of what [`Watch::contents`] gives.
    pub fn revision(&self) -> u64 {
        self.shared.model().revision()
    }

    /// Waits until it is clear whether a snapshot is needed: not if everything is listed, but if
    /// the API server fails, or makes us wait.
    pub async fn needs_snapshot(&self) -> bool {
        tokio::select! {
            biased;
            () = self.synced() => false,
            () = self.shared.origin.is_no_good() => true,
        }
    }

    /// Takes what a snapshot says, as far as the API server has not told it; gives how many objects
    /// there were. Blocks while it reads.
    ///
    /// With `may_deny` the cluster counts as known from then on. A snapshot that proves unusable
    /// leaves nothing behind.
    pub fn restore(
        &self,
        head: &Head,
        objects: impl Iterator<Item = Result<Object, Unusable>>,
        may_deny: bool,
    ) -> Result<usize, Unusable> {
        head.check(&self.head())?;
        self.shared.origin.clusters().restored.clone_from(&head.cluster);
        // A serial from the future would stand still until then.
        let serial = head.serial.min(unix_time());
        let restored = self.restore_objects(serial, objects);
        let mut clusters = self.shared.origin.clusters();
        if restored.is_err() || clusters.is_foreign {
            self.shared.model().forget_restored(unix_time());
        } else {
            self.shared.model().finish_restoring(serial, may_deny);
            self.shared.origin.is_restored.store(true, Ordering::Relaxed);
            self.shared.forget_if_foreign(&mut clusters);
        }
        drop(clusters);
        self.shared.tell_if_synced();
        restored
    }

    fn restore_objects(
        &self,
        serial: u32,
        mut objects: impl Iterator<Item = Result<Object, Unusable>>,
    ) -> Result<usize, Unusable> {
        let mut count = 0;
        loop {
            let batch: Vec<_> = objects.by_ref().take(BATCH_LEN).collect::<Result<_, _>>()?;
            if batch.is_empty() {
                return Ok(count);
            }
            count += batch.len();
            self.shared.model().restore(batch, serial);
        }
    }

    /// Whether answers come from a snapshot, in part at least.
    pub fn is_restored(&self) -> bool {
        self.shared.origin.is_restored.load(Ordering::Relaxed) && !self.cluster().is_listed()
    }

    /// Waits until the API server has told everything.
    pub async fn listed(&self) {
        // The sender lives as long as `self`.
        let _ = self.shared.origin.listed.subscribe().wait_for(|listed| *listed).await;
    }

    /// Whether a snapshot was dropped because the API server proved to be that of another cluster.
    pub fn has_dropped_snapshot(&self) -> bool {
        self.shared.origin.clusters().is_foreign
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test]
    async fn an_api_server_that_answers_is_waited_for() {
        let (silent, begun) = (Origin::default(), Instant::now());
        silent.is_no_good().await;
        assert!(begun.elapsed() >= GRACE);

        let origin = Origin::default();
        origin.note(Contact::Answers);
        let answered = timeout(GRACE * 2, origin.is_no_good()).await;
        assert!(answered.is_err(), "it has more patience with one that answers");
        origin.note(Contact::Fails);
        origin.note(Contact::Answers);
        let failed = timeout(PATIENCE / 2, origin.is_no_good()).await;
        assert!(failed.is_ok(), "a list that failed comes late, whatever else is answered");
    }
}
