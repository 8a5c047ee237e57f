//! What readers see of a cluster.

use crate::address::Address;
use crate::gateway::host::Host;
use crate::model::Label;
use crate::model::entry::Entry;
use crate::model::external::PackedExternal;
use crate::model::pod::PackedPod;
use crate::model::table::Table;
use crate::objects::{Kind, Kinds};
use foldhash::quality::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The names and addresses of a cluster, as they are now.
///
/// Shared by the one [`crate::Model`] that changes it and by any number of readers. A look-up
/// takes no lock and allocates nothing; it may see one change of the cluster and not yet another,
/// but never half of a service.
pub struct Cluster {
    /// Seeded: the names are chosen by whoever may create a service.
    hasher: RandomState,
    pub(crate) entries: Table<Entry>,
    /// The places of the entries that an address leads back to.
    pub(crate) addresses: Table<u64>,
    /// Services that are reached from outside.
    pub(crate) external: Table<PackedExternal>,
    /// The places of those that an address from outside leads back to.
    pub(crate) external_addresses: Table<u64>,
    external_serial: AtomicU32,
    /// Services of other clusters.
    pub(crate) imports: Table<Entry>,
    pub(crate) namespaces: Table<Label>,
    pub(crate) pods: Table<PackedPod>,
    /// What [`crate::gateway`] answers from.
    pub(crate) hosts: Table<Host>,
    serial: AtomicU32,
    imports_serial: AtomicU32,
    listed: AtomicU16,
    /// Whether a snapshot says what all of it is.
    restored: AtomicBool,
    awaited: Kinds,
    /// Held by who publishes, and by who wants to see all of it at one moment. No answer takes it.
    publishing: Mutex<()>,
}

impl Cluster {
    pub(crate) fn new(awaited: Kinds) -> Self {
        Self {
            hasher: RandomState::default(),
            entries: Table::new(),
            addresses: Table::new(),
            external: Table::new(),
            external_addresses: Table::new(),
            external_serial: AtomicU32::new(0),
            imports: Table::new(),
            namespaces: Table::new(),
            pods: Table::new(),
            hosts: Table::new(),
            serial: AtomicU32::new(0),
            imports_serial: AtomicU32::new(0),
            listed: AtomicU16::new(0),
            restored: AtomicBool::new(false),
            awaited,
            publishing: Mutex::new(()),
        }
    }

    /// Whether all of the cluster is known: listed once, or restored from a snapshot that may deny
    /// names. Stays true after a list: what is known is answered from however long the API server
    /// is away.
    #[inline]
    pub fn is_synced(&self) -> bool {
        self.is_listed() || self.restored.load(Ordering::Acquire)
    }

    /// Whether every kind that is awaited has been listed once.
    #[inline]
    pub fn is_listed(&self) -> bool {
        Kinds::from_bits(self.listed.load(Ordering::Acquire)).has_all(self.awaited)
    }

    pub(crate) fn has_listed(&self, kind: Kind) -> bool {
        Kinds::from_bits(self.listed.load(Ordering::Acquire)).has(kind)
    }

    /// The SOA serial: Unix time of the last change of a service's records; zero before the first.
    pub fn serial(&self) -> u32 {
        self.serial.load(Ordering::Relaxed)
    }

    /// The same for the ways in which services are reached from outside of the cluster.
    pub(crate) fn external_serial(&self) -> u32 {
        self.external_serial.load(Ordering::Relaxed)
    }

    /// Keeps the cluster as it is for as long as the guard lives.
    pub(crate) fn hold(&self) -> MutexGuard<'_, ()> {
        self.publishing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for services of other clusters.
    pub(crate) fn imports_serial(&self) -> u32 {
        self.imports_serial.load(Ordering::Relaxed)
    }

    pub(crate) fn set_listed(&self, kind: Kind) {
        // Release: who sees this bit sees the objects that were listed.
        self.listed.fetch_or(Kinds::none().with(kind).bits(), Ordering::Release);
    }

    pub(crate) fn set_restored(&self, restored: bool) {
        // Release: as for what is listed.
        self.restored.store(restored, Ordering::Release);
    }

    /// A clock that is set back does not take the serial with it.
    pub(crate) fn move_serial(&self, now: u32) {
        self.serial.fetch_max(now, Ordering::Relaxed);
    }

    /// The same for the serial of what is seen outside.
    pub(crate) fn move_external_serial(&self, now: u32) {
        self.external_serial.fetch_max(now, Ordering::Relaxed);
    }

    /// The same for the serial of imports.
    pub(crate) fn move_imports_serial(&self, now: u32) {
        self.imports_serial.fetch_max(now, Ordering::Relaxed);
    }

    /// The hash of a key in these tables.
    #[inline]
    pub(crate) fn place(&self, key: impl Hash) -> u64 {
        self.hasher.hash_one(key)
    }

    /// What `look` makes of the service with this key: the labels of service and namespace in
    /// wire form and lower case.
    #[inline]
    pub(crate) fn entry<R>(&self, key: &[u8], mut look: impl FnMut(&Entry) -> R) -> Option<R> {
        self.entries.find(self.place(key), |entry| (entry.key() == key).then(|| look(entry)))
    }

    /// The same for a service of other clusters.
    pub(crate) fn import<R>(&self, key: &[u8], mut look: impl FnMut(&Entry) -> R) -> Option<R> {
        self.imports.find(self.place(key), |entry| (entry.key() == key).then(|| look(entry)))
    }

    /// Shows `look` every entry that may have this address.
    pub(crate) fn each_holder(&self, address: Address, mut look: impl FnMut(&Entry)) {
        self.addresses.each(self.place(address), |&place| {
            self.entries.each(place, |entry| look(entry));
        });
    }

    /// What `look` makes of the service with this key, if it is reached from outside.
    #[inline]
    pub(crate) fn external<R>(
        &self,
        key: &[u8],
        mut look: impl FnMut(&PackedExternal) -> R,
    ) -> Option<R> {
        let look = |it: &PackedExternal| (it.key() == key).then(|| look(it));
        self.external.find(self.place(key), look)
    }

    /// Shows `look` every service that may be reached at this address from outside.
    pub(crate) fn each_external(&self, address: Address, mut look: impl FnMut(&PackedExternal)) {
        self.external_addresses.each(self.place(address), |&place| {
            self.external.each(place, |service| look(service));
        });
    }

    /// Whether there is a namespace with this label in lower case.
    pub(crate) fn has_namespace(&self, label: &[u8]) -> bool {
        let is_it = |known: &Label| (**known == *label).then_some(());
        self.namespaces.find(self.place(label), is_it).is_some()
    }

    /// Whether a pod of the namespace has this address.
    pub(crate) fn has_pod(&self, namespace: &[u8], address: Address) -> bool {
        let is_it = |pod: &PackedPod| {
            (pod.address() == address && pod.namespace() == namespace).then_some(())
        };
        self.pods.find(self.place(address), is_it).is_some()
    }
}
