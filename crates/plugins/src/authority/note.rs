//! What a zone found, in words for people.

use chain::Exchange;
use wire::{Name, Question, RecordType, Reply};
use zone::{Found, Zone};

/// Why the zone answers `x` as it does: one sentence without a full stop.
pub(super) fn of(zone: &Zone, found: Found, wildcard: Option<Name<'_>>, x: &Exchange) -> String {
    let (apex, question, body) = (zone.apex(), &x.question, &x.reply.body);
    let by = wildcard.map_or(String::new(), |wildcard| format!(" by the wildcard {wildcard}"));
    match found {
        Found::Answer => format!("zone {apex} has the name{by}"),
        Found::Referral => {
            let below = body.authority.first().map(|record| body.owner(record));
            format!("zone {apex} delegates {}", below.unwrap_or(question.name()))
        }
        Found::NoData => format!("zone {apex} has the name{by}, but no {} for it", question.rtype),
        Found::Empty if question.name() == apex => {
            format!("zone {apex} has no {} at its apex", question.rtype)
        }
        Found::Empty => format!("zone {apex} has only names below it, and nothing of the type"),
        Found::NoSuchName => {
            let closest = closest_encloser(zone, question.name());
            format!("zone {apex} lacks the name; what exists of it is {closest}")
        }
        Found::Elsewhere => {
            let target = body.answer.iter().rev().find_map(|record| body.target(record));
            format!("zone {apex} has an alias{by} to {}", target.unwrap_or(Name::ROOT))
        }
        Found::NotHere => format!("zone {apex} is of other names"),
        Found::Refused => format!("zone {apex} is handed over by `transfer` only"),
    }
}

/// The longest name above `name` that exists in the zone (RFC 4592 §2.2.1).
fn closest_encloser<'n>(zone: &Zone, name: Name<'n>) -> Name<'n> {
    let mut reply = Reply::default();
    let mut above = name.parent();
    while let Some(name) = above {
        reply.clear();
        let question = Question::new(name, RecordType::SOA);
        let found = zone.answer(&question, false, &mut reply).found;
        if !matches!(found, Found::NoSuchName) {
            return name;
        }
        above = name.parent();
    }
    name
}
