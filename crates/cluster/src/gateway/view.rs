//! How one `k8s_gateway` directive wants names and records to look.

use super::host::Group;
use super::kept::NODE_ADDRESS_TYPES;
use crate::objects::Kind;
use std::fmt;
use wire::{Name, NameBuf};

/// What a `k8s_gateway` directive says. Fill it in and make a [`View`].
#[derive(Clone, Debug)]
pub struct Options {
    /// The zones.
    pub zones: Vec<NameBuf>,
    /// `ttl`: of addresses and aliases, in seconds.
    pub ttl: u32,
    /// `resources`: which objects are asked, in this order; the first kind that has an answer
    /// gives it.
    pub resources: Vec<Kind>,
    /// `ingressClasses`: only ingresses of these. None: all.
    pub ingress_classes: Option<Vec<String>>,
    /// `gatewayClasses`: only routes of gateways of these. None: all.
    pub gateway_classes: Option<Vec<String>>,
    /// `nodeAddressType`: which addresses of nodes are shown.
    pub node_addresses: NodeAddresses,
    /// `apex`, `secondary`: the names of the name servers, relative to the zone. There must be
    /// one; the first is the primary one.
    pub servers: Vec<String>,
}

/// Which addresses of nodes are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeAddresses {
    /// Those of type InternalIP.
    Internal,
    /// Those of type ExternalIP.
    External,
}

impl Options {
    /// The defaults of `k8s_gateway` for these zones.
    pub fn new(zones: Vec<NameBuf>) -> Self {
        Self {
            zones,
            ttl: 60,
            resources: vec![Kind::Ingress, Kind::Service],
            ingress_classes: None,
            gateway_classes: None,
            node_addresses: NodeAddresses::Internal,
            servers: vec!["dns1.kube-system".to_owned()],
        }
    }
}

/// How one `k8s_gateway` directive wants names and records to look. Several share one
/// [`crate::Cluster`].
#[derive(Debug)]
pub struct View {
    /// The longest first.
    zones: Box<[Zone]>,
    pub(super) ttl: u32,
    pub(super) resources: Box<[Kind]>,
    ingress_classes: Option<Box<[Box<[u8]>]>>,
    gateway_classes: Option<Box<[Box<[u8]>]>>,
    /// The class of the addresses of nodes.
    node_classes: Option<Box<[Box<[u8]>]>>,
}

/// A zone and the names in it that its SOA and NS records are made of.
#[derive(Debug)]
pub(super) struct Zone {
    pub(super) apex: NameBuf,
    pub(super) hostmaster: NameBuf,
    /// The first is the primary one.
    pub(super) servers: Box<[NameBuf]>,
}

/// Options that make no view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadOptions {
    /// This name of a name server is no name, or there is no room for it in the zone.
    BadServer(String),
}

impl fmt::Display for BadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::BadServer(name) = self;
        write!(
            f,
            "`{name}` cannot be the name of a name server: expected a name relative to the zone, \
             such as `dns1.kube-system`"
        )
    }
}

impl std::error::Error for BadOptions {}

impl View {
    /// Checks the options and makes the names that answers need.
    pub fn new(options: Options) -> Result<Self, BadOptions> {
        let zone = |apex: &NameBuf| Zone::new(apex.as_name(), &options.servers);
        let mut zones = options.zones.iter().map(zone).collect::<Result<Vec<_>, _>>()?;
        zones.sort_by_key(|zone| std::cmp::Reverse(zone.apex.octets().len()));
        let classes = |names: Option<Vec<String>>| -> Option<Box<[Box<[u8]>]>> {
            let class = |name: String| name.to_ascii_lowercase().into_bytes().into_boxed_slice();
            Some(names?.into_iter().map(class).collect())
        };
        Ok(Self {
            zones: zones.into(),
            ttl: options.ttl,
            resources: options.resources.into(),
            ingress_classes: classes(options.ingress_classes),
            gateway_classes: classes(options.gateway_classes),
            node_classes: classes(Some(vec![node_class(options.node_addresses).to_owned()])),
        })
    }

    /// The zone that a name lies in, if it lies in one of this view's.
    pub fn zone_of(&self, name: Name<'_>) -> Option<Name<'_>> {
        self.find_zone(name).map(|zone| zone.apex.as_name())
    }

    pub(super) fn find_zone(&self, name: Name<'_>) -> Option<&Zone> {
        self.zones.iter().find(|zone| name.is_at_or_below(zone.apex.as_name()))
    }

    /// Whether objects of this kind and class are asked.
    pub(super) fn admits(&self, kind: Kind, group: &Group<'_>) -> bool {
        let classes = match kind {
            Kind::Ingress => &self.ingress_classes,
            Kind::HttpRoute | Kind::GrpcRoute | Kind::TlsRoute => &self.gateway_classes,
            Kind::Node => &self.node_classes,
            _ => &None,
        };
        let admits = |classes: &[Box<[u8]>]| classes.iter().any(|class| **class == *group.class);
        group.is_of(kind) && classes.as_deref().is_none_or(admits)
    }
}

fn node_class(addresses: NodeAddresses) -> &'static str {
    let [internal, external] = NODE_ADDRESS_TYPES;
    match addresses {
        NodeAddresses::Internal => internal,
        NodeAddresses::External => external,
    }
}

impl Zone {
    fn new(apex: Name<'_>, servers: &[String]) -> Result<Self, BadOptions> {
        let bad = |server: &str| BadOptions::BadServer(server.to_owned());
        let apex = apex.to_lower();
        // A final dot does not make the name absolute, as it does not in the original.
        let server = |text: &String| {
            let relative = text.strip_suffix('.').unwrap_or(text);
            let name = NameBuf::from_text(relative.as_bytes(), apex.as_name());
            name.map(|name| name.as_name().to_lower()).map_err(|_| bad(text))
        };
        let servers = servers.iter().map(server).collect::<Result<Box<[_]>, _>>()?;
        let primary = servers.first().ok_or_else(|| bad(""))?.as_name();
        let hostmaster =
            NameBuf::child(b"hostmaster", primary).map_err(|_| bad(&primary.to_string()))?;
        Ok(Self { apex, hostmaster, servers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_name_servers() {
        let view = |server: &str| {
            let mut options = Options::new(vec!["Example.com".parse().unwrap()]);
            options.servers = vec![server.to_owned()];
            View::new(options)
        };
        let made = view("Exdns-1.kube-system").unwrap();
        let zone = made.find_zone("a.example.com".parse::<NameBuf>().unwrap().as_name()).unwrap();
        assert_eq!(zone.servers[0].to_string(), "exdns-1.kube-system.example.com.");
        assert_eq!(zone.hostmaster.to_string(), "hostmaster.exdns-1.kube-system.example.com.");
        for bad in ["", "a..b", &"x".repeat(64), &format!("{0}.{0}.{0}.{0}", "x".repeat(60))] {
            assert!(matches!(view(bad), Err(BadOptions::BadServer(_))), "{bad}");
        }
    }
}
