//! `autopath` asks `kubernetes` whose pod a query is from, which that can tell only if it watches
//! pods.

use super::Lint;
use crate::whole::{Site, Whole};
use corefile::{Code, Directive, Mistakes};

pub(super) const UNVERIFIED: Lint = Lint::warning(Code::AutopathUnverified).by(find);

fn find(whole: &Whole<'_>, mistakes: &mut Mistakes) {
    for site in &whole.sites {
        for autopath in site.all("autopath") {
            look_at(site, autopath, mistakes);
        }
    }
}

fn look_at(site: &Site<'_>, autopath: &Directive, mistakes: &mut Mistakes) {
    let Some(source) = autopath.args.last().filter(|word| word.text == "@kubernetes") else {
        return;
    };
    let Some(kubernetes) = site.merged("kubernetes") else {
        let message = "there is no `kubernetes` in this block that `autopath` could ask";
        let mistake = UNVERIFIED.at(source.at, message).label("`autopath` does nothing");
        mistakes.push(mistake.help("write `autopath` into the block that has `kubernetes`"));
        return;
    };
    let pods = kubernetes.property("pods");
    let mode = pods.and_then(|line| line.words.get(1));
    if mode.is_some_and(|mode| mode.text == "verified") {
        return;
    }
    let message = "`autopath` needs `pods verified` in `kubernetes`";
    let mistake = UNVERIFIED.at(autopath.at(), message).label("does nothing");
    let at = mode.map_or(kubernetes.at(), |mode| mode.at);
    mistakes.push(
        mistake.related(at, "pods are not watched, so nobody knows whose query it is").help(
            "write `pods verified` into the block of `kubernetes`; it costs memory for each pod",
        ),
    );
}

#[cfg(test)]
mod tests {
    use crate::lints::found;

    #[test]
    fn pods_must_be_verified() {
        let text = |pods| {
            format!(". {{\n autopath @kubernetes\n kubernetes cluster.local {{\n  {pods}\n }}\n}}")
        };
        assert_eq!(found(&text("pods verified")), [""; 0]);
        assert_eq!(found(&text("pods insecure")), ["autopath-unverified 2"]);
        assert_eq!(found(&text("ttl 5")), ["autopath-unverified 2"]);
        assert_eq!(found(". {\n autopath /etc/resolv.conf\n}"), [""; 0]);
    }
}
