//! Releases of CoreDNS, which say when a word was given up.

use std::fmt;
use std::str::FromStr;

/// A release of CoreDNS, such as 1.5.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(u16, u16, u16);

impl Release {
    /// Older than every one that Kubernetes shipped.
    pub(super) const OLD: Self = Self(1, 0, 0);

    pub(super) const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self(major, minor, patch)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(major, minor, patch) = self;
        match patch {
            0 => write!(f, "{major}.{minor}"),
            _ => write!(f, "{major}.{minor}.{patch}"),
        }
    }
}

/// `1.8`, `1.8.0` or `v1.8.0`.
impl FromStr for Release {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a release of CoreDNS, such as `1.8.0`";
        let numbers = text.strip_prefix('v').unwrap_or(text).split('.').map(str::parse);
        let numbers: Vec<u16> = numbers.collect::<Result<_, _>>().map_err(|_| EXPECTED)?;
        match *numbers.as_slice() {
            [major, minor] => Ok(Self(major, minor, 0)),
            [major, minor, patch] => Ok(Self(major, minor, patch)),
            _ => Err(EXPECTED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_ordered_as_numbers() {
        let release = |text: &str| text.parse::<Release>();
        assert!(release("1.10.0").unwrap() > release("v1.9.3").unwrap());
        assert_eq!(release("1.8"), Ok(Release::new(1, 8, 0)));
        assert_eq!(release("1.6.5").unwrap().to_string(), "1.6.5");
        for bad in ["", "1", "1.x", "1.2.3.4", "latest"] {
            assert!(release(bad).is_err(), "{bad}");
        }
    }
}
