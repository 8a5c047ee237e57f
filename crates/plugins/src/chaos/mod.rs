//! `chaos`: tells operators which server they are talking to, in class CH.

use crate::dice::Dice;
use crate::directive::{Built, Directive};
use crate::env::Env;
use crate::hostname;
use chain::{Exchange, Plugin, Step};
use corefile::{Accepted, Block, Mistakes, Property, Repeats, Syntax, kind};
use std::collections::BTreeSet;
use wire::{Class, NameBuf, RecordType, Section};

/// The directive and the plugin.
pub(crate) struct Chaos {
    /// Names, and the texts that are told under them.
    told: Box<[(NameBuf, Box<[String]>)]>,
    dice: Dice,
}

/// What `chaos` says.
#[derive(Default)]
pub(crate) struct Config {
    version: Option<String>,
    authors: BTreeSet<String>,
}

const SYNTAX: Syntax<Config> = Syntax {
    directive: Property {
        name: "chaos",
        usage: "chaos [VERSION [AUTHORS...]]",
        default: "",
        doc: "Answers TXT questions of class CH: `version.bind` and `version.server` with VERSION, \
              `authors.bind` with AUTHORS, `hostname.bind` and `id.server` with the host's name.",
        repeats: Repeats::LastWins,
        read: |config, args| {
            config.version = args.optional(kind::text())?;
            config.authors = args.rest(kind::text()).into_iter().collect();
            Ok(())
        },
    },
    properties: &[],
    otherwise: None,
};

impl Directive for Chaos {
    const NAME: &'static str = "chaos";
    type Config = Config;

    fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
        let mut config = Config::default();
        SYNTAX.read(block, &mut config).accept(config)
    }

    fn build(config: Config, env: &mut Env<'_>) -> Built {
        env.serve_all_classes();
        let version = config.version.unwrap_or(format!("Rutter-{}", env.process.version));
        let mut authors: Vec<_> = config.authors.into_iter().collect();
        if authors.is_empty() {
            authors.push("the authors of Rutter".into());
        }
        let texts = [
            ("version.bind", vec![version.clone()]),
            ("version.server", vec![version]),
            ("authors.bind", authors),
            ("hostname.bind", vec![hostname()]),
            ("id.server", vec![hostname()]),
        ];
        let told = texts.into_iter().filter_map(|(name, texts)| {
            let texts = texts.into_iter().map(|text| cut(text, TEXT_MAX)).collect();
            Some((name.parse().ok()?, texts))
        });
        let dice = Dice::new(env.process.metrics.workers());
        Ok(Some(Box::new(Self { told: told.collect(), dice })))
    }
}

impl Plugin for Chaos {
    fn query(&self, x: &mut Exchange) -> Step {
        if x.question.class != Class::CH || x.question.rtype != RecordType::TXT {
            return Step::Next;
        }
        let owner = x.question.name();
        let Some((_, texts)) = self.told.iter().find(|(name, _)| name.as_name() == owner) else {
            return Step::Next;
        };
        let body = &mut x.reply.body;
        for text in texts {
            body.push_with(Section::Answer, owner, 0, RecordType::TXT, Class::CH, |octets| {
                octets.push(text.len() as u8);
                octets.extend_from_slice(text.as_bytes());
            });
        }
        self.dice.shuffle(x.worker, &mut body.answer);
        Step::Done
    }
}

/// RFC 1035 §3.3: a character string has at most 255 octets.
const TEXT_MAX: usize = 255;

fn cut(mut text: String, max: usize) -> String {
    text.truncate(text.floor_char_boundary(max));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Asker, Rig, answers};

    fn ask(rig: &Rig, question: &str) -> Vec<String> {
        let x = rig.ask_as(question, |asker: &mut Asker| asker.class = Class::CH);
        assert!(x.reply.body.answer.iter().all(|record| record.class == Class::CH));
        answers(&x)
    }

    #[test]
    fn who_and_what_is_answering() {
        assert_eq!(SYNTAX.faults(), Vec::<String>::new());
        let rig = Rig::new(". {\n chaos Fleet-7 \"Ada L.\" Grace \"Ada L.\"\n canned\n}");
        assert_eq!(ask(&rig, "VERSION.bind TXT"), ["version.bind. 0 TXT \u{7}Fleet-7"]);
        assert_eq!(ask(&rig, "version.server TXT"), ["version.server. 0 TXT \u{7}Fleet-7"]);
        let mut authors = ask(&rig, "authors.bind TXT");
        authors.sort();
        assert_eq!(authors, ["authors.bind. 0 TXT \u{5}Grace", "authors.bind. 0 TXT \u{6}Ada L."]);
        for name in ["hostname.bind", "id.server"] {
            assert!(ask(&rig, &format!("{name} TXT"))[0].ends_with(&hostname()));
        }
        for (question, class) in [
            ("version.bind TXT", Class::IN),
            ("version.bind A", Class::CH),
            ("x.bind TXT", Class::CH),
        ] {
            let x = rig.ask_as(question, |asker: &mut Asker| asker.class = class);
            assert_eq!(x.answered_by().unwrap().0, "canned");
        }
    }

    #[test]
    fn without_words_and_with_too_many() {
        let rig = Rig::new(". {\n chaos\n}");
        assert_eq!(ask(&rig, "version.bind TXT"), ["version.bind. 0 TXT \u{c}Rutter-0.1.0"]);
        let rig = Rig::new(&format!(". {{\n chaos {}\n}}", "é".repeat(200)));
        let text = &ask(&rig, "version.bind TXT")[0];
        assert!(text.ends_with(&"é".repeat(127)) && !text.ends_with(&"é".repeat(128)));
    }
}
