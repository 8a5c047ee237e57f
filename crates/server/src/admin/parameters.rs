//! The parameters of a request: `name=www.example.org&type=A`.

/// What is taken of a request, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    given: Vec<(String, String)>,
}

impl Parameters {
    /// Reads the part behind `?`; each may be one of `known`, once.
    pub(super) fn read(query: &str, known: &[&str]) -> Result<Self, String> {
        let mut given: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if !known.contains(&name.as_str()) {
                return Err(match known {
                    [] => format!("`{name}` is no parameter: this path takes none"),
                    known => format!("`{name}` is no parameter: write {}", known.join(", ")),
                });
            }
            if given.iter().any(|(before, _)| *before == name) {
                return Err(format!("`{name}` is given twice"));
            }
            given.push((name, value));
        }
        Ok(Self { given })
    }

    /// The value of `name`, if it is given; an empty one is none.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let found = self.given.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    }

    /// The value of `name` among `words`; without it the first of them.
    pub(super) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<T, String> {
        let given = self.text(name);
        let is_it = |(word, _): &&(&str, T)| given.as_deref().is_none_or(|given| given == *word);
        words.iter().find(is_it).map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            format!("`{name}` must be {}", words.join(" or "))
        })
    }
}

/// Percent-decodes.
fn decoded(text: &str) -> Result<String, String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let octet = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                let digit = |octet: u8| char::from(octet).to_digit(16);
                digit(*high).zip(digit(*low)).map(|(high, low)| (high << 4 | low) as u8)
            }
            (b'%', _) => None,
            (octet, _) => Some(*octet),
        };
        octets.push(octet.ok_or_else(|| format!("`{text}`: write `%` as `%25`"))?);
    }
    String::from_utf8(octets).map_err(|_| format!("`{text}` is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(query: &str) -> Result<Parameters, String> {
        Parameters::read(query, &["name", "type"])
    }

    #[test]
    fn what_stands_behind_a_path() {
        let parameters = read("name=%2a.a%2Fb&&type=").unwrap();
        assert_eq!(parameters.text("name").as_deref(), Some("*.a/b"));
        assert_eq!(parameters.text("type"), None);
        assert_eq!(read(""), Ok(Parameters::default()));
        for (bad, told) in [
            ("nam=a", "write name, type"),
            ("name=a&name=b", "given twice"),
            ("name=%2", "%25"),
            ("name=%+1", "%25"),
            ("name=%ff", "not UTF-8"),
        ] {
            assert!(read(bad).unwrap_err().contains(told), "{bad}");
        }
    }

    #[test]
    fn a_word_is_one_of_some() {
        let words = [("a", 1), ("b", 2)];
        let word = |query| read(query).unwrap().word("type", &words);
        assert_eq!((word(""), word("type=b")), (Ok(1), Ok(2)));
        assert_eq!(word("type=c"), Err("`type` must be `a` or `b`".to_owned()));
    }

    proptest! {
        #[test]
        fn any_text_is_read(query in ".*") {
            let _ = read(&query);
        }
    }
}
