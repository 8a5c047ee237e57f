//! What is wrong with a configuration: one mistake, and all of them.

use crate::{Code, Span, Word};

/// How bad a mistake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, but hardly means what its author meant, or will not work for ever.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong, where it is, and what to write instead.
///
/// Words that the operator wrote stand in backquotes; put them there with [`shown`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of mistake it is, for programs.
    pub code: Code,
    /// The words that are wrong.
    pub at: Span,
    /// What is wrong: one line, without a full stop.
    pub message: String,
    /// What to say beneath the words themselves; may be empty.
    pub label: String,
    /// What to write instead; may be empty, may have several lines.
    pub help: String,
    /// What else there is to know.
    pub notes: Vec<Note>,
}

/// A remark on a [`Mistake`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The place it is about, if it is about one.
    pub at: Option<Span>,
    /// The remark.
    pub text: String,
}

impl Mistake {
    /// Something that makes the configuration unusable.
    pub fn error(code: Code, at: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            at,
            message: message.into(),
            label: String::new(),
            help: String::new(),
            notes: Vec::new(),
        }
    }

    /// Something that the operator should know, but that stops nothing.
    pub fn warning(code: Code, at: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, at, message) }
    }

    /// The same with these words beneath the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The same with this advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// The same with this remark.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(Note { at: None, text: text.into() });
        self
    }

    /// The same with this remark on another place.
    #[must_use]
    pub fn related(mut self, at: Span, text: impl Into<String>) -> Self {
        self.notes.push(Note { at: Some(at), text: text.into() });
        self
    }

    /// The same; if variables made `word` what it is, then a note says what it has become.
    #[must_use]
    pub fn about(self, word: &Word) -> Self {
        if word.expanded {
            self.note(format!("with its variables set in, the word is {}", shown(&word.text)))
        } else {
            self
        }
    }
}

/// All that is wrong with a configuration, in the order of the places, without repetition.
///
/// Holds at most [`Mistakes::MAX`] errors and as many warnings and counts the rest, so that a file
/// which is not a Corefile at all does not fill the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mistakes {
    kept: Vec<Mistake>,
    errors: usize,
    warnings: usize,
    /// From where on braces and quotes may mean something else than was meant.
    doubt: Option<Span>,
}

impl Mistakes {
    /// How many errors are kept, and how many warnings.
    pub const MAX: usize = 200;

    /// None so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one, unless the same was already said about the same words: a snippet that is imported
    /// ten times has each of its mistakes once.
    pub fn push(&mut self, mistake: Mistake) {
        let count = match mistake.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if *count < Self::MAX {
            let key = place(&mistake);
            let at = self.kept.partition_point(|kept| place(kept) < key);
            let same = self.kept[at..].iter().take_while(|kept| place(kept) == key);
            if same
                .into_iter()
                .any(|kept| kept.code == mistake.code && kept.message == mistake.message)
            {
                return;
            }
            let behind = self.kept.partition_point(|kept| place(kept) <= key);
            self.kept.insert(behind, mistake);
        }
        *count += 1;
    }

    /// Adds all of `others`.
    pub fn append(&mut self, others: Self) {
        let (errors, warnings) = (
            others.errors - others.kept_of(Severity::Error),
            others.warnings - others.kept_of(Severity::Warning),
        );
        for mistake in others.kept {
            self.push(mistake);
        }
        self.errors += errors;
        self.warnings += warnings;
        if let Some(doubt) = others.doubt {
            self.doubt(doubt);
        }
        self.drop_guesses();
    }

    /// Says that from here on braces or quotes are wrong: what is read behind this place is a guess.
    ///
    /// If there is an error at all, then only the form is talked about behind it: the lines of a
    /// block that lost its brace are not each unknown directives.
    pub(crate) fn doubt(&mut self, from: Span) {
        let is_first = |doubt: Span| doubt.file() == from.file() && doubt <= from;
        if !self.doubt.is_some_and(is_first) {
            self.doubt = Some(from);
        }
    }

    /// Drops what was found behind the place where doubt begins, except for what is wrong with the
    /// form, and an error if there is none with the form.
    fn drop_guesses(&mut self) {
        let Some(doubt) = self.doubt.filter(|_| self.has_errors()) else { return };
        let is_form = |mistake: &Mistake| mistake.code.is_about_form();
        let is_behind = |mistake: &Mistake| {
            mistake.at.file() == doubt.file() && mistake.at.range().start >= doubt.range().start
        };
        let is_error = |mistake: &Mistake| mistake.severity == Severity::Error;
        let mut lacks_error = !self.kept.iter().any(|it| is_error(it) && is_form(it));
        self.kept.retain(|mistake| {
            is_form(mistake)
                || !is_behind(mistake)
                || (is_error(mistake) && std::mem::take(&mut lacks_error))
        });
        self.errors = self.kept_of(Severity::Error);
        self.warnings = self.kept_of(Severity::Warning);
    }

    /// The mistakes that are kept, in the order of their places.
    pub fn iter(&self) -> std::slice::Iter<'_, Mistake> {
        self.kept.iter()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.errors + self.warnings == 0
    }

    /// How many errors were found, those that are not kept included.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// How many warnings were found, those that are not kept included.
    pub fn warnings(&self) -> usize {
        self.warnings
    }

    /// Whether the configuration cannot be used.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// How many mistakes were found and not kept.
    pub fn left_out(&self) -> usize {
        self.errors + self.warnings - self.kept.len()
    }

    /// The configuration that was read, if there was no error.
    pub fn accept<C>(self, config: C) -> Result<Accepted<C>, Self> {
        if self.has_errors() { Err(self) } else { Ok(Accepted { config, warnings: self }) }
    }

    fn kept_of(&self, severity: Severity) -> usize {
        self.kept.iter().filter(|kept| kept.severity == severity).count()
    }
}

/// A configuration without errors, and what its author should know all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted<C> {
    /// The configuration.
    pub config: C,
    /// No error is among them.
    pub warnings: Mistakes,
}

impl<'a> IntoIterator for &'a Mistakes {
    type Item = &'a Mistake;
    type IntoIter = std::slice::Iter<'a, Mistake>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Mistake> for Mistakes {
    fn from(mistake: Mistake) -> Self {
        let mut mistakes = Self::new();
        mistakes.push(mistake);
        mistakes
    }
}

/// What mistakes are sorted by.
fn place(mistake: &Mistake) -> (u32, usize, usize) {
    (mistake.at.file(), mistake.at.range().start, mistake.at.range().end)
}

/// A word as a message shows it: in backquotes, control characters escaped, cut at 80 characters.
pub fn shown(text: &str) -> String {
    const MAX: usize = 80;
    let mut shown = String::from("`");
    for (count, c) in text.chars().enumerate() {
        if count == MAX {
            shown.push('…');
            break;
        }
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown.push('`');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: usize) -> Span {
        Span::new(0, start, start + 1)
    }

    #[test]
    fn mistakes_are_sorted_and_said_once() {
        let mut mistakes = Mistakes::new();
        for start in [5, 1, 5, 3] {
            mistakes.push(Mistake::error(Code::BadValue, at(start), "no"));
        }
        mistakes.push(Mistake::warning(Code::Ignored, at(3), "also"));
        let places: Vec<_> = mistakes.iter().map(|m| m.at.range().start).collect();
        assert_eq!(places, [1, 3, 3, 5]);
        assert_eq!((mistakes.errors(), mistakes.warnings(), mistakes.left_out()), (3, 1, 0));
    }

    #[test]
    fn warnings_do_not_crowd_out_errors_and_the_rest_is_counted() {
        let mut mistakes = Mistakes::new();
        for start in 0..300 {
            mistakes.push(Mistake::warning(Code::Ignored, at(start), "no"));
        }
        mistakes.push(Mistake::error(Code::BadValue, at(999), "no"));
        assert!(mistakes.has_errors() && mistakes.iter().any(|m| m.severity == Severity::Error));
        assert_eq!(mistakes.left_out(), 100);
        let mut both = mistakes.clone();
        both.append(mistakes);
        assert_eq!((both.errors(), both.warnings()), (1, 600));
    }

    #[test]
    fn behind_a_doubtful_brace_only_the_form_is_talked_about() {
        let guesses = || {
            let mut guesses = Mistakes::new();
            for start in [1, 6, 7] {
                guesses.push(Mistake::error(Code::UnknownDirective, at(start), "no"));
            }
            guesses
        };
        let codes = |form: Mistake| -> Vec<_> {
            let mut parsed = Mistakes::new();
            parsed.push(form);
            parsed.doubt(at(9));
            parsed.doubt(at(5));
            let mut all = guesses();
            all.append(parsed);
            assert!(all.has_errors());
            assert_eq!(all.errors() + all.warnings(), all.iter().count());
            all.iter().map(|mistake| (mistake.code.slug(), mistake.at.range().start)).collect()
        };
        let error = Mistake::error(Code::Unclosed, at(9), "no");
        assert_eq!(codes(error), [("unknown-directive", 1), ("unclosed", 9)]);
        // CoreDNS loads what only has a warning: then an error is left, and it is the first one.
        let warning = Mistake::warning(Code::StrayClose, at(9), "no");
        let first = [("unknown-directive", 1), ("unknown-directive", 6), ("stray-close", 9)];
        assert_eq!(codes(warning), first);

        let mut only_warnings = Mistakes::from(Mistake::warning(Code::OddKey, at(3), "no"));
        let mut doubtful = Mistakes::new();
        doubtful.doubt(at(0));
        only_warnings.append(doubtful);
        assert_eq!(only_warnings.warnings(), 1);
    }

    #[test]
    fn a_shown_word_is_short_and_harmless() {
        assert_eq!(shown("a\u{1b}b\n"), "`a\\u{1b}b\\n`");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), 83);
    }
}
