//! All questions that a program sends when it looks for a name, and what came of them.

use super::search::Search;
use super::walked::{Asking, Explanation, Outcome, explain};
use chain::{Client, Clock, Router};
use plugins::env::BuiltBlock;
use serde::Serialize;
use wire::{NameBuf, RecordType};

/// What was asked for a name, what came of it, and what to do better.
#[derive(Serialize, Debug)]
pub(super) struct Account {
    /// The name as it was given.
    pub(super) name: String,
    pub(super) answered: bool,
    /// Who asks, for people.
    pub(super) client: String,
    /// What is to be known about that.
    pub(super) remarks: Vec<String>,
    /// The listener that is asked, as metrics name it.
    pub(super) listener: String,
    pub(super) search: Option<SearchText>,
    pub(super) questions: Vec<Asked>,
    pub(super) advice: Vec<String>,
}

/// A search list in text.
#[derive(Serialize, Debug)]
pub(super) struct SearchText {
    pub(super) domains: Vec<String>,
    pub(super) ndots: usize,
}

/// One question.
#[derive(Serialize, Debug)]
pub(super) struct Asked {
    /// Whether it was only a step on the way to another name that has an answer.
    pub(super) wasted: bool,
    #[serde(flatten)]
    pub(super) explanation: Explanation,
}

impl Asked {
    pub(super) fn is_answered(&self) -> bool {
        self.explanation.outcome == Outcome::Answered
    }
}

/// What a program looks for.
pub(super) struct Sought {
    /// The name as it was given.
    pub(super) text: String,
    pub(super) name: NameBuf,
    /// The types that are asked for of each name.
    pub(super) types: Vec<RecordType>,
    pub(super) search: Option<Search>,
}

/// A configuration, and how it is asked.
pub(super) struct Place<'a> {
    pub(super) router: &'a Router,
    pub(super) blocks: &'a [BuiltBlock],
    pub(super) clock: &'a dyn Clock,
    pub(super) client: Client,
    pub(super) offline: bool,
}

impl Account {
    /// Asks what a resolver asks: one name after the other, until one has records.
    pub(super) async fn of(sought: &Sought, place: &Place<'_>) -> Self {
        let names = match &sought.search {
            Some(search) => search.names(&sought.text, &sought.name),
            None => vec![sought.name],
        };
        let mut questions: Vec<Asked> = Vec::new();
        for name in names {
            for &rtype in &sought.types {
                let Place { router, blocks, clock, client, offline } = *place;
                let asking = Asking { name, rtype, client, clock, offline };
                let explanation = explain(router, blocks, &asking).await;
                questions.push(Asked { wasted: false, explanation });
            }
            let is_last = |asked: &Asked| asked.is_answered() || asked.is_unknown();
            if questions.iter().rev().take(sought.types.len()).any(is_last) {
                break;
            }
        }
        let answered = questions.iter().any(Asked::is_answered);
        let last = questions.last().map(|asked| asked.explanation.name.clone());
        for asked in questions.iter_mut().filter(|_| answered) {
            asked.wasted = Some(&asked.explanation.name) != last.as_ref();
        }
        Self {
            name: sought.text.clone(),
            answered,
            client: String::new(),
            remarks: Vec::new(),
            listener: place.router.name().to_string(),
            search: sought.search.as_ref().map(SearchText::of),
            advice: advice(&questions, sought),
            questions,
        }
    }
}

impl SearchText {
    fn of(search: &Search) -> Self {
        let domains = search.domains.iter().map(ToString::to_string).collect();
        Self { domains, ndots: search.ndots }
    }
}

impl Asked {
    /// Whether nobody knows if the resolver would have gone on.
    fn is_unknown(&self) -> bool {
        self.explanation.outcome == Outcome::NotAsked
    }
}

fn advice(questions: &[Asked], sought: &Sought) -> Vec<String> {
    let wasted = questions.iter().filter(|asked| asked.wasted).count();
    let Some(last) = questions.last().filter(|_| wasted > 0) else { return Vec::new() };
    let (name, all) = (&last.explanation.name, questions.len());
    let mut advice = vec![format!(
        "{wasted} of {all} look-ups were wasted: write {name} with the dot at its end"
    )];
    let whole = sought.name.to_string();
    if *name == whole {
        let dots = whole.matches('.').count() - 1;
        advice.push(format!(
            "or set ndots to {dots} in the pod's dnsConfig: names with as many dots are then asked \
             for as they stand first"
        ));
    }
    advice
}
