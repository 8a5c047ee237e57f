//! How one `k8s_external` directive wants the cluster to be seen from outside.

use super::{HOST_MASTER, NAME_SERVER};
use crate::view::{BadOptions, View};
use wire::{Name, NameBuf};

/// What a `k8s_external` directive says. Make an [`ExternalView`] of it.
#[derive(Clone, Debug)]
pub struct ExternalOptions {
    /// The zones in the order of the directive; PTR records lead into the first that is no reverse
    /// zone, or else into the first.
    pub zones: Vec<NameBuf>,
    /// `apex`: the name, relative to a zone, below which its name server and its host master are.
    /// [`ExternalOptions::APEX_MAX`] octets in wire form always fit.
    pub apex: NameBuf,
    /// `ttl`: of all records, in seconds.
    pub ttl: u32,
    /// `headless`: the endpoints of headless services are seen too.
    pub headless: bool,
}

impl ExternalOptions {
    /// One label of any length, or several that are as long together.
    pub const APEX_MAX: usize = wire::LABEL_MAX + 2;

    /// CoreDNS's defaults for these zones.
    pub fn new(zones: Vec<NameBuf>) -> Self {
        let apex = NameBuf::child(b"dns", Name::ROOT).unwrap_or(NameBuf::root());
        Self { zones, apex, ttl: 5, headless: false }
    }
}

/// How one `k8s_external` directive wants the cluster to be seen from outside.
#[derive(Debug)]
pub struct ExternalView {
    /// Its zones, with services right below the apex.
    pub(super) services: View,
    /// `apex` below each zone.
    pub(super) below: Box<[NameBuf]>,
    /// What stands in front of a zone in the name of its name server, and of its host master.
    pub(super) name_server: Box<[u8]>,
    pub(super) host_master: Box<[u8]>,
    pub(super) headless: bool,
}

impl ExternalView {
    /// A view of the cluster that `inside` looks at, in other zones: what `inside` hides stays
    /// hidden.
    pub fn new(options: &ExternalOptions, inside: &View) -> Result<Self, BadOptions> {
        let services = inside.outside(&options.zones, options.ttl)?;
        let apex = options.apex.as_name().to_lower();
        let (_root, labels) = apex.octets().split_last().unwrap_or((&0, &[]));
        let below = |zone: &NameBuf| {
            let zone = zone.as_name().to_lower();
            let below = NameBuf::join(labels, zone.as_name());
            // The longest name that is made of it.
            let has_room = |it: &NameBuf| NameBuf::join(HOST_MASTER, it.as_name()).is_ok();
            below.ok().filter(has_room).ok_or_else(|| BadOptions::LongZone(zone.to_string()))
        };
        Ok(Self {
            services,
            name_server: [NAME_SERVER, labels].concat().into(),
            host_master: [HOST_MASTER, labels].concat().into(),
            below: options.zones.iter().map(below).collect::<Result<_, _>>()?,
            headless: options.headless,
        })
    }
}
