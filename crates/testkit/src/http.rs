//! As much HTTP/1.1 as a test needs: GET, with no body on the way in.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The most octets of a request's head, and of a line in it.
const HEAD_MAX: u64 = 16 << 10;
/// The most octets of a response that is read.
const RESPONSE_MAX: u64 = 16 << 20;
/// How long a server may think.
const PATIENCE: Duration = Duration::from_secs(5);

/// A GET request as a server reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) path: String,
    /// The query's parameters, decoded.
    pub(crate) parameters: Vec<(String, String)>,
    /// Whether another request may follow on the connection: in HTTP/1.1.
    pub(crate) keep_alive: bool,
}

impl Request {
    /// Reads the next request; none when the client has gone or asks something else than GET.
    pub(crate) fn read(stream: &mut impl BufRead) -> Option<Self> {
        let mut head = stream.take(HEAD_MAX);
        let mut line = String::new();
        head.read_line(&mut line).ok()?;
        let (target, version) = line.strip_prefix("GET ")?.split_once(' ')?;
        let (target, keep_alive) = (target.to_owned(), version.trim() == "HTTP/1.1");
        loop {
            line.clear();
            if head.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let parameters = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let parameters = parameters.map(|(key, value)| (decode(key), decode(value)));
        let (path, parameters) = (path.to_owned(), parameters.collect());
        Some(Self { path, parameters, keep_alive })
    }

    pub(crate) fn parameter(&self, key: &str) -> Option<&str> {
        self.parameters.iter().find(|(each, _)| each == key).map(|(_, value)| &value[..])
    }

    /// Whether a parameter says yes.
    pub(crate) fn says(&self, key: &str) -> bool {
        matches!(self.parameter(key), Some("true" | "1"))
    }
}

/// Percent-decodes; what is no escape stays as it is.
fn decode(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = rest.get(1..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(octet) if first == b'%' => {
                octets.push(octet);
                rest = &rest[3..];
            }
            _ => {
                octets.push(if first == b'+' { b' ' } else { first });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// Writes a whole response; the connection can be used on.
pub(crate) fn respond(stream: &mut impl Write, status: u16, body: &str) -> io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes())
}

/// Begins a response without an end, whose parts [`chunk`] writes.
pub(crate) fn respond_in_chunks(stream: &mut impl Write) -> io::Result<()> {
    stream.write_all(
        b"HTTP/1.1 200 Status\r\nContent-Type: application/json\r\n\
          Transfer-Encoding: chunked\r\n\r\n",
    )
}

/// Writes a part of a response; an empty one ends it.
pub(crate) fn chunk(stream: &mut impl Write, part: &str) -> io::Result<()> {
    stream.write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes())
}

/// Status and body of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status, such as 200.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Fetches `path`. Asks as HTTP/1.0, so that the body ends with the connection.
pub fn get(server: SocketAddr, path: &str) -> io::Result<Response> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {server}\r\n\r\n").as_bytes())?;
    let mut octets = Vec::new();
    BufReader::new(stream).take(RESPONSE_MAX).read_to_end(&mut octets)?;
    let text = String::from_utf8_lossy(&octets);
    let odd = || io::Error::new(io::ErrorKind::InvalidData, "the response is no HTTP");
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(odd)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(odd)?;
    Ok(Response { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::TcpServer;

    #[test]
    fn a_request_is_read_and_decoded() {
        let mut text =
            &b"GET /api?limit=5&fieldSelector=a%21%3Db+c&flag HTTP/1.1\r\nHost: x\r\n\r\nrest"[..];
        let request = Request::read(&mut text).unwrap();
        assert_eq!(request.path, "/api");
        assert_eq!(request.parameter("fieldSelector"), Some("a!=b c"));
        assert_eq!(request.parameter("flag"), Some(""));
        assert_eq!(request.parameter("none"), None);
        assert_eq!(text, b"rest");
    }

    #[test]
    fn what_is_no_get_ends_the_connection() {
        for mut text in
            [&b"POST / HTTP/1.1\r\n\r\n"[..], b"GET / HTTP/1.1\r\nHost: x\r\n", b"", b"\xff\n\n"]
        {
            assert_eq!(Request::read(&mut text), None);
        }
    }

    #[test]
    fn get_and_respond() {
        let server = TcpServer::start(([127, 0, 0, 1], 0).into(), |stream| {
            let mut reader = BufReader::new(&stream);
            let request = Request::read(&mut reader).unwrap();
            let _ = respond(&mut &stream, 404, &request.path);
        })
        .unwrap();
        let response = get(server.address(), "/there").unwrap();
        assert_eq!(response, Response { status: 404, body: "/there".to_owned() });
    }
}
