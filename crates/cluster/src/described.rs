//! What a name and a client have to do with the cluster, for those who log or route by it.

use crate::address::Address;
use crate::cluster::Cluster;
use crate::model::pod::PackedPod;
use crate::view::{Pods, View};
use std::net::IpAddr;
use wire::Name;

/// A name below a zone of the cluster, taken apart as CoreDNS does for its metadata: without looking
/// whether any of it exists. What the name does not have is empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Described<'a> {
    /// `svc` or `pod`.
    pub kind: &'a [u8],
    /// The namespace.
    pub namespace: &'a [u8],
    /// The service; of a pod's name the address.
    pub service: &'a [u8],
    /// The endpoint of the service.
    pub endpoint: &'a [u8],
    /// The port, without its underscore.
    pub port: &'a [u8],
    /// Its protocol, without its underscore.
    pub protocol: &'a [u8],
}

/// A name that no object of a cluster can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoObject;

impl View {
    /// Takes a name apart; none if it lies in no zone of the view.
    pub fn describe<'a>(&self, name: Name<'a>) -> Option<Result<Described<'a>, NoObject>> {
        let (zone, _) = self.find_zone(name)?;
        let above = name.label_count() - zone.apex().label_count();
        let labels: Vec<_> = name.labels().take(above).collect();
        Some(describe(&labels, zone.is_imported))
    }
}

fn describe<'a>(labels: &[&'a [u8]], is_imported: bool) -> Result<Described<'a>, NoObject> {
    let Some((&kind, rest)) = labels.split_last() else { return Ok(Described::default()) };
    if !matches!(kind, b"svc" | b"pod") {
        return Err(NoObject);
    }
    let none = Described { kind, ..Described::default() };
    match *rest {
        // CoreDNS does not tell the kind of the bare `svc` and `pod`.
        [] => Ok(Described::default()),
        [namespace] => Ok(Described { namespace, ..none }),
        [service, namespace] => Ok(Described { service, namespace, ..none }),
        [endpoint, service, namespace] => Ok(Described { endpoint, service, namespace, ..none }),
        [endpoint, cluster, service, namespace]
            if is_imported && ![endpoint, cluster].iter().any(|it| it.starts_with(b"_")) =>
        {
            Ok(Described { endpoint, service, namespace, ..none })
        }
        [port, protocol, service, namespace] => {
            let [port, protocol] = [port, protocol].map(without_underscore);
            Ok(Described { port, protocol, service, namespace, ..none })
        }
        _ => Err(NoObject),
    }
}

fn without_underscore(label: &[u8]) -> &[u8] {
    label.strip_prefix(b"_").unwrap_or(label)
}

impl Cluster {
    /// The namespace and the name of the pod with this address, if the view looks at pods.
    ///
    /// Of several it is the one that started last: the address was given to it when the others were
    /// done with it, whatever order the news of that came in. None has the address of a node for
    /// itself. (CoreDNS takes whichever it learnt of first.)
    pub fn pod_of(&self, view: &View, address: IpAddr) -> Option<(String, String)> {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        self.owner_of(view, address, |pod| (text(pod.namespace()), text(pod.name())))
    }

    /// The address of a pod, if the view looks at pods. Goes through all of them: not for answers.
    pub fn address_of(&self, view: &View, namespace: &str, name: &str) -> Option<IpAddr> {
        if view.pods != Pods::Verified {
            return None;
        }
        let mut found = None;
        self.pods.visit(|pod| {
            if pod.namespace() == namespace.as_bytes() && pod.name() == name.as_bytes() {
                found = Some(pod.address().into());
            }
        });
        found
    }

    /// What `look` makes of the pod with this address.
    pub(crate) fn owner_of<R>(
        &self,
        view: &View,
        address: IpAddr,
        look: impl FnOnce(&PackedPod) -> R,
    ) -> Option<R> {
        if view.pods != Pods::Verified {
            return None;
        }
        let address = Address::from(address);
        self.pods.all(self.place(address), |pods| {
            let claims = pods.filter(|pod| pod.address() == address);
            let owner = claims.max_by_key(|pod| (pod.started(), *pod));
            owner.filter(|pod| !pod.shares_node()).map(look)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Options;
    use wire::NameBuf;

    #[test]
    fn names_are_taken_apart_as_coredns_does() {
        let zone = "cluster.local".parse().unwrap();
        let view = View::new(Options::new(vec![zone])).unwrap();
        let shown = |name: &str| {
            let name: NameBuf = format!("{name}cluster.local").parse().unwrap();
            let described = view.describe(name.as_name()).unwrap().ok()?;
            let Described { kind, namespace, service, endpoint, port, protocol } = described;
            let parts = [kind, namespace, service, endpoint, port, protocol];
            Some(parts.map(|part| String::from_utf8_lossy(part).into_owned()).join("|"))
        };
        for (name, expected) in [
            ("", "|||||"),
            ("svc.", "|||||"),
            ("shop.svc.", "svc|shop||||"),
            ("web.shop.svc.", "svc|shop|web|||"),
            ("web-0.web.shop.svc.", "svc|shop|web|web-0||"),
            ("_http._tcp.web.shop.svc.", "svc|shop|web||http|tcp"),
            ("1-2-3-4.shop.pod.", "pod|shop|1-2-3-4|||"),
        ] {
            assert_eq!(shown(name).as_deref(), Some(expected), "{name}");
        }
        for name in ["web.", "ns.dns.", "a._http._tcp.web.shop.svc."] {
            assert_eq!(shown(name), None, "{name}");
        }
        let elsewhere: NameBuf = "example.org".parse().unwrap();
        assert!(view.describe(elsewhere.as_name()).is_none());
    }
}
