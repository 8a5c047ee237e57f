//! Services and their slices as the writer holds them, under their common names.

use super::entry::{Entry, PackedService, pack_service};
use super::holdings::{Holdings, Keyed, Told};
use super::slice::PackedSlice;
use super::table::{Edit, Table};
use crate::address::Address;
use crate::cluster::Cluster;
use crate::objects::Service;

/// Services and their slices: those of this cluster, or those that others have exported.
pub(super) struct Services {
    entries: Holdings<Entry>,
    slices: Holdings<PackedSlice>,
    /// Keys of entries that may have changed since they were published.
    touched: Vec<Box<[u8]>>,
}

/// What there was at one moment.
pub(super) struct ServicesContents {
    pub(super) entries: Vec<Entry>,
    pub(super) slices: Vec<PackedSlice>,
}

impl Services {
    pub(super) fn new() -> Self {
        Self { entries: Holdings::new(), slices: Holdings::new(), touched: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many may have changed since they were published.
    pub(super) fn touched(&self) -> usize {
        self.touched.len()
    }

    pub(super) fn find(&self, key: &[u8]) -> Option<&Entry> {
        self.entries.find((key, &[]))
    }

    /// Gives back its key.
    pub(super) fn put_service(&mut self, service: &Service) -> Box<[u8]> {
        let key = entry_key(service.name.as_bytes(), service.namespace.as_bytes());
        let packed = pack_service(service);
        self.change_entry(&key, |entry| {
            let known = entry.service().map(PackedService::octets);
            (known != Some(&packed)).then(|| entry.with_service(Some(&packed)))
        });
        self.entries.mark((&key, &[]));
        key
    }

    pub(super) fn drop_service(&mut self, key: &[u8]) {
        self.change_entry(key, |entry| entry.service().is_some().then(|| entry.with_service(None)));
    }

    /// The key of the entry that the slice belongs to, if this changes it.
    pub(super) fn put_slice(&mut self, slice: &PackedSlice) -> Option<Box<[u8]>> {
        let old = match self.slices.tell(slice.clone()) {
            Told::Known => return None,
            Told::New => None,
            Told::Replaced(old) => Some(old),
        };
        let key = slice_entry_key(slice);
        // The slice's label may have changed, and with it the service that it belongs to.
        let moved = old.as_ref().filter(|old| slice_entry_key(old) != key);
        if let Some(old) = moved {
            self.change_entry(&slice_entry_key(old), |entry| {
                Some(entry.with_slice(Some(old), None))
            });
        }
        self.change_entry(&key, |entry| Some(entry.with_slice(old.as_ref(), Some(slice))));
        Some(key)
    }

    pub(super) fn drop_slice(&mut self, key: (&[u8], &[u8])) {
        let Some(old) = self.slices.remove(key) else { return };
        self.change_entry(&slice_entry_key(&old), |entry| Some(entry.with_slice(Some(&old), None)));
    }

    /// A relist of the services begins.
    pub(super) fn begin(&mut self) {
        self.entries.begin();
    }

    /// A relist of the slices begins.
    pub(super) fn begin_slices(&mut self) {
        self.slices.begin();
    }

    /// The services that the relist has not told.
    pub(super) fn stale(&self) -> Vec<Entry> {
        self.entries.stale()
    }

    /// Drops the slices that the relist has not told.
    pub(super) fn end_slices(&mut self) {
        for slice in self.slices.stale() {
            self.drop_slice(slice.identity());
        }
    }

    /// Replaces an entry by what `change` makes of it, if it makes something.
    fn change_entry(&mut self, key: &[u8], change: impl FnOnce(&Entry) -> Option<Entry>) {
        let changed = match self.entries.find((key, &[])) {
            Some(entry) => change(entry),
            None => change(&Entry::empty(key)),
        };
        let Some(changed) = changed else { return };
        if changed.is_empty() {
            self.entries.remove((key, &[]));
        } else {
            self.entries.put(changed);
        }
        self.touched.push(key.into());
    }

    /// Makes the changes visible in `table`, and in `addresses` where addresses lead back; how many
    /// there are.
    pub(super) fn publish(
        &mut self,
        cluster: &Cluster,
        table: &Table<Entry>,
        addresses: Option<&Table<u64>>,
    ) -> usize {
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        let (mut entries, mut moves) = (Vec::new(), Vec::new());
        for key in touched {
            let place = cluster.place(&*key);
            let old = table.find(place, |old| (old.key() == &*key).then(|| old.clone()));
            let new = self.find(&key);
            if old.as_ref() == new {
                continue;
            }
            if addresses.is_some() {
                let all = |it: Option<&Entry>| it.map(Entry::addresses).unwrap_or_default();
                move_addresses(cluster, place, (&all(old.as_ref()), &all(new)), &mut moves);
            }
            let stays = new.is_some();
            entries.extend(new.cloned().or(old).map(|value| Edit { place, value, stays }));
        }
        let count = entries.len();
        table.publish(entries);
        if let Some(addresses) = addresses {
            addresses.publish(moves);
        }
        count
    }

    /// All that there is, sharing its memory.
    pub(super) fn contents(&self) -> ServicesContents {
        ServicesContents {
            entries: self.entries.iter().cloned().collect(),
            slices: self.slices.iter().cloned().collect(),
        }
    }

    /// Whether there is a service with this namespace and name.
    pub(super) fn knows_service(&self, (namespace, name): (&[u8], &[u8])) -> bool {
        self.find(&entry_key(name, namespace)).and_then(Entry::service).is_some()
    }

    /// Whether there is a slice with this namespace and name.
    pub(super) fn knows_slice(&self, key: (&[u8], &[u8])) -> bool {
        self.slices.find(key).is_some()
    }

    /// Takes the mark of the relist that is under way from a service.
    pub(super) fn unmark_service(&mut self, (namespace, name): (&[u8], &[u8])) {
        self.entries.unmark((&entry_key(name, namespace), &[]));
    }

    /// The same for a slice.
    pub(super) fn unmark_slice(&mut self, key: (&[u8], &[u8])) {
        self.slices.unmark(key);
    }

    #[cfg(test)]
    pub(super) fn stale_slices(&self) -> usize {
        self.slices.stale().len()
    }
}

/// Makes each address of `new` lead to what is at `place`, and no other of `old`. Both are in order.
pub(super) fn move_addresses(
    cluster: &Cluster,
    place: u64,
    (old, new): (&[Address], &[Address]),
    edits: &mut Vec<Edit<u64>>,
) {
    let edit =
        |address: &Address, stays| Edit { place: cluster.place(address), value: place, stays };
    let without = |all: &[Address], other: &[Address]| -> Vec<Address> {
        all.iter().filter(|it| other.binary_search(it).is_err()).copied().collect()
    };
    edits.extend(without(old, new).iter().map(|address| edit(address, false)));
    edits.extend(without(new, old).iter().map(|address| edit(address, true)));
}

/// The key of a service's entry: its label and its namespace's as they stand in a name.
pub(super) fn entry_key(service: &[u8], namespace: &[u8]) -> Box<[u8]> {
    let mut key = Vec::with_capacity(2 + service.len() + namespace.len());
    for label in [service, namespace] {
        key.push(label.len() as u8);
        key.extend(label.iter().map(u8::to_ascii_lowercase));
    }
    key.into()
}

fn slice_entry_key(slice: &PackedSlice) -> Box<[u8]> {
    entry_key(slice.service(), slice.namespace())
}

impl Keyed for Entry {
    fn identity(&self) -> (&[u8], &[u8]) {
        (self.key(), &[])
    }
}

impl Keyed for PackedSlice {
    fn identity(&self) -> (&[u8], &[u8]) {
        (self.namespace(), self.name())
    }
}
