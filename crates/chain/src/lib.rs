//! The walk: how a question finds its block, goes down the plugins and comes back up.
//!
//! **What this is.** [`Exchange`] (one question and the reply that grows), [`Plugin`] (what a
//! directive of the Corefile does to it), [`Chain`] (the plugins of a server block and the only
//! code that steps through them) and [`Router`] (which block serves a question).
//!
//! **What this is not.** It opens no socket, knows no runtime and reads no clock: octets and time
//! come in, decisions go out. It knows no plugin.
//!
//! **Where to start reading.** [`Plugin`], then `Walk::down` in `walk.rs`: all control flow of a
//! query is there.
#![forbid(unsafe_code)]

mod again;
mod between;
mod exchange;
mod failure;
mod moment;
mod plugin;
mod recording;
mod router;
mod stream;
mod walk;

pub use exchange::{Client, Exchange, Refresh, Transport};
pub use failure::{Failure, UpstreamFailure};
pub use moment::{Clock, Moment};
pub use plugin::{Observe, Plugin, Resolving, Step};
pub use recording::{Event, Glance, Recording, Way, What};
pub use router::{Block, Router};
pub use stream::{Piece, Stream};
pub use walk::{Chain, Ended, Link, Rest, Ticket};
