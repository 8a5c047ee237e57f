//! Where indents and braces do not agree: what people mean can be seen before it can be counted.

use super::lexer::Token;
use crate::{Mistake, Span};

/// A place at which a brace is probably missing.
pub(super) struct Suspect {
    pub(super) at: Span,
    remark: &'static str,
    other: Option<(Span, &'static str)>,
}

impl Suspect {
    /// The mistake with a remark on this place.
    pub(super) fn accuse(&self, mistake: Mistake) -> Mistake {
        let mistake = mistake.related(self.at, self.remark);
        match self.other {
            Some((at, remark)) => mistake.related(at, remark),
            None => mistake,
        }
    }
}

/// A block that is open.
struct Open {
    /// Of the line with its brace.
    indent: usize,
    brace: Span,
    /// Of its first line.
    inner: Option<usize>,
}

/// The first place behind the octet `from` at which the indents of `text` say something else than
/// its braces. A text without indents says nothing.
pub(super) fn suspect(
    text: &str,
    tokens: impl Iterator<Item = Token>,
    from: usize,
) -> Option<Suspect> {
    let tokens: Vec<_> = tokens.skip_while(|token| token.at.range().start < from).collect();
    let mut open: Vec<Open> = Vec::new();
    let mut above: Option<(usize, &Token)> = None;
    for line in tokens.chunk_by(|a, b| a.last_line >= b.line) {
        let (first, last) = (&line[0], &line[line.len() - 1]);
        // Keys that go on in the next line are one line.
        let goes_on = above.filter(|(_, last)| last.text.ends_with(','));
        let indent = goes_on.map_or_else(|| indent(text, first), |(indent, _)| indent);
        if let Some(suspect) = contradiction(first, indent, &mut open, above) {
            return Some(suspect);
        }
        for token in line {
            match &*token.text {
                "{" => open.push(Open { indent, brace: token.at, inner: None }),
                "}" => drop(open.pop()),
                _ => {}
            }
        }
        above = Some((indent, last));
    }
    None
}

/// What the beginning of a line contradicts.
fn contradiction(
    first: &Token,
    indent: usize,
    open: &mut [Open],
    above: Option<(usize, &Token)>,
) -> Option<Suspect> {
    let suspect = |at, remark| Some(Suspect { at, remark, other: None });
    if &*first.text == "}" {
        let block = open.last().filter(|block| block.indent != indent)?;
        let other = Some((first.at, "… is closed by this one, which stands elsewhere"));
        return Some(Suspect { at: block.brace, remark: "this brace …", other });
    }
    if let Some(block) = open.last_mut() {
        let inner = *block.inner.get_or_insert(indent);
        if inner > block.indent && indent <= block.indent {
            return suspect(first.at, "is a `}` missing above this line?");
        }
    }
    let (above_indent, last) = above?;
    if indent > above_indent && !["{", "}"].contains(&&*last.text) {
        return suspect(last.at, "is a `{` missing behind this?");
    }
    None
}

/// Blanks before the first word of a line.
fn indent(text: &str, first: &Token) -> usize {
    let before = &text[..first.at.range().start];
    before.chars().rev().take_while(|&c| c != '\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mistakes;
    use crate::parse::lexer::lex;

    #[track_caller]
    fn suspected(text: &str, expected: Option<&str>) {
        let mut mistakes = Mistakes::new();
        let suspect = suspect(text, lex(0, text, &mut mistakes), 0);
        let found = suspect.map(|it| text[..it.at.range().start].matches('\n').count() + 1);
        let expected =
            expected.map(|word| text[..text.find(word).unwrap()].matches('\n').count() + 1);
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn the_line_that_lacks_a_brace_is_found() {
        suspected(".\n    log\n}\n", Some("."));
        suspected(". {\n    hosts\n        1.1.1.1 a\n    }\n}\n", Some("hosts"));
        suspected(". {\n    hosts {\n        1.1.1.1 a\n    log\n}\n", Some("log"));
        suspected(". {\n    hosts {\n        1.1.1.1 a\n}\n", Some("hosts"));
        suspected(". {\n    log\n\na {\n    log\n}\n", Some("a {"));
    }

    #[test]
    fn what_agrees_or_has_no_indents_is_not_suspected() {
        suspected(". {\n    hosts {\n        1.1.1.1 a\n    }\n    log\n}\n", None);
        suspected(". {\nhosts {\n1.1.1.1 a\n}\nlog\n}\n", None);
        suspected("a,\n  b {\n\tlog\n}\n", None);
        suspected("", None);
    }
}
