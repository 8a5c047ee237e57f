//! Text to a tree. This is the grammar of a whole file: server blocks, their keys, snippets.
//!
//! The grammar is CoreDNS's with all its corners, because a Corefile that loads there must load
//! here and mean the same. Where a corner is a trap, it is followed and pointed out; what CoreDNS
//! refuses is a mistake, after which reading goes on at the next line or block.
//!
//! `block.rs` has the inside of a server block, `import.rs` follows imports, `stream.rs` gives the
//! words of all files in order, `lexer.rs` makes words of text.

mod block;
mod import;
mod indents;
mod lexer;
mod path;
mod stream;
mod variables;

use crate::directives::is_directive;
use crate::{
    Code, Key, Mistake, Mistakes, ServerBlock, Sources, Span, Surroundings, Unreadable, Word, shown,
};
pub(crate) use lexer::{Token, lex};

use import::File;
use std::collections::HashMap;
use std::rc::Rc;
use stream::{Item, Stream};

/// Words of a whole configuration. A Corefile has hundreds.
const WORDS_MAX: usize = 1_000_000;
/// Octets of a word that counts as one; a longer one counts as several.
const WORD_LENGTH: usize = 64;

/// What is said of a `}` without a `{`.
const CLOSES_NOTHING: &str = "this `}` closes nothing";

/// What a Corefile says.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The server blocks, in the order of the file. One without keys answers for nothing: it is
    /// here because what stands in it may be wrong all the same.
    pub blocks: Vec<ServerBlock>,
    /// What is wrong with its form; what the directives say is not looked at.
    pub mistakes: Mistakes,
    /// The texts, to show where something is.
    pub sources: Sources,
}

impl Parsed {
    /// Whether nothing is served at all, as by a file of comments. CoreDNS uses its default
    /// configuration then: `whoami` for every name.
    pub fn is_empty(&self) -> bool {
        self.blocks.iter().all(|block| block.keys.is_empty())
    }

    /// Whether the text, read as it is written, is a piece of a server block.
    pub(crate) fn is_piece(&self) -> bool {
        matches!(self.blocks.as_slice(), [block] if block.keys.is_empty())
    }
}

/// Reads a Corefile.
///
/// `path` is its name in messages and where relative imports begin; for a text from elsewhere it
/// may be any word, `stdin` for example. `text` may be anything at all: there is a limit on
/// everything, and reading takes time in proportion to its length and to that of what it imports.
pub fn parse(path: &str, text: &[u8], surroundings: &dyn Surroundings) -> Parsed {
    let mut parser = Parser::new(surroundings);
    match parser.add_file(path, text) {
        Ok(File { tokens, .. }) => parser.stream.push(tokens, 0),
        Err(why) => parser.reject(path, &why),
    }
    let blocks = parser.server_blocks();
    let Parser { mistakes, sources, .. } = parser;
    Parsed { blocks, mistakes, sources }
}

/// Reads a text as it stands there: variables are not set in, and an import of what is not there
/// imports nothing with [`Lenient`] surroundings.
///
/// A file of directives, which is a piece of a Corefile and imported into a block, is one server
/// block without keys.
pub(crate) fn parse_as_written(path: &str, text: &[u8], surroundings: &dyn Surroundings) -> Parsed {
    let mut parser = Parser::new(surroundings);
    parser.is_as_written = true;
    match parser.add_file(path, text) {
        Ok(File { tokens, .. }) => {
            parser.is_piece = is_piece(&tokens);
            parser.stream.push(tokens, 0);
        }
        Err(why) => parser.reject(path, &why),
    }
    let blocks = if parser.is_piece { parser.piece() } else { parser.server_blocks() };
    let Parser { mistakes, sources, .. } = parser;
    Parsed { blocks, mistakes, sources }
}

/// Whether the words begin with a directive, and not with the key of a server block.
fn is_piece(tokens: &[Token]) -> bool {
    let is_import = |line: &[Token]| &*line[0].text == "import";
    let mut lines = tokens.chunk_by(|a, b| a.last_line >= b.line);
    let Some(line) = lines.find(|line| !is_import(line)) else { return false };
    // A zone may be called like a directive; then its block begins with one.
    let is_zone = line.len() == 2
        && &*line[1].text == "{"
        && lines.next().is_some_and(|next| is_directive(&next[0].text));
    is_directive(&line[0].text) && !is_zone
}

/// Surroundings in which nothing is missing: an import of what is not there imports nothing.
pub(crate) struct Lenient<'s>(pub(crate) &'s dyn Surroundings);

impl Surroundings for Lenient<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, Unreadable> {
        match self.0.read(path) {
            Err(Unreadable::Missing) => Ok(Vec::new()),
            read => read,
        }
    }

    fn list(&self, directory: &str) -> Vec<String> {
        self.0.list(directory)
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.0.variable(name)
    }
}

struct Parser<'s> {
    surroundings: &'s dyn Surroundings,
    sources: Sources,
    mistakes: Mistakes,
    stream: Stream,
    snippets: HashMap<String, Snippet>,
    files: HashMap<String, Result<File, Unreadable>>,
    variables: HashMap<String, Option<String>>,
    snippets_imported: usize,
    files_imported: usize,
    words: usize,
    /// How many words of files may still be read.
    room: usize,
    /// Where the server block begins that is read, or was last.
    block_at: Span,
    /// Whether indents have been asked where a brace is missing.
    is_suspected: bool,
    /// Whether variables stay as they are written.
    is_as_written: bool,
    /// Whether the text is a piece of a server block.
    is_piece: bool,
}

/// A block to be set in by name. Variables are not set in before it is used.
#[derive(Clone)]
struct Snippet {
    tokens: Rc<[Token]>,
    at: Span,
}

impl<'s> Parser<'s> {
    fn new(surroundings: &'s dyn Surroundings) -> Self {
        Self {
            surroundings,
            sources: Sources::default(),
            mistakes: Mistakes::new(),
            stream: Stream::default(),
            snippets: HashMap::new(),
            files: HashMap::new(),
            variables: HashMap::new(),
            snippets_imported: 0,
            files_imported: 0,
            words: 0,
            room: WORDS_MAX,
            block_at: Span::new(0, 0, 0),
            is_suspected: false,
            is_as_written: false,
            is_piece: false,
        }
    }

    /// The root file cannot be read at all.
    fn reject(&mut self, path: &str, why: &Unreadable) {
        let number = self.sources.add_file(path, String::new());
        let message = match why {
            Unreadable::Because(why) => format!("{} cannot be read: {why}", shown(path)),
            _ => format!("{} cannot be read", shown(path)),
        };
        self.mistakes.push(Mistake::error(Code::TooLarge, Span::new(number, 0, 0), message));
    }

    fn server_blocks(&mut self) -> Vec<ServerBlock> {
        let mut blocks = Vec::new();
        while let Some(item) = self.stream.peek() {
            let is_stray = item.is("}");
            let block =
                if is_stray { Some(self.stray_close(&item)) } else { self.server_block(&item) };
            blocks.extend(
                block.filter(|block| !block.keys.is_empty() || !block.directives.is_empty()),
            );
        }
        blocks
    }

    /// The directives of a text that is a piece of a server block.
    fn piece(&mut self) -> Vec<ServerBlock> {
        let mut directives = Vec::new();
        while self.stream.peek().is_some() {
            directives.append(&mut self.directives(&[], None));
        }
        vec![ServerBlock { keys: Vec::new(), directives, at: Span::new(0, 0, 0) }]
    }

    /// A server block or a snippet, which is kept and not given.
    fn server_block(&mut self, first: &Item) -> Option<ServerBlock> {
        // What is indented deeper is left over from a block that was closed too early.
        if self.sources.indent(first.at) <= self.sources.indent(self.block_at) {
            self.block_at = first.at;
        }
        let keys = self.keys();
        let next = self.stream.peek();
        // At the end of all files a snippet is a zone, as every key is that stands alone.
        if let ([key], Some(_)) = (keys.as_slice(), &next)
            && let Some(name) = key.text.strip_prefix('(').and_then(|text| text.strip_suffix(')'))
        {
            self.snippet(name, key);
            return None;
        }
        if keys.is_empty() {
            let open = next.filter(|item| item.is("{"));
            self.without_keys(open.as_ref().unwrap_or(first));
        }
        Some(self.block(&keys, first.at))
    }

    /// A server block whose keys have been taken.
    fn block(&mut self, keys: &[Word], first: Span) -> ServerBlock {
        let read = keys.iter().filter_map(|word| self.key(word)).collect();
        let open = self.stream.peek().filter(|item| item.is("{"));
        if let Some(open) = &open {
            self.stream.next();
            self.warn_of_quoted_brace(open);
        }
        let directives = self.directives(keys, open.map(|open| open.at));
        // What comes first may have been an import that gave nothing.
        let first = keys.first().map_or(first, |key| key.at);
        let at = keys.last().map_or(first, |last| first.to(last.at));
        ServerBlock { keys: read, directives, at }
    }

    fn key(&mut self, word: &Word) -> Option<Key> {
        // A network may be many zones, and a file many networks.
        if self.stream.is_cut() {
            return None;
        }
        let key = if self.is_as_written && variables::has_any(&word.text) {
            // Whatever the variable holds will be looked at when it is known.
            let any = Key::read(&Word::new(".", word.at), &mut self.mistakes)?;
            Key { word: word.clone(), ..any }
        } else {
            Key::read(word, &mut self.mistakes)?
        };
        self.count_words(key.zones.len(), word.at);
        Some(key)
    }

    /// A `}` where a key is expected. CoreDNS takes it for one: the zone `}.`, whose directives are
    /// the lines that follow, as far as the next `}`.
    fn stray_close(&mut self, close: &Item) -> ServerBlock {
        let keys = self.keys();
        let block = match keys.as_slice() {
            [_, first, ..] => self.block(&keys[1..], first.at),
            _ => {
                let directives = self.directives(&keys, None);
                ServerBlock { keys: Vec::new(), directives, at: close.at }
            }
        };
        // If this is an error by now, then it is not said again.
        let mistake = Mistake::warning(Code::StrayClose, close.at, CLOSES_NOTHING)
            .label("CoreDNS serves a zone called `}.` with what follows; here both are ignored")
            .help("remove it, or look above for a `}` too many or a missing `{`");
        self.push_doubtful(mistake);
        block
    }

    /// The keys of a server block, as far as a `{` or the end of their line. A comma says that
    /// another one follows, on the next line too.
    fn keys(&mut self) -> Vec<Word> {
        let mut keys = Vec::new();
        let mut comma: Option<Span> = None;
        while let Some(item) = self.stream.peek().filter(|item| !item.is("{")) {
            let mut word = self.word(&item);
            if word.text == "import" && item.starts_line {
                self.import(&item);
                continue;
            }
            self.stream.next();
            if let Some(key) = word.text.strip_suffix(',') {
                word.text.truncate(key.len());
                comma = Some(item.at);
                keys.push(word);
            } else if !word.text.is_empty() {
                comma = None;
                keys.push(word);
            }
            let next = self.stream.peek();
            if next.is_none_or(|next| next.starts_line && comma.is_none()) {
                break;
            }
        }
        if let Some(comma) = comma.filter(|_| !self.stream.is_cut()) {
            let mistake = Mistake::error(Code::DanglingComma, comma, "no key follows this comma");
            self.mistakes.push(mistake.help("remove the comma, or write another zone behind it"));
        }
        keys
    }

    /// CoreDNS reads a block without keys, checks it, and forgets it. A line of empty words and
    /// imports that import nothing are nothing to talk about.
    fn without_keys(&mut self, item: &Item) {
        if self.stream.peek().is_none() {
            return;
        }
        let mistake = Mistake::warning(Code::NoKeys, item.at, "this server block has no keys")
            .label("CoreDNS ignores the whole block, and so it is here")
            .help("write what it answers for before the brace: `.:53 {`");
        self.mistakes.push(mistake);
    }

    /// A snippet, whose key has been read: its words are kept as they are.
    fn snippet(&mut self, name: &str, key: &Word) {
        let Some(open) = self.stream.peek().filter(|item| item.is("{")) else {
            let message = format!("the snippet {} has no braces", shown(name));
            let mistake = Mistake::error(Code::BadSnippet, key.at, message);
            self.mistakes.push(
                mistake.help(format!(
                    "write `({name}) {{` and close it with `}}` on a line of its own"
                )),
            );
            self.directives(&[], None);
            return;
        };
        self.stream.next();
        let Some(tokens) = self.tokens_to_close() else {
            self.unclosed(open.at, &format!("the snippet {} is never closed", shown(name)));
            return;
        };
        if self.imports(&tokens, name) {
            let message = format!("the snippet {} imports itself", shown(name));
            self.mistakes.push(Mistake::error(Code::ImportCycle, key.at, message));
            return;
        }
        if let Some(before) = self.snippets.get(name) {
            let mistake = Mistake::error(
                Code::BadSnippet,
                key.at,
                format!("there are two snippets {}", shown(name)),
            );
            self.mistakes.push(mistake.label("the second").related(before.at, "the first"));
            return;
        }
        self.snippets.insert(name.to_owned(), Snippet { tokens: tokens.into(), at: key.at });
    }

    /// Whether words have an `import` of this name at the beginning of a line.
    fn imports(&mut self, tokens: &[Token], name: &str) -> bool {
        let mut line = None;
        tokens.windows(2).any(|pair| {
            let starts_line = line != Some(pair[0].line);
            line = Some(pair[0].last_line);
            let at = pair[1].at;
            starts_line && &*pair[0].text == "import" && self.expanded(&pair[1].text, at).0 == name
        })
    }

    /// The words as far as the `}` that closes a `{` already taken; `None` if there is none.
    fn tokens_to_close(&mut self) -> Option<Vec<Token>> {
        let mut tokens = Vec::new();
        let mut open = 1;
        while let Some(item) = self.stream.next() {
            open = if item.is("{") {
                open + 1
            } else if item.is("}") {
                open - 1
            } else {
                open
            };
            if open == 0 {
                return Some(tokens);
            }
            tokens.push(item.token);
        }
        None
    }

    /// A `{` whose `}` is not there.
    fn unclosed(&mut self, open: Span, message: &str) {
        if self.stream.is_cut() {
            return;
        }
        let mistake = Mistake::error(Code::Unclosed, open, message);
        self.push_doubtful(
            mistake.label("no `}` for this brace").help("close it with `}` on a line of its own"),
        );
    }

    /// Adds a mistake about braces, which makes a guess of what is read around it. The first one gets
    /// a remark on where indents say that the brace is missing.
    fn push_doubtful(&mut self, mut mistake: Mistake) {
        if matches!(mistake.code, Code::StrayOpen | Code::CloseNotAlone) {
            self.mistakes.doubt(mistake.at);
            self.mistakes.push(mistake);
            return;
        }
        let nearer = |a: Span, b: Span| if a.file() == b.file() { a.min(b) } else { a };
        let mut from = nearer(self.block_at, mistake.at);
        if !self.is_suspected {
            self.is_suspected = true;
            let (file, start) = (from.file(), from.range().start);
            let text = self.sources.file_text(file);
            // What is wrong with the words has been said.
            let mut said = Mistakes::new();
            if let Some(suspect) = indents::suspect(text, lex(file, text, &mut said), start) {
                from = nearer(suspect.at, mistake.at);
                mistake = suspect.accuse(mistake);
            }
        }
        self.mistakes.doubt(from);
        self.mistakes.push(mistake);
    }

    /// An item as a word, with its variables set in. Counts it.
    fn word(&mut self, item: &Item) -> Word {
        let (text, expanded) = self.expanded(&item.token.text, item.at);
        // What variables and snippets repeat must not grow without bounds.
        self.count_words(1 + text.len() / WORD_LENGTH, item.at);
        Word { text, at: item.at, expanded }
    }

    /// Counts words that are kept, and ends the reading if they are too many.
    fn count_words(&mut self, words: usize, at: Span) {
        self.words += words;
        if self.words > WORDS_MAX {
            self.too_many_words(at);
        }
    }

    fn too_many_words(&mut self, at: Span) {
        let message = format!("the configuration has more than {WORDS_MAX} words");
        self.mistakes.push(Mistake::error(Code::TooLarge, at, message));
        self.stream.cut();
    }

    /// A text with its variables set in, and whether it had any. A text that would have no end
    /// stays as it is.
    fn expanded(&mut self, text: &str, at: Span) -> (String, bool) {
        if self.is_as_written {
            return (text.to_owned(), false);
        }
        let mut unset = Vec::new();
        let expanded = variables::expand(text, |name| match self.variable(name) {
            Some(value) => value,
            None => {
                unset.push(name.to_owned());
                String::new()
            }
        });
        for name in unset {
            self.warn_of_unset(&name, text, at);
        }
        match expanded {
            Ok(Some(expanded)) => (expanded, true),
            Ok(None) => (text.to_owned(), false),
            Err(variables::Endless) => {
                let message =
                    format!("the variables in {} contain themselves, or are too long", shown(text));
                let mistake = Mistake::error(Code::EndlessVariable, at, message);
                self.mistakes.push(mistake.note("CoreDNS hangs on this, with one core fully busy"));
                (text.to_owned(), false)
            }
        }
    }

    fn variable(&mut self, name: &str) -> Option<String> {
        if let Some(value) = self.variables.get(name) {
            return value.clone();
        }
        let value = self.surroundings.variable(name);
        self.variables.insert(name.to_owned(), value.clone());
        value
    }

    fn warn_of_unset(&mut self, name: &str, text: &str, at: Span) {
        let message = format!("the environment variable {} is not set", shown(name));
        let mistake = Mistake::warning(Code::UnsetVariable, at, message)
            .label("read as if nothing stood here");
        let help = match name.split_once(':') {
            Some((name, _)) => format!("there is no syntax for a default: `{name}` has to be set"),
            None if text.contains(&format!("{{{{${name}}}}}")) => {
                format!(
                    "if this is a variable of a template, write `{{{{ ${name} }}}}` with blanks"
                )
            }
            None => String::new(),
        };
        self.mistakes.push(mistake.help(help));
    }

    fn warn_of_quoted_brace(&mut self, brace: &Item) {
        if brace.token.quoted {
            let mistake = Mistake::warning(
                Code::QuotedBrace,
                brace.at,
                "a brace in quotes is a brace all the same",
            );
            self.mistakes.push(mistake.help("write it without quotes"));
        }
    }
}
