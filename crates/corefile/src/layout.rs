//! The usual layout of a Corefile: indents, blanks and empty lines, and nothing else.
//!
//! Works on words and braces, not on the tree: so comments stay where they are, variables and
//! imports stay as they are written, and files that are only pieces of a Corefile have a layout
//! too. That the tree stays the same is looked at afterwards, for every text.

use crate::parse::{Lenient, Token, lex, parse_as_written};
use crate::{Code, Mistakes, Parsed, Severity, content};

/// Blanks for each level: what CoreDNS's manual and kubeadm have.
const INDENT: usize = 4;
/// Levels that are indented. Deeper ones are read in snippets that nobody imports, and nowhere else.
const DEPTH_MAX: usize = 32;

/// A Corefile, or a file that one imports, in the usual layout; if it cannot be read, what is wrong
/// with it.
///
/// - Four blanks for each pair of braces around a line, one blank between words; lines end with a
///   line feed, the file with one.
/// - A `{` ends the line that it belongs to, a `}` begins a line of its own.
/// - No empty line at the beginning and the end of blocks, never two in a row, and one between
///   server blocks.
///
/// Comments, the order of everything, quotes and variables stay, and so does what the text says:
/// its words are the same, and so is the tree of [`crate::parse()`]. What has its layout already
/// stays as it is. Imports are not followed: each file is laid out by itself.
pub fn format(path: &str, text: &[u8]) -> Result<String, Box<Parsed>> {
    let before = read(path, text);
    if before.mistakes.has_errors() {
        return Err(Box::new(before));
    }
    let text = before.sources.file_text(0);
    let laid_out = lay_out(text, before.is_piece());
    let after = read(path, laid_out.as_bytes());
    let is_same = !after.mistakes.has_errors()
        && content(&before.blocks) == content(&after.blocks)
        && words(text) == words(&laid_out);
    // Some braces that nobody writes, such as one among keys, cannot be moved.
    Ok(if is_same { laid_out } else { text.to_owned() })
}

/// Reads a text by itself. What would be lost when the text is written again is an error here, and
/// so are braces without a partner: then indents tell more than braces.
fn read(path: &str, text: &[u8]) -> Parsed {
    let mut parsed = parse_as_written(path, text, &Lenient(&()));
    let mistakes = std::mem::take(&mut parsed.mistakes);
    for mistake in &mistakes {
        let is_error = matches!(
            mistake.code,
            Code::NotUtf8 | Code::UnclosedQuote | Code::Unclosed | Code::StrayClose
        );
        let severity = if is_error { Severity::Error } else { mistake.severity };
        // What is only odd is for `check` to say.
        if severity == Severity::Error {
            parsed.mistakes.push(crate::Mistake { severity, ..mistake.clone() });
        }
    }
    parsed
}

/// The words of a text, as they are written.
fn words(text: &str) -> Vec<&str> {
    lex(0, text, &mut Mistakes::new()).map(|token| &text[token.at.range()]).collect()
}

/// A line of the result.
#[derive(Default)]
struct Row<'t> {
    words: Vec<&'t str>,
    /// A comment behind the words, or alone.
    comment: Option<&'t str>,
    /// Whether an empty line stands above.
    apart: bool,
    /// Pairs of braces around it.
    depth: usize,
}

impl Row<'_> {
    fn is_comment(&self) -> bool {
        self.words.is_empty()
    }

    fn opens(&self) -> bool {
        self.words.last().is_some_and(|word| is_brace(word, '{'))
    }

    fn closes(&self) -> bool {
        self.words.first().is_some_and(|word| is_brace(word, '}'))
    }

    /// Whether the keys go on in the next line.
    fn goes_on(&self) -> bool {
        self.words.last().is_some_and(|word| word.ends_with(','))
    }
}

/// Quotes around a brace change nothing.
fn is_brace(word: &str, brace: char) -> bool {
    word.trim_matches('"').chars().eq([brace])
}

fn lay_out(text: &str, is_piece: bool) -> String {
    let mut rows = Rows::default();
    let mut end = 0;
    let mut before: Option<Token> = None;
    for token in lex(0, text, &mut Mistakes::new()) {
        let range = token.at.range();
        rows.gap(&text[end..range.start]);
        rows.word(&text[range.clone()], &token, before.as_ref());
        end = range.end;
        before = Some(token);
    }
    rows.gap(&text[end..]);
    let mut rows = rows.finished();
    set_apart(&mut rows, is_piece);
    write(&rows)
}

#[derive(Default)]
struct Rows<'t> {
    rows: Vec<Row<'t>>,
    /// The one that words are added to.
    row: Option<Row<'t>>,
    /// Whether an empty line came by since the last row.
    apart: bool,
    depth: usize,
}

impl<'t> Rows<'t> {
    /// What stands between two words: blanks, line breaks, comments.
    fn gap(&mut self, text: &'t str) {
        let last = text.matches('\n').count();
        for (index, line) in text.split('\n').enumerate() {
            let comment = line.trim();
            if comment.is_empty() {
                // Neither the rest of a line nor the blanks before a word are an empty line.
                self.apart |= index > 0 && index < last;
                continue;
            }
            match self.row.as_mut().filter(|_| index == 0) {
                Some(row) => row.comment = Some(comment),
                None => {
                    self.end_row();
                    let row = self.new_row();
                    self.rows.push(Row { comment: Some(comment), ..row });
                }
            }
        }
    }

    fn word(&mut self, word: &'t str, token: &Token, before: Option<&Token>) {
        let closes = is_brace(word, '}');
        let follows = before.is_some_and(|before| before.last_line >= token.line);
        let stays = match &self.row {
            None => false,
            Some(row) if row.comment.is_some() || closes => false,
            Some(row) if is_brace(word, '{') => follows || row.takes_brace(),
            // An `import` behind a brace is a word; on a line of its own it would be followed.
            Some(row) => follows && (!row.opens() || (self.depth > 1 && word == "import")),
        };
        if !stays {
            self.end_row();
        }
        if closes {
            self.depth = self.depth.saturating_sub(1);
        }
        if self.row.is_none() {
            self.row = Some(self.new_row());
        }
        if let Some(row) = &mut self.row {
            row.words.push(word);
        }
        if is_brace(word, '{') {
            self.depth += 1;
        }
    }

    fn new_row(&mut self) -> Row<'t> {
        Row { depth: self.depth, apart: std::mem::take(&mut self.apart), ..Row::default() }
    }

    fn end_row(&mut self) {
        self.rows.extend(self.row.take());
    }

    fn finished(mut self) -> Vec<Row<'t>> {
        self.end_row();
        self.rows
    }
}

impl Row<'_> {
    /// Whether a `{` on the next line belongs to this one, and can stand here as well.
    fn takes_brace(&self) -> bool {
        !self.opens() && !self.closes() && !self.goes_on() && self.words.first() != Some(&"import")
    }
}

/// Decides where empty lines are. Without server blocks, as in a piece and in a Corefile without
/// braces, those that are there stay.
fn set_apart(rows: &mut [Row<'_>], is_piece: bool) {
    let has_blocks = !is_piece && begins_with_block(rows);
    for at in 0..rows.len() {
        let above = at.checked_sub(1).map(|above| &rows[above]);
        if above.is_none_or(|above| above.opens()) || rows[at].closes() {
            rows[at].apart = false;
        } else if has_blocks && rows[at].depth == 0 && above.is_some_and(Row::closes) {
            rows[at].apart = true;
        }
    }
    for at in 0..rows.len() {
        if has_blocks && rows[at].depth == 0 && rows[at].opens() && rows[at].words.len() > 1 {
            // Comments right above a block belong to it, and so do the keys of its first lines.
            let belongs = |row: &Row<'_>| row.is_comment() || row.goes_on();
            let mut top = at;
            while top > 0 && !rows[top].apart && belongs(&rows[top - 1]) {
                top -= 1;
            }
            rows[top].apart = top > 0;
        }
    }
}

/// Whether the first line that is neither a comment nor an import is that of a server block.
fn begins_with_block(rows: &[Row<'_>]) -> bool {
    let is_line = |row: &&Row<'_>| {
        !row.is_comment() && !row.goes_on() && row.words.first() != Some(&"import")
    };
    let mut lines = rows.iter().filter(is_line);
    let first_opens = lines.next().is_some_and(Row::opens);
    // A comment may keep the brace on a line of its own.
    first_opens || lines.next().is_some_and(|row| row.opens() && row.words.len() == 1)
}

fn write(rows: &[Row<'_>]) -> String {
    let mut text = String::new();
    for row in rows {
        if row.apart {
            text.push('\n');
        }
        text.extend(std::iter::repeat_n(' ', row.depth.min(DEPTH_MAX) * INDENT));
        text += &row.words.join(" ");
        if let Some(comment) = row.comment {
            text += if row.is_comment() { "" } else { " " };
            text += comment;
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn formatted(text: &str) -> String {
        format("Corefile", text.as_bytes()).unwrap_or_else(|parsed| {
            panic!("{text}\n{}", parsed.mistakes.render(&parsed.sources, false))
        })
    }

    #[track_caller]
    fn becomes(text: &str, expected: &str) {
        assert_eq!(formatted(text), expected, "{text:?}");
        assert_eq!(formatted(expected), expected);
    }

    #[test]
    fn blanks_braces_and_empty_lines_are_put_in_order() {
        becomes("", "");
        becomes(
            ".\t{\nerrors\n  log  .   {combined}\n}",
            ". {\n    errors\n    log . {combined}\n}\n",
        );
        becomes("a\n{\nlog\n}\nb {\nlog\n}", "a {\n    log\n}\n\nb {\n    log\n}\n");
        becomes(". {\n\n\nlog\n\n\nerrors\n\n}\n\n\n", ". {\n    log\n\n    errors\n}\n");
        becomes(
            ". {\n hosts { 10.0.0.1 a\n 10.0.0.2 b }\n}",
            ". {\n    hosts {\n        10.0.0.1 a\n        10.0.0.2 b\n    }\n}\n",
        );
        becomes("a,\r\nb {\r\nlog\r\n}\r\n", "a,\nb {\n    log\n}\n");
        becomes("import x\n. {\nimport y\n}", "import x\n\n. {\n    import y\n}\n");
        becomes(".:53\n errors\n cache\n", ".:53\nerrors\ncache\n");
    }

    #[test]
    fn comments_stay_where_they_are() {
        becomes(
            "#one\n\n  # two\n. { # three\n  # four\n  log   # five\n\n# six\n}\n# seven\na {\n}\n# eight",
            "#one\n\n# two\n. { # three\n    # four\n    log # five\n\n    # six\n}\n\n# seven\na {\n}\n\n# eight\n",
        );
        becomes(". # one\n{\nlog\n}", ". # one\n{\n    log\n}\n");
        becomes("# only\n\n\n# comments", "# only\n\n# comments\n");
        becomes(
            ". {\n hosts { # a\n # b\n 10.0.0.1 a } # c\n}",
            ". {\n    hosts { # a\n        # b\n        10.0.0.1 a\n    } # c\n}\n",
        );
    }

    #[test]
    fn what_is_written_is_not_read() {
        becomes(
            ".:{$PORT} {\nlog . \"{remote}\n  {type}\"\nchaos \"\" x#y {%A%}\n}",
            ".:{$PORT} {\n    log . \"{remote}\n  {type}\"\n    chaos \"\" x#y {%A%}\n}\n",
        );
        becomes(
            "(s) {\nlog\n}\n. {\nimport s\nimport /no/such/file\n}",
            "(s) {\n    log\n}\n\n. {\n    import s\n    import /no/such/file\n}\n",
        );
    }

    #[test]
    fn pieces_of_corefiles_have_a_layout_too() {
        becomes(
            "log\nhosts {\n10.0.0.1 a\n}\nrewrite name regex (.*)\\.a b\n",
            "log\nhosts {\n    10.0.0.1 a\n}\nrewrite name regex (.*)\\.a b\n",
        );
        becomes("10.0.0.1  a\n10.0.0.2\tb", "10.0.0.1 a\n10.0.0.2 b\n");
    }

    #[test]
    fn words_that_a_line_break_would_change_stay_together() {
        becomes(". {\nhosts { import x\n}\n}", ". {\n    hosts { import x\n    }\n}\n");
        becomes(". {\nlog {\n} a.test\n}", ". {\n    log {\n    } a.test\n}\n");
        becomes("import keys\n{\nlog\n}", "import keys\n{\n    log\n}\n");
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_all_mistakes() {
        let codes = |text: &[u8]| -> Vec<_> {
            let parsed = format("Corefile", text).unwrap_err();
            parsed.mistakes.iter().map(|mistake| mistake.code.slug()).collect()
        };
        assert_eq!(codes(b". {\n log\n"), ["unclosed"]);
        assert_eq!(codes(b". {\n x a{\n }\n y b{\n }\n}\n"), ["glued-brace", "glued-brace"]);
        assert_eq!(codes(b". {\n chaos \xff\n}\n"), ["not-utf-8"]);
        assert_eq!(codes(b".\nchaos \"a b\n"), ["unclosed-quote"]);
        assert_eq!(codes(b"log\n}\n"), ["stray-close"]);
        assert_eq!(codes(b". {\n log {\n }\n"), ["unclosed"]);
        assert_eq!(codes(b". {\n log\n}\n}\n"), ["stray-close"]);
    }

    proptest! {
        /// The proof is in [`format`]; this is about what has its layout already.
        #[test]
        fn a_layout_stays(words in prop::collection::vec(
            prop::sample::select(vec![
                "{", "}", " {\n", "\n}\n", "\n", "\n", "import", "(s)", ".", "a.test", "a,", "\"b c\"", "\"d\ne\"", "# f\n", "log", "hosts", "\n\n\n", "x#y",
            ]),
            0..40,
        )) {
            let text = words.join(" ");
            if let Ok(laid_out) = format("Corefile", text.as_bytes()) {
                prop_assert_eq!(formatted(&laid_out), laid_out);
            }
        }
    }
}
