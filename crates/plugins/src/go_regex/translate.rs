//! A pattern of Go written down again for the `regex` crate.

use super::class::{self, NOTHING, Set, push_character};
use super::repetition::Times;
use super::{BadPattern, Why};

/// The deepest that groups may nest: what comes out is compiled by functions that call themselves.
pub(super) const DEPTH_MAX: usize = 50;

/// Writes `pattern` for the `regex` crate, in words whose meaning no flag and no neighbour changes.
pub(super) fn translate(pattern: &str) -> Result<String, BadPattern> {
    let mut translator = Translator {
        pattern,
        at: 0,
        out: String::with_capacity(pattern.len() * 4),
        flags: Flags::default(),
        groups: Vec::new(),
        scope: Scope::default(),
    };
    translator.all()?;
    Ok(translator.out)
}

struct Translator<'p> {
    pattern: &'p str,
    at: usize,
    out: String,
    flags: Flags,
    /// The groups that are open.
    groups: Vec<Open>,
    /// What was read of the innermost.
    scope: Scope,
}

#[derive(Clone, Copy, Default)]
struct Flags {
    /// `i`
    any_case: bool,
    /// `m`
    lines: bool,
    /// `s`
    dot_all: bool,
    /// `U`
    lazy: bool,
}

/// A group whose end is still to come.
struct Open {
    /// Where its parenthesis stands in the pattern.
    at: usize,
    /// Where it begins in what is written.
    start: usize,
    /// The flags and what was read around it.
    flags: Flags,
    scope: Scope,
}

/// What was read of a group, or of the whole.
#[derive(Default)]
struct Scope {
    /// What a repetition would repeat.
    last: Option<Atom>,
    /// The most copies that the repetitions in front of it ask for.
    copies: u32,
}

/// What was written last, and can be repeated.
#[derive(Clone, Copy)]
struct Atom {
    /// Where it begins in what is written.
    start: usize,
    /// The most copies that repetitions in it ask for.
    copies: u32,
    /// Whether it is a repetition itself, which can be repeated only as a group.
    repeated: bool,
}

impl<'p> Translator<'p> {
    fn all(&mut self) -> Result<(), BadPattern> {
        // The repetition that stands directly in front.
        let mut repetition = None;
        while let Some(octet) = self.peek() {
            if let Some(times) = Times::at_start_of(self.rest()) {
                repetition = Some(self.repeat(&times, repetition)?);
                continue;
            }
            repetition = None;
            match octet {
                b'(' => self.open()?,
                b')' => self.close()?,
                b'|' => self.bar(),
                b'[' => self.bracket()?,
                b'\\' => self.backslash()?,
                _ => self.plain(),
            }
        }
        match self.groups.last() {
            Some(open) => Err(BadPattern { at: open.at, why: Why::MissingParenthesis }),
            None => Ok(()),
        }
    }

    fn plain(&mut self) {
        let Some(c) = self.next() else { return };
        let flags = self.flags;
        match c {
            '.' => self.atom(if flags.dot_all { "(?s:.)" } else { "." }),
            '^' => self.atom(if flags.lines { "(?m:^)" } else { r"\A" }),
            // Without the flag it matches at the very end only, also behind a last newline.
            '$' => self.atom(if flags.lines { "(?m:$)" } else { r"\z" }),
            c => self.literal(c.into()),
        }
    }

    fn bar(&mut self) {
        self.at += 1;
        self.settle();
        self.out.push('|');
    }

    fn open(&mut self) -> Result<(), BadPattern> {
        let at = self.at;
        if self.groups.len() >= DEPTH_MAX {
            return Err(self.bad(at, Why::TooDeep));
        }
        self.at += 1;
        let around = self.flags;
        let begin = match self.rest().strip_prefix('?') {
            None => "(",
            Some(rest)
                if rest.len() > "P<".len() && rest.starts_with("P<")
                    || rest.len() > "<".len() && rest.starts_with('<') =>
            {
                self.group_name(at)?;
                "("
            }
            Some(_) if self.flags_end_group(at)? => return Ok(()),
            Some(_) => "(?:",
        };
        self.settle();
        let start = self.out.len();
        self.out.push_str(begin);
        let scope = std::mem::take(&mut self.scope);
        self.groups.push(Open { at, start, flags: around, scope });
        Ok(())
    }

    /// Reads the name in `(?P<name>` or `(?<name>`. Nobody asks for groups by name, and Go's names may
    /// begin with a digit: so it is left out.
    fn group_name(&mut self, at: usize) -> Result<(), BadPattern> {
        let wrong = self.bad(at, Why::GroupName);
        let begin = self.rest().find('<').ok_or(wrong)? + 1;
        let end = self.rest().find('>').ok_or(wrong)?;
        let name = &self.rest()[begin..end];
        if name.is_empty()
            || !name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_')
        {
            return Err(wrong);
        }
        self.at += end + 1;
        Ok(())
    }

    /// Reads `?flags)` or `?flags:` and says whether it is the former, which is no group.
    fn flags_end_group(&mut self, at: usize) -> Result<bool, BadPattern> {
        self.at += 1;
        let mut flags = self.flags;
        // Whether the flags are set, and whether there is one behind the last `-`.
        let (mut on, mut some) = (true, false);
        loop {
            match self.next() {
                Some('i') => (flags.any_case, some) = (on, true),
                Some('m') => (flags.lines, some) = (on, true),
                Some('s') => (flags.dot_all, some) = (on, true),
                Some('U') => (flags.lazy, some) = (on, true),
                Some('-') if on => (on, some) = (false, false),
                Some(end @ (':' | ')')) if on || some => {
                    self.flags = flags;
                    return Ok(end == ')');
                }
                _ => return Err(self.bad(at, Why::PerlSyntax)),
            }
        }
    }

    fn close(&mut self) -> Result<(), BadPattern> {
        let Some(open) = self.groups.pop() else {
            return Err(self.bad(self.at, Why::UnexpectedParenthesis));
        };
        self.at += 1;
        self.settle();
        self.out.push(')');
        self.flags = open.flags;
        let inside = std::mem::replace(&mut self.scope, open.scope);
        self.scope.last =
            Some(Atom { start: open.start, copies: inside.copies.max(1), repeated: false });
        Ok(())
    }

    /// Repeats what was written last, and says where the repetition stands.
    fn repeat(&mut self, times: &Times, before: Option<usize>) -> Result<usize, BadPattern> {
        let at = self.at;
        if times.copies_of(1).is_none() {
            return Err(self.bad(at, Why::RepetitionSize));
        }
        self.at += times.length;
        let lazy = self.take("?");
        if let Some(at) = before {
            return Err(self.bad(at, Why::NestedRepetition));
        }
        let atom = self.scope.last.ok_or(self.bad(at, Why::NothingToRepeat))?;
        let copies = times.copies_of(atom.copies).ok_or(self.bad(at, Why::RepetitionSize))?;
        if times.never() {
            // The `regex` crate forgets the groups in what is never there, and Go counts them.
            self.out.insert_str(atom.start, &format!("(?:{NOTHING}"));
            self.out.push_str(")?");
        } else {
            if atom.repeated {
                self.out.insert_str(atom.start, "(?:");
                self.out.push(')');
            }
            self.out.push_str(&self.pattern[at..at + times.length]);
        }
        if lazy != self.flags.lazy {
            self.out.push('?');
        }
        self.scope.last = Some(Atom { copies, repeated: true, ..atom });
        Ok(at)
    }

    /// Reads `\` and what follows it, outside of a class.
    fn backslash(&mut self) -> Result<(), BadPattern> {
        if let Some(rest) = self.rest().strip_prefix(r"\Q") {
            let quoted = rest.split_once(r"\E").map_or(rest, |(quoted, _)| quoted);
            for c in quoted.chars() {
                self.literal(c.into());
            }
            self.at += 2 + quoted.len();
            self.take(r"\E");
            return Ok(());
        }
        for (escape, written) in ASSERTIONS {
            if self.take(escape) {
                self.atom(written);
                return Ok(());
            }
        }
        let mut set = Set::default();
        if self.named(&mut set)? {
            self.set(&set, false);
        } else {
            let character = self.escape()?;
            self.literal(character);
        }
        Ok(())
    }

    /// Reads `[…]`.
    fn bracket(&mut self) -> Result<(), BadPattern> {
        let at = self.at;
        self.at += 1;
        let negated = self.take("^");
        let mut set = Set::default();
        // A `]` in the first place is a character like others.
        let mut first = true;
        while first || self.peek() != Some(b']') {
            first = false;
            if self.posix(&mut set)? || self.named(&mut set)? {
                continue;
            }
            let begin = self.at;
            let low = self.class_character(at)?;
            let mut high = low;
            let rest = self.rest().as_bytes();
            if rest.len() >= 2 && rest[0] == b'-' && rest[1] != b']' {
                self.at += 1;
                high = self.class_character(at)?;
                if high < low {
                    return Err(self.bad(begin, Why::Range));
                }
            }
            set.push_range(low, high);
        }
        self.at += 1;
        self.set(&set, negated);
        Ok(())
    }

    fn class_character(&mut self, bracket: usize) -> Result<u32, BadPattern> {
        match self.peek() {
            Some(b'\\') => self.escape(),
            _ => self.next().map(u32::from).ok_or(self.bad(bracket, Why::MissingBracket)),
        }
    }

    /// Reads `[:alpha:]`, if it stands here. A `[` without `:]` is a character.
    fn posix(&mut self, set: &mut Set) -> Result<bool, BadPattern> {
        let Some((name, _)) = self.rest().strip_prefix("[:").and_then(|rest| rest.split_once(":]"))
        else {
            return Ok(false);
        };
        let class = class::posix(name).ok_or(self.bad(self.at, Why::Range))?;
        self.at += name.len() + 4;
        set.push_named(&class);
        Ok(true)
    }

    /// Reads `\d` or `\p{…}` or their like, if one stands here.
    fn named(&mut self, set: &mut Set) -> Result<bool, BadPattern> {
        let &[b'\\', letter, ..] = self.rest().as_bytes() else { return Ok(false) };
        if let Some(class) = class::perl(letter) {
            self.at += 2;
            set.push_named(&class);
            return Ok(true);
        }
        if !letter.eq_ignore_ascii_case(&b'p') {
            return Ok(false);
        }
        let wrong = self.bad(self.at, Why::Range);
        let rest = &self.rest()[2..];
        let (name, length) = match rest.strip_prefix('{') {
            Some(inside) => {
                let end = inside.find('}').ok_or(wrong)?;
                (&inside[..end], end + 2)
            }
            None => {
                let length = rest.chars().next().ok_or(wrong)?.len_utf8();
                (&rest[..length], length)
            }
        };
        let (name, inverted) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
        let property = class::property(name).ok_or(wrong)?;
        self.at += 2 + length;
        set.push_property(&property, (letter == b'P') != inverted);
        Ok(true)
    }

    /// Reads an escape that stands for one character. It may be half a surrogate pair.
    fn escape(&mut self) -> Result<u32, BadPattern> {
        let at = self.at;
        let wrong = self.bad(at, Why::Escape);
        self.at += 1;
        let c = self.next().ok_or(self.bad(at, Why::TrailingBackslash))?;
        Ok(match c {
            'a' => 0x07,
            'f' => 0x0c,
            'n' => 0x0a,
            'r' => 0x0d,
            't' => 0x09,
            'v' => 0x0b,
            'x' => self.hexadecimal().ok_or(wrong)?,
            '0' => self.octal(0, 2),
            // A single digit would be a reference to a group, which there is not.
            '1'..='7' if matches!(self.peek(), Some(b'0'..=b'7')) => self.octal(c as u32 - 0x30, 2),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => c.into(),
            _ => return Err(wrong),
        })
    }

    /// Up to `digits` more octal digits behind the value so far.
    fn octal(&mut self, value: u32, digits: usize) -> u32 {
        let mut value = value;
        for _ in 0..digits {
            let Some(digit @ b'0'..=b'7') = self.peek() else { break };
            self.at += 1;
            value = value * 8 + u32::from(digit - b'0');
        }
        value
    }

    /// `7F` or `{10FFFF}`
    fn hexadecimal(&mut self) -> Option<u32> {
        if !self.take("{") {
            let high = self.next()?.to_digit(16)?;
            return Some(high * 16 + self.next()?.to_digit(16)?);
        }
        let mut value = self.next()?.to_digit(16)?;
        loop {
            match self.next()? {
                '}' => return Some(value),
                digit => value = value * 16 + digit.to_digit(16)?,
            }
            if value > char::MAX.into() {
                return None;
            }
        }
    }

    fn literal(&mut self, character: u32) {
        let Some(c) = char::from_u32(character) else {
            return self.set(&Set::default(), false); // no text holds it
        };
        let start = self.begin();
        let folds = self.flags.any_case && (c.is_ascii_alphabetic() || !c.is_ascii());
        self.out.push_str(if folds { "(?i:" } else { "" });
        if c.is_ascii_alphanumeric() {
            self.out.push(c);
        } else {
            push_character(&mut self.out, character);
        }
        self.out.push_str(if folds { ")" } else { "" });
        self.finish(start);
    }

    fn set(&mut self, set: &Set, negated: bool) {
        let start = self.begin();
        self.out.push_str(if self.flags.any_case { "(?i:" } else { "" });
        set.write(negated, &mut self.out);
        self.out.push_str(if self.flags.any_case { ")" } else { "" });
        self.finish(start);
    }

    fn atom(&mut self, written: &str) {
        let start = self.begin();
        self.out.push_str(written);
        self.finish(start);
    }

    /// Begins something that can be repeated.
    fn begin(&mut self) -> usize {
        self.settle();
        self.out.len()
    }

    fn finish(&mut self, start: usize) {
        self.scope.last = Some(Atom { start, copies: 1, repeated: false });
    }

    /// What was written last can no longer be repeated.
    fn settle(&mut self) {
        if let Some(atom) = self.scope.last.take() {
            self.scope.copies = self.scope.copies.max(atom.copies);
        }
    }

    fn rest(&self) -> &'p str {
        &self.pattern[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.pattern.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found
    }

    fn bad(&self, at: usize, why: Why) -> BadPattern {
        BadPattern { at, why }
    }
}

/// Escapes that match between characters, and how they are written.
const ASSERTIONS: [(&str, &str); 4] =
    [(r"\A", r"\A"), (r"\z", r"\z"), (r"\b", r"(?-u:\b)"), (r"\B", r"(?-u:\B)")];
