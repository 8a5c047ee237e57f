//! Text to words: blanks, comments, quotes.

use crate::{Code, Mistake, Mistakes, Span, shown};
use std::iter::Peekable;
use std::rc::Rc;
use std::str::CharIndices;

/// A word as it stands in a file, before variables are set in.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// Without its quotes.
    pub(crate) text: Rc<str>,
    /// With its quotes.
    pub(crate) at: Span,
    /// The line it begins in, from 0.
    pub(crate) line: u32,
    /// The line it ends in: quotes may go on for several lines.
    pub(crate) last_line: u32,
    /// Whether it stands in quotes.
    pub(crate) quoted: bool,
}

/// The words of the file with number `file`.
pub(crate) fn lex<'t>(
    file: u32,
    text: &'t str,
    mistakes: &'t mut Mistakes,
) -> impl Iterator<Item = Token> {
    let mut lexer = Lexer {
        file,
        text,
        chars: text.char_indices().peekable(),
        line: 0,
        mistakes,
        long_quote: None,
    };
    std::iter::from_fn(move || lexer.token())
}

/// The octets of a file as text. A mark at the beginning is dropped, and every octet that is not
/// UTF-8 becomes U+FFFD, as in CoreDNS; the position of the first one is given too.
pub(super) fn decode(octets: &[u8]) -> (String, Option<usize>) {
    let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
    let mut text = String::with_capacity(octets.len());
    let mut first = None;
    for chunk in octets.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            first.get_or_insert(text.len());
            text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
        }
    }
    (text, first)
}

struct Lexer<'t> {
    file: u32,
    text: &'t str,
    chars: Peekable<CharIndices<'t>>,
    line: u32,
    mistakes: &'t mut Mistakes,
    /// The first quoted word that goes on for several lines: the likely culprit if a quote is
    /// missing at the end.
    long_quote: Option<Span>,
}

impl Lexer<'_> {
    fn token(&mut self) -> Option<Token> {
        self.skip_blanks();
        match self.chars.peek()?.1 {
            '"' => self.quoted(),
            _ => Some(self.word()),
        }
    }

    /// Skips blanks and comments.
    fn skip_blanks(&mut self) {
        let mut comment = false;
        while let Some(&(_, c)) = self.chars.peek() {
            match c {
                '\n' => {
                    self.line += 1;
                    comment = false;
                }
                '#' => comment = true,
                _ if comment || c.is_whitespace() => {}
                _ => return,
            }
            self.chars.next();
        }
    }

    /// A word without quotes. A `"` inside of it is a character like any other.
    fn word(&mut self) -> Token {
        let start = self.offset();
        let mut text = String::new();
        let mut hash = false;
        while let Some(&(_, c)) = self.chars.peek() {
            match c {
                // CoreDNS drops a carriage return wherever it stands, without ending the word.
                '\r' => {}
                _ if c.is_whitespace() => break,
                // In CoreDNS a `#` silences the rest of its word, and not the rest of the line.
                '#' => hash = true,
                _ if hash => {}
                _ => text.push(c),
            }
            self.chars.next();
        }
        let at = self.span(start);
        if hash {
            self.warn_of_hash(start, &text);
        }
        Token { text: text.into(), at, line: self.line, last_line: self.line, quoted: false }
    }

    fn warn_of_hash(&mut self, start: usize, text: &str) {
        let at = Span::new(self.file, start, self.offset());
        let written = shown(self.text[start..self.offset()].trim_end());
        let message = format!("{written} is read as {}", shown(text));
        let mistake = Mistake::warning(Code::HashInWord, at, message)
            .label("a `#` inside a word hides the rest of the word, but not the rest of the line")
            .help(
                "write a blank before the `#` if it begins a comment, else quotes around the word",
            );
        self.mistakes.push(mistake);
    }

    /// A word in quotes, which may have blanks, line breaks and `\"` in it. Any other backslash is
    /// a backslash. A quote that is never closed ends with the file, and is no word if it is empty.
    fn quoted(&mut self) -> Option<Token> {
        let (start, line) = (self.offset(), self.line);
        self.chars.next();
        let mut text = String::new();
        let mut escaped = false;
        let mut closed = false;
        for (_, c) in self.chars.by_ref() {
            if c == '\n' {
                self.line += 1;
            }
            if !escaped && c == '"' {
                closed = true;
                break;
            }
            if !escaped && c == '\\' {
                escaped = true;
                continue;
            }
            if escaped && c != '"' {
                text.push('\\');
            }
            text.push(c);
            escaped = false;
        }
        let at = self.span(start);
        if !closed {
            self.warn_of_quote(start);
        } else if self.chars.peek().is_some_and(|&(_, c)| !c.is_whitespace()) {
            self.warn_of_end(at, self.line > line);
        }
        if closed && self.line > line {
            self.long_quote.get_or_insert(at);
        }
        (closed || !text.is_empty()).then(|| Token {
            text: text.into(),
            at,
            line,
            last_line: self.line,
            quoted: true,
        })
    }

    /// A word begins right behind the closing quote: that one was probably meant to open.
    fn warn_of_end(&mut self, quoted: Span, is_long: bool) {
        let range = quoted.range();
        let end = Span::new(self.file, range.end - 1, range.end);
        let mut mistake = Mistake::warning(
            Code::GluedQuote,
            end,
            "a quote ends here, and a word begins without a blank",
        )
        .label("what follows is a word of its own");
        if is_long {
            let start = Span::new(self.file, range.start, range.start + 1);
            mistake = mistake.related(
                start,
                "the quote begins here: perhaps the missing one belongs in this line",
            );
            self.mistakes.doubt(start);
        }
        self.mistakes.push(mistake);
    }

    fn warn_of_quote(&mut self, start: usize) {
        let at = Span::new(self.file, start, start + 1);
        let mut mistake = Mistake::warning(Code::UnclosedQuote, at, "this quote is never closed")
            .label("everything from here to the end of the file is one word");
        if let Some(long) = self.long_quote {
            mistake = mistake.related(
                long,
                "this quote goes on for several lines: perhaps the missing one belongs here",
            );
        }
        self.mistakes.doubt(self.long_quote.unwrap_or(at));
        self.mistakes.push(mistake);
    }

    fn offset(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |&(at, _)| at)
    }

    /// From `start` to here, without carriage returns at the end.
    fn span(&mut self, start: usize) -> Span {
        let end = self.offset();
        let end = start + self.text[start..end].trim_end_matches('\r').len();
        Span::new(self.file, start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Words, with `|` where a line begins, and how many mistakes there were.
    fn words(text: &str) -> (String, usize) {
        let mut mistakes = Mistakes::new();
        let tokens: Vec<_> = lex(0, text, &mut mistakes).collect();
        let mut all = String::new();
        for (index, token) in tokens.iter().enumerate() {
            if index > 0 {
                all += if token.line > tokens[index - 1].last_line { "|" } else { " " };
            }
            all += &token.text;
        }
        (all, mistakes.warnings())
    }

    #[track_caller]
    fn read(text: &str, expected: &str, warnings: usize) {
        assert_eq!(words(text), (expected.to_owned(), warnings), "{text:?}");
    }

    /// Seen in the zones that CoreDNS 1.14.7 says it serves when these words are its keys.
    #[test]
    fn words_are_what_core_dns_thinks_they_are() {
        read("a b\tc\u{a0}d\u{2003}e", "a b c d e", 0);
        read("a.te\rst\r\nb\r\n", "a.test|b", 0);
        read("a # b\nc", "a|c", 0);
        read("a #b#c \"\n#d\n e", "a|e", 0);
        read("a.test x#y.test z.test", "a.test x z.test", 1);
        read("whoami# x", "whoami x", 1);
        read("a \"#b\" c", "a #b c", 0);
        read("\"b.test\"c.test d\"e.test", "b.test c.test d\"e.test", 1);
        read(r#""a\"b" "c\d" "\\" e\f"#, r#"a"b c\d \\ e\f"#, 0);
        read("a \"b c\" d", "a b c d", 0);
        read("a \"b\nc\" d\ne", "a b\nc d|e", 0);
        read("a {b} }{ { }", "a {b} }{ { }", 0);
        read("\"\" a", " a", 0);
        read("a\n\"b c", "a|b c", 1);
        read("a \"", "a", 1);
        read("\"a\\", "a", 1);
        read("", "", 0);
        read("# only\n", "", 0);
    }

    #[test]
    fn octets_that_are_not_utf_8_become_one_character_each() {
        assert_eq!(decode(b"\xef\xbb\xbfa"), ("a".to_owned(), None));
        assert_eq!(
            decode(b"a.test\xff\xe2\x82x"),
            ("a.test\u{fffd}\u{fffd}\u{fffd}x".to_owned(), Some(6))
        );
        assert_eq!(decode("ü".as_bytes()), ("ü".to_owned(), None));
    }

    #[test]
    fn a_missing_quote_is_looked_for_where_a_quote_spans_lines() {
        let mut mistakes = Mistakes::new();
        assert_eq!(lex(0, "log \"a\nlog \"b \"c", &mut mistakes).count(), 4);
        let places: Vec<_> =
            mistakes.iter().map(|mistake| (mistake.at, mistake.notes[0].at)).collect();
        let glued = (Span::new(0, 11, 12), Some(Span::new(0, 4, 5)));
        let unclosed = (Span::new(0, 14, 15), Some(Span::new(0, 4, 12)));
        assert_eq!(places, [glued, unclosed]);
    }

    proptest! {
        #[test]
        fn every_word_lies_where_its_span_says(text in "[ \t\r\na-c\"\\\\#{}ü]{0,60}") {
            let mut end = 0;
            for token in lex(0, &text, &mut Mistakes::new()) {
                let range = token.at.range();
                prop_assert!(range.start >= end && range.end > range.start);
                let written = &text[range.clone()];
                prop_assert_eq!(token.quoted, written.starts_with('"'));
                let first = written.chars().next();
                prop_assert!(token.quoted || token.text.chars().next() == first);
                prop_assert_eq!(token.line as usize, text[..range.start].matches('\n').count());
                end = range.end;
            }
        }
    }
}
