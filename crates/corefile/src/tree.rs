//! A configuration as it is written: server blocks, directives, lines, words.

use crate::{Key, Span};
use std::collections::HashSet;
use std::fmt::{self, Write};

/// One word: what stands between blanks, or between quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word itself: without quotes, and with environment variables set in.
    pub text: String,
    /// Where it is written.
    pub at: Span,
    /// Whether variables were set in, so that the text is not what is written there.
    pub expanded: bool,
}

impl Word {
    /// A word that stands, or might stand, at this place.
    pub fn new(text: impl Into<String>, at: Span) -> Self {
        Self { text: text.into(), at, expanded: false }
    }
}

/// The word as it must be written into a Corefile: in quotes if it would be read as something else.
impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        let plain = !text.is_empty()
            && !text.starts_with('"')
            && !text.contains(|c: char| c.is_whitespace() || c == '#');
        if plain {
            return f.write_str(text);
        }
        f.write_char('"')?;
        for c in text.chars() {
            if c == '"' {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}

/// A line in the block of a directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The words before the brace; never empty.
    pub words: Vec<Word>,
    /// The lines between the braces, if there are braces.
    pub body: Option<Vec<Self>>,
}

impl Line {
    /// From the first word to the last.
    pub fn at(&self) -> Span {
        span_of(&self.words)
    }
}

/// A directive: `forward . 10.0.0.1 { … }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Its name.
    pub name: Word,
    /// The words between its name and its brace.
    pub args: Vec<Word>,
    /// The lines between its braces, if it has braces.
    pub body: Option<Vec<Line>>,
}

impl Directive {
    /// From the name to the last argument.
    pub fn at(&self) -> Span {
        self.args.last().map_or(self.name.at, |last| self.name.at.to(last.at))
    }
}

/// The words of a directive as a Corefile has them, with its block, indented by four blanks.
impl fmt::Display for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        for word in &self.args {
            write!(f, " {word}")?;
        }
        // Braces around nothing are the same as no braces.
        match &self.body {
            Some(lines) if !lines.is_empty() => write_lines(lines, 1, f),
            _ => Ok(()),
        }
    }
}

fn write_lines(lines: &[Line], depth: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(" {\n")?;
    for line in lines {
        write!(f, "{:1$}", "", depth * 4)?;
        for (index, word) in line.words.iter().enumerate() {
            write!(f, "{}{word}", if index > 0 { " " } else { "" })?;
        }
        if let Some(body) = &line.body {
            write_lines(body, depth + 1, f)?;
        }
        f.write_char('\n')?;
    }
    write!(f, "{:1$}}}", "", (depth - 1) * 4)
}

/// A server block: the zones that it answers for, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerBlock {
    /// What it answers for, in the order of the file; empty if that was left out or is wrong.
    pub keys: Vec<Key>,
    /// Its directives, in the order of the file; in which order plugins are asked does not depend
    /// on it.
    pub directives: Vec<Directive>,
    /// From the first key to the last.
    pub at: Span,
}

impl ServerBlock {
    /// The zones of all keys, in lower case with a final dot, each once.
    pub fn zones(&self) -> Vec<&str> {
        each_once(self.keys.iter().flat_map(|key| &key.zones).map(String::as_str))
    }

    /// Every directive of this name, for its reader; `None` if there is none.
    pub fn block<'a>(&'a self, name: &str) -> Option<Block<'a>> {
        let directives: Vec<_> = self.directives.iter().filter(|d| d.name.text == name).collect();
        (!directives.is_empty()).then_some(Block { server_block: self, directives })
    }

    /// The names of the directives, each once, in the order of the file.
    pub fn names(&self) -> Vec<&str> {
        each_once(self.directives.iter().map(|directive| directive.name.text.as_str()))
    }
}

/// All directives of one name in one server block: what a plugin makes its configuration from.
///
/// CoreDNS reads them in one go too: whether a directive may be repeated, and what that means, is
/// its reader's decision.
#[derive(Clone, Debug)]
pub struct Block<'a> {
    /// The server block that they stand in.
    pub server_block: &'a ServerBlock,
    /// The directives, in the order of the file; never empty.
    pub directives: Vec<&'a Directive>,
}

impl<'a> Block<'a> {
    /// The last line of this name in the blocks of the directives, for mistakes that only show
    /// when two properties are compared.
    pub fn property(&self, name: &str) -> Option<&'a Line> {
        let lines = self.directives.iter().rev().flat_map(|d| d.body.iter().flatten().rev());
        lines.into_iter().find(|line| line.words.first().is_some_and(|word| word.text == name))
    }

    /// The first line of the first directive.
    pub fn at(&self) -> Span {
        self.directives.first().map_or(self.server_block.at, |directive| directive.at())
    }
}

/// The content of a configuration without its layout: two configurations mean the same to every
/// plugin if their contents are the same. Hash it to see whether a file has changed.
///
/// Comments, blanks, line numbers and how the text is spread over files do not count. (CoreDNS
/// counts lines, and so reloads when a comment moves them.)
pub fn content(blocks: &[ServerBlock]) -> Vec<u8> {
    let mut content = Vec::new();
    for block in blocks {
        put_words(block.keys.iter().map(|key| &key.word), &mut content);
        for directive in &block.directives {
            put_words(std::iter::once(&directive.name).chain(&directive.args), &mut content);
            put_lines(directive.body.as_deref(), &mut content);
        }
        content.push(b'\n');
    }
    content
}

fn put_lines(lines: Option<&[Line]>, content: &mut Vec<u8>) {
    for line in lines.unwrap_or_default() {
        content.push(b'{');
        put_words(line.words.iter(), content);
        put_lines(line.body.as_deref(), content);
        content.push(b'}');
    }
}

/// Each word with its length in front, so that no two lists of words look the same.
fn put_words<'w>(words: impl Iterator<Item = &'w Word>, content: &mut Vec<u8>) {
    for word in words {
        content.push(b' ');
        content.extend_from_slice(&(word.text.len() as u64).to_be_bytes());
        content.extend_from_slice(word.text.as_bytes());
    }
    content.push(b';');
}

fn each_once<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<&'t str> {
    let mut seen = HashSet::new();
    texts.filter(|&text| seen.insert(text)).collect()
}

/// From the first word to the last.
pub(crate) fn span_of(words: &[Word]) -> Span {
    match words {
        [] => Span::new(0, 0, 0),
        [first, ..] => first.at.to(words[words.len() - 1].at),
    }
}
