//! Plugins that run in another order than the file has them, where that decides an answer.

use super::Lint;
use super::swallow::inline_names;
use crate::whole::{Site, Whole, is_within, narrower};
use corefile::{Code, Directive, Mistakes, shown};

pub(super) const DIFFERS: Lint = Lint::warning(Code::OrderDiffers).by(find);

/// What answers. `forward` is asked last and takes what is left: where it is written cannot be
/// misread.
const SOURCES: &[&str] =
    &["template", "hosts", "k8s_external", "kubernetes", "k8s_gateway", "file", "auto"];

fn find(whole: &Whole<'_>, mistakes: &mut Mistakes) {
    let rank = |directive: &Directive| {
        let name = directive.name.text.as_str();
        SOURCES.contains(&name).then(|| whole.scene.order.iter().position(|o| *o == name)).flatten()
    };
    for site in &whole.sites {
        let sources = site.block.directives.iter().filter_map(|d| Some((rank(d)?, d)));
        let sources: Vec<_> = sources.collect();
        let mut last: Option<(usize, &Directive)> = None;
        for (rank, directive) in sources {
            match last {
                Some((before, first)) if rank < before => compare(site, first, directive, mistakes),
                Some((before, _)) if rank == before => {}
                _ => last = Some((rank, directive)),
            }
        }
    }
}

/// Looks at two sources of which `first` is written first and `runs` runs first.
fn compare(site: &Site<'_>, first: &Directive, runs: &Directive, mistakes: &mut Mistakes) {
    let Some(shared) = shared(site, first, runs) else { return };
    let (name, other) = (&runs.name.text, &first.name.text);
    let message = format!("{} is asked before {}", shown(name), shown(other));
    mistakes.push(
        DIFFERS
            .at(runs.at(), message)
            .label(format!("the first to be asked for {}", shown(&shared)))
            .related(first.at(), "written first, asked second")
            .note("the order of plugins is fixed; that of the file does not matter")
            .help(format!("write `{name}` above `{other}`, if it is meant to go first")),
    );
}

/// A name or zone for which both are asked.
fn shared(site: &Site<'_>, first: &Directive, runs: &Directive) -> Option<String> {
    let (one, two) = (site.asked(first), site.asked(runs));
    let both = |a: &String| two.iter().find_map(|b| narrower(a, b).map(str::to_owned));
    let hosts = [first, runs].into_iter().find(|directive| directive.name.text == "hosts");
    match hosts {
        None => one.iter().find_map(both),
        // What a file holds is not known.
        Some(hosts) if !hosts.args.is_empty() => None,
        Some(hosts) => {
            let other = if std::ptr::eq(hosts, first) { two } else { one };
            let is_shared = |name: &String| other.iter().any(|zone| is_within(name, zone));
            inline_names(hosts).into_iter().find(is_shared)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lints::found;

    #[test]
    fn what_is_written_first_is_not_asked_first() {
        let text = "a.test {\n file db a.test\n template IN A a.test {\n  answer \"x\"\n }\n}";
        assert_eq!(found(text), ["order-differs 3"]);
        let hosts = ". {\n kubernetes cluster.local\n hosts {\n  10.0.0.1 host.internal\n  fallthrough\n }\n}";
        assert_eq!(found(hosts), [""; 0]);
        let inside = hosts.replace("host.internal", "db.default.svc.cluster.local");
        assert_eq!(found(&inside), ["order-differs 3"]);
    }
}
