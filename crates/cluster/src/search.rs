//! The search lists of pods: which one a client has, and which names come out of one.
//!
//! A pod in `shop` looks for a name with few dots as `NAME.shop.svc.ZONE`, `NAME.svc.ZONE`,
//! `NAME.ZONE`, and only then as it stands. What is asked first carries the namespace, so that it can
//! be known again without knowing the pod.

use crate::cluster::Cluster;
use crate::model::entry::namespace_of;
use crate::view::View;
use std::net::IpAddr;
use wire::{Name, NameBuf};

/// A name of the form `NAME.NS.svc.ZONE`, where `NAME` has two labels or more: one that comes out of
/// the search list of a pod in `NS`.
///
/// One label is the name of a service, be there one or not: who asks for it means a service. In lower
/// case, if the name was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Searched<'a> {
    /// The label of the namespace, which may not exist ([`Cluster::has`]).
    pub namespace: &'a [u8],
    /// The labels that were looked for, in wire form without the root.
    labels: &'a [u8],
    /// The last of them with the namespace: a service, if there is one.
    key: &'a [u8],
}

impl View {
    /// Takes a name of the search form apart; none if it is not, or in a namespace that is not shown.
    pub fn searched<'a>(&self, name: Name<'a>) -> Option<Searched<'a>> {
        let (_, above) = self.find_zone(name)?;
        let [service, namespace, kind] = last_three(above)?;
        if service == 0 || above[kind..] != *b"\x03svc" {
            return None;
        }
        let key = &above[service..kind];
        let label = namespace_of(key);
        self.shows(label).then_some(Searched { namespace: label, labels: &above[..namespace], key })
    }
}

impl Cluster {
    /// Whether there is a namespace for which this was searched.
    pub fn has(&self, searched: &Searched<'_>) -> bool {
        self.has_namespace(searched.namespace)
    }

    /// Takes a name of the search form apart; none if it is not, or in no namespace to be seen.
    pub fn searched<'a>(&self, view: &View, name: Name<'a>) -> Option<Searched<'a>> {
        view.searched(name).filter(|searched| self.has(searched))
    }

    /// What was looked for as it stands, if nothing in the cluster can be meant by it, now or at
    /// another place of the search list:
    ///
    /// - there is no service below which it would lie (`NAME.NS.svc.ZONE`);
    /// - it does not end in a namespace, so that `NAME.svc.ZONE` is no service of another one;
    /// - it is not half of a name of the cluster (`web.shop.svc`), nor a whole one.
    pub fn meant_outside(&self, view: &View, searched: &Searched<'_>) -> Option<NameBuf> {
        let last = searched.key.split_first().and_then(|(len, rest)| rest.get(..(*len).into()))?;
        if matches!(last, b"svc" | b"pod" | b"dns") || self.has_namespace(last) {
            return None;
        }
        if self.entry(searched.key, |entry| entry.service().is_some()) == Some(true) {
            return None;
        }
        let name = NameBuf::join(searched.labels, Name::ROOT).ok()?;
        view.find_zone(name.as_name()).is_none().then_some(name)
    }

    /// The first element of the search list of the pod with this address, in the zone that `name`
    /// lies in: `NS.svc.ZONE`. None if no pod has the address for itself, or the view looks at none.
    pub fn first_searched(&self, view: &View, name: Name<'_>, client: IpAddr) -> Option<NameBuf> {
        let (zone, _) = view.find_zone(name)?;
        self.owner_of(view, client, |pod| NameBuf::child(pod.namespace(), zone.services()))?.ok()
    }
}

/// Where the last three labels begin.
fn last_three(labels: &[u8]) -> Option<[usize; 3]> {
    let mut starts = [usize::MAX; 3];
    let mut at = 0;
    while at < labels.len() {
        starts = [starts[1], starts[2], at];
        at += 1 + usize::from(labels[at]);
    }
    (starts[0] != usize::MAX).then_some(starts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Model;
    use crate::objects::{Event, Exposure, Kinds, Namespace, Object, Pod, Service, Target};
    use crate::view::{Options, Pods};
    use proptest::prelude::*;

    fn name(text: &str) -> NameBuf {
        text.parse().unwrap()
    }

    fn view() -> View {
        let mut options = Options::new(vec![name("cluster.local"), name("10.in-addr.arpa")]);
        options.pods = Pods::Verified;
        View::new(options).unwrap()
    }

    fn model(objects: impl IntoIterator<Item = Object>) -> Model {
        let mut model = Model::new(Kinds::none());
        let namespaces =
            ["shop", "dev"].map(|name| Object::Namespace(Namespace { name: name.into() }));
        model.apply(namespaces.into_iter().chain(objects).map(Event::Apply), 1);
        model
    }

    #[test]
    fn what_is_meant_outside() {
        let service = Service {
            namespace: "shop".into(),
            name: "db".into(),
            target: Target::Endpoints,
            ports: Vec::new(),
            exposure: Exposure::default(),
        };
        let model = model([Object::Service(service)]);
        let (cluster, view) = (model.cluster(), view());
        let outside = |text: &str| {
            let name = name(&format!("{text}.cluster.local"));
            let searched = cluster.searched(&view, name.as_name())?;
            assert_eq!(searched.namespace, b"shop", "{text}");
            Some(cluster.meant_outside(&view, &searched).map(|name| name.to_string()))
        };
        let meant = |text: &str| Some(Some(text.to_owned()));
        assert_eq!(outside("www.example.com.shop.svc"), meant("www.example.com."));
        assert_eq!(outside("a.b.c.d.e.example.com.shop.svc"), meant("a.b.c.d.e.example.com."));
        assert_eq!(outside("example.com.shop.svc"), meant("example.com."));
        assert_eq!(outside("db.example.shop.svc"), meant("db.example."));
        // A service, an endpoint, a port, and whatever else lies below a service.
        assert_eq!(outside("com.shop.svc"), None);
        for below in ["x.db.shop.svc", "_x._tcp.db.shop.svc", "a.b.c.db.shop.svc"] {
            assert_eq!(outside(below), Some(None), "{below}");
        }
        // Other elements of the search list come before the name as it stands.
        for inside in
            ["web.dev.shop.svc", "x.shop.shop.svc", "web.dev.svc.shop.svc", "ns.dns.shop.svc"]
        {
            assert_eq!(outside(inside), Some(None), "{inside}");
        }
        assert_eq!(outside("web.dev.svc.cluster.local.shop.svc"), Some(None));
        assert_eq!(outside("1.0.0.10.in-addr.arpa.shop.svc"), Some(None));
        // No namespace, another element, the apex.
        for other in
            ["www.example.com.none.svc", "www.example.com.svc", "www.example.com", "shop.svc"]
        {
            assert_eq!(outside(other), None, "{other}");
        }
    }

    fn pod(namespace: &str, started: i64, shares_node: bool) -> Object {
        Object::Pod(Pod {
            namespace: namespace.into(),
            name: "p".into(),
            address: "10.0.0.1".parse().unwrap(),
            started: Some(jiff::Timestamp::from_second(started).unwrap()),
            shares_node,
        })
    }

    fn first(model: &Model) -> Option<String> {
        let (asked, client) = (name("x.cluster.local"), "10.0.0.1".parse().unwrap());
        model.cluster().first_searched(&view(), asked.as_name(), client).map(|it| it.to_string())
    }

    #[test]
    fn an_address_is_the_youngest_pods() {
        let (old, young) = (pod("shop", 1_700_000_000, false), pod("dev", 1_700_000_001, false));
        let dev = Some("dev.svc.cluster.local.".to_owned());
        assert_eq!(first(&model([old.clone(), young.clone()])), dev);
        let mut model = model([young.clone(), old.clone()]);
        assert_eq!(first(&model), dev);
        // The news that the old one is gone comes late.
        model.apply([Event::Delete(old.key())], 2);
        assert_eq!(first(&model), dev);
        model.apply([Event::Delete(young.key())], 3);
        assert_eq!(first(&model), None);
    }

    #[test]
    fn the_address_of_a_node_is_nobodys() {
        assert_eq!(first(&model([pod("shop", 1_700_000_000, true)])), None);
        let took_over = [pod("dev", 1_700_000_000, true), pod("shop", 1_700_000_001, false)];
        assert_eq!(first(&model(took_over)).as_deref(), Some("shop.svc.cluster.local."));
    }

    proptest! {
        #[test]
        fn any_name_is_taken_apart_without_a_panic(labels in prop::collection::vec("[a-z]{1,3}|svc|shop|dev", 0..8)) {
            let model = model([]);
            let name = name(format!("{}.cluster.local", labels.join(".")).trim_start_matches('.'));
            if let Some(searched) = model.cluster().searched(&view(), name.as_name()) {
                prop_assert!(labels.len() >= 4);
                let _ = model.cluster().meant_outside(&view(), &searched);
            }
        }
    }
}
