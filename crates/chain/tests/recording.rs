//! What a recording says about a walk.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use chain::{
    Block, Chain, Client, Ended, Event, Exchange, Failure, Glance, Link, Moment, Plugin, Recording,
    Resolving, Rest, Router, Step, Transport, Way, What,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};
use wire::{Class, Flags, NameBuf, Question, RecordType, Section};

/// Answers every name below `.a` with an alias, and every other with an address, after a wait if it
/// is to wait.
struct Source {
    waits: bool,
}

impl Plugin for Source {
    fn query(&self, x: &mut Exchange) -> Step {
        x.note(|| format!("was asked for {}", x.question.name()));
        if self.waits { Step::Wait } else { answer(x) }
    }

    fn resolve<'a>(&'a self, x: &'a mut Exchange, _: Rest<'a>) -> Resolving<'a> {
        Box::pin(async move { answer(x) })
    }
}

fn answer(x: &mut Exchange) -> Step {
    let owner = x.question.name().to_buf();
    if owner.as_name().labels().last() == Some(b"a") {
        let target: NameBuf = "target.b".parse().unwrap();
        let (owner, target) = (owner.as_name(), target.as_name());
        x.reply.body.push_name(Section::Answer, owner, 5, RecordType::CNAME, target);
        return Step::Chase;
    }
    x.reply.body.push(Section::Answer, owner.as_name(), 5, RecordType::A, &[9, 9, 9, 9]);
    Step::Done
}

/// Asks for `new.a` in place of `old.a`, and takes something away on the way back.
struct Rename;

impl Plugin for Rename {
    fn query(&self, x: &mut Exchange) -> Step {
        let (old, new): (NameBuf, NameBuf) = ("old.a".parse().unwrap(), "new.a".parse().unwrap());
        if x.question.name() == old.as_name() {
            assert!(x.rewrite(Question::new(new.as_name(), x.question.rtype)));
        }
        Step::Next
    }

    fn response(&self, x: &mut Exchange) {
        x.reply.body.answer.truncate(1);
        x.note(String::new); // says nothing
    }
}

fn router(blocks: Vec<(&str, Vec<Box<dyn Plugin>>)>) -> Router {
    let blocks = blocks.into_iter().zip(0..).map(|((zone, plugins), zone_index)| {
        let links = plugins.into_iter().map(|plugin| Link { plugin, name: "test", line: 0 });
        let chain = Arc::new(Chain::new(links.collect()));
        Block { zone: zone.parse().unwrap(), zone_index, chain }
    });
    Router::new(0, "dns://:53".into(), blocks.collect(), Arc::default())
}

fn two_blocks(waits: bool) -> Router {
    router(vec![
        (".", vec![Box::new(Source { waits })]),
        ("a", vec![Box::new(Rename), Box::new(Source { waits })]),
    ])
}

fn begin(x: &mut Exchange, asked: &str) {
    let client = Client {
        peer: "127.0.0.1:4000".parse().unwrap(),
        local: "127.0.0.1:53".parse().unwrap(),
        transport: Transport::Udp,
    };
    let mut query = [0; 512];
    let asked: NameBuf = asked.parse().unwrap();
    let question = (asked.as_name(), RecordType::A, Class::IN);
    let length = wire::Encoder::new().query(1, Flags::RD, question, None, &mut query);
    x.begin(&query[..length], client, Moment(5)).unwrap();
}

/// The events of a question, a line each.
fn recorded(router: &Router, asked: &str) -> Vec<String> {
    let (mut x, recording) = (Exchange::new(), Arc::new(Recording::default()));
    begin(&mut x, asked);
    x.record(recording.clone());
    if let Ended::Waiting(ticket) = router.answer(&mut x) {
        let mut resumed = router.resume(&mut x, ticket);
        // Nothing here is pending.
        assert!(resumed.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }
    recording.events().iter().map(line).collect()
}

fn line(event: &Event) -> String {
    let what = match &event.what {
        What::Asked { question, considered } => format!("asked {question} of {considered:?}"),
        What::Turn { at, way } => match way {
            Way::Down(step) => format!("{at} down {step:?}"),
            Way::Resolve(step) => format!("{at} resolve {step:?}"),
            Way::Up => format!("{at} up"),
        },
        What::Note { at, text } => format!("{at} {text}"),
        What::Heard => "heard".to_owned(),
        What::Failed => "failed".to_owned(),
    };
    let question = event.question.map(|(old, new)| format!(" {} > {}", old.name(), new.name()));
    let records = |glance: &Glance| format!("{} {}", glance.rcode, glance.counts[0]);
    let reply = event.reply.as_ref();
    let reply = reply.map(|(old, new)| format!(" [{} > {}]", records(old), records(new)));
    let (depth, block) = (event.depth, event.block as i16);
    let changes = question.unwrap_or_default() + &reply.unwrap_or_default();
    format!("{depth}/{block} {what}{changes}")
}

#[test]
fn every_turn_is_told_with_what_it_changed_and_what_was_asked_behind_it() {
    assert_eq!(
        recorded(&two_blocks(false), "OLD.a"),
        [
            "0/1 asked old.a. IN A of [1, 0]",
            "0/1 0 down Next old.a. > new.a.",
            "0/1 1 was asked for new.a.",
            "0/1 1 down Chase [NOERROR 0 > NOERROR 1]",
            "1/0 asked target.b. IN A of [0]",
            "1/0 0 was asked for target.b.",
            "1/0 0 down Done [NOERROR 0 > NOERROR 1]",
            "0/1 heard [NOERROR 1 > NOERROR 2]",
            "0/1 0 up new.a. > old.a. [NOERROR 2 > NOERROR 1]",
        ]
    );
}

#[test]
fn a_walk_that_waits_is_told_in_the_same_list() {
    assert_eq!(
        recorded(&two_blocks(true), "x.a"),
        [
            "0/1 asked x.a. IN A of [1, 0]",
            "0/1 0 down Next",
            "0/1 1 was asked for x.a.",
            "0/1 1 down Wait",
            "0/1 1 resolve Chase [NOERROR 0 > NOERROR 1]",
            "1/0 asked target.b. IN A of [0]",
            "1/0 0 was asked for target.b.",
            "1/0 0 down Wait",
            "1/0 0 resolve Done [NOERROR 0 > NOERROR 1]",
            "0/1 heard [NOERROR 1 > NOERROR 2]",
            "0/1 0 up [NOERROR 2 > NOERROR 1]",
        ]
    );
}

#[test]
fn what_nobody_answers_is_told() {
    let alone = router(vec![("a", vec![Box::new(Rename)])]);
    assert_eq!(
        recorded(&alone, "x.a"),
        [
            "0/0 asked x.a. IN A of [0]",
            "0/0 0 down Next",
            "0/0 failed [NOERROR 0 > SERVFAIL 0]",
            "0/0 0 up",
        ]
    );
    assert_eq!(
        recorded(&alone, "x.b"),
        ["0/-1 asked x.b. IN A of []", "0/0 failed [NOERROR 0 > REFUSED 0]"]
    );
}

#[test]
fn who_gives_up_waiting_is_told() {
    let router = two_blocks(true);
    let (mut x, recording) = (Exchange::new(), Arc::new(Recording::default()));
    begin(&mut x, "x.b");
    x.record(recording.clone());
    let Ended::Waiting(ticket) = router.answer(&mut x) else { panic!("it waits") };
    let after = std::time::Duration::from_secs(5);
    assert!(matches!(router.abandon(&mut x, ticket, &Failure::Deadline { after }), Ended::Reply));
    let events = recording.events();
    let last = events.last().unwrap();
    assert_eq!(last.what, What::Failed);
    let failure = last.reply.as_ref().and_then(|(_, after)| after.failure.as_deref());
    assert_eq!(failure, Some("no answer within 5s"));
}

#[test]
fn a_note_is_worded_only_for_a_recording_and_no_longer_than_one_question() {
    /// Counts how often its note is worded.
    struct Talker(Arc<AtomicU32>);
    impl Plugin for Talker {
        fn query(&self, x: &mut Exchange) -> Step {
            for _ in 0..2 * Recording::EVENTS_MAX {
                x.note(|| {
                    self.0.fetch_add(1, Ordering::Relaxed);
                    "talks".to_owned()
                });
            }
            Step::Done
        }
    }
    let worded = Arc::new(AtomicU32::new(0));
    let router = router(vec![(".", vec![Box::new(Talker(worded.clone()))])]);
    let (mut x, recording) = (Exchange::new(), Arc::new(Recording::default()));
    begin(&mut x, "x.b");
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    assert_eq!(worded.load(Ordering::Relaxed), 0);
    begin(&mut x, "x.b");
    x.record(recording.clone());
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    assert_eq!(worded.load(Ordering::Relaxed), 2000);
    // What finds no room is counted: the question, 2000 notes and the turn.
    assert_eq!((recording.events().len(), recording.left_out()), (1000, 1002));
    begin(&mut x, "x.b");
    assert!(matches!(router.answer(&mut x), Ended::Reply));
    assert_eq!(recording.left_out(), 1002, "the next question is nobody's business");
}
