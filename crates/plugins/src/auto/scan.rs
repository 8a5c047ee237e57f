//! Which zone files a directory has.

use crate::authority::{Authority, ZoneFile};
use crate::files::Files;
use crate::go_regex::GoRegex;
use crate::handover::Announce;
use crate::metrics::Counter;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wire::{Name, NameBuf};

/// The most files that are looked at in one scan.
const FILES_MAX: usize = 100_000;
/// The deepest that directories are looked into.
const DEPTH_MAX: usize = 32;

/// A directory and what makes its files zones.
pub(super) struct Folder {
    path: PathBuf,
    pattern: GoRegex,
    template: String,
    /// Scans that did not look at every file.
    cut_scans: Arc<Counter>,
}

impl Folder {
    /// The pattern must have a group, and the template may only name groups that are there.
    pub(super) fn new(
        path: PathBuf,
        pattern: &str,
        template: &str,
        cut_scans: Arc<Counter>,
    ) -> Result<Self, String> {
        let pattern = GoRegex::new(pattern).map_err(|wrong| wrong.to_string())?;
        if pattern.groups() == 0 {
            return Err("the expression has no group for the zone, such as `db\\.(.*)`".into());
        }
        Ok(Self { path, pattern, template: template.to_owned(), cut_scans })
    }

    /// Looks at every file and loads what is new or has changed; the zones as they are now, if any
    /// has come or gone. Zones that stay and have another serial are announced.
    pub(super) fn scan(
        &self,
        before: &Authority,
        to: &impl Announce,
        files: &Files,
    ) -> Option<Authority> {
        let found = self.find(files);
        let mut authority = Authority::default();
        let mut changed = false;
        for (origin, path) in found {
            let known = before.at(&origin).filter(|zone| zone.path() == path);
            if let Some(zone) = known {
                zone.load_and_tell(to, files);
                authority.insert(zone.clone());
            } else if let Some(zone) = load(origin, path, files) {
                changed = true;
                authority.insert(zone);
            }
        }
        for zone in before.iter() {
            let now = authority.at(zone.origin());
            if now.is_none_or(|now| now.path() != zone.path()) {
                files.forget(zone.path());
            }
            if now.is_none() {
                tracing::info!(target: "plugin/auto", "Deleting zone `{}'", zone.origin());
                changed = true;
            }
        }
        changed.then_some(authority)
    }

    /// The zones and their files. Of two files for one zone the first counts.
    fn find(&self, files: &Files) -> BTreeMap<NameBuf, PathBuf> {
        let mut listing = Listing::default();
        match files.copied_below(&self.path) {
            Some(files) => listing.files = files,
            None => listing.add(&self.path, 0),
        }
        if listing.cut {
            self.cut_scans.increment(0);
            tracing::warn!(
                target: "plugin/auto",
                "Not every file of {} is looked at: there are too many, or they lie too deep",
                self.path.display()
            );
        }
        listing.files.sort_unstable();
        let mut zones = BTreeMap::new();
        for path in listing.files {
            let Some(origin) = self.origin(&path) else { continue };
            if let Some(first) = zones.get(&origin) {
                let first: &PathBuf = first;
                tracing::warn!(
                    target: "plugin/auto",
                    "Zone `{origin}' is in {} already: {} is left out",
                    first.display(),
                    path.display()
                );
                continue;
            }
            zones.insert(origin, path);
        }
        zones
    }

    fn origin(&self, path: &Path) -> Option<NameBuf> {
        let name = path.file_name()?.to_str()?;
        let groups = self.pattern.find(name.as_bytes())?;
        let mut text = self.template.clone();
        for group in 0..=self.pattern.groups() {
            let found = groups.get(group).map_or("", |(begin, end)| &name[begin..end]);
            text = text.replace(&format!("{{{group}}}"), found);
        }
        let name = NameBuf::from_text(text.as_bytes(), Name::ROOT).ok()?;
        Some(name.as_name().to_lower())
    }
}

/// A zone that was not there at the last scan; none if its file is no zone, which is tried again at
/// the next.
fn load(origin: NameBuf, path: PathBuf, files: &Files) -> Option<Arc<ZoneFile>> {
    let zone = Arc::new(ZoneFile::new(origin, path));
    match zone.load(files) {
        Ok(_) => {
            let path = zone.path().display();
            tracing::info!(target: "plugin/auto", "Inserting zone `{origin}' from: {path}");
            Some(zone)
        }
        Err(no_zone) => {
            let why = String::from(no_zone);
            tracing::warn!(target: "plugin/auto", "Parse zone `{origin}' error: {why}");
            None
        }
    }
}

/// The files below a directory.
#[derive(Default)]
struct Listing {
    files: Vec<PathBuf>,
    /// Whether some are missing because of a limit.
    cut: bool,
}

impl Listing {
    fn add(&mut self, directory: &Path, depth: usize) {
        let Ok(entries) = std::fs::read_dir(directory) else { return };
        for entry in entries.flatten() {
            // The kubelet puts the files of a ConfigMap into a directory `..TIME` and links to them from
            // here. It is replaced whole: a zone that were taken from there would go and come again.
            if entry.file_name().as_encoded_bytes().starts_with(b"..") {
                continue;
            }
            let path = entry.path();
            if path.is_file() {
                if self.files.len() == FILES_MAX {
                    self.cut = true;
                    return;
                }
                self.files.push(path);
            } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if depth == DEPTH_MAX {
                    self.cut = true;
                    continue;
                }
                self.add(&path, depth + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    struct Nobody;

    impl Announce for Nobody {
        fn changed(&self, _: &NameBuf) {}
    }

    const ZONE: &str = "@ 300 IN SOA ns root 1 7200 1800 86400 30\n@ 300 IN NS ns\n";

    /// Makes `text` the content of `db.one.test`, as the kubelet does with that of a ConfigMap.
    fn mount(directory: &Path, generation: &str, text: &str) {
        let data = directory.join(generation);
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join("db.one.test"), text).unwrap();
        symlink(generation, directory.join("..new")).unwrap();
        std::fs::rename(directory.join("..new"), directory.join("..data")).unwrap();
        let _ = symlink("..data/db.one.test", directory.join("db.one.test")); // the first time
    }

    #[test]
    fn a_config_map_is_one_file_for_each_zone_and_a_bad_one_keeps_the_zone() {
        let folder = tempfile::tempdir().unwrap();
        let scanned =
            Folder::new(folder.path().into(), r"db\.(.*)", "{1}", Counter::new(1).into()).unwrap();
        mount(folder.path(), "..1", ZONE);
        let origin: NameBuf = "one.test.".parse().unwrap();
        let mut first = None;
        let lines = crate::testing::logged(|| {
            first = scanned.scan(&Authority::default(), &Nobody, &Files::disk(false));
        });
        let first = first.unwrap();
        let path = folder.path().join("db.one.test");
        assert_eq!(first.at(&origin).unwrap().path(), path);
        let inserted =
            format!("INFO plugin/auto Inserting zone `one.test.' from: {}", path.display());
        assert_eq!(lines, [inserted]);
        mount(folder.path(), "..2", "no zone");
        std::fs::remove_dir_all(folder.path().join("..1")).unwrap();
        assert!(
            scanned.scan(&first, &Nobody, &Files::disk(false)).is_none(),
            "nothing has come or gone"
        );
        assert!(first.at(&origin).unwrap().zone().is_some());
    }

    #[test]
    fn a_file_that_is_no_zone_is_told_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("db.one.test"), "no zone").unwrap();
        let scanned =
            Folder::new(folder.path().into(), r"db\.(.*)", "{1}", Counter::new(1).into()).unwrap();
        for _ in 0..2 {
            let lines = crate::testing::logged(|| {
                assert!(
                    scanned.scan(&Authority::default(), &Nobody, &Files::disk(false)).is_none()
                );
            });
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(lines[0].starts_with("WARNING plugin/auto Parse zone `one.test.' error: "));
        }
    }

    #[test]
    fn only_the_file_that_a_zone_is_in_now_is_noted() {
        let folder = tempfile::tempdir().unwrap();
        let scanned =
            Folder::new(folder.path().into(), r"(.*)\.[ab]", "{1}", Counter::new(1).into())
                .unwrap();
        let [first, second] = ["one.test.b", "one.test.a"].map(|name| folder.path().join(name));
        let files = Files::disk(true);
        let noted = || files.taken().files.into_keys().collect::<Vec<_>>();
        std::fs::write(&first, ZONE).unwrap();
        let zones = scanned.scan(&Authority::default(), &Nobody, &files).unwrap();
        assert_eq!(noted(), std::slice::from_ref(&first));
        std::fs::rename(&first, &second).unwrap();
        let zones = scanned.scan(&zones, &Nobody, &files).unwrap();
        assert_eq!(noted(), std::slice::from_ref(&second));
        std::fs::remove_file(&second).unwrap();
        scanned.scan(&zones, &Nobody, &files).unwrap();
        assert!(noted().is_empty());
    }
}
