//! Corefiles of 2018 put into today's words.
//!
//! Kubernetes 1.11 to 1.15 shipped Corefiles that today's CoreDNS refuses to load. Here they load,
//! with a warning for each old word that prints what to write instead. `rules.rs` has one entry for
//! each word; this is how they are applied.

mod rules;

use crate::{Code, Directive, Line, Mistake, Mistakes, ServerBlock, Word, shown};
use rules::{DIRECTIVES, LINES};

/// What an old line is today.
enum Today {
    /// The same.
    Same,
    /// Nothing, because of this.
    Gone(&'static str),
    /// These lines, in its place.
    Lines(Vec<Vec<String>>),
    /// Something in the line of the directive, which the rule has changed.
    Head,
    /// A directive of its own, with this line in its block.
    Directive { words: Vec<String>, line: Vec<String> },
    /// Something that cannot be said any more, because of this.
    Lost(&'static str),
}

/// What an old directive is today.
enum Renewed {
    /// The same.
    Same,
    /// What the rule has made of it.
    Changed,
    /// Something that cannot be said any more, because of this.
    Lost(&'static str),
}

/// An old line in the block of a directive.
struct LineRule {
    /// The directives it stood in, by their old names.
    directives: &'static [&'static str],
    /// Its first word.
    name: &'static str,
    /// What today's CoreDNS does with it, to follow its name.
    fate: &'static str,
    /// What it is today; the words are those of the line.
    today: fn(&mut Head<'_>, &[&str]) -> Today,
}

/// An old directive.
struct DirectiveRule {
    name: &'static str,
    /// What today's CoreDNS does with it, to follow its name.
    fate: &'static str,
    today: fn(&mut Head<'_>) -> Renewed,
}

/// The line of a directive, to be changed.
struct Head<'d> {
    name: &'d mut Word,
    args: &'d mut Vec<Word>,
}

impl Head<'_> {
    /// Another word at the end.
    fn add(&mut self, text: &str) {
        self.args.push(Word::new(text, self.name.at));
    }

    /// The texts of the arguments.
    fn texts(&self) -> Vec<&str> {
        self.args.iter().map(|word| word.text.as_str()).collect()
    }
}

/// Puts old directives and properties into today's words, and says so.
///
/// A warning means that the tree has changed and means what it meant; an error that there is no way
/// to say it today. Works on every Corefile; one of today stays what it is.
pub fn modernise(blocks: &mut [ServerBlock]) -> Mistakes {
    let mut mistakes = Mistakes::new();
    for block in blocks {
        let mut directives = Vec::with_capacity(block.directives.len());
        for mut directive in block.directives.drain(..) {
            let mut others = Vec::new();
            let old = directive.name.text.clone();
            renew_lines(&old, &mut directive, &mut others, &mut mistakes);
            if renew(&old, &mut directive, &mut mistakes) {
                directives.push(directive);
            }
            directives.append(&mut others);
        }
        block.directives = directives;
    }
    mistakes
}

/// Applies the rule for a directive; whether there still is one.
fn renew(old: &str, directive: &mut Directive, mistakes: &mut Mistakes) -> bool {
    let Some(rule) = DIRECTIVES.iter().find(|rule| rule.name == old) else { return true };
    let at = directive.name.at;
    let message = format!("{} {}", shown(rule.name), rule.fate);
    let mut head = Head { name: &mut directive.name, args: &mut directive.args };
    match (rule.today)(&mut head) {
        Renewed::Same => true,
        Renewed::Changed => {
            let mistake = Mistake::warning(Code::Legacy, at, message);
            mistakes.push(mistake.help(write(directive)));
            true
        }
        Renewed::Lost(why) => {
            mistakes.push(Mistake::error(Code::NoLongerSupported, at, message).help(why));
            false
        }
    }
}

/// Applies the rules for the lines of a directive. Directives that lines have become are put among
/// `others`.
fn renew_lines(
    old: &str,
    directive: &mut Directive,
    others: &mut Vec<Directive>,
    mistakes: &mut Mistakes,
) {
    let Some(lines) = directive.body.take() else { return };
    let had_lines = !lines.is_empty();
    let mut renewed = Vec::with_capacity(lines.len());
    for line in lines {
        let Some(rule) = rule_for(old, &line) else {
            renewed.push(line);
            continue;
        };
        let words: Vec<_> = line.words.iter().map(|word| word.text.as_str()).collect();
        let mut head = Head { name: &mut directive.name, args: &mut directive.args };
        let today = (rule.today)(&mut head, &words);
        let message = format!("{} {}", shown(rule.name), rule.fate);
        let warning =
            |help: String| Mistake::warning(Code::Legacy, line.at(), message.as_str()).help(help);
        match today {
            Today::Same => renewed.push(line),
            Today::Gone(why) => mistakes.push(warning(format!("remove it: {why}"))),
            Today::Head => {
                mistakes.push(warning(format!("write {}", shown(&head_text(directive)))));
            }
            Today::Lost(why) => {
                mistakes
                    .push(Mistake::error(Code::NoLongerSupported, line.at(), message).help(why));
            }
            Today::Lines(lines) => {
                let text: Vec<_> = lines.iter().map(|words| shown(&words.join(" "))).collect();
                mistakes.push(warning(format!("write {}", text.join(" and "))));
                renewed.extend(lines.iter().map(|words| new_line(words, &line)));
            }
            Today::Directive { words, line: words_inside } => {
                let other = with_line(others, &words, new_line(&words_inside, &line));
                mistakes.push(warning(format!("write into the server block\n{other}")));
            }
        }
    }
    directive.body = (!renewed.is_empty() || !had_lines).then_some(renewed);
}

fn rule_for(directive: &str, line: &Line) -> Option<&'static LineRule> {
    let name = line.words.first()?.text.as_str();
    LINES.iter().find(|rule| rule.name == name && rule.directives.contains(&directive))
}

/// A line of new words in the place of an old one.
fn new_line(words: &[String], old: &Line) -> Line {
    Line { words: words.iter().map(|text| Word::new(text, old.at())).collect(), body: None }
}

/// Puts a line into the directive of these words, which is made if it is not there.
fn with_line<'o>(others: &'o mut Vec<Directive>, words: &[String], line: Line) -> &'o Directive {
    let same = |other: &Directive| {
        other.args.iter().map(|word| &word.text).eq(words.iter().skip(1))
            && Some(&other.name.text) == words.first()
    };
    let index = others.iter().position(same).unwrap_or_else(|| {
        let mut words = words.iter().map(|text| Word::new(text, line.at()));
        if let Some(name) = words.next() {
            others.push(Directive { name, args: words.collect(), body: Some(Vec::new()) });
        }
        others.len() - 1
    });
    others[index].body.get_or_insert_default().push(line);
    &others[index]
}

/// `write …`, in one line if the directive has no block.
fn write(directive: &Directive) -> String {
    let text = directive.to_string();
    if text.contains('\n') { format!("write\n{text}") } else { format!("write `{text}`") }
}

fn head_text(directive: &Directive) -> String {
    Directive { body: None, ..directive.clone() }.to_string()
}
