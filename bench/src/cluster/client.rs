//! A client of an API server over plain HTTP, such as `kubectl proxy` offers.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most octets of an answer, and of a line.
const ANSWER_MAX: u64 = 64 << 20;

/// A connection, for one request after the other.
pub(super) struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { reader: BufReader::new(stream) })
    }

    /// Sends a request with a JSON body and reads the answer; any status but a success is an error.
    pub(super) fn ask(&mut self, method: &str, path: &str, body: &str) -> io::Result<()> {
        let merge = "application/merge-patch+json";
        let kind = if method == "PATCH" { merge } else { "application/json" };
        let length = body.len();
        let message = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        self.reader.get_mut().write_all(message.as_bytes())?;
        let (status, body) = read_answer(&mut self.reader)?;
        if (200..300).contains(&status) {
            return Ok(());
        }
        let body = String::from_utf8_lossy(&body);
        Err(io::Error::other(format!("{method} {path}: {status}: {body}")))
    }
}

/// Status and body; the body has a length or comes in chunks.
fn read_answer(reader: &mut impl BufRead) -> io::Result<(u16, Vec<u8>)> {
    let first = line(reader)?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("`{first}` is no HTTP")))?;
    let mut length = None;
    loop {
        let line = line(reader)?.to_ascii_lowercase();
        match line.split_once(": ") {
            Some(("content-length", value)) => length = value.parse().ok(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = Vec::new();
    match length {
        Some(length) => part(reader, length, &mut body)?,
        None => chunks(reader, &mut body)?,
    }
    Ok((status, body))
}

/// RFC 9112 §7.1, without trailers.
fn chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let length = u64::from_str_radix(&line(reader)?, 16).map_err(io::Error::other)?;
        part(reader, length, body)?;
        line(reader)?;
        if length == 0 {
            return Ok(());
        }
    }
}

fn part(reader: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    if body.len() as u64 + length > ANSWER_MAX {
        return Err(io::Error::other("the answer is too long"));
    }
    let read = reader.take(length).read_to_end(body)?;
    if (read as u64) < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.take(ANSWER_MAX).read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_a_length_or_chunks() {
        let mut whole = &b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}HTTP"[..];
        assert_eq!(read_answer(&mut whole).unwrap(), (201, b"{}".to_vec()));
        assert_eq!(whole, b"HTTP");
        let mut chunked =
            &b"HTTP/1.1 409 Conflict\r\nA: b\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"[..];
        assert_eq!(read_answer(&mut chunked).unwrap(), (409, b"abc0123456789".to_vec()));
        assert_eq!(chunked, b"");
    }

    #[test]
    fn what_ends_early_is_an_error() {
        for mut text in [
            &b""[..],
            b"nonsense\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\n\r\nzz\r\n",
        ] {
            assert!(read_answer(&mut text).is_err());
        }
    }
}
