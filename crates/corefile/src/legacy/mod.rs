//! Corefiles of 2018 put into today's words.
//!
//! Kubernetes 1.11 to 1.15 shipped Corefiles that today's CoreDNS refuses to load. Here they load,
//! with a warning for each old word that prints what to write instead. `rules.rs` has one entry for
//! each word; this is how they are applied.

pub(crate) mod defaults;
mod release;
mod rules;

use crate::{Code, Directive, Line, Mistake, Mistakes, ServerBlock, Span, Word, shown};
pub use release::Release;
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
    /// The release that gave it up; `None` if that is not known, and today's does not have it.
    since: Option<Release>,
    /// What today's CoreDNS does with it, to follow its name.
    fate: &'static str,
    /// What it is today; the words are those of the line.
    today: fn(&mut Head<'_>, &[&str]) -> Today,
}

/// An old directive.
struct DirectiveRule {
    name: &'static str,
    /// As in [`LineRule`].
    since: Option<Release>,
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

/// What has to be changed in the text to say it in today's words.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    /// The old words.
    pub(crate) at: Span,
    /// What was there, why it cannot stay, and since when; empty if another edit says so.
    pub(crate) comment: String,
    pub(crate) change: Change,
}

#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The line becomes these lines.
    Lines(Vec<Vec<String>>),
    /// The words of a directive's line become these.
    Head { old: Vec<Word>, new: Vec<Word> },
    /// The directive that begins there is followed by this one.
    Behind(Directive),
}

/// Puts old directives and properties into today's words, and says so.
///
/// A warning means that the tree has changed and means what it meant; an error that there is no way
/// to say it today. Works on every Corefile; one of today stays what it is.
pub fn modernise(blocks: &mut [ServerBlock]) -> Mistakes {
    renew(blocks, None).mistakes
}

/// What came of renewing a tree.
#[derive(Default)]
pub(crate) struct Renewal {
    pub(crate) mistakes: Mistakes,
    /// The same in the text.
    pub(crate) edits: Vec<Edit>,
    to: Option<Release>,
}

/// Puts what `to` does not understand any more, or today's CoreDNS, into other words.
pub(crate) fn renew(blocks: &mut [ServerBlock], to: Option<Release>) -> Renewal {
    let mut renewal = Renewal { to, ..Renewal::default() };
    for block in blocks {
        let mut directives = Vec::with_capacity(block.directives.len());
        for mut directive in block.directives.drain(..) {
            let mut others = Vec::new();
            let old = words(&directive);
            renewal.lines(&mut directive, &mut others);
            let stays = renewal.directive(&old, &mut directive);
            renewal.edits.extend(others.iter().map(|other| Edit {
                at: old[0].at,
                comment: String::new(),
                change: Change::Behind(other.clone()),
            }));
            if stays {
                directives.push(directive);
            }
            directives.append(&mut others);
        }
        block.directives = directives;
    }
    renewal
}

impl Renewal {
    /// Whether a word that was given up in `since` is renewed.
    fn is_due(&self, since: Option<Release>) -> bool {
        self.to.is_none_or(|to| since.is_some_and(|since| since <= to))
    }

    /// Applies the rule for a directive, whose words were these; whether there still is one.
    fn directive(&mut self, old: &[Word], directive: &mut Directive) -> bool {
        let name = old[0].text.as_str();
        let rule = DIRECTIVES.iter().find(|rule| rule.name == name && self.is_due(rule.since));
        let mut comment = String::new();
        if let Some(rule) = rule {
            let message = format!("{} {}", shown(rule.name), rule.fate);
            let mut head = Head { name: &mut directive.name, args: &mut directive.args };
            match (rule.today)(&mut head) {
                Renewed::Same => {}
                Renewed::Changed => {
                    comment = why(old, rule.fate, rule.since, "");
                    let mistake = Mistake::warning(Code::Legacy, old[0].at, message);
                    self.mistakes.push(mistake.help(write(directive)));
                }
                Renewed::Lost(why) => {
                    let mistake = Mistake::error(Code::NoLongerSupported, old[0].at, message);
                    self.mistakes.push(mistake.help(why));
                    return false;
                }
            }
        }
        let new = words(directive);
        if new != old {
            let change = Change::Head { old: old.to_vec(), new };
            self.edits.push(Edit { at: old[0].at, comment, change });
        }
        true
    }

    /// Applies the rules for the lines of a directive. Directives that lines have become are put
    /// among `others`.
    fn lines(&mut self, directive: &mut Directive, others: &mut Vec<Directive>) {
        let Some(lines) = directive.body.take() else { return };
        let old = directive.name.text.clone();
        let had_lines = !lines.is_empty();
        let mut renewed = Vec::with_capacity(lines.len());
        for line in lines {
            match rule_for(&old, &line).filter(|rule| self.is_due(rule.since)) {
                Some(rule) => renewed.extend(self.line(rule, line, directive, others)),
                None => renewed.push(line),
            }
        }
        directive.body = (!renewed.is_empty() || !had_lines).then_some(renewed);
    }

    /// Applies a rule to a line; the lines that take its place.
    fn line(
        &mut self,
        rule: &LineRule,
        line: Line,
        directive: &mut Directive,
        others: &mut Vec<Directive>,
    ) -> Vec<Line> {
        let words: Vec<_> = line.words.iter().map(|word| word.text.as_str()).collect();
        let mut head = Head { name: &mut directive.name, args: &mut directive.args };
        let message = format!("{} {}", shown(rule.name), rule.fate);
        let (help, reason, lines) = match (rule.today)(&mut head, &words) {
            Today::Same => return vec![line],
            Today::Lost(why) => {
                let mistake = Mistake::error(Code::NoLongerSupported, line.at(), message);
                self.mistakes.push(mistake.help(why));
                return Vec::new();
            }
            Today::Gone(why) => (format!("remove it: {why}"), why, Vec::new()),
            Today::Head => (format!("write {}", shown(&head_text(directive))), "", Vec::new()),
            Today::Lines(lines) => {
                let text: Vec<_> = lines.iter().map(|words| shown(&words.join(" "))).collect();
                (format!("write {}", text.join(" and ")), "", lines)
            }
            Today::Directive { words, line: inside } => {
                let other = with_line(others, &words, new_line(&inside, &line));
                (format!("write into the server block\n{other}"), "", Vec::new())
            }
        };
        self.mistakes.push(Mistake::warning(Code::Legacy, line.at(), message).help(help));
        let renewed = lines.iter().map(|words| new_line(words, &line)).collect();
        let comment = why(&line.words, rule.fate, rule.since, reason);
        self.edits.push(Edit { at: line.at(), comment, change: Change::Lines(lines) });
        renewed
    }
}

/// The words of a directive's own line.
fn words(directive: &Directive) -> Vec<Word> {
    std::iter::once(&directive.name).chain(&directive.args).cloned().collect()
}

/// A comment on what was changed: ``was `upstream`, which was removed in CoreDNS 1.7: …``.
fn why(old: &[Word], fate: &str, since: Option<Release>, reason: &str) -> String {
    let old: Vec<_> = old.iter().map(ToString::to_string).collect();
    // A line break would end the comment; nothing else of the old line is lost.
    let old = old.join(" ").replace('\n', "\\n");
    let release = match since {
        Some(Release::OLD) => " (before CoreDNS 1.1)".to_owned(),
        Some(since) if !fate.contains("CoreDNS 1.") => format!(" (CoreDNS {since})"),
        _ => String::new(),
    };
    let colon = if reason.is_empty() { "" } else { ": " };
    format!("was `{old}`, which {fate}{release}{colon}{reason}")
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
