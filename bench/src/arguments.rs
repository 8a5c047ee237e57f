//! The words behind a command, read in order.

use std::fmt::Display;
use std::str::FromStr;

/// Arguments that are not read yet.
pub(crate) struct Arguments {
    words: std::vec::IntoIter<String>,
}

impl Arguments {
    pub(crate) fn new(words: impl IntoIterator<Item = String>) -> Self {
        Self { words: words.into_iter().collect::<Vec<_>>().into_iter() }
    }

    /// The next word.
    pub(crate) fn next(&mut self) -> Option<String> {
        self.words.next()
    }

    /// The next word as the value of `option`.
    pub(crate) fn value<T: FromStr<Err: Display>>(&mut self, option: &str) -> Result<T, String> {
        let word = self.next().ok_or_else(|| format!("`{option}` needs a value"))?;
        word.parse().map_err(|error| format!("`{option} {word}`: {error}"))
    }

    /// The same, within `min` and `max`.
    pub(crate) fn value_within<T: FromStr<Err: Display> + PartialOrd + Display>(
        &mut self,
        option: &str,
        (min, max): (T, T),
    ) -> Result<T, String> {
        let value = self.value(option)?;
        if min <= value && value <= max {
            return Ok(value);
        }
        Err(format!("`{option} {value}`: the value must be between {min} and {max}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(text: &str) -> Arguments {
        Arguments::new(text.split_ascii_whitespace().map(str::to_owned))
    }

    #[test]
    fn values_are_read_and_mistakes_named() {
        let mut words = arguments("--rate 5 --rate x 7 8 --rate");
        assert_eq!(words.next().as_deref(), Some("--rate"));
        assert_eq!(words.value("--rate"), Ok(5));
        assert_eq!(words.next().as_deref(), Some("--rate"));
        assert!(words.value::<u8>("--rate").unwrap_err().starts_with("`--rate x`: "));
        assert_eq!(words.value_within("--rate", (1, 7)), Ok(7));
        let mistake = words.value_within("--rate", (1, 7)).unwrap_err();
        assert_eq!(mistake, "`--rate 8`: the value must be between 1 and 7");
        assert_eq!(words.next().as_deref(), Some("--rate"));
        assert_eq!(words.value::<u8>("--rate"), Err("`--rate` needs a value".to_owned()));
        assert_eq!(words.next(), None);
    }
}
