//! Rules and forwards that an earlier one leaves nothing for.

use super::Lint;
use crate::rules::{By, Names, Rule};
use crate::whole::{Whole, ancestors};
use corefile::{Code, Directive, Mistakes, Span, shown};
use std::collections::HashMap;

pub(super) const RULE: Lint = Lint::warning(Code::UnreachableRule).by(find_rules);
pub(super) const FORWARD: Lint = Lint::warning(Code::UnreachableForward).by(find_forwards);

fn find_rules(whole: &Whole<'_>, mistakes: &mut Mistakes) {
    for site in &whole.sites {
        let mut taken = Taken::default();
        for rule in site.all("rewrite").filter_map(Rule::read) {
            let Some(names) = &rule.names else { continue };
            if let Some(earlier) = taken.all_of(names) {
                mistakes.push(unreachable(&rule, names, earlier));
            }
            match rule.stops {
                true => taken.add(names, rule.at),
                // Rules behind it see another name than those before.
                false if rule.field == "name" => taken = Taken::default(),
                false => {}
            }
        }
    }
}

fn unreachable(rule: &Rule<'_>, names: &Names<'_>, earlier: Span) -> corefile::Mistake {
    RULE.at(rule.at, format!("no name is left for {}", shown(&names.word.text)))
        .label("this rule is never looked at")
        .related(earlier, "this rule takes the same names, and is the last one for them")
        .help(
            "move the narrower rule above the wider one, or write `continue` into the earlier rule",
        )
}

/// The names that rules have taken.
#[derive(Default)]
struct Taken {
    exact: HashMap<String, Span>,
    prefixes: HashMap<String, Span>,
    suffixes: HashMap<String, Span>,
    expressions: HashMap<String, Span>,
    everything: Option<Span>,
}

/// Expressions that match every name.
const EVERYTHING: &[&str] =
    &[".*", "(.*)", "^.*$", "^(.*)$", "^(.*)\\.$", "(.*)\\.$", "^.*", ".+", "(.+)"];

impl Taken {
    fn add(&mut self, names: &Names<'_>, at: Span) {
        let text = names.text.clone();
        // CoreDNS reads a suffix `.` as the end of every name.
        let is_everything = match names.by {
            By::Suffix => text == ".",
            By::Regex => EVERYTHING.contains(&text.as_str()),
            By::Exact | By::Prefix | By::Substring => false,
        };
        let taken = match names.by {
            _ if is_everything => {
                self.everything.get_or_insert(at);
                return;
            }
            By::Exact => &mut self.exact,
            By::Prefix => &mut self.prefixes,
            By::Suffix => &mut self.suffixes,
            By::Regex => &mut self.expressions,
            // Whether a name has it cannot be looked up; such rules are few.
            By::Substring => return,
        };
        taken.entry(text).or_insert(at);
    }

    /// Who has taken all of these names.
    fn all_of(&self, names: &Names<'_>) -> Option<Span> {
        let text = names.text.as_str();
        let ends = || text.char_indices().filter_map(|(at, _)| self.suffixes.get(&text[at..]));
        let starts = || {
            let cuts = text.char_indices().map(|(at, c)| at + c.len_utf8());
            cuts.into_iter().filter_map(|at| self.prefixes.get(&text[..at]))
        };
        let found = match names.by {
            By::Exact => self.exact.get(text).or_else(|| ends().next()).or_else(|| starts().next()),
            By::Suffix => ends().next(),
            By::Prefix => starts().next(),
            By::Regex => self.expressions.get(text),
            By::Substring => None,
        };
        found.copied().or(self.everything)
    }
}

fn find_forwards(whole: &Whole<'_>, mistakes: &mut Mistakes) {
    for site in &whole.sites {
        let mut taken: HashMap<String, Span> = HashMap::new();
        for forward in site.all("forward") {
            let Some(from) = from(forward) else { continue };
            let earlier = ancestors(&from).find_map(|zone| taken.get(zone));
            if let Some(earlier) = earlier {
                let message = format!("no name is left for this `forward` of {}", shown(&from));
                mistakes.push(
                    FORWARD
                        .at(forward.at(), message)
                        .label("never asked: the first whose zone fits takes the query")
                        .related(*earlier, "this one takes all of them")
                        .help(if taken.contains_key(&from) {
                            "write the servers of both into one `forward`, or remove one"
                        } else {
                            "move the `forward` of the narrower zone above the wider one"
                        }),
                );
            } else if takes_all(forward) {
                taken.insert(from, forward.at());
            }
        }
    }
}

fn from(forward: &Directive) -> Option<String> {
    corefile::zones(&forward.args.first()?.text).ok()?.into_iter().next()
}

/// Whether a `forward` leaves nothing of its zone to the next one.
fn takes_all(forward: &Directive) -> bool {
    let leaves = ["except", "next", "next_on_nodata"];
    let mut lines = forward.body.iter().flatten();
    !lines.any(|line| leaves.contains(&line.words[0].text.as_str()))
}

#[cfg(test)]
mod tests {
    use crate::lints::found;

    fn rules(rules: &[&str]) -> Vec<String> {
        let lines: String = rules.iter().map(|rule| format!(" rewrite {rule}\n")).collect();
        found(&format!(". {{\n{lines}}}"))
    }

    #[test]
    fn rules_that_nothing_is_left_for() {
        let suffix = "name suffix .a.test .b.test answer auto";
        assert_eq!(rules(&[suffix, "name x.a.test y.test"]), ["unreachable-rule 3"]);
        assert_eq!(rules(&["name x.a.test y.test", suffix]), [""; 0]);
        assert_eq!(rules(&[suffix, "name xa.test y.test"]), [""; 0]);
        assert_eq!(
            rules(&["name x.test a.test", "stop name exact X.test b.test"]),
            ["unreachable-rule 3"]
        );
        assert_eq!(rules(&["ttl x.test 30", "name x.test b.test"]), ["unreachable-rule 3"]);
        assert_eq!(rules(&["continue ttl x.test 30", "name x.test b.test"]), [""; 0]);
        let renamed = "continue name suffix .a.test .b.test answer auto";
        assert_eq!(rules(&["name x.test y.test", renamed, "name x.test z.test"]), [""; 0]);
    }

    #[test]
    fn many_rules_are_no_matter() {
        let lines: Vec<_> =
            (0..5000).map(|n| format!("name exact n{n}.a.test n{n}.b.test")).collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        assert_eq!(rules(&lines), [""; 0]);
    }

    #[test]
    fn forwards_that_nothing_is_left_for() {
        let two = |first, second| found(&format!(". {{\n forward {first}\n forward {second}\n}}"));
        assert_eq!(two(". 192.0.2.1", ". 192.0.2.2"), ["unreachable-forward 3"]);
        assert_eq!(two(". 192.0.2.1", "a.test 192.0.2.2"), ["unreachable-forward 3"]);
        assert_eq!(two("a.test 192.0.2.1", ". 192.0.2.2"), [""; 0]);
        assert_eq!(two(". 192.0.2.1 {\n  except a.test\n }", "a.test 192.0.2.2"), [""; 0]);
    }
}
