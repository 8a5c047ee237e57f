//! Which zone files a directory has.

use crate::authority::{Authority, ZoneFile};
use crate::go_regex::GoRegex;
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
    /// has come or gone.
    pub(super) fn scan(&self, before: &Authority) -> Option<Authority> {
        let found = self.find();
        let mut authority = Authority::default();
        let mut changed = false;
        for (origin, path) in found {
            let known = before.at(&origin).filter(|zone| zone.path() == path);
            let zone = match known {
                Some(zone) => {
                    zone.load_and_tell();
                    zone.clone()
                }
                None => {
                    tracing::info!(
                        target: "plugin/auto",
                        "Inserting zone `{origin}' from: {}",
                        path.display()
                    );
                    changed = true;
                    let zone = Arc::new(ZoneFile::new(origin, path));
                    if let Err(no_zone) = zone.load() {
                        let why = String::from(no_zone);
                        tracing::warn!(target: "plugin/auto", "Parse zone `{origin}' error: {why}");
                        continue; // tried again at the next scan
                    }
                    zone
                }
            };
            authority.insert(zone);
        }
        for zone in before.iter().filter(|zone| authority.at(zone.origin()).is_none()) {
            tracing::info!(target: "plugin/auto", "Deleting zone `{}'", zone.origin());
            changed = true;
        }
        changed.then_some(authority)
    }

    /// The zones and their files. Of two files for one zone the first counts.
    fn find(&self) -> BTreeMap<NameBuf, PathBuf> {
        let mut listing = Listing::default();
        listing.add(&self.path, 0);
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
