//! Reading a snapshot.

use super::{FORMAT, Head, LINE_MAX, MAGIC, SIZE_MAX, TRAILER_LEN, hex};
use crate::objects::Object;
use aws_lc_rs::digest::{Context, SHA256};
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take};

/// Why a file does not serve as a snapshot.
#[derive(Debug)]
pub enum Unusable {
    /// It could not be read.
    Io(io::Error),
    /// It has more than [`SIZE_MAX`] octets.
    TooLarge {
        /// How many.
        octets: u64,
    },
    /// It does not begin as a snapshot does.
    NotASnapshot,
    /// It is one of another version of this program.
    Format {
        /// The number of its format.
        found: u32,
    },
    /// Length and digest at its end are missing or do not fit what is before them.
    Damaged,
    /// It is one of another cluster or of other settings.
    Foreign {
        /// What it says.
        found: String,
        /// What it should say.
        wanted: String,
    },
    /// It is whole, but a line is not what it should be.
    Odd {
        /// Which line, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
}

impl Unusable {
    /// A word for a metric.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Io(_) => "io",
            Self::TooLarge { .. } => "too_large",
            Self::NotASnapshot | Self::Damaged | Self::Odd { .. } => "damaged",
            Self::Format { .. } => "format",
            Self::Foreign { .. } => "foreign",
        }
    }

    /// All that [`Unusable::name`] can be.
    pub const NAMES: [&'static str; 5] = ["io", "too_large", "damaged", "format", "foreign"];
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::TooLarge { octets } => {
                write!(f, "it has {octets} octets, and may have {SIZE_MAX}")
            }
            Self::NotASnapshot => write!(f, "it does not begin with `{MAGIC}{FORMAT}`"),
            Self::Format { found } => {
                write!(f, "it has format {found}, and this version reads format {FORMAT}")
            }
            Self::Damaged => f.write_str(
                "it is damaged: its length and digest are not those that its end should tell",
            ),
            Self::Foreign { found, wanted } => {
                write!(f, "it is of `{found}`, and wanted is one of `{wanted}`")
            }
            Self::Odd { line, reason } => write!(f, "line {line}: {reason}"),
        }
    }
}

impl std::error::Error for Unusable {}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Checks that a snapshot is whole and reads its head.
///
/// All of it is read once, and nothing of it held.
pub fn open<R: Read + Seek>(mut source: R) -> Result<(Head, Objects<R>), Unusable> {
    let octets = source.seek(SeekFrom::End(0))?;
    if octets > SIZE_MAX {
        return Err(Unusable::TooLarge { octets });
    }
    source.rewind()?;
    // First of all: what another version wrote may end in another way.
    check_format(&mut source)?;
    let length = octets.checked_sub(TRAILER_LEN).ok_or(Unusable::Damaged)?;
    source.rewind()?;
    let expected = format!("end {length:020} {}\n", digest(&mut source, length)?);
    let mut trailer = Vec::new();
    source.by_ref().take(TRAILER_LEN).read_to_end(&mut trailer)?;
    if trailer != expected.as_bytes() {
        return Err(Unusable::Damaged);
    }
    source.rewind()?;
    let mut objects =
        Objects { source: BufReader::new(source.take(length)), line: 0, text: Vec::new() };
    objects.next_line()?;
    let head = objects.next_line()?.map(serde_json::from_slice);
    let head = head.unwrap_or_else(|| serde_json::from_slice(b""));
    let head = head.map_err(|error| objects.odd(error.to_string()))?;
    Ok((head, objects))
}

/// Reads the first line.
fn check_format(source: &mut impl Read) -> Result<(), Unusable> {
    let mut first = Vec::new();
    // Room for the longest number.
    source.take(MAGIC.len() as u64 + 11).read_to_end(&mut first)?;
    let first = first.split(|&octet| octet == b'\n').next().unwrap_or_default();
    let number = first.strip_prefix(MAGIC.as_bytes()).ok_or(Unusable::NotASnapshot)?;
    let number = std::str::from_utf8(number).ok().and_then(|text| text.parse().ok());
    match number.ok_or(Unusable::NotASnapshot)? {
        FORMAT => Ok(()),
        found => Err(Unusable::Format { found }),
    }
}

fn digest(source: &mut impl Read, length: u64) -> Result<String, Unusable> {
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 16];
    let mut rest = source.take(length);
    loop {
        match rest.read(&mut buffer) {
            Ok(0) => return Ok(hex(context.finish().as_ref())),
            Ok(count) => context.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The objects of a snapshot, read one by one. Ends after an error.
pub struct Objects<R> {
    source: BufReader<Take<R>>,
    line: u64,
    text: Vec<u8>,
}

impl<R: Read> Objects<R> {
    fn next_line(&mut self) -> Result<Option<&[u8]>, Unusable> {
        self.text.clear();
        self.line += 1;
        let read = (&mut self.source).take(LINE_MAX).read_until(b'\n', &mut self.text)?;
        if read == 0 {
            return Ok(None);
        }
        if self.text.pop() != Some(b'\n') {
            return Err(self.odd("it is too long, or not ended".to_owned()));
        }
        Ok(Some(&self.text))
    }

    fn next_object(&mut self) -> Result<Option<Object>, Unusable> {
        let Some(text) = self.next_line()? else { return Ok(None) };
        let object = serde_json::from_slice::<Object>(text).map_err(|error| error.to_string());
        let checked = object.and_then(|object| object.check().map(|()| object));
        checked.map(Some).map_err(|reason| self.odd(reason))
    }

    fn odd(&self, reason: String) -> Unusable {
        Unusable::Odd { line: self.line, reason }
    }
}

impl<R: Read> Iterator for Objects<R> {
    type Item = Result<Object, Unusable>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_object().transpose();
        if matches!(next, Some(Err(_))) {
            self.source.get_mut().set_limit(0);
            let left = self.source.buffer().len();
            self.source.consume(left);
        }
        next
    }
}
