//! The rules of the house that a compiler does not know: which crate may use which, where `unsafe`
//! may stand, what files look like.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Whom each crate may use. An edge that is not here is a change of the design, see ARCHITECTURE.md.
const EDGES: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("corefile", &[]),
    ("zone", &["wire"]),
    ("chain", &["wire"]),
    ("cluster", &["wire"]),
    ("upstream", &["wire"]),
    ("listen", &["chain", "wire"]),
    ("plugins", &["chain", "cluster", "corefile", "upstream", "wire", "zone"]),
    ("lint", &["corefile"]),
    ("server", &["chain", "corefile", "lint", "listen", "plugins", "wire"]),
    ("testkit", &["wire"]),
    ("bench", &["listen", "testkit", "wire"]),
    ("xtask", &["bench", "testkit"]),
];

/// Whom tests may use beside that.
const TEST_EDGES: &[&str] = &["testkit", "wire", "chain", "listen", "plugins", "xtask"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The dependencies of a manifest, by section.
fn dependencies(manifest: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut sections = BTreeMap::<String, BTreeSet<String>>::new();
    let mut section = String::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.to_owned();
        } else if section.ends_with("dependencies")
            && let Some((name, _)) = line.split_once(['=', '.'])
            && !line.starts_with('#')
        {
            sections.entry(section.clone()).or_default().insert(name.trim().to_owned());
        }
    }
    sections
}

fn members() -> Vec<(String, PathBuf)> {
    let crates = fs::read_dir(root().join("crates")).unwrap();
    let mut members: Vec<_> = crates.map(|entry| entry.unwrap().path()).collect();
    members.extend([root().join("bench"), root().join("xtask")]);
    let named = |path: PathBuf| (path.file_name().unwrap().to_str().unwrap().to_owned(), path);
    members.into_iter().map(named).collect()
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file under `part` of every member, with its text.
fn files(part: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for (_, path) in members() {
        if path.join(part).is_dir() {
            sources(&path.join(part), &mut found);
        }
    }
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn no_edge_between_crates_but_those_of_the_design() {
    let names: BTreeSet<_> = EDGES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut wrong = Vec::new();
    for (member, path) in members() {
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == member) else {
            panic!("{member} is a crate that the design does not know");
        };
        let manifest = fs::read_to_string(path.join("Cargo.toml")).unwrap();
        for (section, used) in dependencies(&manifest) {
            for other in used.intersection(&names) {
                let for_tests = section.starts_with("dev-") && TEST_EDGES.contains(&other.as_str());
                if !allowed.contains(&other.as_str()) && !for_tests {
                    wrong.push(format!("{member} -> {other} ({section})"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "forbidden edges: {}", wrong.join(", "));
}

#[test]
fn unsafe_stands_where_it_may() {
    let allowed = ["crates/listen/src/mmsg", "crates/testkit/src/alloc.rs"];
    for (path, text) in files("src") {
        let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let may = allowed.iter().any(|allowed| path.starts_with(allowed));
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let uses = code.into_iter().any(|line| {
            line.contains("unsafe {") || line.contains("unsafe impl") || line.contains("unsafe fn")
        });
        assert!(may || !uses, "{path} uses unsafe");
    }
    for (member, path) in members() {
        let names = ["src/lib.rs", "src/main.rs"].map(|name| path.join(name));
        for root in names.iter().filter(|path| path.exists()) {
            let text = fs::read_to_string(root).unwrap();
            let forbids = text.contains("#![forbid(unsafe_code)]");
            let excused = member == "listen" || member == "testkit";
            assert!(forbids || excused, "{} does not forbid unsafe code", root.display());
        }
    }
}

#[test]
fn every_module_says_what_it_is() {
    for (path, text) in files("src") {
        assert!(text.starts_with("//! "), "{} does not open with what it is", path.display());
    }
}

#[test]
fn a_file_is_one_noun() {
    let long: Vec<_> = files("src")
        .into_iter()
        .filter_map(|(path, text)| {
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap().lines().count();
            (code > 550).then(|| format!("{} has {code} lines", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn nothing_waits_by_sleeping_on_a_thread() {
    for (path, text) in files("src").into_iter().chain(files("tests")) {
        let outside = path
            .components()
            .any(|part| matches!(part.as_os_str().to_str(), Some("bench" | "xtask" | "testkit")));
        assert!(
            outside || !text.contains("thread::sleep"),
            "{} sleeps instead of waiting for something",
            path.display()
        );
    }
}

#[test]
fn texts_name_no_machine() {
    // Put together here, so that this file does not match itself.
    let banned =
        [["/ro", "ot/"].concat(), ["/wo", "rk/"].concat(), ["localhost", ":5000"].concat()];
    let mut texts = files("src");
    texts.extend(files("tests"));
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        if let Ok(text) = fs::read_to_string(root().join(name)) {
            texts.push((root().join(name), text));
        }
    }
    for (path, text) in texts {
        for banned in &banned {
            assert!(!text.contains(banned), "{} names {banned}", path.display());
        }
    }
}

/// What operators see is written down, and what is written down is there.
#[test]
fn every_metric_of_ours_is_in_the_manual() {
    let words = |text: &str| -> BTreeSet<String> {
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        words.filter(|word| word.starts_with("rutter_")).map(str::to_owned).collect()
    };
    let mut counted = BTreeSet::new();
    for (_, text) in files("src") {
        counted.extend(words(text.split("#[cfg(test)]").next().unwrap_or_default()));
    }
    let manual = words(&fs::read_to_string(root().join("docs/metrics.md")).unwrap());
    let manual = manual.into_iter().filter(|word| word != "rutter_").collect();
    assert_eq!(counted, manual);
}
