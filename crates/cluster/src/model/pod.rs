//! A pod as it is stored.

use super::packed::{Octets, push_address, push_text};
use super::table::Value;
use crate::address::Address;
use crate::objects::Pod;
use jiff::Timestamp;
use std::sync::Arc;

/// A pod in one run of octets: its address with its length, its standing in four, then namespace
/// and name, each with its length.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PackedPod(Arc<[u8]>);

impl PackedPod {
    pub(crate) fn new(pod: &Pod) -> Self {
        let mut out = Vec::new();
        push_address(&mut out, pod.address.into());
        out.extend_from_slice(&standing(pod).to_be_bytes());
        push_text(&mut out, &pod.namespace);
        push_text(&mut out, &pod.name);
        Self(out.into())
    }

    /// The pod as a source would tell it.
    pub(super) fn unpack(&self) -> Pod {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Pod {
            namespace: text(self.namespace()),
            name: text(self.name()),
            address: self.address().into(),
            started: self.started_at(),
            shares_node: self.shares_node(),
        }
    }

    pub(crate) fn address(&self) -> Address {
        Octets(&self.0).address()
    }

    /// When it began; the larger the younger.
    pub(crate) fn started(&self) -> u32 {
        self.standing() >> 1
    }

    fn started_at(&self) -> Option<Timestamp> {
        let seconds = i64::from(self.started());
        Timestamp::from_second(FIRST + seconds).ok().filter(|_| seconds > 0)
    }

    /// Whether its address is that of its node.
    pub(crate) fn shares_node(&self) -> bool {
        self.standing() & 1 == 1
    }

    /// The label of its namespace.
    pub(crate) fn namespace(&self) -> &[u8] {
        let mut octets = Octets(&self.0);
        octets.address();
        octets.take(STANDING_LEN);
        octets.text()
    }

    pub(crate) fn name(&self) -> &[u8] {
        let mut octets = Octets(&self.0);
        octets.address();
        octets.take(STANDING_LEN);
        octets.text();
        octets.text()
    }

    fn standing(&self) -> u32 {
        let mut octets = Octets(&self.0);
        octets.address();
        octets
            .take(STANDING_LEN)
            .iter()
            .fold(0, |standing, octet| standing << 8 | u32::from(*octet))
    }
}

/// The beginning of 2014 in Unix time.
const FIRST: i64 = 1_388_534_400;

const STANDING_LEN: usize = size_of::<u32>();

/// Seconds from the beginning of 2014, the year of the first pod, to its start in 31 bits, which
/// last until 2082; and whether its address is that of its node. Four octets a pod are what it may
/// cost: there are many.
fn standing(pod: &Pod) -> u32 {
    let seconds = pod.started.map_or(0, |started| started.as_second().saturating_sub(FIRST));
    let seconds = seconds.clamp(0, i64::from(u32::MAX >> 1)) as u32;
    seconds << 1 | u32::from(pod.shares_node)
}

impl Value for PackedPod {
    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}
