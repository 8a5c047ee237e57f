//! Rules that ask for another name, and that put the asked name back into the answer.

use super::pattern::{Match, Pattern, Substitution};
use super::template::Template;
use super::text::Subject;
use super::words::{Words, normalized, wrong};
use corefile::{Code, Mistake};
use wire::{Body, Name, NameBuf, RecordType};

const USAGE: &str = "name [exact|prefix|suffix|substring|regex] FROM TO [answer ...]";
const ANSWER_USAGE: &str =
    "name MATCH FROM TO answer auto | answer name FROM TO | answer value FROM TO";

/// A rule of the field `name`.
#[derive(Debug)]
pub(super) struct NameRule {
    /// What is asked for instead.
    pub(super) substitution: Substitution,
    auto: Auto,
    /// In the order of the Corefile; the last one works first.
    changes: Box<[Change]>,
}

/// How names in the answer find back to the asked one.
#[derive(Debug)]
enum Auto {
    /// They do not.
    Off,
    /// The rewritten name, and what is below it, becomes the asked name again.
    Back,
    /// Names with the suffix that was put in get the suffix that was taken out.
    Suffix(Box<Substitution>),
}

/// A change of names in the answer.
#[derive(Debug)]
enum Change {
    /// Of the owners.
    Owner(Substitution),
    /// Of the names in the data.
    Value(Substitution),
}

impl NameRule {
    /// Reads the words behind `name`.
    pub(super) fn read(words: &mut Words<'_>) -> Result<Self, Mistake> {
        let how = words.how(2, USAGE)?;
        let from = words.peek().map(|word| normalized(&word.text)).unwrap_or_default();
        let pattern = words.pattern(how, USAGE)?;
        let to = words.peek().map(|word| normalized(&word.text)).unwrap_or_default();
        let substitution = words.substitution(pattern, USAGE)?;
        let (asked, changes) = read_changes(words)?;
        let auto = match how {
            Match::Exact => Auto::Back,
            _ if !asked => Auto::Off,
            Match::Suffix => Pattern::new(Match::Suffix, &to).map_or(Auto::Off, |pattern| {
                Auto::Suffix(Box::new(Substitution::new(pattern, Template::new(&from, 0))))
            }),
            _ => Auto::Back,
        };
        Ok(Self { substitution, auto, changes })
    }

    /// Whether it changes anything in the answer.
    pub(super) fn answers(&self) -> bool {
        !matches!(self.auto, Auto::Off) || !self.changes.is_empty()
    }

    /// Changes the names of a reply back: `after` was asked for in the place of `before`.
    pub(super) fn answer(&self, body: &mut Body, before: Name<'_>, after: Name<'_>) {
        for change in self.changes.iter().rev() {
            match change {
                Change::Owner(substitution) => {
                    body.rename_owners(|name| renamed(substitution, name));
                }
                Change::Value(substitution) => {
                    rename_values(body, |name| renamed(substitution, name));
                }
            }
        }
        match &self.auto {
            Auto::Off => {}
            Auto::Back => {
                let back = |name: Name<'_>| {
                    let above = name.labels_above(after)?;
                    // Every name is below the root, and hardly any because of this rule.
                    let is_meant = above.is_empty() || !after.is_root();
                    is_meant.then(|| NameBuf::join(above, before).ok())?
                };
                rename_values(body, back);
                body.rename_owners(back);
            }
            Auto::Suffix(substitution) => {
                rename_values(body, |name| renamed(substitution, name));
                body.rename_owners(|name| renamed(substitution, name));
            }
        }
    }
}

/// What becomes of a name in the answer. What would be no name stays as it is.
fn renamed(substitution: &Substitution, name: Name<'_>) -> Option<NameBuf> {
    let lower = name.to_lower();
    substitution.apply(&Subject::new(lower.as_name()))?.ok()
}

/// Changes names in the data of records, except for the mailbox of an SOA record and for names that
/// a signature or a proof of DNSSEC is about.
fn rename_values(body: &mut Body, rename: impl Fn(Name<'_>) -> Option<NameBuf>) {
    let mut is_mailbox = true;
    body.rename_targets(|rtype, name| match rtype {
        RecordType::SOA => {
            is_mailbox = !is_mailbox; // it stands behind the server's name
            rename(name).filter(|_| !is_mailbox)
        }
        RecordType::SIG | RecordType::RRSIG | RecordType::NXT | RecordType::NSEC => None,
        _ => rename(name),
    });
}

/// Reads the words behind TO: whether `auto` is among them, and the others.
fn read_changes(words: &mut Words<'_>) -> Result<(bool, Box<[Change]>), Mistake> {
    let (mut auto, mut changes) = (false, Vec::new());
    let mut explicit = None;
    if let Some(word) = words.peek()
        && word.text != "answer"
    {
        return Err(wrong(word, "must be `answer`").help(format!("usage: `rewrite {USAGE}`")));
    }
    while words.peek().is_some() {
        words.take("answer"); // may be left out behind the first
        let kind = words.next(ANSWER_USAGE)?;
        match kind.text.as_str() {
            "auto" => auto = true,
            "name" => {
                explicit = Some(kind);
                changes.push(Change::Owner(read_change(words)?));
            }
            "value" => changes.push(Change::Value(read_change(words)?)),
            _ => return Err(wrong(kind, "must be `auto`, `name` or `value`")),
        }
    }
    match explicit {
        Some(name) if auto => {
            let message = "`answer auto` changes the owners already";
            let mistake = Mistake::error(Code::Conflict, name.at, message);
            Err(mistake.help("write either `answer auto` or `answer name FROM TO`"))
        }
        _ => Ok((auto, changes.into())),
    }
}

fn read_change(words: &mut Words<'_>) -> Result<Substitution, Mistake> {
    let pattern = words.pattern(Match::Regex, ANSWER_USAGE)?;
    words.substitution(pattern, ANSWER_USAGE)
}
