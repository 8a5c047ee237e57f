//! The canonical order of names (RFC 4034 §6.1) as octets that compare by themselves.

use wire::Name;

/// Ends a label in a key: no octet of a label is written so, see [`push_key`].
pub(crate) const END: u8 = 0;

/// Appends the key of a name, given its labels in front of the zone's apex: keys compare as names do
/// in canonical order, and the key of an ancestor is the beginning of its descendants' keys.
///
/// Labels come from the right, each in lower case and ended by [`END`]. The octets 0 and 1 are
/// written as two, so that the end of a label sorts before every octet.
pub(crate) fn push_key(name: Name<'_>, labels: usize, keys: &mut Vec<u8>) {
    let mut begins = [0u8; 128];
    let mut at = 0;
    for (slot, label) in begins.iter_mut().zip(name.labels().take(labels)) {
        *slot = at;
        at += 1 + label.len() as u8;
    }
    let octets = name.octets();
    for &begin in begins[..labels].iter().rev() {
        let begin = begin as usize;
        for octet in &octets[begin + 1..=begin + octets[begin] as usize] {
            match octet.to_ascii_lowercase() {
                octet @ 0..=1 => keys.extend_from_slice(&[1, octet + 1]),
                octet => keys.push(octet),
            }
        }
        keys.push(END);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use wire::NameBuf;

    fn key(name: Name<'_>) -> Vec<u8> {
        let mut key = Vec::new();
        push_key(name, name.label_count(), &mut key);
        key
    }

    fn any_name() -> impl Strategy<Value = NameBuf> {
        let octet = prop_oneof![0..3u8, prop::sample::select(b"aAbZ*".to_vec()), any::<u8>()];
        vec(vec(octet, 1..4), 0..5).prop_map(|labels| {
            let child =
                |name: NameBuf, label: &Vec<u8>| NameBuf::child(label, name.as_name()).unwrap();
            labels.iter().fold(NameBuf::root(), child)
        })
    }

    proptest! {
        #[test]
        fn keys_compare_as_names(a in any_name(), b in any_name()) {
            let (a, b) = (a.as_name(), b.as_name());
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
            prop_assert_eq!(key(a).starts_with(&key(b)), a.is_at_or_below(b));
        }
    }

    #[test]
    fn the_longest_names_have_keys() {
        let name: NameBuf = "x.".repeat(127).parse().unwrap();
        assert_eq!(key(name.as_name()).len(), 254);
    }
}
