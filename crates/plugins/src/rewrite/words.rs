//! The words of one rule, read from left to right.

use super::pattern::{Match, Pattern, Substitution};
use super::template::Template;
use corefile::{Code, Mistake, Mistakes, Span, Word, shown};

/// The words of a rule, wherever its line breaks are.
pub(super) struct Words<'w> {
    words: &'w [Word],
    /// How many were taken.
    taken: usize,
    /// The whole directive.
    at: Span,
    /// What the operator should know beside.
    pub(super) warnings: Mistakes,
}

impl<'w> Words<'w> {
    /// The words behind `rewrite`, which stands at `at`.
    pub(super) fn new(words: &'w [Word], at: Span) -> Self {
        Self { words, taken: 0, at, warnings: Mistakes::new() }
    }

    /// The next word, which stays.
    pub(super) fn peek(&self) -> Option<&'w Word> {
        self.words.get(self.taken)
    }

    /// How many words are left.
    pub(super) fn left(&self) -> usize {
        self.words.len() - self.taken
    }

    /// Takes a word, which must be there; `usage` says what the whole rule looks like.
    pub(super) fn next(&mut self, usage: &str) -> Result<&'w Word, Mistake> {
        match self.peek() {
            Some(word) => {
                self.taken += 1;
                Ok(word)
            }
            None => {
                let message = "words are missing from this rule";
                let mistake = Mistake::error(Code::ArgumentCount, self.at, message);
                Err(mistake.help(format!("usage: `rewrite {usage}`")))
            }
        }
    }

    /// Takes the next word if it is this one, and says whether it was.
    pub(super) fn take(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_some_and(|word| word.text == keyword);
        self.taken += usize::from(found);
        found
    }

    /// Takes the last word if it is this one, and says whether it was.
    pub(super) fn take_last(&mut self, keyword: &str) -> bool {
        match self.words.split_last() {
            Some((last, others)) if self.left() > 0 && last.text == keyword => {
                self.words = others;
                true
            }
            _ => false,
        }
    }

    /// No word may be left.
    pub(super) fn end(&self, usage: &str) -> Result<(), Mistake> {
        match self.peek() {
            Some(word) => {
                let mistake = Mistake::error(
                    Code::ArgumentCount,
                    word.at,
                    format!("{} is one word too many", shown(&word.text)),
                );
                Err(mistake.about(word).help(format!("usage: `rewrite {usage}`")))
            }
            None => Ok(()),
        }
    }

    /// How FROM is meant. The word for it may be left out if no more than `others` follow.
    pub(super) fn how(&mut self, others: usize, usage: &str) -> Result<Match, Mistake> {
        if self.left() <= others {
            return Ok(Match::Exact);
        }
        let word = self.next(usage)?;
        Match::called(&word.text).ok_or_else(|| wrong(word, &format!("must be {}", Match::WORDS)))
    }

    /// FROM. Everything but an expression is a name, or a part of one, with its final dot.
    pub(super) fn pattern(&mut self, how: Match, usage: &str) -> Result<Pattern, Mistake> {
        let from = self.next(usage)?;
        let text = if how == Match::Regex { from.text.clone() } else { normalized(&from.text) };
        self.pattern_of(how, from, &text)
    }

    /// The pattern that `text` says, which was made of the word `from`.
    pub(super) fn pattern_of(
        &mut self,
        how: Match,
        from: &Word,
        text: &str,
    ) -> Result<Pattern, Mistake> {
        let pattern = Pattern::new(how, text)
            .map_err(|bad| wrong(from, &format!("is no regular expression: {bad}")))?;
        if !pattern.can_match() {
            let message = format!("no name looks like {}", shown(&from.text));
            let warning = Mistake::warning(Code::Ignored, from.at, message).about(from);
            self.warnings.push(warning.label("this rule is about no name"));
        }
        Ok(pattern)
    }

    /// TO, for what `pattern` finds.
    pub(super) fn substitution(
        &mut self,
        pattern: Pattern,
        usage: &str,
    ) -> Result<Substitution, Mistake> {
        let to = self.next(usage)?;
        let text = normalized(&to.text);
        let (asked, groups) = (groups_asked(&pattern, &text).len(), pattern.groups());
        if asked > groups {
            let message = format!("uses {asked} groups, and the expression has {groups}");
            return Err(wrong(to, &message));
        }
        Ok(self.substitution_of(pattern, to, &text))
    }

    /// What `text` says to put in the place of what `pattern` finds; it was made of the word `to`.
    pub(super) fn substitution_of(
        &mut self,
        pattern: Pattern,
        to: &Word,
        text: &str,
    ) -> Substitution {
        let groups = pattern.groups();
        let asked = groups_asked(&pattern, text);
        if let Some(group) = asked.iter().find(|group| **group > groups) {
            let message =
                format!("the expression has no group {group}: `{{{group}}}` stays as it is");
            self.warnings.push(Mistake::warning(Code::BadValue, to.at, message).about(to));
        }
        let substitution = Substitution::new(pattern, Template::new(text, groups));
        if substitution.is_bad() {
            let message = format!("{} is no name", shown(&to.text));
            let warning = Mistake::warning(Code::BadValue, to.at, message).about(to);
            self.warnings.push(warning.label("what this rule is about is answered SERVFAIL"));
        }
        substitution
    }
}

/// The groups that `text` wants of what `pattern` finds.
fn groups_asked(pattern: &Pattern, text: &str) -> Vec<usize> {
    if matches!(pattern, Pattern::Regex(_)) { Template::groups_in(text) } else { Vec::new() }
}

/// A word that is not what it should be: `must be …`, `is no …`.
pub(super) fn wrong(word: &Word, what: &str) -> Mistake {
    Mistake::error(Code::BadValue, word.at, format!("{} {what}", shown(&word.text))).about(word)
}

/// A name, or a part of one, as CoreDNS's rules have it: in lower case, with a final dot.
pub(super) fn normalized(text: &str) -> String {
    let mut text = text.to_ascii_lowercase();
    // A dot behind an odd number of backslashes is a character of a label.
    let escaped = text.strip_suffix('.').is_some_and(|rest| {
        let backslashes = rest.len() - rest.trim_end_matches('\\').len();
        backslashes % 2 == 1
    });
    if !text.ends_with('.') || escaped {
        text.push('.');
    }
    text
}
