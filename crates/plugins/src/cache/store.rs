//! The table of all entries.

use super::budget::Budget;
use super::entry::{Entry, Key, Kind, Making};
use super::order::{Held, Order};
use arc_swap::{ArcSwapAny, Guard};
use chain::Moment;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use triomphe::ThinArc;

/// Entries by their keys.
///
/// Whoever looks something up takes no lock and writes no memory that others read, except to mark
/// what was found as used. The table is cut into many small pieces that are replaced whole: copying
/// one with its five entries costs some 150 ns, which who asked an upstream server does not notice.
/// Looking up a random name of 10,000 takes 60 ns, of which three are cache misses, a popular name
/// 13 ns. Locks for reading in place of the swapped pointers are as fast while nobody writes; but
/// a writer that loses its processor while it holds one would hold up every answer behind it.
///
/// All writing is under one lock, which also guards the order in which entries leave.
pub(super) struct Store {
    pieces: Box<[ArcSwapAny<Option<Piece>>]>,
    seed: foldhash::fast::RandomState,
    ledger: Mutex<Ledger>,
    budget: Arc<Budget>,
}

/// A few entries, each with the hash of its key.
type Piece = ThinArc<(), Held>;

/// What writers need to know.
#[derive(Default)]
struct Ledger {
    /// By [`Kind`].
    orders: [Order; 2],
    capacities: [usize; 2],
    /// Octets that all entries take.
    memory: usize,
}

/// How many entries are over that each new one removes, so that memory comes back even if the store
/// never is full.
const SWEPT: usize = 2;
/// Entries for each piece of a full table.
const PER_PIECE: usize = 8;
/// The most pieces: 512 KiB of pointers.
const PIECES_MAX: usize = 1 << 16;

/// What is known about a key.
pub(super) struct Looked {
    piece: Guard<Option<Piece>>,
    success: Option<usize>,
    denial: Option<usize>,
}

impl Looked {
    /// The answer or referral.
    pub(super) fn success(&self) -> Option<&Entry> {
        self.entry(self.success)
    }

    /// The denial or error.
    pub(super) fn denial(&self) -> Option<&Entry> {
        self.entry(self.denial)
    }

    fn entry(&self, at: Option<usize>) -> Option<&Entry> {
        Some(&slots(&self.piece).get(at?)?.entry)
    }
}

impl Store {
    /// An empty store for so many successes and denials.
    pub(super) fn new(success: usize, denial: usize, budget: Arc<Budget>) -> Self {
        let pieces = (success.saturating_add(denial) / PER_PIECE).clamp(1, PIECES_MAX);
        Self {
            pieces: (0..pieces.next_power_of_two()).map(|_| ArcSwapAny::new(None)).collect(),
            seed: foldhash::fast::RandomState::default(),
            ledger: Mutex::new(Ledger { capacities: [success, denial], ..Ledger::default() }),
            budget,
        }
    }

    /// What is known about a key.
    pub(super) fn look(&self, key: &Key<'_>) -> Looked {
        let tag = self.tag(key);
        let piece = self.piece(tag).load();
        let (mut success, mut denial) = (None, None);
        for (at, held) in slots(&piece).iter().enumerate() {
            if held.tag == tag && held.entry.is_of(key) {
                match held.entry.kind {
                    Kind::Success => success = Some(at),
                    Kind::Denial => denial = Some(at),
                }
            }
        }
        Looked { piece, success, denial }
    }

    /// Keeps a reply, in the place of an older one of its kind; says how many that were still good had
    /// to leave for it.
    pub(super) fn put(&self, making: &Making<'_>) -> usize {
        let Making { key, now, .. } = making;
        let (tag, kind, now) = (self.tag(key), making.kind(), *now);
        let mut ledger = self.lock();
        if ledger.capacities[kind as usize] == 0 {
            return 0;
        }
        for _ in 0..SWEPT {
            let over = ledger.orders[kind as usize].take_over(now);
            self.drop_held(&mut ledger, over.as_ref());
        }
        let older = self.held(tag, key, kind);
        let mut evicted = 0;
        if older.is_none() && ledger.orders[kind as usize].len() >= ledger.capacities[kind as usize]
        {
            evicted += self.evict(&mut ledger, kind, now);
        }
        let order = &mut ledger.orders[kind as usize];
        let newer = match &older {
            Some(older) => order.replace(older, making),
            None => order.push(tag, making),
        };
        let before = ledger.memory;
        ledger.memory += newer.entry.memory();
        self.budget.take(newer.entry.memory());
        if let Some(older) = &older {
            self.forget(&mut ledger, older);
        }
        self.publish(tag, older.as_ref(), Some(&newer));
        // Other caches may have taken what is missing: this one pays for no more than its new entry.
        while self.budget.is_exceeded() && ledger.memory > before {
            evicted += self.evict(&mut ledger, kind, now);
        }
        evicted
    }

    /// Forgets what is known about a key.
    pub(super) fn remove(&self, key: &Key<'_>, kind: Kind) {
        let tag = self.tag(key);
        let mut ledger = self.lock();
        if let Some(held) = self.held(tag, key, kind) {
            let removed = ledger.orders[kind as usize].remove(held.entry.slot);
            self.drop_held(&mut ledger, removed.as_ref());
        }
    }

    /// How many entries of this kind there are.
    pub(super) fn len(&self, kind: Kind) -> usize {
        self.lock().orders[kind as usize].len()
    }

    /// How many there may be, by [`Kind`].
    pub(super) fn capacities(&self) -> [usize; 2] {
        self.lock().capacities
    }

    /// Octets that all entries take.
    pub(super) fn memory(&self) -> usize {
        self.lock().memory
    }

    /// Removes an entry, of this kind if there is one; says how many that was that were still good.
    fn evict(&self, ledger: &mut Ledger, kind: Kind, now: Moment) -> usize {
        let others = Kind::ALL.into_iter().filter(|other| *other != kind);
        for kind in std::iter::once(kind).chain(others) {
            let order = &mut ledger.orders[kind as usize];
            if let Some(over) = order.take_over(now) {
                self.drop_held(ledger, Some(&over));
                return 0;
            }
            if let Some(least) = order.take_least() {
                self.drop_held(ledger, Some(&least));
                return 1;
            }
        }
        0
    }

    /// An entry has left its order: it leaves the table too.
    fn drop_held(&self, ledger: &mut Ledger, held: Option<&Held>) {
        if let Some(held) = held {
            self.forget(ledger, held);
            self.publish(held.tag, Some(held), None);
        }
    }

    fn forget(&self, ledger: &mut Ledger, held: &Held) {
        let memory = held.entry.memory();
        ledger.memory -= memory;
        self.budget.give(memory);
    }

    /// Replaces the piece that `tag` belongs to by one without `older` and with `newer`. The caller
    /// holds the lock.
    fn publish(&self, tag: u64, older: Option<&Held>, newer: Option<&Held>) {
        let before = self.piece(tag).load();
        let stays = |held: &&Held| older.is_none_or(|older| !older.entry.is_same(&held.entry));
        let kept = slots(&before).iter().filter(stays);
        let after: Vec<Held> = kept.chain(newer).cloned().collect();
        let is_empty = after.is_empty();
        let piece = (!is_empty).then(|| ThinArc::from_header_and_iter((), after.into_iter()));
        self.piece(tag).store(piece);
    }

    fn held(&self, tag: u64, key: &Key<'_>, kind: Kind) -> Option<Held> {
        let piece = self.piece(tag).load();
        let is_it = |held: &&Held| held.tag == tag && held.entry.kind == kind;
        slots(&piece).iter().find(|held| is_it(held) && held.entry.is_of(key)).cloned()
    }

    fn tag(&self, key: &Key<'_>) -> u64 {
        let mut hasher = self.seed.build_hasher();
        // The octets are in lower case, and their end is in themselves.
        hasher.write(key.name.octets());
        key.rest().hash(&mut hasher);
        hasher.finish()
    }

    fn piece(&self, tag: u64) -> &ArcSwapAny<Option<Piece>> {
        // There is a power of two of them, one at least.
        &self.pieces[tag as usize & (self.pieces.len() - 1)]
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn slots(piece: &Option<Piece>) -> &[Held] {
    piece.as_ref().map_or(&[], |piece| &piece.slice)
}

impl Drop for Store {
    fn drop(&mut self) {
        let ledger = self.ledger.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.budget.give(ledger.memory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::entry::Making;
    use crate::cache::nature::Nature;
    use crate::testing::{name, read_reply};
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::time::Duration;
    use wire::{Question, RecordType};

    fn question(number: usize) -> Question {
        Question::new(name(&format!("n{number}.test")).as_name(), RecordType::A)
    }

    fn store(success: usize, denial: usize, budget: usize) -> Store {
        Store::new(success, denial, Arc::new(Budget::new(budget)))
    }

    fn seconds(seconds: u64) -> Moment {
        Moment::default().after(Duration::from_secs(seconds))
    }

    /// Keeps an entry with a TTL; its text is its number.
    fn put(store: &Store, number: usize, nature: Nature, ttl: u32, now: Moment) -> usize {
        let question = question(number);
        let key = Key::new(&question, false, false);
        let reply = read_reply(&format!("NOERROR\nn{number}.test {ttl} TXT {number}"));
        let stale = Duration::ZERO;
        store.put(&Making { key, reply: &reply, nature, is_answer: true, ttl, now, stale })
    }

    fn has(store: &Store, number: usize) -> bool {
        let question = question(number);
        let looked = store.look(&Key::new(&question, false, false));
        if let Some(entry) = looked.success() {
            entry.touch();
        }
        looked.success().is_some()
    }

    #[test]
    fn entries_are_found_under_their_whole_key() {
        let store = store(10, 10, usize::MAX);
        put(&store, 1, Nature::Answer, 60, seconds(0));
        put(&store, 1, Nature::Denial, 60, seconds(0));
        let asked = question(1);
        let found = |key: &Key<'_>| {
            let looked = store.look(key);
            (looked.success().is_some(), looked.denial().is_some())
        };
        let key = Key::new(&asked, false, false);
        assert_eq!(found(&key), (true, true));
        assert_eq!(found(&Key { dnssec_ok: true, ..key }), (false, false));
        assert_eq!(found(&Key { checking_disabled: true, ..key }), (false, false));
        assert_eq!(found(&Key { rtype: RecordType::AAAA, ..key }), (false, false));
        assert_eq!(found(&Key { class: wire::Class::CH, ..key }), (false, false));
        store.remove(&key, Kind::Denial);
        assert_eq!(found(&key), (true, false));
        assert_eq!((store.len(Kind::Success), store.len(Kind::Denial)), (1, 0));
    }

    #[test]
    fn the_capacity_is_kept_exactly() {
        let store = store(100, 0, usize::MAX);
        let evicted: usize =
            (0..300).map(|number| put(&store, number, Nature::Answer, 60, seconds(0))).sum();
        assert_eq!((store.len(Kind::Success), evicted), (100, 200));
        assert_eq!((0..300).filter(|number| has(&store, *number)).count(), 100);
        put(&store, 1, Nature::Denial, 60, seconds(0));
        assert_eq!(store.len(Kind::Denial), 0);
    }

    #[test]
    fn what_is_in_use_stays_whatever_flows_through() {
        let store = store(100, 100, usize::MAX);
        (0..50).for_each(|number| {
            put(&store, number, Nature::Answer, 60, seconds(0));
            assert!(has(&store, number));
        });
        // A hundred names that are asked for once come between two questions for each of the fifty:
        // who keeps what was asked for last would lose them.
        for flood in 0..5_000 {
            assert!(has(&store, flood / 2 % 50), "{flood}");
            put(&store, 1_000 + flood, Nature::Answer, 60, seconds(0));
        }
        assert_eq!((0..50).filter(|number| has(&store, *number)).count(), 50);
    }

    #[test]
    fn what_is_over_leaves_first_and_in_silence() {
        let store = store(3, 3, usize::MAX);
        put(&store, 1, Nature::Answer, 60, seconds(0));
        put(&store, 2, Nature::Answer, 5, seconds(0));
        put(&store, 3, Nature::Answer, 60, seconds(0));
        assert!(has(&store, 2), "and is marked as used");
        assert_eq!(put(&store, 4, Nature::Answer, 60, seconds(5)), 0);
        assert_eq!([1, 2, 3, 4].map(|number| has(&store, number)), [true, false, true, true]);
        // A store that is never full gets rid of them as well.
        let store = self::store(1000, 0, usize::MAX);
        (0..100).for_each(|number| {
            put(&store, number, Nature::Answer, 5, seconds(0));
        });
        (100..150).for_each(|number| {
            put(&store, number, Nature::Answer, 5, seconds(5));
        });
        assert_eq!(store.len(Kind::Success), 50);
    }

    #[test]
    fn memory_is_bounded_too() {
        let budget = Arc::new(Budget::new(100_000));
        let first = Store::new(10_000, 10_000, budget.clone());
        let second = Store::new(10_000, 10_000, budget.clone());
        let evicted: usize =
            (0..1_000).map(|number| put(&first, number, Nature::Answer, 60, seconds(0))).sum();
        let kept = first.len(Kind::Success);
        assert!((100..400).contains(&kept) && kept + evicted == 1_000, "{kept}, {evicted}");
        // Who comes later gets what the others leave, and takes nothing from them.
        put(&second, 1, Nature::Answer, 60, seconds(0));
        assert_eq!((first.len(Kind::Success), second.len(Kind::Success)), (kept, 0));
        drop(first);
        put(&second, 1, Nature::Answer, 60, seconds(0));
        assert_eq!(second.len(Kind::Success), 1);
        drop(second);
        budget.take(100_000);
        assert!(!budget.is_exceeded(), "all memory was given back");
    }

    #[test]
    fn readers_find_what_writers_move_about() {
        let store = store(64, 64, usize::MAX);
        (0..32).for_each(|number| {
            put(&store, number, Nature::Answer, 60, seconds(0));
        });
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..2_000 {
                    // The lower half is replaced again and again, the upper half comes and goes.
                    put(&store, number % 32, Nature::Answer, 60, seconds(0));
                    put(&store, 32 + number % 32, Nature::Denial, 60, seconds(0));
                    let question = question(32 + number % 32);
                    store.remove(&Key::new(&question, false, false), Kind::Denial);
                }
                done.store(true, Relaxed);
            });
            while !done.load(Relaxed) {
                assert!((0..32).all(|number| has(&store, number)));
            }
        });
    }

    proptest! {
        /// Whatever is put in, replaced and removed: what is found is what was put in last, and the
        /// numbers are right.
        #[test]
        fn a_store_is_a_map_that_forgets(
            steps in prop::collection::vec((0..3u8, 0..20usize, 1..9u32), 1..200),
            capacity in 0..12usize,
        ) {
            let store = store(capacity, capacity, usize::MAX);
            let mut latest = std::collections::HashMap::new();
            for (now, (step, number, ttl)) in (0..).zip(steps) {
                let now = seconds(now / 4);
                match step {
                    0 | 1 => {
                        put(&store, number, Nature::Answer, ttl, now);
                        latest.insert(number, ttl);
                    }
                    _ => {
                        let question = question(number);
                        store.remove(&Key::new(&question, false, false), Kind::Success);
                        latest.remove(&number);
                    }
                }
                let mut count = 0;
                for number in 0..20 {
                    let question = question(number);
                    let looked = store.look(&Key::new(&question, false, false));
                    if let Some(entry) = looked.success() {
                        prop_assert_eq!(Some(&entry.ttl()), latest.get(&number));
                        count += 1;
                    }
                }
                prop_assert_eq!(count, store.len(Kind::Success));
                prop_assert!(count <= capacity);
            }
        }
    }
}
