//! The directive `log`.

use super::format::{COMBINED, COMMON, Format};
use super::{Classes, Rule};
use crate::reply_kind::ReplyClass;
use corefile::{
    Accepted, Args, Block, Code, Mistake, Mistakes, Property, Repeats, Syntax, Word, kind, shown,
};
use std::sync::Arc;
use wire::NameBuf;

/// What all `log` lines of a block say.
pub(crate) struct Config {
    pub(super) rules: Vec<Rule>,
}

/// What one `log` says.
#[derive(Default)]
pub(crate) struct Draft {
    names: Vec<NameBuf>,
    format: Option<String>,
    classes: Option<Classes>,
}

pub(crate) const SYNTAX: Syntax<Draft> = Syntax {
    directive: Property {
        name: "log",
        usage: "log [NAMES... [FORMAT]]",
        default: ". {common}",
        doc: "Logs a line for each question at or below NAMES.",
        repeats: Repeats::Adds,
        read: read_names,
    },
    properties: &[Property {
        name: "class",
        usage: "class all|success|denial|error...",
        default: "all",
        doc: "Logs only questions whose reply is of these classes: `success` is an answer or a \
              delegation, `denial` says that there is no such name or type, `error` is everything \
              else.",
        repeats: Repeats::Adds,
        read: |draft, args| {
            let classes = draft.classes.get_or_insert_default();
            for more in args.some(kind::keyword(CLASSES))? {
                classes.add(more);
            }
            Ok(())
        },
    }],
    otherwise: None,
};

const CLASSES: &[(&str, Classes)] = &[
    ("all", Classes::ALL),
    ("success", Classes::one(ReplyClass::Success)),
    ("denial", Classes::one(ReplyClass::Denial)),
    ("error", Classes::one(ReplyClass::Error)),
];

/// CoreDNS takes a single word for a name, whatever it looks like; of several, the last is the
/// format if there is a brace in it.
fn read_names(draft: &mut Draft, args: &mut Args<'_>) -> Result<(), Mistake> {
    let mut words: Vec<&Word> = std::iter::from_fn(|| args.word()).collect();
    if let [.., last] = words.as_slice()
        && words.len() > 1
        && last.text.contains('{')
    {
        draft.format = Some(last.text.clone());
        words.pop();
    }
    for word in words {
        if word.text.contains('{') || word.text == "stdout" {
            let message = format!("{} is taken for the name of a zone here", shown(&word.text));
            let help = match word.text.as_str() {
                "stdout" => "leave it out: lines always go to standard output".to_owned(),
                format => format!("for a format, write the names in front of it: `log . {format}`"),
            };
            args.keep(Mistake::warning(Code::Ignored, word.at, message).about(word).help(help));
        }
        match word.text.parse() {
            Ok(name) => draft.names.push(name),
            Err(_) => {
                let message = format!("{} is no name, and so matches none", shown(&word.text));
                let mistake = Mistake::warning(Code::Ignored, word.at, message).about(word);
                args.keep(mistake.label("ignored"));
            }
        }
    }
    Ok(())
}

impl Config {
    /// Reads the directives.
    pub(crate) fn read(block: &Block<'_>) -> Result<Accepted<Self>, Mistakes> {
        let (drafts, mistakes) = SYNTAX.read_each(block, Draft::default);
        let everything = block.directives.iter().map(|directive| directive.args.is_empty());
        let mut rules = Vec::new();
        for (mut draft, everything) in drafts.into_iter().zip(everything) {
            if everything {
                draft.names.push(NameBuf::root());
            }
            draft.into_rules(&mut rules);
        }
        mistakes.accept(Self { rules })
    }
}

impl Draft {
    fn into_rules(self, rules: &mut Vec<Rule>) {
        let text = self.format.as_deref().unwrap_or("{common}");
        let text = text.replace("{common}", COMMON).replace("{combined}", COMBINED);
        let format = Arc::new(Format::new(&text));
        let classes = self.classes.unwrap_or(Classes::ALL);
        rules.extend(self.names.into_iter().map(|names| Rule {
            names,
            format: format.clone(),
            classes,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::mistakes;

    #[test]
    fn the_table_is_sound() {
        assert_eq!(SYNTAX.faults(), Vec::<String>::new());
    }

    #[test]
    fn a_word_alone_is_a_name() {
        let found = mistakes(". {\n log stdout\n}");
        assert_eq!(
            found,
            ["Corefile:2:6: warning: `stdout` is taken for the name of a zone here (ignored)"]
        );
        assert!(mistakes(". {\n log {common}\n}")[0].contains("`{common}` is taken for the name"));
        assert!(mistakes(". {\n log . a..b\n}")[0].contains("`a..b` is no name"));
        assert_eq!(mistakes(". {\n log a b \"{name}\"\n}"), Vec::<String>::new());
    }

    #[test]
    fn what_is_refused() {
        assert!(mistakes(". {\n log {\n class\n }\n}")[0].contains("`class` lacks"));
        assert!(mistakes(". {\n log {\n class warning\n }\n}")[0].contains("must be `all`"));
        assert!(mistakes(". {\n log {\n format x\n }\n}")[0].contains("not a property"));
    }
}
