//! Mistakes for people, as rustc shows them, and for programs.

use crate::{Mistake, Mistakes, Note, Severity, Sources, Span, shown};
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

/// Imports that are named on the way to a mistake.
const IMPORTS_MAX: usize = 4;
/// Lines between two places that are still shown in one frame.
const NEAR: usize = 60;
/// Octets that a frame may have.
const FRAME_MAX: usize = 8 << 10;
/// Characters that a line of advice may have: enough for every line that somebody wrote by hand.
const LINE_MAX: usize = 1000;

impl Mistakes {
    /// All of them with their lines, and a count at the end; nothing if there are none. With
    /// `color`, escape sequences for a terminal.
    pub fn render(&self, sources: &Sources, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for mistake in self {
            text += &renderer.render(&[report(mistake, sources)]);
            text += "\n\n";
        }
        if self.left_out() > 0 {
            text += &format!("and {} more\n", self.left_out());
        }
        if !self.is_empty() {
            let (errors, warnings) =
                (counted(self.errors(), "error"), counted(self.warnings(), "warning"));
            text += &format!("{errors}, {warnings}\n");
        }
        text
    }

    /// One line each, for a log: `Corefile:4:13: error: … (unknown-directive)`, with the other places
    /// that a mistake has to do with.
    pub fn lines(&self, sources: &Sources) -> impl Iterator<Item = String> {
        self.iter().map(|mistake| {
            let (place, severity) = (place(mistake.at, sources), mistake.severity.name());
            let mut line = format!("{place}: {severity}: {}", mistake.message);
            for note in &mistake.notes {
                if let Some(at) = note.at {
                    line += &format!("; {}: {}", note.text, self::place(at, sources));
                }
            }
            line + &format!(" ({})", mistake.code.slug())
        })
    }

    /// A JSON array with one object each. Its members are stable: `severity`, `code`, `message`,
    /// `file`, `line`, `column`, `end_column`, `label`, `hint`, and `notes`, an array of objects
    /// with `message` and perhaps `file`, `line`, `column`, `end_column`. Lines and columns begin
    /// with 1; columns count characters. Texts that are not there are empty.
    pub fn to_json(&self, sources: &Sources) -> String {
        let mut json = String::from("[");
        for (index, mistake) in self.iter().enumerate() {
            json += if index > 0 { ",\n " } else { "" };
            json += "{";
            text_member(&mut json, "severity", mistake.severity.name());
            text_member(&mut json, "code", mistake.code.slug());
            text_member(&mut json, "message", &mistake.message);
            place_members(&mut json, mistake.at, sources);
            text_member(&mut json, "label", &mistake.label);
            text_member(&mut json, "hint", &mistake.help);
            json += "\"notes\":[";
            for (index, note) in notes(mistake, sources).iter().enumerate() {
                json += if index > 0 { ",{" } else { "{" };
                if let Some(at) = note.at {
                    place_members(&mut json, at, sources);
                }
                text_member(&mut json, "message", &note.text);
                json.pop();
                json += "}";
            }
            json += "]}";
        }
        json + "]\n"
    }
}

/// The notes of a mistake, and how one comes to its place.
fn notes(mistake: &Mistake, sources: &Sources) -> Vec<Note> {
    let mut notes = mistake.notes.clone();
    let mut imports = sources.imports(mistake.at);
    for import in imports.by_ref().take(IMPORTS_MAX) {
        let text = match import.snippet {
            Some(name) => format!("in the snippet {}, imported here", shown(name)),
            None => "in a file that is imported here".to_owned(),
        };
        notes.push(Note { at: Some(import.at), text });
    }
    let further = imports.count();
    if further > 0 {
        notes.push(Note { at: None, text: format!("and {further} more imports") });
    }
    notes
}

fn report<'r>(mistake: &'r Mistake, sources: &'r Sources) -> Group<'r> {
    let level = match mistake.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let line = sources.position(mistake.at).line;
    let is_near = |note: &Note| {
        let near = |at: &Span| sources.position(*at).line.abs_diff(line) <= NEAR;
        note.at.filter(|at| at.file() == mistake.at.file()).as_ref().is_some_and(near)
    };
    let (near, far): (Vec<_>, Vec<_>) = notes(mistake, sources).into_iter().partition(is_near);
    let mut group =
        level.primary_title(mistake.message.as_str()).element(frame(mistake, near, sources));
    for note in far {
        let place = note.at.map(|at| format!(" ({})", place(at, sources))).unwrap_or_default();
        group = group.element(Level::NOTE.message(harmless(&note.text) + &place));
    }
    if !mistake.help.is_empty() {
        group = group.element(Level::HELP.message(harmless(&mistake.help)));
    }
    group
}

/// The lines of a mistake and of the notes on places near to it; of a text that fills a screen,
/// only where it is.
fn frame<'r>(mistake: &'r Mistake, near: Vec<Note>, sources: &'r Sources) -> Element<'r> {
    let path = sources.path(mistake.at);
    let places = near.iter().filter_map(|note| note.at);
    let (text, line, offset) = sources.excerpt(places.fold(mistake.at, Span::cover));
    if text.len() > FRAME_MAX {
        let position = sources.position(mistake.at);
        return Origin::path(path).line(position.line).char_column(position.column).into();
    }
    let within = |at: Span| {
        let range = at.range();
        range.start - offset..(range.end - offset).min(text.len())
    };
    let label = |label: String| (!label.is_empty()).then_some(label);
    let primary =
        AnnotationKind::Primary.span(within(mistake.at)).label(label(mistake.label.clone()));
    let near = near.into_iter().filter_map(|note| {
        Some(AnnotationKind::Context.span(within(note.at?)).label(label(note.text)))
    });
    let frame = Snippet::source(text).line_start(line).path(path);
    frame.annotation(primary).annotations(near).into()
}

/// A text without control characters other than line breaks, which the renderer does by itself for
/// titles and labels, but not for the lines below; and without lines that fill a screen.
fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    let mut width = 0;
    for c in text.chars() {
        width = if c == '\n' { 0 } else { width + 1 };
        if width >= LINE_MAX {
            harmless.extend((width == LINE_MAX).then_some('…'));
            continue;
        }
        if c.is_control() && c != '\n' {
            harmless.extend(c.escape_default());
        } else {
            harmless.push(c);
        }
    }
    harmless
}

/// `Corefile:4:13`
fn place(at: Span, sources: &Sources) -> String {
    let position = sources.position(at);
    format!("{}:{}:{}", sources.path(at), position.line, position.column)
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// `"file":"Corefile","line":4,"column":13,"end_column":18,`
fn place_members(json: &mut String, at: Span, sources: &Sources) {
    let position = sources.position(at);
    text_member(json, "file", sources.path(at));
    let (line, column, end) = (position.line, position.column, position.column_end);
    *json += &format!("\"line\":{line},\"column\":{column},\"end_column\":{end},");
}

/// `"name":"text",`
fn text_member(json: &mut String, name: &str, text: &str) {
    *json += &format!("\"{name}\":\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            // RFC 8259 §7: quotation mark, reverse solidus, and the control characters (U+0000
            // through U+001F) must be escaped.
            '\0'..='\x1f' => *json += &format!("\\u{:04x}", u32::from(c)),
            _ => json.push(c),
        }
    }
    *json += "\",";
}
