//! Whatever octets there are: reading them ends, in bounds, without a panic.

use super::{KNOWN, World, check, codes, outline};
use corefile::{Mistakes, check_directives, content, format, migrate, parse};
use proptest::prelude::*;

/// A Corefile with everything in it.
const GOOD: &str = "\u{feff}(common) {\n    errors # first\n    log . \"{remote} \\\"{type}\\\"\n {rcode}\" {\n        class error\n    }\n}\r\n\
    .:{$PORT}, example.org 10.0.0.0/22,\ntls://b.test:853\n{\n    import common\n    import *.conf\n    hosts {\n        10.0.0.1 a {%NAME%}\n\
        \u{20}       import lines\n        fallthrough\n    }\n    forward . 10.0.0.1 {\n        x {\n            y \"\"\n        }\n    }\n}\n\
    c.test {\n    whoami\n}\n";

fn world() -> World {
    World::with(
        &[
            ("/etc/coredns/a.conf", "cache 30\n"),
            ("/etc/coredns/b.conf", "import lines\n"),
            ("/etc/coredns/lines", "whoami\n"),
        ],
        &[("PORT", "53"), ("NAME", "a.test")],
    )
}

/// Reads and renders in every way.
fn read(text: &[u8]) -> Mistakes {
    let parsed = check(text, &world());
    let shown = parsed.mistakes.render(&parsed.sources, true);
    assert!(shown.len() < 1 << 22, "{} octets of messages", shown.len());
    parsed.mistakes.to_json(&parsed.sources);
    assert_eq!(parsed.mistakes.lines(&parsed.sources).count(), parsed.mistakes.iter().count());
    outline(&parsed.blocks);
    content(&parsed.blocks);
    rewrite(text);
    parsed.mistakes
}

/// Lays out and migrates, if it can be read: doing so twice is doing so once.
fn rewrite(text: &[u8]) {
    let path = "/etc/coredns/Corefile";
    if let Ok(laid_out) = format(path, text) {
        assert_eq!(format(path, laid_out.as_bytes()).ok(), Some(laid_out));
    }
    if let Ok(migration) = migrate(path, text, &world(), None) {
        let again = migrate(path, migration.text.as_bytes(), &world(), None);
        assert_eq!(again.map(|again| again.text).ok(), Some(migration.text));
    }
}

#[test]
fn the_good_one_is_good() {
    assert_eq!(codes(&read(GOOD.as_bytes())), [""; 0]);
}

#[test]
fn limits_are_mistakes() {
    // Two to the power of sixty imports.
    let mut bomb = String::from("(s0) {\n errors\n}\n");
    for depth in 1..60 {
        bomb += &format!("(s{depth}) {{\n import s{0}\n import s{0}\n}}\n", depth - 1);
    }
    bomb += ". {\n import s59\n}\n";
    assert_eq!(codes(&read(bomb.as_bytes())), ["import-limit"]);

    let many = format!("(s) {{\n log\n}}\n. {{\n{}}}\n", " import s\n".repeat(10_001));
    assert_eq!(codes(&read(many.as_bytes())), ["import-limit"]);
    assert!(read(many.replacen(" import s\n", "", 1).as_bytes()).is_empty());

    let deep = format!(". {{\n log {}{}\n}}\n", "x {\n".repeat(10_000), "}\n".repeat(10_000));
    assert_eq!(codes(&read(deep.as_bytes())), ["too-deep"]);

    let long = ". {\n chaos ".to_owned() + &"x ".repeat(1_000_001) + "\n}\n";
    assert_eq!(codes(&parse("Corefile", long.as_bytes(), &()).mistakes), ["too-large"]);
    let braces = "}\n".repeat(1_000_001);
    assert_eq!(codes(&parse("Corefile", braces.as_bytes(), &()).mistakes), ["too-large"]);
    assert_eq!(codes(&read(&vec![b'#'; 17 << 20])), ["too-large"]);
    let networks = format!("{} {{\n log\n}}\n", "10.0.0.0/9 ".repeat(10_000));
    assert_eq!(codes(&read(networks.as_bytes())), ["too-large"]);
}

#[test]
fn a_file_that_is_no_corefile_has_a_bounded_number_of_mistakes() {
    let lines = "a_b: [c, d]\n".repeat(20_000);
    let mistakes = read(format!(". {{\n{lines}\n}}\n").as_bytes());
    assert_eq!(mistakes.iter().count(), 1);
    let mut known = KNOWN.iter().cycle();
    let lines: String =
        (0..20_000).map(|line| format!("{}{line}\n", known.next().unwrap())).collect();
    let mistakes = read(format!(". {{\n{lines}\n}}\n").as_bytes());
    assert!(mistakes.iter().count() <= 2 * Mistakes::MAX);
}

proptest! {
    #[test]
    fn any_octets(text in prop::collection::vec(any::<u8>(), 0..400)) {
        read(&text);
    }

    #[test]
    fn any_words(words in prop::collection::vec(
        prop::sample::select(vec![
            "{", "}", "\n", "\n", "import", "(s)", "s", ".", "a.test", ",", "\"", "#", "log", "hosts", "proxy", "kubernetes", "upstream", "# c\n", "x{", "{$PORT}", "{$NO}", "*.conf", "lines", "\\", "10.0.0.0/9", ":53",
        ]),
        0..60,
    )) {
        read(words.join(" ").as_bytes());
    }

    #[test]
    fn a_good_one_with_changes(
        cuts in prop::collection::vec((0..GOOD.len(), 0..12_usize, prop::sample::select(vec!["", "{", "}", "\n", "\"", "#", " ", "import ", "\u{ff}", ","])), 0..4),
    ) {
        let mut text = GOOD.as_bytes().to_vec();
        for (at, length, instead) in cuts {
            let at = at.min(text.len());
            let end = (at + length).min(text.len());
            text.splice(at..end, instead.bytes());
        }
        read(&text);
    }

    #[test]
    fn layout_does_not_change_the_content(blanks in "[ \t]{1,4}", comment in "#[ a-z{}\"]{0,9}") {
        let world = world();
        let changed = GOOD.replace("    ", &blanks).replace("{\n", &format!("{{ {comment}\n\n"));
        let (before, after) = (check(GOOD.as_bytes(), &world), check(changed.as_bytes(), &world));
        prop_assert_eq!(content(&before.blocks), content(&after.blocks));
        prop_assert!(check_directives(&after.blocks, KNOWN).is_empty());
        let other = check(GOOD.replace("fallthrough", "fallthrough a").as_bytes(), &world);
        prop_assert!(content(&before.blocks) != content(&other.blocks));
    }
}
