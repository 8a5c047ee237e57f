//! Which names a rule is about, and what it makes of them.

use super::template::Template;
use super::text::{Subject, Text};
use crate::go_regex::{BadPattern, GoRegex};
use wire::{Name, NameBuf};

/// How FROM is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Match {
    /// The whole name.
    Exact,
    /// How it begins.
    Prefix,
    /// How it ends.
    Suffix,
    /// What is anywhere in it.
    Substring,
    /// What a regular expression finds in it.
    Regex,
}

impl Match {
    /// The words for them.
    pub(super) const WORDS: &str = "`exact`, `prefix`, `suffix`, `substring` or `regex`";

    /// The one that a word stands for, in any case.
    pub(super) fn called(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "exact" => Self::Exact,
            "prefix" => Self::Prefix,
            "suffix" => Self::Suffix,
            "substring" => Self::Substring,
            "regex" => Self::Regex,
            _ => return None,
        })
    }
}

/// Which names a rule is about. All are looked at in lower case.
#[derive(Debug)]
pub(super) enum Pattern {
    /// This name.
    Exact(NameBuf),
    /// Names whose first labels are these.
    Labels(NameBuf),
    /// Names whose text begins so, perhaps within a label.
    Start(Box<[u8]>),
    /// Names that end so.
    Suffix(Suffix),
    /// Names with this text in them.
    Substring(Box<[u8]>),
    /// Names in whose text the expression finds something.
    Regex(Box<GoRegex>),
    /// No name at all.
    Never,
}

/// How a name ends: `.example.org.` or `corp.example.org.`
#[derive(Debug)]
pub(super) struct Suffix {
    /// What the label above `zone` ends with. Empty behind a dot in the first place: then any label
    /// does.
    partial: Box<[u8]>,
    /// The whole labels.
    pub(super) zone: NameBuf,
    /// Octets of text.
    length: usize,
}

impl Pattern {
    /// A pattern out of a text in lower case, or out of an expression.
    pub(super) fn new(how: Match, text: &str) -> Result<Self, BadPattern> {
        let name = |text: &str| text.parse::<NameBuf>().map(|name| name.as_name().to_lower());
        Ok(match how {
            _ if text.is_empty() && how != Match::Regex => Self::Never,
            Match::Exact => name(text).map_or(Self::Never, Self::Exact),
            Match::Prefix if text == "." => Self::Exact(NameBuf::root()),
            Match::Prefix if text.ends_with('.') => name(text).map_or(Self::Never, Self::Labels),
            Match::Prefix => Self::Start(text.as_bytes().into()),
            Match::Suffix => Suffix::new(text).map_or(Self::Never, Self::Suffix),
            Match::Substring => Self::Substring(text.as_bytes().into()),
            Match::Regex => Self::Regex(Box::new(GoRegex::new(text)?)),
        })
    }

    /// Whether it is about this name.
    pub(super) fn matches(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::Exact(name) => subject.name.octets() == name.octets(),
            Self::Labels(labels) => subject.name.octets().starts_with(without_root(labels)),
            Self::Start(text) => subject.text().starts_with(text),
            Self::Suffix(suffix) => suffix.ends(subject.name),
            Self::Substring(text) => find(subject.text(), text).is_some(),
            Self::Regex(regex) => regex.is_match(subject.text()),
            Self::Never => false,
        }
    }

    /// A name that it is about, if there is one without guessing.
    pub(super) fn example(&self) -> Option<NameBuf> {
        match self {
            Self::Exact(name) | Self::Labels(name) => Some(*name),
            Self::Suffix(suffix) if suffix.is_whole() => {
                NameBuf::child(b"name", suffix.zone.as_name()).ok()
            }
            Self::Suffix(suffix) => NameBuf::child(&suffix.partial, suffix.zone.as_name()).ok(),
            _ => None,
        }
    }

    /// How many groups it has.
    pub(super) fn groups(&self) -> usize {
        match self {
            Self::Regex(regex) => regex.groups(),
            _ => 0,
        }
    }

    /// Whether there is a name that it is about.
    pub(super) fn can_match(&self) -> bool {
        !matches!(self, Self::Never)
    }
}

impl Suffix {
    fn new(text: &str) -> Option<Self> {
        if text == "." {
            return Some(Self { partial: [].into(), zone: NameBuf::root(), length: 1 });
        }
        if let Some(rest) = text.strip_prefix('.') {
            let zone = rest.parse::<NameBuf>().ok()?.as_name().to_lower();
            let length = 1 + Text::of(zone.as_name()).as_bytes().len();
            return Some(Self { partial: [].into(), zone, length });
        }
        let name = text.parse::<NameBuf>().ok()?.as_name().to_lower();
        Some(Self {
            partial: name.as_name().first_label()?.into(),
            zone: name.as_name().parent()?.to_buf(),
            length: Text::of(name.as_name()).as_bytes().len(),
        })
    }

    /// Whether any label does above the zone, so that only names below it have this end.
    pub(super) fn is_whole(&self) -> bool {
        self.partial.is_empty()
    }

    fn ends(&self, name: Name<'_>) -> bool {
        let Some(above) = name.labels_above(self.zone.as_name()) else { return false };
        let mut last = &[][..];
        let mut rest = above;
        while let Some((&length, labels)) = rest.split_first() {
            (last, rest) = labels.split_at(length.into());
        }
        !last.is_empty() && last.ends_with(&self.partial)
    }
}

/// A pattern, and what is to be in the place of what it matches.
#[derive(Debug)]
pub(super) struct Substitution {
    pub(super) pattern: Pattern,
    to: Template,
    /// What `to` says, if that is always the same name.
    name: Option<NameBuf>,
}

impl Substitution {
    /// Puts `to` in the place of what `pattern` matches. A regular expression stands for the whole
    /// name, as in CoreDNS.
    pub(super) fn new(pattern: Pattern, to: Template) -> Self {
        let is_exact = matches!(pattern, Pattern::Exact(_));
        let name = to.text().filter(|_| is_exact).and_then(|text| text.parse().ok());
        Self { pattern, to, name }
    }

    /// Whether it makes something of a name that is never one.
    pub(super) fn is_bad(&self) -> bool {
        matches!(self.pattern, Pattern::Exact(_)) && self.name.is_none()
    }

    /// What becomes of a name; none if the pattern is not about it. What is no name is given as text.
    pub(super) fn apply(&self, subject: &Subject<'_>) -> Option<Result<NameBuf, Box<str>>> {
        if let Some(name) = self.name {
            return self.pattern.matches(subject).then_some(Ok(name));
        }
        let text = self.text(subject)?;
        Some(text.to_name().map_err(|_| Box::from(&text)))
    }

    fn text(&self, subject: &Subject<'_>) -> Option<Text> {
        if let Pattern::Regex(regex) = &self.pattern
            && self.to.text().is_none()
        {
            let groups = regex.find(subject.text())?;
            let mut text = Text::new();
            self.to.write(&mut text, |group| {
                groups.get(group).map_or(&[], |(start, end)| &subject.text()[start..end])
            });
            return Some(text);
        }
        if !self.pattern.matches(subject) {
            return None;
        }
        let mut text = Text::new();
        let to = |text: &mut Text| self.to.write(text, |_| &[]);
        let before = subject.text();
        match &self.pattern {
            Pattern::Labels(labels) => {
                to(&mut text);
                text.push(&before[Text::of(labels.as_name()).as_bytes().len()..]);
            }
            Pattern::Start(start) => {
                to(&mut text);
                text.push(&before[start.len()..]);
            }
            Pattern::Suffix(suffix) => {
                text.push(&before[..before.len() - suffix.length]);
                to(&mut text);
            }
            Pattern::Substring(from) => {
                let mut rest = before;
                while let Some(at) = find(rest, from) {
                    text.push(&rest[..at]);
                    to(&mut text);
                    rest = &rest[at + from.len()..];
                }
                text.push(rest);
            }
            Pattern::Exact(_) | Pattern::Regex(_) | Pattern::Never => to(&mut text),
        }
        Some(text)
    }
}

fn without_root(name: &NameBuf) -> &[u8] {
    let octets = name.octets();
    &octets[..octets.len() - 1]
}

/// Where `part`, which is not empty, is first found.
fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    let last = text.len().checked_sub(part.len())?;
    (0..=last).find(|&at| text[at] == part[0] && text[at..].starts_with(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn apply(how: Match, from: &str, to: &str, name: &str) -> Option<String> {
        let pattern = Pattern::new(how, from).unwrap();
        let to = Template::new(to, pattern.groups());
        let name: NameBuf = name.parse().unwrap();
        let subject = Subject::new(name.as_name());
        assert_eq!(
            pattern.matches(&subject),
            Substitution::new(Pattern::new(how, from).unwrap(), to.clone())
                .apply(&subject)
                .is_some()
        );
        Some(match Substitution::new(pattern, to).apply(&subject)? {
            Ok(name) => name.to_string(),
            Err(text) => format!("no name: {text}"),
        })
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn the_final_dot_makes_a_prefix_whole_labels() {
        assert_eq!(apply(Match::Prefix, "foo.", "bar.", "foo.example."), some("bar.example."));
        assert_eq!(apply(Match::Prefix, "foo.", "bar.", "foobar.example."), None);
        assert_eq!(apply(Match::Prefix, "a.b.", "c.", "a.b."), some("c."));
        assert_eq!(apply(Match::Prefix, "foo", "bar", "foobar.example."), some("barbar.example."));
        assert_eq!(apply(Match::Prefix, r"a\.b.", "c.", r"a\.b.x."), some("c.x."));
    }

    #[test]
    fn a_suffix_can_end_within_a_label() {
        let suffix = |from, to, name| apply(Match::Suffix, from, to, name);
        assert_eq!(suffix(".a.test.", ".b.test.", "www.a.test."), some("www.b.test."));
        assert_eq!(suffix(".a.test.", ".b.test.", "a.test."), None);
        assert_eq!(suffix(".a.test.", ".b.test.", "xa.test."), None);
        assert_eq!(suffix("a.test.", "b.test.", "a.test."), some("b.test."));
        assert_eq!(suffix("a.test.", "b.test.", "www.xa.test."), some("www.xb.test."));
        assert_eq!(suffix(".a.test.", "b.test.", "www.a.test."), some("wwwb.test."));
        assert_eq!(suffix("a.test.", ".b.test.", "www.a.test."), some("no name: www..b.test."));
        assert_eq!(suffix(".", ".search.test.", "www."), some("www.search.test."));
        assert_eq!(suffix(".", ".search.test.", "."), None);
        assert_eq!(suffix("test.", "x.", "."), None);
    }

    #[test]
    fn every_substring_is_replaced() {
        let substring = |from, to, name| apply(Match::Substring, from, to, name);
        assert_eq!(substring("foo.", "bar.", "xfoo.foo.foobar."), some("xbar.bar.foobar."));
        assert_eq!(substring("aa.", "b.", "a.a."), None);
        assert_eq!(substring(".", "-.", "a.b."), some("a-.b-."));
    }

    #[test]
    fn groups_stand_for_what_they_found() {
        let regex = |from, to, name| apply(Match::Regex, from, to, name);
        assert_eq!(
            regex(r"([a-z]+)-([a-z]+)\.test", "{2}.{1}.org.", "a-b.test."),
            some("b.a.org.")
        );
        assert_eq!(regex("^(x)?(.*)$", "{1}{2}", "y."), some("y."));
        assert_eq!(regex("(.*)", "{1}{2}", "y."), some(r"y.{2}."));
        assert_eq!(regex("nothing", "a.", "y."), None);
    }

    #[test]
    fn what_is_no_name_is_never_matched_and_told_as_a_result() {
        assert_eq!(apply(Match::Exact, "a..b.", "c.", "a.b."), None);
        assert_eq!(apply(Match::Exact, "a.b.", "c..d.", "a.b."), some("no name: c..d."));
        assert_eq!(apply(Match::Exact, "a.b.", "c.", "a.b."), some("c."));
    }

    proptest! {
        /// On names without escapes, what is done on labels is what would be done on text.
        #[test]
        fn labels_and_text_agree(from in r"\.?[ab]{1,2}(\.[ab]){0,2}\.", name in r"([ab]{1,3}\.){1,4}") {
            let suffix = name.strip_suffix(&from).map(|kept| format!("{kept}zz."));
            prop_assert_eq!(apply(Match::Suffix, &from, "zz.", &name), suffix);
            let from = from.trim_start_matches('.');
            let prefix = name.strip_prefix(from).map(|kept| format!("zz.{kept}"));
            prop_assert_eq!(apply(Match::Prefix, from, "zz.", &name), prefix);
        }
    }
}
