//! One of a few words.

use super::{Kind, Wrong};
use crate::suggest::closest;

/// One of these words, in this case; each stands for a value.
pub fn keyword<T: Clone>(words: &[(&'static str, T)]) -> impl Kind<Value = T> {
    Keyword(words)
}

struct Keyword<'w, T>(&'w [(&'static str, T)]);

impl<T: Clone> Kind for Keyword<'_, T> {
    type Value = T;

    fn read(&self, word: &str) -> Result<T, Wrong> {
        if let Some((_, value)) = self.0.iter().find(|(name, _)| *name == word) {
            return Ok(value.clone());
        }
        let names = || self.0.iter().map(|(name, _)| *name);
        let wrong = Wrong::must_be(alternatives(names()));
        Err(match closest(word, names()) {
            Some(near) => wrong.hint(format!("did you mean `{near}`?")),
            None => wrong,
        })
    }
}

/// `` `a`, `b` or `c` ``
fn alternatives<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stands_for_a_value() {
        let policy = keyword(&[("random", 1), ("round_robin", 2), ("sequential", 3)]);
        assert_eq!(policy.read("round_robin"), Ok(2));
        let wrong = policy.read("Random").unwrap_err();
        assert_eq!(wrong.must_be, "`random`, `round_robin` or `sequential`");
        assert_eq!(wrong.hint, "did you mean `random`?");
        assert_eq!(policy.read("least_conn").unwrap_err().hint, "");
    }
}
