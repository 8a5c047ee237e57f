//! Paths as text, and patterns for them.

use crate::Surroundings;

/// Matches of one pattern; as many as files are imported at all.
const MATCHES_MAX: usize = super::import::FILES_MAX;

/// The path of `target` as seen from the file `from`.
pub(super) fn beside(from: &str, target: &str) -> String {
    if target.starts_with('/') {
        return target.to_owned();
    }
    match from.rsplit_once('/') {
        Some((directory, _)) => clean(&format!("{directory}/{target}")),
        None => clean(target),
    }
}

/// The shortest path for the same place: no `.`, no `//`, `..` taken back where it can be.
pub(super) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => _ = parts.pop(),
            ".." if path.starts_with('/') => {}
            _ => parts.push(part),
        }
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

/// Whether a path is a pattern.
pub(super) fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?'])
}

/// Whether it is a pattern that CoreDNS refuses because it might match too much.
pub(super) fn is_bad_pattern(path: &str) -> bool {
    path.matches('*').count() > 1 || path.matches('?').count() > 1 || path.contains('[')
}

/// The paths that match, in order.
///
/// `*` stands for any characters of a name and `?` for one; both match a dot at the beginning.
pub(super) fn matching(pattern: &str, surroundings: &dyn Surroundings) -> Vec<String> {
    let mut found = vec![if pattern.starts_with('/') { "/" } else { "" }.to_owned()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for directory in found {
            if !is_pattern(part) {
                next.push(joined(&directory, part));
                continue;
            }
            let mut names = surroundings.list(&directory);
            names.retain(|name| matches(part, name));
            names.sort_unstable();
            next.extend(names.iter().map(|name| joined(&directory, name)));
        }
        next.truncate(MATCHES_MAX);
        found = next;
    }
    found
}

fn joined(directory: &str, name: &str) -> String {
    let slash = if directory.is_empty() || directory.ends_with('/') { "" } else { "/" };
    format!("{directory}{slash}{name}")
}

/// Whether a name matches a pattern with at most one `*` and one `?`.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((before, behind)) = pattern.split_once('*') else {
        return matches_each(pattern, name);
    };
    // A `?` takes one character, however many octets it has.
    let (head, tail) = (before.chars().count(), behind.chars().count());
    let length = name.chars().count();
    let split = |count| name.char_indices().nth(count).map_or(name.len(), |(at, _)| at);
    head + tail <= length
        && matches_each(before, &name[..split(head)])
        && matches_each(behind, &name[split(length - tail)..])
}

/// Whether a name matches a pattern without `*`.
fn matches_each(pattern: &str, name: &str) -> bool {
    let mut letters = name.chars();
    pattern.chars().all(|c| letters.next().is_some_and(|letter| c == '?' || c == letter))
        && letters.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unreadable;
    use proptest::prelude::*;

    struct Tree;

    impl Surroundings for Tree {
        fn read(&self, _path: &str) -> Result<Vec<u8>, Unreadable> {
            Err(Unreadable::Missing)
        }

        fn list(&self, directory: &str) -> Vec<String> {
            let names: &[&str] = match directory {
                "/etc" => &["b", "a", "..data"],
                "/etc/a" | "/etc/b" => &["x.conf", "y.conf", "ü"],
                _ => &[],
            };
            names.iter().map(|&name| name.to_owned()).collect()
        }

        fn variable(&self, _name: &str) -> Option<String> {
            None
        }
    }

    #[test]
    fn a_path_is_seen_from_the_file_that_names_it() {
        assert_eq!(
            beside("/etc/coredns/Corefile", "custom/*.server"),
            "/etc/coredns/custom/*.server"
        );
        assert_eq!(beside("/etc/coredns/Corefile", "../x//./y"), "/etc/x/y");
        assert_eq!(beside("/etc/coredns/Corefile", "/opt/x"), "/opt/x");
        assert_eq!(beside("Corefile", "x"), "x");
        assert_eq!(beside("conf/Corefile", "../../x"), "../x");
        assert_eq!(beside("/Corefile", "../x"), "/x");
    }

    #[test]
    fn patterns_match_names_and_nothing_beyond_them() {
        for (pattern, name) in [
            ("*", "..data"),
            ("*.conf", "x.conf"),
            ("a?c*", "abc"),
            ("*?", "a"),
            ("?", "ü"),
            ("a*", "a"),
            ("*ü?", "xüy"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*.conf", "x.con"),
            ("a*a", "a"),
            ("?", ""),
            ("?", "ab"),
            ("*?", ""),
            ("", "a"),
            ("*x", "ü"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn patterns_are_followed_in_order() {
        let found = matching("/etc/*/x.conf", &Tree);
        assert_eq!(found, ["/etc/..data/x.conf", "/etc/a/x.conf", "/etc/b/x.conf"]);
        assert_eq!(matching("/etc/?/*.conf", &Tree).len(), 4);
        assert!(matching("/var/*", &Tree).is_empty());
    }

    proptest! {
        #[test]
        fn any_pattern_ends(pattern in "[a*?/.ü]{0,12}", name in "[a.ü]{0,8}") {
            matches(&pattern, &name);
            matching(&pattern, &Tree);
            prop_assert_eq!(clean(&clean(&pattern)), clean(&pattern));
        }
    }
}
