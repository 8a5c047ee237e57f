//! Everything that tests of a whole server need: scenarios in Markdown and what runs them, a fake
//! upstream, a fake Kubernetes API server, a counter of allocations.
//!
//! **What this is.** [`run`] takes scenario files and a server's binary. For each scenario it
//! starts the server as a process of its own, plays what stands in the file over real sockets and
//! reports every difference. The same files run against Rutter and against CoreDNS, so that each behaviour
//! that is written down is one that both have, or a difference that is declared with its reason.
//! `scenarios/README.md` says how scenarios are written.
//!
//! **What this is not.** It knows no plugin and links no part of the server but `wire`.
//!
//! **Where to start reading.** [`run`], then `scenario/step.rs` for what a scenario can say and
//! `scenario/play.rs` for what is done with it. The fakes stand on their own: [`FakeUpstream`],
//! [`FakeApi`].
#![expect(clippy::disallowed_methods, reason = "a tool has no clock but the real one")]

pub mod alloc;
pub mod dns;
pub mod http;
pub mod kubernetes;
pub mod load;
mod net;
mod ports;
mod process;
pub mod proxy;
pub mod scenario;
pub mod upstream;

pub use kubernetes::FakeApi;
pub use ports::PortBlock;
pub use process::Process;
pub use scenario::{Report, Server, run};
pub use upstream::FakeUpstream;

/// Looks again and again whether something is so, for no longer than `within`; tells whether it is.
///
/// For what nothing else tells: what another process answers, counts or writes.
pub fn until(within: std::time::Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = std::time::Instant::now() + within;
    while !is_so() {
        if std::time::Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    true
}
