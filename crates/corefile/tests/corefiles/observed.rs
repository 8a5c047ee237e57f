//! What CoreDNS 1.14.7 did with these Corefiles when it was started with them on loopback, and what
//! we make of them. Nothing that it loads may be an error here.

use super::{World, check, codes, outline};

/// What CoreDNS did.
#[derive(Clone, Copy)]
enum Seen {
    /// It started.
    Loads,
    /// It printed this and ended.
    Refuses(&'static str),
}
use Seen::{Loads, Refuses};

struct Case {
    text: &'static str,
    seen: Seen,
    /// What we read.
    outline: &'static str,
    /// What we say.
    codes: &'static [&'static str],
}

const fn case(
    text: &'static str,
    seen: Seen,
    outline: &'static str,
    codes: &'static [&'static str],
) -> Case {
    Case { text, seen, outline, codes }
}

#[track_caller]
fn verify(case: &Case, world: &World) {
    let parsed = check(case.text.as_bytes(), world);
    let shown = parsed.mistakes.render(&parsed.sources, false);
    let said = codes(&parsed.mistakes);
    match case.seen {
        Loads => assert_eq!(parsed.mistakes.errors(), 0, "{}\n{shown}", case.text),
        Refuses(why) => assert!(parsed.mistakes.has_errors(), "{}\nCoreDNS: {why}", case.text),
    }
    assert_eq!(outline(&parsed.blocks), case.outline, "{}\n{shown}", case.text);
    assert_eq!(said, case.codes, "{}\n{shown}", case.text);
}

#[test]
fn braces() {
    let cases = [
        case(". {\n whoami\n}\n", Loads, ". | whoami", &[]),
        case(".\n{\n whoami\n}\n", Loads, ". | whoami", &[]),
        case(".\nwhoami\n", Loads, ". | whoami", &[]),
        case(".\nwhoami\nlog {\n class error\n}\n", Loads, ". | whoami; log {class error}", &[]),
        case(". {\n}\n", Loads, ". | ", &[]),
        case(". {\n errors {\n }\n whoami\n}\n", Loads, ". | errors {}; whoami", &[]),
        case(". { errors\n whoami\n}\n", Loads, ". | errors; whoami", &[]),
        // It takes the second brace for the zone `}.`
        case(". {\n whoami\n}\n}\n", Loads, ". | whoami", &["stray-close"]),
        case("} chaos\n errors\n", Loads, "chaos | errors", &["stray-close"]),
        case("(s)", Loads, "(s) | ", &["odd-key"]),
        case("}\n", Loads, "", &["stray-close"]),
        case(
            ". {\n whoami\n}\n}\n}\nb.test {\n whoami\n}\n",
            Loads,
            ". | whoami\nb.test | whoami",
            &["stray-close"],
        ),
        case(
            ". {\n whoami\n}\n}\nb.test {\n whoami\n}\n",
            Refuses("Unknown directive 'b.test'"),
            ". | whoami\nb.test | whoami",
            &["stray-close"],
        ),
        // It serves the zones `cache.` and `30.`
        case(
            ". {\n errors\n }\n cache 30\n}\n",
            Loads,
            ". | errors\ncache 30 | ",
            &["odd-key", "stray-close"],
        ),
        case(
            ". {\n whoami\n",
            Refuses("Syntax error: Unexpected token 'whoami', expecting '}'"),
            ". | whoami",
            &["unclosed"],
        ),
        case(". {\n hosts {\n 10.0.0.1 a\n }\n", Loads, ". | hosts {10.0.0.1 a}", &["unclosed"]),
        case(
            ". {\n hosts {\n 10.0.0.1 a\n",
            Refuses("Unexpected EOF"),
            ". | hosts {10.0.0.1 a}",
            &["unclosed"],
        ),
        case(
            ". {\n whoami\na.test {\n whoami\n}\n",
            Refuses("Unknown directive 'a.test'"),
            ". | whoami\na.test | whoami",
            &["unclosed"],
        ),
        case(
            "a.test\nb.test {\n whoami\n}\n",
            Refuses("Unknown directive 'b.test'"),
            "a.test | \nb.test | whoami",
            &["unclosed"],
        ),
        // The block is checked and forgotten.
        case("{\n whoami\n}\n. {\n whoami\n}\n", Loads, " | whoami\n. | whoami", &["no-keys"]),
        case("\"\"\n{\n whoami\n}\n", Loads, " | whoami", &["no-keys"]),
        case(
            "{\n foo\n}\n",
            Refuses("Unknown directive 'foo'"),
            " | foo",
            &["no-keys", "unknown-directive"],
        ),
        case(
            ". {\n {\n whoami\n }\n}\n",
            Refuses("Unknown directive '{'"),
            ". | ",
            &["stray-open"],
        ),
        case(". \"{\"\n whoami\n \"}\"\n", Loads, ". | whoami", &["quoted-brace", "quoted-brace"]),
    ];
    cases.iter().for_each(|case| verify(case, &World::default()));
}

#[test]
fn braces_without_a_line_of_their_own() {
    let cases = [
        case(
            ". { whoami }\n",
            Refuses("Unexpected '}' because no matching opening brace"),
            ". | whoami",
            &["close-not-alone"],
        ),
        case(
            ". {\n log {\n class error\n } }\n",
            Refuses("Unexpected '}' because no matching opening brace"),
            ". | log {class error}",
            &["close-not-alone"],
        ),
        case(
            ". {\n errors { stacktrace }\n whoami\n}\n",
            Loads,
            ". | errors {stacktrace}; whoami",
            &["close-not-alone"],
        ),
        // It has a host called `}` then.
        case(
            ". {\n hosts { 10.0.0.1 a.test }\n whoami\n}\n",
            Loads,
            ". | hosts {10.0.0.1 a.test}; whoami",
            &["close-not-alone"],
        ),
        // `foo` is the name of a second `log`.
        case(
            ". {\n log {\n class error\n } foo\n whoami\n}\n",
            Loads,
            ". | log {class error}; log; whoami",
            &["words-after-close"],
        ),
        // Each line is a `log` of its own, of the zone `error.` for one.
        case(
            ". {\n log\n {\n class error\n }\n whoami\n}\n",
            Loads,
            ". | log {class error}; whoami",
            &["brace-on-next-line"],
        ),
        case("example.org{\n whoami\n}\n", Loads, "example.org{ | whoami", &["odd-key"]),
        case(
            ".:53{\n whoami\n}\n",
            Refuses("zone is not a valid domain name: .:53{"),
            " | whoami",
            &["glued-brace"],
        ),
        case(
            ". {\n forward . 10.0.0.1{\n max_fails 3\n }\n whoami\n}\n",
            Refuses("Unknown directive 'max_fails'"),
            ". | forward . 10.0.0.1 {max_fails 3}; whoami",
            &["glued-brace"],
        ),
    ];
    cases.iter().for_each(|case| verify(case, &World::default()));
}

#[test]
fn keys() {
    let cases = [
        case("a.test b.test {\n whoami\n}\n", Loads, "a.test b.test | whoami", &[]),
        case("a.test,\n\n b.test\n{\n whoami\n}\n", Loads, "a.test b.test | whoami", &[]),
        case("\"a.test,\" \"b.test\" {\n whoami\n}\n", Loads, "a.test b.test | whoami", &[]),
        case("\"\" a.test {\n whoami\n}\n", Loads, "a.test | whoami", &[]),
        case("a.test,, b.test {\n whoami\n}\n", Loads, "a.test, b.test | whoami", &["odd-key"]),
        case(
            "a.test , b.test {\n whoami\n}\n",
            Refuses("expecting data after last colon: \"\""),
            "a.test b.test | whoami",
            &["bad-key"],
        ),
        case(
            "a.test, {\n whoami\n}\n",
            Refuses("Expected another address but had '{' - check for extra comma"),
            "a.test | whoami",
            &["dangling-comma"],
        ),
        case("a.test,\n", Refuses("Unexpected EOF"), "a.test | ", &["dangling-comma"]),
        case("a.test", Loads, "a.test | ", &[]),
        case("", Loads, "", &[]),
        case("# only\n", Loads, "", &[]),
        case("a.test import x {\n whoami\n}\n", Loads, "a.test import x | whoami", &[]),
        case("(a), b.test {\n whoami\n}\n", Loads, "(a) b.test | whoami", &["odd-key"]),
        case("(s t) {\n whoami\n}\n", Loads, "(s t) | whoami", &["odd-key", "odd-key"]),
    ];
    cases.iter().for_each(|case| verify(case, &World::default()));
}

#[test]
fn words() {
    let cases = [
        case("\u{feff}a.test\r\n{\r\nwhoami\r\n}\r\n", Loads, "a.test | whoami", &[]),
        case("a.te\rst {\n whoami\n}\n", Loads, "a.test | whoami", &[]),
        case(
            "a.test\u{a0}b.test\u{2003}c.test {\n whoami\n}\n",
            Loads,
            "a.test b.test c.test | whoami",
            &[],
        ),
        case("a.test #c.test\n{ # x {\n whoami # }\n}\n", Loads, "a.test | whoami", &[]),
        case(
            "a.test x#y.test z.test {\n whoami\n}\n",
            Loads,
            "a.test x z.test | whoami",
            &["hash-in-word"],
        ),
        case(
            "\"b.test\"c.test d\"e.test {\n whoami\n}\n",
            Loads,
            "b.test c.test d\"e.test | whoami",
            &["glued-quote", "odd-key"],
        ),
        case(
            ". {\n chaos \"v 1\" \"\" x\"y \"a\nb\" c\n}\n",
            Loads,
            ". | chaos \"v 1\" \"\" x\"y \"a\nb\" c",
            &[],
        ),
        case(". {\n whoami\n}\n\"abc", Loads, ". | whoami\nabc | ", &["unclosed-quote"]),
        case(". {\n whoami\n}\n\"", Loads, ". | whoami", &["unclosed-quote"]),
        case(". {\n \"whoami\"\n}\n", Loads, ". | whoami", &[]),
    ];
    cases.iter().for_each(|case| verify(case, &World::default()));
    let odd = check(b"a.test\xff\xe2\x82x.test {\n whoami\n}\n", &World::default());
    assert_eq!(odd.blocks[0].keys[0].zones, ["a.test\u{fffd}\u{fffd}\u{fffd}x.test."]);
    assert_eq!(codes(&odd.mistakes), ["odd-key", "not-utf-8"]);
}

#[test]
fn variables() {
    let world = World::with(
        &[("/etc/coredns/d/keys", "k1.test k2.test\n")],
        &[
            ("A", "aa"),
            ("IMP", "import"),
            ("W", "whoami"),
            ("S", "s"),
            ("ML", "x\ny"),
            ("SP", "p q"),
            ("COMMA", "a.test,"),
            ("BR", "{"),
            ("LOOP", "{$LOOP}"),
        ],
    );
    let cases = [
        case(
            "{$A}.test x{%A%}.test {\n chaos {$A}{$A} \"{$SP}\" {$SP}\n}\n",
            Loads,
            "aa.test xaa.test | chaos aaaa \"p q\" \"p q\"",
            &[],
        ),
        case(
            "{$NO} x{$NO}.test {\n whoami\n}\n",
            Loads,
            "x.test | whoami",
            &["unset-variable", "unset-variable"],
        ),
        case("x{$A:b}.test {\n whoami\n}\n", Loads, "x.test | whoami", &["unset-variable"]),
        case("{$COMMA} b.test {\n {$W}\n}\n", Loads, "a.test b.test | whoami", &[]),
        case("{$IMP} d/keys\n{\n whoami\n}\n", Loads, "k1.test k2.test | whoami", &[]),
        case(
            ". {\n {$IMP} d/keys\n}\n",
            Refuses("Unknown directive 'import'"),
            ". | import d/keys",
            &["unknown-directive"],
        ),
        case(
            ". {\n {$NO}\n whoami\n}\n",
            Refuses("Unknown directive ''"),
            ". | \"\"; whoami",
            &["unset-variable", "unknown-directive"],
        ),
        case("(s) {\n whoami\n}\n. {\n import {$S}\n}\n", Loads, ". | whoami", &[]),
        case(". {\n chaos \"{$ML}\" y\n}\n", Loads, ". | chaos \"x\ny\" y", &[]),
        // It hangs.
        case(
            "a.test {\n chaos {$LOOP}\n}\n",
            Refuses(""),
            "a.test | chaos {$LOOP}",
            &["endless-variable"],
        ),
    ];
    cases.iter().for_each(|case| verify(case, &world));
}

#[test]
fn snippets() {
    let cases = [
        case("(s) {\n whoami\n}\n. {\n import s\n errors\n}\n", Loads, ". | whoami; errors", &[]),
        case(
            "(s) {\n class error\n}\n. {\n log {\n import s\n class denial\n }\n}\n",
            Loads,
            ". | log {class error; class denial}",
            &[],
        ),
        case(
            "(s) {\n whoami\n}\n(t) {\n import s\n}\n. {\n import t\n}\n",
            Loads,
            ". | whoami",
            &[],
        ),
        case("(s) {\n a.test {\n  whoami\n }\n}\nimport s\n", Loads, "a.test | whoami", &[]),
        case("(x) {\n whoami\n}\nb.test {\n \"import\" x\n}\n", Loads, "b.test | whoami", &[]),
        case("() {\n whoami\n}\n. {\n whoami\n}\n", Loads, ". | whoami", &[]),
        // A snippet that nobody uses is not looked into.
        case(
            "(a) {\n import b\n}\n(b) {\n import a\n}\n. {\n whoami\n}\n",
            Loads,
            ". | whoami",
            &[],
        ),
        case(
            "(s) {\n whoami\n}\n. {\n import (s)\n}\n",
            Refuses("File to import not found: (s)"),
            ". | ",
            &["import-not-found"],
        ),
        case(
            ". {\n import s\n}\n(s) {\n whoami\n}\n",
            Refuses("File to import not found: s"),
            ". | ",
            &["import-not-found"],
        ),
        case(
            "(s) {\n whoami\n}\n(s) {\n errors\n}\n. {\n import s\n}\n",
            Refuses("redeclaration of previously declared snippet s"),
            ". | whoami",
            &["bad-snippet"],
        ),
        case(
            "(s)\n whoami\n",
            Refuses("Syntax error: Unexpected token 'whoami', expecting '{'"),
            "",
            &["bad-snippet"],
        ),
        case(
            "(s) {\n whoami\n",
            Refuses("Syntax error: Unexpected token 'whoami', expecting '}'"),
            "",
            &["unclosed"],
        ),
        case(
            "(a) {\n import a\n}\n",
            Refuses("maximum snippet import depth (10000) exceeded"),
            "",
            &["import-cycle"],
        ),
        case(
            "(a) {\n import b\n}\n(b) {\n import a\n}\n. {\n import a\n}\n",
            Refuses("maximum snippet import depth (10000) exceeded"),
            ". | ",
            &["import-cycle"],
        ),
    ];
    cases.iter().for_each(|case| verify(case, &World::default()));
}

#[test]
fn imports() {
    let world = World::with(
        &[
            ("/etc/coredns/Corefile", "import Corefile\n"),
            ("/etc/coredns/d/keys", "k1.test k2.test\n"),
            ("/etc/coredns/d/body", "whoami\n"),
            ("/etc/coredns/d/class", "class error\n"),
            ("/etc/coredns/d/nobrace", "log {\n"),
            ("/etc/coredns/d/here", "import body\n"),
            ("/etc/coredns/dots/.h", "h.test {\n whoami\n}\n"),
            ("/etc/coredns/dots/v", "v.test {\n whoami\n}\n"),
            ("/etc/coredns/custom/..data/x", ""),
            ("/etc/coredns/custom/x.override", "errors\n"),
            ("/opt/a.conf", "log\n"),
        ],
        &[],
    );
    let cases = [
        case("import dots/*\n", Loads, "h.test | whoami\nv.test | whoami", &[]),
        case("import d/keys\n{\n whoami\n}\n", Loads, "k1.test k2.test | whoami", &[]),
        case(
            "a.test,\nimport d/keys\n{\n whoami\n}\n",
            Loads,
            "a.test k1.test k2.test | whoami",
            &[],
        ),
        case(
            ". {\n log {\n import d/class\n }\n import d/body\n}\n",
            Loads,
            ". | log {class error}; whoami",
            &[],
        ),
        case(". { import d/body\n}\n", Loads, ". | whoami", &[]),
        // Relative to the file that has the `import`.
        case(". {\n import d/here\n import ./d/../d/body\n}\n", Loads, ". | whoami; whoami", &[]),
        case(
            ". {\n import /opt/?.conf\n import custom/*.override\n}\n",
            Loads,
            ". | log; errors",
            &[],
        ),
        // The `}` closes `log`, and the end of the file the server block.
        case("a.test {\n import d/nobrace\n}\n", Loads, "a.test | log {}", &["unclosed"]),
        case(
            "import empty/*\na.test {\n whoami\n}\n",
            Loads,
            "a.test | whoami",
            &["import-not-found"],
        ),
        case(
            "a.test {\n whoami\n}\nimport empty/*",
            Loads,
            "a.test | whoami",
            &["import-not-found"],
        ),
        case(
            "import d/nonexist]\na.test {\n whoami\n}\n",
            Loads,
            "a.test | whoami",
            &["import-not-found"],
        ),
        case(
            "a.test {\n whoami\nimport empty/*",
            Refuses("Syntax error: Unexpected token 'whoami', expecting '}'"),
            "a.test | whoami",
            &["unclosed", "import-not-found"],
        ),
        case(
            "import d/keys {\n whoami\n}\n",
            Refuses("Import takes only one argument (glob pattern or file)"),
            "k1.test k2.test | whoami",
            &["import-syntax"],
        ),
        case(
            ". {\n import d/body d/body\n errors\n}\n",
            Refuses("Import takes only one argument (glob pattern or file)"),
            ". | errors",
            &["import-syntax"],
        ),
        case(
            ". {\n import\n errors\n}\n",
            Refuses("Wrong argument count or unexpected line ending after 'import'"),
            ". | errors",
            &["import-syntax"],
        ),
        case(
            ". {\n import \"\"\n}\n",
            Refuses("Import requires a non-empty filepath"),
            ". | ",
            &["import-syntax"],
        ),
        case(
            ". {\n import */*.x\n}\n",
            Refuses("Glob pattern may only contain one wildcard (*), but has others"),
            ". | ",
            &["import-syntax"],
        ),
        case(
            ". {\n import [ab].x\n}\n",
            Refuses("Glob pattern may only contain one wildcard (*), but has others"),
            ". | ",
            &["import-syntax"],
        ),
        case(
            ". {\n import d/x[y\n}\n",
            Refuses("Failed to use import pattern d/x[y: syntax error in pattern"),
            ". | ",
            &["import-syntax"],
        ),
        case(
            ". {\n import d\n}\n",
            Refuses("Could not import /etc/coredns/d: is a directory"),
            ". | ",
            &["import-unreadable"],
        ),
        case(
            ". {\n import custom/*\n}\n",
            Refuses("Could not import /etc/coredns/custom/..data: is a directory"),
            ". | ",
            &["import-unreadable"],
        ),
        case(
            ". {\n import nope\n}\n",
            Refuses("File to import not found: nope"),
            ". | ",
            &["import-not-found"],
        ),
        // It takes minutes and gigabytes until it says `maximum file import depth (10000)
        // exceeded`.
        case(
            "import Corefile\n",
            Refuses("maximum file import depth (10000) exceeded"),
            "",
            &["import-cycle"],
        ),
    ];
    cases.iter().for_each(|case| verify(case, &world));
}

/// What the deployment repository, the Helm chart and NodeLocal DNSCache ship, with the changes
/// that people make to it. All of it loads in CoreDNS.
#[test]
fn corefiles_that_are_shipped_have_no_mistake() {
    let world = World::with(
        &[
            (
                "/etc/coredns/custom/a.server",
                "stub.test:53 {\n    errors\n    forward . 10.0.0.9\n}\n",
            ),
            ("/etc/coredns/custom/b.override", "log\n"),
            ("/etc/coredns/custom/..data/a.server", ""),
        ],
        &[],
    );
    let deployment = "\
.:53 {
    errors
    health {
      lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
      fallthrough in-addr.arpa ip6.arpa
    }
    prometheus :9153
    forward . /etc/resolv.conf {
      max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
    import custom/*.override
}
import custom/*.server
";
    let helm = "\
dns://example.org:53 tls://example.org:853 {
    errors
    health {
        lameduck 10s
    }
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        ttl 30
    }
    prometheus 0.0.0.0:9153
    template ANY ANY example.net {
        match \"^[^.]+\\\\.(?P<a>[a-z]+)\\\\.$\"
        answer \"{{ .Name }} 60 IN CNAME {{ .Group.a }}.example.org.\"
    }
    log . \"{remote}:{port} - {>id} \\\"{type} {class} {name}\\\" {rcode}\"
}
";
    let node_local = "\
cluster.local:53 {
    errors
    cache {
            success 9984 30
            denial 9984 5
    }
    reload
    loop
    bind 169.254.20.10 10.96.0.10
    forward . 10.96.0.11 {
            force_tcp
    }
    prometheus :9253
    health 169.254.20.10:8080
    }
in-addr.arpa:53 {
    errors
    cache 30
    }
.:53 {
    errors
    forward . /etc/resolv.conf
    }
";
    for (text, blocks) in [(deployment, 2), (helm, 1), (node_local, 3)] {
        for text in [text.to_owned(), text.replace('\n', "\r\n"), text.replace("    ", "\t")] {
            let parsed = check(text.as_bytes(), &world);
            let shown = parsed.mistakes.render(&parsed.sources, false);
            assert!(parsed.mistakes.is_empty(), "{shown}");
            assert_eq!(parsed.blocks.len(), blocks);
        }
    }
}
