//! Label and field selectors as an API server evaluates them.

use serde_json::Value;

/// What a list or a watch is narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<Requirement>,
}

/// `key in (values)` and its kin.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    /// True also if there is no such key.
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

impl Selector {
    /// Reads the two parameters of a request; none if one of them is malformed.
    pub(super) fn read(labels: &str, fields: &str) -> Option<Self> {
        Some(Self { labels: requirements(labels)?, fields: requirements(fields)? })
    }

    /// Whether the object is selected.
    pub(super) fn selects(&self, object: &Value) -> bool {
        let label = |key: &str| object["metadata"]["labels"][key].as_str();
        let field = |path: &str| {
            let value = path.split('.').fold(object, |value, step| &value[step]);
            Some(value.as_str().unwrap_or_default())
        };
        self.labels.iter().all(|requirement| requirement.holds(&label))
            && self.fields.iter().all(|requirement| requirement.holds(&field))
    }
}

impl Requirement {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(list) = text.strip_suffix(')') {
            let (left, values) = list.split_once('(')?;
            let (key, operator) = left.trim_end().rsplit_once(char::is_whitespace)?;
            let values = values.split(',').map(|value| value.trim().to_owned()).collect();
            let key = key_of(key)?;
            return match operator {
                "in" => Some(Self::In(key, values)),
                "notin" => Some(Self::NotIn(key, values)),
                _ => None,
            };
        }
        let only = |value: &str| vec![value.trim_start_matches('=').trim().to_owned()];
        if let Some((key, value)) = text.split_once("!=") {
            return Some(Self::NotIn(key_of(key)?, only(value)));
        }
        if let Some((key, value)) = text.split_once('=') {
            return Some(Self::In(key_of(key)?, only(value)));
        }
        match text.strip_prefix('!') {
            Some(key) => key_of(key).map(Self::Absent),
            None => key_of(text).map(Self::Exists),
        }
    }

    fn holds<'a>(&self, value_of: &impl Fn(&str) -> Option<&'a str>) -> bool {
        let is_in = |key: &str, values: &[String]| {
            value_of(key).is_some_and(|value| values.iter().any(|each| each == value))
        };
        match self {
            Self::In(key, values) => is_in(key, values),
            Self::NotIn(key, values) => !is_in(key, values),
            Self::Exists(key) => value_of(key).is_some(),
            Self::Absent(key) => value_of(key).is_none(),
        }
    }
}

/// A label's key or a field's path.
fn key_of(text: &str) -> Option<String> {
    let key = text.trim();
    let fits = |octet: u8| octet.is_ascii_alphanumeric() || b"./_-".contains(&octet);
    (!key.is_empty() && key.bytes().all(fits)).then(|| key.to_owned())
}

/// Splits at the commas that stand outside of parentheses.
fn requirements(text: &str) -> Option<Vec<Requirement>> {
    let mut depth = 0;
    let parts = text.split(|character| {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0
    });
    parts.filter(|part| !part.trim().is_empty()).map(Requirement::read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn selects(labels: &str, fields: &str) -> bool {
        let object = json!({
            "metadata": {"labels": {"app": "web", "tier": "front"}},
            "status": {"phase": "Running"},
        });
        Selector::read(labels, fields).unwrap().selects(&object)
    }

    #[test]
    fn equality_and_sets() {
        for labels in [
            "",
            "app=web",
            "app == web",
            "app!=db",
            "app in (db, web),tier",
            "app notin (db,mail)",
            "!gone",
            "gone notin (x)",
            "gone!=x",
        ] {
            assert!(selects(labels, ""), "{labels}");
        }
        for labels in ["app=db", "app!=web", "app in (db)", "app notin (web)", "gone", "!app"] {
            assert!(!selects(labels, ""), "{labels}");
        }
    }

    #[test]
    fn fields_by_path() {
        assert!(selects("", "status.phase!=Succeeded,status.phase!=Failed"));
        assert!(!selects("", "status.phase!=Running"));
        assert!(selects("", "status.phase=Running"));
        assert!(selects("", "spec.nodeName="));
    }

    #[test]
    fn malformed() {
        for labels in ["app of (web)", "app web", "!", "(a)"] {
            assert_eq!(Selector::read(labels, ""), None, "{labels}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "[a-z!=,() ]{0,30}") {
            let _ = Selector::read(&text, &text);
        }
    }
}
