//! Asks a running server about itself: as much HTTP as its answers need.

use plugins::rutter_admin::Address;
use serde::Deserialize;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long to wait for a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait for an answer: somewhat longer than a server works on one.
const PATIENCE: Duration = Duration::from_secs(40);
/// The most octets that are read of an answer.
const ANSWER_MAX: u64 = 64 << 20;

/// What a server has answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// Of `/v1/explain`: whether the name has an answer.
    pub(crate) answered: bool,
}

#[derive(Deserialize)]
struct Wrong {
    error: String,
}

impl Answer {
    /// Why it is no good answer, in words.
    pub(crate) fn error(&self) -> String {
        let wrong = serde_json::from_str(&self.body).map(|Wrong { error }| error);
        wrong.unwrap_or_else(|_| format!("the server answers with status {}", self.status))
    }
}

/// Asks for `target`, a path with its parameters.
pub(crate) fn ask(server: &Address, target: &str) -> io::Result<Answer> {
    // Of HTTP/1.0 the answer ends with the connection, and has no chunks.
    let request = format!("GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    let mut answer = Vec::new();
    match server {
        Address::Unix(path) => {
            let mut stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(request.as_bytes())?;
            stream.take(ANSWER_MAX).read_to_end(&mut answer)?;
        }
        Address::Tcp(address) => {
            let mut stream = TcpStream::connect_timeout(address, CONNECT_PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(request.as_bytes())?;
            stream.take(ANSWER_MAX).read_to_end(&mut answer)?;
        }
    }
    let no_http = || io::Error::other("what answers there is no such server");
    read(&String::from_utf8_lossy(&answer)).ok_or_else(no_http)
}

fn read(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let answered = lines.any(|line| line.eq_ignore_ascii_case("rutter-answered: true"));
    Some(Answer { status, body: body.to_owned(), answered })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_answer_is_read() {
        let answer = read("HTTP/1.0 400 Bad Request\r\n\r\n{\"error\":\"no\"}").unwrap();
        assert_eq!((answer.status, answer.answered, answer.error()), (400, false, "no".to_owned()));
        let answer = read("HTTP/1.1 200 OK\r\nRutter-Answered: true\r\n\r\n\r\n").unwrap();
        assert_eq!((answer.status, answer.answered, &*answer.body), (200, true, "\r\n"));
        assert_eq!(answer.error(), "the server answers with status 200");
        for bad in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 x\r\n\r\n", "SSH-2.0\r\n\r\n"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".*") {
            let _ = read(&text);
        }
    }
}
