//! When an API server is back.
//!
//! **What this is.** Who failed several times waits for long, and would for long not notice that there
//! is no reason any more. So as long as resources wait because the server is away, one small request in
//! a few seconds asks for all of them whether it is back; then they go on, spread over some time, so
//! that many replicas do not ask all at once.
//!
//! **What this is not.** A server that answers, but refuses, is not away: who was refused waits.

use super::backoff::fraction;
use super::failure::{ErrorKind, Failure};
use super::request::AGENT;
use super::shared::Shared;
use http::header::USER_AGENT;
use http::{Request, StatusCode};
use kube::client::Body;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// How many probes in a row must be answered, at most, by a server that came back and went again.
const PROBES_MAX: u32 = 4;

/// What is known of outages.
pub(super) struct Recovery {
    /// How many resources have met one.
    outages: watch::Sender<u64>,
    /// How often the server came back.
    returns: watch::Sender<u64>,
}

impl Default for Recovery {
    fn default() -> Self {
        Self { outages: watch::channel(0).0, returns: watch::channel(0).0 }
    }
}

/// Whether the server is away, as far as a failure tells.
pub(super) fn is_outage(failure: &Failure) -> bool {
    let is_away =
        matches!(failure.kind, ErrorKind::Connection | ErrorKind::Silence | ErrorKind::Server);
    // Who names a time is there.
    is_away && failure.retry_after.is_none()
}

impl Shared {
    /// Waits after an outage: until the server is back and it is our turn, but never longer than
    /// `wait`. Whether the server is back.
    pub(super) async fn wait_for_return(&self, wait: Duration) -> bool {
        let mut returns = self.recovery.returns.subscribe();
        self.recovery.outages.send_modify(|count| *count += 1);
        let turn = async {
            // The sender lives as long as `self`.
            let _ = returns.changed().await;
            sleep(self.settings.timing.return_spread.mul_f64(fraction())).await;
        };
        timeout(wait, turn).await.is_ok()
    }

    /// Looks after each outage whether the server is back, for as long as this is not dropped.
    pub(super) async fn look_for_returns(&self) {
        let mut outages = self.recovery.outages.subscribe();
        let (mut wanted, mut returned) = (1, None::<Instant>);
        loop {
            // The sender lives as long as `self`.
            let _ = outages.changed().await;
            let was_wrong =
                returned.is_some_and(|at| at.elapsed() < self.settings.timing.retry_reset);
            wanted = if was_wrong { (wanted * 2).min(PROBES_MAX) } else { 1 };
            self.probe_until_back(&mut outages, wanted).await;
            returned = Some(Instant::now());
            self.recovery.returns.send_modify(|count| *count += 1);
        }
    }

    /// Until so many probes in a row were answered, and no resource has failed meanwhile.
    async fn probe_until_back(&self, outages: &mut watch::Receiver<u64>, wanted: u32) {
        let every = self.settings.timing.probe_every;
        let mut answered = 0;
        while answered < wanted {
            sleep(every + every.mul_f64(fraction())).await;
            outages.mark_unchanged();
            let is_back = self.probe().await && !outages.has_changed().unwrap_or(false);
            answered = if is_back { answered + 1 } else { 0 };
        }
    }

    /// Whether the server says that it is ready, or that this is none of our business.
    async fn probe(&self) -> bool {
        let request = Request::get("/readyz").header(USER_AGENT, AGENT).body(Body::empty());
        let Ok(request) = request else { return false };
        let patience = self.settings.timing.probe_max;
        let Ok(Ok(response)) = timeout(patience, self.client().send(request)).await else {
            return false;
        };
        let code = response.status();
        self.status.count_request(code.as_u16());
        let refuses = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND]
            .contains(&code);
        code.is_success() || refuses
    }
}
