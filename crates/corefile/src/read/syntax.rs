//! The table of a directive.

use super::args::{Args, Scope};
use crate::suggest::closest;
use crate::{Block, Code, Directive, Line, Mistake, Mistakes, Span, Word, shown};
use std::collections::HashMap;

/// Everything about the form of a directive: its own line, and the lines in its block.
///
/// A plugin has one as a constant:
///
/// ```
/// use corefile::{Accepted, Args, Block, Mistakes, Property, Repeats, Syntax, kind};
///
/// #[derive(Default)]
/// struct Config {
///     zones: Vec<String>,
///     ttl: u32,
///     fallthrough: Vec<String>,
/// }
///
/// const SYNTAX: Syntax<Config> = Syntax {
///     directive: Property {
///         name: "example",
///         usage: "example [ZONES...]",
///         default: "the zones of the server block",
///         doc: "Answers everything in ZONES.",
///         repeats: Repeats::Never,
///         read: |config, args| {
///             config.zones = args.zones();
///             Ok(())
///         },
///     },
///     properties: &[
///         Property {
///             name: "ttl",
///             usage: "ttl SECONDS",
///             default: "3600",
///             doc: "The TTL of every answer.",
///             repeats: Repeats::LastWins,
///             read: |config, args| {
///                 config.ttl = args.one(kind::seconds(1..=65_535))?;
///                 Ok(())
///             },
///         },
///         Property {
///             name: "fallthrough",
///             usage: "fallthrough [ZONES...]",
///             default: "",
///             doc: "Asks the next plugin for names in ZONES that do not exist here.",
///             repeats: Repeats::LastWins,
///             read: |config, args| {
///                 config.fallthrough = args.fallthrough();
///                 Ok(())
///             },
///         },
///     ],
///     otherwise: None,
/// };
///
/// fn read(block: &Block<'_>) -> Result<Accepted<Config>, Mistakes> {
///     let mut config = Config { ttl: 3600, ..Config::default() };
///     let mistakes = SYNTAX.read(block, &mut config);
///     mistakes.accept(config)
/// }
///
/// let text = b"example.org {\n    example {\n        ttl 0\n    }\n}\n";
/// let parsed = corefile::parse("Corefile", text, &());
/// let block = parsed.blocks[0].block("example").unwrap();
/// let mistakes = read(&block).err().unwrap();
/// assert!(mistakes.render(&parsed.sources, false).starts_with(
///     "error: `ttl` must be between 1 and 65535 seconds\n --> Corefile:3:13\n"
/// ));
/// ```
#[derive(Debug)]
pub struct Syntax<C: 'static> {
    /// The line of the directive itself.
    pub directive: Property<C>,
    /// The lines that may stand in its block. Without any, and without `otherwise`, a block is left
    /// to the reader of the directive, and a mistake if that does not take it.
    pub properties: &'static [Property<C>],
    /// Reads the lines that are none of the properties, such as the addresses in `hosts`. May say
    /// [`Args::unknown`].
    pub otherwise: Option<Reader<C>>,
}

/// Reads the words of a line into a configuration.
pub type Reader<C> = fn(&mut C, &mut Args<'_>) -> Result<(), Mistake>;

/// One kind of line: what it looks like, what it means, how it is read.
#[derive(Clone, Copy, Debug)]
pub struct Property<C> {
    /// The first word.
    pub name: &'static str,
    /// The whole line as the manual shows it: words in capitals stand for others, `[…]` may be left
    /// out, `...` may be repeated, `|` separates alternatives. Messages call an argument by its
    /// word.
    pub usage: &'static str,
    /// What holds without the line, as the operator would write it; empty if nothing does.
    pub default: &'static str,
    /// What it does, in Markdown; the first sentence is a summary.
    pub doc: &'static str,
    /// Whether it may stand twice.
    pub repeats: Repeats,
    /// Reads the words behind the name. Words that it leaves over are a mistake.
    pub read: Reader<C>,
}

/// What it means that a line, or a directive, stands there twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// A mistake.
    Never,
    /// The last one counts, as for most properties in CoreDNS; there is a warning.
    LastWins,
    /// Each adds to the others.
    Adds,
}

/// A [`Property`] without its reader: for manuals, completion and messages.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The first word.
    pub name: &'static str,
    /// The whole line as the manual shows it.
    pub usage: &'static str,
    /// What holds without the line; empty if nothing does.
    pub default: &'static str,
    /// What it does, in Markdown.
    pub doc: &'static str,
    /// Whether it may stand twice.
    pub repeats: Repeats,
}

impl<C> Property<C> {
    /// What it looks like and means.
    pub fn form(&self) -> Form {
        let Self { name, usage, default, doc, repeats, .. } = *self;
        Form { name, usage, default, doc, repeats }
    }
}

impl<C> Syntax<C> {
    /// Reads all directives of a block into one configuration, and gives every mistake in them.
    pub fn read(&self, block: &Block<'_>, config: &mut C) -> Mistakes {
        let mut mistakes = Mistakes::new();
        let zones = block.server_block.zones();
        self.check_repetition(block, &mut mistakes);
        for directive in &block.directives {
            self.read_one(directive, &zones, config, &mut mistakes);
        }
        mistakes
    }

    /// Reads each directive of a block into a configuration of its own, made by `new`: for plugins
    /// that are there as often as they are written, such as `forward`.
    pub fn read_each(&self, block: &Block<'_>, new: impl Fn() -> C) -> (Vec<C>, Mistakes) {
        let mut mistakes = Mistakes::new();
        let zones = block.server_block.zones();
        let read = |directive: &&Directive| {
            let mut config = new();
            self.read_one(directive, &zones, &mut config, &mut mistakes);
            config
        };
        (block.directives.iter().map(read).collect(), mistakes)
    }

    /// The form of the directive and those of its properties.
    pub fn forms(&self) -> impl Iterator<Item = Form> {
        std::iter::once(self.directive.form()).chain(self.properties.iter().map(Property::form))
    }

    /// What is wrong with the table itself, for a plugin's tests: nothing should be.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut names = Vec::new();
        for form in self.forms() {
            let Form { name, usage, doc, .. } = form;
            if usage.split(' ').next() != Some(name) {
                faults.push(format!("the usage of `{name}` begins with another word: `{usage}`"));
            }
            if doc.is_empty() {
                faults.push(format!("`{name}` has no doc"));
            }
            if names.contains(&name) && name != self.directive.name {
                faults.push(format!("`{name}` is there twice"));
            }
            names.push(name);
        }
        faults
    }

    fn read_one(
        &self,
        directive: &Directive,
        zones: &[&str],
        config: &mut C,
        mistakes: &mut Mistakes,
    ) {
        let scope =
            Scope { directive: self.directive.name, properties: names(self.properties), zones };
        let has_table = !self.properties.is_empty() || self.otherwise.is_some();
        let mut args = Args {
            form: self.directive.form(),
            name: &directive.name,
            words: &directive.args,
            taken: 0,
            body: directive.body.as_deref().filter(|_| !has_table),
            scope: &scope,
            mistakes,
        };
        args.run(self.directive.read, config);
        if let Some(lines) = directive.body.as_deref().filter(|_| has_table) {
            let table = Table { properties: self.properties, otherwise: self.otherwise, scope };
            table.read(lines, config, mistakes);
        }
    }

    fn check_repetition(&self, block: &Block<'_>, mistakes: &mut Mistakes) {
        let [first, others @ ..] = block.directives.as_slice() else { return };
        for directive in others {
            let form = self.directive.form();
            if let Some(mistake) =
                repetition(&form, Code::RepeatedDirective, directive.name.at, first.name.at)
            {
                mistakes.push(mistake);
            }
        }
    }
}

/// What the lines of a block may be.
pub(super) struct Table<'t, C> {
    pub(super) properties: &'t [Property<C>],
    pub(super) otherwise: Option<Reader<C>>,
    pub(super) scope: Scope<'t>,
}

impl<C> Table<'_, C> {
    /// Reads the lines of a block.
    pub(super) fn read(&self, lines: &[Line], config: &mut C, mistakes: &mut Mistakes) {
        let mut seen: HashMap<&str, Span> = HashMap::new();
        for line in lines {
            let Some((name, words)) = line.words.split_first() else { continue };
            let Some((form, read)) = self.find(&name.text) else {
                mistakes.push(unknown(name, &self.scope));
                continue;
            };
            if let Some(first) = seen.insert(&name.text, name.at)
                && let Some(mistake) = repetition(&form, Code::RepeatedProperty, name.at, first)
            {
                mistakes.push(mistake);
            }
            let body = line.body.as_deref();
            let mut args = Args { form, name, words, taken: 0, body, scope: &self.scope, mistakes };
            args.run(read, config);
        }
    }

    fn find(&self, name: &str) -> Option<(Form, Reader<C>)> {
        const ANY: Form =
            Form { name: "", usage: "", default: "", doc: "", repeats: Repeats::Adds };
        match self.properties.iter().find(|property| property.name == name) {
            Some(property) => Some((property.form(), property.read)),
            None => Some((ANY, self.otherwise?)),
        }
    }
}

/// What to say about the second of two.
fn repetition(form: &Form, code: Code, at: Span, first: Span) -> Option<Mistake> {
    let name = shown(form.name);
    let mistake = match form.repeats {
        Repeats::Adds => return None,
        Repeats::Never => Mistake::error(code, at, format!("{name} may be given only once")),
        Repeats::LastWins => {
            Mistake::warning(code, at, format!("{name} is given twice: the last one counts"))
        }
    };
    Some(mistake.label("once more").related(first, "given here before"))
}

/// A line that the table does not know.
pub(super) fn unknown(name: &Word, scope: &Scope<'_>) -> Mistake {
    let message = format!("{} is not a property of {}", shown(&name.text), shown(scope.directive));
    let mistake = Mistake::error(Code::UnknownProperty, name.at, message).about(name);
    let mistake = match closest(&name.text, scope.properties.iter().copied()) {
        Some(near) => mistake.label(format!("did you mean `{near}`?")),
        None => mistake,
    };
    match scope.properties.as_slice() {
        [] => mistake,
        known => mistake.help(format!("{} knows {}", shown(scope.directive), known.join(", "))),
    }
}

pub(super) fn names<C>(properties: &[Property<C>]) -> Vec<&'static str> {
    properties.iter().map(|property| property.name).collect()
}
