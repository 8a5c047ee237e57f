//! Whether the runner sees what is wrong: it is let loose on a server that answers as it is told.
//!
//! Started with `-conf`, this test is that server: its Corefile is a script of canned replies.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the server's output is tested")]

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use testkit::FakeUpstream;
use testkit::scenario::{Kind, Report, Server, run};
use testkit::upstream::Script;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let ["-conf", corefile, "-dns.port", port] =
        arguments.iter().skip(1).map(String::as_str).collect::<Vec<_>>()[..]
    {
        return serve(corefile, port.parse().expect("the runner passes a port"));
    }
    good_scenarios_pass();
    every_wrong_step_fails();
    mistakes_in_a_file_fail();
    println!("test result: ok. the runner passes what is right and fails what is wrong");
    ExitCode::SUCCESS
}

/// Serves until it is killed, or ends at once if the Corefile says so.
fn serve(corefile: &str, port: u16) -> ExitCode {
    let text = fs::read_to_string(corefile).expect("the runner writes a Corefile");
    if text.contains("refuse") {
        eprintln!("{corefile}:1 - refused");
        return ExitCode::from(3);
    }
    let script = Script::read(&text, 1).expect("the Corefile is a script");
    let _server = FakeUpstream::start(port, script).expect("the port is free");
    println!("[INFO] up at {port}");
    loop {
        std::thread::park();
    }
}

const GOOD: &str = "\
# Good
## Both
```corefile
a.test A
;; NOERROR aa
a.test. 5 A 192.0.2.1

lost.test A drop
```
```query
a.test A
;; NOERROR aa rd
a.test. 5 A 192.0.2.1
```
```query
lost.test A
;; no reply
```
```log
[INFO] up at {$PORT}
```
```log absent
…down…
```
```http GET {$HEALTH}/health
refused
```
## They differ
```corefile
a.test A
;; NOERROR
```
```query
a.test A
;; NXDOMAIN rd
```
```coredns it does
;; NOERROR rd
```
```query rutter only it would fail
a.test A
;; SERVFAIL
```
## It ends
```corefile
refuse
```
```exit 3
Corefile:1 - …
```
## For the other
```corefile rutter only there are reasons
a.test A
;; NOERROR
```
```query
a.test A
;; SERVFAIL
```
";

fn good_scenarios_pass() {
    let report = report(GOOD, Kind::CoreDns);
    assert!(report.passed(), "{report}");
    let file = &report.files[0];
    assert_eq!((file.scenarios, file.skipped, file.steps), (3, 1, 7));
    assert_eq!(file.differences.iter().map(|it| &*it.reason).collect::<Vec<_>>(), ["it does"]);
    // The same for the other server: nothing is skipped, and what is declared does not hold.
    let report = self::report(GOOD, Kind::Rutter);
    let file = &report.files[0];
    assert_eq!((file.scenarios, file.skipped, file.failures.len()), (4, 0, 3), "{report}");
}

const BEGIN: &str = "\
# Bad
## Bad
```corefile
a.test A
;; NOERROR
```
";

/// Each step fails by itself, and what is told of it holds these words.
fn every_wrong_step_fails() {
    for (step, words) in [
        ("```query\na.test A\n;; NXDOMAIN rd\n```\n", "the rcode is NOERROR, not NXDOMAIN"),
        ("```query\na.test A\n;; no reply\n```\n", "there is a reply"),
        ("```query until 100ms\nb.test A\n;; NOERROR rd\n```\n", "the rcode is REFUSED"),
        ("```log until 50ms\ndown\n```\n", "the log lacks\ndown"),
        ("```http GET {$METRICS}/ until 1ms\n200\n```\n", "got\nrefused"),
        ("```metrics until 1ms\nup 1\n```\n", "/metrics: "),
        ("```asked until 1ms\na.test A 1\n```\n", "no `upstream` fence"),
        ("```upstream\n```\n```asked until 1ms\na.test A 1\n```\n", "was asked 0 times"),
        ("```log\n…\n```\n```signal TERM\n```\n```exit 0\n```\n", "signal: 15"),
        ("```cluster delete\n{kind: Pod, metadata: {name: a}}\n```\n", "no Pod `a` to delete"),
        ("```file x removed\n```\n", "No such file"),
    ] {
        let report = report(&format!("{BEGIN}{step}"), Kind::CoreDns);
        let failures = &report.files[0].failures;
        assert_eq!(failures.len(), 1, "{step}{report}");
        assert!(failures[0].what.contains(words), "{step}{report}");
    }
    let ended = "# Bad\n```corefile\nrefuse\n```\n```query\na. A\n;; NOERROR\n```\n";
    let report = report(ended, Kind::CoreDns);
    let failure = &report.files[0].failures[0];
    assert_eq!(failure.what, "the server has ended instead of starting");
    assert_eq!(failure.log, ["Corefile:1 - refused"]);
    let errors = "# Bad\n```corefile\nrefuse\n```\n```exit 3\nanother text\n```\n";
    let report = self::report(errors, Kind::CoreDns);
    assert!(report.files[0].failures[0].what.contains("got\nCorefile:1 - refused"), "{report}");
}

fn mistakes_in_a_file_fail() {
    let report = report("# Bad\n```corefile\n.\n```\n```quarry\n```\n", Kind::CoreDns);
    assert_eq!(report.files[0].failures[0].line, 5);
    let report = self::report("no title", Kind::CoreDns);
    assert!(!report.passed() && report.failure_count() == 1);
    let server = server(Kind::CoreDns);
    assert!(!run(&["/nonexistent.md"], &server).passed());
    assert!(!run(&[""; 0], &server).passed());
}

fn report(text: &str, kind: Kind) -> Report {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("test.md");
    fs::write(&file, text).expect("a file can be written");
    run(&[Path::new(&file)], &server(kind))
}

fn server(kind: Kind) -> Server {
    Server { kind, binary: std::env::current_exe().expect("a test knows its own path") }
}
