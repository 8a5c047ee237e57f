//! Telling secondaries that a zone has changed (RFC 1996).

use super::config::Rule;
use crate::env::Tasks;
use crate::handover::Announce;
use crate::metrics::Counter;
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use wire::{Encoder, Flags, Message, NameBuf, Opcode, Rcode};

/// Tells each secondary of the rules. One that does not answer keeps no other waiting.
pub(super) struct Notifier {
    rules: Arc<[Rule]>,
    secondaries: Vec<Arc<Secondary>>,
    tasks: Tasks,
}

/// A server that is told.
struct Secondary {
    address: SocketAddr,
    source: Option<IpAddr>,
    /// The zones that it is still to be told of: each once, however often it has changed.
    pending: Mutex<BTreeSet<NameBuf>>,
    /// Wakes its task.
    more: Notify,
    unanswered: Arc<Counter>,
}

/// How often a secondary is told, as in CoreDNS.
const TRIES: u32 = 3;
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

impl Notifier {
    /// Tells nobody before [`Notifier::start`].
    pub(super) fn new(rules: Arc<[Rule]>, unanswered: &Arc<Counter>) -> Self {
        let mut secondaries: Vec<Arc<Secondary>> = Vec::new();
        for rule in rules.iter() {
            for address in rule.secondaries() {
                let is_it = |known: &Arc<Secondary>| known.is(address, rule.source);
                if !secondaries.iter().any(is_it) {
                    let unanswered = unanswered.clone();
                    secondaries.push(Arc::new(Secondary::new(address, rule.source, unanswered)));
                }
            }
        }
        Self { rules, secondaries, tasks: Tasks::default() }
    }

    /// Begins to tell; ends when this is dropped.
    pub(super) fn start(&self, runtime: &Handle) {
        for secondary in &self.secondaries {
            self.tasks.spawn(runtime, secondary.clone().tell_all());
        }
    }
}

impl Announce for Notifier {
    fn changed(&self, apex: &NameBuf) {
        let Some(rule) = Rule::of(&self.rules, apex.as_name()) else { return };
        for address in rule.secondaries() {
            let mut known = self.secondaries.iter();
            if let Some(secondary) = known.find(|known| known.is(address, rule.source)) {
                secondary.pending().insert(*apex);
                secondary.more.notify_one();
            }
        }
    }
}

impl Secondary {
    fn new(address: SocketAddr, source: Option<IpAddr>, unanswered: Arc<Counter>) -> Self {
        let (pending, more) = (Mutex::default(), Notify::new());
        Self { address, source, pending, more, unanswered }
    }

    fn is(&self, address: SocketAddr, source: Option<IpAddr>) -> bool {
        (self.address, self.source) == (address, source)
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, BTreeSet<NameBuf>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn tell_all(self: Arc<Self>) {
        loop {
            let next = self.pending().pop_first();
            match next {
                Some(zone) => self.tell(&zone).await,
                None => self.more.notified().await,
            }
        }
    }

    async fn tell(&self, zone: &NameBuf) {
        let mut why = String::new();
        for _ in 0..TRIES {
            // RFC 1996 §3.6: without an answer it is told again.
            match tokio::time::timeout(PATIENCE, self.ask(zone)).await {
                Ok(Ok(Rcode::NOERROR)) => return,
                Ok(Ok(rcode)) => why = format!("rcode was {rcode}"),
                Ok(Err(error)) => {
                    why = error.to_string();
                    // A port that nobody listens at may be there in a moment.
                    tokio::time::sleep(PATIENCE).await;
                }
                Err(_) => why = format!("no answer within {PATIENCE:?}"),
            }
        }
        self.unanswered.increment(0);
        tracing::warn!(
            target: "plugin/transfer",
            "notify for zone {:?} was not accepted by {:?}: {why}",
            zone.to_string(),
            self.address.to_string()
        );
    }

    /// Sends one message and waits for its answer; from a new socket, whose port nobody can know.
    async fn ask(&self, zone: &NameBuf) -> io::Result<Rcode> {
        let any: IpAddr = match self.address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((self.source.unwrap_or(any), 0)).await?;
        socket.connect(self.address).await?;
        let (id, mut octets) = (rand::random(), [0; 512]);
        let length = Encoder::new().notify(id, zone.as_name(), &mut octets);
        socket.send(&octets[..length]).await?;
        loop {
            let length = socket.recv(&mut octets).await?;
            let Ok(reply) = Message::read(&octets[..length]) else { continue };
            let is_it = reply.id == id
                && reply.opcode == Opcode::NOTIFY
                && reply.flags.has(Flags::QR)
                && reply.question.is_none_or(|(name, ..)| name == *zone);
            if is_it {
                return Ok(reply.rcode);
            }
        }
    }
}
