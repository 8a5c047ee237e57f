//! The kinds of mistakes, with names for programs.

/// The kinds of mistakes. Programs know them by [`Code::slug`], which does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// Octets that are not UTF-8.
    NotUtf8,
    /// A file, a word or a whole configuration beyond what is read.
    TooLarge,
    /// A `#` inside a word.
    HashInWord,
    /// A `"` without a second one.
    UnclosedQuote,
    /// A word right behind a `"`, without a blank.
    GluedQuote,
    /// A brace in quotes, which is a brace all the same.
    QuotedBrace,
    /// A brace without a blank beside it.
    GluedBrace,
    /// A `{` on the line after the one that it belongs to.
    BraceOnNextLine,
    /// A `}` behind other words.
    CloseNotAlone,
    /// Words behind a `}`.
    WordsAfterClose,
    /// A `{` without its `}`.
    Unclosed,
    /// A `}` without its `{`.
    StrayClose,
    /// A `{` where none may stand.
    StrayOpen,
    /// Blocks in blocks in blocks.
    TooDeep,
    /// A comma that no key follows.
    DanglingComma,
    /// A server block without keys.
    NoKeys,
    /// A key that cannot be served.
    BadKey,
    /// A key that is served, but hardly as meant.
    OddKey,
    /// Two server blocks for the same zone on the same port.
    DuplicateKey,
    /// An `import` with too few or too many words.
    ImportSyntax,
    /// An `import` of what is not there.
    ImportNotFound,
    /// An `import` of what cannot be read.
    ImportUnreadable,
    /// An `import` that leads back to itself.
    ImportCycle,
    /// More imports than are followed.
    ImportLimit,
    /// A snippet that has no braces, or whose name is taken.
    BadSnippet,
    /// An environment variable that is not set.
    UnsetVariable,
    /// An environment variable whose value contains itself.
    EndlessVariable,
    /// A directive that no plugin has.
    UnknownDirective,
    /// A directive of CoreDNS that this server does not have.
    UnsupportedDirective,
    /// A directive that may stand only once in a server block.
    RepeatedDirective,
    /// A property that the directive does not have.
    UnknownProperty,
    /// A property that is given twice.
    RepeatedProperty,
    /// Too few or too many words.
    ArgumentCount,
    /// A word that is not what it should be.
    BadValue,
    /// A block behind something that takes none.
    UnexpectedBlock,
    /// Something that must be given is not.
    Missing,
    /// Two things that exclude each other.
    Conflict,
    /// Something that is read and has no effect.
    Ignored,
    /// The language of an old CoreDNS, put into today's.
    Legacy,
    /// The language of an old CoreDNS, without a word for it today.
    NoLongerSupported,

    // What loads and will hurt: found by `lint`, named here so that codes have one list.
    /// Queries that `forward` sends to this server itself.
    ForwardToSelf,
    /// Queries that `forward` sends to the Service of this server.
    ForwardToClusterDns,
    /// A list of names that answers for all names, so that a source below it is never asked.
    NoFallthrough,
    /// A source that keeps names from those below it.
    NarrowFallthrough,
    /// A zone that a block of its own answers for.
    NeverAsked,
    /// Zones that are refused at an address that another block has bound.
    ShadowedBlock,
    /// A zone that the server block does not answer for.
    ZoneOutsideBlock,
    /// Sources that are asked in another order than they are written.
    OrderDiffers,
    /// Names that `rewrite` leads past an `acl`.
    AclBypassed,
    /// An `autopath` without `pods verified`.
    AutopathUnverified,
    /// Queries for AAAA that are told more than that there is no such address.
    AaaaDenied,
    /// Something that a configuration for a cluster goes without.
    MissingPlugin,
    /// A `reload` of a file that never changes.
    ReloadSubPath,
    /// Files that take more memory than there is.
    MemoryAboveLimit,
    /// A cache that takes more memory than caches have.
    CacheAboveMemory,
    /// A rule that leaves its name in the answer.
    RewriteWithoutAnswer,
    /// An expression that no name matches.
    RegexNeverMatches,
    /// A rule that an earlier one leaves nothing for.
    UnreachableRule,
    /// A `forward` that an earlier one leaves nothing for.
    UnreachableForward,
}

impl Code {
    /// Every kind of mistake.
    pub const ALL: &[Self] = &[
        Self::NotUtf8,
        Self::TooLarge,
        Self::HashInWord,
        Self::UnclosedQuote,
        Self::GluedQuote,
        Self::QuotedBrace,
        Self::GluedBrace,
        Self::BraceOnNextLine,
        Self::CloseNotAlone,
        Self::WordsAfterClose,
        Self::Unclosed,
        Self::StrayClose,
        Self::StrayOpen,
        Self::TooDeep,
        Self::DanglingComma,
        Self::NoKeys,
        Self::BadKey,
        Self::OddKey,
        Self::DuplicateKey,
        Self::ImportSyntax,
        Self::ImportNotFound,
        Self::ImportUnreadable,
        Self::ImportCycle,
        Self::ImportLimit,
        Self::BadSnippet,
        Self::UnsetVariable,
        Self::EndlessVariable,
        Self::UnknownDirective,
        Self::UnsupportedDirective,
        Self::RepeatedDirective,
        Self::UnknownProperty,
        Self::RepeatedProperty,
        Self::ArgumentCount,
        Self::BadValue,
        Self::UnexpectedBlock,
        Self::Missing,
        Self::Conflict,
        Self::Ignored,
        Self::Legacy,
        Self::NoLongerSupported,
        Self::ForwardToSelf,
        Self::ForwardToClusterDns,
        Self::NoFallthrough,
        Self::NarrowFallthrough,
        Self::NeverAsked,
        Self::ShadowedBlock,
        Self::ZoneOutsideBlock,
        Self::OrderDiffers,
        Self::AclBypassed,
        Self::AutopathUnverified,
        Self::AaaaDenied,
        Self::MissingPlugin,
        Self::ReloadSubPath,
        Self::MemoryAboveLimit,
        Self::CacheAboveMemory,
        Self::RewriteWithoutAnswer,
        Self::RegexNeverMatches,
        Self::UnreachableRule,
        Self::UnreachableForward,
    ];

    /// Whether this is about braces, quotes and imports, and so true however the lines around it are
    /// read.
    pub(crate) fn is_about_form(self) -> bool {
        matches!(
            self,
            Self::NotUtf8
                | Self::TooLarge
                | Self::UnclosedQuote
                | Self::GluedQuote
                | Self::QuotedBrace
                | Self::GluedBrace
                | Self::CloseNotAlone
                | Self::Unclosed
                | Self::StrayClose
                | Self::StrayOpen
                | Self::TooDeep
                | Self::ImportSyntax
                | Self::ImportNotFound
                | Self::ImportUnreadable
                | Self::ImportCycle
                | Self::ImportLimit
        )
    }

    /// The name for programs: short, stable, lower case with hyphens.
    pub fn slug(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not-utf-8",
            Self::TooLarge => "too-large",
            Self::HashInWord => "hash-in-word",
            Self::UnclosedQuote => "unclosed-quote",
            Self::GluedQuote => "glued-quote",
            Self::QuotedBrace => "quoted-brace",
            Self::GluedBrace => "glued-brace",
            Self::BraceOnNextLine => "brace-on-next-line",
            Self::CloseNotAlone => "close-not-alone",
            Self::WordsAfterClose => "words-after-close",
            Self::Unclosed => "unclosed",
            Self::StrayClose => "stray-close",
            Self::StrayOpen => "stray-open",
            Self::TooDeep => "too-deep",
            Self::DanglingComma => "dangling-comma",
            Self::NoKeys => "no-keys",
            Self::BadKey => "bad-key",
            Self::OddKey => "odd-key",
            Self::DuplicateKey => "duplicate-key",
            Self::ImportSyntax => "import-syntax",
            Self::ImportNotFound => "import-not-found",
            Self::ImportUnreadable => "import-unreadable",
            Self::ImportCycle => "import-cycle",
            Self::ImportLimit => "import-limit",
            Self::BadSnippet => "bad-snippet",
            Self::UnsetVariable => "unset-variable",
            Self::EndlessVariable => "endless-variable",
            Self::UnknownDirective => "unknown-directive",
            Self::UnsupportedDirective => "unsupported-directive",
            Self::RepeatedDirective => "repeated-directive",
            Self::UnknownProperty => "unknown-property",
            Self::RepeatedProperty => "repeated-property",
            Self::ArgumentCount => "argument-count",
            Self::BadValue => "bad-value",
            Self::UnexpectedBlock => "unexpected-block",
            Self::Missing => "missing",
            Self::Conflict => "conflict",
            Self::Ignored => "ignored",
            Self::Legacy => "legacy",
            Self::NoLongerSupported => "no-longer-supported",
            Self::ForwardToSelf => "forward-to-self",
            Self::ForwardToClusterDns => "forward-to-cluster-dns",
            Self::NoFallthrough => "no-fallthrough",
            Self::NarrowFallthrough => "narrow-fallthrough",
            Self::NeverAsked => "never-asked",
            Self::ShadowedBlock => "shadowed-block",
            Self::ZoneOutsideBlock => "zone-outside-block",
            Self::OrderDiffers => "order-differs",
            Self::AclBypassed => "acl-bypassed",
            Self::AutopathUnverified => "autopath-unverified",
            Self::AaaaDenied => "aaaa-denied",
            Self::MissingPlugin => "missing-plugin",
            Self::ReloadSubPath => "reload-sub-path",
            Self::MemoryAboveLimit => "memory-above-limit",
            Self::CacheAboveMemory => "cache-above-memory",
            Self::RewriteWithoutAnswer => "rewrite-without-answer",
            Self::RegexNeverMatches => "regex-never-matches",
            Self::UnreachableRule => "unreachable-rule",
            Self::UnreachableForward => "unreachable-forward",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn all_are_all() {
        let named = include_str!("code.rs").matches("=> \"").count();
        assert_eq!(Code::ALL.len(), named);
    }

    #[test]
    fn a_slug_is_the_name_in_lower_case() {
        for code in
            [Code::NotUtf8, Code::BraceOnNextLine, Code::ArgumentCount, Code::NoLongerSupported]
        {
            let name: String = format!("{code:?}")
                .chars()
                .flat_map(|c| [c.is_uppercase().then_some('-'), Some(c.to_ascii_lowercase())])
                .flatten()
                .collect();
            assert_eq!(code.slug().replace("-8", "8"), name.trim_start_matches('-'));
        }
    }
}
