//! Sections and fences of a Markdown file; everything else is prose.

use super::mistake::Mistake;

/// A file: its title and its sections.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) title: String,
    pub(super) sections: Vec<Section>,
}

/// What stands under one `##`, or before the first of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) fences: Vec<Fence>,
}

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fence {
    /// What stands behind the opening backticks.
    pub(super) info: String,
    /// The line of the opening backticks, counted from 1; the body begins on the next.
    pub(super) line: usize,
    pub(super) body: String,
}

impl Document {
    pub(super) fn read(text: &str) -> Result<Self, Mistake> {
        let mut document = Self { title: String::new(), sections: vec![Section::default()] };
        let mut lines = (1..).zip(text.lines());
        while let Some((line, text)) = lines.next() {
            if let Some(title) = text.strip_prefix("# ") {
                document.title = title.trim().to_owned();
            } else if let Some(title) = text.strip_prefix("## ") {
                let title = title.trim().to_owned();
                document.sections.push(Section { title, fences: Vec::new() });
            } else if text.starts_with("```") {
                let fence = read_fence(line, text, &mut lines)?;
                let last = document.sections.last_mut();
                last.expect("there is one from the beginning").fences.push(fence);
            }
        }
        if document.title.is_empty() {
            return Err(Mistake::new("a scenario file begins with `# Title`").at(1));
        }
        document.sections[0].title.clone_from(&document.title);
        document.sections.retain(|section| !section.fences.is_empty());
        Ok(document)
    }
}

fn read_fence<'a>(
    line: usize,
    opening: &str,
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
) -> Result<Fence, Mistake> {
    let info = opening.trim_start_matches('`');
    let ticks = &opening[..opening.len() - info.len()];
    let mut body = String::new();
    for (_, text) in lines {
        if text.trim_end() == ticks {
            return Ok(Fence { info: info.trim().to_owned(), line, body });
        }
        body.push_str(text);
        body.push('\n');
    }
    Err(Mistake::new(format!("the fence is not closed by {ticks}")).at(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sections_and_fences() {
        let text = "# All\nprose\n```corefile\n. {\n}\n```\n## One\n````file a b\n```\nin\n````\n\
                    ## Empty\nprose\n## Two\n```query\n```\n";
        let fence = |info: &str, line, body: &str| Fence {
            info: info.to_owned(),
            line,
            body: body.to_owned(),
        };
        let section = |title: &str, fence| Section { title: title.to_owned(), fences: vec![fence] };
        let expected = Document {
            title: "All".to_owned(),
            sections: vec![
                section("All", fence("corefile", 3, ". {\n}\n")),
                section("One", fence("file a b", 8, "```\nin\n")),
                section("Two", fence("query", 15, "")),
            ],
        };
        assert_eq!(Document::read(text).unwrap(), expected);
    }

    #[test]
    fn mistakes() {
        assert_eq!(Document::read("# A\n\n```query\nx").unwrap_err().line, 3);
        assert!(Document::read("## A\n").unwrap_err().message.contains("# Title"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "[#` a\n]{0,80}") {
            let _ = Document::read(&text);
        }
    }
}
