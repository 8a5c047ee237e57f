//! Regular expressions as Go reads them.
//!
//! **What this is.** Corefiles hold patterns in the dialect of Go's `regexp`. The `regex` crate works
//! the same way and looks nearly the same, but some patterns mean something else there, in silence:
//! `\d`, `\w`, `\s` and `\b` know all of Unicode, `&&`, `--`, `~~` and a nested `[` calculate with
//! classes, `#` and blanks have a flag of their own. So a pattern is read by Go's rules here and
//! written down anew in words that have one meaning only.
//!
//! **What this is not.** It matches nothing itself. What Go accepts means the same here, and what Go
//! refuses is refused, with these exceptions: octets that are no UTF-8 match nothing, where Go takes
//! each for U+FFFD; Unicode's tables are a few years younger than Go's; groups deeper than 50 (Go:
//! 1000) and patterns that compile to more than 64 MiB (Go: 128 MiB) are refused.
//!
//! **Where to start reading.** [`GoRegex`], then `translate`.

mod class;
mod repetition;
mod translate;

use regex::bytes::{CaptureLocations, Regex, RegexBuilder};
use std::fmt;

/// The most octets of a pattern, as in CoreDNS.
pub(crate) const PATTERN_MAX: usize = 10_000;

/// The most octets that a compiled pattern may take.
const COMPILED_MAX: usize = 64 << 20;

/// A pattern in Go's dialect. It matches anywhere in a text unless it says otherwise.
#[derive(Debug)]
pub(crate) struct GoRegex {
    regex: Regex,
}

impl GoRegex {
    /// Reads a pattern.
    pub(crate) fn new(pattern: &str) -> Result<Self, BadPattern> {
        if pattern.len() > PATTERN_MAX {
            return Err(BadPattern { at: PATTERN_MAX, why: Why::TooLong });
        }
        let translated = translate::translate(pattern)?;
        let mut builder = RegexBuilder::new(&translated);
        // A group can hold alternatives, each a sequence with repetitions: four levels.
        builder.nest_limit(4 * translate::DEPTH_MAX as u32).size_limit(COMPILED_MAX);
        // What was translated is well-formed: only its size can be wrong.
        let regex = builder.build().map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => BadPattern { at: 0, why: Why::TooLarge },
            _ => BadPattern { at: 0, why: Why::TooDeep },
        })?;
        Ok(Self { regex })
    }

    /// How many groups it has.
    pub(crate) fn groups(&self) -> usize {
        self.regex.captures_len() - 1
    }

    /// Whether it matches somewhere in `text`.
    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }

    /// Where the first match and its groups lie in `text`, by their numbers.
    pub(crate) fn find(&self, text: &[u8]) -> Option<CaptureLocations> {
        let mut places = self.regex.capture_locations();
        self.regex.captures_read(&mut places, text).map(|_| places)
    }
}

/// Why a pattern is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadPattern {
    /// The octet at which the words begin that are wrong.
    pub(crate) at: usize,
    /// What is wrong with them.
    pub(crate) why: Why,
}

/// What is wrong with a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// A range whose end lies before its beginning, or a class that nobody knows.
    Range,
    /// An escape that nobody knows.
    Escape,
    /// A group's name that is none.
    GroupName,
    /// `(?` and something that nobody knows.
    PerlSyntax,
    /// `a**`
    NestedRepetition,
    /// `a{1001}`, `a{2,1}`
    RepetitionSize,
    /// `*` behind nothing.
    NothingToRepeat,
    /// `[` without `]`.
    MissingBracket,
    /// `(` without `)`.
    MissingParenthesis,
    /// `)` without `(`.
    UnexpectedParenthesis,
    /// `\` and nothing more.
    TrailingBackslash,
    /// Groups in groups in groups.
    TooDeep,
    /// It would take too much memory.
    TooLarge,
    /// The pattern has too many octets.
    TooLong,
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            Why::Range => "a range or class that does not exist",
            Why::Escape => "an unknown escape; `\\\\` is a backslash",
            Why::GroupName => "a group's name has letters, digits and `_` only",
            Why::PerlSyntax => "`(?` begins nothing that Go knows; there is no look-around",
            Why::NestedRepetition => "a repetition of a repetition; put the inner one into `(?:)`",
            Why::RepetitionSize => "a repetition goes from fewer to more, and up to 1000",
            Why::NothingToRepeat => "nothing to repeat in front of it; `\\*` is an asterisk",
            Why::MissingBracket => "this `[` is not closed",
            Why::MissingParenthesis => "this `(` is not closed",
            Why::UnexpectedParenthesis => "this `)` closes nothing",
            Why::TrailingBackslash => "a backslash at the end",
            Why::TooDeep => "groups nest more than 50 deep",
            Why::TooLarge => return f.write_str("the pattern takes more than 64 MiB of memory"),
            Why::TooLong => return f.write_str("the pattern has more than 10000 octets"),
        };
        write!(f, "at character {}: {why}", self.at + 1)
    }
}

impl std::error::Error for BadPattern {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What Go 1.26.8 made of some hundred patterns: `text` lines first; then `yes`, the pattern, how
    /// many groups it has and, for each text that it matches, where the groups lie; or `no`, the
    /// pattern, the error and the words that it is about.
    const GOLDEN: &str = include_str!("golden.txt");

    /// Reads a text in Go's quotes; gives what follows it as well.
    fn unquote(line: &str) -> (String, &str) {
        let mut text = String::new();
        let mut rest = line.strip_prefix('"').unwrap().chars();
        loop {
            let c = match rest.next().unwrap() {
                '"' => return (text, rest.as_str().trim_start()),
                '\\' => rest.next().unwrap(),
                c => {
                    text.push(c);
                    continue;
                }
            };
            let digits = match c {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                _ => 0,
            };
            let code: String = rest.by_ref().take(digits).collect();
            text.push(match c {
                'a' => '\x07',
                'f' => '\x0c',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\x0b',
                'x' | 'u' | 'U' => char::from_u32(u32::from_str_radix(&code, 16).unwrap()).unwrap(),
                quoted => quoted,
            });
        }
    }

    /// Go's name of an error.
    fn called(why: Why) -> &'static str {
        match why {
            Why::Range => "invalid character class range",
            Why::Escape => "invalid escape sequence",
            Why::GroupName => "invalid named capture",
            Why::PerlSyntax => "invalid or unsupported Perl syntax",
            Why::NestedRepetition => "invalid nested repetition operator",
            Why::RepetitionSize => "invalid repeat count",
            Why::NothingToRepeat => "missing argument to repetition operator",
            Why::MissingBracket => "missing closing ]",
            Why::MissingParenthesis => "missing closing )",
            Why::UnexpectedParenthesis => "unexpected )",
            Why::TrailingBackslash => "trailing backslash at end of expression",
            Why::TooDeep => "expression nests too deeply",
            Why::TooLarge | Why::TooLong => "expression too large",
        }
    }

    /// What is found in each text, as the golden data have it.
    fn found(regex: &GoRegex, texts: &[String]) -> String {
        let mut found = regex.groups().to_string();
        for (index, text) in texts.iter().enumerate() {
            let Some(places) = regex.find(text.as_bytes()) else { continue };
            let number = |end: Option<usize>| end.map_or("-1".to_owned(), |end| end.to_string());
            let ends = (0..places.len()).flat_map(|group| {
                let place = places.get(group);
                [number(place.map(|place| place.0)), number(place.map(|place| place.1))]
            });
            found += &format!(" {index}:{}", ends.collect::<Vec<_>>().join(","));
            assert!(regex.is_match(text.as_bytes()));
        }
        found
    }

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        let mut texts = Vec::new();
        let mut different = Vec::new();
        for line in GOLDEN.lines() {
            let (kind, line) = line.split_once(' ').unwrap();
            let (text, expected) = unquote(line);
            match (kind, GoRegex::new(&text)) {
                ("text", _) => texts.push(text),
                ("yes", Ok(regex)) if found(&regex, &texts) == expected => {}
                ("no", Err(bad)) => {
                    let (error, rest) = unquote(expected);
                    let (about, _) = unquote(rest);
                    // Go does not tell which parenthesis it misses.
                    let is_there = about == text || text[bad.at..].starts_with(&about);
                    if called(bad.why) != error || !is_there {
                        different.push(format!("{text}: {bad:?}, Go says {expected}"));
                    }
                }
                ("yes", Ok(regex)) => {
                    let found = found(&regex, &texts);
                    different.push(format!("{text}: {found}\n Go finds {expected}"));
                }
                (_, result) => different.push(format!("{text}: {result:?}, Go says {expected}")),
            }
        }
        assert!(texts.len() > 30);
        assert!(different.is_empty(), "{}", different.join("\n"));
    }

    #[test]
    fn patterns_have_limits() {
        let why = |pattern: &str| GoRegex::new(pattern).unwrap_err().why;
        assert!(GoRegex::new(&"a".repeat(PATTERN_MAX)).is_ok());
        assert_eq!(why(&"a".repeat(PATTERN_MAX + 1)), Why::TooLong);
        assert!(GoRegex::new(&format!("{}a{}", "(".repeat(50), "|b)*".repeat(50))).is_ok());
        assert_eq!(why(&format!("{}a{}", "(".repeat(51), ")".repeat(51))), Why::TooDeep);
        assert_eq!(why(&format!("a*{}", "(?i)*".repeat(1_000))), Why::TooDeep);
        assert_eq!(why(r"(?:\pL{999}){1}\pL{1000}\pL{1000}"), Why::TooLarge);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let text = |pattern: &str| GoRegex::new(pattern).unwrap_err().to_string();
        assert_eq!(text("(.*\\.bad"), "at character 1: this `(` is not closed");
        assert_eq!(text(r"a\db\y"), r"at character 5: an unknown escape; `\\` is a backslash");
    }

    proptest! {
        #[test]
        fn any_pattern_is_read_without_a_panic(pattern in r"[-()\[\]{}|*+?.^$\\:&~,<>PQEdwpxiUms019a\x{e9}]{0,30}|\PC{0,20}") {
            if let Ok(regex) = GoRegex::new(&pattern) {
                let _ = regex.find(pattern.as_bytes());
                let _ = regex.find(&[0xff, b'a', 0xc3]);
            }
        }
    }
}
