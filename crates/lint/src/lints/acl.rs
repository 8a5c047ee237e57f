//! `acl` sees the name that `rewrite` has made of the question, not the one that was asked for.

use super::Lint;
use crate::rules::{By, Rule};
use crate::whole::{Site, Whole, is_within};
use corefile::{Code, Directive, Mistakes, shown};

pub(super) const BYPASSED: Lint = Lint::warning(Code::AclBypassed).by(find);

fn find(whole: &Whole<'_>, mistakes: &mut Mistakes) {
    for site in whole.sites.iter().filter(|site| site.has("rewrite")) {
        let guarded: Vec<_> = site.all("acl").map(|acl| (acl, site.asked(acl))).collect();
        if guarded.is_empty() {
            continue;
        }
        for rule in site.all("rewrite").filter_map(Rule::read) {
            let way_out = guarded.iter().find_map(|(acl, zones)| {
                zones.iter().find(|zone| leads_out(&rule, zone, zones)).map(|zone| (*acl, zone))
            });
            if let Some((acl, zone)) = way_out {
                mistakes.push(bypassed(site, &rule, acl, zone));
            }
        }
    }
}

/// Whether a rule makes a name outside of all `guarded` zones of one inside `zone`.
fn leads_out(rule: &Rule<'_>, zone: &str, guarded: &[String]) -> bool {
    let (Some(names), Some(to)) = (&rule.names, rule.exact_target()) else { return false };
    let from = names.text.trim_start_matches('.');
    let to = to.trim_start_matches('.');
    // What a prefix or an expression makes of a name cannot be told from the rule alone.
    let is_told = matches!(names.by, By::Exact | By::Suffix);
    is_told && is_within(from, zone) && !guarded.iter().any(|zone| is_within(to, zone))
}

fn bypassed(site: &Site<'_>, rule: &Rule<'_>, acl: &Directive, zone: &str) -> corefile::Mistake {
    let target = rule.exact_target().unwrap_or_default();
    let target = target.trim_start_matches('.').to_owned();
    let message = format!("the `acl` for {} does not see what this rule renames", shown(zone));
    let help = match site.zones.contains(&".") {
        true => format!(
            "guard the new names too: `acl {} {} {{`",
            zone.trim_end_matches('.'),
            target.trim_end_matches('.')
        ),
        false => "write an `acl` whose zones hold the new names too, such as `acl . {`".to_owned(),
    };
    BYPASSED
        .at(rule.at, message)
        .label(format!("`acl` is asked about {}", shown(&target)))
        .related(acl.at(), "guards the old names only")
        .help(help)
}

#[cfg(test)]
mod tests {
    use crate::lints::found;

    #[test]
    fn a_name_that_leaves_the_guarded_zone() {
        let text = |rule, zone| {
            format!(
                ". {{\n acl {zone} {{\n  block\n }}\n rewrite name {rule}\n forward . 192.0.2.1\n}}"
            )
        };
        assert_eq!(found(&text("a.secret.test b.test", "secret.test")), ["acl-bypassed 5"]);
        assert_eq!(
            found(&text("suffix .secret.test .b.test answer auto", "secret.test")),
            ["acl-bypassed 5"]
        );
        assert_eq!(found(&text("a.secret.test b.test", "secret.test b.test")), [""; 0]);
        assert_eq!(found(&text("a.secret.test b.test", "")), [""; 0]);
        assert_eq!(found(&text("b.test a.secret.test", "secret.test")), [""; 0]);
    }
}
