//! Expressions that no name can match: names are compared in lower case, with a final dot.

use super::Lint;
use crate::rules::{By, Rule};
use crate::whole::Whole;
use corefile::{Code, Mistakes, Word, shown};

pub(super) const NEVER: Lint = Lint::warning(Code::RegexNeverMatches).by(find);

fn find(whole: &Whole<'_>, mistakes: &mut Mistakes) {
    for site in &whole.sites {
        for rule in site.all("rewrite").filter_map(Rule::read) {
            let Some(names) = rule.names.filter(|names| names.by == By::Regex) else { continue };
            look_at(names.word, mistakes);
        }
        let lines = site.all("template").flat_map(|template| template.body.iter().flatten());
        for line in lines.filter(|line| line.words[0].text == "match") {
            // It is enough that one of several matches.
            if let [_, word] = line.words.as_slice() {
                look_at(word, mistakes);
            }
        }
    }
}

fn look_at(word: &Word, mistakes: &mut Mistakes) {
    let Some(why) = never(&word.text) else { return };
    let message = format!("no name matches {}", shown(&word.text));
    let mistake = NEVER.at(word.at, message).about(word);
    mistakes.push(match why {
        Never::Upper => {
            let lower = lowered(&word.text);
            mistake
                .label("names are compared in lower case")
                .help(format!("write {}", shown(&lower)))
        }
        Never::Dot => {
            let text = word.text.strip_suffix('$').unwrap_or(&word.text);
            mistake
                .label("a name ends with a dot, also in front of `$`")
                .help(format!("write {}", shown(&format!("{text}\\.$"))))
        }
    });
}

/// Why no name matches an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Never {
    /// It wants a letter in upper case.
    Upper,
    /// It wants something else than a dot at the end.
    Dot,
}

/// Why no name matches; `None` if one may. Looks only at what every match needs: nothing beside an
/// alternative, in a class, or that may be left out.
fn never(pattern: &str) -> Option<Never> {
    let is_odd = ["\\p", "\\P", "\\x", "\\Q", "(?"].iter().any(|odd| pattern.contains(odd));
    if is_odd {
        return None;
    }
    if pattern.contains(['|', '(', '[', '{', '?', '*']) {
        return ends_without_dot(pattern);
    }
    has_upper(pattern).then_some(Never::Upper).or_else(|| ends_without_dot(pattern))
}

fn has_upper(pattern: &str) -> bool {
    let mut escaped = false;
    pattern.chars().any(|c| {
        let is_letter = !escaped && c.is_ascii_uppercase();
        escaped = !escaped && c == '\\';
        is_letter
    })
}

/// Whether the last thing before a `$` is a letter, a digit or a hyphen.
fn ends_without_dot(pattern: &str) -> Option<Never> {
    if pattern.contains('|') {
        return None;
    }
    let before = pattern.strip_suffix('$')?;
    let mut last = before.chars().rev();
    let is_letter = last.next()?.is_ascii_alphanumeric();
    // `\d` and `\w` match no dot either; what else a backslash makes of a letter is not looked at.
    let escaped = last.next() == Some('\\');
    let is_known = !escaped || before.ends_with(['d', 'w']);
    (is_letter && is_known && !before.ends_with("\\\\w")).then_some(Never::Dot)
}

/// The same in lower case, but for what stands behind a backslash.
fn lowered(pattern: &str) -> String {
    let mut escaped = false;
    let lower = pattern.chars().map(|c| {
        let lower = if escaped { c } else { c.to_ascii_lowercase() };
        escaped = !escaped && c == '\\';
        lower
    });
    lower.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lints::found;

    #[test]
    fn what_every_match_needs() {
        assert_eq!(never("^Db\\.a\\.test\\.$"), Some(Never::Upper));
        assert_eq!(never("^\\S+\\.$"), None);
        assert_eq!(never("(A|a)\\.$"), None);
        assert_eq!(never("^[A-Za-z]\\.test\\.$"), None);
        assert_eq!(never("(.*)\\.a\\.test$"), Some(Never::Dot));
        assert_eq!(never("a\\.test"), None);
        assert_eq!(never("a\\.test\\.$"), None);
        assert_eq!(never("a\\.test.$"), None);
        assert_eq!(never("a|b$"), None);
        assert_eq!(never("(?i)a$"), None);
        assert_eq!(never("\\d$"), Some(Never::Dot));
        assert_eq!(never("\\pL$"), None);
        assert_eq!(never("$"), None);
    }

    #[test]
    fn where_names_are_matched() {
        let text = ". {\n rewrite name regex (.*)\\.a\\.test$ {1}.b.test answer auto\n \
                    template IN A {\n  match ^a\\.test$\n  fallthrough\n }\n}";
        assert_eq!(found(text), ["regex-never-matches 2", "regex-never-matches 4"]);
    }
}
