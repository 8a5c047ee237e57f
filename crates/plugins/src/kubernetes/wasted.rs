//! How many questions search lists waste, for each namespace.

use crate::metrics::{Collect, Exposition, Kind, PerWorker, bump, labels};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use wire::LABEL_MAX;

/// How many namespaces can be told apart. Whose turn comes later is counted as `other`.
const NAMESPACES_MAX: usize = 512;

/// How many places of the table are tried for a namespace. With these, hardly one of 256 namespaces
/// finds none.
const PROBES: usize = 16;

/// Counts denials by namespace, without a lock and without allocation: what it needs is there from
/// the beginning.
///
/// A namespace that is gone keeps its place as long as the process runs, as counters must not start
/// anew; so that there are limits, and they are harmless.
pub(super) struct Wasted {
    names: Box<[OnceLock<Label>]>,
    /// One for each name, and one for all others.
    counts: PerWorker<Box<[AtomicU64]>>,
}

/// A label with its length in front.
type Label = [u8; LABEL_MAX + 1];

impl Wasted {
    pub(super) fn new(workers: usize) -> Self {
        let counts = || (0..=NAMESPACES_MAX).map(|_| AtomicU64::new(0)).collect();
        Self {
            names: (0..NAMESPACES_MAX).map(|_| OnceLock::new()).collect(),
            counts: PerWorker::new(workers, counts),
        }
    }

    /// Counts a denial in the namespace with this label in lower case. Whether it `exists` is asked
    /// only when it is new here: a label that names nothing must not take a place.
    pub(super) fn count(&self, namespace: &[u8], worker: u16, exists: impl FnOnce() -> bool) {
        if let Some(place) = self.place(namespace, exists) {
            bump(&self.counts.of(worker)[place], worker, 1);
        }
    }

    /// The place of a namespace, new or not; or that of all others.
    fn place(&self, namespace: &[u8], exists: impl FnOnce() -> bool) -> Option<usize> {
        let others = || Some(NAMESPACES_MAX);
        let mut label: Label = [0; LABEL_MAX + 1];
        let Some(octets) = label.get_mut(1..=namespace.len()) else { return others() };
        octets.copy_from_slice(namespace);
        label[0] = namespace.len() as u8;
        let first = hash(namespace) as usize;
        let places = (0..PROBES).map(|probe| first.wrapping_add(probe) % NAMESPACES_MAX);
        for place in places.clone() {
            match self.names[place].get() {
                Some(name) if *name == label => return Some(place),
                Some(_) => {}
                None => break,
            }
        }
        if !exists() {
            return None;
        }
        // Who comes second to an empty place finds who was first.
        let mut places = places;
        places.find(|place| *self.names[*place].get_or_init(|| label) == label).or_else(others)
    }

    fn totals(&self) -> BTreeMap<String, u64> {
        let mut totals = BTreeMap::new();
        for place in 0..=NAMESPACES_MAX {
            let name = match self.names.get(place).map(OnceLock::get) {
                Some(None) => continue,
                Some(Some([length, octets @ ..])) => {
                    String::from_utf8_lossy(&octets[..usize::from(*length)]).into_owned()
                }
                None => "other".to_owned(),
            };
            let count: u64 = self.counts.iter().map(|counts| counts[place].load(Relaxed)).sum();
            // A namespace may have the name of all others.
            if count > 0 {
                *totals.entry(name).or_default() += count;
            }
        }
        totals
    }
}

impl Collect for Wasted {
    fn collect(&self, exposition: &mut Exposition) {
        let name = "rutter_kubernetes_wasted_search_queries_total";
        let help = "Questions for addresses that came out of a search list and were denied.";
        let mut family = exposition.family(name, Kind::Counter, help);
        for (namespace, count) in self.totals() {
            family.value(&labels(&[("namespace", &namespace)]), count);
        }
    }
}

/// FNV-1a. Who may make namespaces can make them collide, and has them counted as `other`.
fn hash(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_told_apart_until_there_are_too_many() {
        let wasted = Wasted::new(2);
        for round in 0..3 {
            for index in 0..2 * NAMESPACES_MAX {
                wasted.count(format!("team-{index}").as_bytes(), round % 3, || true);
            }
        }
        let totals = wasted.totals();
        assert!(totals.len() > NAMESPACES_MAX / 2, "{}", totals.len());
        assert!(totals.len() <= NAMESPACES_MAX + 1);
        assert!(totals.iter().all(|(name, count)| *count == 3 || name == "other"));
        assert_eq!(totals.values().sum::<u64>(), 3 * 2 * NAMESPACES_MAX as u64);
        assert_eq!(totals["team-0"], 3);
    }

    #[test]
    fn as_many_as_clusters_have_find_a_place() {
        let wasted = Wasted::new(1);
        for index in 0..NAMESPACES_MAX / 2 {
            wasted.count(format!("ns-{index}").as_bytes(), 1, || true);
        }
        assert_eq!(wasted.totals().len(), NAMESPACES_MAX / 2);
    }

    #[test]
    fn what_does_not_exist_takes_no_place_and_what_has_one_keeps_it() {
        let wasted = Wasted::new(1);
        wasted.count(b"nowhere", 1, || false);
        assert!(wasted.totals().is_empty());
        wasted.count(b"shop", 1, || true);
        wasted.count(b"shop", 1, || panic!("it is known"));
        assert_eq!(wasted.totals()["shop"], 2);
    }

    #[test]
    fn any_octets_are_counted() {
        let wasted = Wasted::new(1);
        for namespace in [&b""[..], b"other", &[0xff; 63], &[b'x'; 64], &[b'x'; 300]] {
            wasted.count(namespace, 9, || true);
        }
        let totals = wasted.totals();
        assert_eq!(totals["other"], 3);
        assert_eq!(totals.values().sum::<u64>(), 5);
    }
}
