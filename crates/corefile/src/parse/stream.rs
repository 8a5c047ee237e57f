//! The words of all files in the order in which they count: an imported text stands where its
//! `import` stood.

use super::lexer::Token;
use crate::Span;
use std::rc::Rc;

/// The next words. Imports are put on top, so that following one costs nothing for what comes
/// behind it.
#[derive(Default)]
pub(super) struct Stream {
    frames: Vec<Frame>,
    /// Whether the last word that was taken is a `}`.
    after_close: bool,
    /// Whether a limit has cut it short.
    cut: bool,
}

struct Frame {
    tokens: Rc<[Token]>,
    next: usize,
    import: u32,
}

/// A word, and whether it begins a line.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) token: Token,
    /// Its place, with the way to it.
    pub(super) at: Span,
    pub(super) starts_line: bool,
}

impl Item {
    /// Whether this is the word `text`, quoted or not: quotes are forgotten once a word is read.
    pub(super) fn is(&self, text: &str) -> bool {
        &*self.token.text == text
    }
}

impl Stream {
    /// Puts the words of a text before all others; `import` is the number of the import that asked
    /// for them. Nothing is added once a limit was reached.
    pub(super) fn push(&mut self, tokens: Rc<[Token]>, import: u32) {
        if self.cut {
            return;
        }
        self.drop_finished();
        self.frames.push(Frame { tokens, next: 0, import });
    }

    /// The next word, which stays.
    pub(super) fn peek(&mut self) -> Option<Item> {
        self.drop_finished();
        let frame = self.frames.last()?;
        let token = frame.tokens[frame.next].clone();
        let before = frame.next.checked_sub(1).map(|index| &frame.tokens[index]);
        // The words of a snippet may come from two files, where lines cannot be compared.
        let starts_line = before.is_none_or(|before| {
            before.last_line < token.line || before.at.file() != token.at.file()
        });
        Some(Item { at: token.at.via(frame.import), starts_line, token })
    }

    /// The next word, if it is on the same line as the last one.
    pub(super) fn peek_on_line(&mut self) -> Option<Item> {
        self.peek().filter(|item| !item.starts_line)
    }

    /// Takes the next word.
    pub(super) fn next(&mut self) -> Option<Item> {
        let item = self.peek()?;
        self.after_close = item.is("}");
        self.frames.last_mut()?.next += 1;
        Some(item)
    }

    /// Whether the last word on the line of the next one is a `{`.
    pub(super) fn line_ends_with_open(&mut self) -> bool {
        self.drop_finished();
        let Some(frame) = self.frames.last() else { return false };
        let rest = &frame.tokens[frame.next..];
        let together = rest.windows(2).take_while(|pair| pair[0].last_line >= pair[1].line).count();
        &*rest[together].text == "{"
    }

    /// Whether the last word that was taken is a `}`.
    pub(super) fn is_after_close(&self) -> bool {
        self.after_close
    }

    /// Forgets that words were taken since `is_after_close` said this: they were an import, which
    /// is replaced by what it imports.
    pub(super) fn set_after_close(&mut self, after_close: bool) {
        self.after_close = after_close;
    }

    /// Drops everything that is still to come, because a limit is reached.
    pub(super) fn cut(&mut self) {
        self.frames.clear();
        self.cut = true;
    }

    /// Whether a limit was reached: then nothing can be said about what seems to be missing.
    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    fn drop_finished(&mut self) {
        while self.frames.last().is_some_and(|frame| frame.next == frame.tokens.len()) {
            self.frames.pop();
        }
    }
}
