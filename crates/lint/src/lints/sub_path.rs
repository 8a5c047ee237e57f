//! A Corefile that is mounted so that it never changes, and a `reload` that waits for a change.

use super::Lint;
use crate::whole::Whole;
use corefile::{Code, Mistakes};

pub(super) const MOUNTED: Lint = Lint::warning(Code::ReloadSubPath).by(find);

fn find(whole: &Whole<'_>, mistakes: &mut Mistakes) {
    let Some(how) = &whole.scene.sub_path else { return };
    let Some(reload) = whole.sites.iter().find_map(|site| site.all("reload").next()) else {
        return;
    };
    let message = "a change of the ConfigMap never reaches `reload`";
    mistakes.push(
        MOUNTED
            .at(reload.name.at, message)
            .label(format!("the Corefile is mounted {how}"))
            .note("Kubernetes does not update what is mounted with `subPath`")
            .help("mount the whole ConfigMap as a directory, without `subPath`"),
    );
}

#[cfg(test)]
mod tests {
    use crate::lints::found_at;

    #[test]
    fn only_if_somebody_waits_for_a_change() {
        let at = |text| found_at(text, |scene| scene.sub_path = Some("with `subPath`".to_owned()));
        assert_eq!(at(". {\n reload\n}"), ["reload-sub-path 2"]);
        assert_eq!(at(". {\n whoami\n}"), [""; 0]);
    }
}
