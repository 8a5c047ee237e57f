//! Where servers are that are known by name, now and later.
//!
//! CoreDNS looks such names up once, when it starts, and does not start without an answer. Here they
//! are looked up again when their TTL ends, and what was good last is kept for as long as nothing
//! better comes: no answer, an error, or an empty answer takes no server away.

use crate::{
    Failure, Host, LOG, Policy, Query, Settings, Target, Transport, TransportRule, Upstreams,
};
use futures_util::future::join_all;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::Instant;
use wire::{Class, Flags, Message, NameBuf, Opcode, Rcode, RecordType};

/// The shortest time until the next look-up, whatever the TTL says.
const REFRESH_MIN: Duration = Duration::from_secs(5);
/// The longest.
const REFRESH_MAX: Duration = Duration::from_secs(3600);
/// The time until the next look-up after one that failed.
const RETRY: Duration = Duration::from_secs(10);

/// The targets of a configuration line, with the addresses of those that are names.
#[derive(Clone, Debug, Default)]
pub struct Located {
    places: Vec<Place>,
}

#[derive(Clone, Debug)]
enum Place {
    Fixed(SocketAddr),
    /// The addresses that were found last; none before the first look-up.
    Named {
        host: Box<Host>,
        addresses: Vec<IpAddr>,
        due: Instant,
    },
}

/// A name has no addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// The name.
    pub name: NameBuf,
    /// Why, if it is not that the answers held none.
    pub failure: Option<Failure>,
}

/// What a look-up found.
struct Found {
    /// Sorted, IPv4 first: a server that rotates its answers shall not reorder ours.
    addresses: Vec<IpAddr>,
    fresh_for: Duration,
}

impl Settings {
    /// How to ask for the addresses of servers: one resolver after the other, 2 s each.
    pub fn for_locating() -> Self {
        Self {
            policy: Policy::Sequential,
            transport: TransportRule::PreferUdp,
            failover: vec![Rcode::SERVFAIL, Rcode::NXDOMAIN, Rcode::REFUSED],
            ..Self::default()
        }
    }
}

impl Located {
    /// These targets from now on. Names that were there before keep what was found; the others are
    /// due at once.
    pub fn set_targets(&mut self, targets: Vec<Target>) {
        let before = std::mem::take(&mut self.places);
        let known = |wanted: &Host| {
            let same =
                |place: &&Place| matches!(place, Place::Named { host, .. } if **host == *wanted);
            before.iter().find(same).cloned()
        };
        let place = |target| match target {
            Target::Address(server) => Place::Fixed(server),
            Target::Host(host) => known(&host).unwrap_or_else(|| Place::Named {
                host,
                addresses: Vec::new(),
                due: Instant::now(),
            }),
        };
        self.places = targets.into_iter().map(place).collect();
    }

    /// The servers, in the order of the targets; a name without known addresses has none.
    pub fn servers(&self) -> Vec<SocketAddr> {
        let mut servers = Vec::new();
        for place in &self.places {
            match place {
                Place::Fixed(server) => servers.push(*server),
                Place::Named { host, addresses, .. } => servers
                    .extend(addresses.iter().map(|&address| SocketAddr::new(address, host.port))),
            }
        }
        servers
    }

    /// When the next name is to be looked up; never if no target is a name.
    pub fn due(&self) -> Option<Instant> {
        let due = |place: &Place| match place {
            Place::Fixed(_) => None,
            Place::Named { due, .. } => Some(*due),
        };
        self.places.iter().filter_map(due).min()
    }

    /// Looks up the names that are due, all at the same time. One without an answer is logged, keeps
    /// its addresses, and is due again after 10 s.
    ///
    /// `resolvers` are best made with [`Settings::for_locating`].
    pub async fn refresh(&mut self, resolvers: &Upstreams) {
        let now = Instant::now();
        join_all(self.places.iter_mut().map(|place| place.refresh(resolvers, now))).await;
    }
}

impl Place {
    /// Looks up the name, if it is one that is due at `now`.
    async fn refresh(&mut self, resolvers: &Upstreams, now: Instant) {
        let Self::Named { host, addresses, due } = self else { return };
        if *due > now {
            return;
        }
        match look_up(host, resolvers).await {
            Ok(found) => {
                *addresses = found.addresses;
                *due = Instant::now() + found.fresh_for;
            }
            Err(unresolved) => {
                let kept =
                    if addresses.is_empty() { "" } else { "; its last addresses stay in use" };
                tracing::warn!(target: LOG, "{unresolved}{kept}");
                *due = Instant::now() + RETRY;
            }
        }
    }
}

/// Asks for A and AAAA. One of them is enough.
async fn look_up(host: &Host, resolvers: &Upstreams) -> Result<Found, Unresolved> {
    let query = |rtype| Query {
        name: host.name.as_name(),
        rtype,
        class: Class::IN,
        opcode: Opcode::QUERY,
        flags: Flags::RD,
        edns: None,
        over: Transport::Udp,
    };
    let types = [RecordType::A, RecordType::AAAA];
    let mut found = Found { addresses: Vec::new(), fresh_for: REFRESH_MAX };
    let mut failure = None;
    for answered in join_all(types.map(|rtype| resolvers.ask(query(rtype)))).await {
        match answered {
            Ok(answered) => found.take(&answered.message),
            Err(error) => failure = Some(error),
        }
    }
    if found.addresses.is_empty() {
        return Err(Unresolved { name: host.name, failure });
    }
    found.addresses.sort_unstable();
    found.addresses.dedup();
    found.fresh_for = found.fresh_for.max(REFRESH_MIN);
    Ok(found)
}

impl Found {
    /// Takes the addresses of an answer, and the shortest TTL on the way to them.
    fn take(&mut self, message: &Message) {
        let body = &message.body;
        for record in &body.answer {
            let rdata = body.rdata(record);
            match record.rtype {
                RecordType::A => {
                    self.addresses.extend(<[u8; 4]>::try_from(rdata).map(IpAddr::from));
                }
                RecordType::AAAA => {
                    self.addresses.extend(<[u8; 16]>::try_from(rdata).map(IpAddr::from));
                }
                RecordType::CNAME => {}
                _ => continue,
            }
            self.fresh_for = self.fresh_for.min(Duration::from_secs(record.ttl.into()));
        }
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no addresses found for \"{}\"", self.name)?;
        match &self.failure {
            Some(failure) => write!(f, ": {failure}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Unresolved {}
