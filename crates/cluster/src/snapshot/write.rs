//! Writing a snapshot.

use super::{FORMAT, Head, LINE_MAX, MAGIC, SIZE_MAX, TRAILER_LEN, hex};
use crate::objects::Object;
use aws_lc_rs::digest::{Context, SHA256};
use serde::Serialize;
use std::fmt;
use std::io::{self, Write};

/// Why there is no snapshot.
#[derive(Debug)]
pub enum CannotWrite {
    /// It would have more than [`SIZE_MAX`] octets.
    TooLarge,
    /// It could not be written.
    Io(io::Error),
}

impl fmt::Display for CannotWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => {
                write!(
                    f,
                    "the cluster needs more than the {} MiB that one may have",
                    SIZE_MAX >> 20
                )
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CannotWrite {}

impl From<io::Error> for CannotWrite {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes a snapshot, one object at a time; gives its length in octets.
///
/// `out` should be buffered, and is flushed. What it holds after an error is no snapshot.
pub fn write(
    head: &Head,
    objects: impl IntoIterator<Item = Object>,
    out: impl Write,
) -> Result<u64, CannotWrite> {
    write_up_to(SIZE_MAX, head, objects, out)
}

pub(super) fn write_up_to(
    size_max: u64,
    head: &Head,
    objects: impl IntoIterator<Item = Object>,
    out: impl Write,
) -> Result<u64, CannotWrite> {
    let room = size_max - TRAILER_LEN;
    let mut out = Sealing { out, digest: Context::new(&SHA256), length: 0, room, line: Vec::new() };
    out.put(format!("{MAGIC}{FORMAT}\n").as_bytes())?;
    out.put_json(head)?;
    for object in objects {
        out.put_json(&object)?;
    }
    out.seal()
}

/// Writes, and counts and digests what is written.
struct Sealing<W> {
    out: W,
    digest: Context,
    length: u64,
    room: u64,
    line: Vec<u8>,
}

impl<W: Write> Sealing<W> {
    fn put(&mut self, octets: &[u8]) -> Result<(), CannotWrite> {
        self.length += octets.len() as u64;
        if self.length > self.room {
            return Err(CannotWrite::TooLarge);
        }
        self.digest.update(octets);
        Ok(self.out.write_all(octets)?)
    }

    fn put_json(&mut self, value: &impl Serialize) -> Result<(), CannotWrite> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        serde_json::to_writer(&mut line, value).map_err(io::Error::from)?;
        line.push(b'\n');
        if line.len() as u64 > LINE_MAX {
            return Err(CannotWrite::TooLarge);
        }
        self.put(&line)?;
        self.line = line;
        Ok(())
    }

    fn seal(mut self) -> Result<u64, CannotWrite> {
        let digest = hex(self.digest.finish().as_ref());
        writeln!(self.out, "end {:020} {digest}", self.length)?;
        self.out.flush()?;
        Ok(self.length + TRAILER_LEN)
    }
}
