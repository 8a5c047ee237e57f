//! Zones that somebody else answers for: another block, or another listener.

use super::Lint;
use crate::whole::{Site, Whole, is_within, narrower, zone_words};
use corefile::{Code, Directive, Mistakes, Span, shown};

pub(super) const HIDDEN: Lint = Lint::warning(Code::NeverAsked).by(find);
pub(super) const SHADOWED: Lint = Lint::warning(Code::ShadowedBlock).by(find_shadowed);
pub(super) const OUTSIDE: Lint = Lint::warning(Code::ZoneOutsideBlock);

/// What is asked only for its zones.
const ZONED: &[&str] = &[
    "acl",
    "autopath",
    "template",
    "hosts",
    "k8s_external",
    "kubernetes",
    "k8s_gateway",
    "file",
    "auto",
    "forward",
];

fn find(whole: &Whole<'_>, mistakes: &mut Mistakes) {
    for (index, site) in whole.sites.iter().enumerate().filter(|(_, site)| !site.zones.is_empty()) {
        let zoned = |directive: &&Directive| ZONED.contains(&directive.name.text.as_str());
        for directive in site.block.directives.iter().filter(zoned) {
            for word in zone_words(directive) {
                let Ok(zones) = corefile::zones(&word.text) else { continue };
                let name = &directive.name.text;
                // `k8s_external` asks the cluster itself, in whichever zone that is.
                let is_for_others = name == "kubernetes" && site.has("k8s_external");
                if !is_for_others && zones.iter().all(|zone| is_outside(site, zone)) {
                    mistakes.push(outside(site, name, &zones[0], word.at));
                    continue;
                }
                if let [zone] = zones.as_slice()
                    && let Some(other) = taken_by(whole, index, zone)
                {
                    let message = format!("{} is never asked for {}", shown(name), shown(zone));
                    let help =
                        format!("move the `{name}` into that block, or remove one of the two");
                    mistakes.push(
                        HIDDEN
                            .at(word.at, message)
                            .label("a block of its own answers for these names")
                            .related(other.block.at, "this one")
                            .help(help),
                    );
                }
            }
        }
    }
}

fn is_outside(site: &Site<'_>, zone: &str) -> bool {
    site.zones.iter().all(|own| narrower(own, zone).is_none())
}

fn outside(site: &Site<'_>, name: &str, zone: &str, at: Span) -> corefile::Mistake {
    let message = format!("{} is outside of this server block", shown(zone));
    let own = site.zones.iter().take(4).copied().collect::<Vec<_>>().join(" ");
    OUTSIDE
        .at(at, message)
        .label(format!("{} is never asked for it", shown(name)))
        .related(site.block.at, format!("this block answers for {}", shown(&own)))
        .help(format!(
            "write `{}` among the keys of the block, or remove it here",
            zone.trim_end_matches('.')
        ))
}

/// The block that has a longer zone than block `index` for all of `zone`, at the same listener.
fn taken_by<'w>(whole: &'w Whole<'_>, index: usize, zone: &str) -> Option<&'w Site<'w>> {
    let site = &whole.sites[index];
    let own = site.zones.iter().filter(|own| is_within(zone, own)).map(|own| own.len()).max()?;
    let mut routes = whole.routes(zone).map(|(taken, other)| (taken, &whole.sites[other]));
    let (taken, other) = routes.find(|(_, other)| other.shares_listener(site))?;
    // A block with a `view` answers some clients only.
    let is_sure = site.ports.len() == 1 && !other.has("view");
    (taken.len() > own && taken != "." && is_sure).then_some(other)
}

/// Blocks that have an address to themselves, where the zones of others are then refused.
fn find_shadowed(whole: &Whole<'_>, mistakes: &mut Mistakes) {
    for site in &whole.sites {
        let Some(bind) = site.all("bind").next() else { continue };
        let is_bound = site.bound.as_ref().is_some_and(|bound| !bound.is_empty());
        let hidden = |other: &&Site<'_>| {
            other.bound.is_none()
                && other.ports.iter().any(|port| site.ports.contains(port))
                && other
                    .zones
                    .iter()
                    .any(|zone| !site.zones.contains(zone) && !site.zones.contains(&"."))
        };
        let Some(other) = whole.sites.iter().find(hidden).filter(|_| is_bound) else { continue };
        let (addresses, zones) = (words(bind), site.zones.join(" "));
        let other_zone = other.zones.first().copied().unwrap_or(".");
        let message = format!("at {} only {} is answered", shown(&addresses), shown(&zones));
        mistakes.push(
            SHADOWED
                .at(bind.at(), message)
                .label(format!("queries there for {} are refused", shown(other_zone)))
                .related(other.block.at, "this block listens everywhere else")
                .help(format!("write `bind {addresses}` into both blocks, or into none")),
        );
    }
}

fn words(directive: &Directive) -> String {
    let words: Vec<_> = directive.args.iter().map(|word| word.text.as_str()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use crate::lints::found;

    #[test]
    fn a_longer_zone_has_a_block_of_its_own() {
        let text =
            ". {\n kubernetes cluster.local\n forward a.test 192.0.2.1\n}\na.test {\n whoami\n}\n";
        assert_eq!(found(text), ["never-asked 3"]);
        assert_eq!(found(&text.replace("a.test {", "a.test:54 {")), [""; 0]);
        let elsewhere =
            format!("{text}x.a.test:54 {{\n whoami\n}}").replace("forward a", "forward x.a");
        assert_eq!(found(&elsewhere), ["never-asked 3"]);
        assert_eq!(found(&text.replace("whoami", "view x {\n }")), [""; 0]);
        assert_eq!(found(&text.replace("\na.test {", "\nb.a.test {")), [""; 0]);
    }

    #[test]
    fn a_zone_outside_is_never_asked_for() {
        let text = "cluster.local {\n kubernetes cluster.local in-addr.arpa\n}";
        assert_eq!(found(text), ["zone-outside-block 2"]);
        let external = "a.test {\n k8s_external\n kubernetes cluster.local\n}";
        assert_eq!(found(external), [""; 0]);
        assert_eq!(found("cluster.local {\n forward . 192.0.2.1\n}"), [""; 0]);
        assert_eq!(
            found("10.0.0.0/8 {\n kubernetes cluster.local 10.1.0.0/16\n}"),
            ["zone-outside-block 2"]
        );
    }

    #[test]
    fn an_address_of_its_own_hides_the_others() {
        let text = "a.test {\n bind 127.0.0.1\n whoami\n}\n. {\n forward . 192.0.2.1\n}";
        assert_eq!(found(text), ["shadowed-block 2"]);
        assert_eq!(found(&text.replace(". {\n f", ". {\n bind 127.0.0.1\n f")), [""; 0]);
        assert_eq!(found(&text.replace("\n. {", "\n.:54 {")), [""; 0]);
    }
}
