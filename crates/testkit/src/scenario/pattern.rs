//! Lines with `…` for what cannot be known.

/// Whether the whole line is as the pattern says; `…` stands for any characters, or none.
pub(crate) fn fits(pattern: &str, line: &str) -> bool {
    let mut pieces = pattern.split('…');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, line) in [
            ("", ""),
            ("a b", "a b"),
            ("…", ""),
            ("…", "anything"),
            ("a…", "a"),
            ("…b", "ab"),
            ("a…c…e", "abcde"),
            ("a…c…e", "a c c e e"),
            ("[INFO] … - …", "[INFO] 127.0.0.1 - 7"),
        ] {
            assert!(fits(pattern, line), "{pattern} {line}");
        }
        for (pattern, line) in
            [("", "a"), ("a", ""), ("a", "ab"), ("a…b", "a"), ("ab…ba", "aba"), ("a…c…e", "ace f")]
        {
            assert!(!fits(pattern, line), "{pattern} {line}");
        }
    }
}
