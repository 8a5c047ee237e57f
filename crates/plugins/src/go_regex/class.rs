//! Classes: their items, and those that have names: `\d`, `[:alpha:]`, `\p{Greek}`.

use std::fmt::Write;

/// The items of a class as they are written.
#[derive(Default)]
pub(super) struct Set {
    items: String,
}

impl Set {
    /// Adds the characters from `low` to `high`, which may be halves of surrogate pairs.
    pub(super) fn push_range(&mut self, low: u32, high: u32) {
        // No text holds halves of surrogate pairs, and the `regex` crate cannot name them.
        let low = if is_surrogate(low) { 0xe000 } else { low };
        let high = if is_surrogate(high) { 0xd7ff } else { high };
        if low <= high {
            push_character(&mut self.items, low);
            self.items.push('-');
            push_character(&mut self.items, high);
        }
    }

    /// Adds a class that has a name.
    pub(super) fn push_named(&mut self, class: &Named) {
        let Named { set, negated } = class;
        let (begin, end) = if *negated { ("[^", "]") } else { ("", "") };
        self.items.extend([begin, set, end]);
    }

    /// Adds what a property says, or all others.
    pub(super) fn push_property(&mut self, property: &Property, negated: bool) {
        match (property, negated) {
            (Property::Table(name), negated) => {
                let letter = if negated { 'P' } else { 'p' };
                // Writing into a string cannot fail.
                let _ = write!(self.items, r"\{letter}{{{name}}}");
            }
            (Property::Any, false) | (Property::Surrogate, true) => self.items.push_str(EVERYTHING),
            (Property::Any, true) | (Property::Surrogate, false) => {}
            (Property::Assigned, false) => self.items.push_str(r"\P{gc=Cn}"),
            (Property::Assigned, true) => self.items.push_str(r"\p{gc=Cn}"),
            (Property::Ascii, negated) => self.push_named(&Named { set: r"\x00-\x7F", negated }),
        }
    }

    /// Writes the class: these characters, or all others.
    pub(super) fn write(&self, negated: bool, out: &mut String) {
        match (self.items.as_str(), negated) {
            // Brackets with nothing in them are no class.
            ("", true) => out.extend(["[", EVERYTHING, "]"]),
            ("", false) => out.push_str(NOTHING),
            (items, true) => out.extend(["[^", items, "]"]),
            (items, false) => out.extend(["[", items, "]"]),
        }
    }
}

/// A set of characters, written so that it can stand in the brackets of a class of the `regex`
/// crate; and whether the others are meant.
pub(super) struct Named {
    pub(super) set: &'static str,
    pub(super) negated: bool,
}

/// `\d`, `\D`, `\s`, `\S`, `\w`, `\W`: ASCII only, and `\s` without the vertical tab.
pub(super) fn perl(letter: u8) -> Option<Named> {
    let set = match letter.to_ascii_lowercase() {
        b'd' => "0-9",
        b's' => r"\t\n\x0C\r\x20",
        b'w' => "0-9A-Z_a-z",
        _ => return None,
    };
    Some(Named { set, negated: letter.is_ascii_uppercase() })
}

/// The name in `[:alpha:]` or `[:^alpha:]`.
pub(super) fn posix(name: &str) -> Option<Named> {
    let (name, negated) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
    let set = match name {
        "alnum" => "0-9A-Za-z",
        "alpha" => "A-Za-z",
        "ascii" => r"\x00-\x7F",
        "blank" => r"\t\x20",
        "cntrl" => r"\x00-\x1F\x7F",
        "digit" => "0-9",
        "graph" => r"\x21-\x7E",
        "lower" => "a-z",
        "print" => r"\x20-\x7E",
        "punct" => r"\x21-\x2F\x3A-\x40\x5B-\x60\x7B-\x7E",
        "space" => r"\t-\r\x20",
        "upper" => "A-Z",
        "word" => "0-9A-Z_a-z",
        "xdigit" => "0-9A-Fa-f",
        _ => return None,
    };
    Some(Named { set, negated })
}

/// What `\p{…}` says, written for the `regex` crate.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Property {
    /// `gc=Lu`, `sc=Greek`
    Table(String),
    /// Every character.
    Any,
    /// Those that have a meaning.
    Assigned,
    Ascii,
    /// Halves of surrogate pairs, which no text holds.
    Surrogate,
}

/// The property with a name as Go compares it: without regard to case, blanks, `-` and `_`.
///
/// Go 1.26 does not find the scripts whose names have a `_` in its own table, and nor does this.
pub(super) fn property(name: &str) -> Option<Property> {
    let mut plain: String = name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).collect();
    plain.make_ascii_lowercase();
    match plain.as_str() {
        "any" => return Some(Property::Any),
        "assigned" => return Some(Property::Assigned),
        "ascii" => return Some(Property::Ascii),
        "cs" | "surrogate" => return Some(Property::Surrogate),
        _ => {}
    }
    let listed = |list: &'static str| list.split_ascii_whitespace().find(|name| same(name, &plain));
    let category = listed(CATEGORIES).map(|name| format!("gc={name}"));
    category.or_else(|| listed(SCRIPTS).map(|name| format!("sc={name}"))).map(Property::Table)
}

fn same(listed: &str, plain: &str) -> bool {
    let letters = listed.bytes().filter(|octet| *octet != b'_');
    letters.map(|octet| octet.to_ascii_lowercase()).eq(plain.bytes())
}

fn is_surrogate(character: u32) -> bool {
    (0xd800..=0xdfff).contains(&character)
}

/// Writes a character so that it means itself, within a class and without.
pub(super) fn push_character(out: &mut String, character: u32) {
    // Writing into a string cannot fail.
    let _ = write!(out, r"\x{{{character:X}}}");
}

/// All characters, as an item of a class.
const EVERYTHING: &str = r"\x{0}-\x{10FFFF}";
/// The class that matches nothing.
pub(super) const NOTHING: &str = r"[^\x{0}-\x{10FFFF}]";

/// The general categories that Go knows, and their long names (Unicode, PropertyValueAliases).
const CATEGORIES: &str = "
    C Cc Cf Cn Co L LC Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl
    Zp Zs Cased_Letter Close_Punctuation Combining_Mark Connector_Punctuation Control Currency_Symbol
    Dash_Punctuation Decimal_Number Enclosing_Mark Final_Punctuation Format Initial_Punctuation Letter
    Letter_Number Line_Separator Lowercase_Letter Mark Math_Symbol Modifier_Letter Modifier_Symbol
    Nonspacing_Mark Number Open_Punctuation Other Other_Letter Other_Number Other_Punctuation
    Other_Symbol Paragraph_Separator Private_Use Punctuation Separator Space_Separator Spacing_Mark
    Symbol Titlecase_Letter Unassigned Uppercase_Letter cntrl digit punct";

/// The scripts that Go 1.26 finds.
const SCRIPTS: &str = "
    Adlam Ahom Arabic Armenian Avestan Balinese Bamum Batak Bengali Bhaiksuki Bopomofo Brahmi Braille
    Buginese Buhid Carian Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cyrillic
    Deseret Devanagari Dogra Duployan Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic Grantha Greek
    Gujarati Gurmukhi Han Hangul Hanunoo Hatran Hebrew Hiragana Inherited Javanese Kaithi Kannada
    Katakana Kawi Kharoshthi Khmer Khojki Khudawadi Lao Latin Lepcha Limbu Lisu Lycian Lydian Mahajani
    Makasar Malayalam Mandaic Manichaean Marchen Medefaidrin Miao Modi Mongolian Mro Multani Myanmar
    Nabataean Nandinagari Newa Nko Nushu Ogham Oriya Osage Osmanya Palmyrene Phoenician Rejang Runic
    Samaritan Saurashtra Sharada Shavian Siddham Sinhala Sogdian Soyombo Sundanese Syriac Tagalog
    Tagbanwa Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Toto Ugaritic Vai
    Vithkuqi Wancho Yezidi Yi";
