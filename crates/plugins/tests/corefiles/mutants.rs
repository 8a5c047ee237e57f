//! Corefiles of the corpus, broken: the mistake is found where it was made, and is not told in ten
//! ways.

#![expect(clippy::ptr_arg, reason = "all ways have the same form")]

use super::{Example, check, examples};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// How a Corefile is broken.
const WAYS: &[(&str, Way)] = &[
    ("drop a brace", drop_brace),
    ("double a brace", double_brace),
    ("misspell a directive", misspell),
    ("drop an argument", drop_argument),
    ("bad duration", bad_duration),
    ("bad address", bad_address),
    ("stray quote", stray_quote),
    ("unknown property", unknown_property),
    ("swap lines", swap_lines),
    ("cut the file", cut),
    ("NUL", nul),
    ("very long line", long_line),
];

/// Breaks the lines of a Corefile somewhere; the places at which that may be noticed, by line from
/// 0. `None` if it does not apply there.
type Way = fn(&mut Vec<String>, &mut Dice) -> Option<Vec<usize>>;

/// Numbers that look like chance and are the same for every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }

    /// One of the lines for which `is` holds.
    fn line(&mut self, lines: &[String], is: impl Fn(&str) -> bool) -> Option<usize> {
        let fit: Vec<_> = (0..lines.len()).filter(|&at| is(&lines[at])).collect();
        if fit.is_empty() { None } else { Some(fit[self.below(fit.len())]) }
    }
}

pub(crate) struct Mutant {
    way: &'static str,
    pub(crate) text: String,
    places: Vec<usize>,
}

/// What came of a mutant.
struct Found {
    /// Whether a mistake is at one of the places. It may be a warning: CoreDNS loads some of these,
    /// and makes something else of them, and then they load here too.
    at_place: bool,
    /// Mistakes that the unbroken Corefile does not have.
    mistakes: usize,
    shown: String,
}

/// Corefiles whose directives are all on lines of their own, without imports: in those a line number
/// says something.
pub(crate) fn whole() -> Vec<Example> {
    let mut whole = examples("corpus");
    whole.retain(|it| !["grammar", "empty", "comments", "snippets"].contains(&it.name.as_str()));
    whole
}

pub(crate) fn mutant(examples: &[Example], seed: u64) -> Option<(&Example, Mutant)> {
    let mut dice = Dice(seed);
    let (way, break_it) = WAYS[dice.below(WAYS.len())];
    let example = &examples[dice.below(examples.len())];
    let mut lines: Vec<_> = example.text.lines().map(str::to_owned).collect();
    let places = break_it(&mut lines, &mut dice)?;
    let text = lines.join("\n") + "\n";
    Some((example, Mutant { way, text, places }))
}

fn find(example: &Example, mutant: &Mutant) -> Found {
    let before = check(&example.path, example.text.as_bytes()).mistakes.iter().count();
    let parsed = check(&example.path, mutant.text.as_bytes());
    let line = |at| parsed.sources.position(at).line - 1;
    let at_place = parsed.mistakes.iter().any(|it| {
        let related = it.notes.iter().filter_map(|note| note.at);
        related.chain([it.at]).any(|at| mutant.places.contains(&line(at)))
    });
    let shown = parsed.mistakes.render(&parsed.sources, false);
    let start: String = shown.chars().take(2000).collect();
    assert!(shown.len() < 1 << 14, "{} octets of messages: {start}", shown.len());
    Found { at_place, mistakes: parsed.mistakes.iter().count().saturating_sub(before), shown }
}

#[test]
fn mistakes_are_found_where_they_were_made() {
    const MUTANTS: usize = 400;
    let examples = whole();
    let mut tried = BTreeMap::<&str, usize>::new();
    let (mut missed, mut cascades) = (Vec::new(), Vec::new());
    let mutants = (0..).filter_map(|seed| mutant(&examples, seed)).take(MUTANTS);
    for (example, mutant) in mutants {
        let found = find(example, &mutant);
        *tried.entry(mutant.way).or_default() += 1;
        let Found { at_place, mistakes, shown } = found;
        let places: Vec<_> = mutant.places.iter().map(|line| line + 1).collect();
        let title = format!("{}: {}, line {places:?}", example.name, mutant.way);
        if mistakes > 3 {
            cascades.push(format!("{title}\n{shown}"));
        }
        if !at_place {
            missed.push(format!("{title}\n{shown}"));
        }
    }
    assert_eq!(tried.len(), WAYS.len());
    assert!(cascades.is_empty(), "{} cascades:\n{}", cascades.len(), cascades.join("\n"));
    assert!(missed.len() * 20 <= MUTANTS, "{} missed:\n{}", missed.len(), missed.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// Broken twice.
    #[test]
    fn no_mutant_makes_a_panic(seed in any::<u64>(), again in any::<u64>()) {
        let examples = examples("corpus");
        let Some((example, first)) = mutant(&examples, seed) else { return Ok(()) };
        let name = example.name.clone();
        let example = Example { name, path: example.path.clone(), text: first.text };
        let examples = [example];
        if let Some((example, second)) = mutant(&examples, again) {
            find(example, &second);
        }
    }
}

/// Without a brace something has no end, or no beginning; the mistake may show at the other brace,
/// or at the line that cannot follow.
fn drop_brace(lines: &mut Vec<String>, dice: &mut Dice) -> Option<Vec<usize>> {
    let at = dice.line(lines, |line| line.ends_with('{') || line.trim() == "}")?;
    if let Some(head) = lines[at].strip_suffix(" {").map(str::to_owned) {
        let close = partner(lines, at)?;
        lines[at] = head;
        return Some(vec![at, at + 1, close]);
    }
    let open = (0..at).rev().find(|&open| partner(lines, open) == Some(at))?;
    lines.remove(at);
    let next = (at..lines.len()).find(|&next| !lines[next].is_empty()).unwrap_or(at);
    Some(vec![open, at, next])
}

/// The line of the `}` that closes the `{` at the end of a line.
fn partner(lines: &[String], open: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, line) in lines.iter().enumerate().skip(open) {
        depth += i32::from(line.ends_with('{')) - i32::from(line.trim() == "}");
        if depth == 0 {
            return (at > open).then_some(at);
        }
    }
    None
}

fn double_brace(lines: &mut Vec<String>, dice: &mut Dice) -> Option<Vec<usize>> {
    let at = dice.line(lines, |line| line.ends_with('{') || line.trim() == "}")?;
    let brace = lines[at].pop()?;
    lines[at] += &format!("{brace} {brace}");
    let open = (0..at).rev().find(|&open| partner(lines, open) == Some(at));
    Some(open.into_iter().chain([at, at + 1]).collect())
}

/// A line of a block with a word that is not its last, and so no zone.
fn is_directive(line: &str) -> bool {
    let name = line.split_whitespace().next().unwrap_or_default();
    line.starts_with(' ')
        && name.len() > 3
        && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

fn misspell(lines: &mut Vec<String>, dice: &mut Dice) -> Option<Vec<usize>> {
    let at = dice.line(lines, |line| is_directive(line) && !line.starts_with("     "))?;
    let indent = lines[at].len() - lines[at].trim_start().len();
    let letter = indent + 1 + dice.below(2);
    match dice.below(3) {
        0 => drop(lines[at].remove(letter)),
        1 => lines[at].insert(letter, 'q'),
        _ => lines[at].replace_range(letter..=letter, "q"),
    }
    Some(vec![at])
}

fn drop_argument(lines: &mut Vec<String>, dice: &mut Dice) -> Option<Vec<usize>> {
    // What cannot do with fewer words than these, its name included.
    const LEAST: &[(&str, usize)] = &[
        ("apex", 2),
        ("autopath", 2),
        ("bind", 2),
        ("class", 2),
        ("denial", 2),
        ("endpoint", 2),
        ("forward", 3),
        ("lameduck", 2),
        ("manifests", 2),
        ("max_concurrent", 2),
        ("max_fails", 2),
        ("monitor", 2),
        ("policy", 2),
        ("pods", 2),
        ("prefetch", 2),
        ("root", 2),
        ("servfail", 2),
        ("success", 2),
        ("ttl", 2),
    ];
    let least = |line: &str| {
        let words: Vec<_> = line.trim_end_matches(" {").split_whitespace().collect();
        let (_, least) = LEAST.iter().find(|(name, _)| words.first() == Some(name))?;
        (words.len() >= *least).then_some(*least)
    };
    let at = dice.line(lines, |line| line.starts_with(' ') && least(line).is_some())?;
    let keep = least(&lines[at])? - 1;
    let words: Vec<_> = lines[at].split_whitespace().take(keep).collect();
    let brace = if lines[at].ends_with('{') { " {" } else { "" };
    lines[at] = format!("    {}{brace}", words.join(" "));
    Some(vec![at])
}

/// Replaces one word of a line that `is` of a kind.
fn replace_word(
    lines: &mut [String],
    dice: &mut Dice,
    is: impl Fn(&str) -> bool,
    instead: &str,
) -> Option<Vec<usize>> {
    let at = dice.line(lines, |line| line.starts_with(' ') && line.split(' ').any(&is))?;
    let mut words: Vec<_> = lines[at].split(' ').map(str::to_owned).collect();
    let word = words.iter().position(|word| is(word))?;
    instead.clone_into(&mut words[word]);
    lines[at] = words.join(" ");
    Some(vec![at])
}

fn is_duration(word: &str) -> bool {
    let digits = word.trim_start_matches(|c: char| c.is_ascii_digit());
    digits.len() < word.len() && ["ms", "s", "m", "h"].contains(&digits)
}

fn bad_duration(lines: &mut Vec<String>, dice: &mut Dice) -> Option<Vec<usize>> {
    let bad = ["5parsecs", "-1s", "s", "1.5.5s", "soon"][dice.below(5)];
    replace_word(lines, dice, is_duration, bad)
}

fn bad_address(lines: &mut Vec<String>, dice: &mut Dice) -> Option<Vec<usize>> {
    let bad =
        ["10.0.0.300", "10.0.0.1:99999", "10.0.0.0/33", "[::1", "10.0.0.1:port"][dice.below(5)];
    replace_word(lines, dice, |word| word.parse::<std::net::Ipv4Addr>().is_ok(), bad)
}

fn stray_quote(lines: &mut Vec<String>, dice: &mut Dice) -> Option<Vec<usize>> {
    let at = dice.line(lines, |line| line.starts_with(' ') && !line.contains('"'))?;
    let words = lines[at].split_whitespace().count();
    let word = lines[at].split_whitespace().nth(dice.below(words))?.to_owned();
    lines[at] = lines[at].replacen(&word, &format!("\"{word}"), 1);
    Some(vec![at])
}

fn unknown_property(lines: &mut Vec<String>, dice: &mut Dice) -> Option<Vec<usize>> {
    let at = dice.line(lines, |line| line.starts_with("    ") && line.ends_with('{'))?;
    lines.insert(at + 1, "        frobnicate 3".to_owned());
    Some(vec![at + 1])
}

/// A brace and the line beside it.
fn swap_lines(lines: &mut Vec<String>, dice: &mut Dice) -> Option<Vec<usize>> {
    let at = dice.line(lines, |line| line.ends_with('{'))?;
    (at + 1 < lines.len()).then(|| lines.swap(at, at + 1))?;
    Some(vec![at, at + 1])
}

/// In the middle of a block.
fn cut(lines: &mut Vec<String>, dice: &mut Dice) -> Option<Vec<usize>> {
    let at = dice.line(lines, is_directive)?;
    let is_open = |open: &usize| {
        lines[*open].ends_with('{') && partner(lines, *open).is_none_or(|close| close > at)
    };
    let open = (0..=at).rev().find(is_open)?;
    lines.truncate(at + 1);
    Some(vec![open, at])
}

fn nul(lines: &mut Vec<String>, dice: &mut Dice) -> Option<Vec<usize>> {
    let at = dice.line(lines, is_directive)?;
    let name = lines[at].len() - lines[at].trim_start().len();
    lines[at].insert(name + 1 + dice.below(2), '\0');
    Some(vec![at])
}

fn long_line(lines: &mut Vec<String>, dice: &mut Dice) -> Option<Vec<usize>> {
    let at = dice.line(lines, is_directive)?;
    let word = "x".repeat(100_000) + if dice.below(2) == 0 { "" } else { " yy" };
    lines.insert(at, format!("    {word}"));
    Some(vec![at])
}
