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
    /// `ENDPOINT.CLUSTER.SVC.NS.svc`, in a zone of imported services only.
    Imported { key: &'a [u8], label: &'a [u8], cluster: &'a [u8] },
    /// `TOPOZONE.pin._zone.SVC.NS.svc`; `prefer` if the other zones will do as well. The labels of
    /// the topology zone are in wire form; none for the names that only lie in between.
    Zonal { key: &'a [u8], topology: &'a [u8], prefers: bool },
    /// `_PORT._PROTOCOL.SVC.NS.svc`. CoreDNS does not need the underscores.
    Port { key: &'a [u8], port: &'a [u8], protocol: &'a [u8] },
    /// `1-2-3-4.NS.pod`
    Pod { namespace: &'a [u8], label: &'a [u8] },
    /// No cluster has such a name.
    Nothing,
}

/// Which names a zone has besides those that each has.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Forms {
    /// Those of endpoints in other clusters.
    pub(crate) imported: bool,
    /// Those of endpoints in a topology zone.
    pub(crate) zonal: bool,
}

/// The most labels in front of a zone that a name can have, unless it is a zonal one.
const LABELS_MAX: usize = 5;

impl<'a> Path<'a> {
    /// Reads the labels in front of a zone, in wire form.
    pub(crate) fn read(above: &'a [u8], forms: Forms) -> Self {
        if forms.zonal
            && let Some(zonal) = read_zonal(above)
        {
            return zonal;
        }
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
                (b"svc", _) if forms.imported && !has_underscore(label(0), label(1)) => {
                    Self::Imported { key: key(), label: label(0), cluster: label(1) }
                }
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

/// A name with `_zone` in front of a service. Its labels are counted from the right, as a topology
/// zone may have several.
fn read_zonal(above: &[u8]) -> Option<Path<'_>> {
    let count = labels(above).count();
    let behind = |at: usize| labels(above).nth(count.checked_sub(at)?).map(|(label, _)| label);
    if behind(1)? != b"svc" || behind(4)? != b"_zone" {
        return None;
    }
    let (_, service) = labels(above).nth(count - 3)?;
    let key = &above[service..above.len() - b"\x03svc".len()];
    let between = Path::Zonal { key, topology: &[], prefers: false };
    let Some(way) = behind(5) else { return Some(between) };
    let prefers = match way {
        b"pin" => false,
        b"prefer" => true,
        _ => return Some(Path::Nothing),
    };
    let (_, way) = labels(above).nth(count - 5)?;
    Some(Path::Zonal { key, topology: &above[..way], prefers })
}

/// Labels and where they begin.
fn labels(octets: &[u8]) -> impl Iterator<Item = (&[u8], usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let begin = at;
        let length = usize::from(*octets.get(begin)?);
        at += 1 + length;
        Some((octets.get(begin + 1..at)?, begin))
    })
}

fn has_underscore(port: &[u8], protocol: &[u8]) -> bool {
    [port, protocol].iter().any(|label| label.starts_with(b"_"))
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
        check_with(Forms::default(), text, expected);
    }

    fn check_with(forms: Forms, text: &str, expected: Path<'_>) {
        let name: NameBuf = text.parse().unwrap_or(NameBuf::root());
        let octets = name.octets();
        assert_eq!(Path::read(&octets[..octets.len() - 1], forms), expected, "{text}");
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

    #[test]
    fn names_of_imported_services() {
        let key = b"\x03web\x04shop";
        let check = |text, expected| {
            check_with(Forms { imported: true, zonal: false }, text, expected);
        };
        check("web-0.east.web.shop.svc", Path::Imported { key, label: b"web-0", cluster: b"east" });
        check("web-0.web.shop.svc", Path::Endpoint { key, label: b"web-0" });
        let port = Path::Port { key, port: b"http", protocol: b"tcp" };
        check("_http._tcp.web.shop.svc", port);
        check("_http.tcp.web.shop.svc", port);
        check("http._tcp.web.shop.svc", port);
    }

    #[test]
    fn zonal_names() {
        let key = b"\x03web\x04shop";
        let check = |text, expected| {
            check_with(Forms { imported: false, zonal: true }, text, expected);
        };
        let zonal = |topology, prefers| Path::Zonal { key, topology, prefers };
        check("a.pin._zone.web.shop.svc", zonal(b"\x01a", false));
        check("a.b.c.prefer._zone.web.shop.svc", zonal(b"\x01a\x01b\x01c", true));
        check("pin._zone.web.shop.svc", zonal(b"", false));
        check("_zone.web.shop.svc", zonal(b"", false));
        check("a.only._zone.web.shop.svc", Path::Nothing);
        check("pin._zone.web.shop.pod", Path::Pod { namespace: b"shop", label: b"web" });
        check("_zone.shop.svc", Path::Service { key: b"\x05_zone\x04shop" });
        check("web-11.web.shop.svc", Path::Endpoint { key, label: b"web-11" });
        check("shop.svc", Path::Services { namespace: b"shop" });
        check("", Path::Apex);
    }

    proptest! {
        #[test]
        fn any_labels_are_read_without_a_panic(labels in prop::collection::vec("[a-z_*-]{1,10}|svc|pod|dns|pin|_zone", 0..9), imported: bool, zonal: bool) {
            let name: NameBuf = labels.join(".").parse().unwrap_or(NameBuf::root());
            let octets = name.octets();
            let path = Path::read(&octets[..octets.len() - 1], Forms { imported, zonal });
            let may_be_long = matches!(path, Path::Nothing | Path::Zonal { .. });
            prop_assert!(labels.len() <= LABELS_MAX || may_be_long);
        }
    }
}
