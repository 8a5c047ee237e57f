//! Where the Corefile comes from, and what it says now.

use crate::settings::footprint::Footprint;
use crate::settings::fragments::{Replaced, SetAside, Texts, build_around};
use aws_lc_rs::digest::{Context, SHA256};
use corefile::{Mistakes, Parsed, Sources, Unreadable};
use plugins::assemble::{Assembly, Outcome};
use plugins::files::Files;
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What CoreDNS serves without a Corefile.
const DEFAULT: &[u8] = b". {\n    whoami\n    log\n}\n";

/// The most octets that are read of a Corefile, or of what it imports: more than the parser takes.
const OCTETS_MAX: u64 = 64 << 20;

/// Where the Corefile comes from.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Its name in messages.
    name: String,
    text: Text,
}

#[derive(Clone, Debug)]
enum Text {
    File(PathBuf),
    Given(Vec<u8>),
}

/// What a source says now.
pub(crate) struct Built {
    /// The configuration, if it can serve.
    pub assembly: Option<Assembly>,
    /// Errors and warnings.
    pub mistakes: Mistakes,
    /// The texts that they point into.
    pub sources: Sources,
    /// What the configuration says, without its layout.
    pub content: Vec<u8>,
    /// A hash of the Corefile and its imports as they are written: 52 bits, which a metric can hold
    /// without loss. Of what was built: without fragments that are set aside.
    pub hash: i64,
    /// The same of what is on the disk.
    pub desired: i64,
    /// Whether there is no server block at all.
    pub is_empty: bool,
    /// The files that decide what the configuration says, as they were before they were read.
    pub text: Footprint,
    /// The same, and what plugins read to build it.
    pub everything: Footprint,
    /// The fragments that it was built from.
    pub fragments: Texts,
    /// Those of them that are left out, or in force as they were before.
    pub set_aside: Vec<SetAside>,
}

impl Source {
    /// A file.
    pub(crate) fn file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { name: path.display().to_string(), text: Text::File(path) }
    }

    /// A text.
    pub(crate) fn given(name: &str, text: impl Into<Vec<u8>>) -> Self {
        Self { name: name.to_owned(), text: Text::Given(text.into()) }
    }

    /// What `-conf` says: a file, `stdin`, or nothing, which is `./Corefile` if there is one.
    ///
    /// Nobody is waited for at a terminal; that and `/dev/null` hold nothing, as for CoreDNS.
    pub(crate) fn from_flag(conf: Option<&str>) -> io::Result<Self> {
        match conf.filter(|path| !path.is_empty()) {
            Some("stdin") if !stdin_is_a_device() => Self::stdin(),
            Some("stdin") => Ok(Self::default()),
            Some(path) => Ok(Self::file(absolute(path))),
            None if Path::new("Corefile").is_file() => Ok(Self::file(absolute("Corefile"))),
            None => Ok(Self::default()),
        }
    }

    /// Whatever standard input holds.
    pub(crate) fn stdin() -> io::Result<Self> {
        Ok(Self::given("stdin", read_all(io::stdin().lock())?))
    }

    /// The octets of the Corefile, as they are now.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        match &self.text {
            Text::File(path) => File::open(path).and_then(read_all),
            Text::Given(text) => Ok(text.clone()),
        }
    }

    /// Reads the Corefile, imports from the disk, and lets `assemble` build it.
    pub(crate) fn build(&self, assemble: impl FnOnce(&Parsed) -> Outcome) -> io::Result<Built> {
        self.build_from(&Files::disk(false), assemble)
    }

    /// As [`Source::build`], with imports and variables from `files`.
    ///
    /// An empty one is built as the default configuration, as CoreDNS does; [`Built::is_empty`]
    /// tells.
    pub(crate) fn build_from(
        &self,
        files: &Files,
        assemble: impl FnOnce(&Parsed) -> Outcome,
    ) -> io::Result<Built> {
        self.build_with(files, &Replaced::new(), assemble)
    }

    /// As [`Source::build_from`]; if only fragments are at fault, then around them. `good` has the
    /// texts with which fragments have served.
    pub(crate) fn build_around(
        &self,
        files: &Files,
        good: &Texts,
        assemble: impl Fn(&Parsed) -> Outcome,
    ) -> io::Result<Built> {
        build_around(good, |replaced| self.build_with(files, replaced, &assemble))
    }

    fn build_with(
        &self,
        files: &Files,
        replaced: &Replaced,
        assemble: impl FnOnce(&Parsed) -> Outcome,
    ) -> io::Result<Built> {
        let machine = Machine { replaced: Some(replaced), ..Machine::new(files, self.footprint()) };
        let text = self.read()?;
        machine.take(&self.name, &text);
        let mut parsed = corefile::parse(&self.name, &text, &machine);
        let is_empty = parsed.is_empty() && !parsed.mistakes.has_errors();
        if is_empty {
            parsed = corefile::parse("default", DEFAULT, &machine);
        }
        let (text, hash) = machine.into_seen();
        let legacy = corefile::modernise(&mut parsed.blocks);
        let Outcome { mut assembly, mut mistakes, read } = assemble(&parsed);
        mistakes.append(legacy);
        mistakes.append(std::mem::take(&mut parsed.mistakes));
        if mistakes.has_errors() {
            assembly = None;
        }
        let mut everything = text.clone();
        read.into_iter().for_each(|path| everything.add(path));
        Ok(Built {
            assembly,
            mistakes,
            content: corefile::content(&parsed.blocks),
            fragments: texts(&parsed.sources),
            set_aside: Vec::new(),
            hash,
            desired: hash,
            sources: parsed.sources,
            is_empty,
            text,
            everything,
        })
    }

    /// The Corefile itself as it is now, for when it cannot be read.
    pub(crate) fn footprint(&self) -> Footprint {
        let mut footprint = Footprint::default();
        if let Text::File(path) = &self.text {
            footprint.add(path.clone());
        }
        footprint
    }

    /// Whether nobody has said what to serve.
    pub(crate) fn is_default(&self) -> bool {
        matches!(&self.text, Text::Given(text) if text == DEFAULT)
    }

    /// The name in messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Default for Source {
    fn default() -> Self {
        Self::given("default", DEFAULT)
    }
}

fn texts(sources: &Sources) -> Texts {
    sources.fragments().map(|(path, text)| (path.to_owned(), text.to_owned())).collect()
}

fn absolute(path: &str) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path))
}

/// All octets, but not more than [`OCTETS_MAX`]: what is longer is not read for ever.
fn read_all(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    reader.take(OCTETS_MAX).read_to_end(&mut octets)?;
    Ok(octets)
}

fn stdin_is_a_device() -> bool {
    rustix::fs::fstat(io::stdin())
        .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_char_device())
}

/// The files and the environment of this machine, or those of a copy.
pub(crate) struct Machine<'a> {
    files: &'a Files,
    replaced: Option<&'a Replaced>,
    /// Every file and directory that was looked at, as it was just before: what changes while it is
    /// read has changed.
    seen: RefCell<Footprint>,
    /// Of every text that was read.
    hash: RefCell<Context>,
}

impl<'a> Machine<'a> {
    pub(crate) fn new(files: &'a Files, seen: Footprint) -> Self {
        Self { files, replaced: None, seen: seen.into(), hash: Context::new(&SHA256).into() }
    }

    /// Notes that the configuration is made of this text.
    fn take(&self, path: &str, text: &[u8]) {
        self.files.note_text(Path::new(path), text);
        let mut hash = self.hash.borrow_mut();
        hash.update(&(text.len() as u64).to_be_bytes());
        hash.update(text);
    }

    fn into_seen(self) -> (Footprint, i64) {
        let digest = self.hash.into_inner().finish();
        let bits =
            digest.as_ref().iter().take(7).fold(0, |bits, octet| bits << 8 | i64::from(*octet));
        (self.seen.into_inner(), bits >> 4)
    }
}

impl corefile::Surroundings for Machine<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, Unreadable> {
        let read = match self.files.copy() {
            Some(copy) => copy.read(Path::new(path)),
            None => {
                self.seen.borrow_mut().add(PathBuf::from(path));
                File::open(path).and_then(read_all)
            }
        };
        let read = match self.replaced.and_then(|replaced| replaced.get(path)) {
            Some(Some(text)) => Ok(text.clone().into_bytes()),
            Some(None) => return Err(Unreadable::Missing),
            None => read,
        };
        let text = read.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Unreadable::Missing,
            io::ErrorKind::IsADirectory => Unreadable::Directory,
            _ => Unreadable::Because(error.to_string()),
        })?;
        self.take(path, &text);
        Ok(text)
    }

    fn list(&self, directory: &str) -> Vec<String> {
        if let Some(copy) = self.files.copy() {
            return names_in(Path::new(directory), &copy.paths());
        }
        let directory = if directory.is_empty() { "." } else { directory };
        self.seen.borrow_mut().add(PathBuf::from(directory));
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    #[expect(clippy::disallowed_methods, reason = "a Corefile may name variables")]
    fn variable(&self, name: &str) -> Option<String> {
        // A name with `=` or NUL in it makes no variable; asking for it would panic.
        let possible = !name.is_empty() && !name.contains(['=', '\0']);
        if let Some(copy) = self.files.copy() {
            return copy.variable(name);
        }
        let value = possible.then(|| std::env::var(name).ok()).flatten()?;
        self.files.note_variable(name, &value);
        Some(value)
    }
}

/// What `directory` has, as far as it shows in these paths.
fn names_in(directory: &Path, paths: &[PathBuf]) -> Vec<String> {
    let below = paths.iter().filter_map(|path| path.strip_prefix(directory).ok());
    let firsts = below.filter_map(|path| path.iter().next()?.to_str()).map(str::to_owned);
    let mut names: Vec<_> = firsts.collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_end_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Corefile");
        std::fs::write(&path, "import /dev/zero\n").unwrap();
        for path in [path.as_path(), Path::new("/dev/zero")] {
            let built = Source::file(path).build(|_| Outcome {
                assembly: None,
                mistakes: Mistakes::new(),
                read: vec![],
            });
            assert!(built.unwrap().mistakes.has_errors());
        }
    }

    #[test]
    fn a_change_while_it_is_built_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Corefile");
        for changed in ["Corefile", "zones", "another"] {
            std::fs::write(&path, ". {\n import zones\n}\n").unwrap();
            let built = Source::file(&path).build(|_| {
                std::fs::write(folder.path().join(changed), "whoami # changed\n").unwrap();
                Outcome { assembly: None, mistakes: Mistakes::new(), read: vec![] }
            });
            let has_changed = built.unwrap().everything.has_changed();
            assert_eq!(has_changed, changed != "another", "{changed}");
        }
    }
}
