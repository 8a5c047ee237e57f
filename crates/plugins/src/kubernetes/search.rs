//! What `kubernetes` knows of the search lists of pods.

use super::{Kubernetes, Zones};
use crate::env::Env;
use crate::search_path::{Pods, SearchPath, with_root};
use chain::Exchange;
use std::net::IpAddr;
use std::path::Path;
use upstream::ResolvConf;
use wire::{Name, NameBuf};

/// Where the kubelet writes the search list of this server's own pod. With `dnsPolicy: Default` it is
/// that of the node, which other pods have behind the elements of the cluster.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// For each zone what pods search behind their own namespace: `svc.ZONE`, `ZONE`, the domains of the
/// node, and the name as it stands.
pub(super) struct SearchLists(Vec<(NameBuf, Vec<NameBuf>)>);

impl SearchLists {
    pub(super) fn new(zones: &Zones, env: &mut Env<'_>) -> Self {
        let text = env.read_file(Path::new(RESOLV_CONF)).unwrap_or_default();
        let of_node = ResolvConf::read(&String::from_utf8_lossy(&text)).search;
        let of_zone = |zone: &NameBuf| {
            let services = NameBuf::child(b"svc", zone.as_name()).ok();
            let domains = services.into_iter().chain([*zone]).chain(of_node.iter().copied());
            (*zone, with_root(domains.collect()))
        };
        Self(zones.names().iter().map(of_zone).collect())
    }
}

impl Pods for Kubernetes {
    fn domain(&self) -> NameBuf {
        self.view.domain().to_buf()
    }

    fn address_of(&self, namespace: &str, name: &str) -> Option<IpAddr> {
        self.source.cluster()?.address_of(&self.view, namespace, name)
    }
}

impl SearchPath for Kubernetes {
    fn first(&self, x: &Exchange) -> Option<NameBuf> {
        let cluster = self.source.cluster()?;
        cluster.first_searched(&self.view, x.question.name(), x.client.peer.ip())
    }

    fn others(&self, name: Name<'_>) -> &[NameBuf] {
        let zone = self.view.zone_of(name);
        let list = self.search.0.iter().find(|(known, _)| zone == Some(known.as_name()));
        list.map_or(&[], |(_, others)| others)
    }
}
