//! The objects of one kind as the writer holds them, with marks that tell a relist's leftovers.

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::hash::BuildHasher;

/// What is told apart by two texts: a namespace and a name, mostly.
pub(super) trait Keyed {
    fn identity(&self) -> (&[u8], &[u8]);
}

/// Objects of one kind by key.
pub(super) struct Holdings<T> {
    held: HashTable<Held<T>>,
    /// Counts the relists. What a relist has told bears its number.
    generation: u32,
    hasher: RandomState,
}

struct Held<T> {
    value: T,
    generation: u32,
}

/// What [`Holdings::tell`] has done.
pub(super) enum Told<T> {
    /// Nothing but the mark: an equal one is there, and stays.
    Known,
    /// It is the first with its key.
    New,
    /// It has replaced this one.
    Replaced(T),
}

impl<T: Keyed> Holdings<T> {
    pub(super) fn new() -> Self {
        Self { held: HashTable::new(), generation: 0, hasher: RandomState::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn find(&self, key: (&[u8], &[u8])) -> Option<&T> {
        let hash = self.hasher.hash_one(key);
        self.held.find(hash, |held| held.value.identity() == key).map(|held| &held.value)
    }

    /// Puts `value` into the place of the one with its key, which is returned.
    pub(super) fn put(&mut self, value: T) -> Option<T> {
        let hash = self.hasher.hash_one(value.identity());
        let is_same = |held: &Held<T>| held.value.identity() == value.identity();
        let rehash = |held: &Held<T>| self.hasher.hash_one(held.value.identity());
        match self.held.entry(hash, is_same, rehash) {
            Entry::Occupied(mut held) => Some(std::mem::replace(&mut held.get_mut().value, value)),
            Entry::Vacant(place) => {
                place.insert(Held { value, generation: self.generation });
                None
            }
        }
    }

    /// Puts `value` into its place, unless an equal one is there already: that one stays, as readers
    /// share its memory. Marks it as told.
    pub(super) fn tell(&mut self, value: T) -> Told<T>
    where
        T: PartialEq,
    {
        let hash = self.hasher.hash_one(value.identity());
        let is_same = |held: &Held<T>| held.value.identity() == value.identity();
        let rehash = |held: &Held<T>| self.hasher.hash_one(held.value.identity());
        match self.held.entry(hash, is_same, rehash) {
            Entry::Occupied(mut held) => {
                let held = held.get_mut();
                held.generation = self.generation;
                if held.value == value {
                    return Told::Known;
                }
                Told::Replaced(std::mem::replace(&mut held.value, value))
            }
            Entry::Vacant(place) => {
                place.insert(Held { value, generation: self.generation });
                Told::New
            }
        }
    }

    pub(super) fn remove(&mut self, key: (&[u8], &[u8])) -> Option<T> {
        let hash = self.hasher.hash_one(key);
        let found = self.held.find_entry(hash, |held| held.value.identity() == key).ok()?;
        Some(found.remove().0.value)
    }

    /// A relist begins: what is not marked from now on is stale.
    pub(super) fn begin(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// The relist has told the object with this key.
    pub(super) fn mark(&mut self, key: (&[u8], &[u8])) {
        let hash = self.hasher.hash_one(key);
        if let Some(held) = self.held.find_mut(hash, |held| held.value.identity() == key) {
            held.generation = self.generation;
        }
    }

    /// Takes the mark off again: unless the relist tells it still, the object is stale at its end.
    pub(super) fn unmark(&mut self, key: (&[u8], &[u8])) {
        let hash = self.hasher.hash_one(key);
        if let Some(held) = self.held.find_mut(hash, |held| held.value.identity() == key) {
            held.generation = self.generation.wrapping_sub(1);
        }
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &T> {
        self.held.iter().map(|held| &held.value)
    }

    /// What the relist has not told.
    pub(super) fn stale(&self) -> Vec<T>
    where
        T: Clone,
    {
        let is_stale = |held: &&Held<T>| held.generation != self.generation;
        self.held.iter().filter(is_stale).map(|held| held.value.clone()).collect()
    }
}
