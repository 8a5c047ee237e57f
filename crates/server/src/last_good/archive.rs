//! All files of a configuration in one.
//!
//! ```text
//! rutter configuration 1
//! {"corefile": …, "kept": …, "files": [{"path": …, "length": …, "sha256": …}, …], …}     Head
//! the octets of one file behind those of the other
//! end LENGTH SHA-256                                                    of all before it
//! ```
//! One file, because it is there whole or not at all, whenever the process is killed.

use aws_lc_rs::digest::{Context, SHA256};
use plugins::files::{Content, Copied, Taken};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The most octets that all files of a configuration have together: a zone of a million records
/// has about 40 million.
pub(super) const OCTETS_MAX: u64 = 256 << 20;
/// The most octets of the head: a hundred thousand zone files with long names.
const HEAD_MAX: u64 = 64 << 20;

/// The first line, up to the number of the format.
const MAGIC: &str = "rutter configuration ";
/// The format that is written, and the only one that is read.
const FORMAT: u32 = 1;
/// `end`, twenty digits, the digest in 64 digits.
const TRAILER_LEN: u64 = 4 + 20 + 1 + 64 + 1;

/// What the configuration is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The path of the Corefile, as messages name it.
    pub corefile: String,
    /// The version of the program that served it.
    pub program: String,
    /// The Unix time in seconds at which it was kept.
    pub kept: u64,
    /// The files in the order of their octets.
    pub files: Vec<Entry>,
    /// The digests of files with keys or tokens in them, which are not copied; none of one that
    /// could not be read.
    pub secrets: BTreeMap<PathBuf, Option<String>>,
    /// The environment variables that the Corefile names.
    pub variables: BTreeMap<String, String>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub path: PathBuf,
    pub length: u64,
    pub sha256: String,
}

/// Why a kept configuration cannot be used.
#[derive(Debug)]
pub(super) enum Unusable {
    /// It is not as it was written.
    Damaged(&'static str),
    /// Another version of this program wrote it.
    Format(u32),
    /// It cannot be read.
    Io(io::Error),
}

impl Unusable {
    /// What metrics call the reasons.
    pub(super) const NAMES: [&'static str; 3] = ["damaged", "format", "io"];

    pub(super) fn index(&self) -> usize {
        match self {
            Self::Damaged(_) => 0,
            Self::Format(_) => 1,
            Self::Io(_) => 2,
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(how) => write!(f, "it is damaged: {how}"),
            Self::Format(found) => {
                write!(f, "it has format {found}, and this program reads format {FORMAT}")
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged("it ends too early"),
            _ => Self::Io(error),
        }
    }
}

impl Head {
    /// Of a configuration whose Corefile has this name.
    pub(super) fn new(corefile: &str, taken: &Taken, now: u64) -> Self {
        let entry = |(path, content): (&PathBuf, &Content)| Entry {
            path: path.clone(),
            length: content.length,
            sha256: hex(&content.sha256),
        };
        let secret = |path: &PathBuf| (path.clone(), digest_of(path));
        Self {
            corefile: corefile.to_owned(),
            program: plugins::VERSION.to_owned(),
            kept: now,
            files: taken.files.iter().map(entry).collect(),
            secrets: taken.secrets.iter().map(secret).collect(),
            variables: taken.variables.clone(),
        }
    }

    /// Whether both are of the same configuration, whenever it was kept.
    pub(super) fn is_of_the_same(&self, other: &Self) -> bool {
        let (kept, program) = (other.kept, other.program.clone());
        Self { kept, program, ..self.clone() } == *other
    }

    /// How many octets its files have.
    pub(super) fn octets(&self) -> u64 {
        self.files.iter().map(|entry| entry.length).fold(0, u64::saturating_add)
    }
}

/// A kept configuration, seen to be whole. Its files stay on the disk until they are read.
pub(crate) struct Archive {
    head: Head,
    file: File,
    /// Where each file begins, and which entry of the head it is.
    at: BTreeMap<PathBuf, (u64, usize)>,
}

impl Archive {
    /// Reads the head and sees that nothing is missing or changed.
    pub(super) fn open(file: File) -> Result<Self, Unusable> {
        let mut reader = BufReader::with_capacity(1 << 16, &file);
        let mut first = String::new();
        let read = reader.by_ref().take(64).read_line(&mut first);
        let format = read.ok().and_then(|_| first.strip_prefix(MAGIC)?.trim_end().parse().ok());
        match format {
            Some(FORMAT) => {}
            Some(other) => return Err(Unusable::Format(other)),
            None => {
                return Err(Unusable::Damaged("it does not begin as a kept configuration does"));
            }
        }
        let mut line = Vec::new();
        reader.by_ref().take(HEAD_MAX).read_until(b'\n', &mut line)?;
        let begin = (first.len() + line.len()) as u64;
        check_end(&file)?;
        let head: Head = serde_json::from_slice(&line)
            .map_err(|_| Unusable::Damaged("its head is not what this program writes"))?;
        let length = file.metadata()?.len();
        if head.octets() != length.saturating_sub(TRAILER_LEN + begin) {
            return Err(Unusable::Damaged("its head speaks of other files"));
        }
        let mut at = BTreeMap::new();
        let mut next = begin;
        for (index, entry) in head.files.iter().enumerate() {
            at.insert(entry.path.clone(), (next, index));
            next += entry.length;
        }
        Ok(Self { head, file, at })
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// The name of the Corefile.
    pub(crate) fn corefile(&self) -> &str {
        &self.head.corefile
    }

    /// The Unix time in seconds at which it was kept.
    pub(crate) fn kept(&self) -> u64 {
        self.head.kept
    }

    /// How many files it has.
    pub(crate) fn count(&self) -> usize {
        self.head.files.len()
    }

    /// Files with keys or tokens that are not as they were.
    pub(crate) fn changed_secrets(&self) -> impl Iterator<Item = &Path> {
        let has_changed =
            |(path, before): &(&PathBuf, &Option<String>)| digest_of(path) != **before;
        self.head.secrets.iter().filter(has_changed).map(|(path, _)| path.as_path())
    }

    /// The octets of a file, if they are these.
    pub(super) fn read_if(&self, path: &Path, content: &Content) -> Option<Vec<u8>> {
        let (_, index) = self.at.get(path)?;
        let is_same = self.head.files.get(*index)?.sha256 == hex(&content.sha256);
        is_same.then(|| self.read(path).ok()).flatten()
    }
}

impl Copied for Archive {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let (at, index) = self.at.get(path).ok_or_else(missing)?;
        let entry = self.head.files.get(*index).ok_or_else(missing)?;
        // Not more than the file has, which was seen when it was opened.
        let mut octets = vec![0; entry.length as usize];
        self.file.read_exact_at(&mut octets, *at)?;
        Ok(octets)
    }

    fn paths(&self) -> Vec<PathBuf> {
        self.at.keys().cloned().collect()
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.head.variables.get(name).cloned()
    }
}

/// Writes an archive; `octets` gives those of each entry.
pub(super) fn write<E: From<io::Error>>(
    head: &Head,
    mut octets: impl FnMut(&Path) -> Result<Vec<u8>, E>,
    out: &mut impl Write,
) -> Result<(), E> {
    let mut sealing = Sealing { out, digest: Context::new(&SHA256), length: 0 };
    sealing.put(format!("{MAGIC}{FORMAT}\n").as_bytes())?;
    let mut line = serde_json::to_vec(head).map_err(io::Error::from)?;
    line.push(b'\n');
    sealing.put(&line)?;
    for entry in &head.files {
        sealing.put(&octets(&entry.path)?)?;
    }
    let (length, digest) = (sealing.length, hex(sealing.digest.finish().as_ref()));
    Ok(writeln!(out, "end {length:020} {digest}")?)
}

/// Writes, and counts and digests what is written.
struct Sealing<'a, W> {
    out: &'a mut W,
    digest: Context,
    length: u64,
}

impl<W: Write> Sealing<'_, W> {
    fn put(&mut self, octets: &[u8]) -> io::Result<()> {
        self.digest.update(octets);
        self.length += octets.len() as u64;
        self.out.write_all(octets)
    }
}

/// Sees that the end is there and true of all that is before it.
fn check_end(file: &File) -> Result<(), Unusable> {
    let length = file.metadata()?.len();
    let Some(body) = length.checked_sub(TRAILER_LEN) else {
        return Err(Unusable::Damaged("it ends too early"));
    };
    if length > OCTETS_MAX + HEAD_MAX {
        return Err(Unusable::Damaged("it is larger than one may be"));
    }
    let mut digest = Context::new(&SHA256);
    let mut piece = vec![0; 1 << 16];
    let mut at = 0;
    while at < body {
        let count = (body - at).min(piece.len() as u64) as usize;
        file.read_exact_at(&mut piece[..count], at)?;
        digest.update(&piece[..count]);
        at += count as u64;
    }
    let mut end = [0; TRAILER_LEN as usize];
    file.read_exact_at(&mut end, body)?;
    let wanted = format!("end {body:020} {}\n", hex(digest.finish().as_ref()));
    if end != wanted.as_bytes() {
        return Err(Unusable::Damaged("its end does not fit the rest"));
    }
    Ok(())
}

/// The digest of a file's octets; none if it cannot be read, or is too large for a key.
fn digest_of(path: &Path) -> Option<String> {
    const SECRET_MAX: u64 = 1 << 20;
    let mut octets = Vec::new();
    File::open(path).ok()?.take(SECRET_MAX).read_to_end(&mut octets).ok()?;
    Some(hex(&Content::of(&octets).sha256))
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}"); // writing into a string cannot fail
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Seek;

    fn written(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut taken = Taken::default();
        for (path, octets) in files {
            taken.files.insert(path.into(), Content::of(octets));
        }
        taken.variables.insert("NAME".into(), "value".into());
        let head = Head::new("/Corefile", &taken, 1_800_000_000);
        let mut out = Vec::new();
        let find = |path: &Path| {
            let file = files.iter().find(|(name, _)| Path::new(name) == path);
            Ok::<_, io::Error>(file.unwrap().1.to_vec())
        };
        write(&head, find, &mut out).unwrap();
        out
    }

    fn open(octets: &[u8]) -> Result<Archive, Unusable> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(octets).unwrap();
        file.rewind().unwrap();
        Archive::open(file)
    }

    #[test]
    fn what_was_written_is_read() {
        let archive = open(&written(&[("/Corefile", b". {\n}\n"), ("/a", b""), ("/z", b"\0\n")]));
        let archive = archive.unwrap();
        assert_eq!(archive.read(Path::new("/Corefile")).unwrap(), b". {\n}\n");
        assert_eq!(archive.read(Path::new("/a")).unwrap(), b"");
        assert_eq!(archive.read(Path::new("/z")).unwrap(), b"\0\n");
        assert_eq!(archive.read(Path::new("/x")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(archive.variable("NAME").as_deref(), Some("value"));
        assert_eq!((archive.corefile(), archive.kept()), ("/Corefile", 1_800_000_000));
        let same = Content::of(b"\0\n");
        assert!(archive.read_if(Path::new("/z"), &same).is_some());
        assert!(archive.read_if(Path::new("/a"), &same).is_none());
    }

    #[test]
    fn any_octet_that_is_missing_or_another_is_noticed() {
        let good = written(&[("/Corefile", b". {\n}\n"), ("/a", b"10.0.0.1 a\n")]);
        assert!(open(&good).is_ok());
        for at in 0..good.len() {
            assert!(open(&good[..at]).is_err(), "cut at {at}");
            let mut other = good.clone();
            other[at] ^= 1;
            assert!(open(&other).is_err(), "changed at {at}");
        }
        let longer = [&good[..], b"x"].concat();
        assert!(matches!(open(&longer), Err(Unusable::Damaged(_))));
    }

    #[test]
    fn another_format_is_told() {
        let good = String::from_utf8(written(&[("/Corefile", b"")])).unwrap();
        let other = good.replacen("configuration 1", "configuration 7", 1);
        assert!(matches!(open(other.as_bytes()), Err(Unusable::Format(7))));
    }
}
