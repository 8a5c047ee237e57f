//! `rewrite`: asks the plugins below something else than the client did, and makes an answer to the
//! client's question out of theirs.
//!
//! **What this is.** Rules in the order of the Corefile (`rules`), each about some questions
//! (`pattern`) and with one thing to change (`rule`, `name`, `cname`, `edns`). On the way down they
//! change the question; on the way up, the last one first, they change the reply.
//!
//! **What this is not.** It chooses no server block: a rewritten question goes on in the block that
//! it is in. It answers nothing.
//!
//! **Where to start reading.** [`Rewrite`], then `rules`.

mod cname;
mod config;
mod edns;
mod name;
mod pattern;
mod rule;
mod rules;
mod template;
mod text;
mod words;

use crate::directive::{Built, Directive};
use crate::env::Env;
use chain::{Exchange, Failure, Plugin, Resolving, Rest, Step};
use config::Config;
use corefile::{Accepted, Block, Mistakes};
use rule::Field;
use rules::{Rules, Tried};
use wire::{Name, Question, RecordType};

/// The directive and the plugin.
pub(crate) struct Rewrite {
    rules: Rules,
}

impl Directive for Rewrite {
    const NAME: &'static str = "rewrite";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        config::read(block)
    }

    fn build(config: Config, _: &mut Env<'_>) -> Built {
        Ok(Some(Box::new(Self { rules: Rules::new(config.rules) })))
    }
}

impl Plugin for Rewrite {
    fn names(&self, show: &mut dyn FnMut(Name<'_>, RecordType)) {
        self.rules.names(show);
    }

    fn query(&self, x: &mut Exchange) -> Step {
        let mut question = x.question;
        let mut tried = Tried::default();
        let mut amends = false;
        let mut at = 0;
        while let Some((index, rule)) = self.rules.next(at, &question) {
            at = index + 1;
            let acted = match &rule.field {
                Field::Edns(rule) => {
                    let acted = rule.apply(x, &question);
                    tried.push(acted);
                    acted
                }
                _ => match rule.ask(&mut question) {
                    Ok(()) => true,
                    Err(text) => return x.fail(Failure::BadRewrite { text }),
                },
            };
            x.note(|| {
                let (number, count) = (index + 1, self.rules.len());
                note(&format!("rule {number} of {count}"), acted, rule, &question)
            });
            amends |= acted && rule.amends();
            if acted && rule.stops {
                break;
            }
        }
        // What is asked for instead is forgotten on the way up, also if no rule has anything to say
        // about the answer. (CoreDNS then sends the client a question that it did not ask.)
        if question != x.question && !x.rewrite(question) {
            return x.fail(Failure::TooDeep);
        }
        if amends {
            x.remember(tried.bits());
        }
        Step::Next
    }

    fn response(&self, x: &mut Exchange) {
        let Some(bits) = x.recall() else { return };
        if x.is_dropped() {
            return;
        }
        let replayed = self.rules.replay(&x.question, Tried::from_bits(bits));
        let mut left = replayed.len();
        for applied in replayed.last_first(left) {
            if let Field::Cname(rule) = &applied.rule.field
                && rule.find(&x.reply.body).is_some()
            {
                x.remember(left as u64);
                x.remember(bits);
                x.finish_in_resolve();
                return;
            }
            applied.rule.amend(&mut x.reply, &applied.before, &applied.after);
            left -= 1;
        }
    }

    /// Goes on where `response` found a CNAME record whose new target must be asked for.
    fn resolve<'a>(&'a self, x: &'a mut Exchange, rest: Rest<'a>) -> Resolving<'a> {
        Box::pin(async move {
            let (Some(bits), Some(left)) = (x.recall(), x.recall()) else { return Step::Done };
            let replayed = self.rules.replay(&x.question, Tried::from_bits(bits));
            for applied in replayed.last_first(left as usize) {
                match &applied.rule.field {
                    Field::Cname(rule) => lead(rule, x, rest).await,
                    _ => applied.rule.amend(&mut x.reply, &applied.before, &applied.after),
                }
            }
            Step::Done
        })
    }
}

/// What a rule has made of a question.
fn note(which: &str, acted: bool, rule: &rule::Rule, question: &Question) -> String {
    let goes_on = if rule.stops { "" } else { ", and looks for more rules" };
    match &rule.field {
        _ if !acted => format!("{which} does not apply"),
        Field::Name(_) | Field::Class(..) | Field::Type(..) => {
            format!("{which} asks for {question}{goes_on}")
        }
        Field::Ttl(..) => format!("{which} will change the TTL of the answer{goes_on}"),
        Field::Rcode(..) => format!("{which} will look at the response code{goes_on}"),
        Field::Cname(_) => format!("{which} will look at the CNAME of the answer{goes_on}"),
        Field::Edns(_) => format!("{which} changes the options for upstream servers{goes_on}"),
    }
}

/// Leads the first CNAME record that the rule is about to its new target, which the whole server is
/// asked for.
async fn lead(rule: &cname::CnameRule, x: &mut Exchange, rest: Rest<'_>) {
    let Some((index, target)) = rule.find(&x.reply.body) else { return };
    let mut question = Question::new(target.as_name(), x.question.rtype);
    question.class = x.question.class;
    match rest.ask(x, &question).await {
        Some(mut nested) => {
            cname::lead(&mut x.reply, index, target);
            x.absorb(&mut nested);
        }
        None => {
            x.fail(Failure::TooDeep);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Upstream, World, router, shown, told};
    use chain::Router;
    use proptest::prelude::*;
    use wire::{NameBuf, Rcode};

    /// The plugin with these lines, above an upstream server.
    fn rewritten(lines: &str) -> (World, Upstream, Router) {
        let mut world = World::new();
        let upstream = Upstream::new(&world);
        let plugin = world.build::<Rewrite>(&format!(". {{\n{lines}\n}}")).unwrap();
        let router = router(vec![plugin, Box::new(upstream.clone())]);
        (world, upstream, router)
    }

    #[test]
    fn the_table_is_sound() {
        assert_eq!(config::SYNTAX.faults(), [""; 0]);
    }

    #[tokio::test]
    async fn the_asked_name_comes_back_in_every_section() {
        let (world, upstream, router) =
            rewritten("rewrite name exact old.test new.test\nrewrite name sub.test deep.new.test");
        upstream.answers(
            "new.test SRV",
            "ra NOERROR
             new.test 60 SRV 1 2 3 a.new.test
             new.test 60 CNAME new.test
             --
             new.test 60 NS new.test
             x.test 60 SOA ns.new.test root.new.test 1 2 3 4 5
             --
             a.new.test 60 A 192.0.2.1
             new.test 60 RRSIG 000100000000000000000000000000000000036e657704746573740000
             anew.test 60 MX 1 anew.test",
        );
        let x = world.ask(&router, "OLD.test SRV").await;
        assert_eq!(
            shown(&x),
            "ra NOERROR\nold.test. 60 SRV 1 2 3 a.old.test.\nold.test. 60 CNAME old.test.\n--\n\
             old.test. 60 NS old.test.\nx.test. 60 SOA ns.old.test. root.new.test.\n--\n\
             a.old.test. 60 A 192.0.2.1\nold.test. 60 RRSIG new.test.\nanew.test. 60 MX 1 anew.test."
        );
        assert_eq!(x.question.name().to_string(), "old.test.");
        assert_eq!(x.request.asked.to_string(), "OLD.test.");
        upstream.asked();
        world.ask(&router, "sub.test A").await;
        world.ask(&router, "x.sub.test A").await;
        assert_eq!(upstream.asked(), ["deep.new.test. A", "x.sub.test. A"]);
    }

    #[tokio::test]
    async fn the_order_of_the_rules_holds_whether_they_are_hashed_or_tried() {
        let (world, upstream, router) = rewritten(
            "rewrite continue name exact a.test b.test
             rewrite continue name suffix .test .example
             rewrite name exact b.test never.test
             rewrite continue name regex ^c\\.(.*)\\.$ d.{1}
             rewrite name exact b.example c.example
             rewrite name regex .* last.example
             rewrite name exact last.example never.example",
        );
        world.ask(&router, "a.test A").await;
        world.ask(&router, "x.test A").await;
        world.ask(&router, "c.test A").await;
        assert_eq!(upstream.asked(), ["c.example. A", "last.example. A", "last.example. A"]);
    }

    #[tokio::test]
    async fn what_a_continued_rule_asks_for_is_forgotten() {
        let (world, upstream, router) = rewritten(
            "rewrite continue name suffix .company.test .example.test
             rewrite continue type ANY A",
        );
        upstream.answers("www.example.test A", "NOERROR\nwww.example.test 9 A 192.0.2.1");
        let x = world.ask(&router, "www.company.test ANY").await;
        assert_eq!(shown(&x), "NOERROR\nwww.example.test. 9 A 192.0.2.1");
        assert_eq!(x.question.to_string(), "www.company.test. IN ANY");
    }

    #[tokio::test]
    async fn rules_for_the_answer_work_from_the_last_to_the_first() {
        let (world, upstream, router) = rewritten(
            "rewrite continue name regex ^(.*)\\.one\\.test\\.$ {1}.two.test answer auto
             rewrite continue ttl suffix .two.test 20-30
             rewrite name suffix .two.test .three.test answer auto
             rewrite ttl suffix .three.test 99",
        );
        upstream.answers("w.three.test A", "NOERROR\nw.three.test 9 A 192.0.2.1");
        let x = world.ask(&router, "w.one.test A").await;
        assert_eq!(shown(&x), "NOERROR\nw.one.test. 20 A 192.0.2.1");
    }

    #[tokio::test]
    async fn answers_are_changed_as_told() {
        let (world, upstream, router) = rewritten(
            "rewrite stop {
                 name regex (.*)\\.old\\.test {1}.new.test
                 answer name (.*)\\.new\\.test {1}.old.test
                 value (.*)\\.new\\.test {1}.old.test
                 value (mail)\\.old\\.test {1}.shown.test
             }",
        );
        upstream.answers(
            "www.new.test MX",
            "NOERROR\nWWW.New.test 60 MX 10 Mail.new.test\n--\n--\nmail.new.test 60 A 192.0.2.25",
        );
        let x = world.ask(&router, "www.old.test MX").await;
        // The last change works first: it does not see what the one in front of it makes.
        assert_eq!(
            shown(&x),
            "NOERROR\nwww.old.test. 60 MX 10 mail.old.test.\n--\n--\nmail.old.test. 60 A 192.0.2.25"
        );
    }

    #[tokio::test]
    async fn response_codes_of_failures_are_changed_too() {
        let (world, upstream, router) = rewritten(
            "rewrite continue rcode gone.test SERVFAIL NXDOMAIN
             rewrite rcode suffix .test 3 NOERROR",
        );
        // From the last rule to the first: the second finds no NXDOMAIN yet.
        let x = world.ask(&router, "gone.test A +edns").await;
        assert_eq!(told(&x), (Rcode::NXDOMAIN, None));
        assert!(x.failure().is_some());
        upstream.answers("a.test A", "NXDOMAIN");
        assert_eq!(told(&*world.ask(&router, "a.test A").await), (Rcode::NOERROR, None));
        assert_eq!(told(&*world.ask(&router, "b.test A").await).0, Rcode::SERVFAIL);
    }

    #[tokio::test]
    async fn no_name_is_asked_for_that_is_none() {
        let (world, upstream, router) = rewritten("rewrite name regex (.*)\\.bad\\.test {1}..bad");
        let x = world.ask(&router, "a.bad.test A").await;
        let text = "a..bad.".into();
        assert_eq!(x.failure(), Some(&Failure::BadRewrite { text }));
        assert!(upstream.asked().is_empty());
    }

    #[tokio::test]
    async fn a_cname_is_led_elsewhere_and_the_rules_in_front_go_on() {
        let (world, upstream, router) = rewritten(
            "rewrite continue name exact app.test app.lb.test
             rewrite continue ttl suffix .lb.test 7
             rewrite cname suffix .old.test .new.test
             rewrite name never.test never.test",
        );
        upstream.answers(
            "app.lb.test A",
            "ra NXDOMAIN
             app.lb.test 60 CNAME www.OLD.test
             www.old.test 60 CNAME x.test
             x.test 60 A 192.0.2.1
             --
             old.test 60 SOA ns.old.test r.old.test 1 2 3 4 5",
        );
        upstream.answers("www.new.test A", "ra NOERROR\nwww.new.test 60 A 192.0.2.2");
        let x = world.ask(&router, "app.test A").await;
        assert_eq!(
            shown(&x),
            "ra NOERROR\napp.test. 7 CNAME www.new.test.\nwww.new.test. 7 A 192.0.2.2"
        );
        // The new target fails: the old one's address is not given out.
        upstream.answers(
            "a.lb.test A",
            "NOERROR\na.lb.test 60 CNAME b.old.test\nb.old.test 9 A 1.1.1.1",
        );
        assert_eq!(told(&*world.ask(&router, "a.lb.test A").await).0, Rcode::SERVFAIL);
        // A rule that leads to where it began ends.
        let (world, upstream, router) = rewritten("rewrite cname regex ^x*(.*)$ x{1}");
        upstream.answers("a.test A", "NOERROR\na.test 60 CNAME b.test");
        upstream.answers("xb.test A", "NOERROR\nxb.test 60 CNAME xxb.test");
        let x = world.ask(&router, "a.test A").await;
        assert_eq!(x.failure(), Some(&Failure::TooDeep));
    }

    #[tokio::test]
    async fn an_answer_from_memory_without_a_cname_waits_for_nothing() {
        let (world, upstream, router) = rewritten("rewrite cname a.test b.test");
        upstream.is_local();
        upstream.answers("c.test A", "NOERROR\nc.test 60 A 192.0.2.2");
        let mut x = world.question("c.test A");
        assert!(matches!(router.answer(&mut x), chain::Ended::Reply));
    }

    #[tokio::test]
    async fn options_go_upstream_and_nowhere_else() {
        let options = |lines: &str, question: &'static str| {
            let (world, upstream, router) = rewritten(lines);
            async move {
                let x = world.ask(&router, question).await;
                assert!(x.reply.options.octets().len() <= 6, "no more than an extended error");
                let has_edns = x.request.has_edns;
                let (edns, _) = upstream.last();
                (format!("{:?}", edns.map(|edns| edns.options)), has_edns)
            }
        };
        let text = |options: &str| format!("Some({{{options}}})");
        let set = "rewrite edns0 local set 0xffee 0x6162 revert";
        assert_eq!(options(set, "a. A").await, (text("65518: [97, 98]"), false));
        assert_eq!(options(set, "a. A +edns").await, (text("65518: [97, 98]"), true));
        let twice = "rewrite continue edns0 local append 9 a\nrewrite edns0 local append 9 b";
        assert_eq!(options(twice, "a. A").await.0, text("9: [97], 9: [98]"));
        let replaced =
            "rewrite continue edns0 local set 9 a\nrewrite continue edns0 local append 9 b
                        rewrite continue edns0 local replace 9 c\nrewrite edns0 local replace 8 d
                        rewrite edns0 subnet append 24 56";
        let subnet = "8: [0, 1, 24, 0, 10, 1, 2]";
        assert_eq!(options(replaced, "a. A").await.0, text(&format!("9: [99], 9: [98], {subnet}")));
        let unset = "rewrite continue edns0 nsid set\nrewrite continue edns0 subnet set 24 56
                     rewrite edns0 nsid unset";
        assert_eq!(options(unset, "a. A").await.0, text(subnet));
        let none = "rewrite edns0 local replace 9 a\nrewrite edns0 local set 9 {some/label}";
        assert_eq!(options(none, "a. A").await, ("None".to_owned(), false));
        let variables = "rewrite continue name a.test b.test
                         rewrite continue edns0 local set 1 {qname}
                         rewrite continue edns0 local set 2 {qtype}
                         rewrite continue edns0 local set 3 {client_ip}
                         rewrite continue edns0 local set 4 {client_port}
                         rewrite continue edns0 local set 5 {protocol}
                         rewrite continue edns0 local set 6 {server_ip}
                         rewrite continue edns0 local set 7 {server_port}";
        assert_eq!(
            options(variables, "A.test AAAA").await.0,
            text(
                "1: [98, 46, 116, 101, 115, 116, 46], 2: [0, 28], 3: [10, 1, 2, 3], 4: [15, 160], \
                 5: [117, 100, 112], 6: [127, 0, 0, 1], 7: [0, 53]"
            )
        );
    }

    #[tokio::test]
    async fn what_options_came_to_is_remembered() {
        let (world, upstream, router) = rewritten(
            "rewrite edns0 local replace 9 x
             rewrite continue edns0 local set 9 {no/label}
             rewrite continue edns0 local set 9 y
             rewrite continue ttl . 5
             rewrite edns0 local replace 9 z
             rewrite ttl . 6",
        );
        upstream.answers(". NS", "NOERROR\n. 60 NS a.test");
        assert_eq!(shown(&*world.ask(&router, ". NS").await), "NOERROR\n. 5 NS a.test.");
    }

    #[test]
    fn mistakes_have_a_place_and_a_hint() {
        let complaints =
            |line: &str| World::complaints::<Rewrite>(&format!(". {{\n    rewrite {line}\n}}"));
        for (line, expected) in [
            ("", "words are missing from this rule"),
            ("nam a b", "`nam` must be `name`, `class`"),
            ("name a", "words are missing"),
            ("name fuzzy a b", "`fuzzy` must be `exact`, `prefix`"),
            (
                "name regex (a b",
                "`(a` is no regular expression: at character 1: this `(` is not closed",
            ),
            ("name regex (.*)a {1}{2}", "uses 2 groups, and the expression has 1"),
            ("name regex (.*)a {2}", "warning: the expression has no group 2"),
            ("cname regex (.*)a {1}{2}", "warning: the expression has no group 2"),
            ("name exact a b c", "`c` must be `answer`"),
            ("name exact a b answer", "words are missing"),
            ("name exact a b answer all", "`all` must be `auto`, `name` or `value`"),
            ("name suffix a b answer auto name c d", "`answer auto` changes the owners already"),
            ("name exact a..b c", "warning: no name looks like `a..b`"),
            ("name exact a b..c", "warning: `b..c` is no name"),
            ("answer auto", "`answer` stands behind a `name` rule"),
            ("class IN XX", "`XX` must be a class"),
            ("type A YES", "`YES` must be a record type"),
            ("type A AAAA MX", "`MX` is one word too many"),
            ("ttl a.test 5-1", "`5-1` must be a number of seconds"),
            ("rcode a.test NXDOMAIN 99", "`99` must be a response code"),
            ("edns0 local put 1 2", "`put` must be `set`, `append`"),
            ("edns0 cookie set", "`cookie` must be `local`, `nsid` or `subnet`"),
            ("edns0 local set 70000 a", "`70000` must be the code of an option"),
            ("edns0 local set 1 0xabc", "must be an even number of digits"),
            ("edns0 local set 1 {nobody}", "`{nobody}` is no variable"),
            ("edns0 subnet set 33 0", "`33` must be a number of bits up to 32"),
            ("cname a.test b.test\n rewrite name a b", "this rule is never looked at"),
        ] {
            let found = complaints(line);
            assert!(found.contains(expected), "{line}: {found}");
        }
        let many = "continue edns0 nsid set\n rewrite ".repeat(64);
        assert_eq!(complaints(&format!("{many} type A AAAA")), "");
        assert!(complaints(&format!("{many} edns0 nsid set")).contains("at most 64 rules"));
        for fine in [
            "continue type A AAAA",
            "STOP Name EXACT a b",
            "edns0 local unset 5",
            "{\n name a\n b }",
        ] {
            assert_eq!(complaints(fine), "", "{fine}");
        }
    }

    /// Any words, and rules that are nearly always right.
    fn any_rule() -> impl Strategy<Value = String> {
        let word = prop::sample::select(vec![
            "continue",
            "stop",
            "name",
            "class",
            "type",
            "ttl",
            "rcode",
            "cname",
            "edns0",
            "exact",
            "prefix",
            "suffix",
            "substring",
            "regex",
            "answer",
            "auto",
            "value",
            "a.test",
            "{1}.x",
            "IN",
            "A",
            "5-9",
            "0",
            "local",
            "nsid",
            "set",
            "append",
            "unset",
            "revert",
            "{qname}",
        ]);
        let words = prop::collection::vec(word, 1..9).prop_map(|words| words.join(" "));
        let mode = prop::sample::select(vec!["", "continue ", "stop "]);
        let field = prop::sample::select(vec![
            "name exact F T",
            "name prefix F T",
            "name suffix F T answer auto",
            "name substring F T answer auto",
            "name regex (.*)F {1}T answer name F T",
            "name regex (.*)(F) {2}.{1} answer value (F) {1}",
            "ttl suffix F 5-9",
            "type A ANY",
            "rcode regex F 0 3",
            "cname substring F T",
            "edns0 local append 9 {qname}",
        ]);
        let part = || prop::sample::select(vec!["a", "b", ".", ".test", "a.test", "x..y", "a\\."]);
        let rule = (mode, field, part(), part()).prop_map(|(mode, field, from, to)| {
            mode.to_owned() + &field.replace('F', from).replace('T', to)
        });
        prop_oneof![1 => words, 6 => rule].prop_map(|rule| format!("rewrite {rule}"))
    }

    proptest! {
        /// What can be read can be asked: nobody panics, and the question comes back as it was.
        #[test]
        fn any_rules_are_read_and_obeyed(
            lines in prop::collection::vec(any_rule(), 1..5),
            asked in r"([ab.]|\\[.@]|\\000|xtest|test){0,9}",
        ) {
            let mut world = World::new();
            let upstream = Upstream::new(&world);
            upstream.is_local();
            let corefile = format!(". {{\n{}\n}}", lines.join("\n"));
            if let (Ok(plugin), Ok(asked)) = (world.build::<Rewrite>(&corefile), asked.parse::<NameBuf>()) {
                upstream.answers("a.test A", "NOERROR\na.test 9 CNAME b.test\nb.test 9 MX 1 a.test");
                let router = router(vec![plugin, Box::new(upstream)]);
                let mut x = world.question(&format!("{asked} A"));
                let _ = router.answer(&mut x);
                prop_assert_eq!(x.question.name(), asked.as_name());
            }
        }
    }
}
