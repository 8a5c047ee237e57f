//! Fragments: the files that a pattern imports (`import custom/*.override`), each with an owner of
//! its own. The mistake of one owner must not stop the others.
//!
//! A fragment that keeps the whole from serving is set aside: what it said when last it was good
//! goes on to hold, or nothing if that is not known. Only mistakes that belong to no fragment are
//! everybody's.

use crate::settings::source::Built;
use std::collections::BTreeMap;
use std::io;

/// The texts of fragments by path.
pub(crate) type Texts = BTreeMap<String, String>;

/// What stands in for files: a text, or nothing, as if there were no such file.
pub(crate) type Replaced = BTreeMap<String, Option<String>>;

/// A fragment that is not in force as its file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetAside {
    /// Its path.
    pub path: String,
    /// Whether what it said before goes on to hold; else nothing of it does.
    pub earlier: bool,
    /// What is wrong with it, a line each.
    pub errors: Vec<String>,
}

/// The most fragments that are tried one by one; of more the whole is refused.
const FRAGMENTS_MAX: usize = 200;

/// Builds with `build`; if that fails by the fault of fragments, then without them.
///
/// `good` has the texts with which fragments have served. The fragments that serve are found by
/// adding one after the other, in the order of their paths: of two that exclude each other the first
/// stays. If not even the rest without any can serve, then what comes back is the whole, with all its
/// mistakes.
pub(crate) fn build_around(
    good: &Texts,
    mut build: impl FnMut(&Replaced) -> io::Result<Built>,
) -> io::Result<Built> {
    let whole = build(&Replaced::new())?;
    if whole.assembly.is_some() || whole.fragments.len() > FRAGMENTS_MAX {
        return Ok(whole);
    }
    let mut rounds =
        Rounds { build: &mut build, replaced: Replaced::new(), errors: BTreeMap::new() };
    let mut out: Vec<_> = whole.fragments.keys().cloned().collect();
    rounds.replaced = out.iter().map(|path| (path.clone(), None)).collect();
    let mut rest = (rounds.build)(&rounds.replaced)?;
    if rest.assembly.is_none() {
        return Ok(whole);
    }
    // A fragment may need a snippet of another one, so those that failed are tried again. Ends: the
    // last turn lets none in.
    loop {
        let before = out.len();
        let mut left = Vec::new();
        for path in out {
            if !rounds.admit(&path, None, &mut rest)? {
                left.push(path);
            }
        }
        out = left;
        if out.len() == before {
            break;
        }
    }
    for path in &out {
        if let Some(earlier) = good.get(path) {
            rounds.admit(path, Some(earlier.clone()), &mut rest)?;
        }
    }
    Ok(rounds.around(whole, rest))
}

/// The attempts at a configuration that serves.
struct Rounds<'b, B> {
    build: &'b mut B,
    replaced: Replaced,
    /// What was wrong with each fragment when it was tried last as its file has it.
    errors: BTreeMap<String, Vec<String>>,
}

impl<B: FnMut(&Replaced) -> io::Result<Built>> Rounds<'_, B> {
    /// Lets in a fragment that was left out: as its file has it, or with another text. Whether what
    /// comes of it can serve; then it is the rest from now on.
    fn admit(&mut self, path: &str, text: Option<String>, rest: &mut Built) -> io::Result<bool> {
        let is_file = text.is_none();
        match text {
            None => self.replaced.remove(path),
            Some(text) => self.replaced.insert(path.to_owned(), Some(text)),
        };
        let built = (self.build)(&self.replaced)?;
        let serves = built.assembly.is_some();
        if serves {
            *rest = built;
        } else {
            self.replaced.insert(path.to_owned(), None);
            if is_file {
                self.errors.insert(path.to_owned(), built.mistakes.lines(&built.sources).collect());
            }
        }
        Ok(serves)
    }

    /// What serves is the rest; the files that can mend what is wrong are those of the whole.
    fn around(mut self, whole: Built, rest: Built) -> Built {
        let set_aside = self.replaced.into_iter().map(|(path, instead)| SetAside {
            errors: self.errors.remove(&path).unwrap_or_default(),
            path,
            earlier: instead.is_some(),
        });
        let set_aside = set_aside.collect();
        let Built { text, everything, desired, .. } = whole;
        Built { set_aside, text, everything, desired, ..rest }
    }
}
