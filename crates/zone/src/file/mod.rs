//! Zone files: directives and records (RFC 1035 §5, RFC 2308 §4).
//!
//! What a record leaves out is taken, as CoreDNS does, from the records before it: the owner, and the
//! TTL unless `$TTL` gives one. Without either the minimum of the SOA record is the TTL (RFC 1035
//! §3.3.13); CoreDNS refuses such a file, that of 2018 took 3600. Reading goes on behind a mistake,
//! so that all of them are told at once.

mod generate;

use crate::builder::{Builder, Loaded, Position, Record};
use crate::mistake::{Fault, GenerateFault, Mistake, Mistakes};
use generate::{Range, write_line};
use std::sync::Arc;
use wire::{Class, Entries, Entry, Name, NameBuf, Place, RecordType, Word, seconds};

/// The most files within files, as in CoreDNS.
const DEPTH_MAX: usize = 7;
/// The most files that are included in all: a file that includes itself twice would take for ever.
const INCLUDES_MAX: usize = 1_000;
/// The most records that `$GENERATE` makes in all.
const GENERATED_MAX: usize = 1 << 20;
/// RFC 2181 §8: "a maximum of 2147483647".
const TTL_MAX: u32 = i32::MAX as u32;

/// A text to read.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// What the file is called: for mistakes, and for whoever finds the files that it includes.
    pub file: &'a str,
    /// The text.
    pub text: &'a [u8],
    /// What names without a final dot are relative to, until `$ORIGIN` says otherwise.
    pub origin: Name<'a>,
    /// The TTL of records that have none and nowhere to take one from; without it that is an error.
    pub ttl: Option<u32>,
}

/// A file that `$INCLUDE` asks for.
#[derive(Clone, Copy, Debug)]
pub struct Include<'a> {
    /// The file as written.
    pub path: &'a str,
    /// The file that includes it, as its [`Source`] or [`Included`] calls it. CoreDNS looks for a
    /// relative path beside it.
    pub from: &'a str,
}

/// A file that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Included {
    /// What the file is called from now on.
    pub file: String,
    /// Its text.
    pub text: Vec<u8>,
}

/// Finds a file to include, or says why it cannot be had.
pub type Finder<'f> = dyn FnMut(Include<'_>) -> Result<Included, String> + 'f;

/// Reads a zone file and makes the zone `apex` of it.
///
/// The text is not kept. Whoever reloads files compares [`crate::Zone::serial`], as CoreDNS does, or
/// the texts that went through here and through `finder`.
pub fn load(
    apex: Name<'_>,
    source: Source<'_>,
    finder: &mut Finder<'_>,
) -> Result<Loaded, Mistakes> {
    let mut builder = Builder::new(apex);
    let mistakes = read(source, finder, &mut |record| builder.push(&record));
    let place = Place { line: 1, column: 1 };
    builder.finish_after(mistakes, Position { file: source.file, place })
}

/// Reads the records of a zone file, of whatever zone, and gives them to `take` one by one, in the
/// case of the file.
///
/// Behind a mistake it goes on with the next line, up to 100 errors.
pub fn read(
    source: Source<'_>,
    finder: &mut Finder<'_>,
    take: &mut dyn FnMut(Record<'_>),
) -> Mistakes {
    let mut reader = Reader {
        finder,
        take,
        mistakes: Mistakes::default(),
        ttl: source.ttl,
        minimum: None,
        told_ttl: false,
        includes: 0,
        generated: 0,
        data: Vec::new(),
    };
    let mut scope = Scope {
        file: Arc::from(source.file),
        depth: 0,
        origin: source.origin.to_buf(),
        owner: None,
        default_ttl: None,
        last_ttl: None,
        generate: None,
    };
    reader.text(source.text, &mut scope);
    reader.mistakes
}

/// What holds for all files of a zone.
struct Reader<'r> {
    finder: &'r mut Finder<'r>,
    take: &'r mut dyn FnMut(Record<'_>),
    mistakes: Mistakes,
    ttl: Option<u32>,
    /// The minimum of the SOA record, once it was read.
    minimum: Option<u32>,
    /// Whether it was told that the minimum is taken: once is enough.
    told_ttl: bool,
    includes: usize,
    generated: usize,
    data: Vec<u8>,
}

/// What holds in one file, from one line to the next. An included file begins with a copy, so that
/// nothing of it lasts beyond its end (RFC 1035 §5.1).
#[derive(Clone)]
struct Scope {
    file: Arc<str>,
    depth: usize,
    origin: NameBuf,
    owner: Option<NameBuf>,
    /// That of `$TTL`.
    default_ttl: Option<u32>,
    last_ttl: Option<u32>,
    /// The place of the `$GENERATE` that makes the records.
    generate: Option<Place>,
}

/// What is wrong with an entry, and where.
struct Wrong {
    place: Place,
    fault: Fault,
}

/// What stands between owner and data.
struct Head<'w, 'a> {
    ttl: Option<u32>,
    class: Class,
    rtype: RecordType,
    data: &'w [Word<'a>],
}

impl Reader<'_> {
    fn text(&mut self, text: &[u8], scope: &mut Scope) {
        let mut entries = Entries::new(text);
        while let Some(entry) = entries.next() {
            let read = match entry {
                Ok(entry) => self.entry(&entry, scope),
                Err(bad) => Err(Wrong { place: bad.place, fault: Fault::Entry(bad.fault) }),
            };
            if let Err(Wrong { place, fault }) = read {
                self.mistake(scope, place, fault);
            }
            if self.mistakes.is_full() {
                return;
            }
        }
    }

    fn mistake(&mut self, scope: &Scope, place: Place, fault: Fault) {
        let place = scope.generate.unwrap_or(place);
        self.mistakes.push(Mistake { file: Arc::clone(&scope.file), place, fault });
    }

    fn entry(&mut self, entry: &Entry<'_, '_>, scope: &mut Scope) -> Result<(), Wrong> {
        let first = &entry.words[0];
        if entry.indented || first.quoted || !first.text.starts_with(b"$") {
            return self.record(entry, scope);
        }
        let arguments = Arguments { words: &entry.words[1..], end: entry.end };
        if first.is("$ORIGIN") {
            scope.origin = arguments.name("$ORIGIN", scope)?;
            return Ok(());
        }
        if first.is("$TTL") {
            scope.default_ttl = Some(arguments.ttl()?);
            return Ok(());
        }
        if first.is("$INCLUDE") {
            return self.include(&arguments, scope);
        }
        if first.is("$GENERATE") {
            return self.generate(first.place, &arguments, scope);
        }
        // CoreDNS takes any other word for an owner; it is more likely a directive with a typo.
        let directive = Fault::Directive(shown(first.text));
        self.record(entry, scope).map_err(|_| Wrong { place: first.place, fault: directive })
    }

    fn record(&mut self, entry: &Entry<'_, '_>, scope: &mut Scope) -> Result<(), Wrong> {
        let first = &entry.words[0];
        let words = if entry.indented {
            entry.words
        } else {
            scope.owner = Some(name(first, scope)?);
            &entry.words[1..]
        };
        let Some(owner) = scope.owner else {
            return Err(Wrong { place: first.place, fault: Fault::NoOwner });
        };
        let Head { ttl, class, rtype, data } = head(words, entry.end)?;
        self.data.clear();
        rtype.read_data(data, scope.origin.as_name(), &mut self.data).map_err(|bad| {
            let place = data.get(bad.word).map_or(entry.end, |word| word.place);
            Wrong { place, fault: Fault::Data { rtype, bad } }
        })?;
        let minimum = self.data.last_chunk().map(|minimum| u32::from_be_bytes(*minimum));
        if rtype == RecordType::SOA {
            self.minimum = minimum;
        }
        scope.last_ttl = ttl.or(scope.last_ttl);
        let ttl = match ttl.or(scope.default_ttl).or(scope.last_ttl) {
            Some(ttl) => ttl,
            None => self.missing_ttl(first.place, scope)?,
        };
        let place = scope.generate.unwrap_or(first.place);
        let position = Position { file: &scope.file, place };
        let (owner, data) = (owner.as_name(), &self.data[..]);
        (self.take)(Record { owner, ttl, class, rtype, data, position });
        Ok(())
    }

    fn missing_ttl(&mut self, place: Place, scope: &Scope) -> Result<u32, Wrong> {
        let Some(ttl) = self.minimum.map(|minimum| minimum.min(TTL_MAX)) else {
            return self.ttl.ok_or(Wrong { place, fault: Fault::NoTtl });
        };
        if !self.told_ttl {
            self.told_ttl = true;
            self.mistake(scope, place, Fault::TtlFromSoa(ttl));
        }
        Ok(ttl)
    }

    fn include(&mut self, arguments: &Arguments<'_, '_>, scope: &Scope) -> Result<(), Wrong> {
        const DIRECTIVE: &str = "$INCLUDE";
        let Some((path, rest)) = arguments.words.split_first() else {
            return Err(arguments.wrong(DIRECTIVE, "a file"));
        };
        let mut inner = Scope { depth: scope.depth + 1, owner: None, ..scope.clone() };
        if !rest.is_empty() {
            inner.origin = Arguments { words: rest, end: arguments.end }.name(DIRECTIVE, scope)?;
        }
        let wrong = |fault| Wrong { place: path.place, fault };
        if scope.depth >= DEPTH_MAX || self.includes >= INCLUDES_MAX {
            return Err(wrong(Fault::Includes));
        }
        self.includes += 1;
        let failed = |why| wrong(Fault::Include { path: shown(path.text), why });
        let text = std::str::from_utf8(path.text).map_err(|_| failed("not UTF-8".to_owned()))?;
        let included = (self.finder)(Include { path: text, from: &scope.file }).map_err(failed)?;
        inner.file = Arc::from(included.file);
        self.text(&included.text, &mut inner);
        Ok(())
    }

    /// The TTL of the records is that of any other record without one; CoreDNS gives them 3600.
    fn generate(
        &mut self,
        place: Place,
        arguments: &Arguments<'_, '_>,
        scope: &Scope,
    ) -> Result<(), Wrong> {
        let Some((range, template)) = arguments.words.split_first() else {
            return Err(arguments.wrong("$GENERATE", "a range such as 1-254"));
        };
        if template.is_empty() {
            return Err(arguments.wrong("$GENERATE", "a record behind the range"));
        }
        let wrong = |fault| Wrong { place: range.place, fault: Fault::Generate(fault) };
        let mut inner = Scope { generate: Some(place), ..scope.clone() };
        let mut line = String::new();
        for number in Range::read(range.text).map_err(wrong)?.numbers() {
            self.generated += 1;
            if self.generated > GENERATED_MAX {
                return Err(wrong(GenerateFault::TooMany));
            }
            write_line(template, number, &mut line).map_err(wrong)?;
            let mut entries = Entries::new(line.as_bytes());
            let fault = match entries.next() {
                None => continue,
                Some(Err(bad)) => Fault::Entry(bad.fault),
                Some(Ok(entry)) => match self.record(&entry, &mut inner) {
                    Ok(()) => continue,
                    Err(wrong) => wrong.fault,
                },
            };
            // One mistake a directive: the other lines have the same.
            return Err(Wrong { place, fault });
        }
        Ok(())
    }
}

/// The words behind a directive.
struct Arguments<'w, 'a> {
    words: &'w [Word<'a>],
    end: Place,
}

impl Arguments<'_, '_> {
    /// The only argument as a name.
    fn name(&self, directive: &'static str, scope: &Scope) -> Result<NameBuf, Wrong> {
        match self.words {
            [word] => name(word, scope),
            _ => Err(self.wrong(directive, "one name")),
        }
    }

    /// The only argument as a TTL.
    fn ttl(&self) -> Result<u32, Wrong> {
        match self.words {
            [word] => ttl(word),
            _ => Err(self.wrong("$TTL", "one TTL such as 3600 or 1h")),
        }
    }

    /// Tells that there are too few words or too many.
    fn wrong(&self, directive: &'static str, expected: &'static str) -> Wrong {
        let place = self.words.get(1).map_or(self.end, |word| word.place);
        Wrong { place, fault: Fault::Argument { directive, expected } }
    }
}

fn name(word: &Word<'_>, scope: &Scope) -> Result<NameBuf, Wrong> {
    if word.quoted {
        return Err(Wrong { place: word.place, fault: Fault::QuotedName });
    }
    NameBuf::from_text(word.text, scope.origin.as_name())
        .map_err(|bad| Wrong { place: word.place, fault: Fault::Name(bad) })
}

fn ttl(word: &Word<'_>) -> Result<u32, Wrong> {
    seconds(word.text)
        .filter(|ttl| *ttl <= TTL_MAX && !word.quoted)
        .ok_or_else(|| Wrong { place: word.place, fault: Fault::Ttl(shown(word.text)) })
}

/// Reads `[TTL] [CLASS] TYPE`, the first two in either order.
fn head<'w, 'a>(words: &'w [Word<'a>], end: Place) -> Result<Head<'w, 'a>, Wrong> {
    let (mut time, mut class) = (None, None);
    for (index, word) in words.iter().enumerate() {
        // No class and no type begins with a digit.
        if time.is_none() && word.text.first().is_some_and(u8::is_ascii_digit) {
            time = Some(ttl(word)?);
            continue;
        }
        let text = std::str::from_utf8(word.text).ok().filter(|_| !word.quoted).unwrap_or("");
        if let (None, Ok(found @ Class(..=253))) = (class, text.parse()) {
            class = Some(found);
            continue;
        }
        let rtype = text
            .parse()
            .map_err(|_| Wrong { place: word.place, fault: Fault::Word(shown(word.text)) })?;
        let (class, data) = (class.unwrap_or(Class::IN), &words[index + 1..]);
        return Ok(Head { ttl: time, class, rtype, data });
    }
    Err(Wrong { place: end, fault: Fault::NoType })
}

/// A word for a message, not too long.
fn shown(text: &[u8]) -> String {
    const LENGTH_MAX: usize = 40;
    let begin = String::from_utf8_lossy(&text[..text.len().min(LENGTH_MAX)]);
    let dots = if text.len() > LENGTH_MAX { "..." } else { "" };
    format!("{begin}{dots}")
}
