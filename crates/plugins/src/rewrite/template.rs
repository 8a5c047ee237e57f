//! What a rule puts in the place of what it found: text with groups, `{1}.example.org`.

use super::text::Text;

/// A text in which `{1}` stands for what the first group of an expression found.
#[derive(Clone, Debug)]
pub(super) struct Template {
    parts: Box<[Part]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Group(usize),
}

impl Template {
    /// Reads a text. Numbers above `groups` stand for themselves, braces and all, as in CoreDNS.
    pub(super) fn new(text: &str, groups: usize) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            match group(rest).filter(|(number, _)| *number <= groups) {
                Some((number, length)) => {
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain).into()));
                    }
                    parts.push(Part::Group(number));
                    rest = &rest[length..];
                }
                None => {
                    plain.push(c);
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        if !plain.is_empty() || parts.is_empty() {
            parts.push(Part::Text(plain.into()));
        }
        Self { parts: parts.into() }
    }

    /// The different groups that `text` asks for, up to the hundredth: CoreDNS counts no more.
    pub(super) fn groups_in(text: &str) -> Vec<usize> {
        let groups = text.char_indices().filter_map(|(at, _)| group(&text[at..]));
        let mut numbers: Vec<_> =
            groups.map(|(number, _)| number).filter(|number| *number <= 100).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// The text, if no group is in it.
    pub(super) fn text(&self) -> Option<&str> {
        match &*self.parts {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Writes the text with what the groups found.
    pub(super) fn write<'t>(&self, out: &mut Text, found: impl Fn(usize) -> &'t [u8]) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push(text.as_bytes()),
                Part::Group(number) => out.push(found(*number)),
            }
        }
    }
}

/// The group that `text` begins with: its number and the octets of it. `{01}` is none.
fn group(text: &str) -> Option<(usize, usize)> {
    let (digits, _) = text.strip_prefix('{')?.split_once('}')?;
    let canonical = digits.bytes().all(|octet| octet.is_ascii_digit())
        && (digits.len() == 1 || !digits.starts_with('0'));
    let number = digits.parse().ok().filter(|_| canonical)?;
    Some((number, digits.len() + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, groups: usize) -> Vec<Part> {
        Template::new(text, groups).parts.into()
    }

    #[test]
    fn groups_are_found() {
        let text = |text: &str| Part::Text(text.into());
        assert_eq!(parts("a{1}b{2}", 2), [text("a"), Part::Group(1), text("b"), Part::Group(2)]);
        assert_eq!(parts("{1}{2}", 1), [Part::Group(1), text("{2}")]);
        assert_eq!(parts("{{0}}{01}{x}{", 9), [text("{"), Part::Group(0), text("}{01}{x}{")]);
        assert_eq!(parts("", 0), [text("")]);
        assert_eq!(Template::groups_in("{3}{1}x{3}{101}"), [1, 3]);
    }
}
