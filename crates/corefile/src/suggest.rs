//! "Did you mean …?"

/// Words longer than this are nobody's slip of the finger.
const LENGTH_MAX: usize = 40;

/// Of `candidates`, the one that `word` was most likely meant to be, if it is near enough: one slip
/// for every three letters, at least one.
pub(crate) fn closest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let word: Vec<char> = word.to_ascii_lowercase().chars().take(LENGTH_MAX + 1).collect();
    if word.len() < 2 || word.len() > LENGTH_MAX {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (word.len().max(candidate.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be added, left out, changed or swapped with their neighbour.
fn distance(word: &[char], candidate: &str) -> usize {
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=word.len()).collect();
    let mut letter_above = None;
    for (index, letter) in candidate.chars().enumerate() {
        let mut next = vec![index + 1];
        for (at, &own) in word.iter().enumerate() {
            let changed = row[at] + usize::from(own != letter);
            let mut least = changed.min(row[at + 1] + 1).min(next[at] + 1);
            let swapped = at > 0 && Some(own) == letter_above && word[at - 1] == letter;
            if swapped {
                least = least.min(above[at - 1] + 1);
            }
            next.push(least);
        }
        above = std::mem::replace(&mut row, next);
        letter_above = Some(letter);
    }
    row[word.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        let between =
            |word: &str, candidate| distance(&word.chars().collect::<Vec<_>>(), candidate);
        assert_eq!(between("forward", "forward"), 0);
        assert_eq!(between("foward", "forward"), 1);
        assert_eq!(between("froward", "forward"), 1);
        assert_eq!(between("max_concurent", "max_concurrent"), 1);
        assert_eq!(between("", "abc"), 3);
        assert_eq!(between("abc", ""), 3);
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let names = ["forward", "cache", "hosts", "log", "loop"];
        assert_eq!(closest("foward", names), Some("forward"));
        assert_eq!(closest("Hosts", names), Some("hosts"));
        assert_eq!(closest("lgo", names), Some("log"));
        assert_eq!(closest("kubernetes", names), None);
        assert_eq!(closest("x", names), None);
        assert_eq!(closest(&"x".repeat(1 << 20), names), None);
    }
}
