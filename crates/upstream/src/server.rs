//! One upstream server: its connections, its health, its numbers.

use crate::connection::Pending;
use crate::health::{Change, Health};
use crate::packet::Packet;
use crate::pool::Pool;
use crate::stats::Counters;
use crate::task::{Task, lock};
use crate::tcp::TcpDial;
use crate::udp::UdpDial;
use crate::{
    Cause, Failure, HealthCheck, LOG, Link, Query, ServerStats, Settings, Transport, TransportRule,
};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};
use wire::{Class, Flags, Message, Opcode, RecordType};

/// How long a probe may take, as in CoreDNS.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// The shortest pause between probes, whatever the configuration says.
const PROBE_PAUSE_MIN: Duration = Duration::from_millis(50);

/// A server and everything that is open towards it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) health: Health,
    udp: Pool<UdpDial>,
    tcp: Pool<TcpDial>,
    counters: Arc<Counters>,
    settings: Arc<Settings>,
    probing: Mutex<Option<Task>>,
    runtime: Handle,
}

/// An answer of this server.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) message: Arc<Message>,
    pub(crate) link: Link,
    pub(crate) took: Duration,
}

impl Server {
    pub(crate) fn new(address: SocketAddr, settings: &Arc<Settings>, runtime: &Handle) -> Self {
        let counters = Arc::<Counters>::default();
        let (idle_max, settings) = (settings.max_idle_conns, settings.clone());
        let udp = UdpDial::new(address, &settings, counters.clone(), runtime.clone());
        let tcp = TcpDial::new(address, &settings, counters.clone(), runtime.clone());
        Self {
            address,
            health: Health::new(settings.max_fails),
            udp: Pool::new(udp, idle_max, counters.clone()),
            tcp: Pool::new(tcp, idle_max, counters.clone()),
            counters,
            settings,
            probing: Mutex::default(),
            runtime: runtime.clone(),
        }
    }

    /// Asks this server: one attempt, whatever it takes.
    ///
    /// With `prefer_udp` a truncated answer is asked for again over TCP.
    pub(crate) async fn ask(
        &self,
        packet: &Arc<Packet>,
        over: Transport,
    ) -> Result<Reply, Failure> {
        let reply = self.ask_over(packet, over).await?;
        let truncated = over == Transport::Udp && reply.message.flags.has(Flags::TC);
        if truncated && self.settings.transport == TransportRule::PreferUdp {
            return self.ask_over(packet, Transport::Tcp).await;
        }
        Ok(reply)
    }

    async fn ask_over(&self, packet: &Arc<Packet>, over: Transport) -> Result<Reply, Failure> {
        let began = Instant::now();
        let answer = match over {
            Transport::Udp => self.ask_over_udp(packet).await,
            // In a box of its own, so that questions over UDP do not carry room for it around.
            Transport::Tcp => Box::pin(self.ask_over_tcp(packet)).await,
        };
        if let Err(Failure::Upstream { cause: Cause::Busy { .. }, .. }) = &answer {
            self.counters.count_busy(over);
        }
        let (message, link) = answer?;
        let took = began.elapsed();
        self.counters.count_answer(message.rcode, took);
        self.note_answer(self.health.answered());
        Ok(Reply { message, link, took })
    }

    async fn ask_over_udp(&self, packet: &Arc<Packet>) -> Result<(Arc<Message>, Link), Failure> {
        let entered = self.udp.enter(packet).map_err(|cause| self.failed(Transport::Udp, cause))?;
        let answer = answer(entered, self.settings.read_timeout).await;
        self.udp.settle();
        answer
    }

    /// A server may end a connection that was idle just when we ask, or may take one question for
    /// each connection only: then the question goes out once more, on a connection of its own.
    async fn ask_over_tcp(&self, packet: &Arc<Packet>) -> Result<(Arc<Message>, Link), Failure> {
        let failed = |cause| self.failed(Transport::Tcp, cause);
        let entered = self.tcp.enter(packet).map_err(failed)?;
        let reused = entered.reused;
        let answer_on_shared = answer(entered, self.settings.read_timeout).await;
        self.tcp.settle();
        match answer_on_shared {
            Err(Failure::Upstream { cause, .. }) if reused && cause.is_end() => {
                self.counters.count_opened(Transport::Tcp);
                let alone = self.tcp.enter_alone(packet).map_err(failed)?;
                answer(alone, self.settings.read_timeout).await
            }
            answer => answer,
        }
    }

    /// A failure before there was a connection.
    fn failed(&self, over: Transport, cause: Cause) -> Failure {
        Failure::Upstream { link: Link { over, local: None, remote: self.address }, cause }
    }

    /// A question got no answer: if that blames the server, probes it until it answers.
    pub(crate) fn suspect(self: &Arc<Self>, failure: &Failure) {
        if failure.blames_server() && self.health.must_probe() {
            let task = Task::start(&self.runtime, probe(Arc::downgrade(self)));
            *lock(&self.probing) = Some(task);
        }
    }

    /// Opens the question of a probe, on a connection of its own: one that is open already proves
    /// nothing about new ones.
    fn enter_probe(&self) -> Result<Pending, Failure> {
        let HealthCheck { recursion_desired, domain, .. } = &self.settings.health_check;
        let mut flags = Flags::none();
        flags.set(Flags::RD, *recursion_desired);
        let packet = Arc::new(Packet::new(&Query {
            name: domain.as_name(),
            rtype: RecordType::NS,
            class: Class::IN,
            opcode: Opcode::QUERY,
            flags,
            edns: None,
            over: Transport::Udp,
        }));
        let over = self.settings.transport.choose(Transport::Udp);
        let entered = match over {
            Transport::Udp => self.udp.enter_alone(&packet),
            Transport::Tcp => self.tcp.enter_alone(&packet),
        };
        entered.map_err(|cause| self.failed(over, cause))
    }

    /// Takes the result of a probe; how long to wait until the next, if there has to be one.
    ///
    /// An answer that we cannot use is one all the same, and what our own machine could not do says
    /// nothing about the server.
    fn probed(&self, failure: Option<Failure>) -> Option<Duration> {
        match failure {
            Some(Failure::Upstream { cause, link }) if !cause.is_sign_of_life() => {
                if cause.blames_server() {
                    self.note_silence(&Failure::Upstream { cause, link });
                }
                Some(self.settings.health_check.interval.max(PROBE_PAUSE_MIN))
            }
            _ => {
                self.note_answer(self.health.probe_answered());
                None
            }
        }
    }

    fn note_silence(&self, failure: &Failure) {
        self.counters.count_healthcheck_failure();
        if self.health.probe_failed() == Change::WentDown {
            tracing::warn!(target: LOG, "upstream {} is down: {failure}", self.address);
        }
    }

    fn note_answer(&self, change: Change) {
        if change == Change::CameBack {
            tracing::info!(target: LOG, "upstream {} answers again", self.address);
        }
    }

    /// Closes connections that are idle for too long.
    pub(crate) fn sweep(&self) {
        self.udp.sweep();
        self.tcp.sweep();
    }

    pub(crate) fn stats(&self) -> ServerStats {
        let counters = &self.counters;
        ServerStats {
            server: self.address,
            durations: counters.durations(),
            healthcheck_failures: counters.healthcheck_failures(),
            udp: counters.connection_use(Transport::Udp, self.udp.live()),
            tcp: counters.connection_use(Transport::Tcp, self.tcp.live()),
            strays: counters.strays(),
            down: self.health.is_down(),
        }
    }
}

async fn answer(mut pending: Pending, patience: Duration) -> Result<(Arc<Message>, Link), Failure> {
    let answer = pending.answer(patience).await;
    let link = pending.link();
    match answer {
        Ok(message) => Ok((message, link)),
        Err(cause) => Err(Failure::Upstream { link, cause }),
    }
}

/// Probes until there is an answer, or until nobody needs the server any more.
async fn probe(server: Weak<Server>) {
    loop {
        let Some(entered) = server.upgrade().map(|server| server.enter_probe()) else { return };
        let failure = match entered {
            Ok(pending) => answer(pending, PROBE_TIMEOUT).await.err(),
            Err(failure) => Some(failure),
        };
        let Some(pause) = server.upgrade().and_then(|server| server.probed(failure)) else {
            return;
        };
        sleep(pause).await;
    }
}
