//! A scenario as steps.

use super::markdown::{Fence, Section};
use super::mistake::{Mistake, duration};
use super::sample::ExpectedSample;
use super::server::Kind;
use super::variables::{UPSTREAMS, Variables};
use crate::dns::{Expected, Question};
use crate::upstream::Script;
use std::iter::Peekable;
use std::time::Duration;

/// How long a step waits for what a server may write or count a little later.
const PATIENCE: Duration = Duration::from_secs(2);

/// A scenario: what one server process goes through.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    /// What it shows.
    pub(super) title: String,
    pub(super) steps: Vec<Step>,
}

/// One fence.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Where it stands.
    pub(super) line: usize,
    pub(super) action: Action,
    /// `rutter only REASON`, `coredns only REASON`.
    pub(super) only: Option<Kind>,
    /// How long it may take until what is expected is so.
    pub(super) within: Duration,
    /// `coredns REASON`: what CoreDNS does in place of what the fence expects.
    pub(super) coredns: Option<Action>,
    /// Why the two servers differ here, where they do.
    pub(super) reason: Option<String>,
}

/// What a step does.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Corefile(String),
    File { name: String, text: String },
    RemoveFile(String),
    Cluster(Cluster),
    Upstream(usize, Upstream),
    Query(Vec<Question>, Expected),
    Asked(usize, Vec<(Question, Count)>),
    Wait(Duration),
    Log(Vec<String>),
    NotInLog(Vec<String>),
    Metrics(Vec<ExpectedSample>),
    Http { url: String, expected: Vec<String> },
    Signal(rustix::process::Signal),
    Exit { code: i32, stderr: Vec<String> },
    Check(Vec<String>),
}

/// What happens to the fake cluster.
#[derive(Clone, Debug)]
pub(super) enum Cluster {
    Apply(String),
    Delete(String),
    Set(crate::kubernetes::Condition),
    Deny(String),
    Allow(String),
    Remove(String),
    Bring(String),
    LimitPages(usize),
    Streaming(crate::kubernetes::Streaming),
    CutWatches,
    Expire,
    Garbage,
}

/// What happens to a fake upstream.
#[derive(Clone, Debug)]
pub(super) enum Upstream {
    Add(Script),
    Down,
    Up,
}

/// How often something was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    Exactly(usize),
    AtLeast(usize),
}

impl Count {
    pub(super) fn holds(self, count: usize) -> bool {
        match self {
            Self::Exactly(number) => count == number,
            Self::AtLeast(number) => count >= number,
        }
    }
}

impl Scenario {
    pub(super) fn read(section: &Section, variables: &Variables) -> Result<Self, Mistake> {
        let mut steps: Vec<Step> = Vec::new();
        for fence in &section.fences {
            match fence.info.split_once(' ').unwrap_or((&fence.info, "")) {
                ("text", _) => {}
                ("coredns", reason) => {
                    let step = steps.last_mut().filter(|step| step.coredns.is_none());
                    let step = step.ok_or_else(|| Mistake::new("nothing stands before it"));
                    let declared = step.and_then(|step| step.declare(reason, fence, variables));
                    declared.map_err(|mistake| mistake.or_at(fence.line))?;
                }
                _ => {
                    let step = Step::read(fence, variables);
                    steps.push(step.map_err(|mistake| mistake.or_at(fence.line))?);
                }
            }
        }
        Ok(Self { title: section.title.clone(), steps })
    }

    /// The steps that a server of this kind goes through.
    pub(super) fn steps_for(&self, kind: Kind) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.only.is_none_or(|only| only == kind))
    }

    /// Whether there is anything for a server of this kind: without a Corefile there is not.
    pub(super) fn is_for(&self, kind: Kind) -> bool {
        self.steps_for(kind).any(|step| matches!(step.action, Action::Corefile(_)))
    }
}

impl Step {
    fn read(fence: &Fence, variables: &Variables) -> Result<Self, Mistake> {
        let words: Vec<&str> = fence.info.split_whitespace().collect();
        let (words, only) = split_only(&words)?;
        let (only, reason) = only.unzip();
        let (words, within) = match words {
            [words @ .., "until", time] => (words, Some(duration(time)?)),
            words => (words, None),
        };
        let action = Action::read(words, fence, variables)?;
        let only = match action {
            Action::Check(_) => Some(Kind::Rutter),
            _ => only,
        };
        let default = match action {
            Action::Query(..) | Action::NotInLog(_) => Duration::ZERO,
            _ => PATIENCE,
        };
        let within = within.unwrap_or(default);
        Ok(Self { line: fence.line, action, only, within, coredns: None, reason })
    }

    /// Reads what CoreDNS does in place of what this step expects.
    fn declare(
        &mut self,
        reason: &str,
        fence: &Fence,
        variables: &Variables,
    ) -> Result<(), Mistake> {
        if reason.trim().is_empty() {
            return Err(Mistake::new("say why: `coredns REASON`"));
        }
        let body = variables.expand(&fence.body);
        let lines = lines_of(&body);
        let action = match &self.action {
            Action::Query(questions, _) => {
                let expected = Expected::read((fence.line + 1..).zip(body.lines()))?;
                Action::Query(questions.clone(), expected)
            }
            Action::Asked(upstream, _) => Action::Asked(*upstream, read_asked(&lines)?),
            Action::Log(_) => Action::Log(lines),
            Action::NotInLog(_) => Action::NotInLog(lines),
            Action::Metrics(_) => Action::Metrics(read_samples(&lines)?),
            Action::Http { url, .. } => Action::Http { url: url.clone(), expected: lines },
            Action::Exit { code, .. } => Action::Exit { code: *code, stderr: lines },
            _ => return Err(Mistake::new("the fence before it expects nothing")),
        };
        self.coredns = Some(action);
        self.reason = Some(reason.trim().to_owned());
        Ok(())
    }

    /// What a server of this kind shall do.
    pub(super) fn action_for(&self, kind: Kind) -> &Action {
        match (&self.coredns, kind) {
            (Some(action), Kind::CoreDns) => action,
            _ => &self.action,
        }
    }
}

/// Words of a fence, and the server that it is for with the reason.
type Split<'a, 'b> = (&'a [&'b str], Option<(Kind, String)>);

/// Splits `SERVER only REASON` off the words of a fence.
fn split_only<'a, 'b>(words: &'a [&'b str]) -> Result<Split<'a, 'b>, Mistake> {
    let Some(at) = words.iter().position(|word| *word == "only").filter(|at| *at > 1) else {
        return Ok((words, None));
    };
    let kind = match words[at - 1] {
        "rutter" => Kind::Rutter,
        "coredns" => Kind::CoreDns,
        _ => return Err(Mistake::new("write `rutter only REASON` or `coredns only REASON`")),
    };
    if words.len() == at + 1 {
        return Err(Mistake::new(format!("say why: `{} only REASON`", words[at - 1])));
    }
    Ok((&words[..at - 1], Some((kind, words[at + 1..].join(" ")))))
}

impl Action {
    fn read(words: &[&str], fence: &Fence, variables: &Variables) -> Result<Self, Mistake> {
        let body = variables.expand(&fence.body);
        let lines = lines_of(&body);
        Ok(match words {
            // The server itself puts the variables in.
            ["corefile"] => Self::Corefile(fence.body.clone()),
            ["file", name] => Self::File { name: file_name(name)?, text: body },
            ["file", name, "removed"] => Self::RemoveFile(file_name(name)?),
            ["cluster", words @ ..] => Self::Cluster(Cluster::read(words, body)?),
            ["upstream", words @ ..] => {
                let (upstream, words) = split_upstream(words);
                Self::Upstream(upstream, Upstream::read(words, &body, fence.line + 1)?)
            }
            ["query"] => {
                let lines = (fence.line + 1..).zip(body.lines());
                let (questions, expected) = read_query(lines.peekable())?;
                Self::Query(questions, expected)
            }
            ["asked", words @ ..] if words.len() < 2 => {
                Self::Asked(split_upstream(words).0, read_asked(&some(lines)?)?)
            }
            ["wait", time] => Self::Wait(duration(time)?),
            ["log"] => Self::Log(some(lines)?),
            ["log", "absent"] => Self::NotInLog(some(lines)?),
            ["metrics"] => Self::Metrics(read_samples(&some(lines)?)?),
            ["http", "GET", url] => Self::Http { url: variables.expand(url), expected: lines },
            ["signal", name] => Self::Signal(read_signal(name)?),
            ["exit", code] => {
                let wrong = |_| Mistake::new(format!("`{code}` is no exit code"));
                Self::Exit { code: code.parse().map_err(wrong)?, stderr: lines }
            }
            ["check"] => Self::Check(some(lines)?),
            _ => return Err(Mistake::new(format!("`{}` is no fence; {FENCES}", words.join(" ")))),
        })
    }
}

const FENCES: &str = "there are corefile, file NAME, cluster …, upstream …, query, asked, \
    wait TIME, log, log absent, metrics, http GET URL, signal NAME, exit CODE, check, coredns REASON, text";

impl Cluster {
    fn read(words: &[&str], body: String) -> Result<Self, Mistake> {
        use crate::kubernetes::Condition::{Down, Failing, Hanging, Up};
        use crate::kubernetes::Streaming::{Broken, Refused};
        let number =
            |text: &str| text.parse().map_err(|_| Mistake::new(format!("`{text}` is no number")));
        Ok(match words {
            [] | ["apply"] => Self::Apply(body),
            ["delete"] => Self::Delete(body),
            ["up"] => Self::Set(Up),
            ["down"] => Self::Set(Down),
            ["hang"] => Self::Set(Hanging),
            ["fail", code] => Self::Set(Failing(number(code)?)),
            ["deny", plural] => Self::Deny((*plural).to_owned()),
            ["allow", plural] => Self::Allow((*plural).to_owned()),
            ["pages", objects] => Self::LimitPages(number(objects)?.into()),
            ["absent", plural] => Self::Remove((*plural).to_owned()),
            ["present", plural] => Self::Bring((*plural).to_owned()),
            ["no-streaming-lists"] => Self::Streaming(Refused),
            ["broken-streaming-lists"] => Self::Streaming(Broken),
            ["cut"] => Self::CutWatches,
            ["expire"] => Self::Expire,
            ["garbage"] => Self::Garbage,
            _ => {
                return Err(Mistake::new(format!(
                    "`cluster {}` is none of apply, delete, up, down, hang, fail CODE, \
                     deny PLURAL, allow PLURAL, absent PLURAL, present PLURAL, pages NUMBER, \
                     no-streaming-lists, broken-streaming-lists, cut, expire, garbage",
                    words.join(" ")
                )));
            }
        })
    }
}

impl Upstream {
    fn read(words: &[&str], body: &str, first_line: usize) -> Result<Self, Mistake> {
        match words {
            [] => Script::read(body, first_line).map(Self::Add),
            ["down"] => Ok(Self::Down),
            ["up"] => Ok(Self::Up),
            _ => Err(Mistake::new(
                "write `upstream`, `upstream UPSTREAM2`, and perhaps `down`, `up`",
            )),
        }
    }
}

/// The upstream that the words name, the first one if they name none.
fn split_upstream<'a, 'b>(words: &'a [&'b str]) -> (usize, &'a [&'b str]) {
    match words.split_first() {
        Some((first, rest)) if UPSTREAMS.contains(first) => {
            (UPSTREAMS.iter().position(|name| name == first).unwrap_or(0), rest)
        }
        _ => (0, words),
    }
}

fn lines_of(body: &str) -> Vec<String> {
    body.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// A fence that looks for nothing could never fail.
fn some(lines: Vec<String>) -> Result<Vec<String>, Mistake> {
    if lines.is_empty() { Err(Mistake::new("there is nothing to look for")) } else { Ok(lines) }
}

/// Files lie in the scenario's folder, nowhere else.
fn file_name(name: &str) -> Result<String, Mistake> {
    let inside =
        !name.starts_with('/') && name.split('/').all(|step| !step.is_empty() && step != "..");
    match inside && name != "Corefile" {
        true => Ok(name.to_owned()),
        false => Err(Mistake::new(format!("`{name}` is no name of a file beside the Corefile"))),
    }
}

/// Reads the questions and, from the first `;;` on, the reply that each of them must get.
fn read_query<'a>(
    mut lines: Peekable<impl Iterator<Item = (usize, &'a str)>>,
) -> Result<(Vec<Question>, Expected), Mistake> {
    let mut questions = Vec::new();
    while let Some((at, line)) = lines.next_if(|(_, line)| !line.starts_with(";;")) {
        questions.push(Question::read(line).map_err(|mistake| mistake.at(at))?);
    }
    if questions.is_empty() {
        return Err(Mistake::new("a query begins with a question: `NAME TYPE …`"));
    }
    Ok((questions, Expected::read(lines)?))
}

/// Reads `NAME TYPE … COUNT` lines.
fn read_asked(lines: &[String]) -> Result<Vec<(Question, Count)>, Mistake> {
    let read = |line: &String| {
        let wrong =
            || Mistake::new(format!("write `NAME TYPE 1` or `NAME TYPE >=1`, not `{line}`"));
        let (question, count) = line.trim().rsplit_once(' ').ok_or_else(wrong)?;
        let count = match count.strip_prefix(">=") {
            Some(least) => Count::AtLeast(least.parse().map_err(|_| wrong())?),
            None => Count::Exactly(count.parse().map_err(|_| wrong())?),
        };
        Ok((Question::read(question)?, count))
    };
    lines.iter().map(read).collect()
}

fn read_samples(lines: &[String]) -> Result<Vec<ExpectedSample>, Mistake> {
    lines.iter().map(|line| ExpectedSample::read(line)).collect()
}

fn read_signal(name: &str) -> Result<rustix::process::Signal, Mistake> {
    use rustix::process::Signal;
    Ok(match name {
        "HUP" => Signal::HUP,
        "INT" => Signal::INT,
        "QUIT" => Signal::QUIT,
        "TERM" => Signal::TERM,
        "USR1" => Signal::USR1,
        "USR2" => Signal::USR2,
        _ => {
            let message = format!("`{name}` is none of HUP, INT, QUIT, TERM, USR1, USR2");
            return Err(Mistake::new(message));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::markdown::Document;
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Scenario, Mistake> {
        let document = Document::read(&format!("# T\n{text}")).unwrap();
        Scenario::read(&document.sections[0], &Variables::placeholders())
    }

    #[test]
    fn every_fence_is_read() {
        let scenario = read(
            "```corefile\n. {\n}\n```\n```file db.x\n{$PORT}\n```\n```cluster\nkind: Pod\n```\n\
             ```upstream UPSTREAM2\na. A drop\n```\n```query until 3s\na. A\n;; NOERROR\n```\n\
             ```coredns it is silent\n;; no reply\n```\n```asked UPSTREAM2\na. A +tcp >=2\n```\n\
             ```wait 2s\n```\n```log\n[INFO] …\n```\n```log absent\nx\n```\n```metrics\nup 1\n```\n\
             ```http GET {$HEALTH}/health\n200\nOK\n```\n```signal USR1\n```\n```exit 1\nbad\n```\n\
             ```check\n0 errors…\n```\n```file db.x removed\n```\n```text\nx\n```\n",
        )
        .unwrap();
        let actions: Vec<&Action> = scenario.steps.iter().map(|step| &step.action).collect();
        assert!(matches!(
            &actions[..],
            [
                Action::Corefile(_),
                Action::File { .. },
                Action::Cluster(Cluster::Apply(_)),
                Action::Upstream(1, Upstream::Add(_)),
                Action::Query(_, Expected::Message(_)),
                Action::Asked(1, _),
                Action::Wait(_),
                Action::Log(_),
                Action::NotInLog(_),
                Action::Metrics(_),
                Action::Http { .. },
                Action::Signal(rustix::process::Signal::USR1),
                Action::Exit { code: 1, .. },
                Action::Check(_),
                Action::RemoveFile(_),
            ]
        ));
        let Action::File { text, .. } = actions[1] else { unreachable!() };
        assert_eq!(text, "1\n");
        let query = &scenario.steps[4];
        assert_eq!((query.line, query.within), (15, Duration::from_secs(3)));
        let silent = query.action_for(Kind::CoreDns);
        assert!(matches!(silent, Action::Query(_, Expected::Silence)));
        assert_eq!(query.reason.as_deref(), Some("it is silent"));
        assert!(matches!(query.action_for(Kind::Rutter), Action::Query(_, Expected::Message(_))));
        assert_eq!(scenario.steps[13].only, Some(Kind::Rutter));
        assert_eq!(scenario.steps_for(Kind::CoreDns).count(), 14);
    }

    #[test]
    fn a_corefile_for_one_server_makes_the_scenario_its_own() {
        let scenario =
            read("```corefile rutter only proxy is gone\n.\n```\n```wait 1s\n```").unwrap();
        assert!(scenario.is_for(Kind::Rutter) && !scenario.is_for(Kind::CoreDns));
        assert_eq!(scenario.steps[0].reason.as_deref(), Some("proxy is gone"));
    }

    #[test]
    fn mistakes_have_their_line_and_say_what_to_write() {
        for (text, line, part) in [
            ("```corefil\n```", 2, "there are corefile"),
            ("```query\na. A\n```", 2, "say what shall come back"),
            ("```query\na. A\n;; NOERROR\na. A\n```", 5, "a TTL is"),
            ("```query\n;; NOERROR\n```", 2, "begins with a question"),
            ("```log\n```", 2, "nothing to look for"),
            ("```query\na. A\nb. C\n;; NOERROR\n```", 4, "no type"),
            ("```query\na.\n```", 3, "NAME TYPE"),
            ("```query until soon\n```", 2, "a time is"),
            ("```coredns why\n```", 2, "nothing stands before"),
            ("```wait 1s\n```\n```coredns why\n```", 4, "expects nothing"),
            ("```exit 1\n```\n```coredns\n```", 4, "say why"),
            ("```query rutter only\na. A\n```", 2, "say why"),
            ("```query bind only because\n```", 2, "`rutter only"),
            ("```file ../x\n```", 2, "beside the Corefile"),
            ("```file /x\n```", 2, "beside the Corefile"),
            ("```signal KILL\n```", 2, "none of HUP"),
            ("```cluster explode\n```", 2, "none of apply"),
            ("```upstream UPSTREAM3\n```", 2, "write `upstream`"),
            ("```upstream\na. A\n\n```", 3, "say what shall"),
            ("```asked\na. A\n```", 2, "NAME TYPE 1"),
            ("```metrics\nup\n```", 2, "a sample is"),
            ("```exit zero\n```", 2, "no exit code"),
        ] {
            let mistake = read(text).unwrap_err();
            assert_eq!(mistake.line, line, "{text}: {mistake}");
            assert!(mistake.message.contains(part), "{text}: {mistake}");
        }
    }

    #[test]
    fn counts() {
        assert!(Count::Exactly(2).holds(2) && !Count::Exactly(2).holds(3));
        assert!(Count::AtLeast(2).holds(3) && !Count::AtLeast(2).holds(1));
    }

    proptest! {
        #[test]
        fn any_fence_is_read_without_a_panic(info in "[a-z 1-9]{0,30}", body in "\\PC{0,60}") {
            let fence = Fence { info, line: 1, body };
            let section = Section { title: String::new(), fences: vec![fence] };
            let _ = Scenario::read(&section, &Variables::placeholders());
        }
    }
}
