//! The inside of a server block: directives, and the lines in their blocks.

use super::stream::Item;
use super::{CLOSES_NOTHING, Parser};
use crate::tree::span_of;
use crate::{Code, Directive, Line, Mistake, Span, Word, shown};

/// Blocks in blocks. Plugins know one level.
const DEPTH_MAX: usize = 32;

/// The server block that is being read.
struct Context<'k> {
    keys: &'k [Word],
    /// Its `{`, if it has one.
    open: Option<Span>,
    /// Whether the file ended inside one of its directives, which has been said.
    ended_inside: bool,
}

/// What comes after a directive.
enum Next {
    Directive,
    EndOfBlock,
}

impl Parser<'_> {
    /// The directives of a server block, whose `{` has been taken if it has one: as far as its `}`,
    /// or the end of all files, or what can only be the beginning of another server block.
    pub(super) fn directives(&mut self, keys: &[Word], open: Option<Span>) -> Vec<Directive> {
        let mut directives = Vec::new();
        let mut context = Context { keys, open, ended_inside: false };
        while let Some(item) = self.stream.peek() {
            if item.is("}") {
                self.stream.next();
                self.end_of_block(&item, &context);
                return directives;
            }
            if item.is("import") {
                self.import(&item);
                continue;
            }
            if item.is("{") {
                self.stray_open(&item);
                continue;
            }
            if !self.is_piece && self.begins_server_block(&item) {
                self.second_server_block(&item, &context);
                return directives;
            }
            if let Next::EndOfBlock = self.directive(&item, &mut directives, &mut context) {
                return directives;
            }
        }
        self.end_of_files(&context);
        directives
    }

    /// A directive with its block. CoreDNS takes words behind that block for the same directive
    /// once more, which makes several of one.
    fn directive(
        &mut self,
        name: &Item,
        directives: &mut Vec<Directive>,
        context: &mut Context<'_>,
    ) -> Next {
        self.stream.next();
        let mut name = self.word(name);
        loop {
            let (args, body) = self.occurrence(context);
            directives.push(Directive { name: name.clone(), args, body });
            let Some(behind) = self.stream.peek_on_line() else { return Next::Directive };
            if behind.is("}") {
                self.stream.next();
                self.close_not_alone(&behind, context);
                return Next::EndOfBlock;
            }
            if behind.is("{") {
                self.stray_open(&behind);
                return Next::Directive;
            }
            let mistake = Mistake::warning(
                Code::WordsAfterClose,
                behind.at,
                "words follow a `}` on the same line",
            )
            .label(format!("read as another {}", shown(&name.text)))
            .help("begin a new line behind the brace");
            self.mistakes.push(mistake);
            name.at = behind.at;
            self.stream.next();
            self.word(&behind);
        }
    }

    /// The arguments of a directive, and its block.
    fn occurrence(&mut self, context: &mut Context<'_>) -> (Vec<Word>, Option<Vec<Line>>) {
        let mut args = Vec::new();
        while let Some(item) = self.stream.peek() {
            if item.is("{") {
                return (args, Some(self.body(&item, 1, context)));
            }
            if item.starts_line || item.is("}") {
                break;
            }
            self.stream.next();
            let word = self.word(&item);
            if let Some(open) = self.glued_open(&item, &word, &mut args) {
                return (args, Some(self.lines(open, 1, context)));
            }
            args.push(word);
        }
        (args, None)
    }

    /// `8.8.8.8{` at the end of a line: a brace was meant, and CoreDNS refuses nearly always. The
    /// word is put among `args` without it, and the place of the brace is given.
    fn glued_open(&mut self, item: &Item, word: &Word, args: &mut Vec<Word>) -> Option<Span> {
        let last = self.stream.peek_on_line().is_none();
        let text = word.text.strip_suffix('{')?;
        if !last || item.token.quoted || text.is_empty() || word.expanded {
            return None;
        }
        let mistake = Mistake::error(
            Code::GluedBrace,
            item.at,
            format!("there is no blank before the brace of {}", shown(&word.text)),
        )
        .help(format!("write `{text} {{`"));
        self.mistakes.push(mistake);
        args.push(Word::new(text, item.at));
        Some(item.at)
    }

    /// A block, whose `{` is the next word.
    fn body(&mut self, open: &Item, depth: usize, context: &mut Context<'_>) -> Vec<Line> {
        self.stream.next();
        self.warn_of_quoted_brace(open);
        if open.starts_line {
            let mistake = Mistake::warning(
                Code::BraceOnNextLine,
                open.at,
                "this `{` should end the line above",
            )
            .label("CoreDNS does not take this for a block of the line above, and mostly refuses")
            .help("move the brace to the end of the line above");
            self.mistakes.push(mistake);
        }
        self.lines(open.at, depth, context)
    }

    /// The lines of a block, whose `{` has been taken, and its `}`.
    fn lines(&mut self, open: Span, depth: usize, context: &mut Context<'_>) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        if depth > DEPTH_MAX {
            let message = format!("blocks are nested more than {DEPTH_MAX} deep");
            self.mistakes.push(Mistake::error(Code::TooDeep, open, message));
            self.tokens_to_close();
            return lines;
        }
        while let Some(item) = self.stream.peek() {
            if item.is("}") {
                self.stream.next();
                self.end_of_lines(&item, &lines);
                return lines;
            }
            if item.is("import") && item.starts_line {
                self.import(&item);
                continue;
            }
            if item.is("{") {
                if lines.last().is_none_or(|line| line.body.is_some()) {
                    self.stray_open(&item);
                    continue;
                }
                let body = self.body(&item, depth + 1, context);
                if let Some(line) = lines.last_mut() {
                    line.body = Some(body);
                }
                continue;
            }
            self.stream.next();
            let word = self.word(&item);
            match lines.last_mut().filter(|line| line.body.is_none() && !item.starts_line) {
                Some(line) => line.words.push(word),
                None => lines.push(Line { words: vec![word], body: None }),
            }
        }
        if !context.ended_inside {
            context.ended_inside = true;
            self.unclosed(open, "this block is never closed");
        }
        lines
    }

    /// The `}` of a directive's block. Behind words CoreDNS hands it to the plugin as one more
    /// argument, which most refuse and some ignore.
    fn end_of_lines(&mut self, close: &Item, lines: &[Line]) {
        self.warn_of_quoted_brace(close);
        let Some(line) = lines.last().filter(|line| !close.starts_line && line.body.is_none())
        else {
            return;
        };
        let first = line.words.first().map(|word| shown(&word.text)).unwrap_or_default();
        let mistake = Mistake::warning(
            Code::CloseNotAlone,
            close.at,
            "this `}` should stand on a line of its own",
        )
        .label(format!("CoreDNS takes it for an argument of {first}"))
        .help("move the brace to the next line");
        self.mistakes.push(mistake);
    }

    /// The `}` of a server block, or what is taken for one.
    fn end_of_block(&mut self, close: &Item, context: &Context<'_>) {
        self.warn_of_quoted_brace(close);
        let glued = context.keys.iter().any(|key| key.text.ends_with('{'));
        // Without keys, or with a brace for a key or at its end, the mistake has been told already.
        let [first, ..] = context.keys else {
            if self.is_piece {
                self.push_doubtful(Mistake::error(Code::StrayClose, close.at, CLOSES_NOTHING));
            }
            return;
        };
        if context.open.is_some() || glued || first.text == "}" {
            return;
        }
        let message = "this `}` closes a server block that was never opened";
        let help = format!(
            "if {} is a directive, then a `}}` above is too many; else write `{{` behind the keys",
            shown(&first.text)
        );
        let mistake = Mistake::warning(Code::StrayClose, close.at, message)
            .related(span_of(context.keys), "these words are read as the keys of a server block")
            .help(help);
        self.push_doubtful(mistake);
    }

    /// A `}` behind a directive on the same line, where CoreDNS expects none.
    fn close_not_alone(&mut self, close: &Item, context: &Context<'_>) {
        let message = match context.open {
            Some(_) => "this `}` must stand on a line of its own",
            None => CLOSES_NOTHING,
        };
        let mistake = Mistake::error(Code::CloseNotAlone, close.at, message);
        self.push_doubtful(mistake.help("move the brace to the next line"));
    }

    /// A `{` that nothing stands before. Its block is left out.
    fn stray_open(&mut self, open: &Item) {
        self.stream.next();
        let mistake = Mistake::error(Code::StrayOpen, open.at, "this `{` opens nothing")
            .help("write a directive or a property before the brace, on the same line");
        self.push_doubtful(mistake);
        self.tokens_to_close();
    }

    /// Whether a line inside a server block can only be the first one of another: no directive has
    /// a dot, colon or slash in its name.
    fn begins_server_block(&mut self, first: &Item) -> bool {
        first.starts_line
            && first.token.text.contains(['.', ':', '/'])
            && self.stream.line_ends_with_open()
    }

    /// The first line of a server block inside of another one.
    fn second_server_block(&mut self, first: &Item, context: &Context<'_>) {
        let name = shown(&first.token.text);
        let mistake = |message: String| {
            Mistake::error(Code::Unclosed, first.at, message).label("this begins a server block")
        };
        let mistake = match (context.open, context.keys) {
            (Some(open), _) => mistake(format!("the server block before {name} is not closed"))
                .related(open, "this brace is still open here")
                .help("close it with `}` on a line of its own"),
            (None, [close]) if close.text == "}" => {
                Mistake::error(Code::StrayClose, close.at, CLOSES_NOTHING)
                    .help("remove it, or look above for a `}` too many or a missing `{`")
            }
            (None, [.., last]) => {
                let help = format!(
                    "write `{},` if these are all keys of one block, else put braces around each",
                    last.text
                );
                mistake(format!("{name} follows a server block that has no braces and so no end"))
                    .related(last.at, "the server block without braces")
                    .help(help)
            }
            (None, []) => mistake(format!("{name} stands inside of something that has no end")),
        };
        self.push_doubtful(mistake);
    }

    /// The end of all files in a server block. CoreDNS does not miss the `}` if the very last word
    /// is one, whatever that one closes.
    fn end_of_files(&mut self, context: &Context<'_>) {
        let Some(open) = context.open.filter(|_| !context.ended_inside && !self.stream.is_cut())
        else {
            return;
        };
        let message = "this server block is never closed";
        let mistake = if self.stream.is_after_close() {
            Mistake::warning(Code::Unclosed, open, message)
                .note("CoreDNS does not notice, because the file ends with a `}` of something else")
        } else {
            Mistake::error(Code::Unclosed, open, message)
        };
        let mistake =
            mistake.label("no `}` for this brace").help("close it with `}` on a line of its own");
        self.push_doubtful(mistake);
    }

    /// Skips what is left of a line, but no brace: those still count.
    pub(super) fn skip_line(&mut self) {
        while let Some(item) = self.stream.peek_on_line() {
            if item.is("{") || item.is("}") {
                return;
            }
            self.stream.next();
        }
    }
}
