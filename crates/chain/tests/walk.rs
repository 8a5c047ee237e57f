//! What the walk promises to plugins.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use chain::{
    Block, Chain, Client, Ended, Exchange, Failure, Link, Moment, Observe, Plugin, Resolving, Rest,
    Router, Step, Transport,
};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use wire::{Class, Flags, NameBuf, Question, Rcode, RecordType, Section};

/// What plugins saw, in order.
type Seen = Arc<Mutex<Vec<String>>>;

fn name(text: &str) -> NameBuf {
    text.parse().unwrap()
}

fn query(asked: &str, rtype: RecordType) -> Vec<u8> {
    let mut out = vec![0; 512];
    let asked = name(asked);
    let question = (asked.as_name(), rtype, Class::IN);
    let length = wire::Encoder::new().query(1, Flags::RD, question, None, &mut out);
    out.truncate(length);
    out
}

fn begin(asked: &str) -> Exchange {
    let client = Client {
        peer: "127.0.0.1:4000".parse().unwrap(),
        local: "127.0.0.1:53".parse().unwrap(),
        transport: Transport::Udp,
    };
    let mut x = Exchange::new();
    x.begin(&query(asked, RecordType::A), client, Moment(5)).unwrap();
    x
}

fn router(blocks: Vec<(&str, Vec<Box<dyn Plugin>>)>) -> Router {
    let blocks = blocks
        .into_iter()
        .enumerate()
        .map(|(index, (zone, plugins))| {
            let links =
                plugins.into_iter().map(|plugin| Link { plugin, name: "test", line: index as u32 });
            Block {
                zone: name(zone),
                zone_index: index as u16,
                chain: Arc::new(Chain::new(links.collect())),
            }
        })
        .collect();
    Router::new(0, "dns://:53".into(), blocks, Arc::new(AtomicU64::new(0)))
}

/// Polls a future that must be ready after `turns` polls.
fn ready<F: Future>(future: F, turns: usize) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for turn in 1.. {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            assert_eq!(turn, turns);
            return output;
        }
    }
    unreachable!()
}

/// Answers one name with an address, or a CNAME.
struct Source(&'static str, Result<[u8; 4], &'static str>);
impl Plugin for Source {
    fn query(&self, x: &mut Exchange) -> Step {
        if x.question.name() != name(self.0).as_name() {
            return Step::Next;
        }
        let owner = name(self.0);
        x.authoritative();
        let body = &mut x.reply.body;
        match self.1 {
            Ok(address) => {
                body.push(Section::Answer, owner.as_name(), 5, RecordType::A, &address);
                Step::Done
            }
            Err(target) => {
                let target = name(target);
                let cname = RecordType::CNAME;
                body.push_name(Section::Answer, owner.as_name(), 5, cname, target.as_name());
                Step::Chase
            }
        }
    }
}

/// Waits once, then answers every name.
struct Waiter;
impl Plugin for Waiter {
    fn query(&self, _: &mut Exchange) -> Step {
        Step::Wait
    }
    fn resolve<'a>(&'a self, x: &'a mut Exchange, _: Rest<'a>) -> Resolving<'a> {
        Box::pin(async move {
            let mut waited = false;
            std::future::poll_fn(|_| {
                if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            x.resumed(Moment(1_000));
            let owner = x.question.name().to_buf();
            x.reply.body.push(Section::Answer, owner.as_name(), 9, RecordType::A, &[9, 9, 9, 9]);
            Step::Done
        })
    }
}

/// Writes down what it sees on both ways.
struct Witness(&'static str, Seen);
impl Plugin for Witness {
    fn query(&self, x: &mut Exchange) -> Step {
        x.remember(self.0.len() as u64);
        self.1.lock().unwrap().push(format!("{} down {}", self.0, x.question.name()));
        Step::Next
    }
    fn response(&self, x: &mut Exchange) {
        assert_eq!(x.recall(), Some(self.0.len() as u64));
        assert_eq!(x.recall(), None);
        let line = format!("{} up {} {}", self.0, x.question.name(), x.reply.rcode);
        self.1.lock().unwrap().push(line);
    }
}

/// Asks for something else.
struct Rename(&'static str, &'static str);
impl Plugin for Rename {
    fn query(&self, x: &mut Exchange) -> Step {
        x.remember(77); // never recalled: must not disturb others
        if x.question.name() == name(self.0).as_name() {
            assert!(x.rewrite(Question::new(name(self.1).as_name(), x.question.rtype)));
        }
        Step::Next
    }
}

struct Dropper;
impl Plugin for Dropper {
    fn query(&self, _: &mut Exchange) -> Step {
        Step::Drop
    }
}

struct Bug;
impl Plugin for Bug {
    fn query(&self, _: &mut Exchange) -> Step {
        panic!("a bug")
    }
}

fn seen(seen: &Seen) -> Vec<String> {
    seen.lock().unwrap().clone()
}

#[test]
fn a_plugin_sees_on_the_way_up_what_it_saw_on_the_way_down() {
    let log = Seen::default();
    let router = router(vec![(
        ".",
        vec![
            Box::new(Witness("outer", log.clone())),
            Box::new(Rename("old.test", "new.test")),
            Box::new(Witness("inner", log.clone())),
            Box::new(Source("new.test", Ok([1, 1, 1, 1]))),
            Box::new(Witness("never", log.clone())),
        ],
    )]);
    let mut x = begin("OLD.test");
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    assert_eq!(
        seen(&log),
        [
            "outer down old.test.",
            "inner down new.test.",
            "inner up new.test. NOERROR",
            "outer up old.test. NOERROR",
        ]
    );
    assert_eq!(x.question.name().to_string(), "old.test.");
    assert_eq!(x.request.asked.to_string(), "OLD.test.");
    assert_eq!(x.answered_by(), Some(("test", 0)));
}

#[test]
fn a_parked_walk_goes_on_where_it_stopped() {
    let log = Seen::default();
    let router =
        router(vec![(".", vec![Box::new(Witness("outer", log.clone())), Box::new(Waiter)])]);
    let mut x = begin("a.test");
    let Ended::Waiting(ticket) = router.answer(&mut x) else { panic!("must wait") };
    assert_eq!(seen(&log), ["outer down a.test."]);
    assert!(matches!(ready(router.resume(&mut x, ticket), 2), Ended::Reply));
    assert_eq!(seen(&log)[1..], ["outer up a.test. NOERROR"]);
    assert_eq!(x.elapsed().as_nanos(), 995);
}

#[test]
fn the_longest_zone_serves_and_nobody_else_is_asked() {
    let router = router(vec![
        (".", vec![Box::new(Source("a.b.test", Ok([1, 1, 1, 1])))]),
        ("b.test", vec![Box::new(Source("x.b.test", Ok([2, 2, 2, 2])))]),
        ("empty.test", vec![]),
    ]);
    let mut x = begin("a.b.test");
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    assert_eq!(x.failure(), Some(&Failure::NobodyAnswered { last: "test" }));
    assert_eq!((x.reply.rcode, x.zone), (Rcode::SERVFAIL, 1));
    let mut x = begin("a.empty.test");
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    assert_eq!(x.reply.rcode, Rcode::REFUSED);
}

#[test]
fn a_ds_question_goes_to_the_parent_zone() {
    let router = router(vec![
        ("test", vec![Box::new(Source("b.test", Ok([1, 1, 1, 1])))]),
        ("b.test", vec![Box::new(Dropper)]),
        ("alone.example", vec![Box::new(Source("alone.example", Ok([3, 3, 3, 3])))]),
    ]);
    for (asked, answer) in [("b.test", [1, 1, 1, 1]), ("alone.example", [3, 3, 3, 3])] {
        let mut x = begin(asked);
        x.question.rtype = RecordType::DS;
        assert!(matches!(router.answer(&mut x), Ended::Reply));
        assert_eq!(x.reply.body.rdata(&x.reply.body.answer[0]), answer);
    }
    // A name below the cut is the child's.
    let mut x = begin("x.b.test");
    x.question.rtype = RecordType::DS;
    assert!(matches!(router.answer(&mut x), Ended::Dropped));
}

#[test]
fn no_block_is_refused() {
    let router = router(vec![("b.test", vec![])]);
    let mut x = begin("elsewhere.test");
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    assert_eq!((x.reply.rcode, x.zone), (Rcode::REFUSED, Router::OUTSIDE));
    let mut x = begin("a.b.test");
    x.question.class = Class::CH;
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    assert_eq!(x.failure(), Some(&Failure::ClassNotServed));
}

#[test]
fn a_dropped_question_comes_back_up_and_gets_no_reply() {
    let log = Seen::default();
    let router =
        router(vec![(".", vec![Box::new(Witness("outer", log.clone())), Box::new(Dropper)])]);
    let mut x = begin("a.test");
    assert!(matches!(router.answer(&mut x), Ended::Dropped));
    assert_eq!(seen(&log).len(), 2);
}

#[test]
fn the_chain_that_served_a_question_is_told_how_its_reply_left() {
    /// Writes down what is told.
    struct Counter(&'static str, Seen);
    impl Plugin for Counter {
        fn observer(&self) -> Option<&dyn Observe> {
            Some(self)
        }
    }
    impl Observe for Counter {
        fn replied(&self, x: &Exchange, octets: usize) {
            self.1.lock().unwrap().push(format!("{} {} {octets}", self.0, x.question.name()));
        }
    }
    let log = Seen::default();
    let counter = |name| Box::new(Counter(name, log.clone()));
    let outside = Chain::new(vec![Link { plugin: counter("outside"), name: "test", line: 0 }]);
    let router = router(vec![
        ("a.test", vec![counter("a"), Box::new(Dropper)]),
        ("b.test", vec![Box::new(Rename("b.test", "c.test")), counter("b"), Box::new(Bug)]),
    ]);
    let router = router.with_outside(outside);
    for (asked, octets) in [("a.test", 0), ("x.test", 12), ("b.test", 30)] {
        let mut x = begin(asked);
        let _ = router.answer(&mut x);
        router.replied(&x, octets);
    }
    // Where a plugin panicked, nobody can say how far its chain has come.
    assert_eq!(seen(&log), ["a a.test. 0", "outside x.test. 12", "outside b.test. 30"]);
}

#[test]
fn a_panic_costs_one_servfail() {
    let router = router(vec![(".", vec![Box::new(Bug)])]);
    let mut x = begin("a.test");
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    assert_eq!((x.reply.rcode, x.failure()), (Rcode::SERVFAIL, Some(&Failure::Panicked)));
    // The exchange is as good as new.
    let sound = self::router(vec![(".", vec![Box::new(Source("a.test", Ok([1, 1, 1, 1])))])]);
    x.begin(&query("a.test", RecordType::A), x.client, Moment(6)).unwrap();
    assert!(matches!(sound.answer(&mut x), Ended::Reply));
    assert_eq!((x.failure(), answers(&x)), (None, vec!["a.test. A".to_owned()]));
}

#[test]
fn a_panic_where_nobody_serves_costs_no_more() {
    struct UpBug;
    impl Plugin for UpBug {
        fn response(&self, _: &mut Exchange) {
            panic!("a bug")
        }
    }
    let outside = Chain::new(vec![Link { plugin: Box::new(UpBug), name: "test", line: 0 }]);
    let router = router(vec![("b.test", vec![])]).with_outside(outside);
    let mut x = begin("elsewhere.test");
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    assert_eq!((x.reply.rcode, x.failure()), (Rcode::SERVFAIL, Some(&Failure::Panicked)));
}

fn cname_blocks(waits: bool) -> Router {
    let target: Box<dyn Plugin> =
        if waits { Box::new(Waiter) } else { Box::new(Source("t.cluster", Ok([7, 7, 7, 7]))) };
    router(vec![
        (
            "company",
            vec![
                Box::new(Source("www.company", Err("t.cluster"))),
                Box::new(Source("dead.company", Err("nobody.here"))),
                Box::new(Source("a.company", Err("b.company"))),
                Box::new(Source("b.company", Err("a.company"))),
            ],
        ),
        ("cluster", vec![target]),
    ])
}

fn answers(x: &Exchange) -> Vec<String> {
    let body = &x.reply.body;
    body.answer.iter().map(|r| format!("{} {}", body.owner(r), r.rtype)).collect()
}

#[test]
fn a_cname_is_chased_through_the_whole_server() {
    let router = cname_blocks(false);
    let mut x = begin("www.company");
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    assert_eq!(answers(&x), ["www.company. CNAME", "t.cluster. A"]);
    assert!(x.reply.flags.has(Flags::AA) && !x.has_waited());
    // Nobody has the target: the CNAME alone.
    let mut x = begin("dead.company");
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    assert_eq!(answers(&x), ["dead.company. CNAME"]);
    assert_eq!(x.reply.rcode, Rcode::NOERROR);
}

#[test]
fn a_chase_that_waits_is_parked_and_resumed() {
    let router = cname_blocks(true);
    let mut x = begin("www.company");
    let Ended::Waiting(ticket) = router.answer(&mut x) else { panic!("must wait") };
    assert!(matches!(ready(router.resume(&mut x, ticket), 2), Ended::Reply));
    assert_eq!(answers(&x), ["www.company. CNAME", "t.cluster. A"]);
    assert!(x.has_waited());
}

#[test]
fn an_abandoned_chase_leaves_nothing_to_the_next_question() {
    let router = router(vec![
        (
            "company",
            vec![
                Box::new(Source("slow.company", Err("t.slow"))),
                Box::new(Source("fast.company", Err("t.fast"))),
            ],
        ),
        ("slow", vec![Box::new(Waiter)]),
        ("fast", vec![Box::new(Source("t.fast", Ok([7, 7, 7, 7])))]),
    ]);
    let mut x = begin("slow.company");
    let Ended::Waiting(ticket) = router.answer(&mut x) else { panic!("must wait") };
    assert!(matches!(router.abandon(&mut x, ticket, &Failure::Overloaded), Ended::Reply));
    // An exchange is used again and again.
    x.begin(&query("fast.company", RecordType::A), x.client, Moment(6)).unwrap();
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    assert_eq!(answers(&x), ["fast.company. CNAME", "t.fast. A"]);
}

#[test]
fn a_response_that_must_wait_goes_on_in_resolve() {
    /// Adds what the whole server says about another name.
    struct Adds(Seen);
    impl Plugin for Adds {
        fn query(&self, x: &mut Exchange) -> Step {
            x.remember(3);
            Step::Next
        }
        fn response(&self, x: &mut Exchange) {
            let memo = x.recall().unwrap();
            x.remember(memo + 1);
            x.finish_in_resolve();
        }
        fn resolve<'a>(&'a self, x: &'a mut Exchange, rest: Rest<'a>) -> Resolving<'a> {
            Box::pin(async move {
                self.0.lock().unwrap().push(format!("resolve {:?}", x.recall()));
                let question = Question::new(name("x.slow").as_name(), x.question.rtype);
                let mut nested = rest.ask(x, &question).await.unwrap();
                x.absorb(&mut nested);
                Step::Done
            })
        }
    }
    let log = Seen::default();
    let router = router(vec![
        (
            "test",
            vec![
                Box::new(Witness("outer", log.clone())),
                Box::new(Adds(log.clone())),
                Box::new(Witness("inner", log.clone())),
                Box::new(Source("a.test", Ok([1, 1, 1, 1]))),
            ],
        ),
        ("slow", vec![Box::new(Waiter)]),
    ]);
    let mut x = begin("a.test");
    let Ended::Waiting(ticket) = router.answer(&mut x) else { panic!("must wait") };
    assert_eq!(seen(&log).len(), 3);
    assert!(matches!(ready(router.resume(&mut x, ticket), 2), Ended::Reply));
    assert_eq!(answers(&x), ["a.test. A", "x.slow. A"]);
    assert_eq!(seen(&log)[3..], ["resolve Some(4)", "outer up a.test. NOERROR"]);
    assert_eq!(x.answered_by(), Some(("test", 0)));
    // Whoever has failed, or waited too long, waits for nothing more.
    let mut x = begin("a.test");
    let Ended::Waiting(ticket) = router.answer(&mut x) else { panic!("must wait") };
    assert!(matches!(router.abandon(&mut x, ticket, &Failure::Overloaded), Ended::Reply));
    let mut x = begin("nobody.test");
    assert!(matches!(router.answer(&mut x), Ended::Reply));
}

#[test]
fn whoever_is_abandoned_waits_for_nothing_more() {
    /// Answers in place of a failure, as a cache may.
    struct Reviver;
    impl Plugin for Reviver {
        fn response(&self, x: &mut Exchange) {
            x.clear_reply();
        }
    }
    /// Wants to finish every reply.
    struct Finisher;
    impl Plugin for Finisher {
        fn response(&self, x: &mut Exchange) {
            x.finish_in_resolve();
        }
    }
    let router = router(vec![(
        ".",
        vec![Box::new(Finisher), Box::new(Finisher), Box::new(Reviver), Box::new(Waiter)],
    )]);
    let mut x = begin("a.test");
    let Ended::Waiting(ticket) = router.answer(&mut x) else { panic!("must wait") };
    assert!(matches!(router.abandon(&mut x, ticket, &Failure::Overloaded), Ended::Reply));
    assert_eq!(x.failure(), Some(&Failure::Overloaded));
}

#[test]
fn a_refresh_of_a_target_is_not_forgotten() {
    /// Answers and wants to be asked again.
    struct Old;
    impl Plugin for Old {
        fn query(&self, x: &mut Exchange) -> Step {
            x.refresh_later();
            Step::Done
        }
    }
    let router = router(vec![
        ("company", vec![Box::new(Source("www.company", Err("t.cluster")))]),
        ("cluster", vec![Box::new(Old), Box::new(Waiter)]),
    ]);
    let mut x = begin("www.company");
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    let refresh = x.take_refresh().unwrap();
    let mut spare = Exchange::new();
    spare.begin_refresh(&x, &refresh);
    ready(router.refresh(&mut spare, &refresh), 2);
    // What the plugins see is the target, in the zone that serves it.
    assert_eq!((spare.question.name(), spare.zone), (name("t.cluster").as_name(), 1));
}

#[test]
fn a_chain_of_cnames_that_is_too_long_is_cut() {
    /// `1` is an alias of `2`, and so on for ever.
    struct Endless;
    impl Plugin for Endless {
        fn query(&self, x: &mut Exchange) -> Step {
            let owner = x.question.name().to_buf();
            let number: u32 = owner.to_string().trim_end_matches('.').parse().unwrap();
            let (body, target) = (&mut x.reply.body, name(&(number + 1).to_string()));
            let cname = RecordType::CNAME;
            body.push_name(Section::Answer, owner.as_name(), 5, cname, target.as_name());
            Step::Chase
        }
    }
    let router = router(vec![(".", vec![Box::new(Endless)])]);
    let mut x = begin("1");
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    assert_eq!(x.reply.body.answer.len(), 1 + usize::from(Exchange::DEPTH_MAX));
    assert!(x.is_chain_cut());
}

#[test]
fn a_loop_of_cnames_ends() {
    let mut x = begin("a.company");
    assert!(matches!(cname_blocks(false).answer(&mut x), Ended::Reply));
    assert_eq!(answers(&x), ["a.company. CNAME", "b.company. CNAME"]);
}

#[test]
fn a_refresh_asks_only_the_plugins_below() {
    struct Cache(Seen);
    impl Plugin for Cache {
        fn query(&self, x: &mut Exchange) -> Step {
            x.refresh_later();
            Step::Done
        }
        fn response(&self, x: &mut Exchange) {
            self.0.lock().unwrap().push(format!("stored {}", x.reply.body.answer.len()));
        }
    }
    let log = Seen::default();
    let router = router(vec![(
        ".",
        vec![
            Box::new(Witness("outer", log.clone())),
            Box::new(Cache(log.clone())),
            Box::new(Waiter),
        ],
    )]);
    let mut x = begin("a.test");
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    let refresh = x.take_refresh().unwrap();
    let mut spare = Exchange::new();
    spare.begin_refresh(&x, &refresh);
    ready(router.refresh(&mut spare, &refresh), 2);
    assert_eq!(seen(&log), ["outer down a.test.", "outer up a.test. NOERROR", "stored 1"]);
}

/// Tries these names, in this order, until one is found.
struct Search(&'static [&'static str]);
impl Plugin for Search {
    fn query(&self, x: &mut Exchange) -> Step {
        x.remember(0);
        Step::Next
    }
    fn response(&self, x: &mut Exchange) {
        let tried = x.recall().unwrap();
        if x.failure().is_none() {
            return;
        }
        if tried == 0 {
            x.set_reply_aside();
        }
        if let Some(next) = self.0.get(tried as usize) {
            x.remember(tried + 1);
            if x.ask_again(Question::new(name(next).as_name(), x.question.rtype)) {
                return;
            }
        }
        x.take_reply_back();
    }
}

#[test]
fn a_response_can_ask_the_plugins_below_again() {
    let log = Seen::default();
    let router = router(vec![(
        ".",
        vec![
            Box::new(Witness("outer", log.clone())),
            Box::new(Search(&["b.test", "c.test"])),
            Box::new(Witness("inner", log.clone())),
            Box::new(Source("c.test", Ok([1, 1, 1, 1]))),
        ],
    )]);
    let mut x = begin("a.test");
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    assert_eq!(
        seen(&log),
        [
            "outer down a.test.",
            "inner down a.test.",
            "inner up a.test. SERVFAIL",
            "inner down b.test.",
            "inner up b.test. SERVFAIL",
            "inner down c.test.",
            "inner up c.test. NOERROR",
            "outer up a.test. NOERROR",
        ]
    );
    assert_eq!(answers(&x), ["c.test. A"]);
    assert_eq!((x.answered_by(), x.failure()), (Some(("test", 0)), None));
}

#[test]
fn a_reply_that_was_set_aside_comes_back_as_it_was() {
    let router = router(vec![(
        ".",
        vec![Box::new(Search(&["b.test"])), Box::new(Source("c.test", Ok([1, 1, 1, 1])))],
    )]);
    let mut x = begin("a.test");
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    assert_eq!((x.reply.rcode, answers(&x).len()), (Rcode::SERVFAIL, 0));
    assert_eq!(x.failure(), Some(&Failure::NobodyAnswered { last: "test" }));
    assert_eq!(x.question.name().to_string(), "a.test.");
}

#[test]
fn asking_again_waits_where_it_has_to() {
    /// Waits for one name and knows no other.
    struct WaitsFor(&'static str);
    impl Plugin for WaitsFor {
        fn query(&self, x: &mut Exchange) -> Step {
            let is_it = x.question.name() == name(self.0).as_name();
            if is_it { Step::Wait } else { Step::Next }
        }
        fn resolve<'a>(&'a self, x: &'a mut Exchange, rest: Rest<'a>) -> Resolving<'a> {
            Waiter.resolve(x, rest)
        }
    }
    let log = Seen::default();
    let router = router(vec![(
        ".",
        vec![
            Box::new(Search(&["b.test", "c.test", "d.test"])),
            Box::new(Witness("inner", log.clone())),
            Box::new(WaitsFor("c.test")),
        ],
    )]);
    let mut x = begin("a.test");
    let Ended::Waiting(ticket) = router.answer(&mut x) else { panic!("must wait") };
    assert!(matches!(ready(router.resume(&mut x, ticket), 2), Ended::Reply));
    assert_eq!(answers(&x), ["c.test. A"]);
    assert_eq!(seen(&log).last().unwrap(), "inner up c.test. NOERROR");
    assert_eq!(x.question.name().to_string(), "a.test.");
}

#[test]
fn asking_again_has_a_limit() {
    /// Is never content.
    struct Greedy;
    impl Plugin for Greedy {
        fn response(&self, x: &mut Exchange) {
            if !x.ask_again(x.question) {
                x.reply.rcode = Rcode::NXDOMAIN;
            }
        }
    }
    let log = Seen::default();
    let router = router(vec![(
        ".",
        vec![Box::new(Greedy), Box::new(Greedy), Box::new(Witness("inner", log.clone()))],
    )]);
    for _ in 0..2 {
        let mut x = begin("a.test");
        assert!(matches!(router.answer(&mut x), Ended::Reply));
        assert_eq!(x.reply.rcode, Rcode::NXDOMAIN);
        assert_eq!(seen(&log).len(), 2 * (1 + usize::from(Exchange::AGAIN_MAX)));
        log.lock().unwrap().clear();
    }
}

/// Answers what the whole server says to a question, or denies.
struct Adviser(&'static str);
impl Plugin for Adviser {
    fn query(&self, x: &mut Exchange) -> Step {
        let question = Question::new(name(self.0).as_name(), x.question.rtype);
        if x.question.name() == question.name() {
            return Step::Next;
        }
        x.remember(0);
        if x.consult(&question) { Step::Consult } else { Step::Done }
    }
    fn response(&self, x: &mut Exchange) {
        if x.recall().is_none() {
            return;
        }
        x.clear_reply();
        if x.advice().is_some_and(|advice| advice.failure().is_none()) {
            let (owner, target) = (x.question.name().to_buf(), name(self.0));
            let cname = RecordType::CNAME;
            x.reply.body.push_name(Section::Answer, owner.as_name(), 5, cname, target.as_name());
            x.absorb_advice();
        } else {
            x.reply.rcode = Rcode::NXDOMAIN;
        }
    }
}

#[test]
fn the_whole_server_gives_advice() {
    let log = Seen::default();
    let router = router(vec![
        (
            "a.test",
            vec![
                Box::new(Witness("outer", log.clone())),
                Box::new(Adviser("b.test")),
                Box::new(Witness("never", log.clone())),
            ],
        ),
        ("c.test", vec![Box::new(Adviser("nobody.test"))]),
        ("slow.test", vec![Box::new(Adviser("w.waits.test"))]),
        ("waits.test", vec![Box::new(Waiter)]),
        ("test", vec![Box::new(Source("b.test", Ok([1, 1, 1, 1])))]),
    ]);
    let mut x = begin("a.test");
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    assert_eq!(answers(&x), ["a.test. CNAME", "b.test. A"]);
    assert_eq!(seen(&log), ["outer down a.test.", "outer up a.test. NOERROR"]);
    let mut x = begin("c.test");
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    assert_eq!((x.reply.rcode, answers(&x).len()), (Rcode::NXDOMAIN, 0));
    // One that has to be waited for, and one that does not come in time.
    let mut x = begin("slow.test");
    let Ended::Waiting(ticket) = router.answer(&mut x) else { panic!("must wait") };
    assert!(matches!(ready(router.resume(&mut x, ticket), 2), Ended::Reply));
    assert_eq!(answers(&x), ["slow.test. CNAME", "w.waits.test. A"]);
    assert!(x.has_waited());
    let mut x = begin("slow.test");
    let Ended::Waiting(ticket) = router.answer(&mut x) else { panic!("must wait") };
    assert!(matches!(router.abandon(&mut x, ticket, &Failure::Overloaded), Ended::Reply));
    assert_eq!((x.reply.rcode, x.failure()), (Rcode::NXDOMAIN, None));
}

#[test]
fn advice_that_leads_back_to_who_asked_for_it_ends() {
    let router = router(vec![
        ("a.test", vec![Box::new(Adviser("b.test"))]),
        ("b.test", vec![Box::new(Adviser("a.test"))]),
    ]);
    let mut x = begin("a.test");
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    assert_eq!(answers(&x), ["a.test. CNAME"]);
}
