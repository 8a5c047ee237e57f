//! What readers look into: tables that change under them without making them wait.

use arc_swap::ArcSwapAny;
use triomphe::ThinArc;

/// How many parts a table has. A change copies one of them: five entries of 10,000, which are few
/// enough to lie in the same lines of memory as their count.
const SHARDS: usize = 2048;

/// A table in parts, each of which is replaced whole.
///
/// A part is an array sorted by hash: it has no spare room, is copied with one move of memory and
/// searched in a step or two. Readers take no lock, allocate nothing and touch no counter that
/// another core touches as well.
pub(crate) struct Table<T> {
    shards: Box<[Shard<T>]>,
}

struct Shard<T>(ArcSwapAny<Option<Slots<T>>>);

/// In one piece of memory with its count: a look-up goes from the table straight to a slot.
type Slots<T> = ThinArc<(), Slot<T>>;

#[derive(Clone, Copy)]
struct Slot<T> {
    place: u64,
    value: T,
}

/// A part of a table as it was.
pub(crate) struct Part<T>(Slots<T>);

impl<T> Part<T> {
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.slice.iter().map(|slot| &slot.value)
    }
}

/// What a table holds.
pub(crate) trait Value: Clone {
    /// Whether two values of one hash stand for the same thing, so that one replaces the other.
    fn is_same(&self, other: &Self) -> bool;
}

/// A change of a table.
pub(crate) struct Edit<T> {
    /// The hash of the value's key.
    pub(crate) place: u64,
    /// The new value, or one that stands for what goes.
    pub(crate) value: T,
    /// Whether there is a new value.
    pub(crate) stays: bool,
}

impl<T: Value> Table<T> {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard(ArcSwapAny::new(None))).collect() }
    }

    /// What `look` makes of the first value with this hash that it makes something of.
    #[inline]
    pub(crate) fn find<R>(&self, place: u64, mut look: impl FnMut(&T) -> Option<R>) -> Option<R> {
        let shard = self.shards[shard_of(place)].0.load();
        let slots = slots(&shard);
        slots[first_at(slots, place)..]
            .iter()
            .take_while(|slot| slot.place == place)
            .find_map(|slot| look(&slot.value))
    }

    /// Shows `look` every value with this hash.
    pub(crate) fn each(&self, place: u64, mut look: impl FnMut(&T)) {
        let _: Option<()> = self.find(place, |value| {
            look(value);
            None
        });
    }

    /// Shows `look` every value. Those of one part are shown as they were at one moment.
    pub(crate) fn visit(&self, mut look: impl FnMut(&T)) {
        for shard in &self.shards {
            slots(&shard.0.load()).iter().for_each(|slot| look(&slot.value));
        }
    }

    /// All parts as they are now: for a moment of the whole table, nothing may be published
    /// meanwhile. Copies no value.
    pub(crate) fn parts(&self) -> Vec<Part<T>> {
        self.shards.iter().filter_map(|shard| shard.0.load_full()).map(Part).collect()
    }

    /// What `look` makes of all values with this hash.
    pub(crate) fn all<R>(
        &self,
        place: u64,
        look: impl FnOnce(&mut dyn Iterator<Item = &T>) -> R,
    ) -> R {
        let shard = self.shards[shard_of(place)].0.load();
        let slots = slots(&shard);
        let from_first = slots[first_at(slots, place)..].iter();
        look(&mut from_first.take_while(|slot| slot.place == place).map(|slot| &slot.value))
    }

    /// How many values there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| slots(&shard.0.load()).len()).sum()
    }

    /// Makes the changes visible, part by part: each part is copied once however many changes it
    /// has. Of one value there must be one change at most.
    pub(crate) fn publish(&self, mut edits: Vec<Edit<T>>) {
        edits.sort_unstable_by_key(|edit| (shard_of(edit.place), edit.place));
        let same_shard = |a: &Edit<T>, b: &Edit<T>| shard_of(a.place) == shard_of(b.place);
        for group in edits.chunk_by(same_shard) {
            let shard = &self.shards[shard_of(group[0].place)].0;
            shard.store(edited(slots(&shard.load()), group));
        }
    }
}

/// A part with changes, which are sorted by place as the part is.
fn edited<T: Value>(old: &[Slot<T>], edits: &[Edit<T>]) -> Option<Slots<T>> {
    let mut new = Vec::with_capacity(old.len() + edits.len());
    let mut at = 0;
    for edits in edits.chunk_by(|a, b| a.place == b.place) {
        let place = edits[0].place;
        let begin = at + old[at..].partition_point(|slot| slot.place < place);
        let end = begin + old[begin..].partition_point(|slot| slot.place == place);
        new.extend_from_slice(&old[at..begin]);
        let stays = |slot: &&Slot<T>| !edits.iter().any(|edit| edit.value.is_same(&slot.value));
        new.extend(old[begin..end].iter().filter(stays).cloned());
        let added = edits.iter().filter(|edit| edit.stays);
        new.extend(added.map(|edit| Slot { place, value: edit.value.clone() }));
        at = end;
    }
    new.extend_from_slice(&old[at..]);
    (!new.is_empty()).then(|| ThinArc::from_header_and_iter((), new.into_iter()))
}

#[inline]
fn slots<T>(shard: &Option<Slots<T>>) -> &[Slot<T>] {
    shard.as_ref().map_or(&[], |slots| &slots.slice)
}

/// Where the slots of `place` begin, or would.
///
/// Hashes are spread evenly, so that their place in a sorted array can be guessed: most look-ups
/// touch one line of memory here, where halving would wait for three, one after the other.
#[inline]
fn first_at<T>(slots: &[Slot<T>], place: u64) -> usize {
    let mut at = ((u128::from(place) * slots.len() as u128) >> 64) as usize;
    while at < slots.len() && slots[at].place < place {
        at += 1;
    }
    while at > 0 && slots[at - 1].place >= place {
        at -= 1;
    }
    at
}

fn shard_of(place: u64) -> usize {
    place as usize % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    impl Value for (u8, u8) {
        fn is_same(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }

    fn all(table: &Table<(u8, u8)>, place: u64) -> Vec<(u8, u8)> {
        let mut found = Vec::new();
        table.each(place, |value| found.push(*value));
        found
    }

    proptest! {
        #[test]
        fn the_first_slot_of_a_place_is_found(mut places in prop::collection::vec(prop_oneof![any::<u64>(), 0..4u64, u64::MAX - 3..=u64::MAX], 0..40), place in any::<u64>()) {
            places.sort_unstable();
            let slots: Vec<_> = places.iter().map(|&place| Slot { place, value: () }).collect();
            for place in places.iter().chain([&place]) {
                prop_assert_eq!(first_at(&slots, *place), places.partition_point(|it| it < place));
            }
        }

        #[test]
        fn a_table_holds_what_was_put_last(
            batches in prop::collection::vec(prop::collection::vec((0..3u64, 0..4u8, any::<u8>(), any::<bool>()), 0..20), 0..12),
        ) {
            let table = Table::new();
            let mut model = BTreeSet::new();
            for batch in batches {
                let mut touched = BTreeSet::new();
                let mut edits = Vec::new();
                for (place, key, data, stays) in batch {
                    // Equal hashes, the same part and another part.
                    let place = [5, 5 + SHARDS as u64, 6][place as usize];
                    if !touched.insert((place, key)) {
                        continue;
                    }
                    model.retain(|&(at, (known, _))| (at, known) != (place, key));
                    if stays {
                        model.insert((place, (key, data)));
                    }
                    edits.push(Edit { place, value: (key, data), stays });
                }
                table.publish(edits);
                for place in [5, 5 + SHARDS as u64, 6] {
                    let mut found = all(&table, place);
                    found.sort_unstable();
                    let expected: Vec<_> =
                        model.iter().filter(|(at, _)| *at == place).map(|(_, value)| *value).collect();
                    prop_assert_eq!(found, expected);
                }
            }
        }
    }
}
