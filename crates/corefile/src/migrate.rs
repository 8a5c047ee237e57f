//! A Corefile of an older CoreDNS put into today's words, in its text.
//!
//! The rules are those of [`crate::modernise`]; here the same changes are made in the text, so that
//! everything else stays as it is written. That both come to the same is looked at for every text.

use crate::legacy::{Change, Edit, Release, defaults, renew};
use crate::parse::{Lenient, Token, lex, parse_as_written};
use crate::{Mistake, Mistakes, Parsed, Severity, Sources, Surroundings, Word, content};
use std::collections::HashSet;
use std::ops::Range;

/// What came of a migration.
#[derive(Clone, Debug)]
pub struct Migration {
    /// The text in today's words, with a comment at each change. Undecided lines are as they were;
    /// all is if the changes could not be made one by one, as for a snippet that says different
    /// things in different places.
    pub text: String,
    /// How many changes there are in it.
    pub changes: usize,
    /// What cannot be said any more, or stands in another file, and has to be decided by somebody.
    pub undecided: Mistakes,
    /// What Kubernetes ships today and is not in the text: a sentence each. It need not be there.
    pub missing: Vec<String>,
    /// The texts that mistakes point into.
    pub sources: Sources,
}

/// Puts the Corefile of any CoreDNS since 2018 into words that `to` understands, or today's CoreDNS;
/// if it cannot be read, says what is wrong with it.
///
/// Only old words are changed; the rest of the text stays as it is, and a text of today stays
/// wholly. The result means what [`crate::modernise`] says that the text means. Imported files are
/// read where `surroundings` have them, and not changed.
pub fn migrate(
    path: &str,
    text: &[u8],
    surroundings: &dyn Surroundings,
    to: Option<Release>,
) -> Result<Migration, Box<Parsed>> {
    let surroundings = Lenient(surroundings);
    let mut parsed = parse_as_written(path, text, &surroundings);
    if parsed.mistakes.has_errors() {
        return Err(Box::new(parsed));
    }
    let renewal = renew(&mut parsed.blocks, to);
    let is_elsewhere = |mistake: &Mistake| mistake.at.file() != 0;
    let mut undecided = Mistakes::new();
    for mistake in &renewal.mistakes {
        if mistake.severity == Severity::Error || is_elsewhere(mistake) {
            undecided.push(mistake.clone());
        }
    }
    let old = parsed.sources.file_text(0);
    let text = apply(old, &renewal.edits);
    let mut again = parse_as_written(path, text.as_bytes(), &surroundings);
    let rest = renew(&mut again.blocks, to);
    let is_same = !again.mistakes.has_errors() && content(&parsed.blocks) == content(&again.blocks);
    let is_done = !rest.edits.iter().any(|edit| edit.at.file() == 0);
    if !is_same || !is_done {
        undecided.append(renewal.mistakes);
        let old = old.to_owned();
        return Ok(Migration {
            text: old,
            changes: 0,
            undecided,
            missing: vec![],
            sources: parsed.sources,
        });
    }
    Ok(Migration {
        text,
        changes: renewal.mistakes.iter().count() - undecided.iter().count(),
        undecided,
        missing: defaults::missing(&parsed.blocks, to),
        sources: parsed.sources,
    })
}

/// The text with all edits that are about it.
fn apply(text: &str, edits: &[Edit]) -> String {
    let tokens: Vec<_> = lex(0, text, &mut Mistakes::new()).collect();
    let page = Page { text, tokens };
    let mut pieces = Vec::new();
    for edit in edits.iter().filter(|edit| edit.at.file() == 0) {
        page.pieces(edit, &mut pieces);
    }
    // A snippet that is imported twice is changed once.
    let mut seen = HashSet::new();
    pieces.retain(|piece| seen.insert(piece.clone()));
    // Stable: what is put into the same place stays in order.
    pieces.sort_by_key(|(range, _)| (range.start, range.end));
    let mut edited = String::with_capacity(text.len());
    let mut end = 0;
    for (range, new) in pieces {
        if range.start < end {
            // Two changes of the same words: `migrate` sees that the result says something else.
            continue;
        }
        edited += &text[end..range.start];
        edited += &new;
        end = range.end;
    }
    edited + &text[end..]
}

/// A text and its words.
struct Page<'t> {
    text: &'t str,
    tokens: Vec<Token>,
}

/// A range of octets, and what to put there.
type Piece = (Range<usize>, String);

impl Page<'_> {
    fn pieces(&self, edit: &Edit, pieces: &mut Vec<Piece>) {
        match &edit.change {
            Change::Lines(lines) => self.lines(edit, lines, pieces),
            Change::Head { old, new } => {
                if !edit.comment.is_empty() {
                    let (start, indent) = self.line_start(edit.at.range().start);
                    pieces.push((start..start, format!("{indent}# {}\n", edit.comment)));
                }
                // Words from another file are that file's.
                if old.iter().all(|word| word.at.file() == 0) {
                    pieces.extend(head(old, new));
                }
            }
            Change::Behind(directive) => {
                let (_, indent) = self.line_start(edit.at.range().start);
                let end = self.block_end(edit.at.range().end);
                let text = directive.to_string().replace('\n', &format!("\n{indent}"));
                pieces.push((end..end, format!("\n{indent}{text}")));
            }
        }
    }

    /// A line that becomes others, with the comment in its place.
    fn lines(&self, edit: &Edit, lines: &[Vec<String>], pieces: &mut Vec<Piece>) {
        let range = edit.at.range();
        let (start, indent) = self.line_start(range.start);
        let rest = self.text[range.end..].lines().next().unwrap_or_default().trim_start();
        let is_alone = self.text[start..range.start].trim().is_empty()
            && (rest.is_empty() || rest.starts_with('#'));
        let word = |text: &String| Word::new(text, edit.at).to_string();
        let line = |words: &Vec<String>| words.iter().map(word).collect::<Vec<_>>().join(" ");
        let lines: Vec<_> = lines.iter().map(line).collect();
        let separator = format!("\n{indent}");
        if is_alone {
            // A comment that is left alone goes on where the new one ends.
            let gap = if lines.is_empty() && !rest.is_empty() {
                self.text[range.end..].find('#').unwrap_or(0)
            } else {
                0
            };
            let range = range.start..range.end + gap;
            let comment = std::iter::once(format!("# {}", edit.comment));
            let new: Vec<_> = comment.chain(lines).collect();
            let blank = if gap > 0 { " " } else { "" };
            pieces.push((range, new.join(&separator) + blank));
        } else {
            pieces.push((start..start, format!("{indent}# {}\n", edit.comment)));
            pieces.push((range, lines.join(&separator)));
        }
    }

    /// Where the line of the word at an octet begins, and its indent. A line break in quotes begins
    /// no line.
    fn line_start(&self, octet: usize) -> (usize, &str) {
        let mut at = self.tokens.partition_point(|token| token.at.range().start < octet);
        while at > 0 && self.tokens[at - 1].last_line >= self.tokens[at].line {
            at -= 1;
        }
        let first = self.tokens[at].at.range().start;
        let start = self.text[..first].rfind('\n').map_or(0, |end| end + 1);
        (start, &self.text[start..first])
    }

    /// The end of the line on which the block of the directive ends whose name ends at an octet.
    fn block_end(&self, octet: usize) -> usize {
        let mut depth = 0;
        let behind = self.tokens.partition_point(|token| token.at.range().end <= octet);
        for token in &self.tokens[behind..] {
            depth += match &*token.text {
                "{" => 1,
                "}" => -1,
                _ => 0,
            };
            if depth <= 0 && &*token.text == "}" {
                let end = token.at.range().end;
                return self.text[end..].find('\n').map_or(self.text.len(), |at| end + at);
            }
        }
        self.text.len()
    }
}

/// What changes in the line of a directive: words that stay are not touched.
fn head(old: &[Word], new: &[Word]) -> Option<Piece> {
    let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old_rest, new_rest) = (&old[same..], &new[same..]);
    let same_end =
        old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let old_middle = &old_rest[..old_rest.len() - same_end];
    let new_middle = joined(&new_rest[..new_rest.len() - same_end]);
    let before = same.checked_sub(1).map(|last| old[last].at.range().end);
    match (old_middle, before) {
        ([first, ..], _) if !new_middle.is_empty() => {
            let last = &old_middle[old_middle.len() - 1];
            Some((first.at.range().start..last.at.range().end, new_middle))
        }
        ([.., last], Some(before)) => Some((before..last.at.range().end, String::new())),
        ([], Some(before)) if !new_middle.is_empty() => {
            Some((before..before, format!(" {new_middle}")))
        }
        ([], None) => {
            let start = old.first()?.at.range().start;
            Some((start..start, new_middle + " "))
        }
        _ => None,
    }
}

/// Words as a Corefile has them.
fn joined(words: &[Word]) -> String {
    let words: Vec<_> = words.iter().map(ToString::to_string).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn migrated(text: &str) -> Migration {
        migrate("Corefile", text.as_bytes(), &(), None).unwrap_or_else(|parsed| {
            panic!("{text}\n{}", parsed.mistakes.render(&parsed.sources, false))
        })
    }

    #[track_caller]
    fn becomes(text: &str, expected: &str) {
        let migration = migrated(text);
        let shown = migration.undecided.render(&migration.sources, false);
        assert_eq!(migration.text, expected, "{shown}");
        assert!(migration.undecided.is_empty(), "{shown}");
        assert_eq!(migrated(expected).text, expected);
        assert_eq!(migrated(expected).changes, 0);
    }

    #[test]
    fn only_old_words_are_changed() {
        becomes(
            ".:{$PORT}   { # all\n\tproxy   .  {$UPSTREAM}   /etc/resolv.conf # out\n}\n",
            ".:{$PORT}   { # all\n\t# was `proxy . {$UPSTREAM} /etc/resolv.conf`, which was removed in CoreDNS 1.5\n\tforward   .  {$UPSTREAM}   /etc/resolv.conf # out\n}\n",
        );
        becomes(
            ". {\n  errors stdout\n  log . stdout   # all\n}",
            ". {\n  # was `errors stdout`, which writes to the standard output and takes no file (before CoreDNS 1.1)\n  errors\n  \
             # was `log . stdout`, which writes to the standard output; a file would be taken for a zone (before CoreDNS 1.1)\n  log .   # all\n}",
        );
        becomes(
            ". {\n startup /bin/x\n}\n",
            ". {\n # was `startup /bin/x`, which was removed in CoreDNS 1.1\n on startup /bin/x\n}\n",
        );
        let today = "# today\n. {\n\tforward . 10.0.0.1\n\n\n}";
        assert_eq!(migrated(today).text, today);
    }

    #[test]
    fn lines_go_or_become_others() {
        becomes(
            ". {\n kubernetes a.test {\n  upstream 10.0.0.1 # both\n  cidrs 10.0.0.0/8\n  transfer to *\n }\n log\n}\n",
            ". {\n kubernetes a.test 10.0.0.0/8 {\n  # was `upstream 10.0.0.1`, which was removed in CoreDNS 1.7: names outside of the zone \
             are resolved by this server itself; `forward` them to those servers if they must be asked # both\n  \
             # was `cidrs 10.0.0.0/8`, which became part of the zones (before CoreDNS 1.1)\n  \
             # was `transfer to *`, which became a directive of its own in CoreDNS 1.8\n }\n \
             transfer a.test 10.0.0.0/8 {\n     to *\n }\n log\n}\n",
        );
        becomes(
            ". {\n auto {\n  directory /etc (.*) {1} 30 # often\n }\n}\n",
            ". {\n auto {\n  # was `directory /etc (.*) {1} 30`, which takes no interval (CoreDNS 1.5)\n  \
             directory /etc (.*) {1}\n  reload 30s # often\n }\n}\n",
        );
        becomes(
            ". {\n proxy . a { policy first }\n}\n",
            ". {\n # was `policy first`, which has other names in `forward` (CoreDNS 1.5)\n \
             # was `proxy . a`, which was removed in CoreDNS 1.5\n forward . a { policy sequential }\n}\n",
        );
    }

    #[test]
    fn snippets_and_pieces_are_changed_where_they_stand() {
        becomes(
            "(s) {\n resyncperiod 1m\n}\na {\n kubernetes {\n  import s\n }\n}\nb {\n kubernetes {\n  import s\n }\n}\n",
            "(s) {\n # was `resyncperiod 1m`, which was removed in CoreDNS 1.7: changes are watched, and nothing has to be read again\n}\n\
             a {\n kubernetes {\n  import s\n }\n}\nb {\n kubernetes {\n  import s\n }\n}\n",
        );
        becomes(
            "(s) {\n proxy . a { policy first }\n}\na {\n import s\n}\nb {\n import s\n}\n",
            "(s) {\n # was `policy first`, which has other names in `forward` (CoreDNS 1.5)\n \
             # was `proxy . a`, which was removed in CoreDNS 1.5\n forward . a { policy sequential }\n}\n\
             a {\n import s\n}\nb {\n import s\n}\n",
        );
        becomes(
            "proxy . a\n",
            "# was `proxy . a`, which was removed in CoreDNS 1.5\nforward . a\n",
        );
    }

    #[test]
    fn a_snippet_that_is_old_in_one_place_only_is_left_to_people() {
        let text =
            "(s) {\n no_reload\n}\n. {\n file db {\n  import s\n }\n other {\n  import s\n }\n}\n";
        let migration = migrated(text);
        assert_eq!((migration.text.as_str(), migration.changes), (text, 0));
        assert_eq!(migration.undecided.warnings(), 1);
    }

    #[test]
    fn a_release_has_only_what_it_gave_up() {
        let text = ". {\n proxy . a\n kubernetes {\n  transfer to *\n }\n}\n";
        let of = |release: &str| {
            let to = Some(release.parse().unwrap());
            migrate("Corefile", text.as_bytes(), &(), to).unwrap()
        };
        assert_eq!(of("1.4").text, text);
        assert_eq!(of("1.5").changes, 1);
        assert_eq!(of("1.8").changes, 2);
        assert_eq!(of("1.6").missing.len(), 3);
        assert!(of("1.6.2").missing[3].contains("Kubernetes 1.16"), "{:?}", of("1.6.2").missing);
    }

    #[test]
    fn what_has_no_word_today_stays_and_is_told() {
        let text = ". {\n federation a {\n  b c\n }\n proxy . a\n}\n";
        let migration = migrated(text);
        assert_eq!((migration.changes, migration.undecided.errors()), (1, 1));
        assert!(migration.text.contains(" federation a {\n  b c\n }\n"));
        assert!(migration.text.contains("\n forward . a\n"));
    }

    proptest! {
        /// Whatever is migrated has nothing old in it, and the same tree; `migrate` looks at that
        /// itself, and changes nothing if it is not so. It should hardly ever come to that.
        #[test]
        fn migrations_succeed(lines in prop::collection::vec(
            prop::sample::select(vec![
                "proxy . a", "proxy x b {\n policy first\n spray # c\n max_fails 0\n}", "log stdout # x", "errors stderr", "# text",
                "kubernetes {\n upstream\n cidrs 10.0.0.0/8 {$NET}\n transfer to *\n}", "file db {$ZONE} {\n no_reload # y\n transfer to \"10.0.0.1\"\n}",
                "kubernetes a { upstream }", "proxy . 8.8.8.8 b {\n protocol https_google\n}", "auto {\n directory a b c 1\n}", "chaos \"a\nb\" c",
                "secondary a {\n transfer from x\n transfer to y\n}", "startup a \"b c\" &", "", "header {\n set ra\n}", "proxy . a { # d\n}",
            ]),
            0..12,
        )) {
            let text = format!("{{$KEY}} {{\n{}\n}}\n", lines.join("\n"));
            let migration = migrated(&text);
            prop_assert!(migration.undecided.is_empty(), "{}\n{}", text, migration.text);
            prop_assert_eq!(migrated(&migration.text).text, migration.text);
        }
    }
}
