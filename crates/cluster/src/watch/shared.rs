//! What the tasks of one watch share.

use super::connect::{self, ConnectError};
use super::recovery::Recovery;
use super::restore::Origin;
use super::settings::Settings;
use super::status::Status;
use crate::cluster::Cluster;
use crate::model::Model;
use crate::objects::Event;
use jiff::Timestamp;
use kube::Client;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::Instant;

/// What the tasks of one watch share.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) cluster: Arc<Cluster>,
    pub(super) status: Status,
    /// What a snapshot needs to know of the API server.
    pub(super) origin: Origin,
    /// The number of the history that the API server tells, see `history`.
    pub(super) era: watch::Sender<u64>,
    pub(super) recovery: Recovery,
    /// Held while a batch is applied, never across a wait.
    model: Mutex<Model>,
    client: Mutex<Client>,
    /// Until then the API server is not asked for streaming lists.
    paged_until: Mutex<Option<Instant>>,
    synced: watch::Sender<bool>,
    programmed: Box<dyn Fn(Duration) + Send + Sync>,
}

impl Shared {
    pub(super) fn new(
        settings: Settings,
        client: Client,
        synced: watch::Sender<bool>,
        programmed: Box<dyn Fn(Duration) + Send + Sync>,
    ) -> Self {
        let model = Model::new(settings.kinds).keeping(settings.details);
        let model = if settings.gateway { model.of_gateways() } else { model };
        Self {
            settings,
            cluster: model.cluster().clone(),
            status: Status::default(),
            origin: Origin::default(),
            era: watch::channel(0).0,
            recovery: Recovery::default(),
            model: Mutex::new(model),
            client: Mutex::new(client),
            paged_until: Mutex::new(None),
            synced,
            programmed,
        }
    }

    /// Takes a page of a list; it becomes visible by and by.
    pub(super) fn apply_page(&self, events: impl IntoIterator<Item = Event>) {
        self.model.lock().unwrap_or_else(PoisonError::into_inner).apply_page(events, unix_time());
    }

    /// Makes events visible. Gives back when the changes of headless services were triggered.
    pub(super) fn apply(&self, events: impl IntoIterator<Item = Event>) -> Vec<Timestamp> {
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = model.apply(events, unix_time());
        drop(model);
        self.tell_if_synced();
        changes.triggered
    }

    pub(super) fn tell_if_synced(&self) {
        if self.cluster.is_listed() {
            self.origin.note_listed();
        }
        if self.cluster.is_synced() {
            self.synced.send_if_modified(|synced| !std::mem::replace(synced, true));
        }
    }

    pub(super) fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports how long changes took that are visible now.
    pub(super) fn observe(&self, triggered: &[Timestamp]) {
        let now = Timestamp::now();
        for &at in triggered {
            // A clock that runs behind the cluster's would make the duration negative.
            (self.programmed)(Duration::try_from(now.duration_since(at)).unwrap_or_default());
        }
    }

    /// Whether the API server may be asked for a streaming list.
    pub(super) fn may_stream(&self) -> bool {
        let until = *self.paged_until.lock().unwrap_or_else(PoisonError::into_inner);
        self.settings.transfer.streaming && until.is_none_or(|until| until <= Instant::now())
    }

    /// The API server has refused a streaming list. Whether this is news.
    pub(super) fn note_streaming_refused(&self) -> bool {
        let is_news = self.may_stream();
        let until = Instant::now() + self.settings.timing.streaming_retry;
        *self.paged_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        is_news
    }

    pub(super) fn client(&self) -> Client {
        self.client.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the credentials anew.
    pub(super) fn renew_client(&self) -> Result<(), ConnectError> {
        let client = connect::client(&self.settings.server)?;
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = client;
        Ok(())
    }
}

/// Unix time in seconds, as serials have it.
pub(super) fn unix_time() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as u32
}
