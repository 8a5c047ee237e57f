//! Environment variables in words: `{$NAME}` and `{%NAME%}`.

/// Replacements in one word before it counts as endless.
const ROUNDS_MAX: usize = 100;
/// Octets that a word may grow to.
const LENGTH_MAX: usize = 64 * 1024;

/// The value of a variable contains the variable, perhaps by way of others; CoreDNS hangs on that.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Endless;

/// Sets the values of variables into `text`; `None` if it has none.
///
/// As in CoreDNS, `{%…%}` comes first, then `{$…}`; values are searched again, so that they may
/// name further variables; and an empty `{$}` ends the search. There is no syntax for a default.
pub(super) fn expand(
    text: &str,
    mut value: impl FnMut(&str) -> String,
) -> Result<Option<String>, Endless> {
    if !has_any(text) {
        return Ok(None);
    }
    let mut expanded = text.to_owned();
    replace(&mut expanded, "{%", "%}", &mut value)?;
    replace(&mut expanded, "{$", "}", &mut value)?;
    Ok((expanded != text).then_some(expanded))
}

/// Whether a text may name a variable.
pub(super) fn has_any(text: &str) -> bool {
    text.contains("{$") || text.contains("{%")
}

fn replace(
    text: &mut String,
    open: &str,
    close: &str,
    value: &mut impl FnMut(&str) -> String,
) -> Result<(), Endless> {
    for _ in 0..ROUNDS_MAX {
        let Some(start) = text.find(open) else { return Ok(()) };
        let Some(length) = text[start..].find(close) else { return Ok(()) };
        if length <= open.len() {
            return Ok(());
        }
        let reference = text[start..start + length + close.len()].to_owned();
        let value = value(&reference[open.len()..length]);
        // Looked at before, because each of a thousand references may have a long value.
        if value.len() * text.matches(&reference).count() > LENGTH_MAX {
            return Err(Endless);
        }
        *text = text.replace(&reference, &value);
    }
    Err(Endless)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(name: &str) -> String {
        let value = match name {
            "A" => "aa",
            "B" => "bb",
            "C" => "{$A}",
            "D" => "{%A%}",
            "LOOP" => "x{$LOOP}",
            "PING" => "{$PONG}",
            "PONG" => "{$PING}",
            "MORE" => "{$MORE}{$MORE}",
            "BRACES" => "{$}",
            _ => "",
        };
        value.to_owned()
    }

    fn expanded(text: &str) -> String {
        expand(text, value).unwrap().unwrap_or_else(|| text.to_owned())
    }

    /// Seen in the zones that CoreDNS 1.14.7 serves when these words are its keys.
    #[test]
    fn variables_are_set_in_as_core_dns_does() {
        assert_eq!(expanded("{$A}.test"), "aa.test");
        assert_eq!(expanded("{$A}{$B}{%A%}"), "aabbaa");
        assert_eq!(expanded("x{$NO}.test"), "x.test");
        assert_eq!(expanded("{$C} {%C%}"), "aa aa");
        assert_eq!(expanded("{$D}"), "{%A%}");
        assert_eq!(expanded("{%D%}"), "aa");
        assert_eq!(expanded("x{$}{$A}"), "x{$}{$A}");
        assert_eq!(expanded("x{$A}{$}"), "xaa{$}");
        assert_eq!(expanded("{%%}{$A}"), "{%%}aa");
        assert_eq!(expanded("{%}{$A}"), "{%}aa");
        assert_eq!(expanded("x{$A.test"), "x{$A.test");
        assert_eq!(expanded("x{$A:b}"), "x");
        assert_eq!(expanded("{$BRACES}"), "{$}");
    }

    #[test]
    fn a_variable_that_contains_itself_is_found_out() {
        for text in ["{$LOOP}", "{$PING}", "{$MORE}", "{%LOOP%}"] {
            assert_eq!(expand(text, value), Err(Endless), "{text}");
        }
        let long = |_: &str| "x".repeat(LENGTH_MAX + 1);
        assert_eq!(expand("{$A}", long), Err(Endless));
    }

    proptest! {
        #[test]
        fn any_word_is_expanded_in_bounds(text in "([{}$%]|[ABCD]|LOOP|MORE){0,30}") {
            if let Ok(Some(expanded)) = expand(&text, value) {
                prop_assert!(expanded.len() <= text.len() + LENGTH_MAX * ROUNDS_MAX);
            }
        }
    }
}
