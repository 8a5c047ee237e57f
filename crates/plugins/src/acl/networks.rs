//! Sets of addresses.

use corefile::kind::Network;
use std::net::IpAddr;

/// Networks, merged and sorted so that asking for an address costs the same for ten of them and for
/// ten thousand.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Networks {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl Networks {
    pub(super) fn new(networks: &[Network]) -> Self {
        let mut set = Self::default();
        for network in networks {
            match network.address {
                IpAddr::V4(ip) => {
                    let host = u32::MAX.checked_shr(network.prefix.into()).unwrap_or(0);
                    set.v4.push((ip.to_bits() & !host, ip.to_bits() | host));
                }
                IpAddr::V6(ip) => {
                    let host = u128::MAX.checked_shr(network.prefix.into()).unwrap_or(0);
                    set.v6.push((ip.to_bits() & !host, ip.to_bits() | host));
                }
            }
        }
        merge(&mut set.v4);
        merge(&mut set.v6);
        set
    }

    pub(super) fn contain(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(ip) => covers(&self.v4, ip.to_bits()),
            IpAddr::V6(ip) => covers(&self.v6, ip.to_bits()),
        }
    }
}

/// Ranges that overlap become one.
fn merge<T: Copy + Ord>(ranges: &mut Vec<(T, T)>) {
    ranges.sort_unstable();
    ranges.dedup_by(|next, kept| {
        let overlaps = next.0 <= kept.1;
        if overlaps {
            kept.1 = kept.1.max(next.1);
        }
        overlaps
    });
}

fn covers<T: Copy + Ord>(ranges: &[(T, T)], value: T) -> bool {
    let behind = ranges.partition_point(|(first, _)| *first <= value);
    behind.checked_sub(1).is_some_and(|at| value <= ranges[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn network() -> impl Strategy<Value = Network> {
        let near = |bits: u32| IpAddr::V4((0x0a00_0000 | bits & 0x3ff).into());
        prop_oneof![
            (any::<u32>(), 0..=32u8).prop_map(move |(bits, prefix)| (near(bits), prefix)),
            (any::<IpAddr>(), 0..=32u8),
        ]
        .prop_map(|(address, prefix)| Network { address, prefix })
    }

    proptest! {
        #[test]
        fn a_set_contains_what_one_of_its_networks_contains(
            networks in prop::collection::vec(network(), 0..12),
            addresses in prop::collection::vec(network(), 1..12),
        ) {
            let set = Networks::new(&networks);
            for Network { address, .. } in addresses.iter().chain(&networks) {
                let one = networks.iter().any(|network| network.contains(*address));
                prop_assert_eq!(set.contain(*address), one);
            }
        }
    }

    #[test]
    fn whole_families() {
        let all = |text: &str| Network { address: text.parse().unwrap(), prefix: 0 };
        let set = Networks::new(&[all("1.2.3.4")]);
        assert!(set.contain("255.255.255.255".parse().unwrap()));
        assert!(!set.contain("::1".parse().unwrap()));
    }
}
