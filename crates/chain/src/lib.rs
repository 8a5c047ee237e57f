//! The walk: Exchange, Plugin, Chain, Router. No sockets, no runtime, no clock.
