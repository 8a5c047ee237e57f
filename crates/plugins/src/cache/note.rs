//! What the cache did, in words for people.

use super::entry::{Age, Entry, Kind};

/// What became of a reply that could be kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kept {
    Yes,
    /// It has no room in an entry.
    TooLarge,
    /// It is no reply that holds for a time.
    Unfit,
    /// What is known is better.
    Worse,
    /// The configuration says so (`disable`).
    Disabled,
}

impl Kept {
    /// As a predicate; `ttl` in seconds.
    pub(super) fn to_text(self, ttl: u32) -> String {
        match self {
            Self::Yes => format!("keeps it for {ttl} s"),
            Self::TooLarge => "does not keep it: it is too large".to_owned(),
            Self::Unfit if ttl == 0 => "does not keep it: its TTL is 0".to_owned(),
            Self::Unfit => "does not keep it: it is no answer and no denial".to_owned(),
            Self::Worse => "does not keep it: what it has is better".to_owned(),
            Self::Disabled => "does not keep it: `disable` says so".to_owned(),
        }
    }
}

/// What was found.
pub(super) fn hit(entry: &Entry, age: Age) -> String {
    let what = match entry.kind {
        Kind::Success => "an answer",
        Kind::Denial => "a denial",
    };
    match age {
        Age::Fresh(left) => {
            let old = entry.ttl().saturating_sub(left);
            format!("has {what}, {old} s old, for {left} s more")
        }
        Age::Stale | Age::Over => format!("has {what} whose {} s are over", entry.ttl()),
    }
}
