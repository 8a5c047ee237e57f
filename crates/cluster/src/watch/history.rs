//! Whether an API server still tells the history that we know.
//!
//! **What this is.** Who restores etcd from a backup takes changes back that we have seen, and versions
//! count from there again. A watch that goes on from a version of the lost history is told nothing, and
//! once the versions have caught up, what has happened since and nothing of before. So no watch goes on
//! before the server has shown, with a request for one object, that nothing was taken back.
//!
//! **What this is not.** A server whose versions are no numbers cannot be checked; a watch that tells
//! nothing gives it away in the end (`quiet_max`).

use super::LOG;
use super::encoding::{Encoding, Page};
use super::failure::{ErrorKind, Failure};
use super::request::{check_path, read_body};
use super::resource::Resource;
use super::shared::Shared;
use crate::objects::Key;

/// The most octets of an answer: one object has 1.5 MiB at most in etcd's form.
const OBJECT_MAX: usize = 8 << 20;

/// The newest change of a resource that we have seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Landmark {
    pub(super) namespace: String,
    pub(super) name: String,
    version: u64,
    /// It was a deletion, or the object is not selected any more.
    is_gone: bool,
}

impl Landmark {
    /// Keeps the newer one of what is known and a change of `key` at `version`.
    pub(super) fn note(known: &mut Option<Self>, key: &Key, version: &str, is_gone: bool) {
        let Ok(version) = version.parse() else { return };
        if known.as_ref().is_none_or(|known| known.version <= version) {
            let (namespace, name) = (key.namespace.clone(), key.name.clone());
            *known = Some(Self { namespace, name, version, is_gone });
        }
    }
}

/// What a server says of a landmark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Sight {
    /// The version of everything.
    version: u64,
    /// The version of the object, if it is there.
    object: Option<u64>,
}

/// What follows from a sight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    /// Nothing that we know was taken back.
    Same,
    /// It was.
    Restored,
    /// The object may have been deleted since, or never have been there.
    Unclear,
}

/// `known` is the version up to which we know everything.
fn judge(known: u64, landmark: Option<&Landmark>, sight: Sight) -> Verdict {
    // A list without a version is as new as etcd (Kubernetes: "Most Recent"), and versions only grow.
    if sight.version < known {
        return Verdict::Restored;
    }
    let Some(landmark) = landmark else { return Verdict::Same };
    match sight.object {
        // It has changed since, and the watch will tell.
        Some(version) if version > known => Verdict::Same,
        Some(version) if version == landmark.version && !landmark.is_gone => Verdict::Same,
        // We have seen everything until `known`, but not that it got this version.
        Some(_) => Verdict::Restored,
        None if landmark.is_gone => Verdict::Same,
        None => Verdict::Unclear,
    }
}

impl Resource {
    /// Makes sure that a watch may go on from the version that we know.
    pub(super) async fn check_history(&self) -> Result<(), Failure> {
        let Some(known) = self.version.as_ref().and_then(|version| version.parse().ok()) else {
            return Ok(());
        };
        let landmark = self.landmark.as_ref();
        let sight = match self.look(landmark).await {
            Ok(Some(sight)) => sight,
            Ok(None) => return Ok(()),
            // A server that does not understand the question cannot be checked.
            Err(failure) if failure.kind == ErrorKind::Refused => return Ok(()),
            Err(failure) => return Err(failure),
        };
        match judge(known, landmark, sight) {
            Verdict::Same => Ok(()),
            Verdict::Restored => {
                self.shared.begin_era(self.era);
                Err(outdated())
            }
            Verdict::Unclear => {
                let text = "the last object that changed is gone, and nobody has seen it go";
                Err(Failure::new(ErrorKind::Gone, text))
            }
        }
    }

    /// Asks for the landmark; none if versions are no numbers.
    async fn look(&self, landmark: Option<&Landmark>) -> Result<Option<Sight>, Failure> {
        let path = check_path(&self.shared.settings, self.kind, landmark);
        let response = self.shared.get(self.kind, &path, false).await?;
        let encoding = Encoding::of(response.headers());
        let patience = self.shared.settings.timing.silence_max;
        let body = read_body(response, OBJECT_MAX, patience).await?.unwrap_or_default();
        let page = Page::read(encoding, &body)?;
        let Ok(version) = page.version.parse() else { return Ok(None) };
        let item = page.items.first().map(|item| item.bookmark().version().parse());
        Ok(item.transpose().ok().map(|object| Sight { version, object }))
    }
}

/// Everything has to be listed anew.
pub(super) fn outdated() -> Failure {
    let text = "the API server has lost changes that it had told: its store was restored";
    Failure::new(ErrorKind::Gone, text)
}

impl Shared {
    /// Which history is told: another number after each restored backup that was noticed.
    pub(super) fn era(&self) -> u64 {
        *self.era.borrow()
    }

    /// The history of `era` has ended: whatever was listed in it is listed anew.
    fn begin_era(&self, era: u64) {
        // All resources find out at the same time.
        let is_news = self.era.send_if_modified(|current| {
            let is_news = *current == era;
            *current += u64::from(is_news);
            is_news
        });
        if is_news {
            tracing::warn!(target: LOG, "{}; everything is listed anew", outdated());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Kind;

    fn key(name: &str) -> Key {
        Key { kind: Kind::Service, namespace: "shop".into(), name: name.into() }
    }

    fn landmark(changes: &[(&str, &str, bool)]) -> Option<Landmark> {
        let mut known = None;
        for (name, version, is_gone) in changes {
            Landmark::note(&mut known, &key(name), version, *is_gone);
        }
        known
    }

    #[test]
    fn the_newest_change_is_the_landmark() {
        let known = landmark(&[("b", "7", false), ("a", "3", true), ("c", "x", false)]).unwrap();
        assert_eq!((&known.name[..], known.version, known.is_gone), ("b", 7, false));
        let known = landmark(&[("b", "7", false), ("b", "9", true)]).unwrap();
        assert_eq!((known.version, known.is_gone), (9, true));
        assert_eq!(landmark(&[("a", "", false)]), None);
    }

    #[test]
    fn what_was_taken_back_is_seen() {
        let (there, gone) = (landmark(&[("a", "7", false)]), landmark(&[("a", "7", true)]));
        let judged = |landmark: &Option<Landmark>, version, object| {
            judge(20, landmark.as_ref(), Sight { version, object })
        };
        for (landmark, version, object, verdict) in [
            (&None, 20, None, Verdict::Same),
            (&None, 30, Some(25), Verdict::Same),
            (&None, 19, None, Verdict::Restored),
            (&there, 19, Some(7), Verdict::Restored),
            (&there, 20, Some(7), Verdict::Same),
            (&there, 30, Some(21), Verdict::Same),
            // Older than what we have seen, or changed when we were looking.
            (&there, 30, Some(6), Verdict::Restored),
            (&there, 30, Some(20), Verdict::Restored),
            (&there, 30, None, Verdict::Unclear),
            (&gone, 30, None, Verdict::Same),
            (&gone, 30, Some(21), Verdict::Same),
            (&gone, 30, Some(6), Verdict::Restored),
        ] {
            assert_eq!(
                judged(landmark, version, object),
                verdict,
                "{landmark:?} {version} {object:?}"
            );
        }
    }
}
