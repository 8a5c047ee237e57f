//! A configuration as one Corefile: imports followed, snippets and variables set in, and behind each
//! line where it is written.

use crate::{Directive, Line, ServerBlock, Sources, Span, Word};
use std::fmt::Write;

/// Where the origins stand, unless lines are longer.
const COLUMN: usize = 40;
/// The widest line that others wait for.
const WIDE: usize = 72;

/// The blocks as a Corefile that means the same, each line with its origin as comment.
pub fn effective(blocks: &[ServerBlock], sources: &Sources) -> String {
    let mut lines = Vec::new();
    for block in blocks {
        let keys = block.keys.iter().map(|key| &key.word);
        push(&mut lines, 0, keys, " {", block.at);
        for directive in &block.directives {
            push_directive(&mut lines, directive);
        }
        lines.push(("}".to_owned(), None));
        lines.push((String::new(), None));
    }
    lines.pop(); // no empty line at the end
    let width = |text: &String| text.chars().count();
    let widths = lines.iter().filter(|(_, at)| at.is_some()).map(|(text, _)| width(text));
    let column = widths.filter(|width| *width <= WIDE).fold(COLUMN, usize::max);
    let mut text = String::new();
    for (line, at) in &lines {
        text += line;
        if let Some(at) = at {
            let gap = column.saturating_sub(width(line));
            let (path, line) = (sources.path(*at), sources.position(*at).line);
            let _ = write!(text, "{:gap$}  # {path}:{line}", ""); // into a string: cannot fail
        }
        text.push('\n');
    }
    text
}

type Lines = Vec<(String, Option<Span>)>;

fn push_directive(lines: &mut Lines, directive: &Directive) {
    let words = std::iter::once(&directive.name).chain(&directive.args);
    push_with_body(lines, 1, words, directive.body.as_deref(), directive.at());
}

fn push_with_body<'w>(
    lines: &mut Lines,
    depth: usize,
    words: impl Iterator<Item = &'w Word>,
    body: Option<&[Line]>,
    at: Span,
) {
    // Braces around nothing are the same as no braces.
    let body = body.filter(|body| !body.is_empty());
    push(lines, depth, words, if body.is_some() { " {" } else { "" }, at);
    let Some(body) = body else { return };
    for line in body {
        push_with_body(lines, depth + 1, line.words.iter(), line.body.as_deref(), line.at());
    }
    lines.push((format!("{:1$}}}", "", depth * 4), None));
}

fn push<'w>(
    lines: &mut Lines,
    depth: usize,
    words: impl Iterator<Item = &'w Word>,
    end: &str,
    at: Span,
) {
    let words: Vec<_> = words.map(ToString::to_string).collect();
    // A word may hold line breaks: then there is no room for a comment behind it.
    let is_one_line = words.iter().all(|word| !word.contains('\n'));
    let line = format!("{:1$}{2}{end}", "", depth * 4, words.join(" "));
    lines.push((line, is_one_line.then_some(at)));
}

#[cfg(test)]
mod tests {
    use super::effective;
    use crate::{Surroundings, Unreadable, content, parse};

    struct Custom;

    impl Surroundings for Custom {
        fn read(&self, path: &str) -> Result<Vec<u8>, Unreadable> {
            match path {
                "custom/a.override" => {
                    Ok(b"hosts {\n 10.0.0.1 a.example.org # ours\n fallthrough\n}\n".to_vec())
                }
                _ => Err(Unreadable::Missing),
            }
        }

        fn list(&self, _: &str) -> Vec<String> {
            vec!["a.override".to_owned()]
        }

        fn variable(&self, _: &str) -> Option<String> {
            Some("10.0.0.53".to_owned())
        }
    }

    #[test]
    fn each_line_has_its_origin_and_the_whole_means_the_same() {
        let text = "(log) {\n log\n}\n.:53 {\n import log\n import custom/*.override\n forward . {$UP} {\n  max_fails 1\n }\n cache { }\n}\n";
        let parsed = parse("Corefile", text.as_bytes(), &Custom);
        assert!(parsed.mistakes.is_empty());
        let shown = effective(&parsed.blocks, &parsed.sources);
        let expected = "\
.:53 {                                    # Corefile:4
    log                                   # Corefile:2
    hosts {                               # custom/a.override:1
        10.0.0.1 a.example.org            # custom/a.override:2
        fallthrough                       # custom/a.override:3
    }
    forward . 10.0.0.53 {                 # Corefile:7
        max_fails 1                       # Corefile:8
    }
    cache                                 # Corefile:10
}
";
        assert_eq!(shown, expected);
        let again = parse("Corefile", shown.as_bytes(), &());
        assert_eq!(content(&again.blocks), content(&parsed.blocks));
    }
}
