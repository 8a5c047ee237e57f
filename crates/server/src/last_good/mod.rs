//! The last configuration that served, kept for a start on one that cannot.
//!
//! **What this is.** The file that it is kept in ([`Archive`]), who writes it ([`Keeper`]), and what
//! metrics say of the configuration that serves ([`Status`]).
//!
//! **What this is not.** It decides nothing: [`crate::reload::Reloader`] does.
//!
//! `docs/operate/last-known-good.md` has the truth table.

mod archive;
mod keeper;
mod status;

pub(crate) use archive::Archive;
pub(crate) use keeper::Keeper;
pub(crate) use status::Status;
