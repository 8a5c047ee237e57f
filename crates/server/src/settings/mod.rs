//! What the process is told from outside: its command line, its Corefile and its surroundings.

pub(crate) mod flags;
pub(crate) mod footprint;
pub(crate) mod fragments;
pub(crate) mod source;
pub(crate) mod watcher;
