//! The plugin above an upstream server, with a clock that stands still.

use super::*;
use crate::testing::{Upstream, World, router, shown, told};
use chain::Router;

struct Bench {
    world: World,
    upstream: Upstream,
    router: Router,
}

impl Bench {
    /// A cache with these lines in its block.
    fn new(lines: &str) -> Self {
        Self::with(&format!("cache {{\n{lines}\n}}"))
    }

    fn with(directive: &str) -> Self {
        let mut world = World::new();
        let upstream = Upstream::new(&world);
        let cache = world.build::<Cache>(&format!(". {{\n{directive}\n}}")).unwrap();
        let router = router(vec![cache, Box::new(upstream.clone())]);
        Self { world, upstream, router }
    }

    /// The reply, and whether the upstream server was asked.
    async fn ask(&self, question: &str) -> (String, bool) {
        let x = self.world.ask(&self.router, question).await;
        (shown(&x), !self.upstream.asked().is_empty())
    }

    /// The TTL of the first record, and whether the upstream server was asked.
    async fn ttl(&self, question: &str) -> (u32, bool) {
        let x = self.world.ask(&self.router, question).await;
        let ttl = x.reply.body.records().next().unwrap().ttl;
        (ttl, !self.upstream.asked().is_empty())
    }

    fn wait(&self, seconds: u64) {
        self.world.clock.advance(Duration::from_secs(seconds));
    }

    fn metric(&self, name: &str) -> u64 {
        let text = self.world.process.metrics.text();
        let lines =
            text.lines().filter(|line| line.starts_with(&format!("coredns_cache_{name}{{")));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }
}

fn same(text: &str, asked: bool) -> (String, bool) {
    (text.to_owned(), asked)
}

#[tokio::test]
async fn a_hit_is_authoritative_and_counts_down() {
    let bench = Bench::with("cache");
    bench.upstream.answers(
        "a.test A",
        "ra NOERROR\nA.test 300 A 192.0.2.1\n--\ntest 200 NS ns.test\n--\nns.test 100 A 192.0.2.2",
    );
    let reply = |flags: &str, ttl: u32| {
        format!(
            "{flags}ra NOERROR\nA.test. {ttl} A 192.0.2.1\n--\ntest. {ttl} NS ns.test.\n--\n\
             ns.test. {ttl} A 192.0.2.2"
        )
    };
    assert_eq!(bench.ask("a.test A").await, (reply("", 100), true));
    assert_eq!(bench.ask("A.TEST A").await, (reply("aa ", 100), false));
    bench.wait(99);
    assert_eq!(bench.ask("a.test A").await, (reply("aa ", 1), false));
    bench.wait(1);
    assert_eq!(bench.ask("a.test A").await, (reply("", 100), true));
    assert_eq!(bench.metric("requests_total"), 4);
    assert_eq!((bench.metric("hits_total"), bench.metric("misses_total")), (2, 2));
    assert_eq!((bench.metric("entries"), bench.metric("evictions_total")), (1, 0));
    let text = bench.world.process.metrics.text();
    let labels = r#"{server="dns://:53",type="denial",view="",zones="."}"#;
    assert!(text.contains(&format!("coredns_cache_entries{labels} 0\n")), "{text}");
}

#[tokio::test]
async fn do_and_cd_and_type_are_kept_apart_and_ad_is_for_who_wants_it() {
    let bench = Bench::with("cache");
    bench.upstream.answers("a.test A", "ad NOERROR\na.test 300 A 192.0.2.1");
    bench.upstream.answers("a.test TXT", "NOERROR\na.test 300 TXT x");
    assert_eq!(bench.ask("a.test A").await, same("NOERROR\na.test. 300 A 192.0.2.1", true));
    assert_eq!(bench.ask("a.test A").await, same("aa NOERROR\na.test. 300 A 192.0.2.1", false));
    assert_eq!(
        bench.ask("a.test A +ad").await,
        same("aa ad NOERROR\na.test. 300 A 192.0.2.1", false)
    );
    assert_eq!(bench.ask("a.test A +do").await, same("ad NOERROR\na.test. 300 A 192.0.2.1", true));
    assert_eq!(bench.ask("a.test A +cd").await, same("NOERROR\na.test. 300 A 192.0.2.1", true));
    assert_eq!(bench.ask("a.test TXT").await, same("NOERROR\na.test. 300 TXT x", true));
    // Upstream servers are asked with AD; the request is as it was.
    let x = bench.world.ask(&bench.router, "b.test A").await;
    assert!(bench.upstream.last().1.has(Flags::AD) && !x.request.flags.has(Flags::AD));
}

#[tokio::test]
async fn only_what_was_waited_for_is_kept_but_all_is_clamped() {
    let bench = Bench::with("cache 30");
    bench.upstream.answers("a.test A", "aa NOERROR\na.test 3600 A 192.0.2.1");
    bench.upstream.is_live();
    assert_eq!(bench.ttl("a.test A").await, (30, true));
    assert_eq!(bench.ttl("a.test A").await, (30, true));
    let bench = Bench::with("cache 30");
    bench.upstream.answers("a.test A", "aa NOERROR\na.test 3600 A 192.0.2.1");
    bench.upstream.is_local();
    assert_eq!(bench.ttl("a.test A").await, (30, true));
    assert_eq!(bench.ttl("a.test A").await, (30, true));
    assert_eq!(bench.metric("entries"), 0);
}

#[tokio::test]
async fn failures_of_our_own_are_not_kept_those_of_others_are() {
    let bench = Bench::with("cache");
    bench.ask("a.test A").await;
    assert!(bench.ask("a.test A").await.1);
    bench.upstream.answers("a.test A", "ra SERVFAIL");
    assert_eq!(bench.ask("a.test A").await, same("ra SERVFAIL", true));
    let x = bench.world.ask(&bench.router, "a.test A +edns").await;
    assert_eq!(told(&x), (Rcode::SERVFAIL, Some(13)));
    bench.wait(5);
    assert!(bench.ask("a.test A").await.1);
    let bench = Bench::new("servfail 0s");
    bench.upstream.answers("a.test A", "ra SERVFAIL");
    bench.ask("a.test A").await;
    assert!(bench.ask("a.test A").await.1);
}

#[tokio::test]
async fn options_decide_what_is_kept() {
    let bench = Bench::new("keepttl\ndisable success b.test\ndisable denial");
    bench.upstream.answers("a.test A", "NOERROR\na.test 300 A 192.0.2.1");
    bench.upstream.answers("a.b.test A", "NOERROR\na.b.test 300 A 192.0.2.1");
    bench.upstream.answers("c.test A", "NXDOMAIN\n--\ntest 9 SOA a. b. 1 2 3 4 9");
    bench.ttl("a.test A").await;
    bench.wait(299);
    assert_eq!(bench.ttl("a.test A").await, (300, false));
    for question in ["a.b.test A", "c.test A"] {
        bench.ttl(question).await;
        assert!(bench.ttl(question).await.1, "{question}");
    }
    // Other zones pass as they are.
    let bench = Bench::with("cache 30 b.test");
    bench.upstream.answers("a.test A", "NOERROR\na.test 300 A 192.0.2.1");
    assert_eq!(bench.ttl("a.test A").await, (300, true));
    assert_eq!(bench.ttl("a.test A").await, (300, true));
    // Nothing that may be kept for no time is kept.
    let bench = Bench::new("success 100 60 0");
    bench.upstream.answers("a.test A", "NOERROR\na.test 0 A 192.0.2.1");
    assert_eq!(bench.ttl("a.test A").await, (0, true));
    assert_eq!(bench.ttl("a.test A").await, (0, true));
}

#[tokio::test]
async fn what_was_denied_before_is_answered_when_it_is_there() {
    let bench = Bench::new("prefetch 1 1m 90%");
    let denial = "NXDOMAIN\n--\ntest 10 SOA a. b. 1 2 3 4 10";
    let answer = "NOERROR\na.test 20 A 192.0.2.1";
    bench.upstream.answers("a.test A", denial);
    bench.ask("a.test A").await;
    bench.upstream.answers("a.test A", answer);
    bench.wait(5);
    // A hit, and the refresh behind it.
    assert_eq!(bench.ask("a.test A").await, same("aa NXDOMAIN\n--\ntest. 5 SOA a. b.", true));
    assert_eq!(bench.ask("a.test A").await, same("aa NOERROR\na.test. 20 A 192.0.2.1", false));
    assert_eq!(bench.metric("prefetch_total"), 1);
    // And the other way round.
    bench.upstream.answers("a.test A", denial);
    bench.wait(5);
    bench.ask("a.test A").await;
    assert_eq!(bench.ttl("a.test A").await, (10, false));
    assert_eq!(bench.metric("entries"), 1);
}

#[tokio::test]
async fn popular_entries_are_fetched_before_their_time_is_over() {
    let bench = Bench::new("prefetch 3 10s 20%");
    bench.upstream.answers("a.test A", "NOERROR\na.test 100 A 192.0.2.1");
    bench.ttl("a.test A").await;
    bench.wait(79);
    for _ in 0..3 {
        assert_eq!(bench.ttl("a.test A").await, (21, false), "a fifth is not reached");
    }
    bench.wait(1);
    assert_eq!(bench.ttl("a.test A").await, (20, true));
    assert_eq!(bench.ttl("a.test A").await, (100, false));
    // The new entry is as popular as the old one, until nobody asks for too long.
    bench.wait(9);
    bench.ttl("a.test A").await;
    bench.wait(80);
    assert_eq!(bench.ttl("a.test A").await, (11, false), "the first in a long time");
    assert_eq!(bench.ttl("a.test A").await, (11, false), "the second");
    assert_eq!(bench.ttl("a.test A").await, (11, true), "the third");
    // A refresh that fails takes nothing away, and is tried again.
    bench.wait(80);
    bench.upstream.goes_down();
    bench.ttl("a.test A").await;
    bench.ttl("a.test A").await;
    assert_eq!(bench.ttl("a.test A").await, (20, true));
    assert_eq!(bench.ttl("a.test A").await, (20, true));
    bench.upstream.answers("a.test A", "SERVFAIL");
    assert_eq!(bench.ttl("a.test A").await, (20, true));
    assert_eq!(bench.ttl("a.test A").await.0, 20);
}

#[tokio::test]
async fn one_refresh_at_a_time() {
    let bench = Bench::new("serve_stale");
    bench.upstream.answers("a.test A", "NOERROR\na.test 5 A 192.0.2.1");
    bench.ttl("a.test A").await;
    bench.wait(6);
    // Three ask while the refresh of the first has not begun.
    let mut first = bench.world.question("a.test A");
    let _ = bench.router.answer(&mut first);
    assert!(first.take_refresh().is_some());
    assert_eq!(bench.ttl("a.test A").await, (0, false));
    // It is lost: after the time that anything may take another one is tried.
    bench.wait(9);
    assert_eq!(bench.ttl("a.test A").await, (0, false));
    bench.wait(1);
    assert_eq!(bench.ttl("a.test A").await, (0, true));
    assert_eq!(bench.ttl("a.test A").await, (5, false));
}

#[tokio::test]
async fn stale_answers_are_served_at_once_and_say_so() {
    let bench = Bench::new("serve_stale 1h immediate 7s\nkeepttl");
    bench.upstream.answers("a.test A", "ra NOERROR\na.test 5 A 192.0.2.1");
    bench.upstream.answers("b.test A", "ra NXDOMAIN\n--\ntest 5 SOA a. b. 1 2 3 4 5");
    bench.upstream.answers("c.test A", "ra SERVFAIL");
    for question in ["a.test A", "b.test A", "c.test A"] {
        bench.ask(question).await;
    }
    bench.upstream.goes_down();
    bench.wait(5);
    assert_eq!(bench.ask("a.test A").await, same("aa ra NOERROR\na.test. 7 A 192.0.2.1", true));
    let x = bench.world.ask(&bench.router, "b.test A +edns").await;
    assert_eq!(told(&x), (Rcode::NXDOMAIN, Some(19)));
    let x = bench.world.ask(&bench.router, "a.test A +edns").await;
    assert_eq!(told(&x), (Rcode::NOERROR, Some(3)));
    // A failure is not served again.
    bench.upstream.asked();
    assert_eq!(bench.ask("c.test A").await, same("SERVFAIL", true));
    assert_eq!(bench.metric("served_stale_total"), 3);
    // An error is no news, a denial is.
    bench.upstream.answers("a.test A", "ra REFUSED");
    assert!(bench.ask("a.test A").await.1);
    bench.upstream.answers("a.test A", "ra SERVFAIL");
    assert!(bench.ask("a.test A").await.1);
    assert_eq!(bench.ttl("a.test A").await, (7, true));
    bench.upstream.answers("a.test A", "ra NXDOMAIN\n--\ntest 9 SOA a. b. 1 2 3 4 9");
    assert_eq!(bench.ttl("a.test A").await, (7, true));
    assert_eq!(bench.ask("a.test A").await, same("aa ra NXDOMAIN\n--\ntest. 9 SOA a. b.", false));
    // After an hour nothing is left.
    bench.upstream.goes_down();
    bench.wait(9 + 3600);
    assert_eq!(bench.ask("a.test A").await, same("SERVFAIL", true));
}

#[tokio::test]
async fn after_a_failure_nobody_is_asked_for_a_while() {
    for mode in ["immediate 0s 30s", "verify 0s 0s 30s"] {
        let bench = Bench::new(&format!("serve_stale 1h {mode}"));
        bench.upstream.answers("a.test A", "NOERROR\na.test 5 A 192.0.2.1");
        bench.ttl("a.test A").await;
        bench.upstream.goes_down();
        bench.wait(5);
        assert_eq!(bench.ttl("a.test A").await, (0, true), "{mode}");
        bench.wait(29);
        assert_eq!(bench.ttl("a.test A").await, (0, false), "{mode}");
        bench.wait(1);
        assert_eq!(bench.ttl("a.test A").await, (0, true), "{mode}");
        bench.upstream.answers("a.test A", "NOERROR\na.test 9 A 192.0.2.1");
        bench.wait(30);
        bench.ttl("a.test A").await;
        assert_eq!(bench.ttl("a.test A").await, (9, false), "{mode}");
    }
}

#[tokio::test]
async fn verified_answers_are_new_ones_if_there_are_any() {
    let bench = Bench::new("serve_stale 1h verify");
    bench.upstream.answers("a.test A", "ad NOERROR\na.test 5 A 192.0.2.1");
    bench.ask("a.test A").await;
    bench.wait(5);
    bench.upstream.answers("a.test A", "ad NOERROR\na.test 5 A 192.0.2.2");
    assert_eq!(bench.ask("a.test A").await, same("NOERROR\na.test. 5 A 192.0.2.2", true));
    assert_eq!(
        bench.ask("a.test A +ad").await,
        same("aa ad NOERROR\na.test. 5 A 192.0.2.2", false)
    );
    bench.wait(5);
    let stale = "aa NOERROR\na.test. 0 A 192.0.2.2";
    for worse in
        ["SERVFAIL", "REFUSED", "tc NOERROR\na.test 5 A 192.0.2.3", "NXDOMAIN\na.test 9 CNAME b"]
    {
        bench.upstream.answers("a.test A", worse);
        assert_eq!(bench.ask("a.test A").await, same(stale, true), "{worse}");
    }
    bench.upstream.goes_down();
    let x = bench.world.ask(&bench.router, "a.test A +edns").await;
    assert_eq!((shown(&x), told(&x).1), (stale.to_owned(), Some(3)));
    assert!(x.failure().is_none());
    bench.upstream.answers("a.test A", "NXDOMAIN\n--\ntest 9 SOA a. b. 1 2 3 4 9");
    assert_eq!(bench.ask("a.test A").await, same("NXDOMAIN\n--\ntest. 9 SOA a. b.", true));
    assert!(!bench.ask("a.test A").await.1);
}

#[tokio::test(start_paused = true)]
async fn verifying_has_its_time_and_goes_on_in_the_background() {
    let bench = Bench::new("serve_stale 1h verify 300ms");
    bench.upstream.answers("a.test A", "NOERROR\na.test 5 A 192.0.2.1");
    bench.ttl("a.test A").await;
    bench.wait(5);
    bench.upstream.answers("a.test A", "NOERROR\na.test 9 A 192.0.2.2");
    bench.upstream.takes(Duration::from_millis(200));
    assert_eq!(bench.ttl("a.test A").await, (9, true));
    bench.wait(9);
    bench.upstream.answers("a.test A", "NOERROR\na.test 7 A 192.0.2.3");
    bench.upstream.takes(Duration::from_secs(1));
    let began = tokio::time::Instant::now();
    let mut x = bench.world.question("a.test A");
    let chain::Ended::Waiting(ticket) = bench.router.answer(&mut x) else { panic!("must wait") };
    let _ = bench.router.resume(&mut x, ticket).await;
    assert_eq!(began.elapsed().as_millis(), 300);
    assert_eq!(shown(&x), "aa NOERROR\na.test. 0 A 192.0.2.2");
    let refresh = x.take_refresh().unwrap();
    let mut spare = Exchange::new();
    spare.begin_refresh(&x, &refresh);
    bench.router.refresh(&mut spare, &refresh).await;
    bench.upstream.asked();
    assert_eq!(bench.ttl("a.test A").await, (7, false));
    // Without a time of its own it takes no longer than leaves time to serve what is stale.
    let bench = Bench::new("serve_stale 1h verify");
    bench.upstream.answers("a.test A", "NOERROR\na.test 5 A 192.0.2.1");
    bench.ttl("a.test A").await;
    bench.wait(5);
    bench.upstream.takes(Duration::from_secs(60));
    let began = tokio::time::Instant::now();
    assert_eq!(bench.ttl("a.test A").await.0, 0);
    assert_eq!(began.elapsed(), VERIFY_MAX);
}

#[tokio::test]
async fn the_last_answer_is_preferred_to_newer_denials() {
    for mode in ["immediate", "verify"] {
        let bench =
            Bench::new(&format!("serve_stale 1h {mode}\nserve_stale_policy prefer_positive"));
        bench.upstream.answers("a.test A", "NOERROR\na.test 5 A 192.0.2.1");
        bench.ttl("a.test A").await;
        bench.wait(5);
        for other in
            ["NXDOMAIN\n--\ntest 9 SOA a. b. 1 2 3 4 9", "NOERROR", "NOERROR\n--\ntest 9 NS a."]
        {
            bench.upstream.answers("a.test A", other);
            let stale = same("aa NOERROR\na.test. 0 A 192.0.2.1", true);
            assert_eq!(bench.ask("a.test A").await, stale, "{mode} {other}");
            assert_eq!(bench.ask("a.test A").await, stale, "{mode} {other}");
        }
        bench.upstream.answers("a.test A", "NOERROR\na.test 9 A 192.0.2.2");
        bench.ask("a.test A").await;
        assert_eq!(bench.ask("a.test A").await, same("aa NOERROR\na.test. 9 A 192.0.2.2", false));
        assert_eq!(bench.metric("entries"), 1, "the denial is gone");
    }
}

#[tokio::test]
async fn what_is_kept_survives_a_reload_that_cannot_change_it() {
    let mut world = World::new();
    let upstream = Upstream::new(&world);
    let corefile = |above: &str, own: &str, below: &str| {
        format!("a.test {{\n{above}\ncache {{\n{own}\n}}\n{below}\n}}")
    };
    let mut plugin = |corefile: &str| {
        let cache = world.build::<Cache>(corefile).unwrap();
        (router(vec![cache, Box::new(upstream.clone())]), world.question("x.a.test A"))
    };
    let (first, mut x) = plugin(&corefile("", "", "whoami"));
    upstream.answers("x.a.test A", "NOERROR\nx.a.test 60 A 192.0.2.1");
    let chain::Ended::Waiting(ticket) = first.answer(&mut x) else { panic!("must wait") };
    let _ = first.resume(&mut x, ticket).await;
    let mut is_kept = |corefile: &str| {
        let (router, mut x) = plugin(corefile);
        matches!(router.answer(&mut x), chain::Ended::Reply)
    };
    assert!(is_kept(&corefile("rewrite name x.test y.test", "", "whoami")));
    assert!(is_kept(&corefile("# a comment", "", "whoami")));
    assert!(!is_kept(&corefile("", "", "")));
    assert!(!is_kept(&corefile("", "", "whoami")), "it ended with the configuration before");
}

#[tokio::test]
async fn a_hit_is_written_into_the_memory_of_the_exchange() {
    let bench = Bench::with("cache");
    bench.upstream.answers("a.test A", "NOERROR\na.test 60 A 192.0.2.1");
    bench.ask("a.test A").await;
    let mut x = bench.world.question("a.test A");
    let _ = bench.router.answer(&mut x);
    let before = (x.reply.body.answer.as_ptr(), x.reply.body.answer.capacity());
    x.clear_reply();
    let _ = bench.router.answer(&mut x);
    assert_eq!(before, (x.reply.body.answer.as_ptr(), x.reply.body.answer.capacity()));
}

#[tokio::test]
async fn it_says_what_it_has_and_what_it_keeps() {
    /// What the cache says about the question.
    async fn notes(bench: &Bench, question: &str) -> Vec<String> {
        let recording = Arc::new(chain::Recording::default());
        let mut x = bench.world.question(question);
        x.record(recording.clone());
        if let chain::Ended::Waiting(ticket) = bench.router.answer(&mut x) {
            let _ = bench.router.resume(&mut x, ticket).await;
        }
        let notes = recording.events().into_iter().filter_map(|event| match event.what {
            chain::What::Note { text, .. } => Some(text),
            _ => None,
        });
        notes.collect()
    }
    let bench = Bench::new("serve_stale 1h verify\ndisable denial no.test");
    bench.upstream.answers("a.test A", "NOERROR\na.test 5 A 192.0.2.1");
    bench.upstream.answers("c.test A", "tc NOERROR\nc.test 5 A 192.0.2.1");
    bench.upstream.answers("no.test A", "NXDOMAIN\n--\ntest 9 SOA a. b. 1 2 3 4 9");
    let missed = |kept: &str| vec!["has nothing about it".to_owned(), kept.to_owned()];
    assert_eq!(notes(&bench, "a.test A").await, missed("keeps it for 5 s"));
    bench.wait(2);
    assert_eq!(notes(&bench, "a.test A").await, ["has an answer, 2 s old, for 3 s more"]);
    assert_eq!(notes(&bench, "no.test A").await, missed("does not keep it: `disable` says so"));
    let other = missed("does not keep it: it is no answer and no denial");
    assert_eq!(notes(&bench, "c.test A").await, other);
    bench.wait(3);
    bench.upstream.goes_down();
    let stale = [
        "has an answer whose 5 s are over",
        "asks before it serves what is stale",
        "serves what is stale: it is better than that",
    ];
    assert_eq!(notes(&bench, "a.test A").await, stale);
}
