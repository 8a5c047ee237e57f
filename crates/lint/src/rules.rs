//! The rules of `rewrite`, as far as lints must understand them.

use corefile::{Directive, Span, Word};

/// One rule.
pub(crate) struct Rule<'a> {
    /// The whole directive, or what stands for it.
    pub(crate) at: Span,
    /// Whether no later rule is looked at once this one has matched.
    pub(crate) stops: bool,
    /// What it rewrites: `name`, `ttl`, `type` and others.
    pub(crate) field: &'a str,
    /// Which names it matches; none if that is no question of names.
    pub(crate) names: Option<Names<'a>>,
    /// The words behind the names.
    pub(crate) rest: Vec<&'a Word>,
}

/// Which names a rule matches.
#[derive(Clone)]
pub(crate) struct Names<'a> {
    /// How they are compared.
    pub(crate) by: By,
    /// With what: a regular expression as it is written, anything else in lower case with a final
    /// dot. CoreDNS puts the dot behind prefixes, too.
    pub(crate) text: String,
    /// Where that is written.
    pub(crate) word: &'a Word,
}

/// How names are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Exact,
    Prefix,
    Suffix,
    Substring,
    Regex,
}

impl<'a> Rule<'a> {
    /// The rule of a `rewrite`, whose words may be spread over its block; `None` for what the
    /// reader of the plugin will refuse.
    pub(crate) fn read(directive: &'a Directive) -> Option<Self> {
        let lines = directive.body.iter().flatten().flat_map(|line| &line.words);
        let mut words: Vec<&Word> = directive.args.iter().chain(lines).collect();
        let mode = words.first()?.text.as_str();
        let stops = mode != "continue";
        if matches!(mode, "continue" | "stop") {
            words.remove(0);
        }
        let (field, mut rest) = words.split_first()?;
        let field = field.text.as_str();
        let named = matches!(field, "name" | "ttl" | "rcode");
        let names = if named { take_names(&mut rest, field) } else { None };
        if named && names.is_none() {
            return None;
        }
        Some(Self { at: directive.at(), stops, field, names, rest: rest.to_vec() })
    }

    /// What the name becomes, in lower case with a final dot; `None` if that depends on the name.
    pub(crate) fn exact_target(&self) -> Option<String> {
        let to = self.rest.first().filter(|_| self.field == "name")?;
        Some(absolute(&to.text))
    }

    /// Whether it says how to put the answer back into the words of the question.
    pub(crate) fn has_answer(&self) -> bool {
        self.rest.iter().any(|word| word.text == "answer")
    }
}

fn take_names<'a>(rest: &mut &[&'a Word], field: &str) -> Option<Names<'a>> {
    // Without a word for the kind the names are exact: two words for `name` and `ttl`, three for
    // `rcode`.
    let plain = if field == "rcode" { 3 } else { 2 };
    let kind = rest.first().filter(|_| rest.len() != plain).and_then(|word| by(&word.text));
    if kind.is_some() {
        *rest = &rest[1..];
    }
    let by = kind.unwrap_or(By::Exact);
    let (word, others) = rest.split_first()?;
    *rest = others;
    let text = if by == By::Regex { word.text.clone() } else { absolute(&word.text) };
    Some(Names { by, text, word })
}

fn by(word: &str) -> Option<By> {
    Some(match word {
        "exact" => By::Exact,
        "prefix" => By::Prefix,
        "suffix" => By::Suffix,
        "substring" => By::Substring,
        "regex" => By::Regex,
        _ => return None,
    })
}

fn absolute(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    if text.ends_with('.') { text } else { text + "." }
}
