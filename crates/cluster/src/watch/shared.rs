//! What the tasks of one watch share.

use super::connect::{self, ConnectError};
use super::settings::Settings;
use super::status::Status;
use crate::cluster::Cluster;
use crate::model::Model;
use crate::objects::Event;
use jiff::Timestamp;
use kube::Client;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// What the tasks of one watch share.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) cluster: Arc<Cluster>,
    pub(super) status: Status,
    /// Held while a batch is applied, never across a wait.
    model: Mutex<Model>,
    client: Mutex<Client>,
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
        let model = Model::new(settings.kinds);
        let model = if settings.gateway { model.of_gateways() } else { model };
        Self {
            settings,
            cluster: model.cluster().clone(),
            status: Status::default(),
            model: Mutex::new(model),
            client: Mutex::new(client),
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
        if self.cluster.is_synced() {
            self.synced.send_if_modified(|synced| !std::mem::replace(synced, true));
        }
        changes.triggered
    }

    /// Reports how long changes took that are visible now.
    pub(super) fn observe(&self, triggered: &[Timestamp]) {
        let now = Timestamp::now();
        for &at in triggered {
            // A clock that runs behind the cluster's would make the duration negative.
            (self.programmed)(Duration::try_from(now.duration_since(at)).unwrap_or_default());
        }
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
fn unix_time() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as u32
}
