//! The words of one line, read from left to right.

use super::syntax::{Form, Property, Reader, Table, names, unknown};
use crate::key::zones_of_argument;
use crate::kind::{Kind, Wrong};
use crate::tree::span_of;
use crate::{Code, Line, Mistake, Mistakes, Span, Word, shown};

/// Zones that one line may name, those of networks included.
const ZONES_MAX: usize = 100_000;

/// The words behind the name of a directive or property, and the block behind them.
///
/// Every method that reads takes the words it reads. What a reader leaves over is a mistake, so
/// that a property without arguments reads nothing at all.
pub struct Args<'a> {
    pub(super) form: Form,
    pub(super) name: &'a Word,
    pub(super) words: &'a [Word],
    /// How many words were taken.
    pub(super) taken: usize,
    pub(super) body: Option<&'a [Line]>,
    pub(super) scope: &'a Scope<'a>,
    pub(super) mistakes: &'a mut Mistakes,
}

/// Where a line stands.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    /// The directive.
    pub(super) directive: &'a str,
    /// What its lines may begin with.
    pub(super) properties: Vec<&'static str>,
    /// The zones of the server block.
    pub(super) zones: &'a [&'a str],
}

impl<'a> Args<'a> {
    /// The name itself: the first word of the line.
    pub fn name(&self) -> &'a Word {
        self.name
    }

    /// The whole line.
    pub fn at(&self) -> Span {
        self.words.last().map_or(self.name.at, |last| self.name.at.to(last.at))
    }

    /// One word, which must be there.
    pub fn one<K: Kind>(&mut self, kind: K) -> Result<K::Value, Mistake> {
        match self.optional(kind)? {
            Some(value) => Ok(value),
            None => Err(self.too_few()),
        }
    }

    /// One word, if there is one left.
    #[expect(clippy::needless_pass_by_value, reason = "kinds are made where they are used")]
    pub fn optional<K: Kind>(&mut self, kind: K) -> Result<Option<K::Value>, Mistake> {
        let Some(word) = self.word() else { return Ok(None) };
        match kind.read(&word.text) {
            Ok(value) => Ok(Some(value)),
            Err(wrong) => Err(self.must_be(word, &wrong)),
        }
    }

    /// All words that are left, perhaps none. Each that is wrong is a mistake and left out.
    #[expect(clippy::needless_pass_by_value, reason = "kinds are made where they are used")]
    pub fn rest<K: Kind>(&mut self, kind: K) -> Vec<K::Value> {
        let mut values = Vec::new();
        while let Some(word) = self.word() {
            match kind.read(&word.text) {
                Ok(value) => values.push(value),
                Err(wrong) => {
                    let mistake = self.must_be(word, &wrong);
                    self.mistakes.push(mistake);
                }
            }
        }
        values
    }

    /// All words that are left, at least one.
    pub fn some<K: Kind>(&mut self, kind: K) -> Result<Vec<K::Value>, Mistake> {
        if self.peek().is_none() {
            return Err(self.too_few());
        }
        Ok(self.rest(kind))
    }

    /// All words that are left, as zones; without any, the zones of the server block.
    ///
    /// A network becomes its reverse zones. A word that is no zone is left out with a warning, as
    /// CoreDNS leaves it out without one.
    pub fn zones(&mut self) -> Vec<String> {
        if self.peek().is_none() {
            return self.scope.zones.iter().map(|&zone| zone.to_owned()).collect();
        }
        self.zones_left()
    }

    /// All words that are left, at least one, as zones.
    pub fn some_zones(&mut self) -> Result<Vec<String>, Mistake> {
        if self.peek().is_none() {
            return Err(self.too_few());
        }
        Ok(self.zones_left())
    }

    /// One word as a zone, which must be there.
    ///
    /// Of a network that is several zones only the first is taken, as in CoreDNS, with a warning.
    pub fn zone(&mut self) -> Result<String, Mistake> {
        let Some(word) = self.word() else { return Err(self.too_few()) };
        let zones = zones_of_argument(&word.text)
            .map_err(|why| Mistake::error(Code::BadValue, word.at, why).about(word))?;
        let [first, others @ ..] = zones.as_slice() else { return Err(self.too_few()) };
        if let Some(last) = others.last() {
            let message = format!("{} is {} zones", shown(&word.text), zones.len());
            let mistake = Mistake::warning(Code::Ignored, word.at, message).about(word);
            let label = format!("only {} is used", shown(first));
            let help = format!("write a line for each of its zones, {first} to {last}");
            self.keep(mistake.label(label).help(help));
        }
        Ok(first.clone())
    }

    /// The words behind `fallthrough`, as zones; without any, the root and so every name.
    pub fn fallthrough(&mut self) -> Vec<String> {
        if self.peek().is_none() {
            return vec![".".to_owned()];
        }
        self.zones_left()
    }

    /// All words that are left, as zones.
    fn zones_left(&mut self) -> Vec<String> {
        let mut zones = Vec::new();
        while let Some(word) = self.word() {
            match zones_of_argument(&word.text) {
                Ok(more) if zones.len() < ZONES_MAX => zones.extend(more),
                Ok(_) => {
                    self.taken = self.words.len();
                    let message = format!("these are more than {ZONES_MAX} zones");
                    self.keep(Mistake::error(Code::TooLarge, word.at, message));
                }
                Err(why) => {
                    let mistake = Mistake::warning(Code::Ignored, word.at, why).about(word);
                    self.mistakes.push(mistake.label("ignored"));
                }
            }
        }
        zones
    }

    /// Takes the next word if it is this one, and says whether it was.
    pub fn take(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_some_and(|word| word.text == keyword);
        self.taken += usize::from(found);
        found
    }

    /// Takes the next word as it is.
    pub fn word(&mut self) -> Option<&'a Word> {
        let word = self.peek()?;
        self.taken += 1;
        Some(word)
    }

    /// The next word, which stays.
    pub fn peek(&self) -> Option<&'a Word> {
        self.words.get(self.taken)
    }

    /// How many words are left.
    pub fn left(&self) -> usize {
        self.words.len() - self.taken
    }

    /// A mistake if words are left. Readers need not ask: it is asked behind each of them.
    pub fn end(&mut self) -> Result<(), Mistake> {
        match self.word() {
            Some(word) => {
                self.taken = self.words.len();
                Err(self.too_many(word))
            }
            None => Ok(()),
        }
    }

    /// Takes all words that are left, with a warning if there are any: for lines where CoreDNS does
    /// not look at them.
    pub fn ignore_rest(&mut self) {
        let left = &self.words[self.taken..];
        self.taken = self.words.len();
        if !left.is_empty() {
            let message = format!("{} does not look at these words", shown(&self.name.text));
            self.keep(Mistake::warning(Code::Ignored, span_of(left), message).help("remove them"));
        }
    }

    /// Takes the block behind the line, to be read by hand.
    pub fn body(&mut self) -> Option<&'a [Line]> {
        self.body.take()
    }

    /// Reads the block behind the line by a table; says whether there is one. All mistakes are
    /// kept.
    pub fn block<D>(&mut self, properties: &[Property<D>], config: &mut D) -> bool {
        let Some(lines) = self.body.take() else { return false };
        let scope = Scope {
            directive: &self.name.text,
            properties: names(properties),
            zones: self.scope.zones,
        };
        Table { properties, otherwise: None, scope }.read(lines, config, self.mistakes);
        true
    }

    /// Keeps a mistake and goes on reading.
    pub fn keep(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    /// The last word that was taken must be this: `a name of at most 63 characters`.
    pub fn wrong(&self, must_be: impl Into<String>) -> Mistake {
        let word = self.words[..self.taken].last().unwrap_or(self.name);
        self.must_be(word, &Wrong::must_be(must_be))
    }

    /// Nothing that this line may begin with.
    pub fn unknown(&self) -> Mistake {
        unknown(self.name, self.scope)
    }

    /// Reads the line, and looks at what is left of it.
    pub(super) fn run<C>(&mut self, read: Reader<C>, config: &mut C) {
        let read = read(config, self).and_then(|()| self.end());
        let is_read = read.is_ok();
        if let Err(mistake) = read {
            self.mistakes.push(mistake);
        }
        if is_read && self.body.is_some() {
            let message = format!("{} takes no block", shown(&self.name.text));
            let mistake = Mistake::error(Code::UnexpectedBlock, self.at(), message);
            self.mistakes.push(self.with_usage(mistake));
        }
    }

    fn must_be(&self, word: &Word, wrong: &Wrong) -> Mistake {
        let message = format!("{} must be {}", self.argument(), wrong.must_be);
        let mistake = Mistake::error(Code::BadValue, word.at, message).about(word);
        let Form { name, default, .. } = self.form;
        match (wrong.hint.as_str(), default) {
            ("", "") => mistake,
            // The default of a directive is not what holds without the directive.
            ("", _) if name == self.scope.directive => mistake,
            ("", default) => {
                mistake.help(format!("leave `{name}` out for the default of {default}"))
            }
            (hint, _) => mistake.help(hint),
        }
    }

    /// The argument that was taken last: the name of the line if there is only one, else as the
    /// usage calls it: by its place, or as what stands behind a keyword of the usage.
    fn argument(&self) -> String {
        let name = shown(&self.name.text);
        let plain = |argument: &'static str| argument.trim_matches(['[', ']', '.']);
        let arguments: Vec<_> = self.form.usage.split(' ').skip(1).map(plain).collect();
        let place = self.taken.saturating_sub(1);
        let keyword = |word: &Word| arguments.iter().position(|argument| *argument == word.text);
        let behind = self.words[..place].iter().rev().find_map(keyword).map(|at| at + 1);
        match arguments.get(behind.unwrap_or(place)).or(arguments.last()) {
            Some(called) if arguments.len() > 1 => format!("{called} of {name}"),
            _ => name,
        }
    }

    fn too_few(&self) -> Mistake {
        let arguments: Vec<_> = self.form.usage.split(' ').skip(1).collect();
        let name = shown(&self.name.text);
        let missing = arguments.get(self.taken).or(arguments.last());
        let message = match missing {
            Some(missing) => format!("{name} lacks {}", missing.trim_matches(['[', ']', '.'])),
            None => format!("{name} lacks an argument"),
        };
        self.with_usage(Mistake::error(Code::ArgumentCount, self.at(), message))
    }

    fn too_many(&self, word: &Word) -> Mistake {
        let none = self.form.usage == self.form.name;
        let what = if none { "takes no arguments" } else { "has too many arguments" };
        let message = format!("{} {what}", shown(&self.name.text));
        let mistake = Mistake::error(Code::ArgumentCount, word.at, message).about(word);
        self.with_usage(mistake.label("not expected here"))
    }

    fn with_usage(&self, mistake: Mistake) -> Mistake {
        if self.form.usage.is_empty() {
            mistake
        } else {
            mistake.help(format!("usage: `{}`", self.form.usage))
        }
    }
}
