//! How one `kubernetes` directive wants the cluster to look.

use crate::address::{Address, IN_ADDR_ARPA, IP6_ARPA};
use std::fmt;
use std::net::IpAddr;
use wire::{Name, NameBuf};

/// What a `kubernetes` directive says about names and records. Fill it in and make a [`View`].
#[derive(Clone, Debug)]
pub struct Options {
    /// The zones, forward and reverse, in the order of the directive; the first that is no
    /// reverse zone is the one that PTR records lead into.
    pub zones: Vec<NameBuf>,
    /// `ttl`: of all records but `dns-version`, in seconds.
    pub ttl: u32,
    /// `pods`.
    pub pods: Pods,
    /// `namespaces`: only these are shown. None: all.
    pub namespaces: Option<Vec<String>>,
    /// The opposite of `noendpoints`.
    pub endpoints: bool,
    /// `endpoint_pod_names`: endpoints without a hostname are called like their pod.
    pub endpoint_pod_names: bool,
    /// `ignore empty_service`: a service with addresses but without a ready endpoint is absent.
    pub ignore_empty_services: bool,
    /// `multicluster`: these of the zones hold the services of a set of clusters, and no others.
    pub import_zones: Vec<NameBuf>,
    /// `zonal`: headless services have names for their endpoints in one zone of the topology.
    pub zonal: bool,
    /// The server's own addresses, which `ns.dns` and the apex NS are made of. Loopback
    /// addresses are left out.
    pub own_addresses: Vec<IpAddr>,
}

impl Options {
    /// CoreDNS's defaults for these zones.
    pub fn new(zones: Vec<NameBuf>) -> Self {
        Self {
            zones,
            ttl: 5,
            pods: Pods::Disabled,
            namespaces: None,
            endpoints: true,
            endpoint_pod_names: false,
            ignore_empty_services: false,
            import_zones: Vec::new(),
            zonal: false,
            own_addresses: Vec::new(),
        }
    }
}

/// `pods`: which names of pods there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pods {
    /// None.
    Disabled,
    /// Every address in every namespace, whether a pod has it or not.
    Insecure,
    /// The addresses that pods of the namespace have.
    Verified,
}

/// How one `kubernetes` directive wants the cluster to look. Several share one
/// [`crate::Cluster`].
#[derive(Debug)]
pub struct View {
    /// The longest first.
    zones: Box<[Zone]>,
    /// Which of them PTR records lead into.
    primary: usize,
    namespaces: Option<Box<[Box<[u8]>]>>,
    pub(crate) ttl: u32,
    pub(crate) pods: Pods,
    pub(crate) endpoints: bool,
    pub(crate) endpoint_pod_names: bool,
    pub(crate) ignore_empty_services: bool,
    pub(crate) zonal: bool,
    pub(crate) own_addresses: Box<[Address]>,
}

/// A zone and the names in it that records are often made of.
#[derive(Debug)]
pub(crate) struct Zone {
    apex: NameBuf,
    /// `svc` below the apex.
    services: NameBuf,
    /// Whether its services are those of other clusters.
    pub(crate) is_imported: bool,
}

/// Options that make no view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadOptions {
    /// There is no zone, or every one is a reverse zone, so that PTR records lead nowhere.
    NoForwardZone,
    /// The zone leaves no room for the names in it.
    LongZone(String),
    /// A zone of `multicluster` is none of the directive's.
    ForeignZone(String),
}

impl fmt::Display for BadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoForwardZone => f.write_str(
                "expected a zone that is not a reverse zone, such as `cluster.local`: \
                 PTR records lead into it",
            ),
            Self::LongZone(zone) => write!(
                f,
                "the zone {zone} is too long: expected at most {} octets, \
                 so that there is room for a service and its namespace",
                View::ZONE_MAX
            ),
            Self::ForeignZone(zone) => write!(
                f,
                "expected the zone {zone} of `multicluster` among the zones of the directive, \
                 so that it is answered for"
            ),
        }
    }
}

impl std::error::Error for BadOptions {}

impl View {
    /// The longest name of a zone: a service, its namespace, each of 63 octets, and `svc` fit in
    /// front of it.
    pub const ZONE_MAX: usize = wire::NAME_MAX - 2 * (1 + wire::LABEL_MAX) - 4;

    /// Checks the options and makes the names that answers need.
    pub fn new(options: Options) -> Result<Self, BadOptions> {
        let primary = primary_of(&options.zones).ok_or(BadOptions::NoForwardZone)?;
        if let Some(foreign) = options.import_zones.iter().find(|it| !options.zones.contains(it)) {
            return Err(BadOptions::ForeignZone(foreign.to_string()));
        }
        let mut zones = Vec::new();
        for apex in options.zones {
            let fits = apex.octets().len() <= Self::ZONE_MAX;
            let zone = Zone::new(apex, options.import_zones.contains(&apex))
                .filter(|_| fits)
                .ok_or_else(|| BadOptions::LongZone(apex.to_string()))?;
            zones.push(zone);
        }
        zones.sort_by_key(|zone| std::cmp::Reverse(zone.apex.octets().len()));
        let label = |name: String| name.to_ascii_lowercase().into_bytes().into_boxed_slice();
        let own = options.own_addresses.into_iter().filter(|address| !address.is_loopback());
        Ok(Self {
            primary: zones.iter().position(|zone| zone.apex == primary).unwrap_or(0),
            zones: zones.into(),
            namespaces: options.namespaces.map(|names| names.into_iter().map(label).collect()),
            ttl: options.ttl,
            pods: options.pods,
            endpoints: options.endpoints,
            endpoint_pod_names: options.endpoint_pod_names,
            ignore_empty_services: options.ignore_empty_services,
            zonal: options.zonal,
            own_addresses: own.map(Address::from).collect(),
        })
    }

    /// The same view in other zones, where services lie right below the apex.
    pub(crate) fn outside(&self, apexes: &[NameBuf], ttl: u32) -> Result<Self, BadOptions> {
        let zone = |apex: &NameBuf| {
            let apex = apex.as_name().to_lower();
            let fits = apex.octets().len() <= Self::ZONE_MAX;
            fits.then_some(Zone { apex, services: apex, is_imported: false })
                .ok_or_else(|| BadOptions::LongZone(apex.to_string()))
        };
        let mut zones = apexes.iter().map(zone).collect::<Result<Vec<_>, _>>()?;
        zones.sort_by_key(|zone| std::cmp::Reverse(zone.apex.octets().len()));
        let forward = apexes.iter().find(|apex| !is_reverse(apex.as_name()));
        let primary = forward.or(apexes.first()).ok_or(BadOptions::NoForwardZone)?;
        Ok(Self {
            primary: zones.iter().position(|zone| zone.apex == *primary).unwrap_or(0),
            zones: zones.into(),
            namespaces: self.namespaces.clone(),
            own_addresses: self.own_addresses.clone(),
            ttl,
            ..*self
        })
    }

    /// The zones, the longest first.
    pub fn zones(&self) -> impl Iterator<Item = Name<'_>> {
        self.zones.iter().map(Zone::apex)
    }

    /// The zone that a name lies in, if it lies in one of this view's.
    pub fn zone_of(&self, name: Name<'_>) -> Option<Name<'_>> {
        self.find_zone(name).map(|(zone, _)| zone.apex())
    }

    /// The zone that PTR records lead into: the domain of the cluster.
    pub fn domain(&self) -> Name<'_> {
        self.primary().apex()
    }

    /// The TTL of answers, in seconds.
    pub fn ttl(&self) -> u32 {
        self.ttl
    }

    /// The longest zone that a name lies in, and the labels in front of it.
    #[inline]
    pub(crate) fn find_zone<'a>(&self, name: Name<'a>) -> Option<(&Zone, &'a [u8])> {
        self.zones.iter().find_map(|zone| Some((zone, name.labels_above(zone.apex())?)))
    }

    /// The zone that PTR records lead into.
    pub(crate) fn primary(&self) -> &Zone {
        &self.zones[self.primary]
    }

    /// Whether `namespaces` lets this one be seen, given its label in lower case.
    #[inline]
    pub(crate) fn shows(&self, namespace: &[u8]) -> bool {
        let Some(shown) = &self.namespaces else { return true };
        shown.iter().any(|known| **known == *namespace)
    }
}

/// The first zone that is no reverse zone.
///
/// CoreDNS does not count the bare `in-addr.arpa` and `ip6.arpa` as reverse zones, so that a
/// directive that lists one of them first gives PTR records which lead into it. Here that happens
/// only if there is nothing better.
fn primary_of(zones: &[NameBuf]) -> Option<NameBuf> {
    let is_bare = |zone: &&NameBuf| {
        [IN_ADDR_ARPA, IP6_ARPA].iter().any(|bare| zone.octets().eq_ignore_ascii_case(bare))
    };
    let forward = zones.iter().find(|zone| !is_reverse(zone.as_name()));
    forward.or_else(|| zones.iter().find(is_bare)).copied()
}

pub(crate) fn is_reverse(name: Name<'_>) -> bool {
    [IN_ADDR_ARPA, IP6_ARPA]
        .iter()
        .any(|zone| Name::from_octets(zone).is_ok_and(|zone| name.is_at_or_below(zone)))
}

impl Zone {
    fn new(apex: NameBuf, is_imported: bool) -> Option<Self> {
        let apex = apex.as_name().to_lower();
        let services = NameBuf::child(b"svc", apex.as_name()).ok()?;
        Some(Self { apex, services, is_imported })
    }

    pub(crate) fn apex(&self) -> Name<'_> {
        self.apex.as_name()
    }

    /// `svc` below the apex.
    pub(crate) fn services(&self) -> Name<'_> {
        self.services.as_name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(zones: &[&str]) -> Result<View, BadOptions> {
        View::new(Options::new(zones.iter().map(|zone| zone.parse().unwrap()).collect()))
    }

    #[test]
    fn the_longest_zone_wins() {
        let view = view(&["local", "Cluster.local", "b.local"]).unwrap();
        let zone = |name: &str| {
            let name: NameBuf = name.parse().unwrap();
            view.zone_of(name.as_name()).map(|zone| zone.to_string())
        };
        assert_eq!(zone("x.cluster.LOCAL").as_deref(), Some("cluster.local."));
        assert_eq!(zone("cluster2.local").as_deref(), Some("local."));
        assert_eq!(zone("example.org"), None);
    }

    #[test]
    fn the_primary_zone() {
        let primary = |zones: &[&str]| view(zones).map(|view| view.primary().apex().to_string());
        assert_eq!(primary(&["10.in-addr.arpa", "a.local", "b.local"]), Ok("a.local.".into()));
        assert_eq!(primary(&["in-addr.arpa", "a.local"]), Ok("a.local.".into()));
        assert_eq!(primary(&["in-addr.arpa", "ip6.arpa"]), Ok("in-addr.arpa.".into()));
        assert_eq!(primary(&["10.in-addr.arpa"]), Err(BadOptions::NoForwardZone));
        assert_eq!(primary(&[]), Err(BadOptions::NoForwardZone));
    }

    #[test]
    fn import_zones_are_among_the_zones() {
        let zones = |texts: &[&str]| texts.iter().map(|zone| zone.parse().unwrap()).collect();
        let with = |imported: &[&str]| {
            let import_zones = zones(imported);
            let options = Options { import_zones, ..Options::new(zones(&["a.local", "b.local"])) };
            View::new(options).map(|view| view.zones.iter().map(|it| it.is_imported).collect())
        };
        assert_eq!(with(&["B.local"]), Ok(vec![false, true]));
        assert_eq!(with(&["c.local"]), Err(BadOptions::ForeignZone("c.local.".into())));
    }

    #[test]
    fn a_zone_leaves_room_for_services() {
        let long = format!("{0}.{0}.{0}", "x".repeat(40));
        assert!(matches!(view(&[&long]), Err(BadOptions::LongZone(_))));
        assert!(view(&["x".repeat(63).as_str()]).is_ok());
    }
}
