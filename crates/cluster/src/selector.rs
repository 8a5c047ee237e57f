//! Label selectors: which objects a directive wants to see.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A label selector in Kubernetes' text form: `app=web, tier in (a, b), !legacy`.
///
/// The API server is sent the selector and does the selecting; it is read here so that mistakes
/// are found in the configuration, and to select among manifests. Empty: everything.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
}

/// Text that is no label selector.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadSelector {
    /// The octet of the text at which reading stopped.
    pub at: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl fmt::Display for BadSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} at character {} of the label selector", self.expected, self.at + 1)
    }
}

impl std::error::Error for BadSelector {}

impl Selector {
    /// Whether everything is selected.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether an object with these labels is selected.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements.iter().all(|requirement| {
            let value = labels.get(&requirement.key);
            match &requirement.test {
                Test::In(values) => value.is_some_and(|value| values.contains(value)),
                // An object without the label is selected as well.
                Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Test::Exists => value.is_some(),
                Test::Absent => value.is_none(),
            }
        })
    }
}

/// The form that the API server reads.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Requirement { key, test }) in self.requirements.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match test {
                Test::In(values) if values.len() == 1 => write!(f, "{key}={}", values[0])?,
                Test::NotIn(values) if values.len() == 1 => write!(f, "{key}!={}", values[0])?,
                Test::In(values) => write!(f, "{key} in ({})", values.join(","))?,
                Test::NotIn(values) => write!(f, "{key} notin ({})", values.join(","))?,
                Test::Exists => f.write_str(key)?,
                Test::Absent => write!(f, "!{key}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Selector {
    type Err = BadSelector;

    fn from_str(text: &str) -> Result<Self, BadSelector> {
        let mut reader = Reader { text, at: 0 };
        let mut requirements = Vec::new();
        if reader.is_at_end() {
            return Ok(Self { requirements });
        }
        loop {
            requirements.push(reader.requirement()?);
            if reader.is_at_end() {
                return Ok(Self { requirements });
            }
            reader.expect(",", "`,` or the end")?;
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    fn is_at_end(&mut self) -> bool {
        self.rest().is_empty()
    }

    fn take(&mut self, token: &str) -> bool {
        let is_next = self.rest().starts_with(token);
        if is_next {
            self.at += token.len();
        }
        is_next
    }

    fn expect(&mut self, token: &str, expected: &'static str) -> Result<(), BadSelector> {
        if self.take(token) { Ok(()) } else { Err(BadSelector { at: self.at, expected }) }
    }

    /// The characters of keys and values, as many as there are.
    fn word(&mut self) -> &'a str {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        let rest = self.rest();
        let word = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    fn key(&mut self) -> Result<String, BadSelector> {
        match self.word() {
            "" => Err(BadSelector { at: self.at, expected: "the key of a label" }),
            key => Ok(key.to_owned()),
        }
    }

    fn requirement(&mut self) -> Result<Requirement, BadSelector> {
        if self.take("!") {
            return Ok(Requirement { key: self.key()?, test: Test::Absent });
        }
        let key = self.key()?;
        if self.take("!=") {
            return Ok(Requirement { key, test: Test::NotIn(vec![self.word().to_owned()]) });
        }
        if self.take("==") || self.take("=") {
            return Ok(Requirement { key, test: Test::In(vec![self.word().to_owned()]) });
        }
        let before = self.at;
        let test = match self.word() {
            "" => Test::Exists,
            "in" => Test::In(self.values()?),
            "notin" => Test::NotIn(self.values()?),
            _ => {
                let expected = "`=`, `==`, `!=`, `in`, `notin` or `,`";
                return Err(BadSelector { at: before, expected });
            }
        };
        Ok(Requirement { key, test })
    }

    /// `(a, b)`
    fn values(&mut self) -> Result<Vec<String>, BadSelector> {
        self.expect("(", "`(` and the values")?;
        let mut values = vec![self.word().to_owned()];
        while self.take(",") {
            values.push(self.word().to_owned());
        }
        self.expect(")", "`,` or `)`")?;
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn selects(selector: &str, labels: &[(&str, &str)]) -> bool {
        let labels = labels.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        selector.parse::<Selector>().unwrap().selects(&labels.collect())
    }

    #[test]
    fn what_is_selected() {
        let web = [("app", "web"), ("kubernetes.io/name", "x")];
        for selector in [
            "",
            "app",
            "app=web",
            "app == web",
            "app!=db",
            "tier!=a",
            "!tier",
            "app in (db, web)",
            "app notin (db)",
            "tier notin (a,b)",
            "app=web,!tier , kubernetes.io/name=x",
        ] {
            assert!(selects(selector, &web), "{selector}");
        }
        for selector in [
            "tier",
            "app=db",
            "app!=web",
            "!app",
            "app in (db)",
            "app notin (web)",
            "app=web,tier",
            "app=",
        ] {
            assert!(!selects(selector, &web), "{selector}");
        }
        assert!(selects("app=", &[("app", "")]));
    }

    #[test]
    fn mistakes_have_a_place() {
        for (text, at) in [
            (",", 0),
            ("app=web,", 8),
            ("app web", 4),
            ("app in web", 7),
            ("app in (a", 9),
            ("app>1", 3),
            ("!", 1),
        ] {
            assert_eq!(text.parse::<Selector>().unwrap_err().at, at, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(text in "[!a-c/.(), =]{0,20}|(a|b|in|notin|[(),=!]| ){0,12}") {
            if let Ok(selector) = text.parse::<Selector>() {
                prop_assert_eq!(selector.to_string().parse::<Selector>(), Ok(selector));
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,40}") {
            let _ = text.parse::<Selector>();
        }
    }
}
