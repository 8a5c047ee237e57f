//! The crate against real sockets on loopback.
#![forbid(unsafe_code)]

#[cfg(test)]
mod attempts;
#[cfg(test)]
mod health;
#[cfg(test)]
mod located;
#[cfg(test)]
mod sharing;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tcp;
#[cfg(test)]
mod udp;
