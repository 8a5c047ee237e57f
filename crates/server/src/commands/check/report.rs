//! What was found, for people and for programs.

use super::kubernetes::Mounted;
use super::setting::Setting;
use crate::engine::Engine;
use crate::settings::source::Source;
use corefile::{Mistake, Mistakes, Parsed, Sources};
use plugins::assemble::{Outcome, Surroundings, assemble};
use plugins::files::Files;
use plugins::kept::Kept;
use plugins::order::ORDER;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::io;

/// Everything that was checked.
#[derive(Default)]
pub(super) struct Report {
    pub(super) checked: Vec<Checked>,
}

/// One configuration, and what is wrong with it.
pub(super) struct Checked {
    /// The name of the Corefile.
    pub(super) name: String,
    pub(super) mistakes: Mistakes,
    pub(super) sources: Sources,
    /// Whether there is no server block at all.
    pub(super) is_empty: bool,
}

impl Checked {
    /// Checks a Corefile of this machine.
    pub(super) fn of_source(
        source: &Source,
        engine: &Engine,
        mut setting: Setting,
    ) -> io::Result<Self> {
        setting.look_at_mount(source.name());
        let unreadable =
            |error| io::Error::other(format!("cannot read {}: {error}", source.name()));
        let built = source.build(|parsed| build(parsed, engine, &setting)).map_err(unreadable)?;
        let name = source.name().to_owned();
        let (mistakes, sources) = (built.mistakes, built.sources);
        Ok(Self { name, mistakes, sources, is_empty: built.is_empty })
    }

    /// Checks a Corefile that stands in a ConfigMap, with the files that are mounted beside it.
    pub(super) fn of_mounted(mounted: &Mounted, engine: &Engine, known: &Setting) -> Self {
        let setting = known.with(mounted);
        let mut parsed = corefile::parse(&mounted.corefile, mounted.text(), mounted);
        let is_empty = parsed.is_empty() && !parsed.mistakes.has_errors();
        let legacy = corefile::modernise(&mut parsed.blocks);
        let mut mistakes = build(&parsed, engine, &setting).mistakes;
        mistakes.append(legacy);
        mistakes.append(std::mem::take(&mut parsed.mistakes));
        parsed.sources.rename_files(|path| mounted.shown(path));
        let name = mounted.shown(&mounted.corefile).unwrap_or_default();
        Self { name, mistakes, sources: parsed.sources, is_empty }
    }
}

/// Builds what a Corefile says, and looks for what will hurt.
fn build(parsed: &Parsed, engine: &Engine, setting: &Setting) -> Outcome {
    let (nothing, files) = (Kept::default(), Files::disk(false));
    let Engine { process, port, .. } = engine;
    let surroundings = Surroundings { process, port: *port, previous: &nothing, files: &files };
    let mut outcome = assemble(&parsed.blocks, &parsed.sources, &surroundings);
    let order: Vec<_> = ORDER.iter().map(|entry| entry.name).collect();
    outcome.mistakes.append(lint::lint(&parsed.blocks, &setting.scene(&order)));
    outcome
}

impl Report {
    /// How many errors there are, and how many warnings.
    pub(super) fn counts(&self) -> (usize, usize) {
        let counts = self.checked.iter().map(|c| (c.mistakes.errors(), c.mistakes.warnings()));
        counts.fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1))
    }

    /// Every finding, with the texts that it points into.
    pub(super) fn findings(&self) -> impl Iterator<Item = (&Mistake, &Sources)> {
        self.checked
            .iter()
            .flat_map(|checked| checked.mistakes.iter().map(|m| (m, &checked.sources)))
    }

    /// Lines with what is wrong beneath, and where to read more.
    pub(super) fn for_people(&self, color: bool) -> String {
        let mut text: String =
            self.checked.iter().map(|c| c.mistakes.render(&c.sources, color)).collect();
        let codes: BTreeSet<_> = self.findings().map(|(mistake, _)| mistake.code.slug()).collect();
        if !codes.is_empty() {
            let codes: Vec<_> = codes.into_iter().collect();
            text += "`rutter check --explain CODE` tells more: ";
            text += &codes.join(", ");
            text += "\n";
        }
        text
    }

    /// One array with an object for each finding.
    pub(super) fn json(&self) -> String {
        let arrays = self.checked.iter().map(|c| c.mistakes.to_json(&c.sources));
        let objects = arrays.map(|array| array.trim().trim_matches(['[', ']']).to_owned());
        let objects: Vec<_> = objects.filter(|objects| !objects.is_empty()).collect();
        format!("[{}]\n", objects.join(",\n "))
    }

    /// Workflow commands of GitHub Actions, a line for each finding.
    pub(super) fn workflow_commands(&self) -> String {
        let mut text = String::new();
        for (mistake, sources) in self.findings() {
            let at = sources.position(mistake.at);
            let _ = writeln!(
                text,
                "::{} file={},line={},col={},endColumn={},title={}::{}",
                mistake.severity.name(),
                escaped(sources.path(mistake.at), &['%', '\r', '\n', ':', ',']),
                at.line,
                at.column,
                at.column_end,
                mistake.code.slug(),
                escaped(&in_full(mistake), &['%', '\r', '\n']),
            );
        }
        text
    }
}

/// What is wrong, and what to write instead, a line each.
pub(super) fn in_full(mistake: &Mistake) -> String {
    let parts = [&mistake.message, &mistake.label, &mistake.help];
    parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("\n")
}

/// A text with some characters as `%0A`: what the runner takes back after it has split the command.
fn escaped(text: &str, special: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if special.contains(&c) {
            let _ = write!(escaped, "%{:02X}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_command_stays_on_its_line() {
        assert_eq!(escaped("a:b,c%\n", &['%', '\n', ':', ',']), "a%3Ab%2Cc%25%0A");
        assert_eq!(escaped("a:b,c%\r\n", &['%', '\r', '\n']), "a:b,c%25%0D%0A");
    }
}
