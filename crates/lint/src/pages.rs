//! A page on every kind of mistake.

/// What to read about each slug, in Markdown: what it means, an example that has it, and the same
/// put right. Those of the parser first, then the lints.
pub const PAGES: &[(&str, &str)] = &[
    ("not-utf-8", include_str!("../pages/not-utf-8.md")),
    ("too-large", include_str!("../pages/too-large.md")),
    ("hash-in-word", include_str!("../pages/hash-in-word.md")),
    ("unclosed-quote", include_str!("../pages/unclosed-quote.md")),
    ("glued-quote", include_str!("../pages/glued-quote.md")),
    ("quoted-brace", include_str!("../pages/quoted-brace.md")),
    ("glued-brace", include_str!("../pages/glued-brace.md")),
    ("brace-on-next-line", include_str!("../pages/brace-on-next-line.md")),
    ("close-not-alone", include_str!("../pages/close-not-alone.md")),
    ("words-after-close", include_str!("../pages/words-after-close.md")),
    ("unclosed", include_str!("../pages/unclosed.md")),
    ("stray-close", include_str!("../pages/stray-close.md")),
    ("stray-open", include_str!("../pages/stray-open.md")),
    ("too-deep", include_str!("../pages/too-deep.md")),
    ("dangling-comma", include_str!("../pages/dangling-comma.md")),
    ("no-keys", include_str!("../pages/no-keys.md")),
    ("bad-key", include_str!("../pages/bad-key.md")),
    ("odd-key", include_str!("../pages/odd-key.md")),
    ("duplicate-key", include_str!("../pages/duplicate-key.md")),
    ("import-syntax", include_str!("../pages/import-syntax.md")),
    ("import-not-found", include_str!("../pages/import-not-found.md")),
    ("import-unreadable", include_str!("../pages/import-unreadable.md")),
    ("import-cycle", include_str!("../pages/import-cycle.md")),
    ("import-limit", include_str!("../pages/import-limit.md")),
    ("bad-snippet", include_str!("../pages/bad-snippet.md")),
    ("unset-variable", include_str!("../pages/unset-variable.md")),
    ("endless-variable", include_str!("../pages/endless-variable.md")),
    ("unknown-directive", include_str!("../pages/unknown-directive.md")),
    ("unsupported-directive", include_str!("../pages/unsupported-directive.md")),
    ("repeated-directive", include_str!("../pages/repeated-directive.md")),
    ("unknown-property", include_str!("../pages/unknown-property.md")),
    ("repeated-property", include_str!("../pages/repeated-property.md")),
    ("argument-count", include_str!("../pages/argument-count.md")),
    ("bad-value", include_str!("../pages/bad-value.md")),
    ("unexpected-block", include_str!("../pages/unexpected-block.md")),
    ("missing", include_str!("../pages/missing.md")),
    ("conflict", include_str!("../pages/conflict.md")),
    ("ignored", include_str!("../pages/ignored.md")),
    ("legacy", include_str!("../pages/legacy.md")),
    ("no-longer-supported", include_str!("../pages/no-longer-supported.md")),
    ("forward-to-self", include_str!("../pages/forward-to-self.md")),
    ("forward-to-cluster-dns", include_str!("../pages/forward-to-cluster-dns.md")),
    ("no-fallthrough", include_str!("../pages/no-fallthrough.md")),
    ("narrow-fallthrough", include_str!("../pages/narrow-fallthrough.md")),
    ("never-asked", include_str!("../pages/never-asked.md")),
    ("shadowed-block", include_str!("../pages/shadowed-block.md")),
    ("zone-outside-block", include_str!("../pages/zone-outside-block.md")),
    ("order-differs", include_str!("../pages/order-differs.md")),
    ("acl-bypassed", include_str!("../pages/acl-bypassed.md")),
    ("autopath-unverified", include_str!("../pages/autopath-unverified.md")),
    ("aaaa-denied", include_str!("../pages/aaaa-denied.md")),
    ("missing-plugin", include_str!("../pages/missing-plugin.md")),
    ("reload-sub-path", include_str!("../pages/reload-sub-path.md")),
    ("memory-above-limit", include_str!("../pages/memory-above-limit.md")),
    ("cache-above-memory", include_str!("../pages/cache-above-memory.md")),
    ("rewrite-without-answer", include_str!("../pages/rewrite-without-answer.md")),
    ("regex-never-matches", include_str!("../pages/regex-never-matches.md")),
    ("unreachable-rule", include_str!("../pages/unreachable-rule.md")),
    ("unreachable-forward", include_str!("../pages/unreachable-forward.md")),
];

/// The page on a slug.
pub fn page(slug: &str) -> Option<&'static str> {
    PAGES.iter().find(|(name, _)| *name == slug).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_about_its_slug_and_there_is_one_for_each() {
        for (slug, text) in PAGES {
            assert!(text.starts_with(&format!("# {slug}\n\n")), "{slug}");
        }
        for code in corefile::Code::ALL {
            assert!(page(code.slug()).is_some(), "{}", code.slug());
        }
        assert_eq!(PAGES.len(), corefile::Code::ALL.len());
    }
}
