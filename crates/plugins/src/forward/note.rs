//! Who is asked and what came of it, in words for people.

use super::servers::Servers;
use upstream::{Answered, Failure, Policy, Transport, Upstreams};

/// Whom a line asks.
pub(super) fn whom(servers: &Servers) -> String {
    let known = servers.upstreams().map(Upstreams::stats).map(|stats| stats.servers);
    let known = known.unwrap_or_default();
    if known.is_empty() {
        return "has to ask a server, but knows none".to_owned();
    }
    let policy = match servers.upstreams().map(|upstreams| upstreams.settings().policy) {
        Some(Policy::RoundRobin) => "in turn",
        Some(Policy::Sequential) => "in this order",
        Some(Policy::Random) | None => "in any order",
    };
    let health = |down| if down { " (down)" } else { "" };
    let names: Vec<_> =
        known.iter().map(|it| format!("{}{}", it.server, health(it.down))).collect();
    match &names[..] {
        [only] => format!("has to ask {only}"),
        all => format!("has to ask {} {policy}", all.join(", ")),
    }
}

/// What came of it.
pub(super) fn outcome(asked: &Result<Answered, Failure>) -> String {
    match asked {
        Ok(answered) => {
            let over = match answered.link.over {
                Transport::Udp => "UDP",
                Transport::Tcp => "TCP",
            };
            let attempt = match answered.tried {
                1 => String::new(),
                tried => format!(" at attempt {tried}"),
            };
            let (by, took, rcode) = (answered.by(), answered.took, answered.message.rcode);
            let took = took.as_secs_f64() * 1000.0;
            format!("{by} answered {rcode} over {over} in {took:.1} ms{attempt}")
        }
        Err(failure) => format!("got no answer: {failure}"),
    }
}
