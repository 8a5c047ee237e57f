//! What people see when something is wrong. The snapshots are read by people too: each message says
//! what is wrong, where, and what to write instead.

use super::{World, check};

#[track_caller]
fn rendered(cases: &[&str], world: &World) -> String {
    let shown = cases.iter().map(|text| {
        let parsed = check(text.as_bytes(), world);
        parsed.mistakes.render(&parsed.sources, false)
    });
    shown.collect::<Vec<_>>().join("\n========\n\n")
}

#[test]
fn braces() {
    let cases = [
        ".:53 {\n    errors\n    cache 30\n",
        ".:53 {\n    hosts {\n        10.0.0.1 a\n    errors\n}\n",
        ".:53 {\n    hosts {\n        10.0.0.1 a\n    errors\n}\nexample.org {\n    errors\n}\n",
        ".:53 {\n    errors\n}\n}\n",
        ".:53 {\n    errors\n    }\n    cache 30\n}\n",
        "a.test\nb.test {\n    errors\n}\n",
        "example.org{\n    errors\n}\n",
        ".:53{\n    errors\n}\n",
        ".:53 { errors }\n",
        ".:53 {\n    health { lameduck 5s }\n}\n",
        ".:53 {\n    log\n    {\n        class error\n    }\n}\n",
        ".:53 {\n    forward . 10.0.0.1{\n        max_fails 1\n    }\n}\n",
        ".:53 {\n    hosts\n        10.0.0.1 a\n        10.0.0.2 b\n        fallthrough\n    }\n    errors\n}\n",
    ];
    insta::assert_snapshot!(rendered(&cases, &World::default()));
}

#[test]
fn words_and_keys() {
    let cases = [
        ".:53 {\n    forward . 8.8.8.8#53\n}\n",
        ".:53 {\n    log . \"{remote}\n    errors\n}\nb.test {\n    log \"x\n}\n",
        "a.test, {\n    errors\n}\n",
        "a..test, :53 b.test: tls//x .:99999 {\n    errors\n}\n",
        "_x.test htps://a.test a.test:dns 2001:db8::1 10.0.0/8 {\n    errors\n}\n",
        "::/0 {\n    errors\n}\n",
    ];
    insta::assert_snapshot!(rendered(&cases, &World::default()));
}

#[test]
fn imports_and_variables() {
    let world = World::with(
        &[
            ("/etc/coredns/custom/..data/x", ""),
            ("/etc/coredns/custom/a.override", "cahce 30\n"),
            ("/etc/coredns/loop", "import loop\n"),
        ],
        &[("LOOP", "{$LOOP}"), ("PLUGIN", "cahce")],
    );
    let cases = [
        "(common) {\n    foward . 10.0.0.1\n}\n\na.test {\n    import common\n}\n",
        ".:53 {\n    import custom/*.override\n}\n",
        ".:53 {\n    import custom/*\n}\n",
        ".:53 {\n    import commn\n}\n",
        "(common) {\n    errors\n}\n.:53 {\n    import (common)\n    import comon\n}\n",
        "import loop\n",
        ".:53 {\n    {$PLUGIN} 30\n    forward . {$UPSTREAM:8.8.8.8}\n    template IN A {\n        answer \"{{$x}}\"\n    }\n}\n",
        ".:53 {\n    forward . {$LOOP}\n}\n",
    ];
    insta::assert_snapshot!(rendered(&cases, &world));
}

#[test]
fn directives() {
    let cases = [
        ".:53 {\n    foward . 10.0.0.1\n    cache 30\n    lop\n}\n",
        ".:53 {\n    route53 example.org.:Z1\n    azure x:y\n    k8s_gateway example.org\n}\n",
    ];
    insta::assert_snapshot!(rendered(&cases, &World::default()));
}

#[test]
fn nothing_that_is_written_reaches_the_terminal_as_a_command() {
    let text = "(\u{1b}[2J) {\n foo\u{1b}[31m\n}\n. {\n import \u{1b}[2J\n import x\u{7}\n proxy \u{1b}[31m x\n}\nx\u{1b}[0m{\n";
    let mut parsed = check(text.as_bytes(), &World::default());
    parsed.mistakes.append(corefile::modernise(&mut parsed.blocks));
    let shown = parsed.mistakes.render(&parsed.sources, false);
    assert!(parsed.mistakes.iter().count() >= 5, "{shown}");
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
}
