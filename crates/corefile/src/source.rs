//! The texts that a configuration was read from, and places in them.

use std::collections::BTreeSet;

/// A place in the configuration: a range of octets in one file, and how the reader came there.
///
/// Small and without meaning of its own: [`Sources`] knows the file, the line and the column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    file: u32,
    start: u32,
    end: u32,
    /// 0 for the root file, else one more than the index of the import.
    via: u32,
}

impl Span {
    /// The octets from `start` to `end` of the file with number `file`.
    pub(crate) fn new(file: u32, start: usize, end: usize) -> Self {
        Self { file, start: start as u32, end: end as u32, via: 0 }
    }

    /// The same place, come to through the import with this number.
    pub(crate) fn via(self, import: u32) -> Self {
        Self { via: import, ..self }
    }

    /// From the beginning of this place to the end of `last`, if that lies behind it in the same
    /// file; else this place.
    #[must_use]
    pub fn to(self, last: Self) -> Self {
        let follows = last.file == self.file && last.end >= self.end;
        Self { end: if follows { last.end } else { self.end }, ..self }
    }

    /// The smallest range that has both in it; this place alone if they are in two files.
    pub(crate) fn cover(self, other: Self) -> Self {
        if self.file != other.file {
            return self;
        }
        Self { start: self.start.min(other.start), end: self.end.max(other.end), ..self }
    }

    /// The number of the file; the root file is 0, imported files follow as they were first read.
    pub(crate) fn file(self) -> u32 {
        self.file
    }

    /// The range of octets.
    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Where a [`Span`] lies, for people: lines and columns begin with 1, columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column of the first character.
    pub column: usize,
    /// The column behind the last character; if the place has several lines, behind its first line.
    pub column_end: usize,
}

/// One step of the way to an imported word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Import<'a> {
    /// Where the `import` stands.
    pub(crate) at: Span,
    /// The name of the snippet; `None` if a file was imported.
    pub(crate) snippet: Option<&'a str>,
}

/// Every text that was read, and every import that led to one.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
    imports: Vec<(Span, Option<String>)>,
    /// The files that a pattern found.
    fragments: BTreeSet<u32>,
}

#[derive(Clone, Debug)]
struct Source {
    path: String,
    text: String,
    /// The octet at which each line begins.
    lines: Vec<u32>,
}

impl Sources {
    /// The path of the file, as it was asked for.
    pub fn path(&self, at: Span) -> &str {
        self.file(at).map_or("", |source| &source.path)
    }

    /// Gives files other names, for whoever reads messages: a text out of a ConfigMap is known by
    /// the YAML file in which it stands. `name` gets the path that was asked for; `None` keeps it.
    pub fn rename_files(&mut self, name: impl Fn(&str) -> Option<String>) {
        for source in &mut self.files {
            if let Some(name) = name(&source.path) {
                source.path = name;
            }
        }
    }

    /// What is written there.
    pub fn text(&self, at: Span) -> &str {
        self.file(at).and_then(|source| source.text.get(at.range())).unwrap_or("")
    }

    /// The line and the columns.
    pub fn position(&self, at: Span) -> Position {
        let Some(source) = self.file(at) else {
            return Position { line: 1, column: 1, column_end: 1 };
        };
        let line = source.line_of(at.start);
        let text = &source.text[source.line_range(line)];
        let before = (at.range().start - source.lines[line] as usize).min(text.len());
        let width = (at.range().end - at.range().start).min(text.len() - before);
        let column = 1 + text[..before].chars().count();
        let column_end = column + text[before..before + width].chars().count();
        Position { line: line + 1, column, column_end }
    }

    /// How the reader came there, the nearest import first.
    pub(crate) fn imports(&self, at: Span) -> impl Iterator<Item = Import<'_>> {
        let mut via = at.via;
        std::iter::from_fn(move || {
            let (at, snippet) = self.imports.get((via as usize).checked_sub(1)?)?;
            via = at.via;
            Some(Import { at: *at, snippet: snippet.as_deref() })
        })
    }

    /// Every file that a pattern imported, with its path and its text. Such files (`*.override`,
    /// `*.server`) have owners of their own.
    pub fn fragments(&self) -> impl Iterator<Item = (&str, &str)> {
        let read = self.fragments.iter().filter_map(|&file| self.files.get(file as usize));
        read.map(|source| (source.path.as_str(), source.text.as_str()))
    }

    /// The lines that a place touches, whole, with the number of the first and its first octet.
    pub(crate) fn excerpt(&self, at: Span) -> (&str, usize, usize) {
        let Some(source) = self.file(at) else { return ("", 1, 0) };
        let first = source.line_of(at.start);
        let last = source.line_of(at.end.max(at.start + 1) - 1);
        let range = source.line_range(first).start..source.line_range(last).end;
        let start = range.start;
        (&source.text[range], first + 1, start)
    }

    /// The column of the first character that is not blank in the line of `at`.
    pub(crate) fn indent(&self, at: Span) -> usize {
        let (line, ..) = self.excerpt(at);
        line.chars().take_while(|c| c.is_whitespace()).count()
    }

    /// Adds a file and gives its number.
    pub(crate) fn add_file(&mut self, path: &str, text: String) -> u32 {
        let breaks = text.bytes().enumerate().filter(|&(_, octet)| octet == b'\n');
        let lines = std::iter::once(0).chain(breaks.map(|(at, _)| at as u32 + 1)).collect();
        self.files.push(Source { path: path.to_owned(), text, lines });
        self.files.len() as u32 - 1
    }

    /// Adds an import and gives its number.
    pub(crate) fn add_import(&mut self, at: Span, snippet: Option<&str>) -> u32 {
        self.imports.push((at, snippet.map(str::to_owned)));
        self.imports.len() as u32
    }

    /// Remembers that a pattern found the file with this number.
    pub(crate) fn add_fragment(&mut self, file: u32) {
        self.fragments.insert(file);
    }

    /// The text of the file with this number.
    pub(crate) fn file_text(&self, file: u32) -> &str {
        self.files.get(file as usize).map_or("", |source| &source.text)
    }

    fn file(&self, at: Span) -> Option<&Source> {
        self.files.get(at.file as usize)
    }
}

impl Source {
    /// The index of the line in which an octet lies.
    fn line_of(&self, octet: u32) -> usize {
        self.lines.partition_point(|&start| start <= octet) - 1
    }

    /// The octets of a line without its line break.
    fn line_range(&self, line: usize) -> std::ops::Range<usize> {
        let start = self.lines[line] as usize;
        let end = self.lines.get(line + 1).map_or(self.text.len(), |&next| next as usize - 1);
        let text = &self.text[start..end];
        start..start + text.trim_end_matches('\r').len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let mut sources = Sources::default();
        let file = sources.add_file("Corefile", "ab\r\nü cd\n".to_owned());
        let at = |start, end| sources.position(Span::new(file, start, end));
        assert_eq!(at(0, 2), Position { line: 1, column: 1, column_end: 3 });
        assert_eq!(at(7, 9), Position { line: 2, column: 3, column_end: 5 });
        assert_eq!(at(1, 9), Position { line: 1, column: 2, column_end: 3 });
        assert_eq!(at(10, 10), Position { line: 3, column: 1, column_end: 1 });
        assert_eq!(sources.excerpt(Span::new(file, 7, 9)), ("ü cd", 2, 4));
    }

    #[test]
    fn the_way_to_a_word_is_told_from_its_end() {
        let mut sources = Sources::default();
        let root = sources.add_file("Corefile", "import a".to_owned());
        let first = sources.add_import(Span::new(root, 0, 6), None);
        let file = sources.add_file("a", "import s".to_owned());
        let second = sources.add_import(Span::new(file, 0, 6).via(first), Some("s"));
        let word = Span::new(file, 7, 8).via(second);
        let names: Vec<_> = sources.imports(word).map(|import| import.snippet).collect();
        assert_eq!(names, [Some("s"), None]);
        assert_eq!(sources.path(word), "a");
        assert_eq!(sources.text(word), "s");
    }
}
