//! What a word of a directive can be: numbers, durations, addresses, keywords.
//!
//! Each kind knows how its words are written in Go, because CoreDNS reads them with Go's library,
//! how far they may go, and what to tell the one who wrote something else.

mod address;
mod duration;
mod keyword;
mod number;

pub use address::{HostPort, Network, address, host_port, network, socket_address};
pub use duration::{duration, shown_duration};
pub use keyword::keyword;
pub use number::{Whole, integer, percent, seconds};

use crate::key::zones_of_argument;
use std::marker::PhantomData;
use std::ops::Bound;
use std::str::FromStr;

/// A way to read one word.
pub trait Kind {
    /// What it becomes.
    type Value;

    /// Reads a word, in which variables are set in already.
    fn read(&self, word: &str) -> Result<Self::Value, Wrong>;
}

/// Why a word is not of its [`Kind`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What it must be, to follow "must be": `between 1 and 65535 seconds`.
    pub must_be: String,
    /// What to write instead, as a whole sentence; empty if there is no better guess.
    pub hint: String,
}

impl Wrong {
    /// Must be this.
    pub fn must_be(what: impl Into<String>) -> Self {
        Self { must_be: what.into(), hint: String::new() }
    }

    /// The same with this hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

/// Any text, also an empty one.
pub fn text() -> impl Kind<Value = String> {
    by("a text", |word| Some(word.to_owned()))
}

/// A path; the file is not looked at. The directive `root` says what it is relative to.
pub fn path() -> impl Kind<Value = String> {
    by("a path", |word| (!word.is_empty()).then(|| word.to_owned()))
}

/// A zone, or a network that stands for its reverse zones; see [`crate::zones`]. Scheme and port
/// are read and forgotten, as CoreDNS does. For a list of them there is [`crate::Args::zones`].
pub fn zones() -> impl Kind<Value = Vec<String>> {
    by("a zone or a network", |word| zones_of_argument(word).ok())
}

/// Anything that Rust can read from a text; `what` follows "must be": `an IPv4 address`.
pub fn parsed<T: FromStr>(what: &'static str) -> impl Kind<Value = T> {
    by(what, |word| word.parse().ok())
}

/// Anything that a function can read; `what` follows "must be".
pub fn by<T, F: Fn(&str) -> Option<T>>(what: &'static str, read: F) -> impl Kind<Value = T> {
    By { what, read, value: PhantomData }
}

struct By<T, F> {
    what: &'static str,
    read: F,
    value: PhantomData<T>,
}

impl<T, F: Fn(&str) -> Option<T>> Kind for By<T, F> {
    type Value = T;

    fn read(&self, word: &str) -> Result<T, Wrong> {
        (self.read)(word).ok_or_else(|| Wrong::must_be(self.what))
    }
}

/// `between 1 and 5`, `at least 1`, `more than 0`, `at most 5`, or nothing.
fn limits<T>(low: &Bound<T>, high: &Bound<T>, shown: impl Fn(&T) -> String) -> String {
    match (low, high) {
        (Bound::Included(low), Bound::Included(high)) => {
            format!("between {} and {}", shown(low), shown(high))
        }
        (Bound::Unbounded, Bound::Unbounded) => String::new(),
        (low, high) => {
            let low = match low {
                Bound::Included(low) => format!("at least {}", shown(low)),
                Bound::Excluded(low) => format!("more than {}", shown(low)),
                Bound::Unbounded => String::new(),
            };
            let high = match high {
                Bound::Included(high) => format!("at most {}", shown(high)),
                Bound::Excluded(high) => format!("less than {}", shown(high)),
                Bound::Unbounded => String::new(),
            };
            let and = if low.is_empty() || high.is_empty() { "" } else { " and " };
            format!("{low}{and}{high}")
        }
    }
}

/// `a number between 1 and 5`, `a number, at least 1`, `a number`
fn with_limits(what: &str, limits: &str) -> String {
    let join = match limits {
        "" => "",
        _ if limits.starts_with("between") => " ",
        _ => ", ",
    };
    format!("{what}{join}{limits}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn what_a_word_must_be_is_said() {
        let kind = parsed::<Ipv4Addr>("an IPv4 address");
        assert_eq!(kind.read("10.0.0.1"), Ok(Ipv4Addr::new(10, 0, 0, 1)));
        assert_eq!(kind.read("x").unwrap_err().must_be, "an IPv4 address");
        assert!(path().read("").is_err());
        assert_eq!(text().read(""), Ok(String::new()));
        assert_eq!(zones().read("dns://A.test:53"), Ok(vec!["a.test.".to_owned()]));
        assert!(zones().read("a..test").is_err());
    }
}
