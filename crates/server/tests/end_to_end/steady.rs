//! Clients that ask all the time, and a kubelet that probes.

use crate::rutter::{Rutter, is_ready};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use testkit::load::Load;

/// Between two probes.
const PROBE_EVERY: Duration = Duration::from_millis(100);

/// Names that nobody changes.
const KNOWN: [&str; 5] = [
    "my-nginx.default.svc.cluster.local A",
    "billing.default.svc.cluster.local A",
    "_https._tcp.billing.default.svc.cluster.local SRV",
    "17.1.244.10.in-addr.arpa PTR",
    "10-244-2-23.default.pod.cluster.local A",
];

/// Load and probes, until they are stopped.
pub(crate) struct Steady {
    load: Load,
    /// The probes end when this is dropped.
    stop: Sender<()>,
    probes: JoinHandle<(u32, u32)>,
}

impl Steady {
    pub(crate) fn start(rutter: &Rutter) -> Self {
        let (stop, stopped) = channel();
        let probe = rutter.probe();
        let probes = thread::spawn(move || {
            let (mut ready, mut unready) = (0, 0);
            while stopped.recv_timeout(PROBE_EVERY) == Err(RecvTimeoutError::Timeout) {
                let count = if is_ready(probe) { &mut ready } else { &mut unready };
                *count += 1;
            }
            (ready, unready)
        });
        Self { load: Load::start(rutter.address(), &KNOWN).unwrap(), stop, probes }
    }

    /// Every question was answered as it should be, and every probe found the server ready.
    #[track_caller]
    pub(crate) fn stop_and_check(self, during: &str) {
        drop(self.stop);
        let tally = self.load.stop();
        let (ready, unready) = self.probes.join().unwrap();
        println!(
            "{during}: {} answers, the slowest after {} ms; ready {ready} of {} times",
            tally.answered,
            tally.slowest.as_millis(),
            ready + unready
        );
        assert!(tally.is_clean(), "{during}: {tally:#?}");
        assert!(
            ready > 0 && unready == 0,
            "{during}: unready {unready} of {} times",
            ready + unready
        );
    }
}
