//! Text cut into entries and words (RFC 1035 §5.1): blanks, quotes, parentheses and comments.

use std::fmt;

/// The most words of an entry: more than the largest record needs if each octet were a word.
const WORDS_MAX: usize = 1 << 17;

/// A place in a text, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The octet of the line.
    pub column: u32,
}

/// `12:34`
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A word: what stands between blanks, or between quotes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word<'a> {
    /// The octets without the quotes; escapes are still in it.
    pub text: &'a [u8],
    /// Whether it stands in quotes: then it is text and never a name, number or keyword.
    pub quoted: bool,
    /// Whether nothing stands between the word before and this one, as in `alpn="h2"`.
    pub joined: bool,
    /// Where it begins.
    pub place: Place,
}

impl Word<'_> {
    /// Whether this is `keyword`, in any case and not in quotes.
    pub fn is(&self, keyword: &str) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(keyword.as_bytes())
    }
}

/// An entry: a line, or several that parentheses hold together.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'e, 'a> {
    /// The words; never none.
    pub words: &'e [Word<'a>],
    /// Whether a blank stands in front of the first word: the owner is that of the entry before.
    pub indented: bool,
    /// Where the entry ends: the place of whatever is missing at its end.
    pub end: Place,
}

/// Quotes or parentheses that do not pair up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadEntry {
    /// Where the quote or parenthesis stands.
    pub place: Place,
    /// What is wrong with it.
    pub fault: EntryFault,
}

/// What is wrong with an entry as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryFault {
    /// A quote that no other one closes.
    OpenQuote,
    /// A parenthesis that no other one closes.
    OpenParenthesis,
    /// A closing parenthesis that no other one opened.
    StrayParenthesis,
    /// More than 131,072 words.
    TooManyWords,
}

impl fmt::Display for EntryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenQuote => "this quote is never closed",
            Self::OpenParenthesis => "this parenthesis is never closed",
            Self::StrayParenthesis => "this parenthesis was never opened",
            Self::TooManyWords => "the entry has more than 131072 words",
        })
    }
}

/// The entries of a text, one after the other.
///
/// Entries without words are skipped: empty lines and comments. CR counts as a blank, so both kinds
/// of line ends are read; a byte order mark is skipped. In quotes a line end is an octet like any
/// other, as it is for CoreDNS.
#[derive(Debug)]
pub struct Entries<'a> {
    text: &'a [u8],
    at: usize,
    line: u32,
    line_begin: usize,
    words: Vec<Word<'a>>,
    /// Where the last word ended.
    word_end: usize,
}

impl<'a> Entries<'a> {
    /// Reads from the beginning of `text`.
    pub fn new(text: &'a [u8]) -> Self {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        Self { text, at: 0, line: 1, line_begin: 0, words: Vec::new(), word_end: usize::MAX }
    }

    /// The next entry. Behind a bad one, reading goes on at the line below its place.
    #[expect(clippy::should_implement_trait, reason = "an entry borrows its words from here")]
    pub fn next(&mut self) -> Option<Result<Entry<'_, 'a>, BadEntry>> {
        loop {
            let first = *self.text.get(self.at)?;
            self.words.clear();
            match self.scan() {
                Ok(_) if self.words.is_empty() => {}
                Ok(end) => {
                    let indented = matches!(first, b' ' | b'\t');
                    return Some(Ok(Entry { words: &self.words, indented, end }));
                }
                Err(mark) => {
                    self.resume_below(&mark);
                    return Some(Err(mark.bad));
                }
            }
        }
    }

    /// Collects the words of one entry and steps over its line end. Where the entry ended.
    fn scan(&mut self) -> Result<Place, Mark> {
        let mut open = 0;
        let mut outermost = None;
        while let Some(&octet) = self.text.get(self.at) {
            match octet {
                b'\n' => {
                    let end = self.place();
                    self.step_over_line_end();
                    if open == 0 {
                        return Ok(end);
                    }
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                b';' => self.skip_line(),
                b'(' => {
                    outermost = outermost.or(Some(self.mark(EntryFault::OpenParenthesis)));
                    open += 1;
                    self.at += 1;
                }
                b')' if open == 0 => return Err(self.mark(EntryFault::StrayParenthesis)),
                b')' => {
                    open -= 1;
                    outermost = outermost.filter(|_| open > 0);
                    self.at += 1;
                }
                _ if self.words.len() >= WORDS_MAX => {
                    return Err(self.mark(EntryFault::TooManyWords));
                }
                b'"' => self.quoted()?,
                _ => self.unquoted(),
            }
        }
        outermost.map_or_else(|| Ok(self.place()), Err)
    }

    fn quoted(&mut self) -> Result<(), Mark> {
        let mark = self.mark(EntryFault::OpenQuote);
        self.at += 1;
        let begin = self.at;
        loop {
            match self.text.get(self.at) {
                None => return Err(mark),
                Some(b'"') => break,
                Some(b'\n') => self.step_over_line_end(),
                // Whatever is escaped does not close the quotes; a line end is still counted.
                Some(b'\\') if self.text.get(self.at + 1) != Some(&b'\n') => self.at += 2,
                Some(_) => self.at += 1,
            }
        }
        self.push(begin, mark.bad.place, true);
        self.at += 1;
        self.word_end = self.at;
        Ok(())
    }

    fn unquoted(&mut self) {
        let (begin, place) = (self.at, self.place());
        while let Some(octet) = self.text.get(self.at) {
            match octet {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' | b'"' => break,
                b'\\' if !matches!(self.text.get(self.at + 1), None | Some(b'\r' | b'\n')) => {
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        self.push(begin, place, false);
        self.word_end = self.at;
    }

    fn push(&mut self, begin: usize, place: Place, quoted: bool) {
        let joined = self.word_end == begin - usize::from(quoted);
        self.words.push(Word { text: &self.text[begin..self.at], quoted, joined, place });
    }

    fn place(&self) -> Place {
        let column = u32::try_from(self.at - self.line_begin + 1).unwrap_or(u32::MAX);
        Place { line: self.line, column }
    }

    fn mark(&self, fault: EntryFault) -> Mark {
        let bad = BadEntry { place: self.place(), fault };
        Mark { at: self.at, line_begin: self.line_begin, bad }
    }

    fn resume_below(&mut self, mark: &Mark) {
        (self.at, self.line_begin, self.line) = (mark.at, mark.line_begin, mark.bad.place.line);
        self.skip_line();
        if self.at < self.text.len() {
            self.step_over_line_end();
        }
    }

    /// Goes to the end of the line, not over it.
    fn skip_line(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.iter().position(|&octet| octet == b'\n').unwrap_or(rest.len());
    }

    fn step_over_line_end(&mut self) {
        self.at += 1;
        self.line = self.line.saturating_add(1);
        self.line_begin = self.at;
    }
}

/// A place to come back to, and why one would.
#[derive(Clone, Copy)]
struct Mark {
    at: usize,
    line_begin: usize,
    bad: BadEntry,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The entries as `owner|word|"quoted"|+joined`, faults as their debug form and place.
    fn entries(text: &str) -> Vec<String> {
        let mut entries = Entries::new(text.as_bytes());
        let mut found = Vec::new();
        while let Some(entry) = entries.next() {
            found.push(match entry {
                Ok(entry) => shown(&entry),
                Err(bad) => format!("{:?} {}", bad.fault, bad.place),
            });
        }
        found
    }

    fn shown(entry: &Entry<'_, '_>) -> String {
        let words = entry.words.iter().map(|word| {
            let text = String::from_utf8_lossy(word.text);
            let text = if word.quoted { format!("{text:?}") } else { text.into_owned() };
            if word.joined { format!("+{text}") } else { text }
        });
        let words = words.collect::<Vec<_>>().join("|");
        if entry.indented { format!("_|{words}") } else { words }
    }

    #[test]
    fn lines_comments_and_parentheses() {
        let text = "\u{feff}a A 1 ; one\r\n\r\n  ; nothing\n\tA 2\nb (SOA ; x (\n 1\n2) 3\nc";
        assert_eq!(entries(text), ["a|A|1", "_|A|2", "b|SOA|1|2|3", "c"]);
    }

    #[test]
    fn quotes_and_escapes() {
        let text = r#"a "b ;(c" k="v w"x "\"" d\;e \( f\ g"#;
        let expected = r#"a|"b ;(c"|k=|+"v w"|+x|"\\\""|d\;e|\(|f\ g"#;
        assert_eq!(entries(text), [expected]);
        assert_eq!(entries("a \"b\nc\" d\ne"), ["a|\"b\\nc\"|d", "e"]);
        assert_eq!(entries("a\\\nb"), ["a\\", "b"]);
    }

    #[test]
    fn what_is_not_closed_costs_one_line() {
        assert_eq!(entries("a (b\nc d\n"), ["OpenParenthesis 1:3", "c|d"]);
        assert_eq!(entries("a ((b)\nc"), ["OpenParenthesis 1:3", "c"]);
        assert_eq!(entries("a\nb \"c\nd"), ["a", "OpenQuote 2:3", "d"]);
        assert_eq!(entries("a ) b\nc"), ["StrayParenthesis 1:3", "c"]);
        assert_eq!(entries("( \n \""), ["OpenQuote 2:2"]);
    }

    #[test]
    fn places_are_counted_from_one() {
        let mut entries = Entries::new(b"\n a (\n\tbc \"d\ne\" f )  ; x\n");
        let entry = entries.next().unwrap().unwrap();
        let places: Vec<_> = entry.words.iter().map(|word| word.place.to_string()).collect();
        assert_eq!(places, ["2:2", "3:2", "3:5", "4:4"]);
        assert_eq!(entry.end.to_string(), "4:12");
    }

    proptest! {
        #[test]
        fn any_octets_are_cut_without_a_panic(text in prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(b" \n\"();\\a".to_vec())], 0..200,
        )) {
            let mut entries = Entries::new(&text);
            let mut count = 0;
            while let Some(entry) = entries.next() {
                count += 1;
                prop_assert!(entry.is_err() || !entry.unwrap().words.is_empty());
            }
            prop_assert!(count <= text.len());
        }
    }
}
