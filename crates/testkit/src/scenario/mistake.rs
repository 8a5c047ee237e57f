//! What is wrong with the text of a scenario.

use std::fmt;
use std::time::Duration;

/// A mistake in the text of a scenario, with what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line of the file; 0 while it is not known.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl Mistake {
    /// A mistake at a place that is not known yet.
    pub fn new(message: impl Into<String>) -> Self {
        Self { line: 0, message: message.into() }
    }

    /// The same at this line.
    #[must_use]
    pub fn at(self, line: usize) -> Self {
        Self { line, ..self }
    }

    /// The same, at this line if none is known.
    #[must_use]
    pub fn or_at(self, line: usize) -> Self {
        if self.line == 0 { self.at(line) } else { self }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.message),
            line => write!(f, "line {line}: {}", self.message),
        }
    }
}

impl std::error::Error for Mistake {}

/// Reads `300ms` or `2s`.
pub(crate) fn duration(text: &str) -> Result<Duration, Mistake> {
    let milliseconds = text.strip_suffix("ms").and_then(|number| number.parse().ok());
    let seconds = text.strip_suffix('s').and_then(|number| number.parse().ok());
    milliseconds
        .map(Duration::from_millis)
        .or_else(|| seconds.map(Duration::from_secs))
        .filter(|time| *time <= Duration::from_secs(600))
        .ok_or_else(|| Mistake::new(format!("a time is `300ms` or `2s`, not `{text}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(duration("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
        for text in ["2", "s", "1.5s", "601s", "ms", ""] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
