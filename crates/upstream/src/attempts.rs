//! One question on its way through the servers, until there is an answer or no hope.

use crate::packet::Packet;
use crate::plan::{Plan, Step};
use crate::server::{Reply, Server};
use crate::upstreams::Core;
use crate::{Failure, Link, Transport};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use wire::Message;

/// After this time no further attempt begins. Clients give up after 5 s themselves.
///
/// As in CoreDNS an attempt that has begun is not cut short, so that a `read_timeout` above this
/// means what it says.
const BUDGET: Duration = Duration::from_secs(5);
/// With `max_connect_attempts 0`, the pause after each pass over the servers. CoreDNS makes none
/// and asks a server that refuses connections thousands of times in its 5 s.
const PASS_PAUSE: Duration = Duration::from_millis(50);

/// An answer, and how it came about.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The answer, as the server gave it. Everybody who asked the same at the same time shares it.
    pub message: Arc<Message>,
    /// On which way it came, and so from whom.
    pub link: Link,
    /// How long this server took.
    pub took: Duration,
    /// How many attempts were made, this one included.
    pub tried: u32,
}

impl Answered {
    /// Who answered.
    pub fn by(&self) -> SocketAddr {
        self.link.remote
    }
}

/// Asks one server after the other.
pub(crate) async fn run(
    core: Arc<Core>,
    packet: Packet,
    over: Transport,
) -> Result<Answered, Failure> {
    let servers = core.servers.load_full();
    let settings = &core.settings;
    let fails_over = |reply: &Reply| settings.failover.contains(&reply.message.rcode);
    let packet = Arc::new(packet);
    let began = Instant::now();
    let mut plan = Plan::new(order(&core, &servers), settings.max_connect_attempts);
    let mut outcome = Err(Failure::NoHealthyUpstream);
    let (mut tried, mut failed_over) = (0, 0);
    while let Some(step) = plan.next(|index| servers[index].health.is_down()) {
        let Some(server) = server_for(step, &core, &servers) else { break };
        tried += 1;
        match server.ask(&packet, over).await {
            Ok(reply) if fails_over(&reply) && failed_over + 1 < servers.len() => {
                failed_over += 1;
                outcome = Ok(answered(reply, tried));
            }
            Ok(reply) => return Ok(answered(reply, tried)),
            Err(failure) => {
                server.suspect(&failure);
                plan.failed();
                // An answer that another server was to better is better than none.
                outcome = outcome.or(Err(failure));
            }
        }
        if plan.must_pause() {
            sleep(PASS_PAUSE).await;
        }
        if began.elapsed() >= BUDGET {
            break;
        }
    }
    outcome
}

/// The order of the policy, those last whose probes have begun to fail.
///
/// CoreDNS lets questions run into a dead server until it is down, 4 s after the first has failed.
fn order(core: &Core, servers: &[Arc<Server>]) -> Vec<usize> {
    let mut order = core.settings.policy.order(servers.len(), &core.turn);
    order.sort_by_cached_key(|&index| servers[index].health.is_suspect());
    order
}

fn server_for<'a>(step: Step, core: &Core, servers: &'a [Arc<Server>]) -> Option<&'a Arc<Server>> {
    match step {
        Step::Ask(index) => servers.get(index),
        Step::AllDown => {
            core.healthcheck_broken.fetch_add(1, Ordering::Relaxed);
            if core.settings.failfast_all_unhealthy_upstreams {
                return None;
            }
            // As in CoreDNS: perhaps it is the probes that are broken.
            servers.get(rand::random_range(0..servers.len()))
        }
    }
}

fn answered(reply: Reply, tried: u32) -> Answered {
    let Reply { message, link, took } = reply;
    Answered { message, link, took, tried }
}
