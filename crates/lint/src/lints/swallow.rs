//! Sources that answer for more names than they know, so that those below them are never asked.

use super::Lint;
use crate::whole::{Site, Whole, fallthrough, is_within, narrower, zone_words};
use corefile::{Code, Directive, Mistakes, shown};

pub(super) const DEAD: Lint = Lint::error(Code::NoFallthrough).by(find);
pub(super) const PART: Lint = Lint::warning(Code::NarrowFallthrough);

/// What answers, in the order in which it is asked; what those say that know no answer.
const SOURCES: &[(&str, &str)] = &[
    ("template", "SERVFAIL"),
    ("hosts", "SERVFAIL"),
    ("k8s_external", "NXDOMAIN"),
    ("kubernetes", "NXDOMAIN"),
    ("k8s_gateway", "NXDOMAIN"),
    ("file", "NXDOMAIN"),
    ("auto", "NXDOMAIN"),
    ("forward", ""),
];

fn find(whole: &Whole<'_>, mistakes: &mut Mistakes) {
    for site in &whole.sites {
        for (rank, (name, says)) in SOURCES.iter().enumerate() {
            for upper in site.all(name).filter(|upper| is_partial(upper)) {
                let below = SOURCES[rank + 1..].iter().flat_map(|(name, _)| site.all(name));
                let kept: Vec<_> =
                    below.filter_map(|lower| Kept::from(site, upper, lower)).collect();
                if !kept.is_empty() {
                    mistakes.push(finding(upper, says, &kept));
                }
            }
        }
    }
}

/// What a source keeps from one below it.
struct Kept<'a> {
    lower: &'a Directive,
    /// The zones for which it is not asked, each once; never empty.
    zones: Vec<String>,
    /// Whether it is not asked at all.
    is_dead: bool,
}

impl<'a> Kept<'a> {
    fn from(site: &Site<'_>, upper: &Directive, lower: &'a Directive) -> Option<Self> {
        let (over, mut under, passed) = (site.asked(upper), site.asked(lower), fallthrough(upper));
        // CoreDNS hands on every address that `hosts` does not know, told to or not.
        under.retain(|zone| upper.name.text != "hosts" || !is_reverse(zone));
        let is_passed = |zone: &str| passed.iter().any(|passed| is_within(zone, passed));
        let shared = under.iter().flat_map(|zone| over.iter().filter_map(|o| narrower(o, zone)));
        // A file or a cluster is meant to be all there is of a zone of its own.
        let is_meant =
            |zone: &str| !is_list(upper) && ![".", "in-addr.arpa.", "ip6.arpa."].contains(&zone);
        let kept = shared.filter(|zone| !is_passed(zone) && !is_meant(zone));
        let mut zones: Vec<_> = kept.map(str::to_owned).collect();
        zones.sort_unstable();
        zones.dedup();
        let is_dead = under.iter().all(|zone| {
            over.iter().any(|over| is_within(zone, over))
                && passed.iter().all(|passed| narrower(passed, zone).is_none())
        });
        let is_dead = is_dead && answers_all_types(upper);
        (!zones.is_empty()).then_some(Self { lower, zones, is_dead })
    }
}

/// Whether a source is a list of names, which are never all names of a zone.
fn is_list(source: &Directive) -> bool {
    matches!(source.name.text.as_str(), "hosts" | "template")
}

/// Whether it is a list, and not one for queries of one type only.
fn answers_all_types(source: &Directive) -> bool {
    let is_typed = || source.args.get(1).is_some_and(|word| word.text != "ANY");
    is_list(source) && (source.name.text == "hosts" || !is_typed())
}

fn is_reverse(zone: &str) -> bool {
    ["in-addr.arpa.", "ip6.arpa."].iter().any(|reverse| is_within(zone, reverse))
}

/// Whether a source knows less than its zones hold. Zones of a file and of a cluster are theirs
/// whole; not so the zones in which everything is, where a cluster has a few networks.
fn is_partial(source: &Directive) -> bool {
    match source.name.text.as_str() {
        "hosts" => !is_about_its_names(source),
        "template" => source.body.iter().flatten().any(|line| line.words[0].text == "match"),
        _ => true,
    }
}

/// Whether every name of `hosts` is one of its zones.
fn is_about_its_names(hosts: &Directive) -> bool {
    let zones: Vec<_> =
        zone_words(hosts).iter().flat_map(|word| corefile::zones(&word.text)).flatten().collect();
    let names = inline_names(hosts);
    hosts.args.first().is_some_and(|file| file.text == "/dev/null")
        && !zones.is_empty()
        && names.iter().all(|name| zones.contains(name))
}

/// The names that are written in the block of `hosts`.
pub(super) fn inline_names(hosts: &Directive) -> Vec<String> {
    let lines = hosts.body.iter().flatten();
    let addresses = lines.filter(|line| line.words[0].text.parse::<std::net::IpAddr>().is_ok());
    let words = addresses.flat_map(|line| &line.words[1..]);
    words.filter_map(|word| corefile::zones(&word.text).ok()).flatten().collect()
}

fn finding(upper: &Directive, says: &str, kept: &[Kept<'_>]) -> corefile::Mistake {
    let dead: Vec<_> = kept.iter().filter(|kept| kept.is_dead).map(|kept| kept.lower).collect();
    let name = &upper.name.text;
    let zones = kept.iter().map(|kept| kept.zones.as_slice()).max_by_key(|zones| zones.len());
    let zones = zones.unwrap_or_default();
    let label = format!("answers {says} to names that it does not know");
    let mut mistake = if dead.is_empty() {
        let all = zones.join(" ");
        PART.at(upper.at(), format!("{} answers for all of {}", shown(name), shown(&all)))
    } else {
        let mut names: Vec<_> = dead.iter().map(|lower| shown(&lower.name.text)).collect();
        names.dedup();
        let verb = if names.len() == 1 { "is" } else { "are" };
        let message = format!("{} {verb} never asked below {}", names.join(", "), shown(name));
        DEAD.at(upper.at(), message).note("`serve` starts with it; the names are gone all the same")
    };
    for kept in kept.iter().take(4) {
        let text = if kept.is_dead { "never asked" } else { "not asked for these names" };
        mistake = mistake.related(kept.lower.at(), text);
    }
    let mut fix = "fallthrough".to_owned();
    if !is_list(upper) && zones.iter().all(|zone| is_reverse(zone)) {
        for zone in zones {
            fix += " ";
            fix += zone.trim_end_matches('.');
        }
    }
    mistake.label(label).help(format!("write `{fix}` into the block of `{name}`"))
}

#[cfg(test)]
mod tests {
    use crate::lints::found;

    #[test]
    fn hosts_for_everything() {
        let text = |fallthrough, zones| {
            format!(
                ". {{\n hosts {zones} {{\n  10.0.0.1 a.test\n  {fallthrough}\n }}\n forward . 192.0.2.1\n}}"
            )
        };
        assert_eq!(found(&text("", "")), ["no-fallthrough 2"]);
        assert_eq!(found(&text("fallthrough", "")), [""; 0]);
        assert_eq!(found(&text("fallthrough in-addr.arpa", "")), ["narrow-fallthrough 2"]);
        assert_eq!(found(&text("", "/etc/hosts b.test")), ["narrow-fallthrough 2"]);
        assert_eq!(found(&text("", "/dev/null a.test")), [""; 0]);
    }

    #[test]
    fn a_cluster_has_all_of_its_zone_but_not_all_addresses() {
        let text = |line| format!(". {{\n {line}\n forward . 192.0.2.1\n}}");
        assert_eq!(found(&text("kubernetes cluster.local")), [""; 0]);
        assert_eq!(found(&text("kubernetes cluster.local in-addr.arpa")), ["narrow-fallthrough 2"]);
        assert_eq!(found(&text("kubernetes cluster.local 10.0.0.0/8")), [""; 0]);
        assert_eq!(found(&text("file db.a a.test")), [""; 0]);
        let both = text("hosts {\n  10.0.0.1 a.test\n }\n kubernetes cluster.local");
        assert_eq!(found(&both), ["no-fallthrough 2"]);
        assert_eq!(found(&text("file db.root")), ["narrow-fallthrough 2"]);
    }

    #[test]
    fn a_template_that_matches_some_names() {
        let text = "a.test {\n template IN A {\n  match ^x\n  answer \"x 1 IN A 10.0.0.1\"\n }\n file db\n}";
        assert_eq!(found(text), ["narrow-fallthrough 2"]);
        assert_eq!(found(&text.replace("IN A {", "ANY ANY {")), ["no-fallthrough 2"]);
    }

    #[test]
    fn hosts_hand_on_addresses_that_they_do_not_know() {
        let text = ". {\n hosts {\n  10.0.0.1 a.test\n }\n kubernetes in-addr.arpa {\n  \
                    fallthrough\n }\n}";
        assert_eq!(found(text), [""; 0]);
    }
}
