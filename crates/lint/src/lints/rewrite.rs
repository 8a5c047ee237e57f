//! Rules that ask for another name, and leave it in the answer.

use super::Lint;
use crate::rules::{By, Rule};
use crate::whole::Whole;
use corefile::{Code, Directive, Mistakes};

pub(super) const NO_ANSWER: Lint = Lint::warning(Code::RewriteWithoutAnswer).by(find);

fn find(whole: &Whole<'_>, mistakes: &mut Mistakes) {
    for directive in whole.sites.iter().flat_map(|site| site.all("rewrite")) {
        let Some(rule) = Rule::read(directive).filter(|rule| rule.field == "name") else {
            continue;
        };
        let Some(names) = &rule.names else { continue };
        // CoreDNS puts the answer of an exact rule back by itself.
        if names.by == By::Exact || rule.has_answer() {
            continue;
        }
        let message = "the answer keeps a name that nobody asked for";
        mistakes.push(
            NO_ANSWER
                .at(rule.at, message)
                .label("many clients throw such an answer away")
                .help(format!("write `{} answer auto`", in_one_line(directive))),
        );
    }
}

fn in_one_line(directive: &Directive) -> String {
    let lines = directive.body.iter().flatten().flat_map(|line| &line.words);
    let words = std::iter::once(&directive.name).chain(&directive.args).chain(lines);
    words.map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use crate::lints::found;

    #[test]
    fn only_exact_rules_put_the_answer_back_by_themselves() {
        let text = |rule: &str| found(&format!(". {{\n rewrite {rule}\n}}"));
        assert_eq!(text("name suffix .a.test .b.test"), ["rewrite-without-answer 2"]);
        assert_eq!(
            text("continue name regex (.*)\\.a\\.test\\.$ {1}.b.test"),
            ["rewrite-without-answer 2"]
        );
        assert_eq!(text("name suffix .a.test .b.test answer auto"), [""; 0]);
        assert_eq!(text("name a.test b.test"), [""; 0]);
        assert_eq!(text("name exact a.test b.test"), [""; 0]);
        assert_eq!(text("ttl suffix .a.test 30"), [""; 0]);
    }
}
