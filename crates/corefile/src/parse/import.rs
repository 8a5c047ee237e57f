//! `import`: snippets, files, patterns, and where they end.

use super::lexer::{Token, decode, lex};
use super::path::{beside, clean, is_bad_pattern, is_pattern, matching};
use super::stream::Item;
use super::{Parser, Snippet};
use crate::suggest::closest;
use crate::{Code, Mistake, Span, Unreadable, shown};
use std::rc::Rc;

/// Snippets that are set in, in one configuration. CoreDNS has the same limit.
pub(super) const SNIPPETS_MAX: usize = 10_000;
/// Files that are set in, in one configuration. CoreDNS has the same limit.
pub(super) const FILES_MAX: usize = 100_000;
/// Octets of a file. A ConfigMap can hold one megabyte.
const FILE_MAX: usize = 16 << 20;

/// A file that was read: its number, its name and its words.
#[derive(Clone)]
pub(super) struct File {
    pub(super) number: u32,
    pub(super) tokens: Rc<[Token]>,
}

impl Parser<'_> {
    /// Follows the `import` that is the next word: what it names takes its place.
    pub(super) fn import(&mut self, import: &Item) {
        let after_close = self.stream.is_after_close();
        self.stream.next();
        let argument = self.import_argument(import);
        self.stream.set_after_close(after_close);
        let Some((name, at)) = argument else { return };
        match self.snippets.get(&name).cloned() {
            Some(snippet) => self.import_snippet(&name, &snippet, at),
            None => self.import_files(&name, at),
        }
    }

    /// The one word behind `import`, and both words as a place.
    fn import_argument(&mut self, import: &Item) -> Option<(String, Span)> {
        const HELP: &str = "write `import` and one file, pattern or snippet, alone on a line";
        let Some(argument) = self.stream.peek_on_line() else {
            let mistake = Mistake::error(
                Code::ImportSyntax,
                import.at,
                "`import` does not say what to import",
            );
            self.mistakes.push(mistake.help(HELP));
            return None;
        };
        self.stream.next();
        let word = self.word(&argument);
        let at = import.at.to(word.at);
        if let Some(extra) = self.stream.peek_on_line() {
            let mistake =
                Mistake::error(Code::ImportSyntax, extra.at, "`import` takes only one word");
            self.mistakes.push(mistake.label("not expected here").help(HELP));
            if !extra.is("{") && !extra.is("}") {
                self.skip_line();
                return None;
            }
        }
        if word.text.is_empty() {
            let mistake = Mistake::error(
                Code::ImportSyntax,
                word.at,
                "`import` takes a word that is not empty",
            );
            self.mistakes.push(mistake.help(HELP).about(&word));
            return None;
        }
        Some((word.text, at))
    }

    fn import_snippet(&mut self, name: &str, snippet: &Snippet, at: Span) {
        let repeated = self.sources.imports(at).any(|import| import.snippet == Some(name));
        if repeated {
            let mistake = Mistake::error(
                Code::ImportCycle,
                at,
                format!("the snippet {} imports itself", shown(name)),
            );
            self.mistakes.push(mistake.related(snippet.at, "the snippet"));
            return;
        }
        self.snippets_imported += 1;
        if self.snippets_imported > SNIPPETS_MAX {
            self.limit(at, format!("more than {SNIPPETS_MAX} snippets are imported"));
            return;
        }
        let import = self.sources.add_import(at, Some(name));
        self.stream.push(snippet.tokens.clone(), import);
    }

    fn import_files(&mut self, name: &str, at: Span) {
        let path = beside(self.sources.path(at), name);
        if is_bad_pattern(&path) {
            let message = format!("{} has more than one `*` or `?`, or a `[`", shown(name));
            self.mistakes.push(
                Mistake::error(Code::ImportSyntax, at, message).help(
                    "one `*` and one `?` are allowed in a pattern, and no sets of characters",
                ),
            );
            return;
        }
        if !is_pattern(&path) {
            match self.file(&path) {
                Ok(file) => self.push_file(&file, at),
                Err(why) => self.cannot_import(name, &path, why, at),
            }
            return;
        }
        let paths = matching(&path, self.surroundings);
        self.import_matches(name, &paths, at);
    }

    fn import_matches(&mut self, name: &str, paths: &[String], at: Span) {
        let mut files = Vec::new();
        for path in paths {
            match self.file(path) {
                Ok(file) => files.push(file),
                // It was only assumed to be there: `a/*/b` finds every directory in `a`.
                Err(Unreadable::Missing) => {}
                // One message for all of them: the cure is the same.
                Err(why) => return self.cannot_import(name, path, why, at),
            }
        }
        if files.is_empty() {
            self.mistakes.push(nothing_matches(name, at));
        }
        // The one that comes first is put on top last.
        for file in files.iter().rev() {
            self.sources.add_fragment(file.number);
            self.push_file(file, at);
        }
    }

    fn push_file(&mut self, file: &File, at: Span) {
        if self.is_open(file.number, at) {
            let path = self.sources.path(Span::new(file.number, 0, 0));
            let message = format!("the file {} imports itself", shown(path));
            self.mistakes.push(Mistake::error(Code::ImportCycle, at, message));
            return;
        }
        self.files_imported += 1;
        if self.files_imported > FILES_MAX {
            self.limit(at, format!("more than {FILES_MAX} files are imported"));
            return;
        }
        let import = self.sources.add_import(at, None);
        self.stream.push(file.tokens.clone(), import);
    }

    /// Whether the file with this number is one of those that led to `at`. The file in which a
    /// snippet happens to be written is not.
    fn is_open(&self, number: u32, at: Span) -> bool {
        let mut place = at;
        for import in self.sources.imports(at) {
            if import.snippet.is_none() && place.file() == number {
                return true;
            }
            place = import.at;
        }
        place.file() == number
    }

    fn cannot_import(&mut self, name: &str, path: &str, why: Unreadable, at: Span) {
        let mistake = match why {
            // CoreDNS takes even this for a pattern, and a pattern may match nothing.
            Unreadable::Missing if path.contains(']') => nothing_matches(name, at),
            Unreadable::Missing => {
                let message = format!("there is neither a snippet nor a file {}", shown(name));
                Mistake::error(Code::ImportNotFound, at, message).help(self.advice(name, path))
            }
            Unreadable::Directory => {
                let message = format!("{} is a directory", shown(path));
                Mistake::error(Code::ImportUnreadable, at, message).help(
                    "import files: unlike `*.server` and `*.override`, `*` alone also matches \
                     the `..data` of a mounted ConfigMap",
                )
            }
            Unreadable::Because(why) => {
                let message = format!("{} cannot be read: {why}", shown(path));
                Mistake::error(Code::ImportUnreadable, at, message)
            }
        };
        self.mistakes.push(mistake);
    }

    fn advice(&self, name: &str, path: &str) -> String {
        let bare = name.strip_prefix('(').and_then(|name| name.strip_suffix(')'));
        if let Some(bare) = bare.filter(|bare| self.snippets.contains_key(*bare)) {
            return format!("write the name without parentheses: `import {bare}`");
        }
        if let Some(near) = closest(name, self.snippets.keys().map(String::as_str)) {
            return format!("did you mean the snippet `{near}`?");
        }
        format!("the file would be {}; a snippet must be defined above its first use", shown(path))
    }

    /// The words of a file, read once however often it is imported.
    pub(super) fn file(&mut self, path: &str) -> Result<File, Unreadable> {
        let path = clean(path);
        if let Some(read) = self.files.get(&path) {
            return read.clone();
        }
        let read = self.surroundings.read(&path);
        let file = read.and_then(|octets| self.add_file(&path, &octets));
        self.files.insert(path, file.clone());
        file
    }

    /// The words of a text that is known as the file `path` from now on.
    pub(super) fn add_file(&mut self, path: &str, octets: &[u8]) -> Result<File, Unreadable> {
        if octets.len() > FILE_MAX {
            return Err(Unreadable::Because(format!(
                "it has more than {} megabytes",
                FILE_MAX >> 20
            )));
        }
        let (text, not_utf8) = decode(octets);
        let number = self.sources.add_file(path, text);
        if let Some(start) = not_utf8 {
            let at = Span::new(number, start, start + char::REPLACEMENT_CHARACTER.len_utf8());
            let mistake = Mistake::warning(Code::NotUtf8, at, "the file is not UTF-8");
            self.mistakes.push(mistake.label("each octet that is none is read as this character"));
        }
        let tokens = lex(number, self.sources.file_text(number), &mut self.mistakes);
        let tokens: Rc<[Token]> = tokens.take(self.room + 1).collect();
        match (self.room.checked_sub(tokens.len()), tokens.last()) {
            (None, Some(last)) => self.too_many_words(last.at),
            (room, _) => self.room = room.unwrap_or(0),
        }
        Ok(File { number, tokens })
    }

    fn limit(&mut self, at: Span, message: String) {
        self.mistakes.push(Mistake::error(Code::ImportLimit, at, message));
        self.stream.cut();
    }
}

fn nothing_matches(name: &str, at: Span) -> Mistake {
    let message = format!("no file matches {}", shown(name));
    Mistake::warning(Code::ImportNotFound, at, message).label("nothing is imported")
}
