//! What a configuration for a cluster should not go without.

use super::Lint;
use crate::whole::{Site, Whole};
use corefile::{Code, Mistakes};

pub(super) const PLUGINS: Lint = Lint::warning(Code::MissingPlugin).by(find);

/// What one block of the configuration must have, and why.
const ANYWHERE: &[(&str, &str)] = &[
    ("ready", "a pod gets queries before it knows the cluster"),
    ("health", "a pod that hangs is not restarted"),
    ("reload", "a change of the ConfigMap waits for a restart"),
];

fn find(whole: &Whole<'_>, mistakes: &mut Mistakes) {
    let anywhere = |name: &str| whole.sites.iter().any(|site| site.has(name));
    let missing: Vec<_> = ANYWHERE.iter().copied().filter(|(name, _)| !anywhere(name)).collect();
    let mut clusters = whole.sites.iter().filter(|site| site.has("kubernetes"));
    if let Some(site) = clusters.next() {
        let mut missing = missing;
        missing.extend(missing_here(site));
        tell(site, &missing, mistakes);
    }
    for site in clusters {
        tell(site, &missing_here(site), mistakes);
    }
}

/// What this block must have itself.
fn missing_here(site: &Site<'_>) -> Vec<(&'static str, &'static str)> {
    let mut missing = Vec::new();
    if !site.has("errors") {
        missing.push(("errors", "nobody sees why a query failed"));
    }
    if site.has("forward") && !site.has("loop") {
        missing.push(("loop", "a server that forwards to itself is not found out at its start"));
    }
    missing
}

fn tell(site: &Site<'_>, missing: &[(&str, &str)], mistakes: &mut Mistakes) {
    let Some(kubernetes) = site.all("kubernetes").next().filter(|_| !missing.is_empty()) else {
        return;
    };
    let names: Vec<_> = missing.iter().map(|(name, _)| format!("`{name}`")).collect();
    let lines: Vec<_> = missing.iter().map(|(name, _)| format!("    {name}")).collect();
    let message = format!("a block for a cluster goes without {}", names.join(", "));
    let mut mistake = PLUGINS.at(kubernetes.name.at, message);
    for (name, why) in missing {
        mistake = mistake.note(format!("without `{name}` {why}"));
    }
    mistakes.push(mistake.help(format!("write into the server block\n{}", lines.join("\n"))));
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_missing_is_said_once() {
        let text = ". {\n kubernetes cluster.local\n forward . 192.0.2.1\n ready\n}\n\
                    b.test {\n kubernetes b.test\n errors\n reload\n}";
        let parsed = corefile::parse("Corefile", text.as_bytes(), &());
        let scene = crate::Scene::unknown(53, &[]);
        let mistakes = crate::lint(&parsed.blocks, &scene);
        let messages: Vec<_> = mistakes.iter().map(|mistake| mistake.message.as_str()).collect();
        assert_eq!(messages, ["a block for a cluster goes without `health`, `errors`, `loop`"]);
    }
}
