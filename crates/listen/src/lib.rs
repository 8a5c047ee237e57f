//! Being asked: sockets, workers, and where questions wait.
//!
//! **What this is.** For each address that a configuration listens on: one UDP socket and one
//! blocking thread for each core, which receives a batch, answers it in place and sends it
//! ([`mmsg`] has the system calls, `udp.rs` the loop); a TCP listener whose connections read all
//! that is there, answer all and write once (`tcp.rs`); and the slow lane for questions that wait
//! for somebody else (`lane.rs`).
//!
//! **What this is not.** It does not know what an answer is: [`chain::Router`] does. Of all that is
//! shipped it alone may use `unsafe`, in [`mmsg`] and nowhere else.
//!
//! **Where to start reading.** [`Listener`], then the loop in `udp.rs`.

mod lane;
mod listener;
pub mod mmsg;
mod outflow;
mod service;
mod socket;
mod tcp;
mod udp;

pub use lane::{LaneSettings, Limited, SlowLane};
pub use listener::{Listener, OpenError, Workers};
pub use service::{Service, Stats};
pub use socket::tcp as bind_tcp;
pub use tcp::TcpSettings;
