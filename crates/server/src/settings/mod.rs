//! What the process is told from outside: its command line, its Corefile and its surroundings.

pub mod flags;
pub mod footprint;
pub mod source;
