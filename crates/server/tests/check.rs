//! `rutter check`: what it finds, where it says that is, and how it says so.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

const KUBEADM: &str = "\
.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . 192.0.2.1 {
       max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
";

/// Runs `check` in a directory with something on its standard input.
fn check(directory: &Path, words: &[&str], stdin: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rutter"));
    command.arg("check").args(words).current_dir(directory);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Who reads a file does not read this.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap()
}

/// What is found in a text, as codes with lines.
fn found(directory: &Path, words: &[&str], stdin: &str) -> Vec<(String, u64)> {
    let mut all = vec!["--format", "json"];
    all.extend(words);
    let output = check(directory, &all, stdin);
    let findings: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}{}", text(&output.stdout), text(&output.stderr)));
    let finding = |finding: &Value| {
        (finding["code"].as_str().unwrap().to_owned(), finding["line"].as_u64().unwrap())
    };
    let found: Vec<_> = findings.as_array().unwrap().iter().map(finding).collect();
    assert_eq!(code(&output), i32::from(!found.is_empty()));
    found
}

/// The examples of a page: what stands behind the fence, and the text.
fn fences(page: &str) -> Vec<(&str, String)> {
    let mut fences: Vec<(&str, String)> = Vec::new();
    let mut is_open = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(info) if !is_open => {
                fences.push((info, String::new()));
                is_open = true;
            }
            Some(_) => is_open = false,
            None if is_open => {
                let (_, text) = fences.last_mut().unwrap();
                *text += line;
                *text += "\n";
            }
            None => {}
        }
    }
    fences
}

/// Codes whose cause cannot be printed, or is too large to be: the tests of `corefile` have them.
const WITHOUT_EXAMPLE: &[&str] =
    &["not-utf-8", "too-large", "too-deep", "import-limit", "endless-variable"];

#[test]
fn every_page_shows_its_mistake_and_how_to_put_it_right() {
    let mut wrong_pages = Vec::new();
    for (slug, page) in lint::PAGES {
        let folder = tempfile::tempdir().unwrap();
        let mut words = Vec::new();
        let mut examples = 0;
        for (info, content) in fences(page) {
            let (kind, rest) = info.split_once(' ').unwrap_or((info, ""));
            if kind == "file" {
                let path = folder.path().join(rest);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, content).unwrap();
            } else if kind == "console" {
                let command = content.trim().strip_prefix("$ rutter check ").unwrap();
                words = command
                    .strip_suffix(" Corefile")
                    .unwrap()
                    .split(' ')
                    .map(str::to_owned)
                    .collect();
            } else {
                examples += 1;
                std::fs::write(folder.path().join("Corefile"), content).unwrap();
                let words: Vec<_> = words.iter().map(String::as_str).collect();
                let found = found(folder.path(), &words, "");
                let lines: Vec<_> = found.iter().filter(|f| f.0 == *slug).map(|f| f.1).collect();
                let wanted = rest.strip_prefix("wrong:").map(|line| line.parse().unwrap());
                if lines != wanted.into_iter().collect::<Vec<u64>>() {
                    wrong_pages.push(format!("{slug} ({rest}): {found:?}"));
                }
                let has_error = wanted.is_none()
                    && code(&check(folder.path(), &["--severity", "error"], "")) != 0;
                if has_error {
                    wrong_pages.push(format!("{slug}: what is right has errors: {found:?}"));
                }
            }
        }
        let wanted = if WITHOUT_EXAMPLE.contains(slug) { 0 } else { 2 };
        assert_eq!(examples, wanted, "{slug}");
    }
    assert!(wrong_pages.is_empty(), "{}", wrong_pages.join("\n"));
}

#[test]
fn the_page_is_printed_and_an_unknown_code_is_a_wrong_command() {
    let here = Path::new(".");
    let output = check(here, &["--explain", "forward-to-self"], "");
    assert_eq!((code(&output), text(&output.stdout)), (0, lint::page("forward-to-self").unwrap()));
    let output = check(here, &["--explain", "forward-to-nobody"], "");
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("\n  forward-to-self\n"));
}

#[test]
fn what_everybody_runs_has_nothing() {
    let output = check(Path::new("."), &["-"], KUBEADM);
    assert_eq!((code(&output), text(&output.stdout), text(&output.stderr)), (0, "", ""));
}

#[test]
fn warnings_count_unless_told_otherwise() {
    let (here, warning) = (Path::new("."), "a.test {\n rewrite type AAAA A\n whoami\n}\n");
    let output = check(here, &["-"], warning);
    assert_eq!(code(&output), 1);
    assert!(text(&output.stderr).contains("--explain"), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("aaaa-denied"));
    assert_eq!(code(&check(here, &["--severity", "error", "-"], warning)), 0);
    assert_eq!(
        code(&check(here, &["--severity", "error", "-"], ". {\n forward . 127.0.0.1\n}")),
        1
    );
    assert_eq!(code(&check(here, &["--memory", "much", "-"], warning)), 2);
}

#[test]
fn a_directory_is_its_corefile_or_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    assert_eq!(code(&check(folder.path(), &["."], "")), 1);
    write("Corefile.a", "a.test {\n whoam\n}\n");
    write("Corefile.b", "b.test {\n import part\n}\n");
    write("part", "\nwhoam\n");
    let unknown = |line| ("unknown-directive".to_owned(), line);
    assert_eq!(found(folder.path(), &["."], ""), [unknown(2), unknown(2)]);
    write("Corefile", ". {\n whoami\n}\n");
    assert_eq!(found(folder.path(), &["."], ""), []);
}

/// What `kubectl get configmap -o yaml` prints, indented as in a List.
fn config_map(name: &str, keys: &[(&str, &str)]) -> String {
    let mut yaml = "- apiVersion: v1\n  kind: ConfigMap\n  data:\n".to_owned();
    for (key, value) in keys {
        writeln!(yaml, "    {key}: |").unwrap();
        for line in value.lines() {
            writeln!(yaml, "      {line}").unwrap();
        }
    }
    yaml + &format!("  metadata:\n    name: {name}\n    namespace: kube-system\n")
}

#[test]
fn a_config_map_is_read_as_a_pod_would_see_it() {
    let corefile = ".:53 {\n    errors\n    import custom/*.override\n    forward . 192.0.2.1\n}\nimport custom/*.server\n";
    let list = "apiVersion: v1\nkind: List\nitems:\n".to_owned()
        + &config_map("coredns", &[("Corefile", corefile)])
        + &config_map(
            "coredns-custom",
            &[("a.server", "a.test {\n    whoam\n}\n"), ("b.override", "log\nerors\n")],
        );
    let unknown = |line| ("unknown-directive".to_owned(), line);
    assert_eq!(found(Path::new("."), &["-"], &list), [unknown(26), unknown(22)]);
    let output = check(Path::new("."), &["-"], &list);
    let lines: Vec<_> = list.lines().collect();
    assert_eq!((lines[21].trim(), lines[25].trim()), ("whoam", "erors"));
    assert!(text(&output.stderr).contains("stdin:22:11"), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("26 |       erors"), "{}", text(&output.stderr));
}

#[test]
fn fragments_alone_are_checked_too() {
    let list = "apiVersion: v1\nkind: List\nitems:\n".to_owned()
        + &config_map("coredns-custom", &[("a.server", "a.test {\n    whoam\n}\n")]);
    assert_eq!(found(Path::new("."), &["-"], &list), [("unknown-directive".to_owned(), 9)]);
    let other = "apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n";
    let output = check(Path::new("."), &["-"], other);
    assert_eq!(code(&output), 1);
    assert!(text(&output.stderr).contains("no ConfigMap here has a key `Corefile`"));
}

#[test]
fn a_stream_tells_of_its_service_and_its_limit() {
    let stream = |address: &str| {
        format!(
            "\
---
# Source: coredns/templates/service.yaml
apiVersion: v1
kind: Service
metadata: {{name: kube-dns, namespace: kube-system}}
spec:
  clusterIP: {address}
  ports: [{{port: 53, protocol: UDP}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: coredns, namespace: kube-system}}
data:
  Corefile: |-
{}
",
            KUBEADM
                .replace("forward . 192.0.2.1", "forward . 10.96.0.10")
                .lines()
                .map(|line| format!("    {line}\n"))
                .collect::<String>()
        )
    };
    let loops = ("forward-to-cluster-dns".to_owned(), 27);
    assert_eq!(found(Path::new("."), &["-"], &stream("10.96.0.10")), [loops]);
    assert_eq!(found(Path::new("."), &["-"], &stream("10.96.0.99")), []);
}

#[test]
fn sarif_has_what_its_schema_requires() {
    let corefile = ". {\n forward . 127.0.0.1\n foward\n}\n";
    let output = check(Path::new("."), &["--format", "sarif", "-"], corefile);
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().contains("sarif-2.1.0"));
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "rutter");
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let ids: std::collections::BTreeSet<_> =
        rules.iter().map(|r| r["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), rules.len(), "§3.19.23: the elements of rules are unique");
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"], "§3.27.6");
        assert!(["error", "warning"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "stdin");
        for member in ["startLine", "startColumn", "endColumn"] {
            assert!(place["region"][member].as_u64().unwrap() >= 1, "§3.30: from 1");
        }
    }
    assert_eq!(results[0]["locations"][0]["physicalLocation"]["region"]["startLine"], 2);
}

#[test]
fn github_gets_a_line_for_each_finding() {
    let corefile = "a.test {\n rewrite type AAAA A\n whoami\n}\n";
    let output = check(Path::new("."), &["--format", "github", "-"], corefile);
    let text = text(&output.stdout);
    assert!(
        text.starts_with("::warning file=stdin,line=2,col=2,endColumn=21,title=aaaa-denied::"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1);
    assert!(text.contains("%0A"));
}

/// In a release build kubeadm's takes 20 ms at most, and the large one 200; here is room for
/// a debug build on a busy machine, but not for work that grows with the square.
#[test]
fn large_configurations_take_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut corefile = ".:53 {\n    errors\n    hosts {\n".to_owned();
    for number in 0..10_000 {
        let (a, b) = (number / 250, number % 250);
        writeln!(corefile, "        10.0.{a}.{b} n{number}.example.org").unwrap();
    }
    corefile += "        fallthrough\n    }\n";
    for number in 0..1_000 {
        writeln!(corefile, "    rewrite name r{number}.example.org n{number}.example.org").unwrap();
    }
    corefile += "    forward . 192.0.2.1\n}\n";
    std::fs::write(folder.path().join("Corefile"), corefile).unwrap();
    let begin = SystemTime::now();
    assert_eq!(found(folder.path(), &["Corefile"], ""), []);
    let taken = begin.elapsed().unwrap();
    assert!(taken < Duration::from_secs(20), "{taken:?}");
}

#[test]
fn the_manual_has_every_lint_with_its_severity() {
    let manual = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operate/check.md"),
    );
    let manual = manual.unwrap();
    for lint in lint::LINTS {
        let row = format!("| `{}` | {} | ", lint.code.slug(), lint.severity.name());
        assert!(manual.contains(&row), "{row}");
    }
    assert_eq!(
        manual.matches(" | error | ").count() + manual.matches(" | warning | ").count(),
        lint::LINTS.len()
    );
}
