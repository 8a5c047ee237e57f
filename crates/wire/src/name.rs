//! Domain names in uncompressed wire form (RFC 1035 §3.1).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// The most octets of a name, length octets and root included (RFC 1035 §2.3.4).
pub const NAME_MAX: usize = 255;
/// The most octets of a label.
pub const LABEL_MAX: usize = 63;

/// A name that lies somewhere else: valid, uncompressed, absolute.
///
/// Equality, order and hash ignore the case of ASCII letters (RFC 4343 §3); the order is the
/// canonical one of RFC 4034 §6.1.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    octets: &'a [u8],
}

impl<'a> Name<'a> {
    /// The root, `.`
    pub const ROOT: Name<'static> = Name { octets: &[0] };

    /// Reads a whole, uncompressed name that fills `octets`.
    pub fn from_octets(octets: &'a [u8]) -> Result<Self, BadName> {
        match Self::prefix_of(octets) {
            Ok(name) if name.len() == octets.len() => Ok(name),
            Ok(_) => Err(BadName::TrailingOctets),
            Err(bad) => Err(bad),
        }
    }

    /// Reads the uncompressed name that `octets` begins with.
    pub fn prefix_of(octets: &'a [u8]) -> Result<Self, BadName> {
        let mut at = 0;
        loop {
            let length = *octets.get(at).ok_or(BadName::Short)? as usize;
            if length > LABEL_MAX {
                return Err(BadName::LongLabel);
            }
            at += 1 + length;
            if at > NAME_MAX {
                return Err(BadName::Long);
            }
            if length == 0 {
                return Ok(Self { octets: &octets[..at] });
            }
        }
    }

    /// A name out of octets that are known to be one: a part of a checked name, or of a [`crate::Body`].
    pub(crate) fn trusted(octets: &'a [u8]) -> Self {
        debug_assert!(Self::from_octets(octets).is_ok());
        Self { octets }
    }

    /// The octets in wire form, root included.
    pub fn octets(self) -> &'a [u8] {
        self.octets
    }

    /// Octets in wire form, root included: 1 to 255.
    #[expect(clippy::len_without_is_empty, reason = "a name has at least the root's octet")]
    pub fn len(self) -> usize {
        self.octets.len()
    }

    /// Whether this is the root.
    pub fn is_root(self) -> bool {
        self.octets.len() == 1
    }

    /// The labels from the left, without the root.
    pub fn labels(self) -> Labels<'a> {
        Labels { rest: self.octets }
    }

    /// How many labels, without the root.
    pub fn label_count(self) -> usize {
        self.labels().count()
    }

    /// The leftmost label, if this is not the root.
    pub fn first_label(self) -> Option<&'a [u8]> {
        self.labels().next()
    }

    /// The name without its leftmost label, if this is not the root.
    pub fn parent(self) -> Option<Self> {
        let length = self.octets[0] as usize;
        (length > 0).then(|| Self { octets: &self.octets[1 + length..] })
    }

    /// The name without its leftmost `count` labels, if it has as many.
    pub fn skip_labels(self, count: usize) -> Option<Self> {
        let mut name = self;
        for _ in 0..count {
            name = name.parent()?;
        }
        Some(name)
    }

    /// Whether this is `zone` or a name below it.
    pub fn is_at_or_below(self, zone: Name<'_>) -> bool {
        self.labels_above(zone).is_some()
    }

    /// The octets of the labels in front of `zone`, if this is `zone` or below it.
    ///
    /// They are whole labels with their length octets, without a root: `www.example.org` above
    /// `org` gives `www.example`.
    pub fn labels_above(self, zone: Name<'_>) -> Option<&'a [u8]> {
        let split = self.octets.len().checked_sub(zone.octets.len())?;
        let tail = &self.octets[split..];
        // Nearly all names that are compared are in lower case, and equal octets are found faster.
        if tail != zone.octets && !tail.eq_ignore_ascii_case(zone.octets) {
            return None;
        }
        // The tail may begin inside of a label: only a label's beginning counts.
        let mut at = 0;
        while at < split {
            at += 1 + self.octets[at] as usize;
        }
        (at == split).then(|| &self.octets[..split])
    }

    /// Whether the leftmost label is `*` (RFC 4592 §2.1.1).
    pub fn is_wildcard(self) -> bool {
        self.octets.starts_with(&[1, b'*'])
    }

    /// Whether no letter is in upper case.
    pub fn is_lower(self) -> bool {
        // Length octets are below 64 and so never letters.
        !self.octets.iter().any(u8::is_ascii_uppercase)
    }

    /// An owned copy.
    pub fn to_buf(self) -> NameBuf {
        let mut name = NameBuf::root();
        name.set(self);
        name
    }

    /// An owned copy in lower case.
    pub fn to_lower(self) -> NameBuf {
        let mut name = self.to_buf();
        name.make_lower();
        name
    }
}

fn write_label(label: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for &octet in label {
        match octet {
            // The characters that a zone file would read as something else (RFC 1035 §5.1).
            b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' | b' ' => {
                write!(f, "\\{}", octet as char)?;
            }
            0x21..=0x7e => write!(f, "{}", octet as char)?,
            _ => write!(f, "\\{octet:03}")?,
        }
    }
    Ok(())
}

/// The text with its final dot: `www.example.org.`
impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for label in self.labels() {
            write_label(label, f)?;
            f.write_str(".")?;
        }
        if self.is_root() { f.write_str(".") } else { Ok(()) }
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.octets.eq_ignore_ascii_case(other.octets)
    }
}

impl Eq for Name<'_> {}

impl Hash for Name<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if self.is_lower() {
            state.write(self.octets);
        } else {
            state.write(self.to_lower().octets());
        }
    }
}

impl PartialOrd for Name<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// RFC 4034 §6.1: labels from the right, each as unsigned octets in lower case.
impl Ord for Name<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mine, theirs) = (Starts::of(*self), Starts::of(*other));
        let mut left = mine.labels();
        let mut right = theirs.labels();
        loop {
            match (left.next_back(), right.next_back()) {
                (None, None) => return Ordering::Equal,
                (None, Some(_)) => return Ordering::Less,
                (Some(_), None) => return Ordering::Greater,
                (Some(&a), Some(&b)) => {
                    let order = label_at(self.octets, a).cmp(label_at(other.octets, b));
                    if order != Ordering::Equal {
                        return order;
                    }
                }
            }
        }
    }
}

/// The label that begins at `at`, lowered octet by octet.
fn label_at(octets: &[u8], at: u8) -> impl Iterator<Item = u8> + '_ {
    let at = at as usize;
    octets[at + 1..at + 1 + octets[at] as usize].iter().map(u8::to_ascii_lowercase)
}

/// Where each label of a name begins, so that it can be walked from the right.
struct Starts {
    at: [u8; NAME_MAX / 2 + 1],
    count: usize,
}

impl Starts {
    fn of(name: Name<'_>) -> Self {
        let mut starts = Self { at: [0; NAME_MAX / 2 + 1], count: 0 };
        let mut at = 0;
        while name.octets[at] != 0 {
            starts.at[starts.count] = at as u8;
            starts.count += 1;
            at += 1 + name.octets[at] as usize;
        }
        starts
    }

    fn labels(&self) -> std::slice::Iter<'_, u8> {
        self.at[..self.count].iter()
    }
}

/// The labels of a name from the left, without the root.
#[derive(Clone)]
pub struct Labels<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (&length, rest) = self.rest.split_first()?;
        if length == 0 {
            return None;
        }
        let (label, rest) = rest.split_at(length as usize);
        self.rest = rest;
        Some(label)
    }
}

/// A name of its own, in place: no allocation, 256 octets.
///
/// For the stack and for the exchange. What stores many names keeps `Box<[u8]>` of
/// [`Name::octets`].
#[derive(Clone, Copy)]
pub struct NameBuf {
    length: u8,
    octets: [u8; NAME_MAX],
}

impl NameBuf {
    /// The root, `.`
    pub const fn root() -> Self {
        Self { length: 1, octets: [0; NAME_MAX] }
    }

    /// The name as a view.
    pub fn as_name(&self) -> Name<'_> {
        Name { octets: self.octets() }
    }

    /// The octets in wire form, root included.
    pub fn octets(&self) -> &[u8] {
        &self.octets[..self.length as usize]
    }

    /// Becomes a copy of `name`.
    pub fn set(&mut self, name: Name<'_>) {
        self.length = name.len() as u8;
        self.octets[..name.len()].copy_from_slice(name.octets);
    }

    /// Becomes a copy of `name` in lower case.
    pub fn set_lower(&mut self, name: Name<'_>) {
        self.set(name);
        self.make_lower();
    }

    /// Puts every ASCII letter into lower case.
    pub fn make_lower(&mut self) {
        self.octets[..self.length as usize].make_ascii_lowercase();
    }

    /// The labels of `prefix` (whole labels without a root, see [`Name::labels_above`]) in front
    /// of `suffix`.
    pub fn join(prefix: &[u8], suffix: Name<'_>) -> Result<Self, BadName> {
        let length = prefix.len() + suffix.len();
        if length > NAME_MAX {
            return Err(BadName::Long);
        }
        let mut name = Self::root();
        name.length = length as u8;
        name.octets[..prefix.len()].copy_from_slice(prefix);
        name.octets[prefix.len()..length].copy_from_slice(suffix.octets);
        debug_assert!(Name::from_octets(name.octets()).is_ok());
        Ok(name)
    }

    /// `label` as the new leftmost label of `parent`.
    pub fn child(label: &[u8], parent: Name<'_>) -> Result<Self, BadName> {
        if label.is_empty() {
            return Err(BadName::EmptyLabel);
        }
        if label.len() > LABEL_MAX {
            return Err(BadName::LongLabel);
        }
        let mut prefix = [0; LABEL_MAX + 1];
        prefix[0] = label.len() as u8;
        prefix[1..=label.len()].copy_from_slice(label);
        Self::join(&prefix[..=label.len()], parent)
    }

    /// Reads text relative to `origin`: without a final dot the origin is appended, `@` is the
    /// origin itself (RFC 1035 §5.1).
    pub fn from_text(text: &[u8], origin: Name<'_>) -> Result<Self, BadName> {
        match text {
            b"@" => return Ok(origin.to_buf()),
            b"." => return Ok(Self::root()),
            b"" => return Err(BadName::EmptyLabel),
            _ => {}
        }
        let mut labels = LabelReader::new();
        let mut at = 0;
        while at < text.len() {
            match text[at] {
                b'.' => {
                    labels.close()?;
                    at += 1;
                }
                b'\\' => {
                    let (octet, length) = unescape(&text[at..])?;
                    labels.push(octet)?;
                    at += length;
                }
                octet => {
                    labels.push(octet)?;
                    at += 1;
                }
            }
        }
        if labels.is_closed() {
            return labels.finish(Name::ROOT);
        }
        labels.close()?;
        labels.finish(origin)
    }
}

/// Collects labels from characters.
struct LabelReader {
    octets: [u8; NAME_MAX + 1],
    /// Where the open label's length octet stands.
    open: usize,
    at: usize,
}

impl LabelReader {
    fn new() -> Self {
        Self { octets: [0; NAME_MAX + 1], open: 0, at: 1 }
    }

    fn push(&mut self, octet: u8) -> Result<(), BadName> {
        if self.at - self.open > LABEL_MAX {
            return Err(BadName::LongLabel);
        }
        if self.at >= NAME_MAX {
            return Err(BadName::Long);
        }
        self.octets[self.at] = octet;
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) -> Result<(), BadName> {
        let length = self.at - self.open - 1;
        if length == 0 {
            return Err(BadName::EmptyLabel);
        }
        self.octets[self.open] = length as u8;
        self.open = self.at;
        self.at += 1;
        Ok(())
    }

    fn is_closed(&self) -> bool {
        self.open > 0 && self.at == self.open + 1
    }

    fn finish(self, suffix: Name<'_>) -> Result<NameBuf, BadName> {
        NameBuf::join(&self.octets[..self.open], suffix)
    }
}

/// Reads one escape at the beginning of `text`: the octet and how many characters it took.
pub(crate) fn unescape(text: &[u8]) -> Result<(u8, usize), BadName> {
    match text {
        [b'\\', a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', ..] => {
            let digit = |octet: &u8| u16::from(octet - b'0');
            let value = digit(a) * 100 + digit(b) * 10 + digit(c);
            u8::try_from(value).map(|octet| (octet, 4)).map_err(|_| BadName::Escape)
        }
        [b'\\', b'0'..=b'9', ..] | [b'\\'] => Err(BadName::Escape),
        [b'\\', octet, ..] => Ok((*octet, 2)),
        _ => Err(BadName::Escape),
    }
}

/// Absolute with or without the final dot.
impl FromStr for NameBuf {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        if text == "@" {
            return Self::child(b"@", Name::ROOT);
        }
        Self::from_text(text.as_bytes(), Name::ROOT)
    }
}

impl fmt::Display for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_name(), f)
    }
}

impl fmt::Debug for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_name(), f)
    }
}

impl PartialEq for NameBuf {
    fn eq(&self, other: &Self) -> bool {
        self.as_name() == other.as_name()
    }
}

impl Eq for NameBuf {}

impl PartialOrd for NameBuf {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for NameBuf {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_name().cmp(&other.as_name())
    }
}

impl Hash for NameBuf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_name().hash(state);
    }
}

/// Why octets or text are no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadName {
    /// The octets end before the root.
    Short,
    /// Octets follow the root.
    TrailingOctets,
    /// More than 255 octets.
    Long,
    /// A label of more than 63 octets, or a compression pointer where none may be.
    LongLabel,
    /// Two dots in a row, or a dot at the beginning.
    EmptyLabel,
    /// A backslash that is followed by neither a character nor three digits up to 255.
    Escape,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "the name ends before its root label",
            Self::TrailingOctets => "octets follow the name's root label",
            Self::Long => "the name is longer than 255 octets",
            Self::LongLabel => "a label is longer than 63 octets",
            Self::EmptyLabel => "a label is empty",
            Self::Escape => "a backslash needs a character or three digits up to 255 behind it",
        })
    }
}

impl std::error::Error for BadName {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> NameBuf {
        text.parse().unwrap()
    }

    #[test]
    fn text_and_octets_agree() {
        let www = name("www.Example.org");
        assert_eq!(www.octets(), b"\x03www\x07Example\x03org\x00");
        assert_eq!(www.to_string(), "www.Example.org.");
        assert_eq!(www, name("WWW.example.ORG."));
        assert_eq!(name(".").to_string(), ".");
        assert_eq!(name(r"a\.b.c\009").octets(), b"\x03a.b\x02c\x09\x00");
        assert_eq!(name(r"a\.b.c\009").to_string(), r"a\.b.c\009.");
    }

    #[test]
    fn bad_text_is_refused() {
        for (text, why) in [
            ("", BadName::EmptyLabel),
            ("a..b", BadName::EmptyLabel),
            (".a", BadName::EmptyLabel),
            ("a\\", BadName::Escape),
            ("\\256", BadName::Escape),
            ("\\1x", BadName::Escape),
        ] {
            assert_eq!(text.parse::<NameBuf>().unwrap_err(), why, "{text:?}");
        }
        assert_eq!("x".repeat(64).parse::<NameBuf>().unwrap_err(), BadName::LongLabel);
        assert_eq!("x.".repeat(128).parse::<NameBuf>().unwrap_err(), BadName::Long);
        assert_eq!("x.".repeat(127).parse::<NameBuf>().unwrap().octets().len(), NAME_MAX);
    }

    #[test]
    fn only_whole_labels_are_a_suffix() {
        let www = name("www.example.org");
        assert_eq!(
            www.as_name().labels_above(name("org").as_name()),
            Some(&b"\x03www\x07example"[..])
        );
        assert!(www.as_name().is_at_or_below(name("EXAMPLE.org").as_name()));
        assert!(www.as_name().is_at_or_below(Name::ROOT));
        assert!(!www.as_name().is_at_or_below(name("ample.org").as_name()));
        // A label whose tail looks like a length octet and a label.
        assert!(!name(r"a\003org").as_name().is_at_or_below(name("org").as_name()));
    }

    #[test]
    fn the_canonical_order_of_rfc_4034() {
        let sorted =
            ["example", "a.example", "yljkjljk.a.example", "Z.a.example", "zABC.a.EXAMPLE"];
        for pair in sorted.windows(2) {
            assert!(name(pair[0]) < name(pair[1]), "{pair:?}");
        }
        assert!(name(r"\001.z.example") < name("*.z.example"));
        assert!(name("*.z.example") < name(r"\200.z.example"));
    }

    proptest! {
        #[test]
        fn octets_survive_text(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..8)) {
            let mut octets = Vec::new();
            for label in &labels {
                octets.push(label.len() as u8);
                octets.extend(label);
            }
            octets.push(0);
            let name = Name::from_octets(&octets).unwrap();
            let back: NameBuf = name.to_string().parse().unwrap();
            prop_assert_eq!(back.octets(), &octets[..]);
            prop_assert_eq!(name.label_count(), labels.len());
        }

        #[test]
        fn any_octets_are_read_without_a_panic(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(name) = Name::prefix_of(&octets) {
                prop_assert!(name.len() <= NAME_MAX);
            }
        }
    }
}
