//! What differs, told to people and to programs.

use super::changes::{Change, Changes, Group};
use super::outcome::{End, Outcome};
use super::questions::Askers;
use serde_json::{Value, json};
use std::fmt::Write;

/// How many examples of a group are shown.
const EXAMPLES: usize = 3;
/// How many clients of a question are shown.
const CLIENTS: usize = 3;

/// For people: the changes by name, many that are alike in one, and a summary. With `each` none are
/// put together.
pub(crate) fn text(changes: &Changes, each: bool) -> String {
    let mut text = String::new();
    if changes.changed > 0 {
        // Writing into a string cannot fail.
        let _ = write!(text, "--- {}\n+++ {}\n\n", changes.old, changes.new);
    }
    for group in changes.groups() {
        if group.is_large() && !each {
            write_group(&mut text, &group);
        } else {
            for change in &group.changes {
                write_change(&mut text, change, changes.has_listeners);
            }
        }
    }
    text + &summary(changes)
}

/// For programs: the same, each change by itself.
pub(crate) fn json(changes: &Changes) -> String {
    let list: Vec<_> = changes.list().iter().map(change_json).collect();
    let value = json!({
        "old": changes.old,
        "new": changes.new,
        "questions": changes.asked,
        "changed": changes.changed,
        "not_compared": changes.skipped,
        "left_out": changes.left_out,
        "lost": changes.lost,
        "changes": list,
    });
    format!("{value:#}\n")
}

fn change_json(change: &Change) -> Value {
    let clients: Vec<_> = change.askers.clients().iter().map(ToString::to_string).collect();
    json!({
        "name": change.name.to_string(),
        "type": change.rtype.to_string(),
        "listener": change.address.to_string(),
        "old": outcome_json(&change.old),
        "new": outcome_json(&change.new),
        "asked": change.askers.count,
        "clients": clients,
    })
}

fn outcome_json(outcome: &Outcome) -> Value {
    let by: Vec<_> =
        outcome.by.iter().map(|(plugin, line)| json!({"plugin": plugin, "line": line})).collect();
    let mut value = json!({ "records": outcome.records, "by": by });
    match &outcome.end {
        End::Reply { rcode, authoritative } => {
            value["rcode"] = rcode.to_string().into();
            value["authoritative"] = (*authoritative).into();
        }
        End::Asks(asks) => value["asks"] = (**asks).into(),
        End::Dropped => value["dropped"] = true.into(),
        End::NotServed => value["not_served"] = true.into(),
        End::Silent(why) => value["silent"] = why.as_str().into(),
    }
    value
}

fn write_change(text: &mut String, change: &Change, has_listeners: bool) {
    let Change { name, rtype, address, old, new, askers } = change;
    let _ = write!(text, "{name} {rtype}");
    if has_listeners {
        let _ = write!(text, " at {address}");
    }
    text.push('\n');
    let authority = authority_differs(old, new);
    for (sign, outcome) in [('-', old), ('+', new)] {
        let _ = write!(text, "  {sign} {outcome}");
        if let End::Reply { authoritative: Some(is), .. } = outcome.end
            && authority
        {
            text.push_str(if is { " (authoritative)" } else { " (not authoritative)" });
        }
        let _ = writeln!(text, "{}", by(outcome));
    }
    if askers.count > 0 {
        let _ = writeln!(text, "    {}", asked(askers));
    }
    text.push('\n');
}

fn write_group(text: &mut String, group: &Group<'_>) {
    let Some(first) = group.changes.first() else { return };
    let names = group.names();
    let questions = group.changes.len();
    let (names_are, below) = (plural(names as u64, "name"), group.below);
    let _ = writeln!(text, "{names_are} at or below {below} ({questions} questions)");
    for (sign, outcome) in [('-', &first.old), ('+', &first.new)] {
        let _ = writeln!(text, "  {sign} {}{}", outcome.kind(), by(outcome));
    }
    let places = [0, questions / 2, questions - 1];
    for change in places.iter().take(EXAMPLES).filter_map(|place| group.changes.get(*place)) {
        let Change { name, rtype, old, new, .. } = change;
        let _ = writeln!(text, "    {name} {rtype}: {old} -> {new}");
    }
    let count: u64 = group.changes.iter().map(|change| change.askers.count).sum();
    if count > 0 {
        let _ = writeln!(text, "    asked {}", times(count));
    }
    text.push('\n');
}

/// The sentence at the end.
fn summary(changes: &Changes) -> String {
    let Changes { asked, changed, skipped, left_out, lost, .. } = changes;
    let same = asked - changed - skipped;
    let mut text = match changed {
        0 => "No answer changes".to_owned(),
        1 => "1 answer changes".to_owned(),
        many => format!("{many} answers change"),
    };
    let have = if same == 1 { "has" } else { "have" };
    let _ = writeln!(text, "; {} {have} the same answer.", plural(same, "question"));
    if *skipped > 0 {
        let _ = writeln!(
            text,
            "Not compared: {}, whose answers only other servers know.",
            plural(*skipped, "question")
        );
    }
    if *left_out > 0 {
        let _ = writeln!(
            text,
            "Not asked: {} beyond the limit of `--max`.",
            plural(*left_out, "question")
        );
    }
    if *lost > 0 {
        let _ = writeln!(text, "Lost by a mistake of this program: {}.", plural(*lost, "question"));
    }
    let kept = changes.list().len() as u64;
    if kept < *changed {
        let _ = writeln!(text, "Shown are the first {kept} that were found.");
    }
    text
}

/// Who answered: `   [hosts, line 4]`.
fn by(outcome: &Outcome) -> String {
    let places: Vec<_> =
        outcome.by.iter().map(|(plugin, line)| format!("{plugin}, line {line}")).collect();
    if places.is_empty() { String::new() } else { format!("   [{}]", places.join("; ")) }
}

/// Whether nothing else does.
fn authority_differs(old: &Outcome, new: &Outcome) -> bool {
    let authoritative = |outcome: &Outcome| match outcome.end {
        End::Reply { authoritative, .. } => authoritative,
        _ => None,
    };
    let differs = authoritative(old).zip(authoritative(new)).is_some_and(|(old, new)| old != new);
    differs && old.to_string() == new.to_string()
}

/// `asked 214 times by 10.244.1.7, 10.244.2.9 and 12 others`
fn asked(askers: &Askers) -> String {
    let clients = askers.clients();
    let shown: Vec<_> = clients.iter().take(CLIENTS).map(ToString::to_string).collect();
    let others = match clients.len().saturating_sub(CLIENTS) {
        0 => String::new(),
        1 => " and 1 other".to_owned(),
        many => format!(" and {many} others"),
    };
    format!("asked {} by {}{others}", times(askers.count), shown.join(", "))
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
