//! What a name in a zone of the cluster stands for, before anything is looked up.

/// A name below a forward zone, taken apart (DNS-based service discovery 1.1.0).
///
/// Labels are in lower case, as [`wire::Question`] has them, and without their length octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Path<'a> {
    /// The zone itself.
    Apex,
    /// `dns-version`
    DnsVersion,
    /// `ns.dns`
    NameServer,
    /// `dns`, `svc`, `pod`: there are names below them, but no records at them.
    Empty,
    /// `NS.svc`
    Services { namespace: &'a [u8] },
    /// `NS.pod`
    Pods { namespace: &'a [u8] },
    /// `SVC.NS.svc`. The key is the two labels in wire form.
    Service { key: &'a [u8] },
    /// `ENDPOINT.SVC.NS.svc`
    Endpoint { key: &'a [u8], label: &'a [u8] },
    /// `_PORT._PROTOCOL.SVC.NS.svc`. CoreDNS does not need the underscores.
    Port { key: &'a [u8], port: &'a [u8], protocol: &'a [u8] },
    /// `1-2-3-4.NS.pod`
    Pod { namespace: &'a [u8], label: &'a [u8] },
    /// No cluster has such a name.
    Nothing,
}

/// The most labels in front of a zone that a name can have.
const LABELS_MAX: usize = 5;

impl<'a> Path<'a> {
    /// Reads the labels in front of a zone, in wire form.
    pub(crate) fn read(above: &'a [u8]) -> Self {
        let mut starts = [0; LABELS_MAX];
        let mut count = 0;
        let mut at = 0;
        while at < above.len() {
            if count == LABELS_MAX {
                return Self::Nothing;
            }
            starts[count] = at;
            count += 1;
            at += 1 + above[at] as usize;
        }
        let label = |index: usize| {
            let at = starts[index];
            &above[at + 1..at + 1 + above[at] as usize]
        };
        // Labels are counted from the right.
        let from_right = |index: usize| label(count - index);
        let key = || &above[starts[count - 3]..starts[count - 1]];
        match count {
            0 => Self::Apex,
            1 => match label(0) {
                b"svc" | b"pod" | b"dns" => Self::Empty,
                b"dns-version" => Self::DnsVersion,
                _ => Self::Nothing,
            },
            _ => match (from_right(1), count) {
                (b"svc", 2) => Self::Services { namespace: from_right(2) },
                (b"svc", 3) => Self::Service { key: key() },
                (b"svc", 4) => Self::Endpoint { key: key(), label: label(0) },
                (b"svc", _) => Self::Port {
                    key: key(),
                    port: without_underscore(label(0)),
                    protocol: without_underscore(label(1)),
                },
                (b"pod", 2) => Self::Pods { namespace: from_right(2) },
                // CoreDNS ignores labels in front of a pod's.
                (b"pod", _) => Self::Pod { namespace: from_right(2), label: from_right(3) },
                (b"dns", 2) if label(0) == b"ns" => Self::NameServer,
                _ => Self::Nothing,
            },
        }
    }
}

pub(crate) fn without_underscore(label: &[u8]) -> &[u8] {
    label.strip_prefix(b"_").unwrap_or(label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wire::NameBuf;

    fn check(text: &str, expected: Path<'_>) {
        let name: NameBuf = text.parse().unwrap_or(NameBuf::root());
        let octets = name.octets();
        assert_eq!(Path::read(&octets[..octets.len() - 1]), expected, "{text}");
    }

    #[test]
    fn names_and_what_they_stand_for() {
        let key = b"\x03web\x04shop";
        check("", Path::Apex);
        check("dns-version", Path::DnsVersion);
        check("ns.dns", Path::NameServer);
        for text in ["svc", "pod", "dns"] {
            check(text, Path::Empty);
        }
        check("shop.svc", Path::Services { namespace: b"shop" });
        check("shop.pod", Path::Pods { namespace: b"shop" });
        check("web.shop.svc", Path::Service { key });
        check("web-11.web.shop.svc", Path::Endpoint { key, label: b"web-11" });
        let port = Path::Port { key, port: b"http", protocol: b"tcp" };
        check("_http._tcp.web.shop.svc", port);
        check("http.tcp.web.shop.svc", port);
        check("1-2-3-4.shop.pod", Path::Pod { namespace: b"shop", label: b"1-2-3-4" });
        check("x.1-2-3-4.shop.pod", Path::Pod { namespace: b"shop", label: b"1-2-3-4" });
    }

    #[test]
    fn names_that_no_cluster_has() {
        for text in [
            "web",
            "web.shop",
            "a.ns.dns",
            "ns.ns",
            "a._http._tcp.web.shop.svc",
            "x.dns-version",
            "a.b.c.shop.pod.x",
        ] {
            check(text, Path::Nothing);
        }
    }

    proptest! {
        #[test]
        fn any_labels_are_read_without_a_panic(labels in prop::collection::vec("[a-z_*-]{1,10}|svc|pod|dns", 0..9)) {
            let name: NameBuf = labels.join(".").parse().unwrap_or(NameBuf::root());
            let octets = name.octets();
            let path = Path::read(&octets[..octets.len() - 1]);
            prop_assert!(labels.len() <= LABELS_MAX || path == Path::Nothing);
        }
    }
}
