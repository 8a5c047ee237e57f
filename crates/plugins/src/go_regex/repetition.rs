//! How often something is to be there: `*`, `+`, `?`, `{2,5}`.

/// The most copies of anything that repetitions, and repetitions of them, may ask for: Go's limit.
const COPIES_MAX: u32 = 1000;

/// A repetition, without the `?` that makes it lazy.
pub(super) struct Times {
    /// The octets that it is written with.
    pub(super) length: usize,
    /// The least and the most in braces.
    counted: Option<(u32, Option<u32>)>,
}

impl Times {
    /// The repetition that `text` begins with. Braces around anything else are characters.
    pub(super) fn at_start_of(text: &str) -> Option<Self> {
        match text.bytes().next()? {
            b'*' | b'+' | b'?' => Some(Self { length: 1, counted: None }),
            b'{' => {
                let (inside, _) = text[1..].split_once('}')?;
                let (least, most) = match inside.split_once(',') {
                    None => (number(inside)?, Some(number(inside)?)),
                    Some((least, "")) => (number(least)?, None),
                    Some((least, most)) => (number(least)?, Some(number(most)?)),
                };
                Some(Self { length: inside.len() + 2, counted: Some((least, most)) })
            }
            _ => None,
        }
    }

    /// Whether what it repeats is never there: `{0}`.
    pub(super) fn never(&self) -> bool {
        matches!(self.counted, Some((_, Some(0))))
    }

    /// How many copies of something it asks for, if the repetitions inside of what it repeats ask for
    /// so many themselves; none if that is too many, or not from fewer to more.
    pub(super) fn copies_of(&self, inside: u32) -> Option<u32> {
        let Some((least, most)) = self.counted else { return Some(inside) };
        let ordered = most.is_none_or(|most| least <= most && most <= COPIES_MAX);
        let copies = match most {
            Some(0) => 1,
            most => inside.saturating_mul(most.unwrap_or(least).max(1)),
        };
        (ordered && copies <= COPIES_MAX).then_some(copies)
    }
}

/// A number without leading zeros; one that is too large for anything counts as the largest.
fn number(digits: &str) -> Option<u32> {
    let is_number = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    let is_canonical = is_number && (digits.len() == 1 || !digits.starts_with('0'));
    is_canonical.then(|| digits.parse().unwrap_or(u32::MAX))
}
