//! An account as text: the answer first, then what was asked, then why.

use super::account::{Account, Asked};
use super::walked::{Act, Change, Explanation, Origin, Outcome, Place, Seen, Stage};
use std::fmt::Write;

/// The account for people.
pub(super) fn text(account: &Account) -> String {
    let mut text = headline(account);
    text += &circumstances(account);
    text += &table(account);
    text += "\nwhy\n";
    for group in groups(&account.questions) {
        text += &why(&group);
    }
    if !account.advice.is_empty() {
        text += "\nadvice\n";
        for advice in &account.advice {
            text += &format!("  {advice}\n");
        }
    }
    text
}

/// What the program that looks for the name gets.
fn headline(account: &Account) -> String {
    let name = &account.name;
    let answers: Vec<_> = account.questions.iter().filter(|asked| asked.is_answered()).collect();
    if answers.is_empty() {
        let last = account.questions.last().map(|asked| verdict(&asked.explanation));
        return format!("{name} has no answer: {}\n", last.unwrap_or_default());
    }
    let mut text = format!("{name} is answered\n");
    for asked in answers {
        for record in &asked.explanation.answer {
            text += &format!("  {record}\n");
        }
        text += &format!("  by {}\n", origins(&asked.explanation.answered_by));
    }
    text
}

fn circumstances(account: &Account) -> String {
    let mut text = format!("\nclient    {}\n", account.client);
    for remark in &account.remarks {
        text += &format!("          {remark}\n");
    }
    if let Some(search) = &account.search {
        text += &format!("search    {}   ndots {}\n", search.domains.join(" "), search.ndots);
    }
    text + &format!("listener  {}\n", account.listener)
}

/// A line for each question.
fn table(account: &Account) -> String {
    let rows = account.questions.iter().enumerate().map(|(index, asked)| {
        let it = &asked.explanation;
        let by = it.answered_by.iter().map(|by| format!("{} {}", by.plugin, by.place));
        let by: Vec<_> = by.collect();
        let wasted = if asked.wasted { "wasted" } else { "" };
        [
            (index + 1).to_string(),
            it.name.clone(),
            it.rtype.clone(),
            short(it),
            by.join(", "),
            wasted.to_owned(),
        ]
    });
    format!("\nasked\n{}", aligned(&rows.collect::<Vec<_>>()))
}

/// The code, and what an empty answer means.
fn short(it: &Explanation) -> String {
    match it.outcome {
        Outcome::NoData => format!("{}, no data", it.rcode),
        Outcome::Referral => format!("{}, referral", it.rcode),
        Outcome::Dropped => "no reply".to_owned(),
        Outcome::NotAsked => "not asked".to_owned(),
        _ => it.rcode.clone(),
    }
}

fn verdict(it: &Explanation) -> String {
    match (it.outcome, &it.failure) {
        (Outcome::NotAsked, _) => "another server would have to be asked (--offline)".to_owned(),
        (Outcome::Dropped, _) => "the question is dropped".to_owned(),
        (Outcome::Referral, _) => "other servers have it, which a referral names".to_owned(),
        (Outcome::NoName, _) => format!("the name does not exist ({})", it.rcode),
        (Outcome::NoData, _) => format!("the name exists, but has no {} records", it.rtype),
        (_, Some(failure)) => format!("{} ({failure})", it.rcode),
        _ => it.rcode.clone(),
    }
}

fn origins(origins: &[Origin]) -> String {
    let each: Vec<_> = origins.iter().map(|it| format!("{} ({})", it.plugin, it.place)).collect();
    each.join(", then ")
}

/// Questions whose steps read the same: mostly A and AAAA of one name.
struct Group<'a> {
    numbers: Vec<usize>,
    types: Vec<&'a str>,
    first: &'a Explanation,
    steps: String,
}

fn groups(questions: &[Asked]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (index, asked) in questions.iter().enumerate() {
        let it = &asked.explanation;
        let steps = steps(it);
        match groups.last_mut() {
            Some(last) if last.first.name == it.name && last.steps == steps => {
                last.numbers.push(index + 1);
                last.types.push(&it.rtype);
            }
            _ => groups.push(Group {
                numbers: vec![index + 1],
                types: vec![&it.rtype],
                first: it,
                steps,
            }),
        }
    }
    groups
}

fn why(group: &Group<'_>) -> String {
    let numbers: Vec<_> = group.numbers.iter().map(ToString::to_string).collect();
    let mut text =
        format!("{}  {} {}\n", numbers.join(","), group.first.name, group.types.join(" and "));
    text += &group.steps;
    let it = group.first;
    if let Some(waited) = it.waited_ms {
        let _ = writeln!(text, "   waited {waited:.1} ms for others");
    }
    if it.steps_left_out > 0 {
        let _ = writeln!(text, "   {} more steps are left out", it.steps_left_out);
    }
    text
}

/// The steps of a walk, a line each; plugins that only let pass share one.
fn steps(it: &Explanation) -> String {
    let mut lines = Lines::default();
    for stage in &it.steps {
        lines.add(stage);
    }
    lines.flush();
    lines.text
}

/// Lines of a walk as they are put together.
#[derive(Default)]
struct Lines<'a> {
    text: String,
    /// Plugin, place and what is told of it, with the depth: not aligned yet.
    rows: Vec<(u8, [String; 3])>,
    /// Plugins that let pass what the next row is about.
    passed: Vec<&'a str>,
}

impl<'a> Lines<'a> {
    fn add(&mut self, stage: &'a Stage) {
        if let Act::Query { origin, step: "next" } = &stage.what
            && is_silent(stage)
        {
            return self.passed.push(origin.plugin);
        }
        if is_idle(stage) {
            return;
        }
        if !self.passed.is_empty() {
            let passed = std::mem::take(&mut self.passed).join(", ");
            self.rows.push((stage.depth, ["passed by".to_owned(), String::new(), passed]));
        }
        if let Act::Asked { question, block, other_blocks } = &stage.what {
            self.flush();
            self.text += &begin(stage.depth, question, block.as_ref(), other_blocks);
        } else {
            self.rows.push((stage.depth, row(stage)));
        }
    }

    /// Writes the rows with their columns below each other.
    fn flush(&mut self) {
        let placed = || self.rows.iter().map(|(_, row)| row).filter(|row| !row[1].is_empty());
        let width = |column: usize| placed().map(|row| row[column].chars().count()).max();
        let (plugins, places) = (width(0).unwrap_or_default(), width(1).unwrap_or_default());
        for (depth, [plugin, place, told]) in self.rows.drain(..) {
            let indent = indent(depth);
            self.text += &if place.is_empty() {
                format!("{indent}  {plugin} {told}\n")
            } else {
                format!("{indent}  {plugin:plugins$}  {place:places$}  {told}\n")
            };
        }
    }
}

/// Plugin, place and what is told of it.
fn row(stage: &Stage) -> [String; 3] {
    let (origin, told) = match &stage.what {
        Act::Query { origin, step } | Act::Resolve { origin, step } => {
            (origin, decision(stage, step))
        }
        Act::Response { origin } => (origin, reaction(stage)),
        Act::Unfinished { origin } => {
            (origin, format!("{}, and did not come to an end", stage.notes.join("; ")))
        }
        Act::Asked { .. } | Act::Heard | Act::Failed => {
            let failure = stage.reply.as_ref().and_then(|reply| reply.after.failure.clone());
            return ["fails:".to_owned(), String::new(), failure.unwrap_or_default()];
        }
    };
    [origin.plugin.to_owned(), origin.place.clone(), told]
}

/// The line that begins a question: the block, and those that stand back behind it.
fn begin(depth: u8, question: &str, block: Option<&Place>, others: &[Place]) -> String {
    let indent = indent(depth);
    let mut text = String::new();
    if depth > 0 {
        text += &format!("{indent}then {question}\n");
    }
    let Some(block) = block else {
        return text + &format!("{indent}no server block serves the name\n");
    };
    text += &format!("{indent}block {} ({})", block.zone, block.place);
    if !others.is_empty() {
        let others: Vec<_> =
            others.iter().map(|other| format!("{} ({})", other.zone, other.place)).collect();
        text += &format!(", whose zone is longer than {}", others.join(", "));
    }
    text + "\n"
}

fn indent(depth: u8) -> String {
    " ".repeat(3 + 2 * usize::from(depth))
}

fn is_silent(stage: &Stage) -> bool {
    stage.notes.is_empty() && stage.question.is_none() && stage.reply.is_none()
}

/// On the way back only what somebody did or says is worth a line. A plugin that has asked for
/// something else gets its question back without a word.
fn is_idle(stage: &Stage) -> bool {
    match stage.what {
        Act::Heard => true,
        Act::Response { .. } => {
            let changes = stage.reply.as_ref().is_some_and(|reply| !change(reply).is_empty());
            stage.notes.is_empty() && !changes
        }
        _ => false,
    }
}

/// What a plugin says on the way down, and what came of it.
fn decision(stage: &Stage, step: &str) -> String {
    let mut told = stage.notes.join("; ");
    if let Some(question) = stage.question.as_ref().filter(|_| told.is_empty()) {
        told = format!("asks for {question}");
    }
    let ends = match (step, &stage.reply) {
        ("done", Some(reply)) => result(&reply.after, &told),
        ("drop", _) => "no reply".to_owned(),
        ("chase", _) => "the server is asked for the target".to_owned(),
        _ => String::new(),
    };
    match (told.is_empty(), ends.is_empty()) {
        (true, true) => step.to_owned(),
        (false, true) => told,
        (true, false) => format!("answers -> {ends}"),
        (false, false) => format!("{told} -> {ends}"),
    }
}

/// What a plugin does on the way back: what it says itself, or what shows of it.
fn reaction(stage: &Stage) -> String {
    let mut told = stage.notes.clone();
    // A question that is asked again begins with an empty reply, which is no decision.
    if let Some(reply) =
        stage.reply.as_ref().filter(|_| stage.question.is_none() || told.is_empty())
    {
        told.extend(if told.is_empty() { Some(change(reply)) } else { change_of_code(reply) });
    }
    format!("on the way back: {}", told.join("; "))
}

/// What a reply comes to.
fn result(seen: &Seen, told: &str) -> String {
    match (&seen.failure, seen.answer.len()) {
        (Some(failure), _) if told.contains(failure.as_str()) => seen.rcode.clone(),
        (Some(failure), _) => format!("{} ({failure})", seen.rcode),
        (None, 0) if seen.rcode == "NOERROR" && seen.authority.is_empty() => {
            "NOERROR, an empty answer".to_owned()
        }
        (None, 0) if seen.rcode == "NOERROR" && is_denial(seen) => "NOERROR, no data".to_owned(),
        (None, 0) if seen.rcode == "NOERROR" => "NOERROR, referral".to_owned(),
        (None, 0) => seen.rcode.clone(),
        (None, 1) => format!("{}, 1 record", seen.rcode),
        (None, count) => format!("{}, {count} records", seen.rcode),
    }
}

fn is_denial(seen: &Seen) -> bool {
    seen.authority.iter().any(|record| record.split(' ').nth(3) == Some("SOA"))
}

fn change_of_code(reply: &Change) -> Option<String> {
    let Change { before, after } = reply;
    (before.rcode != after.rcode).then(|| format!("turns {} into {}", before.rcode, after.rcode))
}

/// What became of a reply on the way back.
fn change(reply: &Change) -> String {
    let Change { before, after } = reply;
    let mut told: Vec<_> = change_of_code(reply).into_iter().collect();
    if before.failure != after.failure
        && let Some(failure) = &after.failure
    {
        told.push(format!("fails: {failure}"));
    }
    let sections = [
        ("answer", &before.answer, &after.answer),
        ("authority", &before.authority, &after.authority),
        ("additional", &before.additional, &after.additional),
    ];
    for (section, before, after) in sections {
        if before != after {
            told.push(change_of_section(section, before, after));
        }
    }
    told.retain(|it| !it.is_empty());
    told.join("; ")
}

fn change_of_section(section: &str, before: &[String], after: &[String]) -> String {
    if after.is_empty() {
        return format!("takes the {section} section away");
    }
    let sorted = |records: &[String]| {
        let mut records: Vec<_> = records.iter().map(|record| without_ttl(record)).collect();
        records.sort_unstable();
        records
    };
    if sorted(before) != sorted(after) {
        return format!("changes the {section} section to {}", after.join(", "));
    }
    if ttls(before) == ttls(after) {
        return String::new(); // the order alone, of which whoever makes it has a note
    }
    let ttl = after.first().and_then(|record| record.split(' ').nth(1)).unwrap_or_default();
    format!("sets the TTL of the {section} section to {ttl}")
}

/// The second words of records, in any order.
fn ttls(records: &[String]) -> Vec<&str> {
    let mut ttls: Vec<_> = records.iter().filter_map(|it| it.split(' ').nth(1)).collect();
    ttls.sort_unstable();
    ttls
}

/// A record in text without its second word.
fn without_ttl(record: &str) -> String {
    record.split(' ').enumerate().filter(|(at, _)| *at != 1).map(|(_, word)| word).collect()
}

/// Rows with their columns below each other.
fn aligned<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..COLUMNS).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "  {cell:width$}");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
