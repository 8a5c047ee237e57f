//! Answers to AAAA that say more than "there is no such address".

use super::Lint;
use crate::rules::Rule;
use crate::whole::{Site, Whole};
use corefile::{Code, Line, Mistakes};

pub(super) const DENIED: Lint = Lint::warning(Code::AaaaDenied).by(find);

fn find(whole: &Whole<'_>, mistakes: &mut Mistakes) {
    for site in &whole.sites {
        templates(site, mistakes);
        rules(site, mistakes);
        rewrites(site, mistakes);
    }
}

/// `template ANY AAAA { rcode NXDOMAIN }`
fn templates(site: &Site<'_>, mistakes: &mut Mistakes) {
    for template in site.all("template") {
        let is_aaaa =
            template.args.get(1).is_some_and(|word| word.text.eq_ignore_ascii_case("AAAA"));
        let lines = template.body.iter().flatten();
        let mut denials = lines.filter(|line| has(line, "rcode", "NXDOMAIN"));
        let Some(denial) = denials.next().filter(|_| is_aaaa) else { continue };
        let message = "a name that is asked for AAAA is said not to exist";
        mistakes.push(
            DENIED
                .at(denial.at(), message)
                .label("many clients then do not ask for A, or forget what they got")
                .note("RFC 8020: NXDOMAIN is about the name, and not about one type of it")
                .help("write `rcode NOERROR`: the name is there, and has no such address"),
        );
    }
}

/// `acl { block type AAAA }`
fn rules(site: &Site<'_>, mistakes: &mut Mistakes) {
    let lines = site.all("acl").flat_map(|acl| acl.body.iter().flatten());
    for line in lines.filter(|line| matches!(line.words[0].text.as_str(), "block" | "drop")) {
        let mut words = line.words.iter().map(|word| word.text.as_str());
        let types = words.by_ref().skip_while(|word| *word != "type").skip(1);
        let mut types = types.take_while(|word| *word != "net");
        if !types.any(|word| word == "AAAA") {
            continue;
        }
        let action = &line.words[0].text;
        let what = if action == "block" { "refused" } else { "not answered" };
        let message = format!("queries for AAAA are {what}");
        let rest: Vec<_> = line.words[1..].iter().map(|word| word.text.as_str()).collect();
        mistakes.push(
            DENIED
                .at(line.at(), message)
                .label("clients that ask for A and AAAA take it for a failure of both, or wait")
                .help(format!("write `filter {}`: an empty answer", rest.join(" "))),
        );
    }
}

/// `rewrite type AAAA A`
fn rewrites(site: &Site<'_>, mistakes: &mut Mistakes) {
    for rule in site.all("rewrite").filter_map(Rule::read) {
        let words: Vec<_> = rule.rest.iter().map(|word| word.text.to_ascii_uppercase()).collect();
        if rule.field != "type" || words.first().is_none_or(|from| from != "AAAA") {
            continue;
        }
        let message = "queries for AAAA are answered with records of another type";
        mistakes.push(
            DENIED
                .at(rule.at, message)
                .label("clients get no AAAA and no denial, and ask again")
                .help("write\nacl {\n    filter type AAAA\n}\nfor an empty answer"),
        );
    }
}

fn has(line: &Line, name: &str, value: &str) -> bool {
    let mut words = line.words.iter().map(|word| word.text.as_str());
    words.next() == Some(name) && words.any(|word| word.eq_ignore_ascii_case(value))
}

#[cfg(test)]
mod tests {
    use crate::lints::found;

    #[test]
    fn a_denial_of_the_name_is_too_much() {
        let text = |rcode| format!(". {{\n template ANY AAAA {{\n  rcode {rcode}\n }}\n}}");
        assert_eq!(found(&text("NXDOMAIN")), ["aaaa-denied 3"]);
        assert_eq!(found(&text("NOERROR")), [""; 0]);
        assert_eq!(found(". {\n acl {\n  block type AAAA net *\n }\n}"), ["aaaa-denied 3"]);
        assert_eq!(
            found(". {\n acl {\n  filter type AAAA\n  block net 10.0.0.0/8\n }\n}"),
            [""; 0]
        );
        assert_eq!(found(". {\n rewrite type AAAA A\n}"), ["aaaa-denied 2"]);
        assert_eq!(found(". {\n rewrite type A AAAA\n}"), [""; 0]);
    }
}
