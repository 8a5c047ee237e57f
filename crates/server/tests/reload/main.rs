//! Nothing is lost while the server changes its configuration or stops.
//!
//! `cargo test -p server --test reload -- --ignored --nocapture` shows the figures, beside those of
//! CoreDNS if it is there. `$RUTTER` names another program than the debug build, such as that of a
//! release.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]
#![expect(clippy::disallowed_methods, reason = "a test has no clock but the real one")]
#![expect(clippy::print_stdout, reason = "the figures are worth a look")]

mod rig;

use rig::{QUESTIONS, Rig, with_block};
use rustix::process::Signal;
use std::time::{Duration, Instant};
use testkit::Server;
use testkit::dns::Question;
use testkit::load::{Load, Tally};
use testkit::scenario::Kind;

/// How long a server may take to stop: three seconds of lameduck, and what is under way.
const STOP_MAX: Duration = Duration::from_secs(12);

/// Two mistakes: both must be told.
const TWO_MISTAKES: &str = ". {\n    hots {\n    }\n    reload soon\n}\n";

/// A zone whose file must be there, but is not.
const ZONE: &str = "new.test {\n    file {$DIR}/db.new {\n        reload 0\n    }\n}\n";

/// What a server was like.
struct Figures {
    reloading: Tally,
    stopping: Tally,
    memory: [u64; 2],
}

#[test]
#[ignore = "takes a minute, and a release build's time matters"]
fn no_query_is_lost_in_reloads_and_in_the_end() {
    let binary = std::env::var("RUTTER").unwrap_or(env!("CARGO_BIN_EXE_rutter").to_owned());
    let Figures { reloading, stopping, memory } = figures(&Server::rutter(binary));
    assert!(reloading.is_clean(), "{reloading:#?}");
    // In the end nobody listens any more. Who has a connection open learns it from its end.
    assert_eq!((stopping.lost, stopping.wrong), (0, 0), "{stopping:#?}");
    assert!(stopping.answered > 0 && stopping.refused > 0, "{stopping:#?}");
    let [before, after] = memory;
    assert!(after < before + before / 5 + 4096, "{before} KiB became {after} KiB");
}

#[test]
#[ignore = "takes a minute, and needs `cargo xtask peers coredns`"]
fn coredns_for_comparison() {
    let coredns = Server::coredns().expect("`cargo xtask peers coredns` has built it");
    figures(&coredns);
}

fn figures(server: &Server) -> Figures {
    let mut rig = Rig::start(server);
    let load = Load::start(rig.address(), &QUESTIONS).unwrap();
    // Everything has found its size.
    rig.change(Some(Signal::USR1));
    let memory_before = rig.memory();
    twenty_changes(&mut rig);
    let memory = [memory_before, rig.memory()];
    let reloading = load.stop();
    let load = Load::start(rig.address(), &QUESTIONS).unwrap();
    stop(&mut rig);
    let stopping = load.stop();
    println!(
        "{}: memory {memory:?} KiB\nreloading {reloading:#?}\nstopping {stopping:#?}",
        rig.kind
    );
    Figures { reloading, stopping, memory }
}

/// Good and bad ones, told by signal or noticed; what did not change lives on.
fn twenty_changes(rig: &mut Rig) {
    let (hup, usr1) = (Some(Signal::HUP), Some(Signal::USR1));
    let requests = rig.api.requests().len();
    let opened = rig.metric("coredns_proxy_conn_cache_misses_total", "tcp");
    for _ in 0..4 {
        rig.change(hup);
        rig.change(usr1);
        rig.change(None);
    }
    for signal in [hup, None] {
        rig.break_it(Some(TWO_MISTAKES), signal, &["hots", "INTERVAL"]);
        rig.change(signal);
        rig.break_it(Some(""), signal, &["empty"]);
    }
    rig.break_it(None, usr1, &["cannot read"]);
    rig.break_it(Some(&with_block(99, ZONE)), None, &["db.new"]);
    rig.mend("db.new", "@ 300 SOA ns a 1 2 3 4 5\nwww 300 A 192.0.2.9\n", "www.new.test A");
    if rig.kind == Kind::CoreDns {
        return;
    }
    assert_eq!(rig.api.requests().len(), requests, "watches live on");
    let kept = Question::read("kept.test A").unwrap();
    assert_eq!(rig.upstream.count(&kept), 1, "the cache lives on");
    let now = rig.metric("coredns_proxy_conn_cache_misses_total", "tcp");
    assert!(now - opened < 10.0, "connections live on: {opened} became {now}");
}

/// Ends the server while it is asked. It goes on answering until its time is up.
fn stop(rig: &mut Rig) {
    assert!(rig.is_ready());
    let begun = Instant::now();
    rig.process.signal(Signal::TERM).unwrap();
    rig.until("it goes, and says so to probes", |rig| !rig.is_ready());
    let status = rig.process.wait(begun + STOP_MAX).unwrap();
    let took = begun.elapsed();
    println!("{}: ended after {took:?}, {status:?}", rig.kind);
    if rig.kind == Kind::Rutter {
        assert!(status.is_some_and(|status| status.success()), "{status:?}");
        assert!(took >= Duration::from_secs(3), "{took:?} are less than lameduck");
    }
}
