//! The directive `rewrite`.

use super::rule::{Field, Rule};
use super::rules::Tried;
use super::words::Words;
use corefile::{
    Accepted, Args, Block, Code, Mistake, Mistakes, Property, Repeats, Span, Syntax, Word,
};

/// All rules, in their order.
#[derive(Debug)]
pub(crate) struct Config {
    pub(super) rules: Vec<Rule>,
}

/// The words of a rule, wherever they stand: CoreDNS does not look at line breaks in its braces.
type Written = Vec<Word>;

pub(super) const SYNTAX: Syntax<Written> = Syntax {
    directive: Property {
        name: "rewrite",
        usage: "rewrite [continue|stop] FIELD [MATCH] FROM TO [OPTIONS...]",
        default: "",
        doc: "Asks the plugins below something else, and changes what they answer.",
        repeats: Repeats::Adds,
        read: |written, args| {
            while let Some(word) = args.word() {
                written.push(word.clone());
            }
            Ok(())
        },
    },
    properties: &[
        line("name", "name [MATCH] FROM TO [answer ...]", "Asks for another name."),
        line("answer", "answer auto|name|value ...", "Changes names in the answer back."),
        line("class", "class FROM TO", "Asks in another class."),
        line("type", "type FROM TO", "Asks for another type."),
        line("ttl", "ttl [MATCH] NAME SECONDS|[MIN]-[MAX]", "Limits the TTLs of the answer."),
        line("rcode", "rcode [MATCH] NAME FROM TO", "Changes the response code."),
        line("cname", "cname [MATCH] FROM TO", "Leads CNAME records to another target."),
        line("edns0", "edns0 local|nsid|subnet ACTION ...", "Changes what upstream servers see."),
    ],
    otherwise: Some(read_line),
};

const fn line(name: &'static str, usage: &'static str, doc: &'static str) -> Property<Written> {
    Property { name, usage, default: "", doc, repeats: Repeats::Adds, read: read_line }
}

fn read_line(written: &mut Written, args: &mut Args<'_>) -> Result<(), Mistake> {
    written.push(args.name().clone());
    while let Some(word) = args.word() {
        written.push(word.clone());
    }
    Ok(())
}

/// Reads every `rewrite` of a server block.
pub(super) fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
    let (written, mut mistakes) = SYNTAX.read_each(block, Written::new);
    let mut rules = Vec::new();
    let mut places = Vec::new();
    for (written, directive) in written.iter().zip(&block.directives) {
        let mut words = Words::new(written, directive.at());
        match Rule::read(&mut words) {
            Ok(rule) => {
                rules.push(rule);
                places.push(directive.at());
            }
            Err(mistake) => mistakes.push(mistake),
        }
        mistakes.append(words.warnings);
    }
    if let Some(mistake) = too_many_options(&rules, &places) {
        mistakes.push(mistake);
    }
    if let Some(warning) = dead_rules(&rules, &places) {
        mistakes.push(warning);
    }
    mistakes.accept(Config { rules })
}

fn too_many_options(rules: &[Rule], places: &[Span]) -> Option<Mistake> {
    let mut options =
        rules.iter().zip(places).filter(|(rule, _)| matches!(rule.field, Field::Edns(_)));
    let (_, place) = options.nth(Tried::MAX)?;
    let message = format!("a server block has at most {} rules of `edns0`", Tried::MAX);
    Some(Mistake::error(Code::TooLarge, *place, message))
}

/// Rules behind one that is about every question and says `stop`, which is what a rule says that
/// says nothing.
fn dead_rules(rules: &[Rule], places: &[Span]) -> Option<Mistake> {
    let last = rules.iter().position(|rule| rule.stops && rule.always_acts())?;
    let dead = places.get(last + 1)?;
    let warning = Mistake::warning(Code::Ignored, *dead, "this rule is never looked at");
    Some(
        warning
            .label("nor is any rule behind it")
            .related(places[last], "this rule is about every question, and the last one")
            .help("write `rewrite continue ...` there to go on to the next rule"),
    )
}
