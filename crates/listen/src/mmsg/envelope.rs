//! What stands beside a datagram: who sent it, and which address it was sent to, as the kernel
//! reads and writes them. Pure functions on octets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// What the kernel writes beside the octets of a datagram.
#[derive(Clone, Copy)]
pub(super) struct Envelope {
    pub(super) peer: Address,
    pub(super) control: Control,
}

impl Envelope {
    pub(super) const EMPTY: Self = Self { peer: Address(Room::EMPTY), control: Control::EMPTY };
}

/// Room for octets that the kernel writes or reads, aligned as its structures are.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct Room<const SIZE: usize> {
    octets: [u8; SIZE],
    /// How many of them mean something; never above `SIZE`.
    length: usize,
}

impl<const SIZE: usize> Room<SIZE> {
    const EMPTY: Self = Self { octets: [0; SIZE], length: 0 };

    /// All of the room, to be written to.
    pub(super) fn all(&mut self) -> &mut [u8; SIZE] {
        &mut self.octets
    }

    /// Says how long that is which was written: the kernel tells the length that it had to write,
    /// which can be more than it was given room for.
    pub(super) fn set_length(&mut self, length: usize) {
        self.length = length.min(SIZE);
    }

    /// What was written.
    pub(super) fn octets(&self) -> &[u8] {
        &self.octets[..self.length]
    }
}

/// A socket address as the kernel reads and writes it: family, port, and the rest.
#[derive(Clone, Copy)]
pub(super) struct Address(pub(super) Room<ADDRESS_SIZE>);

/// Room for a `sockaddr_in6`.
const ADDRESS_SIZE: usize = size_of::<libc::sockaddr_in6>();

impl Address {
    /// Writes `address` as the kernel reads it.
    pub(super) fn of(address: SocketAddr) -> Self {
        let mut octets = [0; ADDRESS_SIZE];
        octets[2..4].copy_from_slice(&address.port().to_be_bytes());
        let (family, length) = match address {
            SocketAddr::V4(v4) => {
                octets[4..8].copy_from_slice(&v4.ip().octets());
                (libc::AF_INET, size_of::<libc::sockaddr_in>())
            }
            SocketAddr::V6(v6) => {
                octets[4..8].copy_from_slice(&v6.flowinfo().to_be_bytes());
                octets[8..24].copy_from_slice(&v6.ip().octets());
                octets[24..28].copy_from_slice(&v6.scope_id().to_ne_bytes());
                (libc::AF_INET6, ADDRESS_SIZE)
            }
        };
        octets[..2].copy_from_slice(&(family as libc::sa_family_t).to_ne_bytes());
        Self(Room { octets, length })
    }

    /// Reads what the kernel wrote, if it is an internet address; IPv4 in IPv6's clothes becomes
    /// IPv4 again.
    #[inline]
    pub(super) fn read(&self) -> Option<SocketAddr> {
        let (family, rest) = self.0.octets().split_first_chunk()?;
        let (port, rest) = rest.split_first_chunk()?;
        let port = u16::from_be_bytes(*port);
        let (head, rest) = rest.split_first_chunk::<4>()?;
        match libc::c_int::from(libc::sa_family_t::from_ne_bytes(*family)) {
            libc::AF_INET => Some(SocketAddrV4::new(Ipv4Addr::from(*head), port).into()),
            libc::AF_INET6 => {
                let (ip, rest) = rest.split_first_chunk::<16>()?;
                let ip = Ipv6Addr::from(*ip);
                if let Some(v4) = ip.to_ipv4_mapped() {
                    return Some(SocketAddrV4::new(v4, port).into());
                }
                let (scope, _) = rest.split_first_chunk()?;
                let (flow, scope) = (u32::from_be_bytes(*head), u32::from_ne_bytes(*scope));
                Some(SocketAddrV6::new(ip, port, flow, scope).into())
            }
            _ => None,
        }
    }
}

/// Control messages as the kernel reads and writes them: a `cmsghdr` (its length, level, type), the
/// data, padding to the width of a `usize`, and the next.
#[derive(Clone, Copy)]
pub(super) struct Control(pub(super) Room<CONTROL_SIZE>);

/// Room for the two that a dual-stack socket can be made to give, 72 octets, and one to spare.
const CONTROL_SIZE: usize = 112;

/// The octets of a `cmsghdr`: `size_t`, int, int; already a multiple of the alignment.
const CONTROL_HEADER: usize = CONTROL_ALIGN + 8;

const CONTROL_ALIGN: usize = size_of::<usize>();

impl Control {
    pub(super) const EMPTY: Self = Self(Room::EMPTY);

    /// Becomes the one message that says from which address to send.
    #[inline]
    pub(super) fn set_source(&mut self, source: IpAddr) {
        let (header, data) = self.0.all().split_at_mut(CONTROL_HEADER);
        let (level, kind, length) = match source {
            // `in_pktinfo`: interface, source, and the header's destination, which is for receiving.
            IpAddr::V4(v4) => {
                data[..12].fill(0);
                data[4..8].copy_from_slice(&v4.octets());
                (libc::IPPROTO_IP, libc::IP_PKTINFO, 12)
            }
            // `in6_pktinfo`: source, interface. As above the interface is 0: routing chooses it.
            IpAddr::V6(v6) => {
                data[..20].fill(0);
                data[..16].copy_from_slice(&v6.octets());
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, 20)
            }
        };
        header[..CONTROL_ALIGN].copy_from_slice(&(CONTROL_HEADER + length).to_ne_bytes());
        header[CONTROL_ALIGN..][..4].copy_from_slice(&level.to_ne_bytes());
        header[CONTROL_ALIGN + 4..].copy_from_slice(&kind.to_ne_bytes());
        self.0.set_length(CONTROL_HEADER + length.next_multiple_of(CONTROL_ALIGN));
    }

    /// Finds the address that the datagram was sent to.
    #[inline]
    pub(super) fn destination(&self) -> Option<IpAddr> {
        let mut messages = self.0.octets();
        while let Some((header, rest)) = messages.split_first_chunk::<CONTROL_HEADER>() {
            let (length, header) = header.split_first_chunk()?;
            let (level, header) = header.split_first_chunk()?;
            let (kind, _) = header.split_first_chunk()?;
            let length = usize::from_ne_bytes(*length).checked_sub(CONTROL_HEADER)?;
            let data = rest.get(..length)?;
            match (i32::from_ne_bytes(*level), i32::from_ne_bytes(*kind)) {
                // The source for an answer, not the header's destination: that may be a broadcast.
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let (source, _) = data.get(4..)?.split_first_chunk::<4>()?;
                    return Some(Ipv4Addr::from(*source).into());
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let (destination, _) = data.split_first_chunk::<16>()?;
                    return Some(Ipv6Addr::from(*destination).to_canonical());
                }
                _ => messages = rest.get(length.next_multiple_of(CONTROL_ALIGN)..)?,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn control(octets: &[u8]) -> Control {
        let mut control = Control::EMPTY;
        control.0.all()[..octets.len()].copy_from_slice(octets);
        control.0.set_length(octets.len());
        control
    }

    #[test]
    fn control_messages_of_others_are_passed_over() {
        let mut other = Control::EMPTY;
        other.set_source(Ipv4Addr::LOCALHOST.into());
        other.0.all()[CONTROL_ALIGN..][..4].copy_from_slice(&libc::SOL_SOCKET.to_ne_bytes());
        assert_eq!(other.destination(), None);
        let mut info = Control::EMPTY;
        info.set_source(Ipv6Addr::LOCALHOST.into());
        let both = control(&[other.0.octets(), info.0.octets()].concat());
        assert_eq!(both.destination(), Some(Ipv6Addr::LOCALHOST.into()));
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_a_panic(octets: [u8; CONTROL_SIZE], length in 0usize..200) {
            let mut control = Control(Room { octets, length: 0 });
            control.0.set_length(length);
            let _ = control.destination();
            let mut address = Address(Room::EMPTY);
            address.0.all().copy_from_slice(&octets[..ADDRESS_SIZE]);
            address.0.set_length(length);
            let _ = address.read();
        }

        /// Lengths near the truth reach further into the parser than random octets do.
        #[test]
        fn a_message_counts_when_all_of_it_is_there(told in 0usize..64, have in 0usize..=CONTROL_SIZE) {
            let mut message = Control::EMPTY;
            message.set_source(Ipv6Addr::LOCALHOST.into());
            message.0.all()[..CONTROL_ALIGN].copy_from_slice(&told.to_ne_bytes());
            message.0.set_length(have);
            let whole = (CONTROL_HEADER + 16..=have).contains(&told);
            prop_assert_eq!(message.destination().is_some(), whole);
        }

        #[test]
        fn sources_are_read_as_written(source: IpAddr) {
            let mut control = control(&[0xff; CONTROL_SIZE]);
            control.set_source(source);
            prop_assert_eq!(control.destination(), Some(source.to_canonical()));
        }

        #[test]
        fn addresses_are_read_as_written(ip: IpAddr, port: u16, flow: u32, scope: u32) {
            let address = match ip.to_canonical() {
                IpAddr::V4(v4) => SocketAddr::from((v4, port)),
                IpAddr::V6(v6) => SocketAddrV6::new(v6, port, flow, scope).into(),
            };
            prop_assert_eq!(Address::of(address).read(), Some(address));
        }
    }
}
